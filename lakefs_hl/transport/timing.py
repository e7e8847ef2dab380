"""Timeouts of an exchange that libcurl does not have: of progress, of the head, of the rate, and of the whole.

They are looked at now and then, after the sockets were read, from what libcurl has counted by then.
"""

from __future__ import annotations

from typing import NamedTuple

from lakefs_hl.spec.wire import Phase
from lakefs_hl.transport import failures
from lakefs_hl.transport.deadlines import Bounds
from lakefs_hl.transport.failures import Fault
from lakefs_hl.transport.limits import Limits


class Moved(NamedTuple):
    """What an exchange has moved.

    Attributes:
        phase: How far it is.
        payload: Bytes of bodies, either way.
        head: Bytes of heads.
        has_begun: Whether a line of the response's head is there.
    """

    phase: Phase
    payload: int
    head: int
    has_begun: bool


class Timing:
    """The timeouts of one exchange.

    Args:
        bounds: Its timeouts, which begin now.
        limits: The rate that the peer is held to, and the time of the head.
        now: The time of the monotonic clock.

    Attributes:
        bounds: As given.
        since: When it began.
        until: When its time limit is reached.
        read: Longest time without progress in seconds.
    """

    __slots__ = ("_head_at", "_limits", "_mark", "_moved", "_moved_at", "bounds", "read", "since", "until")

    def __init__(self, bounds: Bounds, limits: Limits, now: float) -> None:
        self.bounds: Bounds = bounds
        self._limits = limits
        self.since: float = now
        self.until: float = now + bounds.within
        self.read: float = bounds.read
        self._moved, self._moved_at = -1, now
        self._head_at = 0.0
        self._mark = now, 0

    def check(self, where: str, moved: Moved, now: float) -> Fault | None:
        """Return the failure of an exchange that is too slow or has reached its time limit.

        Args:
            where: Host and port.
            moved: What it has moved.
            now: The time of the monotonic clock.
        """
        phase = moved.phase
        if now >= self.until:
            return failures.deadline_expired(where, now - self.since, phase)
        if phase in ("connect", "tls"):  # libcurl has the timeout of these
            self._moved_at, self._mark = now, (now, 0)
            return None
        total = moved.payload + moved.head
        if total != self._moved:
            self._moved, self._moved_at = total, now
        elif now - self._moved_at >= self.read:
            return failures.no_data(where, self.read, phase)
        slow = self._slow_head(moved, now) if phase == "wait" else self._slow_body(moved.payload, now)
        return failures.too_slow(where, slow, phase) if slow else None

    def _slow_head(self, moved: Moved, now: float) -> str:
        self._mark = now, moved.payload
        if moved.has_begun and not self._head_at:
            self._head_at = now
        is_late = bool(self._head_at) and now - self._head_at >= self.read
        if is_late or now - self.since >= self._limits.head_seconds:
            return "did not finish the headers of its response in time"
        return ""

    def _slow_body(self, payload: int, now: float) -> str:
        window, (since, had) = self.bounds.window, self._mark
        if window is None or now - since < window:
            return ""
        self._mark = now, payload
        rate = self._limits.rate
        if payload - had >= rate * (now - since):
            return ""
        return f"moved fewer than {rate:,} bytes per second over {window:g} s"
