"""A Gather over worker threads, and an op that runs ahead of its reader."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Generic, TypeAlias, TypeVar

from lakefs_hl.ops.effects import Gather, Op
from lakefs_hl.ops.pace import Pace
from lakefs_hl.transport.deadlines import UNWINDING_SECONDS
from lakefs_hl.transport.scope import Scope
from lakefs_hl.transport.workers import Workers

T = TypeVar("T")
Drive: TypeAlias = Callable[[Op[Any], Scope | None], Any]


class Fan:
    """One Gather: reads ops as slots become free, passes on results, and ends all ops on the first failure."""

    def __init__(self, effect: Gather, pool: Workers, drive: Drive, width: int) -> None:
        self._effect = effect
        self._pool = pool
        self._drive = drive
        self._width = width
        self._done: SimpleQueue[tuple[int, Any, BaseException | None]] = SimpleQueue()
        self._running: dict[int, Scope] = {}

    def run(self) -> list[Any] | None:
        """Run on the calling thread; only the ops run on workers."""
        kept: dict[int, Any] = {}
        effect = self._effect
        try:
            for index, op in enumerate(effect.ops):
                while len(self._running) >= current_width(effect.limit, self._width):
                    self._take(kept)
                scope = self._running[index] = Scope()
                self._pool.post(self._work, index, op, scope)
            while self._running:
                self._take(kept)
        except BaseException:
            try:
                self._drain()
            except BaseException:  # an interrupt ends the wait, not the cancellation
                self._cancel()
                raise
            raise
        return None if self._effect.on_result else [kept[index] for index in range(len(kept))]

    def _work(self, index: int, op: Op[Any], scope: Scope) -> None:
        if not scope.begin():
            op.close()
            return
        try:
            self._done.put((index, self._drive(op, scope), None))
        except BaseException as exc:  # noqa: BLE001 - raised by the thread that gathers
            self._done.put((index, None, exc))
        finally:
            scope.ended.set()

    def _take(self, kept: dict[int, Any]) -> None:
        index, result, error = self._done.get()
        del self._running[index]
        if error is not None:
            raise error
        if isinstance(self._effect.limit, Pace):
            self._effect.limit.count_end(self._width)
        if self._effect.on_result is not None:
            self._effect.on_result(index, result)
        else:
            kept[index] = result

    def _drain(self) -> None:
        """Cancel the running ops and wait for them.

        An interrupt can arrive between any two lines, so only what the workers noted counts, not what this thread did.
        """
        self._cancel()
        until = time.monotonic() + 2 * UNWINDING_SECONDS
        for scope in self._running.values():
            if scope.begun:
                scope.ended.wait(until - time.monotonic())

    def _cancel(self) -> None:
        for scope in self._running.values():
            scope.cancel()


def current_width(limit: int | Pace, most: int) -> int:
    """Return the number of ops that a Gather runs now, of at most `most` that its driver can run."""
    return limit.width(most) if isinstance(limit, Pace) else max(1, min(limit, most))


class Ahead(Generic[T]):
    """An op that runs on a worker until its result is taken or it is abandoned."""

    def __init__(self, drive: Drive, op: Op[T]) -> None:
        self._pid = os.getpid()
        self._drive, self._op = drive, op
        self._scope = Scope()
        self._outcome: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()

    def start(self, pool: Workers) -> None:
        """Start the run. Not by the constructor: an interrupt would leave no object to abandon it by."""
        pool.post(self._work)

    @property
    def here(self) -> bool:
        """Return whether its worker is in this process; after a fork it is not."""
        return self._pid == os.getpid()

    def take(self) -> T:
        """Wait for the result, and return it."""
        try:
            result, error = self._outcome.get()
        except BaseException:  # an interrupt
            self.abandon()
            raise
        if error is not None:
            try:
                raise error
            finally:
                del error  # its traceback refers to this frame
        taken: T = result
        return taken

    def abandon(self) -> None:
        """End the run, and wait for a while until its worker is free."""
        if not self.here:
            return
        self.cancel()
        if self._scope.begun:
            self._scope.ended.wait(2 * UNWINDING_SECONDS)

    def cancel(self) -> None:
        """End the run, and do not wait."""
        self._scope.cancel()

    def _work(self) -> None:
        if not self._scope.begin():
            self._op.close()
            return
        try:
            self._outcome.put((self._drive(self._op, self._scope), None))
        except BaseException as exc:  # noqa: BLE001 - raised by the thread that takes the result
            self._outcome.put((None, exc))
        finally:
            self._scope.ended.set()
