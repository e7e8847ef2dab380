"""Processes that tests start: none outlives the block that it is used in, whatever raises there."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def ending(*processes: subprocess.Popen[Any]) -> Iterator[None]:
    """Kill what is left of processes at the end of a block, and close their pipes.

    A process that is left over fails whichever test the garbage collector finds it in, by its ResourceWarning.
    """
    with contextlib.ExitStack() as stack:
        for process in processes:
            stack.enter_context(process)
            stack.callback(process.kill)
        yield
