"""Reading a lake's database without changing a file of its folder: for checks, also of a lake on a read-only mount.

An ordinary connection makes `lake.db-shm` where it is missing, repairs it after a kill, and may write the log back. So
the database is opened in one of three ways, by what lies beside it:

- with a `-shm`, read-only through that file as it is. Where a process has the lake open, SQLite's locks hold as ever;
  where a kill has left it, SQLite reads the log into memory;
- with a log alone, without locks, the log's index in memory;
- with neither, as a file that does not change.

The last two are right only while nobody opens the lake. If somebody did, `Overtaken` is raised at the end.

Rules of the room: nothing here writes, and the connection is closed before the lake is used otherwise.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import quote

import apsw

from lakefs_hl.local.disk import database, migration
from lakefs_hl.local.disk.connections import check_version
from lakefs_hl.local.disk.errors import Damaged, DiskError, LockTimeout
from lakefs_hl.local.disk.rows import Reader, translate

_SETTINGS: Final = """
PRAGMA busy_timeout=10000;
PRAGMA cache_size=-8192;
PRAGMA trusted_schema=OFF;
PRAGMA cell_size_check=ON;
PRAGMA temp_store=MEMORY;
"""
_State: TypeAlias = "tuple[tuple[int, int, int] | None, ...]"
#: How often a `-shm` that another process is just making is looked at again, and how long between, seconds.
_TRIES: Final = 50
_PAUSE: Final = 0.02


class Overtaken(DiskError):
    """Another process opened the lake while it was read without locks: what was read may be of no single moment."""


class Inspection(NamedTuple):
    """A database that is open to be looked at.

    Attributes:
        reader: One moment of it.
        version: Of its tables.
    """

    reader: Reader
    version: int


@contextmanager
def inspect(folder: str) -> Iterator[Inspection]:
    """Opens the database of a lake's folder; older tables look like today's.

    Raises:
        Damaged: It is missing, or no database.
        LockTimeout: Other processes kept it too long.
        Overtaken: Another process has opened it, so what was found may be wrong. Once more is likely to do.
        DiskError: It cannot be read.
    """
    check_version()
    path = os.path.join(folder, database.NAME)
    if not os.path.exists(path):
        raise Damaged(f"{folder}: {database.NAME} is missing; restore it from a copy of the whole folder")
    connection, before = _open(path)
    try:
        reader = Reader(connection)
        found = Inspection(reader, migration.version_of(reader))
        migration.show(found.reader)
        yield found
    except (apsw.Error, DiskError) as error:
        _check_still(path, before)
        if isinstance(error, apsw.Error):
            raise translate(error, path) from error
        raise
    else:
        _check_still(path, before)
    finally:
        connection.close(True)


def _check_still(path: str, before: _State | None) -> None:
    """Raises if the files changed under a connection that has no locks."""
    if before is not None and _state(path) != before:
        raise Overtaken(f"{path}: another process has opened the lake meanwhile")


def _open(path: str) -> tuple[apsw.Connection, _State | None]:
    """A connection inside a read transaction, and the state of the files if it has no locks."""
    for _ in range(_TRIES):
        live = os.path.exists(f"{path}-shm")
        before = None if live else _state(path)
        try:
            return _connect(path, live=live), before
        except (apsw.CantOpenError, apsw.ProtocolError, apsw.BusyError, apsw.ReadOnlyError) as error:
            late = error  # the `-shm` went away or is being made
        except apsw.Error as error:
            raise translate(error, path) from error
        threading.Event().wait(_PAUSE)
    if isinstance(late, apsw.CantOpenError):
        raise DiskError(f"{path}: the database cannot be opened for reading ({late})") from late
    raise LockTimeout(f"{path}: other processes keep opening and closing the lake ({late}); check it later") from late


def _connect(path: str, *, live: bool) -> apsw.Connection:
    name, vfs = quote(os.fsencode(path)), None
    if live:
        uri = f"file:{name}?mode=ro&readonly_shm=1"
    elif os.path.exists(f"{path}-wal"):
        uri, vfs = f"file:{name}?mode=ro", "unix-none"
    else:
        uri = f"file:{name}?mode=ro&immutable=1"
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    connection = apsw.Connection(uri, flags=flags, vfs=vfs)
    try:
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
        if vfs is not None:
            connection.execute("PRAGMA locking_mode=EXCLUSIVE").fetchall()  # the log's index in memory
        connection.execute(_SETTINGS).fetchall()
        connection.execute("BEGIN").fetchall()
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    except BaseException:
        connection.close(True)
        raise
    return connection


def _state(path: str) -> _State:
    """What changes when somebody opens the lake, or writes to it."""
    return (_stamp(path), _stamp(f"{path}-wal"), _stamp(f"{path}-shm"), _stamp(os.path.dirname(path)))


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
