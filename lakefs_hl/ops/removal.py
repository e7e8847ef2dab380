"""Operations that take away or replace what others may have made anew since: deletes, resets, metadata.

Such a request is not repeated blindly. When its outcome is unknown, a look tells whether it was done, or whether what
it meant is still what it was when it was sent; only then it is sent again. Where neither is so the call ends with
`AmbiguousOutcomeError`. A server that honours `Idempotency-Key` needs no look: it carries out one key once.
"""

from __future__ import annotations

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Final, TypeAlias, TypeVar

from lakefs_hl.ops.effects import Op, sleep
from lakefs_hl.ops.failure import doing
from lakefs_hl.ops.retry import KEY, Session, ask, call, check_page, keyed
from lakefs_hl.spec import endpoints, errors, models
from lakefs_hl.spec.wire import Request, Response

T = TypeVar("T")
#: What is younger than this on the server's own clock may have been made after a request was sent: clocks of a server's
#: machines differ a little, and its times are whole seconds.
MARGIN_SECONDS: Final = 5.0
_RETRY_COST: Final = 5


class Verdict(Enum):
    """What a look found after an outcome that is unknown."""

    DONE = "what was asked for is so"
    SAME = "what was to go is still what it was"
    CHANGED = "it is something else now, or nobody can tell"


Look: TypeAlias = Callable[[], Op[Verdict]]


def run(session: Session, request: Request, look: Look, *, about: str = "") -> Op[Response | None]:
    """Send a request that must not be repeated blindly.

    Args:
        session: The client's.
        request: What to send.
        look: Run after an unknown outcome.
        about: What is being done, for messages.

    Returns:
        The answer; None if it was lost and a look found that the request was carried out.

    Raises:
        AmbiguousOutcomeError: It may have been carried out, and repeating it could undo what others did since.
    """
    if not session.remote:  # no answer is lost in process
        return (yield from call(session, request, about=about))
    request, policy = keyed(session, request), session.policy
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
        lost, about = True, about or doing(request)
        verdict = yield from _verdict(look, failed, about)
        if verdict is Verdict.DONE:
            return None
        once = session.repeats and KEY in request.headers
        if failed.maybe_applied is False:  # the server says no to a repetition, and the first try is unknown still
            failed.attempts, failed.maybe_applied = tuple(tried), None
            raise failed
        if verdict is Verdict.CHANGED and not once:
            raise unknown(about, failed, tried)
        over = waited + sum(each.seconds for each in tried) >= policy.limit(request.endpoint)
        if over or len(tried) >= policy.attempts or not session.budget.spend(_RETRY_COST):
            raise unknown(about, failed, tried)
        waited += yield from sleep(policy.backoff(len(tried), busy=_busy(failed)))


def _verdict(look: Look, failed: errors.LakeFSException, about: str) -> Op[Verdict]:
    """Look; where that fails the outcome stays unknown."""
    try:
        return (yield from look())
    except errors.LakeFSException as exc:
        error = unknown(about, failed, list(failed.attempts))
        error.add_note(f"looking whether it was done failed too: {exc}")
    raise error from failed


def _is_gone(request: Request, failed: errors.LakeFSException) -> bool:
    """Whether a repetition was told that there is nothing to delete; lakeFS may take a look from a cache.

    lakeFS answers for a deleted repository as if it were there, for some seconds.
    """
    return request.endpoint.method == "DELETE" and isinstance(failed, errors.NotFoundException)


def _busy(failed: errors.LakeFSException) -> bool:
    cause = failed.__cause__ if isinstance(failed, errors.AmbiguousOutcomeError) else failed
    return isinstance(cause, errors.ServerException) and cause.status in (429, 503)


def unknown(about: str, failed: errors.LakeFSException, tried: list[errors.Attempt]) -> errors.AmbiguousOutcomeError:
    """Build the error of a request that may have been carried out and must not be repeated."""
    cause = failed.__cause__ if isinstance(failed, errors.AmbiguousOutcomeError) and failed.__cause__ else failed
    error = errors.AmbiguousOutcomeError(
        f"{about}: outcome unknown: the request may have been carried out, and repeating it could undo what others did "
        f"since; look at what is there before you do it again ({cause})"
    )
    error.attempts, error.maybe_applied = tuple(tried), None
    error.__cause__ = cause
    return error


def note(session: Session, op: Op[T]) -> Op[T | None]:
    """Look up what is there before a request is sent; None where it need not be known, or the server does not tell."""
    if not session.remote or session.exactly_once:
        op.close()
        return None
    try:
        return (yield from op)
    except errors.ServerException:
        return None


def meet(session: Session, repository: str, branch: str) -> Op[None]:
    """Ask a server that was never asked before for a branch: it tells its clock, and whether it honours keys."""
    if session.remote and session.exactly_once is None:
        request = Request(endpoints.GET_BRANCH, (repository, branch))
        yield from note(session, ask(session, models.Ref, request))


def is_older(date: str, seconds: float | None) -> bool:
    """Return whether something was there for certain at a moment of the server's clock.

    Args:
        date: The moment, an HTTP date; "" is not known.
        seconds: When the thing was made, Unix seconds by the same clock.
    """
    try:
        moment = parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError):
        return False
    return seconds is not None and seconds + MARGIN_SECONDS < moment
