"""How a file that is written ends: whether `close()` is called because an exception leaves a `with` block.

A wrapper around a file (`TextIOWrapper`, `GzipFile`, fsspec's `OpenFile`, the handles of pandas) closes it when its own
block fails, and gives no reason. Half of what was meant to be written must not be published then.
"""

from __future__ import annotations

import dis
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import FrameType

#: The instruction that calls `__exit__` because an exception leaves a block. CPython 3.11 and later.
_LEAVE: Final = dis.opmap["WITH_EXCEPT_START"]


def is_unwinding(known: BaseException | None) -> bool:
    """Return whether this call is made while an exception leaves a `with` block.

    A `close()` in an `except` or `finally` block of the caller is not such a call: the caller decides there.

    Args:
        known: The exception that was being handled when the file was opened. Blocks that it leaves do not count.
    """
    error = sys.exception()
    if error is None or error is known:
        return False
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code.co_code
        if 0 <= frame.f_lasti < len(code) and code[frame.f_lasti] == _LEAVE:
            return True
        frame = frame.f_back
    return False
