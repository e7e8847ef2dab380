"""The checksums of local files that were read before, so that an unchanged file is not read again.

A file is recognised by its device, inode, size, and both its times: of the content and of the attributes. One that
changed within two seconds of being read may have changed again with the same times, so its checksum is not kept. Each
row has a checksum of its own. The cache only ever saves work: if it is damaged it is made anew, and if it cannot be
used, everything is read.
"""

from __future__ import annotations

import logging
import os
import struct
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any, Final, Self, TypeVar

import apsw
import xxhash

from lakefs_hl._folders.found import Found
from lakefs_hl._folders.locks import try_lock

#: The number is that of the table's form.
NAME: Final = "checksums-1.db"
#: Most files that are kept: about 100 MB.
MAX_ROWS: Final = 1_000_000
_RACY_NS: Final = 2_000_000_000
_DAY_NS: Final = 86_400_000_000_000
#: How old the last use of a row may be before a new one is written.
_USE_DAYS: Final = 7
_BUSY_MS: Final = 5000
_LOG: Final = logging.getLogger("lakefs_hl")
#: What a row's own checksum is made of, and how SQLite keeps numbers.
_CONTENT: Final = struct.Struct("<qqqqq16s")
_HALF: Final = 1 << 63

#: Without syncs: after a loss of power the file may be damaged, which SQLite or a row's checksum finds.
_SETTINGS: Final = f"""
PRAGMA busy_timeout={_BUSY_MS};
PRAGMA journal_mode=TRUNCATE;
PRAGMA synchronous=OFF;
PRAGMA cache_size=-16384;
PRAGMA trusted_schema=OFF;
PRAGMA cell_size_check=ON;
PRAGMA temp_store=MEMORY;
CREATE TABLE IF NOT EXISTS checksum (
    device INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    ctime_ns INTEGER NOT NULL,
    md5 BLOB NOT NULL,
    used INTEGER NOT NULL,
    proof INTEGER NOT NULL,
    PRIMARY KEY (device, inode)
) WITHOUT ROWID, STRICT;
"""
_FIND: Final = "SELECT * FROM checksum WHERE device=? AND inode=?"
_STORE: Final = "INSERT OR REPLACE INTO checksum VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_USE: Final = "UPDATE checksum SET used=? WHERE device=? AND inode=?"
_PRUNE: Final = """
DELETE FROM checksum WHERE (device, inode) IN
    (SELECT device, inode FROM checksum ORDER BY used LIMIT max(0, (SELECT count(*) FROM checksum) - ?))
"""

#: What damage looks like: to SQLite, and to what reads a value of another type than was written.
_DAMAGE: Final = (
    *(apsw.CorruptError, apsw.NotADBError, apsw.SQLError, apsw.SchemaChangeError, apsw.FormatError),
    *(apsw.ReadOnlyError, apsw.ConstraintError, apsw.MismatchError, apsw.TooBigError),
    *(UnicodeDecodeError, struct.error),
)

_T = TypeVar("_T")


class Checksums:
    """The MD5 of local files by what they look like. Thread-safe; several processes may use one cache.

    Args:
        directory: The directory of the cache, which exists. None keeps nothing.
        max_rows: Most files that are kept.
    """

    def __init__(self, directory: str | os.PathLike[str] | None, *, max_rows: int = MAX_ROWS) -> None:
        self._path = None if directory is None else os.path.join(directory, NAME)
        self._max_rows = max_rows
        self._lock = Lock()
        self._connection: apsw.Connection | None = None
        self._identity = (0, 0)
        self._has_new = False
        self._used: list[tuple[int, int, int]] = []
        with self._lock:
            self._repair(self._open)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def get(self, files: Sequence[Found]) -> list[str | None]:
        """Return the MD5 of each file in hexadecimal digits. None if it is not known."""
        with self._lock:
            return self._repair(lambda: self._find(files)) or [None] * len(files)

    def put(self, files: Iterable[tuple[Found, str]], *, read_at_ns: int | None = None) -> None:
        """Keep the checksums of files.

        Args:
            files: Files, as they were when they were read, and their MD5 in hexadecimal digits.
            read_at_ns: When they were read, at the earliest. Defaults to now, which is right only if nothing waited in
                between.
        """
        now = time.time_ns()
        read_at = now if read_at_ns is None else read_at_ns
        day = now // _DAY_NS
        rows = list[tuple[Any, ...]]()
        for found, md5 in files:
            if not _is_racy(found, read_at):
                device, inode = _key(found)
                content = (device, inode, found.size, found.mtime_ns, found.ctime_ns, bytes.fromhex(md5))
                rows.append((*content, day, _proof(content)))
        if rows:
            with self._lock:
                self._repair(lambda: self._store(rows))

    def close(self) -> None:
        """Close the cache, and remove the files that were not looked up for the longest time if there are too many."""
        with self._lock:
            self._repair(self._finish)
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close(True)

    # -- the database --------------------------------------------------------------------------------------------------

    def _repair(self, action: Callable[[], _T]) -> _T | None:
        """Run an action. Make the database anew if it is damaged, and stop using it if it cannot be used."""
        try:
            return action()
        except _DAMAGE as exc:
            _LOG.info("checksums of local files: %s is damaged and is made anew: %s", self._path, exc)
        except (apsw.BusyError, apsw.LockedError) as exc:
            _LOG.debug("checksums of local files: %s is locked by another process: %s", self._path, exc)
            return None
        except (apsw.Error, OSError) as exc:
            self._give_up(exc)
            return None
        try:
            self._make_anew()
            return action()
        except (*_DAMAGE, apsw.Error, OSError) as exc:
            self._give_up(exc)
            return None

    def _give_up(self, exc: Exception) -> None:
        connection, self._connection, self._path = self._connection, None, None
        _LOG.info("checksums of local files cannot be kept, so that unchanged files are read again: %s", exc)
        if connection is not None:
            with suppress(apsw.Error):
                connection.close(True)

    def _open(self) -> None:
        if self._path is None or self._connection is not None:
            return
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
        fd = os.open(self._path, flags, 0o600)
        try:
            self._identity = _identity(os.fstat(fd))
        finally:
            os.close(fd)
        self._connection = apsw.Connection(self._path, flags=apsw.SQLITE_OPEN_READWRITE)
        self._connection.execute(_SETTINGS).fetchall()

    def _make_anew(self) -> None:
        """Remove the damaged database, unless another process has done so meanwhile."""
        path, connection = self._path, self._connection
        self._connection = None
        if connection is not None:
            with suppress(apsw.Error):
                connection.close(True)
        if path is None:
            return
        fd = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            with suppress(FileNotFoundError):
                if try_lock(fd) and _identity(os.lstat(path)) == self._identity:
                    Path(f"{path}-journal").unlink(missing_ok=True)
                    os.unlink(path)
            self._open()
        finally:
            os.close(fd)

    # -- its rows ------------------------------------------------------------------------------------------------------

    def _find(self, files: Sequence[Found]) -> list[str | None]:
        connection = self._connection
        if connection is None:
            return [None] * len(files)
        keys = [_key(found) for found in files]
        with connection:
            rows = {row[:2]: row for row in connection.executemany(_FIND, keys)}
        stale = time.time_ns() // _DAY_NS - _USE_DAYS
        known = list[str | None]()
        for found, key in zip(files, keys, strict=True):
            row = rows.get(key)
            if (
                row is None
                or row[2] != found.size
                or row[3] != found.mtime_ns
                or row[4] != found.ctime_ns
                or row[7] != _proof(row[:6])
            ):
                known.append(None)
                continue
            if type(row[6]) is not int or row[6] < stale:
                self._used.append((stale + _USE_DAYS, *key))
            known.append(row[5].hex())
        return known

    def _store(self, rows: list[tuple[Any, ...]]) -> None:
        connection = self._connection
        if connection is not None:
            with connection:
                connection.executemany(_STORE, rows)
            self._has_new = True

    def _finish(self) -> None:
        connection = self._connection
        if connection is None:
            return
        used, self._used = self._used, []
        if used or self._has_new:
            with connection:
                connection.executemany(_USE, used)
                if self._has_new:
                    connection.execute(_PRUNE, (self._max_rows,))


def _is_racy(found: Found, read_at_ns: int) -> bool:
    """Return whether a file may change after it was read and still look the same.

    A modification time that lies ahead is that of another clock, or was set by a program, as it often is.
    """
    return read_at_ns - found.ctime_ns < _RACY_NS or abs(read_at_ns - found.mtime_ns) < _RACY_NS


def _key(found: Found) -> tuple[int, int]:
    """Return the device and the inode as numbers with a sign, as SQLite keeps them."""
    device, inode = found.device, found.inode
    return device if device < _HALF else device - 2 * _HALF, inode if inode < _HALF else inode - 2 * _HALF


def _proof(content: tuple[Any, ...]) -> int:
    """Return the checksum of a row: bytes that the disk changed are no checksum of a file."""
    return xxhash.xxh3_64_intdigest(_CONTENT.pack(*content)) - _HALF


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino
