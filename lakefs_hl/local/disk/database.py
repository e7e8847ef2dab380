"""The lake's database: one writer per process, readers as needed, group commit, fork.

Rules of the room: a read never runs on the writer's connection, and never waits for a writer. Locks are taken in one
order: the turn within the process, the lock between processes, SQLite's own. What `run` and `submit` return from is on
the disk. The main thread never takes these locks, since signals interrupt it between any two lines: a deputy does it
for it. Everybody else carries the waiting jobs along when they write, and tidies the log after letting go of the locks.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Final, TypeVar, cast

import apsw

from lakefs_hl.local.disk import counter, deputy, forks, fs, origin
from lakefs_hl.local.disk.blocks import Local, Reading, Writing
from lakefs_hl.local.disk.connections import check_version, connect, disown
from lakefs_hl.local.disk.deputy import Deputy
from lakefs_hl.local.disk.errors import DiskError, LockTimeout, NoThread, scarcity
from lakefs_hl.local.disk.group import Group
from lakefs_hl.local.disk.lock import FileLock, Turn
from lakefs_hl.local.disk.log import Log
from lakefs_hl.local.disk.readers import Readers
from lakefs_hl.local.disk.rows import Reader, Writer, system_error, translate
from lakefs_hl.local.disk.trust import Trust

__all__ = ["Database", "Reader", "Writer"]

T = TypeVar("T")

#: Name of the database file in the lake's folder.
NAME: Final = "lake.db"
#: Pages in the log from which it is written back into the database; 32 MiB. (Crash tests make it short.)
LONG_LOG = 8192
#: Pages from which it is written back with the door closed, because readers kept it growing; 256 MiB.
HUGE_LOG: Final = 65536
#: How long closing waits for a write that is under way, twice: then it is ended, then left to close what it uses.
CLOSE_WAITS: Final = 0.3
_TORN: Final = (
    "this process was forked in the middle of a read or write of the lake, which SQLite does not survive; start "
    "processes by spawn or forkserver, or fork before the lake is used"
)
_MOVED: Final = (
    "the lake's folder has been removed, renamed or replaced since it was opened; nothing of this write was kept. Open "
    "the lake anew, where it is now"
)


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
    epoch: int = 0
    quiet: bool = False  # whether nothing was open at the fork that is under way
    turn_for_fork: bool = False
    _torn = False  # forked in the middle of something

    def __init__(
        self, folder: str, *, sync: bool = True, vfs: str | None = None, timeout: float = 30.0, create: bool = False
    ) -> None:
        check_version()
        self.folder = folder
        self.path: str = os.path.join(folder, NAME)
        self.sync = sync
        self.timeout = timeout
        self.trust: Trust = Trust(self.path)
        self.closing = False
        self._vfs = vfs
        self._closed = False
        self._file: tuple[int, int] | None = None
        self._lock = _open_lock(folder)
        self._reset()
        forks.watch(self)
        try:
            if create:
                origin.make(self)
            origin.check(self)
            self._file = _identity(self.path)
        except BaseException:
            self.close()
            raise

    # ------------------------------------------------------------------------------------------ opening and forking

    def _reset(self) -> None:
        """Everything that belongs to one process."""
        self.pid = os.getpid()
        self.epoch += 1
        self.local: Local = Local()
        self._deputy = Deputy()
        self.readers: Readers = Readers(lambda: self._connect(readonly=True))
        self._turn = Turn()
        self.log: Log = Log(lambda: self._connect(readonly=False), self.trust)
        self._group = Group(self)
        self._durable: bool | None = True  # what the writer's connection is set to, if that is known
        self._writer: Writer | None = None
        self._before = 0  # rows changed through its connection when the transaction began

    def after_fork(self, *, torn: bool = False) -> None:
        """In a forked child: nothing of the parent's is used, closed or unlocked.

        Args:
            torn: Whether another Database on this folder was in use.
        """
        if self.pid == os.getpid():
            return
        left = self.readers.all()
        left += [self._writer._connection] if self._writer else []
        left += [self.log.tidier] if self.log.tidier else []
        self._torn = torn or self._torn or not self.quiet or bool(left)  # forked behind Python's back
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
        if self.closing or self._closed:
            raise DiskError(f"{self.folder}: this lake has been closed")
        if self._torn:
            raise DiskError(f"{self.folder}: {_TORN}")

    def create_file(self) -> None:
        """Makes the file, if it is missing, and the log beside it."""
        self._turn.acquire(self.timeout)
        try:
            self._lock.acquire(self.timeout)
            if not os.path.exists(self.path):  # SQLite would make it readable for others
                fs.close(fs.create(self.path, "db"))
            self._make_writer()
        finally:
            self.leave()

    def close(self) -> None:
        """Closes every connection that is not in use; the others close when their reads and writes end.

        It takes no longer than a second: writes that wait are refused, and one under way is ended unless it commits.
        """
        if self.pid != os.getpid():
            self.after_fork()
        if self._closed:
            return
        self.closing = True
        if not deputy.needed() or (self._writer is None and self.log.tidier is None):
            self._close()
        else:
            closer = Deputy()  # the one that writes may be waiting for another process
            try:
                closer.ask(self._close)
            except NoThread:
                self._close()
            finally:
                closer.retire(CLOSE_WAITS)
        self._deputy.retire(0.0 if self._turn.owner else CLOSE_WAITS)

    def _close(self) -> None:
        mine = self._turn.mine()  # called by the garbage collector in the midst of a write, which closes when it leaves
        got = not mine and self._turn.acquire(CLOSE_WAITS)
        self._closed = True
        self.readers.close()
        if not got and not mine:
            self._lock.give_up()
            writer = self._writer
            if writer is not None:
                writer._connection.interrupt()
            got = self._turn.acquire(CLOSE_WAITS)
        if got:
            self.leave()

    def close_writing(self, *, last: bool = False) -> None:
        """Closes what writes, with the turn and the log's turn held: nobody else is using either connection.

        Args:
            last: Whether the log may be written back by the last one to leave: if that is soon done, and never after
                a failed sync.
        """
        keep = not last or self.failed is not None or self.log.pages > 2 * LONG_LOG
        closing = (self._writer._connection if self._writer else None, self.log.tidier)
        self._writer = self.log.tidier = None  # first: nothing that is half closed is used again
        self._durable = True
        for connection in closing:
            if connection is not None:
                _shut(connection, keep_log=keep)

    # ------------------------------------------------------------------------------------------------------- reading

    def read(self) -> Reading:
        """One read transaction on a connection of this thread; inside another of this thread, the same one.

        Examples:
            with database.read() as reader:
                row = reader.row("SELECT data FROM node WHERE hash = ?", (digest,))
        """
        return Reading(self)

    # ------------------------------------------------------------------------------------------------------- writing

    def run(self, work: Callable[[Writer], T], *, durable: bool = True, patience: float | None = None) -> T:
        """Runs `work` in a write transaction of its own; returns when it is on the disk.

        Args:
            work: Runs once, on this thread or another; if it raises, nothing is kept. A long one looks at `closing`
                now and then, and raises when that is set.
            durable: False for rows that nothing refers to yet: they become durable with the next durable write.
            patience: Seconds to wait for other writers, if not as long as the lake's others do.

        Raises:
            LockTimeout: Other writers kept the lake too long.
            ReadOnly: A sync has failed before, or now.
            Scarcity: The machine ran out of something.
        """
        if self.pid != os.getpid():
            self.after_fork()
        self._must_not_nest()

        def alone() -> T:
            with self.write(durable=durable, patience=patience) as writer:
                return work(writer)

        return self.apart(alone)

    def settle(self) -> None:
        """Before a read: a write that the main thread was interrupted in is over, or never begins."""
        if self._deputy.asked and deputy.needed():
            self._deputy.settle()

    def apart(self, work: Callable[[], T]) -> T:
        """Runs what must not be interrupted half-way: on another thread, if this is the main one.

        Raises:
            NoThread: None can be started.
        """
        return self._deputy.ask(work) if deputy.needed() else work()

    def write(self, *, durable: bool = True, patience: float | None = None) -> Writing:
        """One write transaction as a block, for threads that no signal interrupts: see `run`.

        Args:
            durable: False for rows that nothing refers to yet: they become durable with the next durable write.
            patience: Seconds to wait for other writers, if not as long as the lake's others do.

        Raises:
            LockTimeout: Other writers kept the lake too long.
            ReadOnly: A sync has failed before, or now.
        """
        return Writing(self, durable, patience)

    def begin(self, *, durable: bool | Callable[[], bool] = True, patience: float | None = None) -> Writer:
        """Takes the locks and begins; `end` must follow. With them taken, `durable` may be asked for."""
        self._must_not_nest()
        patience = self.timeout if patience is None else patience
        deadline = time.monotonic() + patience
        try:
            if not self._turn.acquire(patience):
                raise LockTimeout(f"{self.folder}: other threads have been writing for {patience:g} s")
            self.must_write()
            self._lock.acquire(deadline - time.monotonic())
            if self.trust.failed:
                with self.log:
                    self.close_writing()
                    self.trust.renew(self._make_writer())
            writer = self._writer or self._make_writer()
            fs.reach("db.begin")
            self._set_durable(writer, durable if isinstance(durable, bool) else durable())
            writer.execute("BEGIN IMMEDIATE")
            self._before = writer._connection.total_changes()
        except BaseException as error:
            number = system_error(self._writer)
            self.leave()
            ours = _not_begun(error, self.path, number)
            if ours is None:
                raise
            raise ours from error
        return writer

    def _set_durable(self, writer: Writer, durable: bool) -> None:
        writer.durable = durable
        if self._durable != durable and self.sync:
            self._durable = None
            writer.execute("PRAGMA synchronous=FULL" if durable else "PRAGMA synchronous=NORMAL")
            self._durable = durable

    def end(self, error: BaseException | None) -> None:
        """Commits, or rolls back if there was an error; lets go of the locks; tidies the log."""
        try:
            if error is None:
                self.commit()
            else:
                noted = self.note(error) if isinstance(error, apsw.Error) else None
                self.rollback()
                if noted is not None:
                    raise noted from error
        except BaseException:
            self.rollback()
            raise
        finally:
            self.leave()
        self.tidy()

    def _make_writer(self) -> Writer:
        connection = self._connect(readonly=False)
        connection.set_wal_hook(self.log.note)
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
        self.trust.must_hold()
        if self.moved():
            raise DiskError(f"{self.folder}: {_MOVED}")

    @property
    def failed(self) -> str | None:
        """Why the lake is read-only, if a sync has failed and it has not been verified since."""
        return self.trust.failed

    def note(self, error: apsw.Error | OSError) -> DiskError:
        """An error while writing, as ours; a failed sync ends writing, what is merely scarce does not."""
        return self.trust.note(error, system_error(self._writer))

    def tidy(self) -> None:
        """Writes a long log back into the database, with no lock of ours held."""
        self.log.tidy(LONG_LOG, HUGE_LOG)

    @property
    def writing(self) -> bool:
        """Whether the writer is inside a transaction."""
        return self._writer is not None and self._writer._connection.in_transaction

    def commit(self) -> None:
        try:
            writer = cast("Writer", self._writer)
            changed = self.sync and self._durable and writer._connection.total_changes() != self._before
            note = counter.draw(writer) if changed else None
            fs.reach("db.commit")
            writer.execute("COMMIT")
            fs.reach("db.committed")
            if note is not None:
                self._lock.note(note)
        except (apsw.Error, OSError) as error:
            raise self.note(error) from error

    def rollback(self) -> None:
        """Undoes the transaction, if it is this thread's: another's is none of our business."""
        if self._writer is None or not self._turn.mine() or not self.writing:
            return
        try:
            self._writer.execute("ROLLBACK")
        except apsw.Error:  # whatever is wrong with the connection goes with it
            self._drop_writer(self._writer)

    def leave(self) -> None:
        """Lets go of whatever of the locks is ours, also half-way into taking them.

        A transaction that is open still is undone: the next writer could not begin, and those of other processes would
        wait for it.
        """
        if self._turn.mine():
            try:
                self.rollback()
                self._drop_if_reading()
            finally:
                try:
                    self._lock.reset()
                    if self._closed:  # whoever has the turn last closes
                        with self.log:
                            self.close_writing(last=True)
                        self._lock.close()
                finally:
                    self._turn.release()

    def _drop_if_reading(self) -> None:
        """Closes the writer's connection if somebody, such as an error's traceback, has kept a cursor of it.

        The cursor would hold its moment, and the next transaction could not begin once another process has written.
        """
        if self._writer is not None and self._writer._connection.txn_state() != apsw.SQLITE_TXN_NONE:
            self._drop_writer(self._writer)

    def _drop_writer(self, writer: Writer) -> None:
        """Closes the writer's connection, and writes nothing back."""
        self._writer, self._durable = None, True
        _shut(writer._connection)

    def submit(self, work: Callable[[Writer], T], *, durable: bool = True) -> T:
        """Runs `work` in a write transaction shared with whoever else is waiting; returns when it is on the disk.

        Inside of a batch (`batch.py`) it runs at once, and is on the disk when the batch is.

        Args:
            work: Runs on this thread or another, inside a savepoint: if it raises, only it is undone. It may be run
                again if the thread that ran it was interrupted, so it must do nothing but write.
            durable: False for what need not be on the disk before the next durable write is.

        Raises:
            LockTimeout: Other writers kept the lake too long.
            ReadOnly: A sync has failed before, or now.
            Scarcity: The machine ran out of something.
        """
        if self.pid != os.getpid():
            self.after_fork()
        batch = self.local.batch
        if batch is not None and self._turn.mine():
            return batch.part(work)
        self._must_not_nest()
        return self.apart(lambda: self._group.submit(work, durable=durable))


def _open_lock(folder: str) -> FileLock:
    try:
        return FileLock(folder)
    except OSError as error:
        message = f"{folder}: the lock cannot be opened: {error}"
        raise scarcity(error.errno, message) or DiskError(message) from error


def _shut(connection: apsw.Connection, *, keep_log: bool = True) -> None:
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, int(keep_log))
    connection.close(True)


def _not_begun(error: BaseException, path: str, number: int) -> DiskError | None:
    """Why a write could not begin, in our words; None if an error is no matter of the disk, or ours already."""
    if isinstance(error, apsw.Error):
        return translate(error, path, number)
    if isinstance(error, OSError) and not isinstance(error, DiskError):
        message = f"{path}: no write can begin: {error}"
        return scarcity(error.errno, message) or DiskError(message)
    return None


def _identity(path: str) -> tuple[int, int] | None:
    """Which file a path names now; None if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
