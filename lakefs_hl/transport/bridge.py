"""A Gather of an event loop on a lane of another thread: its ops are read on the loop, and its results go there.

One way across takes 0.1 ms, so ops are read several at a time, and results are passed on with all that are there.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Iterator
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Any, Final

from lakefs_hl.ops.effects import Cancelled, Gather, Op
from lakefs_hl.transport.scope import Scope

#: Ops that are read at a time, at most.
OPS: Final = 64
#: How often the other thread checks whether it was cancelled while it waits for the loop.
_CHECK_SECONDS: Final = 0.1


class Bridge:
    """Hands the ops of a Gather to another thread, and their results back to the loop.

    Made on the loop, where the ops are read and `on_result` is called.

    Args:
        effect: The Gather.
        width: Maximum number of ops at a time.

    Attributes:
        effect: The Gather for the other thread.
        scope: Ends it.
    """

    def __init__(self, effect: Gather, width: int) -> None:
        self._ops, self._on_result = iter(effect.ops), effect.on_result
        self._loop, self._amount = asyncio.get_running_loop(), max(1, min(OPS, width))
        self._given: SimpleQueue[list[Op[Any]]] = SimpleQueue()
        self._results: deque[tuple[int, Any]] = deque()
        self._error: BaseException | None = None
        self.scope: Scope = Scope()
        self.effect: Gather = Gather(self._read(), effect.limit, self._pass_on if effect.on_result else None)

    async def end(self, work: Awaitable[list[Any] | None]) -> list[Any] | None:
        """Wait for the other thread, and return what it has returned.

        Raises:
            BaseException: What the iterable or `on_result` has raised, or the first op that failed.
        """
        try:
            found = await work
        except BaseException:
            if self._error is not None:
                raise self._error from None
            raise
        self._deliver()
        if self._error is not None:
            raise self._error
        return found

    # -- on the other thread -------------------------------------------------------------------------------------------

    def _read(self) -> Iterator[Op[Any]]:
        some: list[Op[Any]] = []
        try:
            while some := self._ask():
                while some:
                    yield some.pop()
        finally:
            for op in some:  # never begun
                op.close()

    def _ask(self) -> list[Op[Any]]:
        """Return the next ops, the last one first; none at the end."""
        self._call(self._give)
        while True:
            try:
                some = self._given.get(timeout=_CHECK_SECONDS)
            except Empty:
                self.scope.check()
                continue
            self.scope.check()
            return some

    def _pass_on(self, index: int, result: Any) -> None:
        self._results.append((index, result))
        if len(self._results) == 1:  # else a call is on its way, or this one follows too early and finds nothing
            self._call(self._deliver)

    def _call(self, function: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(function)
        except RuntimeError:  # the loop is closed
            raise Cancelled from None

    # -- on the loop ---------------------------------------------------------------------------------------------------

    def _give(self) -> None:
        some: list[Op[Any]] = []
        try:
            if self._error is None:
                some = list(islice(self._ops, self._amount))
        except BaseException as exc:  # noqa: BLE001 - raised by the task that gathers
            self._fail(exc)
        self._given.put(some[::-1])

    def _deliver(self) -> None:
        """Pass on the results that are there."""
        on_result = self._on_result
        while self._results and on_result is not None and self._error is None:
            index, result = self._results.popleft()
            try:
                on_result(index, result)
            except BaseException as exc:  # noqa: BLE001 - raised by the task that gathers
                self._fail(exc)

    def _fail(self, error: BaseException) -> None:
        self._error = error
        self.scope.cancel()
