"""How many ops of a Gather run at a time: more while that helps, fewer once the server is busy.

The width starts at 16, or higher where a driver says that more cost it little. After each window of completed ops it
grows by half, if the ops have become faster with the last growth; otherwise it goes back to what it was, and the next
try comes later. A busy server (429, 503, a timeout) cuts it by 0.7, at most once a window: all requests that are under
way then tell the same. `ops.retry` reports these, a driver reports completed ops and reads the width whenever it could
start one.

Rules of the room: the clock is an argument. Several threads may report at a time, without a lock: a lost report changes
the width a little later, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

#: Width at the beginning.
START: Final = 16
#: Width above which more requests help no server: lakeFS's throughput comes from connections, up to about this many.
MOST: Final = 128
#: Factor of a growth, and of a cut.
GROWTH: Final = 1.5
CUT: Final = 0.7
#: How much faster ops have to be after a growth.
GAIN: Final = 1.05
#: A window has at least so many completed ops for each that runs at a time, and lasts at least so long.
OPS_PER_SLOT: Final = 2
WINDOW_SECONDS: Final = 0.1
#: Number of windows until the next try after a growth that did not help, or a cut.
HOLD: Final = 8


class AdaptiveWidth:
    """The width of all Gathers of one client.

    Args:
        clock: Returns seconds that never go back.
        most: Maximum width.
    """

    __slots__ = ("_before", "_clock", "_done", "_hold", "_rate", "_since", "_slowed", "_width", "most")

    def __init__(self, clock: Callable[[], float], most: int = MOST) -> None:
        self.most: int = most
        self._clock = clock
        self._width = float(START)
        self._before = 0.0  # the width before the last growth; 0 if there is none to judge
        self._rate = 0.0
        self._hold = 0
        self._slowed = False
        self._begin(0)

    def _begin(self, hold: int) -> None:
        """Begin a window. `hold` is the number of windows without a growth."""
        self._done, self._since, self._hold = 0, self._clock(), hold

    @property
    def width(self) -> int:
        """Number of ops to run at a time, at least 1."""
        return max(1, min(self.most, int(self._width)))

    def within(self, most: int | None) -> Pace:
        """Return the limit of one Gather, of at most `most` ops at a time."""
        return Pace(self, self.most if most is None else most)

    def widen(self, width: int) -> None:
        """Begin at a larger width, for a driver to which many ops at a time cost little.

        Not if something was found out before: then the width is what the server takes.
        """
        if self._width == START and not (self._hold or self._slowed):
            self._width = max(self._width, float(min(width, self.most)))
            self._begin(0)

    def slow(self) -> None:
        """Report a busy server."""
        if self._slowed:  # once a window
            return
        self._slowed = True
        self._width = max(1.0, self._width * CUT)
        self._before = 0.0
        self._begin(HOLD)

    def count_end(self, most: int) -> None:
        """Report a completed op of a Gather that runs at most `most` at a time."""
        self._done += 1
        width = min(self.width, most)
        if self._done < OPS_PER_SLOT * width:
            return
        seconds = self._clock() - self._since
        if seconds < WINDOW_SECONDS:
            return
        rate, self._slowed = self._done / seconds, False
        if self._before and rate < GAIN * self._rate:
            self._width, self._before = self._before, 0.0
            self._begin(HOLD)
        elif self._hold or width >= min(most, self.most):
            self._before = 0.0
            self._begin(max(0, self._hold - 1))
        else:
            self._before, self._rate = self._width, rate
            self._width = min(float(self.most), max(self._width * GROWTH, self._width + 1))
            self._begin(0)

    def __repr__(self) -> str:
        return f"AdaptiveWidth({self.width})"


class Pace:
    """A limit of a Gather that changes while it runs.

    A driver for which the number of ops costs nothing, as in process, may run more: only `most` was asked for.

    Args:
        adaptive: The client's width.
        most: Maximum number of ops at a time.
    """

    __slots__ = ("_adaptive", "most")

    def __init__(self, adaptive: AdaptiveWidth, most: int) -> None:
        self._adaptive = adaptive
        self.most: int = most

    def width(self, most: int) -> int:
        """Return the number of ops to run now, of at most `most` that the driver can run."""
        return max(1, min(self._adaptive.width, self.most, most))

    def widen(self, width: int) -> None:
        """Begin at a larger width, if nothing is known of the server."""
        self._adaptive.widen(min(width, self.most))

    def count_end(self, most: int) -> None:
        """Report a completed op, with the most that the driver can run."""
        self._adaptive.count_end(min(self.most, most))
