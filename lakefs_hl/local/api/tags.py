"""Tags: make, look up, list, remove."""

from __future__ import annotations

from typing import Final

from lakefs_hl.local.api import checks
from lakefs_hl.local.api.answers import Handler, created, done, ok
from lakefs_hl.local.api.effects import effect
from lakefs_hl.local.engine import Engine
from lakefs_hl.spec import endpoints, models
from lakefs_hl.spec.wire import Request, Response


def list_tags(engine: Engine, request: Request, who: str) -> Response:
    """One page of tags."""
    query = request.query
    return ok(
        engine.tags.page(request.params[0], checks.prefix(query), checks.text(query, "after"), checks.amount(query))
    )


def get_tag(engine: Engine, request: Request, who: str) -> Response:
    """One tag."""
    repository, tag = request.params
    return ok(engine.tags.get(repository, tag))


@effect(created)
def create_tag(engine: Engine, request: Request, who: str) -> models.Ref:
    """Makes a tag."""
    return engine.tags.create(request.params[0], checks.body(models.TagCreation, request))


@effect(done)
def delete_tag(engine: Engine, request: Request, who: str) -> None:
    """Removes a tag."""
    repository, tag = request.params
    engine.tags.delete(repository, tag, checks.flag(request.query, "force"))


HANDLERS: Final[dict[str, Handler]] = {
    endpoints.LIST_TAGS.operation: list_tags,
    endpoints.GET_TAG.operation: get_tag,
    endpoints.CREATE_TAG.operation: create_tag,
    endpoints.DELETE_TAG.operation: delete_tag,
}
