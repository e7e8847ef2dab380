"""Commits and the log."""

from __future__ import annotations

from typing import Final

from lakefs_hl.local.api import checks
from lakefs_hl.local.api.answers import Handler, created, ok
from lakefs_hl.local.api.effects import effect
from lakefs_hl.local.engine import Engine
from lakefs_hl.spec import endpoints, models
from lakefs_hl.spec.wire import Request, Response


@effect(created)
def commit(engine: Engine, request: Request, who: str) -> models.Commit:
    """Commits what is staged."""
    repository, branch = request.params
    creation = checks.body(models.CommitCreation, request)
    source = checks.text(request.query, "source_metarange")
    return engine.commits.commit(repository, branch, creation, who=who, source_metarange=source)


def get_commit(engine: Engine, request: Request, who: str) -> Response:
    """One commit, by any reference expression."""
    repository, ref = request.params
    return ok(engine.commits.get(repository, ref))


def log_commits(engine: Engine, request: Request, who: str) -> Response:
    """One page of a log, newest first."""
    repository, ref = request.params
    query = request.query
    since = checks.moment(query, "since")
    return ok(
        engine.commits.log(
            repository,
            ref,
            after=checks.text(query, "after"),
            amount=checks.amount(query),
            objects=checks.texts(query, "objects"),
            prefixes=checks.texts(query, "prefixes"),
            limit=checks.flag(query, "limit"),
            first_parent=checks.flag(query, "first_parent"),
            since=since.timestamp() if since is not None else None,
            stop_at=checks.text(query, "stop_at"),
        )
    )


HANDLERS: Final[dict[str, Handler]] = {
    endpoints.COMMIT.operation: commit,
    endpoints.GET_COMMIT.operation: get_commit,
    endpoints.LOG_COMMITS.operation: log_commits,
}
