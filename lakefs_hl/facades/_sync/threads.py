"""Blocking calls of others, and iterables of the caller. By hand: `facades.aio.threads` has the awaitable ones."""

from __future__ import annotations

import contextlib
import inspect
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from importlib import import_module
from itertools import islice
from threading import Event
from typing import Any, TypeAlias, TypeVar

from lakefs_hl.facades import greenlets, opening

T = TypeVar("T")
R = TypeVar("R")
#: An iterable of the caller.
Items: TypeAlias = Iterable[T]
#: A function that is called with what it changes.
Change: TypeAlias = Callable[[T], R]


def checked_green(green: object) -> bool:
    """Return whether calls are to be made in greenlets.

    Raises:
        ImportError: gevent is not installed.
        RuntimeError: It has not patched the sockets.
    """
    return opening.checked_green(green, partial(import_module, "gevent.monkey"))


def run(function: Callable[..., R], *args: Any) -> R:
    """Call a function that may block, on this thread."""
    return function(*args)


def ask(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function of the caller, on this thread.

    Raises:
        TypeError: It is a coroutine function, which needs an event loop.
    """
    result = function(*args)
    if inspect.isawaitable(result):
        if inspect.iscoroutine(result):
            result.close()
        msg = f"{function!r:.80} must be a plain function, not a coroutine function: lakefs_hl.aio takes those"
        raise TypeError(msg)
    return result


def run_to_end(function: Callable[..., R], *args: Any) -> R:
    """Call a function that must not be left halfway, on this thread."""
    return function(*args)


def run_many(function: Callable[[T], R], items: Items[T], width: int, *, green: bool = False) -> Iterator[R]:
    """Call a function with each item, concurrently, and yield the results in the order of the items.

    Items are read as results are taken: at most `width` are under way or wait to be taken. The first failure is raised
    at its turn, and what has not begun is abandoned.

    Args:
        function: Takes an item. It may block.
        items: The items.
        width: Maximum number of concurrent calls.
        green: Call them in greenlets of gevent instead of threads.
    """
    if green or greenlets.are_needed():
        yield from greenlets.run_many(function, items, width)
        return
    if width == 1:
        yield from map(function, items)
        return
    pending = deque[Future[R]]()
    with ThreadPoolExecutor(width, "lakefs_hl-facade") as pool:
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) >= width:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def iterate(function: Callable[..., Iterator[R]], *args: Any) -> Iterator[R]:
    """Yield what a blocking iterator yields.

    Args:
        function: Returns the iterator.
        args: Its arguments.
    """
    return iter(function(*args))


def close_after(items: Iterator[T]) -> AbstractContextManager[Iterator[T]]:
    """Close a generator at the end of a `with` block, however it ends."""
    generator: Any = items
    return contextlib.closing(generator)


def pause(seconds: float) -> None:
    """Wait for another process."""
    Event().wait(seconds)


def call_many(function: Callable[[T], R], items: Iterable[T], width: int) -> Iterator[R]:
    """Make calls of this package concurrently, and yield their results in the order of the items.

    Args:
        function: Takes an item.
        items: The items.
        width: Maximum number of concurrent calls.
    """
    return run_many(function, items, width)


def each(items: Items[T]) -> Iterator[T]:
    """Return the items of an iterable of the caller."""
    return iter(items)


def batches(items: Items[T], size: int) -> Iterator[list[T]]:
    """Yield the items of an iterable of the caller in lists of at most `size`."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def check_items(items: object, argument: str) -> None:
    """Check what a call takes many dictionaries from.

    Raises:
        TypeError: It is no iterable, or a single text or dictionary.
    """
    if isinstance(items, str | bytes | Mapping) or not isinstance(items, Iterable):
        msg = f"{argument} must be an iterable of dictionaries, not {type(items).__name__}: {items!r:.80}"
        raise TypeError(msg)
