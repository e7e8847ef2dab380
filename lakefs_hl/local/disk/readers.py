"""The readers of one database: lent to one thread at a time, kept for the next, all gone before a fork.

Rules of the room: a connection is used by one thread at a time and never closed while it is lent. Before a fork every
connection is closed: SQLite remembers a process's file locks in memory, and a child that inherited that memory would
believe it holds locks that only its parent holds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import apsw

from lakefs_hl.local.disk.rows import Reader

#: Connections kept for readers to come.
IDLE: Final = 16


class Readers:
    """Lends readers.

    Args:
        connect: Opens a connection for reading.
    """

    closed: bool

    def __init__(self, connect: Callable[[], apsw.Connection]) -> None:
        self._connect = connect
        # Taken by itself: an interrupt in `Condition.__enter__`, which is Python code, would leave it taken for ever.
        self._lock = threading.Lock()
        self._change = threading.Condition(self._lock)
        self._idle: list[Reader] = []
        self._lent: set[Reader] = set()
        self._shut = False
        self.closed = False

    def take(self) -> Reader:
        """A reader nobody else uses, its transaction begun; waits while the door is shut."""
        with self._lock:
            while self._shut:
                self._change.wait()
            # One more is opened with the door held: a fork must not find a connection that is half open.
            reader = self._idle.pop() if self._idle else Reader(self._connect())
            self._lent.add(reader)
        try:
            reader.execute("BEGIN")
        except BaseException:  # an interruption too: nobody would bring it back
            self._back(reader, keep=False)
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
            self._back(reader, keep=keep)

    def _back(self, reader: Reader, *, keep: bool) -> None:
        with self._lock:
            self._lent.discard(reader)
            if keep and not self.closed and len(self._idle) < IDLE:
                self._idle.append(reader)
            else:
                reader._connection.close(True)
            if self._shut:
                self._change.notify_all()

    def shut(self, timeout: float) -> bool:
        """Lets nobody in, waits until all are back, closes them; False, and open again, if one stays out too long."""
        with self._lock:
            self._shut = True
            if not self._change.wait_for(lambda: not self._lent, timeout):
                self._shut = False
                self._change.notify_all()
                return False
            self._close_idle()
            return True

    def reopen(self) -> None:
        """Lets readers in again."""
        with self._lock:
            self._shut = False
            self._change.notify_all()

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
        return [reader._connection for reader in (*self._idle, *self._lent)]
