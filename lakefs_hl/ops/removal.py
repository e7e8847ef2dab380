"""Operations that remove or replace what others may have recreated since: deletes, resets, metadata.

Such a request is not retried blindly. If its outcome is unknown, a check finds out whether it was applied, or whether
its target is unchanged. Only in the second case it is sent again. Otherwise the call ends with `AmbiguousOutcomeError`.
A server that honours `Idempotency-Key` needs no check: it executes the request of one key once.
"""

from __future__ import annotations

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Final, TypeAlias, TypeVar

from lakefs_hl.ops.effects import Op, sleep
from lakefs_hl.ops.retry import BUSY, RETRY_COST, Session, ask, call, check_page, with_key
from lakefs_hl.spec import endpoints, errors, models
from lakefs_hl.spec.headers import IDEMPOTENCY_KEY
from lakefs_hl.spec.wire import Request, Response

T = TypeVar("T")
#: What is younger than this by the server's clock may have been created after the request was sent: the clocks of a
#: server's machines differ a little, and its times are whole seconds.
MARGIN_SECONDS: Final = 5.0
_OVERWRITES: Final = ", because that could undo later changes of others; check the current state before retrying"


class Verdict(Enum):
    """Result of a check after an unknown outcome."""

    APPLIED = "the request was applied"
    UNCHANGED = "the target is unchanged"
    CHANGED = "the target has changed, or cannot be compared"


Look: TypeAlias = Callable[[], Op[Verdict]]


def run(session: Session, request: Request, look: Look, *, about: str = "") -> Op[Response | None]:
    """Send a request that is not safe to retry blindly.

    Args:
        session: The client's session.
        request: The request.
        look: Op that checks the current state; run after an unknown outcome.
        about: What was asked, for messages; "" means the words of the request.

    Returns:
        The response. None if it was lost and the check found that the request was applied.

    Raises:
        AmbiguousOutcomeError: The request may have been applied, and a retry could undo later changes of others.
    """
    if not session.remote:  # in process no response is lost
        return (yield from call(session, request, about=about))
    request, policy = with_key(session, request), session.policy
    tried, waited, lost = list[errors.Attempt](), 0.0, False
    while True:
        try:
            left = max(1, policy.attempts - len(tried))
            response = yield from call(session, request, about=about, attempts=left)
        except errors.LakeFSException as exc:
            failed = exc
        else:
            check_page(session, request, response, about=about)
            return response
        tried += failed.attempts
        if failed.maybe_applied is False and not lost:
            raise failed
        if lost and _is_gone(request, failed):
            return None
        lost, about = True, about or request.describe()
        verdict = yield from _verdict(look, failed, about)
        if verdict is Verdict.APPLIED:
            return None
        once = session.repeats and IDEMPOTENCY_KEY in request.headers
        if failed.maybe_applied is False:  # the server rejected a retry; the first attempt is still unknown
            failed.attempts, failed.maybe_applied = tuple(tried), None
            raise failed
        if verdict is Verdict.CHANGED and not once:
            raise unknown_outcome(about, failed, tried)
        over = waited + sum(each.seconds for each in tried) >= policy.limit(request.endpoint)
        if over or len(tried) >= policy.attempts or not session.budget.spend(RETRY_COST):
            raise unknown_outcome(about, failed, tried)
        pause = policy.backoff(len(tried), busy=_busy(failed))
        waited += yield from sleep(pause, 0.0, str(failed), request.endpoint.operation)


def _verdict(look: Look, failed: errors.LakeFSException, about: str) -> Op[Verdict]:
    """Check the current state. If that fails, raise that the outcome is unknown."""
    try:
        return (yield from look())
    except errors.LakeFSException as exc:
        error = unknown_outcome(about, failed, list(failed.attempts))
        error.add_note(f"the check whether it was applied failed too: {exc}")
    raise error from failed


def _is_gone(request: Request, failed: errors.LakeFSException) -> bool:
    """Return whether a retry found nothing to delete. lakeFS may serve the check from a cache.

    For some seconds lakeFS responds for a deleted repository as if it existed.
    """
    return request.endpoint.method == "DELETE" and isinstance(failed, errors.NotFoundException)


def _busy(failed: errors.LakeFSException) -> bool:
    cause = failed.__cause__ if isinstance(failed, errors.AmbiguousOutcomeError) else failed
    return isinstance(cause, errors.ServerException) and cause.status in BUSY


def unknown_outcome(
    about: str, failed: errors.LakeFSException, tried: list[errors.Attempt], advice: str = _OVERWRITES
) -> errors.AmbiguousOutcomeError:
    """Build the exception of a request that may have been applied and is not safe to retry.

    Args:
        about: What was requested.
        failed: The failure of the last attempt.
        tried: All attempts.
        advice: Why a retry is not safe, and what to check before it.
    """
    cause = failed.__cause__ if isinstance(failed, errors.AmbiguousOutcomeError) and failed.__cause__ else failed
    error = errors.AmbiguousOutcomeError(
        f"{about}: outcome unknown: the request may have been applied and is not safe to repeat{advice} ({cause})"
    )
    error.attempts, error.maybe_applied = tuple(tried), None
    error.__cause__ = cause
    return error


def look_up_before(session: Session, op: Op[T]) -> Op[T | None]:
    """Look up the state before a request. None if it is not needed, or if the server does not return it."""
    if not session.remote or session.exactly_once:
        op.close()
        return None
    try:
        return (yield from op)
    except errors.ServerException:
        return None


def learn_server(session: Session, repository: str, branch: str) -> Op[None]:
    """Send a look-up to a server without a response so far: it reveals its clock, and whether it honours keys."""
    if session.remote and session.exactly_once is None:
        request = Request(endpoints.GET_BRANCH, (repository, branch))
        yield from look_up_before(session, ask(session, models.Ref, request))


def is_older(date: str, seconds: float | None) -> bool:
    """Return whether something certainly existed at a moment of the server's clock.

    Args:
        date: The moment, an HTTP date; "" if unknown.
        seconds: When the thing was created, in Unix seconds of the same clock.
    """
    try:
        moment = parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError):
        return False
    return seconds is not None and seconds + MARGIN_SECONDS < moment
