"""A Gather whose ops all stand at a request at the same time, which goes out as one: a wave.

For a transport that handles many requests at once, on the calling thread: the embedded lake, where a batch costs one
sync, and threads would only wait for each other. All ops advance to their next `Send`; these go together, and each op
gets its own response. What else an op asks for is done at once, except for waiting: others go on meanwhile.

Rules of the room: an interrupt may come between any two lines. Every op is in `_live` before it begins, and what has
begun there is ended, whatever raises.
"""

from __future__ import annotations

import heapq
import inspect
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Final, Protocol

from lakefs_hl.ops.effects import Call, Cancelled, Effect, Gather, Op, Send, Sleep
from lakefs_hl.spec.wire import FileSlice, Request, Response, TransportError
from lakefs_hl.transport.base import Outcome, SendMany, Transport
from lakefs_hl.transport.deadlines import UNWINDING_SECONDS, cut_sleep, deadline_error, remaining
from lakefs_hl.transport.metrics import note_retry
from lakefs_hl.transport.scope import Scope
from lakefs_hl.transport.telemetry import many_sender, sender

#: Requests of one wave, at most. A sync and the pages that each transaction writes are shared by more then, and the
#: embedded lake is held for no longer: it bounds that by itself.
MOST: Final = 2048
#: Bodies of one wave that lie in memory, at most: bytes.
BYTES: Final = 32 << 20
#: Requests of one wave with an open file, at most: a process may have 1,024 by default.
FILES: Final = 128


class Driver(Protocol):
    """What a wave needs of the driver of single ops."""

    def _perform(self, effect: Effect, scope: Scope | None, until: float) -> Any: ...
    def _unwind(self, op: Op[Any], error: BaseException | None, until: float) -> Any: ...
    def _pause(self, seconds: float, scope: Scope | None) -> None: ...


class Waves:
    """One Gather: reads ops as others end, sends what they ask for together, and ends all on the first failure.

    Args:
        effect: The Gather.
        send_many: Makes the exchanges of a wave.
        driver: Performs all other effects.
        scope: Ends the Gather from another thread.
        until: Deadline on the monotonic clock.
    """

    def __init__(self, effect: Gather, send_many: SendMany, driver: Driver, scope: Scope | None, until: float) -> None:
        self._ops: Iterator[tuple[int, Op[Any]]] = enumerate(effect.ops)
        self._on_result = effect.on_result
        self._limit = width_of(effect.limit)
        self._send_many, self._driver, self._scope, self._until = send_many, driver, scope, until
        self._live: dict[int, Op[Any]] = {}
        self._ready: list[tuple[int, Request]] = []
        self._asleep: list[tuple[float, int, float]] = []  # until when, whose, how long
        self._kept: dict[int, Any] = {}
        self._weight = Weight()

    def run(self) -> list[Any] | None:
        """Run on the calling thread."""
        try:
            more = True
            while more or self._live:
                more = more and self._fill()
                if self._ready:
                    self._send()
                self._wake()
        except BaseException:
            self._end()
            raise
        return None if self._on_result else [self._kept[index] for index in range(len(self._kept))]

    def _fill(self) -> bool:
        """Begin ops until a wave is full; return False if there are no more."""
        live, ready, weight = self._live, self._ready, self._weight
        while len(live) < self._limit and not weight.is_full:
            found = next(self._ops, None)
            if found is None:
                return False
            index, live[index] = found[0], found[1]
            self._advance(index, None, None)
            if ready and ready[-1][0] == index:
                weight.add(ready[-1][1])
        return True

    def _advance(self, index: int, value: Any, error: BaseException | None) -> None:
        """Run an op to its next request or pause, or to its end."""
        op = self._live[index]
        while True:
            try:
                effect = op.send(value) if error is None else op.throw(error)
            except StopIteration as stop:
                result = stop.value
                break
            value = error = None
            if type(effect) is Send:
                self._ready.append((index, effect.request))
                return
            if type(effect) is Sleep:
                self._put_to_sleep(index, effect)
                return
            try:
                if type(effect) is Call and self._scope is None:
                    value = effect.function()
                else:
                    value = self._driver._perform(effect, self._scope, self._until)
            except Exception as exc:  # noqa: BLE001 - thrown into the op, which decides
                error = exc
        del self._live[index]
        if self._on_result is not None:
            self._on_result(index, result)
        else:
            self._kept[index] = result

    def _send(self) -> None:
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

    def _put_to_sleep(self, index: int, effect: Sleep) -> None:
        effect = cut_sleep(effect, self._until)
        seconds = max(effect.atleast, random.uniform(0.0, effect.upto))
        note_retry(effect, seconds)
        heapq.heappush(self._asleep, (time.monotonic() + seconds, index, seconds))

    def _wake(self) -> None:
        """Let the ops go on whose pauses are over; wait for the first of them if nothing else is to be done."""
        asleep = self._asleep
        if not asleep:
            return
        if not self._ready and len(asleep) == len(self._live):
            self._driver._pause(max(0.0, asleep[0][0] - time.monotonic()), self._scope)
        now = time.monotonic()
        while asleep and asleep[0][0] <= now:
            _, index, seconds = heapq.heappop(asleep)
            self._advance(index, seconds, None)

    def _end(self) -> None:
        """End all ops: each in turn unwinds for a while. A second interrupt ends the rest at once."""
        until = time.monotonic() + UNWINDING_SECONDS
        try:
            for op in self._live.values():
                if inspect.getgeneratorstate(op) == inspect.GEN_SUSPENDED:
                    try:
                        self._driver._unwind(op, Cancelled(), until)
                    except (Exception, Cancelled):  # noqa: BLE001, S112 - the first error is raised, not the others
                        continue
        finally:
            for op in self._live.values():
                with suppress(BaseException):  # whatever it makes of it: nothing of it is left running
                    op.close()


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
