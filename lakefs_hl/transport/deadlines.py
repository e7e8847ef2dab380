"""Deadlines: what a moment leaves for the next effect, and the timeouts of one exchange.

A deadline is a moment of the monotonic clock; `FOREVER` means none. Drivers hold those of whole calls, transports those
of exchanges.
"""

from __future__ import annotations

import time
from typing import Final, NamedTuple

from lakefs_hl.ops.effects import Sleep
from lakefs_hl.spec.errors import DeadlineExceeded
from lakefs_hl.spec.wire import Request, TransportError
from lakefs_hl.transport.limits import LIMITS, Limits

FOREVER: Final = float("inf")
#: How long the further effects of an interrupted op may take together.
UNWINDING_SECONDS: Final = 5.0
#: Timeout of connecting, where neither the client nor the request says one.
CONNECT_SECONDS: Final = 5.0


def remaining(until: float) -> float | None:
    """Return the seconds to a deadline, or None without one.

    Raises:
        TransportError: The deadline has expired.
    """
    if until == FOREVER:
        return None
    seconds = until - time.monotonic()
    if seconds <= 0:
        raise deadline_error()
    return seconds


def deadline_error() -> TransportError:
    """Return the error of an exchange that was not begun."""
    return TransportError("connect", "the deadline expired before the request was sent", retry=False, kind="timeout")


def shared_run_expired() -> DeadlineExceeded:
    """Return the error of a call whose deadline expired while another call logged in for both."""
    return DeadlineExceeded("the deadline expired while waiting for the login of another call")


def cut_sleep(effect: Sleep, until: float) -> Sleep:
    """Return a pause that does not last longer than the deadline."""
    if until == FOREVER:
        return effect
    seconds = max(0.0, until - time.monotonic())
    return Sleep(min(effect.upto, seconds), min(effect.atleast, seconds), effect.reason, effect.operation)


class Bounds(NamedTuple):
    """Timeouts of one exchange, in seconds.

    Attributes:
        connect: Timeout of connecting, and again of the TLS handshake.
        read: Longest wait for the next bytes, either way.
        within: Time limit of the whole exchange; infinite for a transfer without a deadline.
        window: Time over which the rate of a transfer is averaged. None where the time limit is enough.
    """

    connect: float
    read: float
    within: float
    window: float | None

    @classmethod
    def of(
        cls,
        request: Request,
        within: float | None,
        *,
        connect: float = CONNECT_SECONDS,
        limits: Limits = LIMITS,
    ) -> Bounds:
        """Return the timeouts of a request: its own first, then those of its row.

        Args:
            request: The request.
            within: Time limit of the caller, in seconds.
            connect: Timeout of connecting for a request without one.
            limits: Bounds of the transport.
        """
        row, asked = request.endpoint.timeouts, request.timeout
        whole = row.deadline if request.within is None else request.within
        if within is not None and within < whole:
            whole = within
        read = row.read if asked is None else asked
        connect = min(connect, read) if request.connect is None else request.connect
        # a longer read timeout accepts a longer stall
        window = max(limits.window, asked or 0.0) if row.deadline == FOREVER else None
        return cls(connect, read, whole, window)
