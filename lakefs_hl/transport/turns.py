"""Ops of one Gather that take turns on the calling thread: what lanes and waves have in common.

An op runs to its next request or pause, or to its end. When requests are made is up to the subclass.

Rules of the room: an interrupt may come between any two lines. Every op is in `_live` before it begins, and what has
begun there is ended, whatever raises.
"""

from __future__ import annotations

import heapq
import inspect
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Protocol

from lakefs_hl.ops.effects import Call, Cancelled, Effect, Gather, Op, Send, Sleep
from lakefs_hl.spec.wire import Request
from lakefs_hl.transport.deadlines import cut_sleep
from lakefs_hl.transport.metrics import note_retry
from lakefs_hl.transport.scope import Scope


class Driver(Protocol):
    """What is needed of the driver of single ops."""

    def _perform(self, effect: Effect, scope: Scope | None, until: float) -> Any: ...
    def _unwind(self, op: Op[Any], error: BaseException | None, until: float) -> Any: ...
    def _pause(self, seconds: float, scope: Scope | None) -> None: ...


class Turns(ABC):
    """The ops of one Gather.

    Args:
        effect: The Gather.
        driver: Performs what is neither a request nor a pause.
        scope: Ends the Gather from another thread.
        until: Deadline on the monotonic clock.
    """

    def __init__(self, effect: Gather, driver: Driver, scope: Scope | None, until: float) -> None:
        self._ops: Iterator[tuple[int, Op[Any]]] = enumerate(effect.ops)
        self._on_result = effect.on_result
        self._driver, self._scope, self._until = driver, scope, until
        self._live: dict[int, Op[Any]] = {}
        self._asleep: list[tuple[float, int, float]] = []  # until when, whose, how long
        self._kept: dict[int, Any] = {}

    @abstractmethod
    def _send(self, index: int, request: Request) -> None:
        """Have a request made. What it raises is thrown into the op."""

    def _keep(self, index: int, result: Any) -> None:
        """Pass on or keep the result of an op that has ended."""
        if self._on_result is not None:
            self._on_result(index, result)
        else:
            self._kept[index] = result

    def _begin(self) -> int | None:
        """Begin the next op and return its number. None if there are no more."""
        found = next(self._ops, None)
        if found is None:
            return None
        index, self._live[index] = found[0], found[1]
        self._advance(index, None, None)
        return index

    def _advance(self, index: int, value: Any, error: Exception | None) -> None:
        """Run an op to its next request or pause, or to its end."""
        op = self._live[index]
        while True:
            try:
                effect = op.send(value) if error is None else op.throw(error)
            except StopIteration as stop:
                result = stop.value
                break
            value = error = None
            try:
                if type(effect) is Send:
                    self._send(index, effect.request)
                    return
                if type(effect) is Sleep:
                    self._put_to_sleep(index, effect)
                    return
                value = self._perform(effect)
            except Exception as exc:  # noqa: BLE001 - thrown into the op, which decides
                error = exc
        del self._live[index]
        self._keep(index, result)

    def _perform(self, effect: Effect) -> Any:
        """Perform any other effect on this thread."""
        if type(effect) is Call and self._scope is None:
            return effect.function()
        return self._driver._perform(effect, self._scope, self._until)

    def _put_to_sleep(self, index: int, effect: Sleep) -> None:
        effect = cut_sleep(effect, self._until)
        seconds = max(effect.atleast, random.uniform(0.0, effect.upto))
        note_retry(effect, seconds)
        heapq.heappush(self._asleep, (time.monotonic() + seconds, index, seconds))

    def _seconds_asleep(self) -> float:
        """Return the seconds until the first pause is over. Infinite without one."""
        return max(0.0, self._asleep[0][0] - time.monotonic()) if self._asleep else float("inf")

    def _wake_due(self) -> None:
        """Let the ops go on whose pauses are over."""
        asleep, now = self._asleep, time.monotonic()
        while asleep and asleep[0][0] <= now:
            _, index, slept = heapq.heappop(asleep)
            self._advance(index, slept, None)

    def _results(self) -> list[Any] | None:
        return None if self._on_result else [self._kept[index] for index in range(len(self._kept))]

    def _unwind(self, until: float) -> None:
        """Let each op in turn undo what it has begun, for a while: the first error is raised, not the others."""
        for op in self._live.values():
            if inspect.getgeneratorstate(op) == inspect.GEN_SUSPENDED:
                with suppress(Exception, Cancelled):
                    self._driver._unwind(op, Cancelled(), until)

    def _close(self) -> None:
        """Leave no op running, whatever it makes of it."""
        for op in self._live.values():
            with suppress(BaseException):
                op.close()
