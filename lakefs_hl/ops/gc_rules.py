"""Garbage collection rules of a repository: for how many days lakeFS keeps what branches no longer have."""

from __future__ import annotations

from collections.abc import Mapping

from lakefs_hl.ops import removal
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.requests import json_request
from lakefs_hl.ops.retry import Session, ask
from lakefs_hl.spec import administration, errors, models
from lakefs_hl.spec.kinds import ErrorKind
from lakefs_hl.spec.wire import Request


def get(session: Session, repository: str) -> Op[models.GCRules | None]:
    """Return the rules; None if there are none.

    Raises:
        NotFoundException: The repository does not exist.
    """
    try:
        return (yield from ask(session, models.GCRules, Request(administration.GET_GC_RULES, (repository,))))
    except errors.NotFoundException as exc:
        if exc.kind is ErrorKind.REPOSITORY_NOT_FOUND:
            raise
        return None


def replace(session: Session, repository: str, default_days: int, branches: Mapping[str, int]) -> Op[None]:
    """Replace the rules."""
    rules = models.GCRules(default_days, [models.GCBranchRule(name, days) for name, days in branches.items()])
    request = json_request(administration.SET_GC_RULES, (repository,), rules)
    yield from _change(session, repository, request, rules)


def delete(session: Session, repository: str) -> Op[None]:
    """Delete the rules. A repository without any is left as it is."""
    yield from _change(session, repository, Request(administration.DELETE_GC_RULES, (repository,)), None)


def _change(session: Session, repository: str, request: Request, wanted: models.GCRules | None) -> Op[None]:
    """Change the rules. If the response is lost, retry only if they are the old ones."""
    before = yield from removal.look_up_before(session, _look_up(session, repository))

    def look() -> Op[removal.Verdict]:
        now = yield from get(session, repository)
        if _plain(now) == _plain(wanted):
            return removal.Verdict.APPLIED
        same = before is not None and _plain(now) == _plain(before[0])
        return removal.Verdict.UNCHANGED if same else removal.Verdict.CHANGED

    yield from removal.run(session, request, look)


def _look_up(session: Session, repository: str) -> Op[tuple[models.GCRules | None]]:
    """Return the rules in a tuple: no rules are something known."""
    return ((yield from get(session, repository)),)


def _plain(rules: models.GCRules | None) -> tuple[int, dict[str, int]] | None:
    if rules is None or not (rules.default_retention_days or rules.branches):
        return None
    return rules.default_retention_days, {rule.branch_id: rule.retention_days for rule in rules.branches or ()}
