"""Gather over worker threads, and one op that runs ahead of its reader."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Final, Generic, TypeAlias, TypeVar

from lakefs_hl.ops.effects import Gather, Op
from lakefs_hl.transport.scope import Scope
from lakefs_hl.transport.workers import Workers

T = TypeVar("T")
Drive: TypeAlias = Callable[[Op[Any], Scope | None], Any]
#: How long the effects of an interrupted op may take, seconds.
UNWINDING: Final = 5.0


class Fan:
    """One Gather: reads ops as slots free up, hands out results, and ends all of it on the first failure."""

    def __init__(self, effect: Gather, pool: Workers, drive: Drive, width: int) -> None:
        self._effect = effect
        self._pool = pool
        self._drive = drive
        self._limit = max(1, min(effect.limit, width))
        self._done: SimpleQueue[tuple[int, Any, BaseException | None]] = SimpleQueue()
        self._running: dict[int, Scope] = {}

    def run(self) -> list[Any] | None:
        """Runs on the calling thread; only the ops run elsewhere."""
        kept: dict[int, Any] = {}
        try:
            for index, op in enumerate(self._effect.ops):
                while len(self._running) >= self._limit:
                    self._take(kept)
                scope = self._running[index] = Scope()
                self._pool.submit(self._work, index, op, scope)
            while self._running:
                self._take(kept)
        except BaseException:
            self._drain()
            raise
        return None if self._effect.on_result else [kept[index] for index in range(len(kept))]

    def _work(self, index: int, op: Op[Any], scope: Scope) -> None:
        if not scope.begin():
            op.close()
            return
        try:
            self._done.put((index, self._drive(op, scope), None))
        except BaseException as exc:  # noqa: BLE001 - handed to the thread that gathers
            self._done.put((index, None, exc))
        finally:
            scope.ended.set()

    def _take(self, kept: dict[int, Any]) -> None:
        index, result, error = self._done.get()
        del self._running[index]
        if error is not None:
            raise error
        if self._effect.on_result is not None:
            self._effect.on_result(index, result)
        else:
            kept[index] = result

    def _drain(self) -> None:
        """Ends what runs.

        An interrupt may strike between any two lines: this trusts what the workers noted, never what this thread did.
        """
        scopes = list(self._running.values())
        for scope in scopes:
            scope.cancel()
        until = time.monotonic() + 2 * UNWINDING
        for scope in scopes:
            if scope.begun:
                scope.ended.wait(until - time.monotonic())


class Ahead(Generic[T]):
    """An op that runs on a worker until somebody takes or abandons it."""

    def __init__(self, pool: Workers, drive: Drive, op: Op[T]) -> None:
        self._pid = os.getpid()
        self._scope = Scope()
        self._future = pool.submit(drive, op, self._scope)

    @property
    def here(self) -> bool:
        """Whether its worker lives in this process; after a fork it does not."""
        return self._pid == os.getpid()

    def take(self) -> T:
        """Waits for the result."""
        try:
            result: T = self._future.result()
        except BaseException:
            self.abandon()
            raise
        return result

    def abandon(self) -> None:
        """Ends the run and waits until its worker is back."""
        if self.here and not self._future.cancel():
            self._scope.cancel()
            self._future.exception()
