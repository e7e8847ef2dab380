"""Two references: their differences, their base, and merging one into the other."""

from __future__ import annotations

from typing import Final

from lakefs_hl.local.api import checks
from lakefs_hl.local.api.answers import JSON, Handler, ok
from lakefs_hl.local.api.effects import effect
from lakefs_hl.local.engine import Engine
from lakefs_hl.spec import endpoints, models
from lakefs_hl.spec.errors import ConflictException
from lakefs_hl.spec.wire import Request, Response

_TYPES: Final = ("three_dot", "two_dot")


def diff_refs(engine: Engine, request: Request, who: str) -> Response:
    """One page of differences."""
    repository, left, right = request.params
    query = request.query
    return ok(
        engine.diffs.refs(
            repository,
            left,
            right,
            type=checks.word(query, "type", _TYPES),
            after=checks.text(query, "after"),
            amount=checks.amount(query),
            prefix=checks.prefix(query),
            delimiter=checks.text(query, "delimiter"),
            right_stats=checks.flag(query, "include_right_stats"),
        )
    )


def _merged(commit_id: str) -> Response:
    return ok(models.MergeResult(commit_id))


@effect(_merged)
def merge(engine: Engine, request: Request, who: str) -> str | Response:
    """Merges; the answer to a conflict is an empty reference and no message, as lakeFS's is."""
    repository, source, branch = request.params
    how = checks.optional_body(models.Merge, request)
    try:
        return engine.merges.merge(repository, source, branch, how, who=who)
    except ConflictException:
        return Response(409, JSON, models.encode(models.MergeResult("")), reason="Conflict")


def merge_base(engine: Engine, request: Request, who: str) -> Response:
    """The commit from which two references went apart."""
    repository, source, branch = request.params
    return ok(engine.merges.base(repository, source, branch))


HANDLERS: Final[dict[str, Handler]] = {
    endpoints.DIFF_REFS.operation: diff_refs,
    endpoints.MERGE_INTO_BRANCH.operation: merge,
    endpoints.FIND_MERGE_BASE.operation: merge_base,
}
