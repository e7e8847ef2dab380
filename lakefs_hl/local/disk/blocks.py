"""The `with` blocks of a database: one read, one write.

Rules of the room: a read runs on any thread, the main thread too, where an interrupt may land between any two lines. A
write's block does not: the main thread uses `Database.run`.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

import apsw

from lakefs_hl.local.disk.rows import Reader, Writer, system_error, translate

if TYPE_CHECKING:
    from lakefs_hl.local.disk.batch import Batch
    from lakefs_hl.local.disk.database import Database


class Lease:
    """A reader lent to a thread, for a block and those inside it.

    Only blocks hold it, and the thread's weak reference finds it: when an interrupt loses the last block on its way in
    or out, the reader goes with it. `depth` may be too large after an interrupt, and is never too small.
    """

    __slots__ = ("__weakref__", "depth", "reader")

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.depth = 1


class Local(threading.local):
    """What a thread is reading, if it is, and the batch that it runs, if it does."""

    lease: Callable[[], Lease | None] = staticmethod(lambda: None)
    batch: Batch | None = None

    def reading(self) -> bool:
        """Whether the thread is inside a read."""
        lease = self.lease()
        return lease is not None and lease.depth > 0


class Reading:
    """The `with` block of a read."""

    __slots__ = ("_database", "_epoch", "_lease")

    def __init__(self, database: Database) -> None:
        self._database = database
        self._epoch = 0
        self._lease: Lease | None = None

    def __enter__(self) -> Reader:
        database = self._database
        if database.pid != os.getpid():
            database.after_fork()
        self._epoch = database.epoch
        local = database.local
        lease = local.lease()
        if lease is not None and lease.depth:
            lease.depth += 1
            self._lease = lease
            return lease.reader
        del lease
        database.settle()
        try:
            lease = Lease(database.readers.take())
            local.lease = weakref.ref(lease)
            self._lease = lease
        except apsw.Error as error:
            raise translate(error, database.path) from error
        except BaseException:
            self._lease = lease = None  # a traceback that is kept would keep it
            raise
        return lease.reader

    def __exit__(self, kind: object, error: BaseException | None, trace: TracebackType | None) -> None:
        database = self._database
        lease, self._lease = self._lease, None
        if lease is None or self._epoch != database.epoch or database.pid != os.getpid():
            return  # a forked child has nothing to end
        number = 0
        if isinstance(error, apsw.Error):
            number = system_error(lease.reader)
        try:
            lease.depth -= 1
            if not lease.depth:
                database.readers.give(lease.reader)
        except apsw.Error as late:
            if error is None:
                raise translate(late, database.path) from late
        finally:
            lease = None
        if isinstance(error, apsw.Error):
            raise translate(error, database.path, number) from error


class Writing:
    """The `with` block of a write."""

    __slots__ = ("_active", "_database", "_durable", "_patience", "_pid")

    def __init__(self, database: Database, durable: bool, patience: float | None) -> None:
        self._database = database
        self._durable = durable
        self._patience = patience
        self._active = False

    def __enter__(self) -> Writer:
        database = self._database
        if database.pid != os.getpid():
            database.after_fork()
        self._pid = database.pid
        writer = database.begin(durable=self._durable, patience=self._patience)
        self._active = True
        return writer

    def __exit__(self, kind: object, error: BaseException | None, trace: TracebackType | None) -> None:
        self._active = False
        if self._pid != os.getpid():
            if error is None:
                raise RuntimeError("this write was begun by the parent process; a forked child cannot finish it")
            return
        self._database.end(error)

    def __del__(self) -> None:
        """An interruption on the very border of the block: undoes what was begun."""
        if self._active and self._pid == os.getpid():
            self._database.leave()
