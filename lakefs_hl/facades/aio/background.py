"""Calls in the background. By hand: `facades._sync.background` has the blocking one."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Final, ParamSpec, TypeVar, overload

T = TypeVar("T")
P = ParamSpec("P")
#: Tasks that are under way. The loop itself has weak references only.
_tasks: Final = set[asyncio.Task[Any]]()


@overload
def background(function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs) -> asyncio.Task[T]: ...
@overload
def background(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> asyncio.Task[T]: ...
def background(function: Any, /, *args: Any, **kwargs: Any) -> asyncio.Task[Any]:
    """Start a call as a task of the running event loop, and return at once.

    A plain function runs on a thread of the loop's executor, so it may block.

    Args:
        function: What to call, such as `branch.upload`.
        args: Its arguments.
        kwargs: Its keyword arguments.

    Returns:
        A task: awaiting it returns what the call returns, or raises what it raises. It runs on if it is dropped.

    Raises:
        TypeError: `function` is not callable.
        RuntimeError: No event loop is running.

    Examples:
        >>> branch = lakefs.repository("example").branch("main")
        >>> task = lakefs.background(branch.upload, b"1,2", "a.csv")
        >>> (await task).size_bytes
        3
    """
    if not callable(function):
        msg = f"function must be callable, not {type(function).__name__}: background(branch.upload, data, path)"
        raise TypeError(msg)
    loop = asyncio.get_running_loop()
    task = loop.create_task(_run(function, args, kwargs))
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    return task


async def _run(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if inspect.iscoroutinefunction(function):
        return await function(*args, **kwargs)
    result = await asyncio.to_thread(function, *args, **kwargs)
    return await result if inspect.isawaitable(result) else result


background.__module__ = "lakefs_hl.aio"
