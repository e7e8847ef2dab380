"""What time it is, for all that the engine writes down."""

from __future__ import annotations

import time


def now() -> int:
    """Unix time in nanoseconds."""
    return time.time_ns()


def seconds() -> int:
    """Unix time in whole seconds."""
    return time.time_ns() // 10**9
