"""Concurrent calls in greenlets, for programs that gevent has patched."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")


def are_needed() -> bool:
    """Return whether gevent has patched sockets and not threads: a socket belongs to its thread then."""
    monkey: Any = sys.modules.get("gevent.monkey")
    return monkey is not None and monkey.is_module_patched("socket") and not monkey.is_module_patched("threading")


def run_many(function: Callable[[T], R], items: Iterable[T], width: int) -> Iterator[R]:
    """Call a function with each item in greenlets, and yield the results in the order of the items.

    Raises:
        ImportError: gevent is not installed.
    """
    try:
        pool: Any = import_module("gevent.pool").Pool(width)
    except ImportError as exc:
        msg = "green=True needs gevent, which is not installed: pip install gevent"
        raise ImportError(msg, name="gevent") from exc
    pending = deque[Any]()
    try:
        for item in items:
            pending.append(pool.spawn(function, item))
            if len(pending) >= width:
                yield pending.popleft().get()
        while pending:
            yield pending.popleft().get()
    finally:
        pool.kill()
