"""Threads of a driver, made on demand; where none can be had, the work is done on the calling thread.

At the interpreter's exit `concurrent.futures` takes no work any more, although `atexit` handlers run after that: calls
from them are slower, not lost.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from lakefs_hl.transport import forks

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

T = TypeVar("T")
#: What is said at the interpreter's exit: by a pool, and by the module of pools if nobody has loaded it before.
_NO_THREADS: Final = ("cannot schedule new futures", "can't register atexit")


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
            pool = None
            try:
                pool = self._open()
                return pool.submit(work, *args)
            except RuntimeError as exc:
                if not str(exc).startswith(_NO_THREADS):  # queued all the same: it must not be done twice
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
                from concurrent.futures import ThreadPoolExecutor  # whose module cannot be loaded at the exit

                self._pool = ThreadPoolExecutor(self._width, self._name)
            return self._pool

    def _drop(self, pool: ThreadPoolExecutor | None) -> None:
        with self._lock:
            if self._pool is pool:
                self._pool = None


def start(work: Callable[..., T], *args: Any) -> asyncio.Future[T]:
    """Start work on a thread of the running loop, as `asyncio.to_thread` does; return what tells of its end."""
    import asyncio  # of no use to blocking clients, which load this module too

    call = partial(contextvars.copy_context().run, work, *args)
    try:
        return asyncio.get_running_loop().run_in_executor(None, call)
    except RuntimeError as exc:
        if not str(exc).startswith(_NO_THREADS):
            raise
        return asyncio.wrap_future(_done(call))


def _done(work: Callable[..., T], *args: Any) -> Future[T]:
    """Do the work here and now."""
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()
    try:
        future.set_result(work(*args))
    except BaseException as exc:  # noqa: BLE001 - raised by whoever asks for the result
        future.set_exception(exc)
    return future
