"""Threads that a test leaves: one that has just been launched may not have begun, so it cannot be joined."""

from __future__ import annotations

import os
import threading
import time
from typing import Final

#: Seconds after which a thread that is still there has hung; a guard, not a measure.
LIMIT: Final = 60.0


def assert_ended(before: set[threading.Thread], prefix: str = "", limit: float = LIMIT) -> None:
    """Wait until the threads that started since are gone, those whose names have the prefix."""
    until = time.monotonic() + limit
    while left := [one for one in set(threading.enumerate()) - before if one.name.startswith(prefix)]:
        assert time.monotonic() < until, f"left: {sorted(one.name for one in left)}"
        os.sched_yield()
