"""Operations that leave their op_id in a branch's log: commit, merge, revert, cherry-pick, import.

A lost answer to one of these must not be met by sending it again blindly: it would be done twice. The op_id travels in
the commit's metadata, so whoever does not know looks for it in the log first: from the branch's head down to the head
that was noted before the operation was sent, however many commits lie between. A server that honours `Idempotency-Key`
notices a repetition itself; there no head is noted, and the op_id is the key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple, TypeVar

import msgspec

from lakefs_hl.ops.effects import Op, sleep
from lakefs_hl.ops.paging import PAGE
from lakefs_hl.ops.retry import Session, ask, call, keyed, read
from lakefs_hl.spec import endpoints, errors, models
from lakefs_hl.spec.wire import Endpoint, Request

T = TypeVar("T")
#: Key of the op_id in a commit's metadata.
OP_ID: Final = "lakefs_hl.op_id"
#: The first page of a log that is searched; the next are as long as lakeFS allows.
FIRST_PAGE: Final = 100
NO_CONTENT: Final = 204
#: First and longest pause between two lookups of a lost operation, seconds.
FIRST_STEP: Final = 0.2
LAST_STEP: Final = 2.0
#: Refusals to tell a branch's head that the operation itself may not meet, or meets with better words.
_NO_HEAD: Final = frozenset({400, 403, 404, 410})


class Trace(msgspec.Struct, frozen=True):
    """Where an operation leaves its id.

    Attributes:
        repository: Repository id.
        branch: The branch whose log to look into.
        op_id: The id.
        now: When it was asked for, Unix seconds; for messages.
        about: What is being done, for messages.
        again: Whether the server notices a repetition, so that a lost one may be sent again.
        since: A commit that the branch's history had before the operation was sent; "" while none is known.
    """

    repository: str
    branch: str
    op_id: str
    now: float
    about: str
    again: bool = True
    since: str = ""


def marked(metadata: Mapping[str, str] | None, op_id: str) -> dict[str, str]:
    """Metadata with the op_id in it."""
    return {**(metadata or {}), OP_ID: op_id}


def request(endpoint: Endpoint, params: tuple[str, ...], body: object) -> Request:
    """A request with a JSON body; encoded once, so that every try sends the same bytes."""
    return Request(endpoint, params, headers={"content-type": "application/json"}, body=models.encode(body))


def run(session: Session, request: Request, trace: Trace, kind: type[T]) -> Op[T | models.Commit]:
    """Sends an operation; returns its answer, or its commit if the answer was lost and the log has it.

    An answer without a body has its commit looked up.

    Raises:
        AmbiguousOutcomeError: The answer was lost, the log does not have it (yet), and it must not be sent again.
    """
    request = keyed(session, request, trace.op_id)
    trace = yield from _noted(session, trace)
    policy, tried, lost = session.policy, list[errors.Attempt](), False
    while True:
        again = trace.again
        try:
            left = None if session.exactly_once else max(1, policy.logged_attempts - len(tried))
            response = yield from call(session, request, about=trace.about, attempts=left)
            if response.status == NO_CONTENT:
                break
            again = False  # it was done; only its record is unreadable
            return read(session, kind, request, response, about=trace.about)
        except errors.LakeFSException as exc:
            exc.op_id, failed = trace.op_id, exc
        tried += failed.attempts
        refused = failed.maybe_applied is False
        if refused and not lost:
            raise failed
        lost = True
        window = 0.0 if refused else policy.search if again else policy.search_final
        found = yield from _look(session, trace, failed, window)
        if found is not None:
            return found
        failed.attempts, failed.maybe_applied = tuple(tried), None
        if refused:  # the server says no to a repetition, and the log does not have the first try
            raise failed
        if not again or len(tried) >= policy.logged_attempts:
            raise unknown(trace, failed) from failed
    return (yield from _made(session, trace))


def _noted(session: Session, trace: Trace) -> Op[Trace]:
    """The trace with the branch's head in it, where a lost answer would have to be looked for."""
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
    """Looks for an operation's commit in its branch's log until it is there or `window` seconds have gone.

    Raises:
        AmbiguousOutcomeError: The log is too long to be read to the noted head before the deadline.
    """
    waited, step, stops = 0.0, FIRST_STEP, [trace.since] if trace.since else []
    while True:
        down = yield from _read_down(session, trace, stops, waited)
        if down.found is not None:
            return down.found
        waited += down.seconds
        if waited >= window:
            return None
        stops = [*stops[:1], down.head] if down.head else stops  # what was read once need not be read again
        waited += yield from sleep(0.0, min(step, window - waited))
        step = min(LAST_STEP, step * 2)


class _Down(NamedTuple):
    """What reading a log downwards came to: the operation's commit, or a commit to stop at, or the first commit."""

    found: models.Commit | None
    met: str
    head: str
    seconds: float


def _read_down(session: Session, trace: Trace, stops: Sequence[str], waited: float) -> Op[_Down]:
    """Reads the log from the branch's head to the operation's commit or the first of `stops`."""
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
            if commit.metadata.get(OP_ID) == trace.op_id:
                return _Down(commit, "", head, spent)
            if commit.id in stops:
                return _Down(None, commit.id, head, spent)
        if not page.pagination.has_more or not page.results:
            return _Down(None, "", head, spent)
        if waited + spent >= session.policy.limit(endpoints.COMMIT):
            msg = f"{trace.about}: the log was read down to {page.results[-1].id} and the deadline is over"
            raise errors.AmbiguousOutcomeError(msg)
        ref, amount = page.results[-1].id, PAGE  # lakeFS would walk to `after` from the head, page after page


def first_of(session: Session, repository: str, branch: str, commits: tuple[str, ...]) -> Op[str]:
    """The first of some commits that a branch's log comes to from its head; "" if it comes to none in time."""
    trace = Trace(repository, branch, "", 0.0, f"reading the log of lakefs://{repository}/{branch}")
    down = yield from _read_down(session, trace, commits, 0.0)
    return down.met


def _made(session: Session, trace: Trace) -> Op[models.Commit]:
    """The commit of an operation that was done and answered without it."""
    cause: errors.LakeFSException | None = None
    try:
        found = yield from search(session, trace, 0.0)
    except errors.LakeFSException as exc:
        found, cause = None, exc
    if found is not None:
        return found
    why = f"cannot be read: {cause}" if cause else f"lacks {OP_ID}={trace.op_id}"
    msg = f"{trace.about}: it was done, but the log of lakefs://{trace.repository}/{trace.branch} {why}"
    error = errors.AmbiguousOutcomeError(msg)
    error.maybe_applied, error.op_id = True, trace.op_id
    raise error from cause


def _look(session: Session, trace: Trace, failed: errors.LakeFSException, window: float) -> Op[models.Commit | None]:
    """Searches; a log that cannot be read leaves the outcome unknown."""
    try:
        return (yield from search(session, trace, window))
    except errors.LakeFSException as exc:
        error = unknown(trace, failed)
        error.add_note(f"the log could not be read either: {exc}")
    raise error from failed


def unknown(trace: Trace, failed: errors.LakeFSException) -> errors.AmbiguousOutcomeError:
    """Build the error of an operation whose outcome is unknown."""
    when = datetime.fromtimestamp(trace.now, UTC).isoformat(timespec="seconds")
    error = errors.AmbiguousOutcomeError(
        f"{trace.about}: outcome unknown: the response was lost. Before doing it again, look in the "
        f"log of lakefs://{trace.repository}/{trace.branch} for a commit of about {when} or later with metadata "
        f"{OP_ID}={trace.op_id}. ({failed})"
    )
    error.attempts, error.op_id, error.maybe_applied = failed.attempts, trace.op_id, None
    return error
