"""Operations that leave their op_id in a branch's log: commit, merge, revert, cherry-pick, import.

If the response to one of these is lost, a blind retry could apply it twice. The op_id is part of the commit's metadata,
so the log is searched for it first: from the branch's head down to the head that was recorded before the operation was
sent, however many commits are between them. A server that honours `Idempotency-Key` recognizes a retry itself. For such
a server no head is recorded, and the op_id is the key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple, TypeVar

import msgspec

from lakefs_hl.ops.effects import Op, sleep
from lakefs_hl.ops.retry import Session, ask, call, read, with_key
from lakefs_hl.spec import endpoints, errors, models
from lakefs_hl.spec.headers import COMMIT_OP_ID
from lakefs_hl.spec.limits import MAX_PAGE
from lakefs_hl.spec.wire import Request

T = TypeVar("T")
#: Size of the first page of a log that is searched. The next are as large as lakeFS allows.
FIRST_PAGE: Final = 100
#: First and longest pause between two look-ups of a lost operation.
FIRST_PAUSE_SECONDS: Final = 0.2
LAST_PAUSE_SECONDS: Final = 2.0
#: Statuses of a failed look-up of a branch's head that do not end the operation: it may succeed, or fail more clearly.
_NO_HEAD: Final = frozenset({400, 403, 404, 410})


class Trace(msgspec.Struct, frozen=True):
    """Where an operation leaves its op_id.

    Attributes:
        repository: Repository ID.
        branch: The branch whose log has the commit.
        op_id: The ID.
        now: Time of the call in Unix seconds, for messages.
        about: What was asked, for messages.
        is_safe: Whether the server rejects a second execution, so that a lost request is safe to retry.
        since: A commit that the branch had before the operation was sent; "" if none is known.
    """

    repository: str
    branch: str
    op_id: str
    now: float
    about: str
    is_safe: bool = True
    since: str = ""


def with_op_id(metadata: Mapping[str, str] | None, op_id: str) -> dict[str, str]:
    """Return metadata with the op_id added."""
    return {**(metadata or {}), COMMIT_OP_ID: op_id}


def run(session: Session, request: Request, trace: Trace, kind: type[T]) -> Op[T | models.Commit]:
    """Send an operation and return its record, or its commit if the response was lost or has no body.

    Raises:
        AmbiguousOutcomeError: The response was lost, the log does not have the commit (yet), and the operation is not
            safe to retry.
    """
    request = with_key(session, request, trace.op_id)
    trace = yield from _with_head(session, trace)
    policy, tried, lost = session.policy, list[errors.Attempt](), False
    while True:
        is_safe = trace.is_safe
        try:
            left = None if session.exactly_once else max(1, policy.logged_attempts - len(tried))
            response = yield from call(session, request, about=trace.about, attempts=left)
            if response.status == 204:
                break
            is_safe = False  # it was applied; only its record may be unreadable
            return read(session, kind, request, response, about=trace.about)
        except errors.LakeFSException as exc:
            exc.op_id, failed = trace.op_id, exc
        tried += failed.attempts
        rejected = failed.maybe_applied is False
        if rejected and not lost:
            raise failed
        lost = True
        window = 0.0 if rejected else policy.search if is_safe else policy.search_final
        found = yield from _look(session, trace, failed, window)
        if found is not None:
            return found
        failed.attempts, failed.maybe_applied = tuple(tried), None
        if rejected:  # the server rejected a retry, and the log does not have the first attempt
            raise failed
        if not is_safe or len(tried) >= policy.logged_attempts:
            raise unknown_outcome(trace, failed) from failed
    return (yield from _find_commit(session, trace))


def _with_head(session: Session, trace: Trace) -> Op[Trace]:
    """Return the trace with the branch's head, if a lost response would have to be searched for."""
    if trace.since or not session.remote or session.exactly_once:
        return trace
    request = Request(endpoints.GET_BRANCH, (trace.repository, trace.branch))
    try:
        head = yield from ask(session, models.Ref, request, about=trace.about)
    except errors.ServerException as exc:
        if exc.status not in _NO_HEAD:
            raise
        return trace
    return msgspec.structs.replace(trace, since=head.commit_id)


def search(session: Session, trace: Trace, window: float) -> Op[models.Commit | None]:
    """Search a branch's log for an operation's commit until it is found or `window` seconds have passed.

    Raises:
        AmbiguousOutcomeError: The deadline expired before the log was read down to the recorded head.
    """
    waited, pause, stops = 0.0, FIRST_PAUSE_SECONDS, [trace.since] if trace.since else []
    while True:
        down = yield from _read_down(session, trace, stops, waited)
        if down.found is not None:
            return down.found
        waited += down.seconds
        if waited >= window:
            return None
        stops = [*stops[:1], down.head] if down.head else stops  # do not read the same commits twice
        waited += yield from sleep(0.0, min(pause, window - waited))
        pause = min(LAST_PAUSE_SECONDS, pause * 2)


class _Down(NamedTuple):
    """Result of reading a log downwards: the operation's commit, or a commit to stop at, or neither."""

    found: models.Commit | None
    met: str
    head: str
    seconds: float


def _read_down(session: Session, trace: Trace, stops: Sequence[str], waited: float) -> Op[_Down]:
    """Read the log from the branch's head to the operation's commit or the first of `stops`."""
    ref, amount, head, spent = trace.branch, FIRST_PAGE, "", 0.0
    while True:
        query = {"amount": str(amount), "first_parent": "true"}
        if stops:
            query["stop_at"] = stops[-1]
        request = Request(endpoints.LOG_COMMITS, (trace.repository, ref), query)
        response = yield from call(session, request)
        page = read(session, models.CommitPage, request, response)
        spent += response.seconds
        for commit in page.results:
            head = head or commit.id
            if commit.metadata.get(COMMIT_OP_ID) == trace.op_id:
                return _Down(commit, "", head, spent)
            if commit.id in stops:
                return _Down(None, commit.id, head, spent)
        if not page.pagination.has_more or not page.results:
            return _Down(None, "", head, spent)
        if waited + spent >= session.policy.limit(endpoints.COMMIT):
            msg = f"{trace.about}: outcome unknown: the deadline expired when the log was read to {page.results[-1].id}"
            raise errors.AmbiguousOutcomeError(msg)
        ref, amount = page.results[-1].id, MAX_PAGE  # lakeFS would walk to `after` from the head, page after page


def first_of(session: Session, repository: str, branch: str, commits: tuple[str, ...]) -> Op[str]:
    """Return the first of some commits in a branch's log, starting at its head; "" if none is found in time."""
    trace = Trace(repository, branch, "", 0.0, endpoints.LOG_COMMITS.describe(repository, branch))
    down = yield from _read_down(session, trace, commits, 0.0)
    return down.met


def _find_commit(session: Session, trace: Trace) -> Op[models.Commit]:
    """Return the commit of an operation that succeeded with a response without it."""
    cause: errors.LakeFSException | None = None
    try:
        found = yield from search(session, trace, 0.0)
    except errors.LakeFSException as exc:
        found, cause = None, exc
    if found is not None:
        return found
    why = f"cannot be read: {cause}" if cause else f"lacks {COMMIT_OP_ID}={trace.op_id}"
    msg = f"{trace.about}: it was applied, but the log of lakefs://{trace.repository}/{trace.branch} {why}"
    error = errors.AmbiguousOutcomeError(msg)
    error.maybe_applied, error.op_id = True, trace.op_id
    raise error from cause


def _look(session: Session, trace: Trace, failed: errors.LakeFSException, window: float) -> Op[models.Commit | None]:
    """Search the log. If it cannot be read, raise that the outcome is unknown."""
    try:
        return (yield from search(session, trace, window))
    except errors.LakeFSException as exc:
        error = unknown_outcome(trace, failed)
        error.add_note(f"the log could not be read either: {exc}")
    raise error from failed


def unknown_outcome(trace: Trace, failed: errors.LakeFSException) -> errors.AmbiguousOutcomeError:
    """Build the exception of an operation whose outcome is unknown."""
    when = datetime.fromtimestamp(trace.now, UTC).isoformat(timespec="seconds")
    error = errors.AmbiguousOutcomeError(
        f"{trace.about}: outcome unknown: the response was lost. Before retrying, search the log of "
        f"lakefs://{trace.repository}/{trace.branch} for a commit of about {when} or later with metadata "
        f"{COMMIT_OP_ID}={trace.op_id}. ({failed})"
    )
    error.attempts, error.op_id, error.maybe_applied = failed.attempts, trace.op_id, None
    return error
