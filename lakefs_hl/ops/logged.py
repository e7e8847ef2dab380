"""Operations that leave their op_id in a branch's log: commit, merge, revert, cherry-pick, import.

A lost answer to one of these must not be met by sending it again blindly: it would be done twice. The op_id travels in
the commit's metadata, so whoever does not know looks for it in the log first.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, TypeVar, cast

import msgspec

from lakefs_hl.ops.effects import Op, sleep
from lakefs_hl.ops.retry import Session, call, read
from lakefs_hl.spec import endpoints, errors, models
from lakefs_hl.spec.wire import Endpoint, Request

T = TypeVar("T")
#: Key of the op_id in a commit's metadata.
OP_ID: Final = "lakefs_hl.op_id"
#: How far back a lost commit is looked for. By number, not by time: the clocks need not agree, and a commit may be
#: given any date.
LOOK_BACK: Final = 100
NO_CONTENT: Final = 204
_FIRST_STEP: Final = 0.2
_LAST_STEP: Final = 2.0


class Trace(msgspec.Struct, frozen=True):
    """Where an operation leaves its id.

    Attributes:
        repository: Repository id.
        branch: The branch whose log to look into.
        op_id: The id.
        now: When it was asked for, Unix seconds; for messages.
        about: What is being done, for messages.
        again: Whether the server notices a repetition, so that a lost one may be sent again.
    """

    repository: str
    branch: str
    op_id: str
    now: float
    about: str
    again: bool = True


def marked(metadata: Mapping[str, str] | None, op_id: str) -> dict[str, str]:
    """Metadata with the op_id in it."""
    return {**(metadata or {}), OP_ID: op_id}


def request(endpoint: Endpoint, params: tuple[str, ...], body: object) -> Request:
    """A request with a JSON body; encoded once, so that every try sends the same bytes."""
    return Request(endpoint, params, headers={"content-type": "application/json"}, body=models.encode(body))


def run(session: Session, request: Request, trace: Trace, kind: type[T]) -> Op[T | models.Commit]:
    """Sends an operation; returns its answer, or its commit if the answer was lost and the log has it.

    `NoneType` is the kind of an answer without a body.

    Raises:
        AmbiguousOutcomeError: The answer was lost, the log does not have it (yet), and it must not be sent again.
    """
    policy, tried, lost = session.policy, list[errors.Attempt](), False
    while True:
        again = trace.again
        try:
            left = max(1, policy.logged_attempts - len(tried))
            response = yield from call(session, request, about=trace.about, attempts=left)
            if response.status == NO_CONTENT:
                return cast("T", None)
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


def search(session: Session, trace: Trace, window: float) -> Op[models.Commit | None]:
    """Looks for an operation's commit in its branch's log until it is there or `window` seconds have gone."""
    query = {"amount": str(LOOK_BACK), "first_parent": "true"}
    request = Request(endpoints.LOG_COMMITS, (trace.repository, trace.branch), query)
    waited, step = 0.0, _FIRST_STEP
    while True:
        response = yield from call(session, request)
        for commit in read(session, models.CommitPage, request, response).results:
            if commit.metadata.get(OP_ID) == trace.op_id:
                return commit
        waited += response.seconds
        if waited >= window:
            return None
        waited += yield from sleep(0.0, min(step, window - waited))
        step = min(_LAST_STEP, step * 2)


def _look(session: Session, trace: Trace, failed: errors.LakeFSException, window: float) -> Op[models.Commit | None]:
    """Searches; a log that cannot be read leaves the outcome unknown."""
    try:
        return (yield from search(session, trace, window))
    except errors.LakeFSException as exc:
        error = unknown(trace, failed)
        error.add_note(f"the log could not be read either: {exc}")
    raise error from failed


def unknown(trace: Trace, failed: errors.LakeFSException) -> errors.AmbiguousOutcomeError:
    """Builds the error of an operation of which nobody knows whether it was done."""
    when = datetime.fromtimestamp(trace.now, UTC).isoformat(timespec="seconds")
    error = errors.AmbiguousOutcomeError(
        f"{trace.about}: the answer was lost and nobody knows whether it was done. Before doing it again, look in the "
        f"log of lakefs://{trace.repository}/{trace.branch} for a commit of about {when} or later with metadata "
        f"{OP_ID}={trace.op_id}. ({failed})"
    )
    error.attempts, error.op_id, error.maybe_applied = failed.attempts, trace.op_id, None
    return error
