"""A Gather on the calling thread, whose requests are under way at the same time: the fast lane.

For a transport that can make many exchanges on one thread. Ops advance to their next request, which is begun at once;
whatever ends first goes on first. What must not be sent over such a transport, or is large, goes to a worker meanwhile.
The rules are those of `turns`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final, Protocol

from lakefs_hl.ops.effects import Call, Cancelled, Effect, Gather
from lakefs_hl.ops.pace import Pace
from lakefs_hl.spec.wire import FileSlice, Request, Response
from lakefs_hl.transport import forks
from lakefs_hl.transport.base import Transport
from lakefs_hl.transport.body import room
from lakefs_hl.transport.deadlines import FOREVER, UNWINDING_SECONDS, remaining
from lakefs_hl.transport.fan import current_width
from lakefs_hl.transport.scope import Scope
from lakefs_hl.transport.telemetry import Watched, is_on, sender
from lakefs_hl.transport.turns import Driver, Turns
from lakefs_hl.transport.workers import Workers

if TYPE_CHECKING:
    from lakefs_hl.transport.multi import Multi

#: Retry classes whose requests libcurl may send again by itself, on a connection that turns out to be closed.
SAFE: Final = frozenset("ABW")
#: Headers of conditional writes.
_CONDITIONS: Final = frozenset({"if-match", "if-none-match"})
#: Number of ops at a time to begin with, where the server decides on it: as fast as 128, and 8 % faster than 64.
START: Final = 96
#: Larger bodies and sinks go over urllib3 on threads: they cost as much there, and are hashed on several cores.
MAX_BYTES: Final = 256 << 10
#: How long ops are begun before those under way are looked at: ops may end without a request, or be slow to come.
_FILL_SECONDS: Final = 0.01
#: Longest wait for something to end, so that a cancellation that was missed is found.
_LONGEST_SECONDS: Final = 60.0


class Lanes(Protocol):
    """What a transport has that can make many exchanges on one thread.

    Attributes:
        width: Maximum number of exchanges on one thread that is worthwhile.
        repeats_overwrites: Whether a write may be sent again that may overwrite what another writer has written since.
    """

    width: int
    repeats_overwrites: bool

    def has_multi(self) -> bool:
        """Return whether `open_multi` returns something."""

    def open_multi(self) -> Multi | None:
        """Return what makes the exchanges of one Gather. None if threads must."""

    def keep_multi(self, multi: Multi) -> None:
        """Keep it for the next Gather."""


class Lane(Turns):
    """One Gather: reads ops as slots become free, passes on results, and ends all ops on the first failure.

    Args:
        effect: The Gather.
        transport: Makes the exchanges.
        multi: Makes those that are small and safe to repeat.
        workers: Threads for all others.
        driver: Performs all other effects.
        scope: Ends the Gather from another thread.
        until: Deadline on the monotonic clock.
    """

    def __init__(
        self,
        effect: Gather,
        transport: Transport,
        multi: Multi,
        workers: Workers,
        driver: Driver,
        scope: Scope | None,
        until: float,
    ) -> None:
        super().__init__(effect, driver, scope, until)
        self._limit = effect.limit
        self._transport, self._multi, self._workers = transport, multi, workers
        lanes = lanes_of(transport)
        self._most: int = transport.fan_out if lanes is None else lanes.width
        self._repeats_overwrites = lanes is not None and lanes.repeats_overwrites
        if isinstance(self._limit, Pace):
            self._limit.widen(START)
        self._watched: dict[int, Watched] = {}
        self._threads: dict[int, Scope] = {}
        self._arrived: SimpleQueue[tuple[int, Response | BaseException]] = SimpleQueue()
        self._is_watched = self._has_room = False

    def run(self) -> list[Any] | None:
        """Run on the calling thread."""
        try:
            if self._scope is not None:
                self._multi.listen()
                self._scope.attach(self._multi.wake)
            more = True
            while more or self._live:
                more = more and self._fill()
                self._move()
            if self._scope is not None:
                self._scope.detach()
        except BaseException:
            self._end()
            raise
        return self._results()

    def _fill(self) -> bool:
        """Begin ops while there is room, for a while; return False if there are no more."""
        live, width = self._live, current_width(self._limit, self._most)
        self._is_watched, self._has_room = is_on(), False
        until = time.monotonic() + _FILL_SECONDS
        while len(live) < width:
            if self._begin() is None:
                return False
            if time.monotonic() >= until:
                self._has_room = True
                return True
        return True

    def _move(self) -> None:
        """Let all ops go on that can, and wait for the first one if none can."""
        if not self._live:
            return
        seconds = 0.0 if self._has_room else min(_LONGEST_SECONDS, self._seconds_asleep())
        for index, outcome in self._multi.poll(seconds):
            self._take(index, outcome)
        if self._threads:
            self._take_arrived()
        if self._scope is not None:
            self._scope.check()
        self._wake_due()

    def _take(self, index: int, outcome: Response | BaseException) -> None:
        """Let an op go on with the outcome of its request."""
        if self._watched and (watched := self._watched.pop(index, None)) is not None:
            watched.end(outcome)
        if isinstance(outcome, Response):
            self._advance(index, outcome, None)
        elif isinstance(outcome, Exception):
            self._advance(index, None, outcome)
        else:
            raise outcome

    def _keep(self, index: int, result: Any) -> None:
        if isinstance(self._limit, Pace):
            self._limit.count_end(self._most)
        super()._keep(index, result)

    def _perform(self, effect: Effect) -> Any:
        """Perform any other effect on this thread. A nested Gather has a lane of its own."""
        if type(effect) is Call and self._scope is None:
            return effect.function()
        try:
            if type(effect) is Gather and current_width(effect.limit, self._most) > 1:
                is_done, results = on_lane(self._transport, partial(self._run_nested, effect))
                if is_done:
                    return results
            return self._driver._perform(effect, self._scope, self._until)
        finally:
            if self._scope is not None:  # what was performed has attached what ends its own waits
                self._scope.attach(self._multi.wake)

    def _run_nested(self, effect: Gather, multi: Multi) -> list[Any] | None:
        driver, scope = self._driver, self._scope
        return Lane(effect, self._transport, multi, self._workers, driver, scope, self._until).run()

    # -- requests ------------------------------------------------------------------------------------------------------

    def _send(self, index: int, request: Request) -> None:
        """Begin an exchange."""
        if not is_carried(request, repeats_overwrites=self._repeats_overwrites):
            self._multi.listen()
            scope = self._threads[index] = Scope()
            self._workers.post(self._work, index, request, scope)
            return
        within = None if self._until == FOREVER else remaining(self._until)
        if not self._is_watched:
            self._multi.start(request, index, within)
            return
        watched = Watched(self._transport, request)
        try:
            self._multi.start(watched.request, index, within)
        except BaseException as exc:
            watched.end(exc)
            raise
        self._watched[index] = watched

    def _work(self, index: int, request: Request, scope: Scope) -> None:
        """Make an exchange on a worker."""
        if not scope.begin():
            return
        try:
            outcome: Response | BaseException = sender(self._transport)(request, scope, remaining(self._until))
        except BaseException as exc:  # noqa: BLE001 - thrown into the op by the thread that gathers
            outcome = exc
        finally:
            scope.ended.set()
        self._arrived.put((index, outcome))
        self._multi.wake()

    def _take_arrived(self) -> None:
        with suppress(Empty):
            while True:
                index, outcome = self._arrived.get_nowait()
                del self._threads[index]
                self._take(index, outcome)

    # -- the end -------------------------------------------------------------------------------------------------------

    def _end(self) -> None:
        """End all exchanges and then all ops: each in turn unwinds for a while. A second interrupt ends the rest."""
        until = time.monotonic() + UNWINDING_SECONDS
        try:
            if not self._multi.is_ours:  # a fork within a callback: nothing here is this process's
                return
            self._multi.abandon()
            self._end_threads()
            while self._watched:
                self._watched.popitem()[1].end(Cancelled())
            self._unwind(until)
        finally:
            for scope in self._threads.values():
                scope.cancel()
            self._close()

    def _end_threads(self) -> None:
        for scope in self._threads.values():
            scope.cancel()
        until = time.monotonic() + 2 * UNWINDING_SECONDS
        for scope in self._threads.values():
            if scope.begun:
                scope.ended.wait(until - time.monotonic())


def is_carried(request: Request, *, repeats_overwrites: bool = True) -> bool:
    """Return whether a request goes over the lane: it is safe to repeat, and moves little."""
    row = request.endpoint
    if row.retry == "W" and not repeats_overwrites:
        return False
    if row.retry not in SAFE or (row.retry != "A" and _refuses_itself(request)):
        return False
    body, sink = request.body, request.sink
    size = body.length if isinstance(body, FileSlice) else len(body)
    return size <= MAX_BYTES and (sink is None or room(sink) <= MAX_BYTES)


def _refuses_itself(request: Request) -> bool:
    """Return whether a write fails after itself: what is created exists then, and what is deleted does not."""
    return request.endpoint.method == "DELETE" or not _CONDITIONS.isdisjoint(request.headers)


def on_lane(transport: Transport, run: Callable[[Multi], list[Any] | None]) -> tuple[bool, list[Any] | None]:
    """Run a Gather on a lane of the transport, if it has one.

    Args:
        transport: Makes the exchanges.
        run: Runs the Gather.

    Returns:
        Whether it was run, and its results.
    """
    lanes = lanes_of(transport)
    multi = None if lanes is None else lanes.open_multi()
    if lanes is None or multi is None:
        return False, None
    ended = False
    try:
        try:
            found = run(multi)
        except Exception:
            ended = True
            raise
        ended = True
        return True, found
    finally:
        _put_back(lanes, multi, is_whole=ended)


def _put_back(lanes: Lanes, multi: Multi, *, is_whole: bool) -> None:
    if not multi.is_ours:
        forks.leak(multi)
        return
    multi.ignore()
    if is_whole and multi.is_clean:
        lanes.keep_multi(multi)
    else:
        multi.close()


def lanes_of(transport: object) -> Lanes | None:
    """Return a transport as one that can make many exchanges on one thread. None if it cannot."""
    return transport if hasattr(transport, "open_multi") else None  # type: ignore[return-value]
