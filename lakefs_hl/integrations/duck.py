"""DuckDB: connections that read and write `lakefs://` URLs with the client of a reference."""

from __future__ import annotations

from typing import Any, Final
from weakref import WeakKeyDictionary

from lakefs_hl.integrations.filesystems import file_system
from lakefs_hl.integrations.missing import explain_missing

#: Connection -> the file system that was registered on it. DuckDB tells only its name.
_REGISTERED: Final[WeakKeyDictionary[Any, Any]] = WeakKeyDictionary()
_NAME: Final = "lakefs"


def connect(reference: Any, con: Any = None) -> Any:
    """Return a connection of DuckDB that reads and writes `lakefs://` URLs.

    Args:
        reference: The reference, whose client is used.
        con: The connection. None makes one to a new database in memory.

    Raises:
        ModuleNotFoundError: DuckDB or fsspec is not installed.
        TypeError: `con` is no connection.
        ValueError: The connection has a file system for `lakefs://` that was registered elsewhere.
    """
    with explain_missing("duckdb()", "duckdb", extra="duckdb"):
        import duckdb
    if con is not None and not isinstance(con, duckdb.DuckDBPyConnection):
        msg = f"con must be a connection of duckdb or None, not {type(con).__name__}: duckdb.connect() makes one"
        raise TypeError(msg)
    lake = file_system(reference)
    if con is None:
        con = duckdb.connect()
    if con.filesystem_is_registered(_NAME):
        if _REGISTERED.get(con) == lake:
            return con
        msg = (
            "con has a file system for lakefs:// already, which may be that of another lake; all cursors of a "
            "connection share it: use con as it is, or call con.unregister_filesystem('lakefs') first"
        )
        raise ValueError(msg)
    con.register_filesystem(lake)
    _REGISTERED[con] = lake
    return con
