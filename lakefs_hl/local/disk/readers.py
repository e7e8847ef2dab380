"""The readers of one database: lent to one thread at a time, kept for the next, all gone before a fork.

Rules of the room: a connection is used by one thread at a time and never closed while it is lent. Before a fork every
connection is closed: SQLite remembers a process's file locks in memory, and a child that inherited that memory would
believe it holds locks that only its parent holds. Reads run on the main thread too, where an interrupt may land between
any two lines: what is lent is known by weak references, so a reader that was lost on the way to or from its borrower is
closed by the last reference to it, in C, and nobody waits for it.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from typing import Final

import apsw

from lakefs_hl.local.disk.rows import Reader

#: Connections kept for readers to come.
IDLE: Final = 16
#: How often a fork looks whether a reader was lost, seconds: that wakes nobody.
LOOK: Final = 0.05


class Readers:
    """Lends readers.

    Args:
        connect: Opens a connection for reading.
    """

    closed: bool

    def __init__(self, connect: Callable[[], apsw.Connection]) -> None:
        self._connect = connect
        self._lock = threading.Lock()
        self._idle: list[Reader] = []
        self._lent: weakref.WeakSet[apsw.Connection] = weakref.WeakSet()
        self._outside: list[threading.Lock] = []  # those who wait for the door, each for a lock of its own
        self._back = threading.Lock()  # released when one comes back while the door is shut
        self._shut = False
        self.closed = False

    def take(self) -> Reader:
        """A reader nobody else uses, its transaction begun; waits while the door is shut."""
        while True:
            with self._lock:
                if not self._shut:
                    # One more is opened with the door held: a fork must not find a connection that is half open.
                    reader = self._idle.pop() if self._idle else Reader(self._connect())
                    self._lent.add(reader._connection)
                    break
                door = threading.Lock()
                door.acquire()
                self._outside.append(door)
            door.acquire()
        try:
            reader.execute("BEGIN")
        except BaseException:  # an interruption too: nobody would bring it back
            self._end(reader, keep=False)
            raise
        return reader

    def give(self, reader: Reader) -> None:
        """Ends a reader's transaction and takes it back.

        Raises:
            apsw.Error: It ended badly; the connection is gone.
        """
        keep = False
        try:
            reader.execute("COMMIT")
            # Still in a transaction: somebody kept a cursor, which would hold its moment for ever.
            keep = reader._connection.txn_state() == apsw.SQLITE_TXN_NONE
        finally:
            self._end(reader, keep=keep)

    def _end(self, reader: Reader, *, keep: bool) -> None:
        with self._lock:
            self._lent.discard(reader._connection)
            if keep and not self.closed and len(self._idle) < IDLE:
                self._idle.append(reader)
            else:
                reader._connection.close(True)
            if self._shut and self._back.locked():
                self._back.release()

    def shut(self, timeout: float) -> bool:
        """Lets nobody in, waits until all are back, closes them; False, and open again, if one stays out too long."""
        deadline = time.monotonic() + timeout
        self._shut = True
        while True:
            with self._lock:
                if not self._lent:
                    self._close_idle()
                    return True
                self._back.acquire(blocking=False)
            if time.monotonic() >= deadline:
                self.reopen()
                return False
            self._back.acquire(timeout=LOOK)

    def reopen(self) -> None:
        """Lets readers in again."""
        with self._lock:
            self._shut = False
            while self._outside:
                self._outside.pop().release()

    def close(self) -> None:
        """Closes the idle ones; those that are lent close when they come back."""
        with self._lock:
            self.closed = True
            self._close_idle()

    def _close_idle(self) -> None:
        while self._idle:
            self._idle.pop()._connection.close(True)

    def all(self) -> list[apsw.Connection]:
        """Every connection, lent or idle."""
        return [*(reader._connection for reader in self._idle), *self._lent]
