"""The index of a cache of snapshots: which are complete, the files of each, the last use, and what references were.

Only what it says is lost with it: a snapshot without a row is completed by reading its files again.
"""

from __future__ import annotations

import errno
import functools
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar, cast

from lakefs_hl.facades.holds import Hold

F = TypeVar("F", bound=Callable[..., Any])
_BUSY_MS: Final = 60_000
#: The directory of a snapshot, relative to the cache.
_DIRECTORY: Final = re.compile(r"[a-z0-9_-]+/[a-z0-9_-]+")
_LOG: Final = logging.getLogger("lakefs_hl")
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS snapshot (
    id INTEGER PRIMARY KEY, key TEXT UNIQUE NOT NULL, directory TEXT NOT NULL, endpoint TEXT NOT NULL,
    uri TEXT NOT NULL, files INTEGER NOT NULL, bytes INTEGER NOT NULL, used REAL NOT NULL, is_complete INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS file (
    snapshot INTEGER NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, md5 TEXT NOT NULL,
    PRIMARY KEY (snapshot, path)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS file_by_content ON file (md5, size);
CREATE TABLE IF NOT EXISTS reference (
    key TEXT PRIMARY KEY, commit_id TEXT NOT NULL, seen REAL NOT NULL
) WITHOUT ROWID;
"""


class Row(NamedTuple):
    """A snapshot as the index has it.

    Attributes:
        key: Its key.
        directory: Its directory, relative to the cache.
        endpoint: Endpoint of the lake.
        uri: Its URI.
        files: Number of files.
        size_bytes: Size of all files.
        used: When it was used last, in Unix seconds.
        is_complete: Whether it may be given out.
    """

    key: str
    directory: str
    endpoint: str
    uri: str
    files: int
    size_bytes: int
    used: float
    is_complete: bool


class File(NamedTuple):
    """A file of a snapshot.

    Attributes:
        path: Its path in the directory.
        size: Its size in bytes.
        mtime_ns: Its modification time in nanoseconds.
        md5: The MD5 of its content.
    """

    path: str
    size: int
    mtime_ns: int
    md5: str


def _mend(method: F) -> F:
    """Have a method make a damaged index anew, and begin again. Its arguments must last for that.

    A full disk is an `OSError` of the method.
    """

    @functools.wraps(method)
    def call(self: Index, *args: Any) -> Any:
        try:
            return method(self, *args)
        except import_module("apsw").FullError as exc:
            raise OSError(errno.ENOSPC, "no space left for the index of snapshots", str(self.path)) from exc
        except _damage() as exc:
            damage = exc
        hold = Hold.take(self._lock, wait=True)
        try:
            with suppress(*_damage()):
                return method(self, *args)  # another process has made it anew
            _LOG.info("the index of snapshots %s is damaged and is made anew: %s", self.path, damage)
            self._reset()
            return method(self, *args)
        finally:
            if hold is not None:
                hold.release()

    return cast("F", call)


def _damage() -> tuple[type[Exception], ...]:
    """Return the errors that damage is seen by: SQLite compares and returns a text that is no UTF-8 like any other."""
    apsw = import_module("apsw")
    found: tuple[type[Exception], ...] = (
        *(apsw.NotADBError, apsw.CorruptError, apsw.SQLError, apsw.FormatError, apsw.ConstraintError),
        *(apsw.MismatchError, UnicodeDecodeError),
    )
    return found


class Index:
    """The index. It is opened for each call, so that nothing is open across a fork.

    Args:
        path: The SQLite file.
        lock: The lock of who replaces a damaged one.
    """

    def __init__(self, path: Path, lock: Path) -> None:
        self.path, self._lock = path, lock

    @contextmanager
    def _open(self) -> Iterator[Any]:
        """Open the index for one transaction."""
        connection = self._connect()
        try:
            with connection:
                yield connection
        finally:
            connection.close()

    @contextmanager
    def _note(self) -> Iterator[Any]:
        """Open the index for a note, which is left out if the index is read-only or the disk full."""
        apsw = import_module("apsw")
        with suppress(apsw.ReadOnlyError, apsw.CantOpenError, apsw.FullError), self._open() as connection:
            yield connection

    def _connect(self) -> Any:
        if self.path.is_symlink():  # a database of something else
            self.path.unlink(missing_ok=True)
        return _prepare(import_module("apsw"), self.path)

    def _reset(self) -> None:
        """Remove everything from the index. SQLite does it: others may have it open."""
        apsw = import_module("apsw")
        connection = apsw.Connection(str(self.path))
        try:
            connection.set_busy_timeout(_BUSY_MS)
            with suppress(apsw.Error):
                connection.execute("SELECT 1 FROM sqlite_schema").fetchall()
            connection.config(apsw.SQLITE_DBCONFIG_RESET_DATABASE, 1)
            connection.execute("VACUUM")
        finally:
            connection.close(True)

    # -- snapshots -----------------------------------------------------------------------------------------------------

    @_mend
    def rows(self) -> list[Row]:
        """Return all snapshots, the one that was used least recently first."""
        if not self.path.exists():
            return []
        with self._open() as connection:
            found = connection.execute(f"{_ROWS} ORDER BY used, id").fetchall()
        return [_row(values) for values in found]

    @_mend
    def get(self, key: str) -> Row | None:
        """Return a snapshot. None if there is none."""
        with self._open() as connection:
            return next((_row(values) for values in connection.execute(f"{_ROWS} WHERE key = ?", (key,))), None)

    @_mend
    def files(self, key: str) -> list[File]:
        """Return the files of a snapshot."""
        query = "SELECT path, size, mtime_ns, md5 FROM file WHERE snapshot = (SELECT id FROM snapshot WHERE key = ?)"
        with self._open() as connection:
            return [_file(values) for values in connection.execute(query, (key,))]

    @_mend
    def put(self, row: Row, files: Iterable[File]) -> None:
        """Store a snapshot in place of the one with its key."""
        with self._open() as connection:
            _delete(connection, row.key)
            connection.execute(
                "INSERT INTO snapshot (key, directory, endpoint, uri, files, bytes, used, is_complete) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )
            number = connection.last_insert_rowid()
            connection.executemany("INSERT INTO file VALUES (?, ?, ?, ?, ?)", ((number, *file) for file in files))

    @_mend
    def delete(self, key: str) -> None:
        """Forget a snapshot."""
        with self._open() as connection:
            _delete(connection, key)

    @_mend
    def use(self, key: str, now: float) -> None:
        """Note that a snapshot is used."""
        with self._note() as connection:
            connection.execute("UPDATE snapshot SET used = ? WHERE key = ?", (now, key))

    @_mend
    def distrust(self, key: str) -> None:
        """Note that a snapshot has to be completed again before it is given out."""
        with self._note() as connection:
            connection.execute("UPDATE snapshot SET is_complete = 0 WHERE key = ?", (key,))

    @_mend
    def has_others(self, key: str) -> bool:
        """Return whether there is another snapshot, whose files could be used again."""
        query = "SELECT 1 FROM snapshot WHERE is_complete AND key != ? LIMIT 1"
        with self._open() as connection:
            return bool(connection.execute(query, (key,)).fetchall())

    @_mend
    def sources(self, key: str, contents: Iterable[tuple[str, int]]) -> list[list[tuple[str, str]]]:
        """Return where content is in other snapshots: up to three keys and paths relative to the cache, for each.

        Args:
            key: The snapshot that wants it.
            contents: MD5 and size of each content.
        """
        query = (
            "SELECT s.key, s.directory || '/' || f.path FROM file AS f JOIN snapshot AS s ON s.id = f.snapshot "
            "WHERE f.md5 = ? AND f.size = ? AND s.is_complete AND s.key != ? LIMIT 3"
        )
        with self._open() as connection:
            found = [connection.execute(query, (md5, size, key)).fetchall() for md5, size in contents]
        return [[(_check_types(row, str, str)[0], row[1]) for row in rows] for rows in found]

    # -- references ----------------------------------------------------------------------------------------------------

    @_mend
    def reference(self, key: str) -> tuple[str, float] | None:
        """Return the commit of a reference, and when that was noted in Unix seconds. None if it was not."""
        with self._open() as connection:
            for commit_id, seen in connection.execute("SELECT commit_id, seen FROM reference WHERE key = ?", (key,)):
                return cast("tuple[str, float]", _check_types((commit_id, seen), str, float))
        return None

    @_mend
    def note(self, key: str, commit_id: str, now: float) -> None:
        """Note the commit of a reference."""
        with self._note() as connection:
            connection.execute("REPLACE INTO reference VALUES (?, ?, ?)", (key, commit_id, now))


_ROWS: Final = "SELECT key, directory, endpoint, uri, files, bytes, used, is_complete FROM snapshot"


def _row(values: tuple[Any, ...]) -> Row:
    *fields, is_complete = _check_types(values, str, str, str, str, int, int, float, int)
    row = Row._make([*fields, bool(is_complete)])
    if _DIRECTORY.fullmatch(row.directory) is None:
        raise _damage_error()
    return row


def _file(values: tuple[Any, ...]) -> File:
    file = File(*_check_types(values, str, int, int, str))
    if {"", ".", ".."} & set(file.path.split("/")):
        raise _damage_error()
    return file


def _check_types(values: tuple[Any, ...], *types: type) -> tuple[Any, ...]:
    """Return a row. What it says is removed or read later, so it must be what was written.

    Raises:
        FormatError: A value has another type.
    """
    if tuple(map(type, values)) != types:
        raise _damage_error()
    return values


def _damage_error() -> Exception:
    error: Exception = import_module("apsw").FormatError("a row has values that were never written")
    return error


def _delete(connection: Any, key: str) -> None:
    connection.execute("DELETE FROM file WHERE snapshot IN (SELECT id FROM snapshot WHERE key = ?)", (key,))
    connection.execute("DELETE FROM snapshot WHERE key = ?", (key,))


def _prepare(apsw: Any, path: Path) -> Any:
    """Open the index, and create its tables if needed."""
    connection = apsw.Connection(str(path))
    try:
        connection.set_busy_timeout(_BUSY_MS)
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'reference'").fetchall():
            connection.execute(f"BEGIN IMMEDIATE;{_SCHEMA}COMMIT")
    except BaseException:
        connection.close()
        raise
    return connection
