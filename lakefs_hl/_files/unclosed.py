"""Files that were opened for writing and never closed: where they were opened, finalisers, and the warning.

Rules of the room: plain values and no references to frames, so that nothing here keeps a file alive.
"""

from __future__ import annotations

import io
import sys
import warnings
import weakref
from types import FrameType
from typing import Any, Final, NamedTuple

from lakefs_hl.spec import callers


class Opened(NamedTuple):
    """Where the caller's code opened a file.

    Attributes:
        file: Source file.
        line: Line in it.
        module: Name of the module, for warning filters.
        form: How to open it so that it is closed: "with" or "async with".
        in_finaliser: Whether that code was itself called by a finaliser.
    """

    file: str
    line: int
    module: str
    form: str
    in_finaliser: bool


def find_open_call(form: str = "with") -> Opened:
    """Return where the user's code opens the file, from the stack of this thread."""
    frame = callers.user_frame()
    module = str(frame.f_globals.get("__name__", "sys"))
    return Opened(frame.f_code.co_filename, frame.f_lineno, module, form, in_finaliser())


def in_finaliser() -> bool:
    """Return whether this call comes from a finaliser, as far as the stack shows.

    That is so if the interpreter is ending, if a `__del__` is in the stack, or if the stack has the `close()` of a file
    whose finaliser is running. CPython sets `_finalizing` before it calls `close()` (`iobase_finalize` in
    Modules/_io/iobase.c).
    """
    if sys.is_finalizing():
        return True
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if code.co_name == "__del__":
            return True
        if code.co_name == "close" and code.co_argcount:
            owner = frame.f_locals.get(code.co_varnames[0])
            if isinstance(owner, io.IOBase) and getattr(owner, "_finalizing", False):
                return True
        frame = frame.f_back
    return False


class Watch:
    """Whether the garbage collector has found a file to be unreachable.

    It clears weak references that have a callback, and calls it, before it runs any finaliser of the same garbage
    (`handle_weakrefs` in Modules/gcmodule.c, "Weak references" in InternalDocs/garbage_collector.md). So a file that is
    closed after that is closed by the finaliser of something in that garbage.
    """

    __slots__ = ("unreachable",)

    def __init__(self) -> None:
        self.unreachable = False


_watched: Final[set[weakref.ref[Any]]] = set()  # a weak reference that is garbage itself would not be called


def watch(file: object) -> Watch:
    """Watch a file from now on."""
    found = Watch()

    def mark(reference: weakref.ref[Any]) -> None:
        found.unreachable = True
        _watched.discard(reference)

    _watched.add(weakref.ref(file, mark))
    return found


def warn(name: str, how: str, advice: str, opened: Opened) -> None:
    """Warn that a file was lost, at the place where it was opened; `how` is "never closed" or the like.

    A `UserWarning`, because the interpreter does not show a `ResourceWarning` unless asked to, and the caller's data is
    lost.
    """
    warnings.warn_explicit(
        f"{name} was opened for writing and {how}: nothing was written to the lake. {advice}",
        UserWarning,
        opened.file,
        opened.line,
        opened.module,
    )
