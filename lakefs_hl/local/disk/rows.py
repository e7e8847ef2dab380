"""Asking and changing rows inside one transaction, and SQLite's errors in our words.

Rules of the room: a Reader or Writer is good until its `with` block ends, on the thread that began it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias, cast

import apsw

from lakefs_hl.local.disk.errors import Damaged, DiskError, LockTimeout, NoMemory, NoSpace, ReadOnly, scarcity

Args: TypeAlias = "Sequence[Any] | dict[str, Any]"
#: What a column may hold.
Value: TypeAlias = "bytes | str | int | float | None"
#: A file that is shorter than it was, or a disk that does not give back what it took.
_UNREADABLE: Final = frozenset(
    {apsw.SQLITE_IOERR_READ, apsw.SQLITE_IOERR_SHORT_READ, apsw.SQLITE_IOERR_CORRUPTFS, apsw.SQLITE_IOERR_DATA}
)


class Reader:
    """What can be asked inside one read transaction; everything it answers is of one moment.

    Attributes:
        loan: Which time it was lent this is: another each time.
    """

    __slots__ = ("_connection", "execute", "executemany", "loan")

    execute: Callable[..., apsw.Cursor]
    executemany: Callable[..., apsw.Cursor]
    loan: int

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self.execute = connection.execute
        self.executemany = connection.executemany
        self.loan = 0

    def row(self, sql: str, args: Args = ()) -> tuple[Any, ...] | None:
        """The first row, None if there is none."""
        return cast("tuple[Any, ...] | None", self.execute(sql, args).fetchone())

    def rows(self, sql: str, args: Args = ()) -> list[tuple[Any, ...]]:
        """All rows."""
        return cast("list[tuple[Any, ...]]", self.execute(sql, args).fetchall())

    def define(self, name: str, function: Callable[..., Value]) -> None:
        """Makes a function known to SQL."""
        self._connection.create_scalar_function(name, function, deterministic=True)


class Writer(Reader):
    """What can be done inside one write transaction; it sees its own changes.

    Attributes:
        drawn: Rows of the table `sequence` as this writer wrote them last, also if that was undone (`sequence.draw`).
        durable: Whether the transaction is on the disk when it is over, or with the next one that is.
    """

    __slots__ = ("drawn", "durable")

    drawn: dict[str, tuple[int, int]]
    durable: bool

    def __init__(self, connection: apsw.Connection) -> None:
        super().__init__(connection)
        self.drawn = {}
        self.durable = True

    @property
    def changes(self) -> int:
        """Rows that the latest statement changed."""
        return self._connection.changes()


def system_error(reader: Reader | None) -> int:
    """What the system said to the latest failed call of SQLite for a reader; 0 if that was no matter of files."""
    try:
        return 0 if reader is None else reader._connection.system_errno
    except apsw.Error:  # closed meanwhile
        return 0


def sync_failed(error: BaseException) -> bool:
    """Whether an error tells that bytes may not be on the disk, as opposed to not having been written."""
    codes = (apsw.SQLITE_IOERR_FSYNC, apsw.SQLITE_IOERR_DIR_FSYNC)
    return isinstance(error, apsw.IOError) and getattr(error, "extendedresult", 0) in codes


def translate(error: apsw.Error, path: str, number: int = 0) -> DiskError:
    """An SQLite error in our words.

    Args:
        error: What apsw raised.
        path: The database.
        number: What the system said, if that is known (see `system_error`).
    """
    if isinstance(error, (apsw.CorruptError, apsw.NotADBError)):
        return Damaged(f"{path}: the database is damaged ({error}); run `lakefs-hl fsck` and restore from a copy")
    if isinstance(error, (apsw.BusyError, apsw.LockedError, apsw.ProtocolError)):
        return LockTimeout(f"{path}: another program has locked the database ({error})")
    if isinstance(error, (apsw.CantOpenError, apsw.IOError)):
        scarce = scarcity(number, f"{path}: {os.strerror(number)} ({error}); nothing of this was kept, try again")
        if scarce is not None:
            return scarce
    if getattr(error, "extendedresult", 0) in _UNREADABLE:
        return Damaged(f"{path}: the database cannot be read to its end ({error}); check the disk and restore a copy")
    if isinstance(error, apsw.CantOpenError):
        return _cannot_open(error, path)
    if isinstance(error, apsw.FullError):
        return NoSpace(f"{path}: no space left on the disk; nothing of this write was kept")
    if isinstance(error, apsw.NoMemError) or getattr(error, "extendedresult", 0) == apsw.SQLITE_IOERR_NOMEM:
        return NoMemory(f"{path}: no memory left; nothing of this write was kept")
    if isinstance(error, apsw.ReadOnlyError):
        return ReadOnly(f"{path}: the lake cannot be written: its folder, files or file system are read-only ({error})")
    if isinstance(error, apsw.InterruptError):
        return DiskError(f"{path}: the lake is being closed; nothing of this write was kept")
    return DiskError(f"{path}: {type(error).__name__}: {error}")


def _cannot_open(error: apsw.CantOpenError, path: str) -> DiskError:
    """Why a file does not open, when SQLite does not tell: it is no damage if the file is there and ours to read."""
    if not os.path.isfile(path):
        return Damaged(f"{path}: the database is missing ({error})")
    try:
        os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as met:
        found = scarcity(met.errno, f"{path}: {met.strerror}; nothing was read or written, try again")
        if found is not None:
            return found
    if not os.access(path, os.R_OK):
        return DiskError(f"{path}: the database may not be read by this user ({error})")
    return DiskError(f"{path}: the database or its log cannot be opened now ({error})")
