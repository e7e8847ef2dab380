"""Blocking calls of others, and iterables of the caller. By hand: `facades._sync.threads` has the blocking ones."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, aclosing
from itertools import islice
from typing import Any, Final, TypeAlias, TypeVar

from lakefs_hl import exceptions
from lakefs_hl.facades import arguments

T = TypeVar("T")
R = TypeVar("R")
#: Items of a blocking iterator that are read at a time.
AHEAD: Final = 1000
#: An iterable of the caller.
Items: TypeAlias = Iterable[T] | AsyncIterable[T]
#: A function that is called with what it changes.
Change: TypeAlias = Callable[[T], Awaitable[R]]


def checked_green(green: object) -> bool:
    """Return whether calls are to be made in greenlets: never here.

    Raises:
        UnsupportedOperationException: They were asked for.
    """
    if green is None or not arguments.flag(green, "green"):
        return False
    msg = (
        "green=True is for blocking calls, lakefs_hl.files(...): greenlets and asyncio do not share a thread. "
        "Calls of lakefs_hl.aio are concurrent by asyncio.gather"
    )
    raise exceptions.UnsupportedOperationException(msg)


async def run(function: Callable[..., R], *args: Any) -> R:
    """Call a function that may block, on a thread of the loop's executor."""
    return await asyncio.to_thread(function, *args)


async def ask(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function of the caller: a coroutine function on the loop, another one on a thread of its executor."""
    if inspect.iscoroutinefunction(function):
        return await function(*args)
    result = await asyncio.to_thread(function, *args)
    return await result if inspect.isawaitable(result) else result


async def run_to_end(function: Callable[..., R], *args: Any) -> R:
    """Call a function that must not be left halfway. A cancellation takes effect when it has ended."""
    call = asyncio.ensure_future(asyncio.to_thread(function, *args))
    cancelled: asyncio.CancelledError | None = None
    while not call.done():
        try:
            await asyncio.wait([call])
        except asyncio.CancelledError as exc:
            cancelled = exc
    if cancelled is not None:
        call.exception()  # the cancellation counts
        raise cancelled
    return call.result()


async def run_many(
    function: Callable[[T], R],
    items: Items[T],
    width: int,
    *,
    green: bool = False,  # noqa: ARG001 - for the blocking colour: asyncio and gevent do not share a thread
) -> AsyncIterator[R]:
    """Call a function with each item, concurrently, and yield the results in the order of the items.

    Items are read as results are taken: at most `width` are under way or wait to be taken. The first failure is raised
    at its turn, and what has not begun is abandoned.

    Args:
        function: Takes an item. It may block.
        items: The items.
        width: Maximum number of concurrent calls.
        green: Ignored in asyncio.
    """
    loop, pending = asyncio.get_running_loop(), deque[asyncio.Future[R]]()
    pool = ThreadPoolExecutor(width, "lakefs_hl-facade")
    try:
        async for item in each(items):
            pending.append(loop.run_in_executor(pool, function, item))
            if len(pending) >= width:
                yield await pending.popleft()
        while pending:
            yield await pending.popleft()
    finally:
        for future in pending:
            future.cancel()
        pool.shutdown(wait=False, cancel_futures=True)


async def iterate(function: Callable[..., Iterator[R]], *args: Any) -> AsyncIterator[R]:
    """Yield what a blocking iterator yields. It is read off the loop, up to 1,000 items at a time.

    Args:
        function: Returns the iterator.
        args: Its arguments.
    """
    rows = iter(await asyncio.to_thread(function, *args))
    while batch := await asyncio.to_thread(lambda: list(islice(rows, AHEAD))):
        for row in batch:
            yield row


def close_after(items: AsyncIterator[T]) -> AbstractAsyncContextManager[AsyncIterator[T]]:
    """Close an asynchronous generator at the end of an `async with` block, however it ends."""
    generator: Any = items
    return aclosing(generator)


async def pause(seconds: float) -> None:
    """Wait for another process."""
    await asyncio.sleep(seconds)


async def call_many(function: Callable[[T], Awaitable[R]], items: Iterable[T], width: int) -> AsyncIterator[R]:
    """Make calls of this package concurrently, and yield their results in the order of the items.

    Args:
        function: Takes an item, and returns what is awaited.
        items: The items.
        width: Maximum number of concurrent calls.
    """
    pending = deque[asyncio.Future[R]]()
    try:
        for item in items:
            pending.append(asyncio.ensure_future(function(item)))
            if len(pending) >= width:
                yield await pending.popleft()
        while pending:
            yield await pending.popleft()
    finally:
        for future in pending:
            future.cancel()


async def each(items: Items[T]) -> AsyncIterator[T]:
    """Yield the items of an iterable of the caller."""
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item


async def batches(items: Items[T], size: int) -> AsyncIterator[list[T]]:
    """Yield the items of an iterable of the caller in lists of at most `size`."""
    batch = list[T]()
    async for item in each(items):
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def check_items(items: object, argument: str) -> None:
    """Check what a call takes many dictionaries from.

    Raises:
        TypeError: It is no iterable, or a single text or dictionary.
    """
    if isinstance(items, str | bytes | Mapping) or not isinstance(items, Iterable | AsyncIterable):
        msg = f"{argument} must be an iterable of dictionaries, not {type(items).__name__}: {items!r:.80}"
        raise TypeError(msg)
