"""Calls in the background. By hand: `facades.aio.background` has the awaitable one."""

from __future__ import annotations

import contextvars
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Final, ParamSpec, TypeVar

from lakefs_hl.facades import greenlets

T = TypeVar("T")
P = ParamSpec("P")
#: Number of threads, and so of calls that run at a time. More of them wait for their turn.
WIDTH: Final = 32


class _Pool:
    """Threads for calls in the background: started when they are needed, again in a child process."""

    def __init__(self) -> None:
        self._renew()
        if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
            os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None
        self._here = threading.local()

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Start a call. One that is started by another one gets a thread of its own: the other may wait for it."""
        if getattr(self._here, "busy", False):
            return self._on_own_thread(call)
        with self._lock:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(WIDTH, "lakefs_hl-background")
            return self._executor.submit(self._run, call)

    def _run(self, call: Callable[[], T]) -> T:
        self._here.busy = True
        return call()

    def _on_own_thread(self, call: Callable[[], T]) -> Future[T]:
        future = Future[T]()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = self._run(call)
            except BaseException as exc:  # noqa: BLE001 - `result()` raises it
                future.set_exception(exc)
            else:
                future.set_result(result)

        threading.Thread(target=run, name="lakefs_hl-background-inner").start()
        return future


_pool: Final = _Pool()


def background(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
    """Start a call on a thread, and return at once.

    Clients and handles are thread-safe, so any call of this package can run in the background. At most 32 run at a
    time; more of them wait for their turn. The interpreter ends when all are done. A call that only waits for others
    may start them in the background too.

    Args:
        function: What to call, such as `branch.upload`.
        args: Its arguments.
        kwargs: Its keyword arguments.

    Returns:
        A future: `result()` waits for the call, and returns what it returns or raises what it raises.

    Raises:
        TypeError: `function` is not callable, or a coroutine function.
        RuntimeError: gevent has patched sockets and not threads: threads cannot share connections then.

    Examples:
        >>> branch = lakefs.repository("example").branch("main")
        >>> future = lakefs.background(branch.upload, b"1,2", "a.csv")
        >>> future.result().size_bytes
        3
    """
    check_callable(function)
    if greenlets.are_needed():
        msg = (
            "background() starts threads, and gevent has patched sockets and not threads, so that threads cannot share "
            "connections: call gevent.spawn(function, ...) instead, or patch threads too, by gevent.monkey.patch_all()"
        )
        raise RuntimeError(msg)
    context = contextvars.copy_context()
    call: Callable[[], Any] = partial(context.run, function, *args, **kwargs)
    return _pool.submit(call)


def check_callable(function: object) -> None:
    """Check what is to be called on a thread.

    Raises:
        TypeError: It is not callable, or a coroutine function, which needs an event loop.
    """
    import inspect

    if not callable(function):
        msg = f"function must be callable, not {type(function).__name__}: background(branch.upload, data, path)"
        raise TypeError(msg)
    if inspect.iscoroutinefunction(function):
        msg = "function must be a plain function, not a coroutine function: lakefs_hl.aio.background starts those"
        raise TypeError(msg)


background.__module__ = "lakefs_hl"
