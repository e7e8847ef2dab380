"""The caller of a transfer: its iterables, its callables, and whether it still waits."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterator, Mapping
from typing import Any, Protocol

from lakefs_hl._files.bodies import Abandoned as Abandoned
from lakefs_hl.spec.arguments import is_series


class Caller(Protocol):
    """What a transfer needs of the colour that it was called in."""

    def is_stopped(self) -> bool:
        """Return whether the caller no longer waits."""

    def check(self) -> None:
        """Raise `Abandoned` if the caller no longer waits."""

    @property
    def wait(self) -> Callable[[Any], Any] | None:
        """What waits for an awaitable of the caller; None if nothing can."""

    def iterate(self, items: Any, argument: str) -> Iterator[Any]:
        """Return the items of an iterable of the caller."""

    def data(self, data: Any) -> Any:
        """Return data that can be read on this thread: an asynchronous stream as an iterable of blocks."""


class Here:
    """The caller of the blocking colour: it is this thread."""

    def is_stopped(self) -> bool:
        """Return False: it waits for what it does itself."""
        return False

    def check(self) -> None:
        """Do nothing."""

    @property
    def wait(self) -> None:
        """Nothing waits: this thread has no loop."""
        return

    def iterate(self, items: Any, argument: str) -> Iterator[Any]:
        """Return the items of an iterable.

        Raises:
            TypeError: It is no iterable, or an asynchronous one.
        """
        return iterate(items, argument)

    def data(self, data: Any) -> Any:
        """Return the data; what is asynchronous is refused where it is read."""
        return data


def iterate(items: Any, argument: str) -> Iterator[Any]:
    """Return the items of an iterable.

    Raises:
        TypeError: It is no iterable, or an asynchronous one, or a single text.
    """
    if is_series(items) and not isinstance(items, str | Mapping):
        return iter(items)
    hint = "; an asynchronous iterable can be used with lakefs_hl.aio only" if isinstance(items, AsyncIterable) else ""
    msg = f"{argument} must be an iterable of items, not {type(items).__name__}: {items!r:.80}{hint}"
    raise TypeError(msg)
