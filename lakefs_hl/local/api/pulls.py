"""Pull requests: create, look up, list, change, merge."""

from __future__ import annotations

from typing import Final

from lakefs_hl.local.api import checks
from lakefs_hl.local.api.answers import Handler, created, done, ok
from lakefs_hl.local.api.effects import effect
from lakefs_hl.local.engine import Engine
from lakefs_hl.spec import endpoints, models
from lakefs_hl.spec.wire import Request, Response

_FILTERS: Final = ("all", "open", "closed")
_STATUSES: Final = ("open", "closed", "merged")


def list_pull_requests(engine: Engine, request: Request, who: str) -> Response:
    """One page of pull requests."""
    query = request.query
    return ok(
        engine.pulls.page(
            request.params[0],
            checks.prefix(query),
            checks.text(query, "after"),
            checks.amount(query),
            checks.word(query, "status", _FILTERS),
        )
    )


def get_pull_request(engine: Engine, request: Request, who: str) -> Response:
    """One pull request."""
    repository, pull_request = request.params
    return ok(engine.pulls.get(repository, pull_request))


def _created(id: str) -> Response:
    return created(models.PullRequestCreated(id))


@effect(_created)
def create_pull_request(engine: Engine, request: Request, who: str) -> str:
    """Creates a pull request; the answer is its ID."""
    return engine.pulls.create(request.params[0], checks.body(models.PullRequestCreation, request), who=who)


@effect(done)
def update_pull_request(engine: Engine, request: Request, who: str) -> None:
    """Changes a pull request; the answer is lakeFS's 204, where its specification says 200."""
    repository, pull_request = request.params
    update = checks.body(models.PullRequestUpdate, request)
    if update.status is not None:
        checks.one_of(update.status, _STATUSES, "status")
    engine.pulls.update(repository, pull_request, update)


def _merged(commit_id: str) -> Response:
    return ok(models.MergeResult(commit_id))


@effect(_merged)
def merge_pull_request(engine: Engine, request: Request, who: str) -> str:
    """Merges a pull request; unlike that to a merge of branches, the answer to a conflict is an error."""
    repository, pull_request = request.params
    return engine.pulls.merge(repository, pull_request, who=who)


HANDLERS: Final[dict[str, Handler]] = {
    endpoints.LIST_PULL_REQUESTS.operation: list_pull_requests,
    endpoints.GET_PULL_REQUEST.operation: get_pull_request,
    endpoints.CREATE_PULL_REQUEST.operation: create_pull_request,
    endpoints.UPDATE_PULL_REQUEST.operation: update_pull_request,
    endpoints.MERGE_PULL_REQUEST.operation: merge_pull_request,
}
