"""Tracebacks of errors: what a caller sees of our frames, and what a frame may keep alive.

Of a failed call three frames are printed at most: the caller's, the face method's, and that of the method that runs the
op. Frames below them do not help a caller, and each frame keeps its variables alive: a tool that prints variables would
print those of our own frames. Callers cut in an `except` clause, which costs nothing while no error is
raised, and then raise with a bare `raise`, which keeps the traceback as it was cut::

    try:
        return self._driver.run(op)
    except EXPLAINED as exc:
        if is_explained(exc):
            cut_traceback(exc)
        raise
"""

from __future__ import annotations

import copy
from typing import Final, TypeVar

from lakefs_hl.spec.errors import LakeFSException

E = TypeVar("E", bound=BaseException)
#: Classes of the errors that an op raises deliberately: those of the tree, and refusals of an argument.
EXPLAINED: Final = (LakeFSException, TypeError, ValueError, RuntimeError)
#: Modules that refuse arguments of the caller: frames below say no more than the message.
_REFUSING: Final = (
    "lakefs_hl.ops.",
    "lakefs_hl.spec.arguments",
    "lakefs_hl.spec.routes",
    "lakefs_hl._handles.",
    "lakefs_hl._bulk.",
    "lakefs_hl._build.",
    "lakefs_hl.facades.",
    "lakefs_hl._folders.choice",
    "lakefs_hl._folders.patterns",
    "lakefs_hl.config.",
    # Tracebacks that were cut end in these.
    "lakefs_hl.aio.client",
    "lakefs_hl.aio.fileio",
    "lakefs_hl._sync.client",
    "lakefs_hl._sync.fileio",
)


def is_explained(error: BaseException) -> bool:
    """Return whether the message of an error says everything: one of the tree, or an op's refusal of an argument.

    An error from elsewhere keeps its frames: one of the caller's own iterable, say, or a defect of ours.
    """
    if isinstance(error, LakeFSException):
        return True
    trace, where = error.__traceback__, ""
    while trace is not None:
        where = str(trace.tb_frame.f_globals.get("__name__"))
        trace = trace.tb_next
    return where.startswith(_REFUSING)


def cut_traceback(error: BaseException, *, keep_cause: bool = True) -> None:
    """Drop all frames below the one that caught an error, and the frames of what led to it.

    Args:
        error: The error, while it is handled.
        keep_cause: Whether its cause is printed, without frames.
    """
    if error.__traceback__ is not None:
        error.__traceback__.tb_next = None
    error.__context__ = None
    error.__cause__ = strip_cause(error.__cause__) if keep_cause else None  # setting it hides the context, too


def strip_cause(cause: BaseException | None) -> BaseException | None:
    """Drop the frames of a cause and the chain below it, and return it."""
    if cause is not None:
        cause.__traceback__ = cause.__cause__ = cause.__context__ = None
        cause.__suppress_context__ = True
    return cause


def copy_exception(error: E) -> E:
    """Return a copy to raise in another thread or task: a traceback and its notes belong to one raise."""
    try:
        twin = copy.copy(error)
    except Exception:  # noqa: BLE001 - a class of others that cannot be copied: the same object is shared
        return error
    twin.__cause__, twin.__suppress_context__ = error.__cause__, error.__suppress_context__
    return twin.with_traceback(None)
