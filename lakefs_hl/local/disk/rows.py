"""Asking and changing rows inside one transaction, and SQLite's errors in our words.

Rules of the room: a Reader or Writer is good until its `with` block ends, on the thread that began it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, cast

import apsw

from lakefs_hl.local.disk.errors import Damaged, DiskError, LockTimeout, NoMemory, NoSpace, ReadOnly

Args: TypeAlias = "Sequence[Any] | dict[str, Any]"
#: What a column may hold.
Value: TypeAlias = "bytes | str | int | float | None"


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

    def rows(self, sql: str, args: Args = ()) -> list[tuple[Any, ...]]:
        """All rows."""
        return cast("list[tuple[Any, ...]]", self.execute(sql, args).fetchall())


class Writer(Reader):
    """What can be done inside one write transaction; it sees its own changes."""

    __slots__ = ("executemany",)

    executemany: Callable[..., apsw.Cursor]

    def __init__(self, connection: apsw.Connection) -> None:
        super().__init__(connection)
        self.executemany = connection.executemany

    def define(self, name: str, function: Callable[..., Value]) -> None:
        """Makes a function known to SQL."""
        self._connection.create_scalar_function(name, function, deterministic=True)

    @property
    def changes(self) -> int:
        """Rows that the latest statement changed."""
        return self._connection.changes()


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
    if isinstance(error, apsw.NoMemError):
        return NoMemory(f"{path}: no memory left; nothing of this write was kept")
    if isinstance(error, apsw.ReadOnlyError):
        return ReadOnly(f"{path}: the lake cannot be written: its folder, files or file system are read-only ({error})")
    return DiskError(f"{path}: {type(error).__name__}: {error}")
