"""Threads of a driver, started on demand; where none can be started, the calling thread does the work.

At the interpreter's exit `concurrent.futures` accepts no work any more, although `atexit` handlers run after that.
Calls from them are slower, not lost.
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
#: Messages at the interpreter's exit: of a pool, and of the module of pools if it was not loaded before.
_NO_THREADS: Final = ("cannot schedule new futures", "can't register atexit")


class Workers:
    """A pool of at most `width` threads.

    Args:
        width: Maximum number of threads.
        name: Prefix of their names.
    """

    def __init__(self, width: int, name: str) -> None:
        self._width, self._name = width, name
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def submit(self, work: Callable[..., T], *args: Any) -> Future[T]:
        """Start work on a thread, in a new pool if the last one was closed meanwhile."""
        for _ in range(2):
            pool = None
            try:
                pool = self._open()
                # in the context of the caller, which has its span and its own log fields
                return pool.submit(contextvars.copy_context().run, work, *args)
            except RuntimeError as exc:
                if not str(exc).startswith(_NO_THREADS):  # it was queued nevertheless, and must not be done twice
                    raise
                self._drop(pool)
        return _done(work, *args)

    def close(self) -> None:
        """End idle threads; a later `submit` starts new ones."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False)

    def after_fork(self) -> None:
        """Forget the threads in a child process: they are the parent's."""
        if self._pool is not None:
            forks.keep(self._pool)
        self._lock = threading.Lock()
        self._pool = None

    def _open(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                from concurrent.futures import ThreadPoolExecutor  # its module cannot be loaded at the exit

                self._pool = ThreadPoolExecutor(self._width, self._name)
            return self._pool

    def _drop(self, pool: ThreadPoolExecutor | None) -> None:
        with self._lock:
            if self._pool is pool:
                self._pool = None


def start(work: Callable[..., T], *args: Any) -> asyncio.Future[T]:
    """Start work on a thread of the running loop, as `asyncio.to_thread` does, and return its future."""
    import asyncio  # blocking clients load this module too, and need no asyncio

    call = partial(contextvars.copy_context().run, work, *args)
    try:
        return asyncio.get_running_loop().run_in_executor(None, call)
    except RuntimeError as exc:
        if not str(exc).startswith(_NO_THREADS):
            raise
        return asyncio.wrap_future(_done(call))


def _done(work: Callable[..., T], *args: Any) -> Future[T]:
    """Do the work on the calling thread."""
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()
    try:
        future.set_result(work(*args))
    except BaseException as exc:  # noqa: BLE001 - raised by the result
        future.set_exception(exc)
    return future
