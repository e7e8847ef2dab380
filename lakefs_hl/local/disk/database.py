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
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any, Final, Generic, TypeAlias, TypeVar, cast

import apsw

from lakefs_hl.local.disk import fs, schema
from lakefs_hl.local.disk.connections import check_version, connect, disown
from lakefs_hl.local.disk.errors import Damaged, DiskError, LockTimeout, NoSpace, ReadOnly, UnknownFormat
from lakefs_hl.local.disk.lock import FileLock, Turn

T = TypeVar("T")
Args: TypeAlias = "Sequence[Any] | dict[str, Any]"

#: Name of the database file in the lake's folder.
NAME: Final = "lake.db"
#: Jobs of one transaction at most.
BATCH: Final = 512
#: Pages in the log from which it is written back into the database; 16 MiB.
LONG_LOG: Final = 4096
#: Pages from which it is written back with the door closed, because readers kept it growing; 256 MiB.
HUGE_LOG: Final = 65536
#: Connections kept for readers to come.
IDLE_READERS: Final = 16


class Reader:
    """What can be asked inside one read transaction; everything it answers is of one moment."""

    __slots__ = ("_connection", "execute")

    execute: Callable[..., apsw.Cursor]

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self.execute = connection.execute

    def row(self, sql: str, args: Args = ()) -> tuple[Any, ...] | None:
        """The first row, None if there is none."""
        return cast("tuple[Any, ...] | None", self.execute(sql, args).fetchone())


class Writer(Reader):
    """What can be done inside one write transaction; it sees its own changes."""

    __slots__ = ("executemany",)

    executemany: Callable[..., apsw.Cursor]

    def __init__(self, connection: apsw.Connection) -> None:
        super().__init__(connection)
        self.executemany = connection.executemany

    @property
    def changes(self) -> int:
        """Rows that the latest statement changed."""
        return self._connection.changes()


class _Reading:
    """The `with` block of a read."""

    __slots__ = ("_database", "_epoch", "_reader")

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> Reader:
        database = self._database
        if database.pid != os.getpid():
            database.after_fork()
        self._epoch = database.epoch
        local = database.local
        if local.depth:
            local.depth += 1
            return cast("Reader", local.reader)
        reader = database.take_reader()
        try:
            reader.execute("BEGIN")
        except apsw.Error as error:
            raise translate(error, database.path) from error
        local.reader = reader
        local.depth = 1
        return reader

    def __exit__(self, kind: object, error: BaseException | None, trace: TracebackType | None) -> None:
        database = self._database
        if self._epoch == database.epoch and database.pid == os.getpid():
            local = database.local
            local.depth -= 1
            if not local.depth:
                reader, local.reader = local.reader, None
                database.give_reader(cast("Reader", reader))
        if isinstance(error, apsw.Error):
            raise translate(error, database.path) from error


class _Writing:
    """The `with` block of a write."""

    __slots__ = ("_database", "_durable", "_pid")

    def __init__(self, database: Database, durable: bool) -> None:
        self._database = database
        self._durable = durable

    def __enter__(self) -> Writer:
        database = self._database
        if database.pid != os.getpid():
            database.after_fork()
        self._pid = database.pid
        return database.begin(durable=self._durable)

    def __exit__(self, kind: object, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._pid != os.getpid():
            if error is None:
                raise RuntimeError("this write was begun by the parent process; a forked child cannot finish it")
            return
        self._database.end(error)


class _Local(threading.local):
    """What a thread is reading."""

    reader: Reader | None = None
    depth: int = 0


class _Job(Generic[T]):
    """One piece of work on its way through a batch."""

    __slots__ = ("done", "error", "leads", "result", "wake", "work")

    def __init__(self, work: Callable[[Writer], T]) -> None:
        self.work = work
        self.wake = threading.Lock()
        self.wake.acquire()
        self.done = False
        self.leads = False
        self.result: T | None = None
        self.error: Exception | None = None

    def outcome(self) -> T:
        """What the work returned, or its error raised."""
        if self.error is not None:
            raise self.error
        return cast("T", self.result)


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

    def __init__(
        self, folder: str, *, sync: bool = True, vfs: str | None = None, timeout: float = 30.0, create: bool = False
    ) -> None:
        check_version()
        self.folder = folder
        self.path = os.path.join(folder, NAME)
        self.sync = sync
        self.timeout = timeout
        self.failed: str | None = None
        self.epoch = 0
        self.log_pages = 0
        self._vfs = vfs
        self._closed = False
        self._lock = FileLock(folder)
        self._reset()
        try:
            if create:
                self._create_tables()
            self._check_tables()
        except BaseException:
            self.close()
            raise
        _open.add(self)

    # ------------------------------------------------------------------------------------------ opening and forking

    def _reset(self) -> None:
        """Everything that belongs to one process."""
        self.pid = os.getpid()
        self.epoch += 1
        self.local = _Local()
        self._guard = threading.Lock()
        self._turn = Turn()
        self._tidying = threading.Lock()
        self._queue: deque[_Job[Any]] = deque()
        self._leading = False
        self._durable = True  # what the writer's connection is set to
        self._all: list[apsw.Connection] = []
        self._idle: list[Reader] = []
        self._writer: Writer | None = None
        self._tidier: apsw.Connection | None = None

    def after_fork(self) -> None:
        """In a forked child: forgets the parent's connections without closing them, and its locks."""
        if self.pid == os.getpid():
            return
        disown(self._all)
        _kept.append(self.local)
        self._reset()
        if not self._closed:
            self._lock.after_fork()

    def _connect(self, *, readonly: bool) -> apsw.Connection:
        if self._closed:
            raise DiskError(f"{self.folder}: this lake has been closed")
        busy = int(self.timeout * 1000)
        try:
            connection = connect(self.path, sync=self.sync, readonly=readonly, vfs=self._vfs, busy_ms=busy)
        except apsw.Error as error:
            raise translate(error, self.path) from error
        with self._guard:
            self._all.append(connection)
        return connection

    def _create_tables(self) -> None:
        self._lock.acquire(self.timeout)
        try:
            if not os.path.exists(self.path):  # SQLite would make it readable for others
                fs.close(fs.create(self.path, "db"))
            self._make_writer()
        finally:
            self._lock.reset()
        with self.write() as writer:
            version = writer.execute("PRAGMA user_version").get
            if version == 0:
                writer.execute(schema.DDL).fetchall()
                writer.execute(f"PRAGMA application_id={schema.APPLICATION}")
                writer.execute(f"PRAGMA user_version={schema.VERSION}")

    def _check_tables(self) -> None:
        with self.read() as reader:
            row = reader.row("PRAGMA user_version")
        version = row[0] if row else 0
        if version == 0:
            raise Damaged(f"{self.path}: the database has no tables; restore it from a copy")
        if version != schema.VERSION:
            raise UnknownFormat(
                f"{self.path}: tables of version {version}, and this release knows version {schema.VERSION}: "
                "open the lake with the release that wrote it, or a newer one"
            )

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
            ours = [reader._connection for reader in self._idle]
            ours += [self._writer._connection] if self._writer else []
            self._idle.clear()
            self._writer = None
            with self._tidying:
                ours += [self._tidier] if self._tidier else []
                self._tidier = None
            for connection in ours:
                self._discard(connection)
            self._lock.close()
        finally:
            self._turn.release()

    def _discard(self, connection: apsw.Connection) -> None:
        with self._guard:
            self._all.remove(connection)
        if self.failed:  # what could not be synced once is not written on by the last one to leave
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        connection.close(True)

    # ------------------------------------------------------------------------------------------------------- reading

    def read(self) -> _Reading:
        """One read transaction on a connection of this thread; inside another of this thread, the same one.

        Example:
            with database.read() as reader:
                row = reader.row("SELECT data FROM node WHERE hash = ?", (digest,))
        """
        return _Reading(self)

    def take_reader(self) -> Reader:
        """A reader nobody else uses."""
        try:
            return self._idle.pop()
        except IndexError:
            return Reader(self._connect(readonly=True))

    def give_reader(self, reader: Reader) -> None:
        """Ends a reader's transaction and keeps its connection for the next."""
        connection = reader._connection
        reader.execute("COMMIT")
        lingering = connection.txn_state() != apsw.SQLITE_TXN_NONE  # a cursor was kept: it would hold the moment
        if lingering or self._closed or len(self._idle) >= IDLE_READERS:
            self._discard(connection)
        else:
            self._idle.append(reader)

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
        if self._turn.mine():
            raise RuntimeError("a write inside a write of the same thread would wait for itself")
        deadline = time.monotonic() + self.timeout
        try:
            if not self._turn.acquire(self.timeout):
                raise LockTimeout(f"{self.folder}: other threads have been writing for {self.timeout:g} s")
            self._must_write()
            self._lock.acquire(deadline - time.monotonic())
            writer = self._writer or self._make_writer()
            fs.reach("db.begin")
            if self._durable != durable and self.sync:
                self._durable = durable
                writer.execute("PRAGMA synchronous=FULL" if durable else "PRAGMA synchronous=NORMAL")
            writer.execute("BEGIN IMMEDIATE")
        except apsw.Error as error:
            self._leave()
            raise translate(error, self.path) from error
        except BaseException:
            self._leave()
            raise
        return writer

    def end(self, error: BaseException | None) -> None:
        """Commits, or rolls back if there was an error; lets go of the locks; tidies the log."""
        writer = cast("Writer", self._writer)
        try:
            if error is None:
                self._commit(writer)
            else:
                self._rollback(writer)
                if isinstance(error, apsw.Error):
                    raise self._note(error) from error
        except BaseException:
            self._rollback(writer)
            raise
        finally:
            self._leave()
        self._tidy()

    def _make_writer(self) -> Writer:
        connection = self._connect(readonly=False)
        connection.set_wal_hook(self._note_log)
        self._writer = Writer(connection)
        return self._writer

    def _must_write(self) -> None:
        if self.failed:
            raise ReadOnly(
                f"{self.folder}: the lake is read-only since {self.failed}. What was acknowledged before is safe; "
                "check the disk, then open the lake anew"
            )

    def _commit(self, writer: Writer) -> None:
        try:
            fs.reach("db.commit")
            writer.execute("COMMIT")
            fs.reach("db.committed")
        except (apsw.Error, OSError) as error:
            raise self._note(error) from error

    def _rollback(self, writer: Writer) -> None:
        if writer._connection.in_transaction:
            writer.execute("ROLLBACK")

    def _leave(self) -> None:
        """Lets go of whatever of the locks is ours, also half-way into taking them."""
        if self._turn.mine():
            try:
                if not self._closed:
                    self._lock.reset()
            finally:
                self._turn.release()

    def fail(self, reason: str) -> None:
        """Makes the lake read-only in this process: a failed sync must not be papered over by a second one."""
        self.failed = self.failed or reason

    def _note(self, error: apsw.Error | OSError) -> DiskError:
        """An error while writing, as ours; one of the disk ends writing."""
        if isinstance(error, (apsw.IOError, OSError)):
            self.fail(f"writing {self.path} failed: {error}")
            return ReadOnly(f"{self.path}: {error}; the lake is read-only from now on, and this write may be lost")
        return translate(error, self.path)

    # -------------------------------------------------------------------------------------------------- group commit

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
        job = _Job(work)
        try:
            with self._guard:
                self._queue.append(job)
                if not self._leading:
                    self._leading = job.leads = True
            if not job.leads:
                job.wake.acquire()  # released by the leader: the job is done, or is to lead
            if job.leads:
                self._lead(job)
        except BaseException:
            self._hand_over(job)
            raise
        return job.outcome()

    def _lead(self, own: _Job[Any]) -> None:
        """Carries one batch to the disk, then names the next leader."""
        batch: list[_Job[Any]] = []
        try:
            self._run(batch, own)
        finally:
            self._hand_over(own)
            for job in batch:
                if job is not own:
                    job.wake.release()
        self._tidy()

    def _hand_over(self, job: _Job[Any]) -> None:
        """The job has been done or given up: it leaves the line, and the lead, if it had it, goes to the next."""
        with self._guard:
            if job in self._queue:
                self._queue.remove(job)
            if not job.leads:
                return
            job.leads = False
            if self._queue:
                self._queue[0].leads = True
                self._queue[0].wake.release()
            else:
                self._leading = False

    def _run(self, batch: list[_Job[Any]], own: _Job[Any]) -> None:
        """One transaction with as many of the waiting jobs as fit."""
        try:
            writer = self.begin()
        except Exception as error:  # noqa: BLE001 - goes to everyone who waits, instead of one after the other
            self._take(batch)
            _settle(batch, own, error)
            return
        stage = "jobs"
        try:
            self._take(batch)
            for job in batch:
                self._attempt(writer, job, alone=len(batch) == 1)
            stage = "commit"
            if writer._connection.in_transaction:
                self._commit(writer)
        except Exception as error:  # noqa: BLE001 - as above
            self._rollback(writer)
            _settle(batch, own, error)
        except BaseException:
            # Interrupted between two lines. If the commit had gone through, everyone is told so; else the others
            # go back in the line, in their order.
            if stage == "jobs" or writer._connection.in_transaction:
                self._rollback(writer)
                with self._guard:
                    self._queue.extendleft(job for job in reversed(batch) if job is not own)
                batch.clear()
            _settle(batch, own, None)
            raise
        else:
            _settle(batch, own, None)
        finally:
            self._leave()

    def _take(self, batch: list[_Job[Any]]) -> None:
        with self._guard:
            while self._queue and len(batch) < BATCH:
                batch.append(self._queue.popleft())

    def _attempt(self, writer: Writer, job: _Job[Any], *, alone: bool) -> None:
        """One job: its changes stay, or none of them and the error is kept for its caller."""
        job.error = None
        if not alone:
            writer.execute("SAVEPOINT job")
        try:
            job.result = job.work(writer)
        except Exception as error:
            if isinstance(error, (apsw.IOError, apsw.FullError, apsw.CorruptError, apsw.NoMemError)):
                raise self._note(error) from error
            job.error = translate(error, self.path) if isinstance(error, apsw.Error) else error
            if alone:
                self._rollback(writer)
                return
            writer.execute("ROLLBACK TO job")
        if not alone:
            writer.execute("RELEASE job")

    # ----------------------------------------------------------------------------------------------------------- log

    def _note_log(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self.log_pages = pages
        return 0

    def _tidy(self) -> None:
        """Writes a long log back into the database, on a connection of its own, with no lock of ours held."""
        if self.log_pages < LONG_LOG or self.failed or not self._tidying.acquire(blocking=False):
            return
        try:
            huge = self.log_pages >= HUGE_LOG
            self.log_pages = 0
            fs.reach("db.checkpoint")
            if self._tidier is None:
                self._tidier = self._connect(readonly=False)
                self._tidier.set_busy_timeout(100)
            mode = apsw.SQLITE_CHECKPOINT_RESTART if huge else apsw.SQLITE_CHECKPOINT_PASSIVE
            self._tidier.wal_checkpoint(None, mode)
            fs.reach("db.checkpointed")
        except (apsw.BusyError, apsw.LockedError):
            return  # someone else is at it; the log stays valid as it is
        except (apsw.IOError, OSError) as error:
            self.fail(f"writing the log back into {self.path} failed: {error}")
        finally:
            self._tidying.release()


def _settle(batch: Iterable[_Job[Any]], own: _Job[Any], error: Exception | None) -> None:
    """Marks every job as done; each caller gets an error object of its own."""
    for job in batch:
        if error is not None:
            job.error = error if job is own else _copy(error)
        job.done = True


def _copy(error: Exception) -> Exception:
    fresh = type(error)(*error.args)
    fresh.__cause__ = error
    return fresh


def translate(error: apsw.Error, path: str) -> DiskError:
    """An SQLite error in our words."""
    if isinstance(error, (apsw.CorruptError, apsw.NotADBError)):
        return Damaged(f"{path}: the database is damaged ({error}); run `lakefs-hl fsck` and restore from a copy")
    if isinstance(error, (apsw.BusyError, apsw.LockedError)):
        return LockTimeout(f"{path}: another program has locked the database ({error})")
    if isinstance(error, apsw.CantOpenError):
        return Damaged(f"{path}: the database is missing or cannot be opened ({error})")
    if isinstance(error, apsw.FullError):
        return NoSpace(f"{path}: no space left on the disk; nothing of this write was kept")
    return DiskError(f"{path}: {type(error).__name__}: {error}")


_open: weakref.WeakSet[Database] = weakref.WeakSet()
_kept: list[object] = []


def _after_fork_in_child() -> None:
    for database in list(_open):
        database.after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)
