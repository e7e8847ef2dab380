"""Who may write: a fair lock within the process, and a fair lock between processes.

Rules of the room: waiting is done by the kernel or on a lock object, never by polling; every wait has an end.
`flock` belongs to an open file, so a forked child must not use (or unlock) what it inherited: it closes its copies,
which leaves the parent's lock as it is, and opens its own.
"""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from collections import deque
from contextlib import suppress
from typing import Final

from lakefs_hl.local.disk.errors import LockTimeout, NoThread, ReadOnly
from lakefs_hl.local.disk.queues import Empty, SimpleQueue

#: Name of the file in the lake's folder that writers lock.
NAME: Final = "lock"


#: What a folder or a file system answers that takes no writes.
_UNWRITABLE: Final = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


class Turn:
    """A mutex that is handed over in the order of asking.

    Attributes:
        owner: The thread that holds it, 0 for none. Set under the guard, so that whoever is interrupted can tell
            whether the turn had become its own.
    """

    owner: int

    __slots__ = ("_guard", "_waiting", "owner")

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[tuple[int, threading.Lock]] = deque()
        self.owner = 0

    def mine(self) -> bool:
        """Whether the calling thread holds it."""
        return self.owner == threading.get_ident()

    def acquire(self, timeout: float) -> bool:
        """Waits up to `timeout` seconds; says whether it is ours now."""
        me = threading.get_ident()
        with self._guard:
            if not self.owner:
                self.owner = me
                return True
            ticket = threading.Lock()
            ticket.acquire()
            self._waiting.append((me, ticket))
        try:
            ticket.acquire(timeout=min(max(timeout, 0.0), threading.TIMEOUT_MAX))
        finally:
            with self._guard:
                got = self.owner == me
                if not got and (me, ticket) in self._waiting:
                    self._waiting.remove((me, ticket))
        return got

    def release(self) -> None:
        """Hands the turn to whoever waits longest."""
        with self._guard:
            if self._waiting:
                self.owner, ticket = self._waiting.popleft()
                ticket.release()
            else:
                self.owner = 0


class _Arrival:
    """A `threading.Event` without its lock: that is taken in Python code, where an interrupt leaves it taken for ever.

    The thread in line would then hang with the guard held, and everyone after it.
    """

    __slots__ = ("_set", "_wake")

    def __init__(self) -> None:
        self._set = False
        self._wake: SimpleQueue[None] = SimpleQueue()

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        self._set = True
        self._wake.put(None)

    def interrupt(self) -> None:
        """Ends the waiting, without arriving."""
        self._wake.put(None)

    def wait(self, timeout: float) -> bool:
        if not self._set:
            with suppress(Empty):
                self._wake.get(timeout=timeout)
        return self._set


class _Wait:
    """One blocking `flock` on a thread of its own, so that the one who asked can stop waiting.

    It has its own copies of the descriptors: they stay valid (and name the same lock) if the lake is closed meanwhile.
    """

    __slots__ = ("abandoned", "arrived", "error", "file", "gate", "guard")

    def __init__(self, gate: int, file: int) -> None:
        self.gate = os.dup(gate)
        self.file = os.dup(file)
        self.arrived = _Arrival()
        self.guard = threading.Lock()
        self.abandoned = False
        self.error: OSError | None = None

    def close(self) -> None:
        """Closes the copies that are open still: a fork may land between any two lines."""
        gate, self.gate = self.gate, -1
        file, self.file = self.file, -1
        for fd in (gate, file):
            if fd >= 0:
                os.close(fd)


class FileLock:
    """An exclusive lock between processes, with a timeout, first come first served.

    Two `flock`s: whoever wants the file takes the folder's first (the gate) and keeps it until it has the file's. So
    one that has just released cannot slip in before one that waits. Within the process the caller serialises.

    Args:
        folder: The lake's folder; the lock file is made in it if needed.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._path = os.path.join(folder, NAME)
        self._wait: _Wait | None = None
        self._file = self._gate = -1
        self._open()

    def _open(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._gate = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._file = os.open(self._path, flags, 0o600)
        except OSError as error:
            self.close()
            if error.errno not in _UNWRITABLE:
                raise  # else: whoever only reads needs no lock

    def acquire(self, timeout: float) -> None:
        """Takes the lock.

        Args:
            timeout: Seconds to wait at most.

        Raises:
            LockTimeout: Another process kept it all the time.
            ReadOnly: There is no lock to take, since the file system takes no writes.
        """
        if self._file < 0:
            raise ReadOnly(f"{self._path}: cannot be written: the lake's folder, files or file system are read-only")
        wait = self._wait
        if wait is None:
            at_gate = _try(self._gate)
            if at_gate and _try(self._file):
                fcntl.flock(self._gate, fcntl.LOCK_UN)
                return
            wait = self._wait = self._send_in_line()
        else:
            with wait.guard:
                wait.abandoned = wait.arrived.is_set()  # still in line: take its place over; gone by: it let go
            if wait.abandoned:
                self._wait = None
                self.acquire(timeout)
                return
        self._join(wait, timeout)

    def _send_in_line(self) -> _Wait:
        """Has a thread stand in line.

        Raises:
            NoThread: None can be started; nothing is held.
        """
        wait = _Wait(self._gate, self._file)
        try:
            threading.Thread(target=_stand_in_line, args=(wait,), name="lake-lock", daemon=True).start()
        except RuntimeError as error:
            wait.close()
            self.reset()
            raise NoThread(f"{self._path}: no thread can be started to wait for another process: {error}") from error
        return wait

    def give_up(self) -> None:
        """Ends the waiting of whoever waits now, on another thread."""
        wait = self._wait
        if wait is not None:
            wait.arrived.interrupt()

    def _join(self, wait: _Wait, timeout: float) -> None:
        start = time.monotonic()
        try:
            got = wait.arrived.wait(max(timeout, 0.0))
        except BaseException:
            self._abandon(wait)
            raise
        if not got and self._abandon(wait):
            raise LockTimeout(
                f"{self._path}: another process has been writing to this lake for {time.monotonic() - start:.1f} s; "
                "wait for it to finish, or end it, then try again"
            )
        self._wait = None
        if wait.error is not None:
            raise wait.error

    def _abandon(self, wait: _Wait) -> bool:
        """Stops waiting; False if the lock arrived after all."""
        with wait.guard:
            if wait.arrived.is_set():
                return False
            wait.abandoned = True
            return True

    def release(self) -> None:
        """Lets the next one in; harmless if the lock is not ours."""
        if self._file >= 0:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def reset(self) -> None:
        """Whatever was taken: lets go of both locks."""
        if self._file < 0:
            return  # closed, or of a lake that cannot be written
        fcntl.flock(self._file, fcntl.LOCK_UN)
        fcntl.flock(self._gate, fcntl.LOCK_UN)

    def note(self, data: bytes) -> None:
        """Writes something into the file, for whoever opens the lake; it is not synced. The lock is ours."""
        with suppress(OSError):  # it only ever tells more than is needed
            os.pwrite(self._file, data, 0)

    def noted(self) -> bytes:
        """What was written last."""
        return os.pread(self._file, 64, 0) if self._file >= 0 else b""

    def after_fork(self) -> None:
        """In a forked child: lets go of what was inherited and opens anew. Unlocks nothing of the parent's."""
        wait, self._wait = self._wait, None
        self.close()
        if wait is not None:
            wait.close()
        self._open()

    def close(self) -> None:
        """Closes the files; a lock still held goes with them."""
        gate, file, self._gate, self._file = self._gate, self._file, -1, -1
        for fd in (gate, file):
            if fd >= 0:
                os.close(fd)


def _try(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _stand_in_line(wait: _Wait) -> None:
    """Blocks until the lock is ours; gives it back at once if nobody wants it any more."""
    try:
        fcntl.flock(wait.gate, fcntl.LOCK_EX)  # a no-op if we passed the gate already
        try:
            fcntl.flock(wait.file, fcntl.LOCK_EX)
        finally:
            fcntl.flock(wait.gate, fcntl.LOCK_UN)
    except OSError as error:
        wait.error = error
    with wait.guard:
        if wait.abandoned and wait.error is None:
            fcntl.flock(wait.file, fcntl.LOCK_UN)
        wait.close()
        wait.arrived.set()
