"""Branch protection rules: patterns of branch names that only merges can change.

lakeFS sets all rules at once. They are changed by the ETag that they were read with, and read again if others were
faster, so that no rule of others is lost. A repository without rules has no ETag: its first rule is added by a request
that the server itself combines with the rules of others, and is looked up afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from lakefs_hl.ops.effects import Op, sleep
from lakefs_hl.ops.requests import json_request
from lakefs_hl.ops.retry import Session, call, read
from lakefs_hl.spec import administration, errors, models
from lakefs_hl.spec.uri import repository_uri
from lakefs_hl.spec.wire import Request

#: How often rules are read again because others changed them meanwhile.
MAX_TRIES: Final = 30
#: Kinds of servers without the request that adds one rule.
_MISSING: Final = (errors.NotFoundException, errors.UnsupportedOperationException)


def get(session: Session, repository: str) -> Op[tuple[list[str], str]]:
    """Return the patterns, in order, and their ETag; "" if none were set."""
    request = Request(administration.GET_BRANCH_PROTECTION_RULES, (repository,))
    response = yield from call(session, request)
    found = read(session, list[models.BranchProtectionRule], request, response)
    etag = response.headers.get("etag", "").removeprefix("W/").strip('"')
    return sorted({rule.pattern for rule in found}), etag


def add(session: Session, repository: str, pattern: str) -> Op[None]:
    """Add a rule. One that exists is left as it is."""

    def change(known: list[str], etag: str) -> Op[None]:
        if etag:
            return _set(session, repository, [*known, pattern], etag)
        return _add_first(session, repository, known, pattern)

    about = f"protecting {pattern!r} in {repository_uri(repository)}"
    yield from _change(session, repository, about, lambda known: pattern in known, change)


def remove(session: Session, repository: str, pattern: str) -> Op[None]:
    """Remove a rule.

    Raises:
        NotFoundException: There is no such rule.
    """
    about = f"removing the protection of {pattern!r} in {repository_uri(repository)}"
    known, _ = yield from get(session, repository)
    if pattern not in known:
        there = f"the rules are {', '.join(map(repr, known))}" if known else "there are no rules"
        msg = f"{about}: no rule has this pattern; {there}"
        raise errors.NotFoundException(msg)

    def change(known: list[str], etag: str) -> Op[None]:
        return _set(session, repository, [other for other in known if other != pattern], etag)

    yield from _change(session, repository, about, lambda known: pattern not in known, change)


def _change(
    session: Session,
    repository: str,
    about: str,
    is_done: Callable[[list[str]], bool],
    change: Callable[[list[str], str], Op[None]],
) -> Op[None]:
    """Read the rules and change them, until they are as wanted. Others may change them meanwhile.

    A change by an ETag is certain. After one without, and after one whose response was lost, the rules are read again.
    """
    sent, lost = False, None
    for tries in range(1, MAX_TRIES + 1):
        try:
            known, etag = yield from get(session, repository)
        except errors.LakeFSException as exc:
            exc.maybe_applied = None if sent else False
            raise
        if is_done(known):
            return
        if lost is not None:
            raise lost
        try:
            yield from change(known, etag)
        except errors.PreconditionFailedException as exc:
            sent = sent or exc.maybe_applied is not False  # an attempt before may have changed the ETag itself
            pause = session.policy.backoff(min(tries, 4), busy=False)
            yield from sleep(pause, 0.0, str(exc), administration.SET_BRANCH_PROTECTION_RULES.operation)
        except errors.LakeFSException as exc:
            if exc.maybe_applied is False:
                exc.maybe_applied = None if sent else False
                raise
            sent, lost = True, exc
        else:
            if etag:
                return
            sent = True
    error = errors.ConflictException(f"{about}: others changed the rules {MAX_TRIES} times meanwhile; try again")
    error.maybe_applied = None if sent else False
    raise error


def _set(session: Session, repository: str, patterns: list[str], etag: str) -> Op[None]:
    """Set all rules; with an ETag only if they are still those that it names."""
    body = [models.BranchProtectionRule(pattern) for pattern in patterns]
    extra = {"if-match": etag} if etag else {}
    request = json_request(administration.SET_BRANCH_PROTECTION_RULES, (repository,), body, extra=extra)
    yield from call(session, request)


def _add_first(session: Session, repository: str, known: list[str], pattern: str) -> Op[None]:
    """Add a rule where there is no ETag. A server without the request for it gets all rules."""
    row = administration.INTERNAL_CREATE_BRANCH_PROTECTION_RULE
    try:
        yield from call(session, json_request(row, (repository,), models.BranchProtectionRule(pattern)))
    except _MISSING:
        yield from _set(session, repository, [*known, pattern], "")
