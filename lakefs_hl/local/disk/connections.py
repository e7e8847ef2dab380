"""Opening SQLite: which version, which settings, and what happens to connections in a forked child.

Rules of the room: nobody else opens the database, and nobody ever opens its file by other means: closing such a
descriptor would drop the locks that SQLite holds for the whole process.
"""

from __future__ import annotations

import ctypes
import os
from typing import Final
from urllib.parse import quote

import apsw

from lakefs_hl.local.disk import migration
from lakefs_hl.local.disk.errors import Scarcity, UnknownFormat
from lakefs_hl.local.disk.rows import Reader, system_error, translate

#: Older ones can lose committed pages when two connections write and checkpoint at the same instant.
OLDEST: Final = (3, 51, 3)
PAGE: Final = 4096
#: Not mapped: a page fault costs more than a read of the page does, and mapped pages count as the process's memory.
_MMAP: Final = 0
_WAL_KEPT: Final = 64 << 20
_SETTINGS: Final = f"""
PRAGMA page_size={PAGE};
PRAGMA busy_timeout=%d;
PRAGMA journal_mode=WAL;
PRAGMA synchronous=%s;
PRAGMA wal_autocheckpoint=0;
PRAGMA journal_size_limit={_WAL_KEPT};
PRAGMA cache_size=%d;
PRAGMA mmap_size={_MMAP};
PRAGMA foreign_keys=ON;
PRAGMA trusted_schema=OFF;
PRAGMA cell_size_check=ON;
PRAGMA fullfsync=ON;
PRAGMA checkpoint_fullfsync=ON;
PRAGMA temp_store=MEMORY;
"""
_UNWRITABLE: Final = """
PRAGMA locking_mode=EXCLUSIVE;
PRAGMA cell_size_check=ON;
PRAGMA trusted_schema=OFF;
PRAGMA temp_store=MEMORY;
"""

#: How often a first look at a database is tried that meets others at every turn.
PROTOCOL_TRIES: Final = 3

#: What a parent process had open: never used, never closed, never finalised in the child.
_inherited: list[object] = []


def check_version(version: str | None = None) -> None:
    """Refuses an SQLite that can lose what it has acknowledged.

    Raises:
        UnknownFormat: It is older than `OLDEST`.
    """
    linked = apsw.sqlite_lib_version() if version is None else version
    if tuple(int(part) for part in linked.split(".")[:3]) < OLDEST:
        needed = ".".join(map(str, OLDEST))
        raise UnknownFormat(
            f"SQLite {linked} is linked, and versions before {needed} can lose committed data in WAL mode: "
            f"install apsw {needed} or newer"
        )


def connect(
    path: str, *, sync: bool, readonly: bool = False, vfs: str | None = None, busy_ms: int = 30000
) -> apsw.Connection:
    """Opens one connection with the lake's settings.

    Args:
        path: The database file.
        sync: False for lakes that need not outlive the process.
        readonly: For readers: nothing can be written through it.
        vfs: Name of a registered SQLite VFS, for fault tests.
        busy_ms: How long SQLite itself waits for a lock of its own, milliseconds.

    Raises:
        DiskError: It cannot be opened, as it is or now.
        apsw.Error: The same, if the file itself cannot.
    """
    pages = -8192 if readonly else -32768
    settings = _SETTINGS % (busy_ms, "FULL" if sync else "OFF", pages)
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE, vfs=vfs)  # never makes a missing file
    try:
        _arrange(connection, settings)
    except apsw.Error as error:
        failed = translate(error, path, system_error(Reader(connection)))
        connection.close(True)
        if not readonly or isinstance(failed, Scarcity) or os.access(os.path.dirname(path), os.W_OK):
            raise failed from error
        connection = _connect_unwritable(path)
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    if readonly:  # the log is written back by those who write, also when the last one leaves
        connection.execute("PRAGMA query_only=ON")
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    return connection


def _arrange(connection: apsw.Connection, settings: str) -> None:
    """Makes the settings: the first look at the database, which others may be opening or recovering."""
    for left in reversed(range(PROTOCOL_TRIES)):
        try:
            connection.execute(settings).fetchall()
        except apsw.ProtocolError:  # others were at the index of the log each time SQLite looked
            if not left:
                raise
        else:
            return


def _connect_unwritable(path: str) -> apsw.Connection:
    """Opens what lies on a file system that takes no writes, where SQLite cannot make its shared memory.

    The index of the log is then made in this process's own memory, and nothing is locked: nobody can write.
    """
    if os.path.exists(f"{path}-wal"):
        connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY, vfs="unix-none")
    else:  # SQLite would make a log
        flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        connection = apsw.Connection(f"file:{quote(os.fsencode(path))}?immutable=1", flags=flags)
    try:
        connection.execute(_UNWRITABLE).fetchall()
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()
        migration.show(Reader(connection))  # nobody can bring it to this version
    except apsw.Error as error:
        raise translate(error, path, system_error(Reader(connection))) from error
    return connection


def disown(inherited: list[object]) -> None:
    """In a forked child: keeps what the parent had open alive for ever, since closing it would harm the parent."""
    for one in inherited:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(one))  # survives even the interpreter's own tidying up
    _inherited.extend(inherited)
