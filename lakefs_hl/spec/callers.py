"""Where the user's code is in the stack: warnings point there, not into this package."""

from __future__ import annotations

import sys
import warnings
from types import FrameType

_PACKAGE = "lakefs_hl"


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line of the user's code that called this package, however deep the call is."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and is_ours(frame):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def user_frame() -> FrameType:
    """Return the innermost frame that is not code of this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and is_ours(frame):
        frame = frame.f_back
    return frame


def is_ours(frame: FrameType) -> bool:
    """Return whether a frame runs code of this package."""
    name = frame.f_globals.get("__name__")
    return isinstance(name, str) and name.partition(".")[0] == _PACKAGE
