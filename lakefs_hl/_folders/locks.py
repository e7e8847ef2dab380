"""A lock on an open file, for one process and one use of it. It ends with the file or the process."""

from __future__ import annotations

import errno
import os
import sys
from typing import Final

#: Far behind the end of any file: Windows keeps others from reading what is locked.
_OFFSET: Final = 1 << 40
_TAKEN: Final = frozenset({errno.EAGAIN, errno.EACCES, errno.EDEADLK})

if sys.platform == "win32":
    import msvcrt

    def _lock(fd: int) -> None:
        position = os.lseek(fd, 0, os.SEEK_CUR)
        os.lseek(fd, _OFFSET, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        finally:
            os.lseek(fd, position, os.SEEK_SET)

else:
    import fcntl

    def _lock(fd: int) -> None:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def try_lock(fd: int) -> bool:
    """Lock an open file. Return False if another use of it has locked it; a file system without locks locks nothing."""
    try:
        _lock(fd)
    except OSError as exc:
        return exc.errno not in _TAKEN
    return True
