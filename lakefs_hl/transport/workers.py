"""Threads of a driver, made on demand; where none can be had, the work is done on the calling thread.

At the interpreter's exit `concurrent.futures` takes no work any more, although `atexit` handlers run after that: calls
from them are slower, not lost.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from lakefs_hl.transport import forks

T = TypeVar("T")


class Workers:
    """A pool of at most `width` threads.

    Args:
        width: Threads at most.
        name: Prefix of their names.
    """

    def __init__(self, width: int, name: str) -> None:
        self._width, self._name = width, name
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def submit(self, work: Callable[..., T], *args: Any) -> Future[T]:
        """Start work on a thread; a pool that was closed meanwhile is made anew."""
        for _ in range(2):
            pool = self._open()
            try:
                return pool.submit(work, *args)
            except RuntimeError as exc:
                if "cannot schedule new futures" not in str(exc):  # queued all the same: it must not be done twice
                    raise
                self._drop(pool)
        return _done(work, *args)

    def close(self) -> None:
        """End idle threads; they come back when used again."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False)

    def after_fork(self) -> None:
        """Start anew in a child process: the threads are the parent's."""
        if self._pool is not None:
            forks.keep(self._pool)
        self._lock = threading.Lock()
        self._pool = None

    def _open(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._width, self._name)
            return self._pool

    def _drop(self, pool: ThreadPoolExecutor) -> None:
        with self._lock:
            if self._pool is pool:
                self._pool = None


def _done(work: Callable[..., T], *args: Any) -> Future[T]:
    """Do the work here and now."""
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()
    try:
        future.set_result(work(*args))
    except BaseException as exc:  # noqa: BLE001 - raised by whoever asks for the result
        future.set_exception(exc)
    return future
