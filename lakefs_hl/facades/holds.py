"""Locks between processes, on files of their own: exclusive ones to change something, shared ones to use it.

A lock ends with its process, however that ends. A file system without locks locks nothing.
"""

from __future__ import annotations

import errno
import os
import threading
import weakref
from collections import OrderedDict
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

fcntl: Any
try:
    import fcntl
except ModuleNotFoundError:  # Windows: without shared locks, the time of the last use has to do
    fcntl = None

_TAKEN: Final = frozenset({errno.EAGAIN, errno.EACCES, errno.EDEADLK})
_FLAGS: Final = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_TRIES: Final = 100
#: Errors of a directory that this process may only read.
READ_ONLY: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


class Hold:
    """A lock that was taken. It is released by `release()`, or at the end of a `with` block."""

    def __init__(self, path: Path, fd: int, *, shared: bool) -> None:
        self.path, self._fd = path, fd
        if not shared:
            _exclusive.add(self)

    @classmethod
    def take(cls, path: Path, *, shared: bool = False, wait: bool = False) -> Self | None:
        """Take a lock. None if another one, of this or another process, is in the way.

        Args:
            path: Its file, which is created.
            shared: Whether several may have it at a time.
            wait: Whether to wait on this thread for what is in the way, which must not take long.
        """
        for _ in range(_TRIES):
            fd = os.open(path, _FLAGS, 0o600)
            try:
                if not _lock(fd, shared=shared, wait=wait):
                    os.close(fd)
                    return None
                with suppress(FileNotFoundError):  # who had it before may have removed the file
                    if os.path.samestat(os.fstat(fd), path.lstat()):
                        return cls(path, fd, shared=shared)
            except BaseException:
                with suppress(OSError):
                    os.close(fd)
                raise
            os.close(fd)
        return None

    def release(self, *, remove: bool = False) -> None:
        """Release the lock.

        Args:
            remove: Whether to remove its file, which only the holder of an exclusive lock may.
        """
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        if remove:
            with suppress(OSError):
                self.path.unlink()
        if fcntl is not None:
            with suppress(OSError):
                fcntl.flock(fd, fcntl.LOCK_UN)  # also for a child that has inherited the descriptor
        os.close(fd)

    def forget(self) -> None:
        """Close the descriptor in a child process. The parent keeps the lock."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def _lock(fd: int, *, shared: bool, wait: bool) -> bool:
    """Lock an open file. Return False if another lock is in the way."""
    if fcntl is None:
        return shared or _lock_on_windows(fd, wait=wait)
    mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(fd, mode if wait else mode | fcntl.LOCK_NB)
    except OSError as exc:
        return exc.errno not in _TAKEN
    return True


def _lock_on_windows(fd: int, *, wait: bool) -> bool:
    msvcrt: Any = import_module("msvcrt")
    try:
        msvcrt.locking(fd, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
    except OSError:
        return False
    return True


#: Exclusive locks of this process: a child must not keep them when the parent ends.
_exclusive: Final[weakref.WeakSet[Hold]] = weakref.WeakSet()


class Uses:
    """What this process uses: shared locks that last as long as it, and the children that have inherited them.

    Args:
        most: Maximum number of locks. Beyond it, the one that was used least recently is released.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._holds = OrderedDict[Path, Hold]()
        self._lock = threading.Lock()

    def add(self, path: Path) -> bool:
        """Take a shared lock, unless this process has it. Return False if an exclusive one is in the way.

        In a directory that is read-only there is none to take: what is in it must not be removed meanwhile.
        """
        with self._lock:
            if path in self._holds:
                self._holds.move_to_end(path)
                return True
            try:
                hold = Hold.take(path, shared=True)
            except OSError as exc:
                if exc.errno in READ_ONLY:
                    return True
                raise
            if hold is None:
                return False
            self._holds[path] = hold
            while len(self._holds) > self._most:
                self._holds.popitem(last=False)[1].release()
            return True

    def drop(self, path: Path) -> None:
        """Release a lock, if this process has it."""
        with self._lock:
            hold = self._holds.pop(path, None)
        if hold is not None:
            hold.release()

    def after_fork(self) -> None:
        """Give a child process locks of its own: those of the parent end when the parent releases them."""
        self._lock = threading.Lock()  # a thread of the parent may have held the other one
        for hold in list(_exclusive):
            hold.forget()
        inherited, self._holds = self._holds, OrderedDict()
        for path, hold in inherited.items():
            self.add(path)
            hold.forget()


#: The snapshots that this process was given.
USES: Final = Uses(most=64)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=USES.after_fork)
