"""Repositories and their metadata."""

from __future__ import annotations

import re
from typing import Final

from lakefs_hl.local.api import checks
from lakefs_hl.local.api.answers import Handler, created, done, ok
from lakefs_hl.local.api.effects import effect
from lakefs_hl.local.engine import Engine
from lakefs_hl.spec import endpoints, models
from lakefs_hl.spec.wire import Request, Response

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{2,62}")
_NAMESPACE: Final = re.compile(r"(s3|gs|https?|mem|local|transient)://.*", re.DOTALL)


def list_repositories(engine: Engine, request: Request, who: str) -> Response:
    """One page of repositories."""
    query = request.query
    return ok(
        engine.repositories.page(
            checks.prefix(query),
            checks.text(query, "after"),
            checks.amount(query),
            checks.text(query, "search"),
        )
    )


@effect(created)
def create_repository(engine: Engine, request: Request, who: str) -> models.Repository:
    """Makes a repository with a default branch and a first commit."""
    creation = checks.body(models.RepositoryCreation, request)
    checks.matches(_NAME, creation.name, "name")
    checks.matches(_NAMESPACE, creation.storage_namespace, "storage_namespace")
    return engine.repositories.create(creation, bare=checks.flag(request.query, "bare"), who=who)


def get_repository(engine: Engine, request: Request, who: str) -> Response:
    """One repository."""
    return ok(engine.repositories.get(request.params[0]))


@effect(done)
def delete_repository(engine: Engine, request: Request, who: str) -> None:
    """Removes a repository and all that is in it."""
    engine.repositories.delete(request.params[0], checks.flag(request.query, "force"))


def get_metadata(engine: Engine, request: Request, who: str) -> Response:
    """The metadata."""
    return ok(engine.repositories.metadata(request.params[0]))


@effect(done)
def set_metadata(engine: Engine, request: Request, who: str) -> None:
    """Sets some keys of the metadata."""
    engine.repositories.set_metadata(request.params[0], checks.body(models.RepositoryMetadataSet, request).metadata)


@effect(done)
def delete_metadata(engine: Engine, request: Request, who: str) -> None:
    """Drops some keys of the metadata."""
    engine.repositories.delete_metadata(request.params[0], checks.body(models.RepositoryMetadataKeys, request).keys)


HANDLERS: Final[dict[str, Handler]] = {
    endpoints.LIST_REPOSITORIES.operation: list_repositories,
    endpoints.CREATE_REPOSITORY.operation: create_repository,
    endpoints.GET_REPOSITORY.operation: get_repository,
    endpoints.DELETE_REPOSITORY.operation: delete_repository,
    endpoints.GET_REPOSITORY_METADATA.operation: get_metadata,
    endpoints.SET_REPOSITORY_METADATA.operation: set_metadata,
    endpoints.DELETE_REPOSITORY_METADATA.operation: delete_metadata,
}
