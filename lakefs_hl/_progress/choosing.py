"""What the argument `progress=` means."""

from __future__ import annotations

import functools
import inspect
import sys
import warnings
from collections.abc import Callable
from typing import Any, Final, TextIO

from lakefs_hl._handles.listeners import DeleteProgress, FileProgress, SizeCallback
from lakefs_hl._progress.displays import Bar, Line, OpenBar
from lakefs_hl._progress.events import ListenerProgress, Progress
from lakefs_hl._progress.listeners import Files, Fsspec
from lakefs_hl._progress.updates import DisplayProgress
from lakefs_hl.config.display import is_progress_disabled

#: What a class has whose instances are bars of tqdm.
_BAR: Final = ("update", "close")
SILENT: Final = Progress()


def progress_of(
    argument: object,
    *,
    total: int | None = None,
    total_bytes: int | None = None,
    title: str = "Transferring",
    source: str = "",
    destination: str = "",
    single: bool = False,
) -> Progress:
    """Return the progress of a transfer. Call its `close()` in the end, or use it in a `with` block.

    Args:
        argument: What the caller passed as `progress=`.
        total: Number of objects to come. None if it is unknown; `expect()` adds to it.
        total_bytes: Number of bytes to come. None if it is unknown; `expect()` adds to it.
        title: What is done, such as "Uploading".
        source: URI or local directory that the paths of events are below, with a slash at its end.
        destination: The same of the destination.
        single: Whether the transfer is that of one file. `source` and `destination` are then those of the file.

    Raises:
        TypeError: The argument is none of these.
    """

    def sides(path: str) -> tuple[str, str]:
        return (source, destination) if single else (source + path, destination + path)

    progress = _automatic(title) if argument is None else _chosen(argument, title, sides, single=single)
    if total is not None or total_bytes is not None:
        progress.expect(total, total_bytes)
    return progress


def _automatic(title: str) -> Progress:
    """Return a bar in a terminal or a notebook, unless the environment switches it off."""
    stream = _stderr()
    if stream is None or is_progress_disabled():
        return SILENT
    watched = _in_kernel() or _is_terminal(stream)
    return _bar_or_line(stream, title, rewrite=True) if watched else SILENT


def _chosen(argument: Any, title: str, sides: Callable[[str], tuple[str, str]], *, single: bool) -> Progress:
    if argument is False:
        return SILENT
    if argument is True:
        stream = _stderr()
        return SILENT if stream is None else _bar_or_line(stream, title, rewrite=_in_kernel() or _is_terminal(stream))
    name = _name(argument)
    if _makes_bars(argument):
        return DisplayProgress(Bar(argument, title), name)
    if isinstance(argument, type):
        raise _refusal(name)
    on_event = None if _is_fsspec(argument) else getattr(argument, "on_event", None)
    if callable(on_event):
        return ListenerProgress(_plain_function(on_event, name), name)
    if isinstance(argument, SizeCallback):
        callback = Fsspec(argument, sides, single=single)
        return ListenerProgress(callback.on_event, name, callback.expect, callback.close)
    if isinstance(argument, FileProgress | DeleteProgress):
        return ListenerProgress(Files(argument, sides).on_event, name)
    if all(callable(getattr(argument, method, None)) for method in _BAR):
        return DisplayProgress(OpenBar(argument), name)
    if callable(argument):
        return ListenerProgress(_plain_function(argument, name), name)
    raise _refusal(name)


def _refusal(name: str) -> TypeError:
    return TypeError(
        "progress must be None, True, False, a callable, an object with on_event(event), a callback of fsspec or a "
        f"class like tqdm.tqdm, not {name}"
    )


def _name(argument: object) -> str:
    """Return what the argument is called in messages."""
    if isinstance(argument, type):
        return f"the class {argument.__qualname__}"
    name = getattr(argument, "__qualname__", None)
    return name if isinstance(name, str) else f"an object of class {type(argument).__qualname__}"


def _plain_function(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """Return a function that is called with events.

    Raises:
        TypeError: It is a coroutine function: its coroutines would never run.
    """
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__):
        msg = f"progress={name} is a coroutine function; pass a plain one, which can schedule what has to be awaited"
        raise TypeError(msg)
    return function


def _is_fsspec(argument: object) -> bool:
    """Return whether this is a callback of fsspec, which seems to have every method there is. Imports nothing."""
    kind = getattr(sys.modules.get("fsspec.callbacks"), "Callback", None)
    return kind is not None and isinstance(argument, kind)


def _makes_bars(argument: Any) -> bool:
    kind = argument.func if isinstance(argument, functools.partial) else argument
    return isinstance(kind, type) and all(callable(getattr(kind, method, None)) for method in _BAR)


def _bar_or_line(stream: TextIO, title: str, *, rewrite: bool) -> Progress:
    bar = _tqdm()
    return DisplayProgress(Line(stream, title, rewrite=rewrite) if bar is None else Bar(bar, title))


def _stderr() -> TextIO | None:
    """Return stderr; None if there is none or it is closed."""
    stream = sys.stderr
    return None if stream is None or getattr(stream, "closed", False) else stream


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except (AttributeError, OSError, ValueError):  # something else in the place of stderr, or closed meanwhile
        return False


def _in_kernel() -> bool:
    """Return whether this is a notebook: a kernel of IPython runs. Imports nothing."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and "IPKernelApp" in getattr(shell, "config", ())


@functools.cache
def _tqdm() -> Callable[..., Any] | None:
    """Return what makes a bar: of widgets in a notebook, of text elsewhere. None without tqdm."""
    try:
        with warnings.catch_warnings():  # the import warns in a notebook without ipywidgets, and shows text then
            warnings.simplefilter("ignore")
            from tqdm.auto import tqdm
    except ImportError:
        return None
    # Without the thread that tqdm starts to look after bars whose updates become rare: ours come at a steady pace.
    quiet = type("Bar", (tqdm,), {"monitor_interval": 0})
    # Given explicitly, `disable` wins over TQDM_DISABLE, as progress=True wins over both variables.
    return functools.partial(quiet, disable=False, dynamic_ncols=True, mininterval=0, miniters=0)
