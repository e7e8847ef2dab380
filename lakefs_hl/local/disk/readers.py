"""The readers of one database: lent to one thread at a time, kept for the next, all gone before a fork.

Rules of the room: a connection is used by one thread at a time and never closed while it is lent. Before a fork every
connection is closed: SQLite remembers a process's file locks in memory, and a child that inherited that memory would
believe it holds locks that only its parent holds. Reads run on the main thread too, where an interrupt may land between
any two lines. So who is out is not written down, where an interrupt would leave it wrong, but found by looking: every
connection that was made, lives and is not kept here. They are known by weak references without callbacks (those are
Python code, and interrupted too): one that was lost on the way to or from its borrower is closed by the last reference
to it, in C, and nobody waits for it.
"""

from __future__ import annotations

import gc
import itertools
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
        self._made: list[weakref.ref[apsw.Connection]] = []
        self._loans = itertools.count(1)
        self._outside: list[threading.Lock] = []  # those who wait for the door, each for a lock of its own
        self._back = threading.Lock()  # released when one comes back while the door is shut
        self._shut = False
        self.closed = False

    def take(self) -> Reader:
        """A reader nobody else uses, its transaction begun; waits while the door is shut."""
        reader = None
        try:
            while reader is None:
                with self._lock:
                    if not self._shut:
                        # One more is opened with the door held: a fork must not find a connection that is half open.
                        reader = self._idle.pop() if self._idle else self._make()
                        reader.loan = next(self._loans)
                        break
                    door = threading.Lock()
                    door.acquire()
                    self._outside.append(door)
                door.acquire()
            reader.execute("BEGIN")
        except BaseException:  # an interruption too: nobody would bring it back
            if reader is not None:
                with self._lock:
                    self._close(reader)
            reader = None  # a traceback that is kept would keep it
            raise
        return reader

    def _make(self) -> Reader:
        connection = self._connect()
        self._made = [one for one in self._made if one() is not None]
        self._made.append(weakref.ref(connection))
        return Reader(connection)

    def give(self, reader: Reader) -> None:
        """Ends a reader's transaction and takes it back.

        Raises:
            apsw.Error: It ended badly; the connection is gone.
        """
        loan, kept = reader.loan, False
        try:
            reader.execute("COMMIT")
            # Still in a transaction: somebody kept a cursor, which would hold its moment for ever.
            if reader._connection.txn_state() == apsw.SQLITE_TXN_NONE:
                with self._lock:
                    if not self.closed and not self._shut and len(self._idle) < IDLE:
                        self._idle.append(reader)
                        kept = True
        finally:
            if not kept:
                with self._lock:
                    # Interrupted, it may be kept all the same, and even be lent to another thread by now.
                    if reader.loan == loan and reader not in self._idle:
                        self._close(reader)

    def _close(self, reader: Reader) -> None:
        """Closes a reader that is not kept. The lock is held."""
        reader._connection.close(True)
        if self._shut and self._back.locked():
            self._back.release()

    def lent(self) -> list[apsw.Connection]:
        """The connections that are out."""
        kept = {id(reader._connection) for reader in self._idle}
        made = [one() for one in self._made]
        return [one for one in made if one is not None and id(one) not in kept and _is_open(one)]

    def shut(self, timeout: float) -> bool:
        """Lets nobody in, waits until all are back, closes them; False, and open again, if one stays out too long."""
        deadline = time.monotonic() + timeout
        self._shut = True
        looked = False
        while True:
            with self._lock:
                if not self.lent():
                    self._close_idle()
                    return True
                self._back.acquire(blocking=False)
            if time.monotonic() >= deadline:
                self.reopen()
                return False
            if not self._back.acquire(timeout=LOOK) and not looked:
                looked = gc.collect() >= 0  # one that was lost may be part of a cycle

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
        return [*(reader._connection for reader in self._idle), *self.lent()]


def _is_open(connection: apsw.Connection) -> bool:
    try:
        connection.get_autocommit()
    except apsw.ConnectionClosedError:
        return False
    except apsw.ThreadingViolationError:
        return True
    return True
