"""Opening SQLite: which version, which settings, and what happens to connections in a forked child.

Rules of the room: nobody else opens the database, and nobody ever opens its file by other means: closing such a
descriptor would drop the locks that SQLite holds for the whole process.
"""

from __future__ import annotations

import ctypes
from typing import Final

import apsw

from lakefs_hl.local.disk.errors import UnknownFormat
from lakefs_hl.local.disk.rows import system_error, translate

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
    connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READWRITE, vfs=vfs)  # never makes a missing file
    pages = -8192 if readonly else -32768
    try:
        connection.execute(_SETTINGS % (busy_ms, "FULL" if sync else "OFF", pages)).fetchall()
    except apsw.Error as error:
        raise translate(error, path, system_error(connection)) from error
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
    if readonly:  # the log is written back by those who write, also when the last one leaves
        connection.execute("PRAGMA query_only=ON")
        connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    return connection


def disown(inherited: list[object]) -> None:
    """In a forked child: keeps what the parent had open alive for ever, since closing it would harm the parent."""
    for one in inherited:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(one))  # survives even the interpreter's own tidying up
    _inherited.extend(inherited)
