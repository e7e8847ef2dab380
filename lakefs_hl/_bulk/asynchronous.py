"""Transfers in asyncio: on a thread of the executor, with callbacks, filters and bodies on the caller's loop.

A cancelled transfer ends when the first of the objects that are under way has ended: the others are given up then. The
caller waits for that, at most `UNWINDING_SECONDS`.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import CancelledError, Future
from typing import Any, Final, TypeVar

from lakefs_hl._bulk.caller import Abandoned, Caller, iterate
from lakefs_hl._files import bodies
from lakefs_hl._files.asynchronous import blocks_of
from lakefs_hl.transport.aio import start
from lakefs_hl.transport.deadlines import UNWINDING_SECONDS

T = TypeVar("T")
#: Items of an asynchronous iterable that are handed over together, at most: each time costs 0.1 ms. Only those that are
#: there without waiting.
ITEMS: Final = 64
_END: Final = object()


class InThread:
    """The caller of a transfer that runs on another thread.

    Args:
        loop: The caller's loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._ended = False
        self._pending: Future[Any] | None = None
        self._readers = list[_Reader]()

    def stop(self) -> None:
        """End the transfer. Called on the loop."""
        self._ended = True
        if self._pending is not None:
            self._pending.cancel()

    def close(self) -> None:
        """End what still reads ahead. Called on the loop, when the transfer has ended."""
        for reader in self._readers:
            reader.close()

    def is_stopped(self) -> bool:
        """Return whether the caller no longer waits."""
        return self._ended

    def check(self) -> None:
        """Raise `Abandoned` if the caller no longer waits."""
        if self._ended:
            raise Abandoned

    def wait(self, found: Awaitable[Any]) -> Any:
        """Wait for an awaitable of the caller, on its loop."""
        self.check()
        return self._wait(_await(found))

    def iterate(self, items: Any, argument: str) -> Iterator[Any]:
        """Return the items of an iterable; an asynchronous one is read on the loop, no further than needed."""
        return self._iterate(aiter(items)) if isinstance(items, AsyncIterable) else iterate(items, argument)

    def data(self, data: Any) -> Any:
        """Return data that can be read on this thread."""
        if bodies.is_factory(data):
            return self._make(data)
        blocks = blocks_of(data)
        return data if blocks is None else self._iterate(blocks)

    def _make(self, factory: Callable[[], Any]) -> Any:
        """Return what a callable makes. It is closed when it was read: nothing else refers to it."""
        made = factory()
        if inspect.isawaitable(made):
            made = self._wait(_await(made))
        bodies.check_made(made)
        blocks = blocks_of(made)
        return (lambda: made) if blocks is None else self._read_and_close(made, blocks)

    def _read_and_close(self, made: Any, blocks: AsyncIterator[Any]) -> Iterator[Any]:
        try:
            yield from self._iterate(blocks)
        finally:
            close = getattr(made, "aclose", None)
            if close is not None and not self._ended:
                self._wait(_await(close()))

    def _iterate(self, items: AsyncIterator[Any]) -> Iterator[Any]:
        reader = _Reader(items)
        self._readers.append(reader)
        while not reader.ended:
            self.check()
            yield from self._wait(reader.read())
        self._readers.remove(reader)

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        pending = self._pending = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            if self._ended:  # `stop` may have looked before there was anything to cancel
                pending.cancel()
            found: T = pending.result()
        except CancelledError:
            raise Abandoned from None
        finally:
            self._pending = None
        return found


async def _await(found: Any) -> Any:
    return await found


class _Reader:
    """Reads an asynchronous iterable on its loop.

    Attributes:
        ended: Whether there are no more items.
    """

    def __init__(self, items: AsyncIterator[Any]) -> None:
        self._items = items
        self._next: asyncio.Task[Any] | None = None
        self.ended = False

    async def read(self) -> list[Any]:
        """Return the next item, and those after it that are there without waiting."""
        found = list[Any]()
        while len(found) < ITEMS:
            following = self._next = self._next or asyncio.ensure_future(anext(self._items, _END))
            if found:
                await asyncio.sleep(0)
                if not following.done() or following.cancelled() or following.exception() is not None:
                    break  # an error is raised by the next call
            item = await asyncio.shield(following)
            self._next = None
            if item is _END:
                self.ended = True
                break
            found.append(item)
        return found

    def close(self) -> None:
        """Cancel what is being waited for."""
        if self._next is not None:
            self._next.cancel()


async def run(function: Callable[[Caller], T]) -> T:
    """Run a transfer on a thread of the executor."""
    caller = InThread(asyncio.get_running_loop())
    work = start(function, caller)
    try:
        found = await asyncio.shield(work)
    except asyncio.CancelledError as exc:
        caller.stop()
        await _end(work)
        if work.done() and not work.cancelled() and (error := work.exception()) is not None:
            for note in getattr(error, "__notes__", ()):
                exc.add_note(note)
        raise
    finally:
        caller.close()
    return found


async def _end(work: asyncio.Future[Any]) -> None:
    """Wait until the thread has ended, however often the caller is cancelled meanwhile, for a while."""
    until = time.monotonic() + UNWINDING_SECONDS
    work.add_done_callback(_retrieve)
    while not work.done() and (left := until - time.monotonic()) > 0:
        try:
            await asyncio.wait({work}, timeout=left)
        except asyncio.CancelledError:
            continue


def _retrieve(work: asyncio.Future[Any]) -> None:
    """Take the error of an abandoned transfer, which asyncio would log."""
    if not work.cancelled():
        work.exception()
