"""The lake's database: one writer per process, readers as needed, group commit, fork.

Rules of the room: a read never runs on the writer's connection. Locks are taken in one order: the turn within the
process, the lock between processes, SQLite's own. What `write` and `submit` return from is on the disk. There is no
background thread: whoever writes carries the waiting jobs along, and tidies the log after letting go of the locks.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Final, TypeVar, cast

import apsw

from lakefs_hl.local.disk import fs, migration
from lakefs_hl.local.disk.connections import check_version, connect, disown
from lakefs_hl.local.disk.errors import DiskError, LockTimeout, ReadOnly
from lakefs_hl.local.disk.group import Group
from lakefs_hl.local.disk.lock import FileLock, Turn
from lakefs_hl.local.disk.readers import Readers
from lakefs_hl.local.disk.rows import Reader, Writer, translate

__all__ = ["Database", "Reader", "Writer"]

T = TypeVar("T")

#: Name of the database file in the lake's folder.
NAME: Final = "lake.db"
#: Pages in the log from which it is written back into the database; 32 MiB. (Crash tests make it short.)
LONG_LOG = 8192
#: Pages from which it is written back with the door closed, because readers kept it growing; 256 MiB.
HUGE_LOG: Final = 65536
#: How long a fork waits for other threads' reads and writes, seconds.
FORK_WAITS: Final = 10.0


class _Reading:
    """The `with` block of a read."""

    __slots__ = ("_active", "_database", "_epoch")

    def __init__(self, database: Database) -> None:
        self._database = database
        self._active = False

    def __enter__(self) -> Reader:
        database = self._database
        if database.pid != os.getpid():
            database.after_fork()
        self._epoch = database.epoch
        local = database.local
        if local.depth:
            local.depth += 1
            self._active = True
            return cast("Reader", local.reader)
        try:
            reader = database.readers.take()
        except apsw.Error as error:
            raise translate(error, database.path) from error
        local.reader = reader
        local.depth = 1
        self._active = True
        return reader

    def __exit__(self, kind: object, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self._end()
        except apsw.Error as late:
            if error is None:
                raise translate(late, self._database.path) from late
        if isinstance(error, apsw.Error):
            raise translate(error, self._database.path) from error

    def __del__(self) -> None:
        """An interruption on the very border of the block: ends what was begun."""
        if self._active:
            self._end()

    def _end(self) -> None:
        self._active = False
        database = self._database
        if self._epoch != database.epoch or database.pid != os.getpid():
            return  # a forked child has nothing to end
        local = database.local
        local.depth -= 1
        if not local.depth:
            reader, local.reader = local.reader, None
            database.readers.give(cast("Reader", reader))


class _Writing:
    """The `with` block of a write."""

    __slots__ = ("_active", "_database", "_durable", "_pid")

    def __init__(self, database: Database, durable: bool) -> None:
        self._database = database
        self._durable = durable
        self._active = False

    def __enter__(self) -> Writer:
        database = self._database
        if database.pid != os.getpid():
            database.after_fork()
        self._pid = database.pid
        writer = database.begin(durable=self._durable)
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
            self._database.rollback()
            self._database.leave()


class _Local(threading.local):
    """What a thread is reading."""

    reader: Reader | None = None
    depth: int = 0


class Database:
    """The database of one lake, for all threads of this process.

    Args:
        folder: The lake's folder.
        sync: False for a lake that need not outlive its process: nothing is ever synced.
        vfs: Name of a registered SQLite VFS, for fault tests.
        timeout: Seconds that a writer waits for the others, at most.
        create: Makes the file and its tables if they are missing.

    Raises:
        UnknownFormat: The tables are of another version, or the linked SQLite is too old.
        Damaged: The file is missing or is no database.
    """

    pid: int
    epoch: int
    local: _Local
    readers: Readers
    log_pages: int

    def __init__(
        self, folder: str, *, sync: bool = True, vfs: str | None = None, timeout: float = 30.0, create: bool = False
    ) -> None:
        check_version()
        self.folder = folder
        self.path: str = os.path.join(folder, NAME)
        self.sync = sync
        self.timeout = timeout
        self.failed: str | None = None
        self.epoch = 0
        self.log_pages = 0
        self._tidy_from = LONG_LOG
        self._vfs = vfs
        self._closed = False
        self._torn = False  # forked in the middle of something
        self._file: tuple[int, int] | None = None
        try:
            self._lock = FileLock(folder)
        except OSError as error:
            raise DiskError(f"{folder}: the lock cannot be opened: {error}") from error
        self._reset()
        with _registry:
            _open.add(self)
        try:
            if create:
                self._create_tables()
            self._check_tables()
            self._file = _identity(self.path)
        except BaseException:
            self.close()
            raise

    # ------------------------------------------------------------------------------------------ opening and forking

    def _reset(self) -> None:
        """Everything that belongs to one process."""
        self.pid = os.getpid()
        self.epoch += 1
        self.local = _Local()
        self.readers = Readers(lambda: self._connect(readonly=True))
        self._turn = Turn()
        self._tidying = threading.Lock()
        self._group = Group(self)
        self._durable = True  # what the writer's connection is set to
        self._writer: Writer | None = None
        self._tidier: apsw.Connection | None = None

    def before_fork(self) -> bool:
        """Closes every connection, once whoever uses one is done with it; `after_fork` must follow on both sides.

        Returns:
            Whether that went well; else no child may use the lake.
        """
        quiet = not self.local.depth and not self._turn.mine() and self._turn.acquire(FORK_WAITS)
        if quiet and not self.readers.shut(FORK_WAITS):
            self._turn.release()
            quiet = False
        self._torn = not quiet
        if quiet:
            self._tidying.acquire()
            self._close_writing()
        return quiet

    def after_fork_in_parent(self) -> None:
        """Goes on as before: connections are opened again when they are needed."""
        if not self._torn:
            self._tidying.release()
            self.readers.reopen()
            self._turn.release()
        self._torn = False

    def after_fork(self, *, torn: bool = False) -> None:
        """In a forked child: nothing of the parent's is used, closed or unlocked.

        Args:
            torn: Whether another Database on this folder was in use.
        """
        if self.pid == os.getpid():
            return
        left = self.readers.all()
        left += [self._writer._connection] if self._writer else []
        left += [self._tidier] if self._tidier else []
        self._torn = torn or self._torn or bool(left)  # forked behind Python's back
        disown([*left, self.local])
        self._reset()
        if not self._closed:
            self._lock.after_fork()

    def _connect(self, *, readonly: bool) -> apsw.Connection:
        self._must_be_usable()
        busy = int(self.timeout * 1000)
        try:
            return connect(self.path, sync=self.sync, readonly=readonly, vfs=self._vfs, busy_ms=busy)
        except apsw.Error as error:
            raise translate(error, self.path) from error

    def moved(self) -> bool:
        """Whether the folder has been removed, renamed or replaced: what is written now, nobody will find."""
        return self._file is not None and _identity(self.path) != self._file

    def _must_be_usable(self) -> None:
        if self._closed:
            raise DiskError(f"{self.folder}: this lake has been closed")
        if self._torn:
            raise DiskError(
                f"{self.folder}: this process was forked in the middle of a read or write of the lake, which SQLite "
                "does not survive; start processes by spawn or forkserver, or fork before the lake is used"
            )

    def _create_tables(self) -> None:
        self._turn.acquire(self.timeout)
        try:
            self._lock.acquire(self.timeout)
            if not os.path.exists(self.path):  # SQLite would make it readable for others
                fs.close(fs.create(self.path, "db"))
            self._make_writer()
        finally:
            self.leave()
        with self.write() as writer:
            version = writer.execute("PRAGMA user_version").get
            if version == 0:
                migration.make(writer)

    def _check_tables(self) -> None:
        with self.read() as reader:
            row = reader.row("PRAGMA user_version")
        version = row[0] if row else 0
        if migration.is_due(version, self.path):
            with self.write() as writer:
                migration.bring(writer)

    def close(self) -> None:
        """Closes every connection that is not in use; the others close when their reads end."""
        if self.pid != os.getpid():
            self.after_fork()
        if self._closed:
            return
        if not self._turn.acquire(self.timeout):
            raise LockTimeout(f"{self.folder}: cannot close while other threads write")
        try:
            self._closed = True
            self.readers.close()
            with self._tidying:
                self._close_writing(last=True)
            self._lock.close()
        finally:
            self._turn.release()

    def _close_writing(self, *, last: bool = False) -> None:
        """Closes what writes.

        Args:
            last: Whether the log may be written back by the last one to leave; never after a failed sync.
        """
        for connection in (self._writer._connection if self._writer else None, self._tidier):
            if connection is not None:
                connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, int(not last or self.failed is not None))
                connection.close(True)
        self._writer = self._tidier = None
        self._durable = True

    # ------------------------------------------------------------------------------------------------------- reading

    def read(self) -> _Reading:
        """One read transaction on a connection of this thread; inside another of this thread, the same one.

        Examples:
            with database.read() as reader:
                row = reader.row("SELECT data FROM node WHERE hash = ?", (digest,))
        """
        return _Reading(self)

    # ------------------------------------------------------------------------------------------------------- writing

    def write(self, *, durable: bool = True) -> _Writing:
        """One write transaction: committed and on the disk when the block ends, rolled back if it raises.

        Args:
            durable: False for rows that nothing refers to yet: they become durable with the next durable write.

        Raises:
            LockTimeout: Other writers kept the lake too long.
            ReadOnly: A sync has failed before, or now.
        """
        return _Writing(self, durable)

    def begin(self, *, durable: bool = True) -> Writer:
        """Takes the locks and begins; `end` must follow."""
        self._must_not_nest()
        deadline = time.monotonic() + self.timeout
        try:
            if not self._turn.acquire(self.timeout):
                raise LockTimeout(f"{self.folder}: other threads have been writing for {self.timeout:g} s")
            self.must_write()
            self._lock.acquire(deadline - time.monotonic())
            writer = self._writer or self._make_writer()
            fs.reach("db.begin")
            if self._durable != durable and self.sync:
                self._durable = durable
                writer.execute("PRAGMA synchronous=FULL" if durable else "PRAGMA synchronous=NORMAL")
            writer.execute("BEGIN IMMEDIATE")
        except DiskError:
            self.leave()
            raise
        except apsw.Error as error:
            self.leave()
            raise translate(error, self.path) from error
        except OSError as error:
            self.leave()
            raise DiskError(f"{self.path}: no write can begin: {error}") from error
        except BaseException:
            self.leave()
            raise
        return writer

    def end(self, error: BaseException | None) -> None:
        """Commits, or rolls back if there was an error; lets go of the locks; tidies the log."""
        try:
            if error is None:
                self.commit()
            else:
                self.rollback()
                if isinstance(error, apsw.Error):
                    raise self.note(error) from error
        except BaseException:
            self.rollback()
            raise
        finally:
            self.leave()
        self.tidy()

    def _make_writer(self) -> Writer:
        connection = self._connect(readonly=False)
        connection.set_wal_hook(self._note_log)
        self._writer = Writer(connection)
        return self._writer

    def _must_not_nest(self) -> None:
        if self._turn.mine():
            raise RuntimeError("a write inside a write of the same thread would wait for itself")

    def must_write(self) -> None:
        """Refuses to begin what could not be kept.

        Raises:
            ReadOnly: A sync has failed before.
            DiskError: The lake has been closed, or is not where it was.
        """
        self._must_be_usable()
        if self.failed:
            raise ReadOnly(
                f"{self.folder}: the lake is read-only since {self.failed}. What was acknowledged before is safe; "
                "check the disk, then open the lake anew"
            )
        if self.moved():
            raise DiskError(
                f"{self.folder}: the lake's folder has been removed, renamed or replaced since it was opened; nothing "
                "of this write was kept. Open the lake anew, where it is now"
            )

    @property
    def writing(self) -> bool:
        """Whether the writer is inside a transaction."""
        return self._writer is not None and self._writer._connection.in_transaction

    def commit(self) -> None:
        try:
            fs.reach("db.commit")
            cast("Writer", self._writer).execute("COMMIT")
            fs.reach("db.committed")
        except (apsw.Error, OSError) as error:
            raise self.note(error) from error

    def rollback(self) -> None:
        if self._writer is not None and self.writing:
            self._writer.execute("ROLLBACK")

    def leave(self) -> None:
        """Lets go of whatever of the locks is ours, also half-way into taking them.

        A transaction that an interruption left open, between the lines that would have ended it, is undone: the next
        writer could not begin, and those of other processes would wait for it.
        """
        if self._turn.mine():
            try:
                self.rollback()
            finally:
                try:
                    if not self._closed:
                        self._lock.reset()
                finally:
                    self._turn.release()

    def fail(self, reason: str) -> None:
        """Makes the lake read-only in this process: a failed sync must not be papered over by a second one."""
        self.failed = self.failed or reason

    def note(self, error: apsw.Error | OSError) -> DiskError:
        """An error while writing, as ours; one of the disk ends writing."""
        if isinstance(error, (apsw.IOError, OSError)):
            self.fail(f"writing {self.path} failed: {error}")
            return ReadOnly(f"{self.path}: {error}; the lake is read-only from now on, and this write may be lost")
        return translate(error, self.path)

    def submit(self, work: Callable[[Writer], T]) -> T:
        """Runs `work` in a write transaction shared with whoever else is waiting; returns when it is on the disk.

        Args:
            work: Runs on this thread or another, inside a savepoint: if it raises, only it is undone. It may be run
                again if the thread that ran it was interrupted, so it must do nothing but write.

        Raises:
            LockTimeout: Other writers kept the lake too long.
            ReadOnly: A sync has failed before, or now.
        """
        if self.pid != os.getpid():
            self.after_fork()
        self._must_not_nest()
        return self._group.submit(work)

    # ----------------------------------------------------------------------------------------------------------- log

    def _note_log(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        if pages < self.log_pages:
            self._tidy_from = LONG_LOG  # the log began anew
        self.log_pages = pages
        return 0

    def tidy(self) -> None:
        """Writes a long log back into the database, on a connection of its own, with no lock of ours held."""
        pages = self.log_pages
        if pages < self._tidy_from or self.failed or not self._tidying.acquire(blocking=False):
            return
        try:
            self._tidy_from = pages + LONG_LOG  # should readers keep it growing: not at every write
            fs.reach("db.checkpoint")
            if self._tidier is None:
                self._tidier = self._connect(readonly=False)
                self._tidier.set_busy_timeout(100)
            mode = apsw.SQLITE_CHECKPOINT_RESTART if pages >= HUGE_LOG else apsw.SQLITE_CHECKPOINT_PASSIVE
            self._tidier.wal_checkpoint(None, mode)
            fs.reach("db.checkpointed")
        except (apsw.BusyError, apsw.LockedError, apsw.FullError, apsw.NoMemError, DiskError):
            return  # someone else is at it, or there is no room: the log stays valid as it is
        except (apsw.Error, OSError) as error:
            self.fail(f"writing the log back into {self.path} failed: {error}")
        finally:
            self._tidying.release()


def _identity(path: str) -> tuple[int, int] | None:
    """Which file a path names now; None if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


_open: weakref.WeakSet[Database] = weakref.WeakSet()
#: Guards `_open`; held from before a fork until after it.
_registry = threading.Lock()
_forking: list[Database] = []
_torn_folders: set[str] = set()


def _before_fork() -> None:
    _registry.acquire()
    _forking.extend(_open)
    _torn_folders.update(database.folder for database in _forking if not database.before_fork())


def _after_fork_in_parent() -> None:
    for database in _forking:
        database.after_fork_in_parent()
    _forking.clear()
    _torn_folders.clear()
    _registry.release()


def _after_fork_in_child() -> None:
    global _registry  # noqa: PLW0603 - the child's own, whoever held the parent's
    _registry = threading.Lock()
    for database in list(_open):
        database.after_fork(torn=database.folder in _torn_folders)
    _forking.clear()
    _torn_folders.clear()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
