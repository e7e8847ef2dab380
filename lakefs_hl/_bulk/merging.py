"""Two streams in byte order of their paths as one: what a directory and a prefix both have, or only one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

L = TypeVar("L")
R = TypeVar("R")


def merge(
    left: Iterable[L], right: Iterable[R], left_path: Callable[[L], str], right_path: Callable[[R], str]
) -> Iterator[tuple[L | None, R | None]]:
    """Yield pairs of the same path, and None beside what only one side has. Each side is read as far as needed.

    Args:
        left: Items in ascending order of their paths.
        right: The same.
        left_path: Returns the path of an item.
        right_path: The same.
    """
    ours, theirs = iter(left), iter(right)
    one, other = next(ours, None), next(theirs, None)
    while one is not None and other is not None:
        path, at = left_path(one), right_path(other)
        if path == at:
            yield one, other
            one, other = next(ours, None), next(theirs, None)
        elif path < at:
            yield one, None
            one = next(ours, None)
        else:
            yield None, other
            other = next(theirs, None)
    while one is not None:
        yield one, None
        one = next(ours, None)
    while other is not None:
        yield None, other
        other = next(theirs, None)
