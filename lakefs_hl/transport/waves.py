"""A Gather whose ops all stand at a request at the same time, which goes out as one: a wave.

For a transport that handles many requests at once, on the calling thread: the embedded lake, where a batch costs one
sync, and threads would only wait for each other. All ops advance to their next `Send`; these go together, and each op
gets its own response. What else an op asks for is done at once, except for waiting: others go on meanwhile.
The rules are those of `turns`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

from lakefs_hl.ops.effects import Gather
from lakefs_hl.spec.wire import FileSlice, Request, Response, TransportError
from lakefs_hl.transport.base import Outcome, SendMany, Transport
from lakefs_hl.transport.deadlines import UNWINDING_SECONDS, deadline_error, remaining
from lakefs_hl.transport.scope import Scope
from lakefs_hl.transport.telemetry import many_sender, sender
from lakefs_hl.transport.turns import Driver, Turns

#: Requests of one wave, at most. A sync and the pages that each transaction writes are shared by more then, and the
#: embedded lake is held for no longer: it bounds that by itself.
MOST: Final = 2048
#: Bodies of one wave that lie in memory, at most: bytes.
BYTES: Final = 32 << 20
#: Requests of one wave with an open file, at most: a process may have 1,024 by default.
FILES: Final = 128


class Waves(Turns):
    """One Gather: reads ops as others end, sends what they ask for together, and ends all on the first failure.

    Args:
        effect: The Gather.
        send_many: Makes the exchanges of a wave.
        driver: Performs all other effects.
        scope: Ends the Gather from another thread.
        until: Deadline on the monotonic clock.
    """

    def __init__(self, effect: Gather, send_many: SendMany, driver: Driver, scope: Scope | None, until: float) -> None:
        super().__init__(effect, driver, scope, until)
        self._limit, self._send_many = width_of(effect.limit), send_many
        self._ready: list[tuple[int, Request]] = []
        self._weight = Weight()

    def run(self) -> list[Any] | None:
        """Run on the calling thread."""
        try:
            more = True
            while more or self._live:
                more = more and self._fill()
                if self._ready:
                    self._send_wave()
                self._wake()
        except BaseException:
            self._end()
            raise
        return self._results()

    def _fill(self) -> bool:
        """Begin ops until a wave is full; return False if there are no more."""
        live, ready, weight = self._live, self._ready, self._weight
        while len(live) < self._limit and not weight.is_full:
            index = self._begin()
            if index is None:
                return False
            if ready and ready[-1][0] == index:
                weight.add(ready[-1][1])
        return True

    def _send(self, index: int, request: Request) -> None:
        self._ready.append((index, request))

    def _send_wave(self) -> None:
        """Send what the ops ask for, and let each go on with its own response."""
        wave, self._ready = self._ready, []
        self._weight = Weight()
        outcomes = _send_many(self._send_many, [request for _, request in wave], self._scope, self._until)
        for (index, _), outcome in zip(wave, outcomes, strict=True):
            if isinstance(outcome, Response):
                self._advance(index, outcome, None)
            else:
                self._advance(index, None, outcome)
        for _, request in self._ready:
            self._weight.add(request)

    def _wake(self) -> None:
        """Let the ops go on whose pauses are over; wait for the first of them if nothing else is to be done."""
        if not self._asleep:
            return
        if not self._ready and len(self._asleep) == len(self._live):
            self._driver._pause(self._seconds_asleep(), self._scope)
        self._wake_due()

    def _end(self) -> None:
        """End all ops: each in turn unwinds for a while. A second interrupt ends the rest at once."""
        try:
            self._unwind(time.monotonic() + UNWINDING_SECONDS)
        finally:
            self._close()


def send_all(transport: Transport, requests: Sequence[Request], scope: Scope | None, until: float) -> list[Outcome]:
    """Make many exchanges at the same time if the transport can, else one after the other."""
    send_many = many_sender(transport)
    if send_many is not None:
        return _send_many(send_many, requests, scope, until)
    send, outcomes = sender(transport), list[Outcome]()
    for request in requests:
        try:
            outcomes.append(send(request, scope, remaining(until)))
        except Exception as exc:  # noqa: BLE001 - the outcome of this request
            outcomes.append(exc)
    return outcomes


def _send_many(send_many: SendMany, requests: Sequence[Request], scope: Scope | None, until: float) -> list[Outcome]:
    try:
        within = remaining(until)
    except TransportError:
        return [deadline_error() for _ in requests]
    return send_many(requests, scope, within)


class Weight:
    """How much a wave carries."""

    __slots__ = ("_bytes", "_files", "is_full")

    def __init__(self) -> None:
        self._bytes = self._files = 0
        self.is_full = False

    def add(self, request: Request) -> None:
        """Count a request."""
        body = request.body
        if isinstance(body, FileSlice) or isinstance(request.sink, FileSlice):
            self._files += 1
        else:
            self._bytes += len(body)
        self.is_full = self._bytes >= BYTES or self._files >= FILES


def width_of(limit: object) -> int:
    """Return the number of ops that wait for a wave at a time: all of it, unless a number was asked for."""
    return max(1, min(limit, MOST)) if isinstance(limit, int) else MOST
