"""Checksums of rows: what a row holds, and where it belongs, is held against its checksum whenever it is read.

SQLite sees damage of its pages' structure, and none inside of a row: a flipped bit in a branch's head would be another
commit. So every row that names data ends with `sum`, over the name of its table and all of its other columns in
their order (`schema.SUMMED`).

Rules of the room: the checksum is format. It finds accidents; against who writes to the database on purpose it is no
guard. What it finds is `Damaged`, with the table and the key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import apsw
import msgspec
from xxhash import xxh3_64_intdigest

from lakefs_hl.local.disk import schema
from lakefs_hl.local.disk.errors import Damaged
from lakefs_hl.local.disk.rows import Reader, Value

#: SQLite's integers have a sign.
_MASK: Final = (1 << 63) - 1
_encode: Final = msgspec.msgpack.Encoder().encode  # says type and length of each value: no two rows look the same


def row_sum(table: str, *values: Value) -> int:
    """The checksum of a row.

    Args:
        table: The table's name.
        values: All columns but `sum`, in the table's order.
    """
    return xxh3_64_intdigest(_encode((table, values))) & _MASK


def damaged(table: str, *key: Value) -> Damaged:
    """The error for a row that is not what was written."""
    shown = ", ".join(part.hex() if isinstance(part, bytes) else str(part) for part in key)
    return Damaged(
        f"the row {shown} of the table {table} is not what was written; run `lakefs-hl fsck`, and restore from a copy"
    )


def typed(rows: Iterable[tuple[Value, ...]], *types: type) -> Iterator[tuple[Any, ...]]:
    """The rows whose columns have these types, for whoever reads rows unchecked.

    SQLite keeps any value in any column. A row that is left out does not match its checksum, which tells of it.
    """
    return (row for row in rows if all(map(isinstance, row, types)))


def check_table(reader: Reader, table: str) -> Iterator[Damaged]:
    """The rows of a table that are not what was written.

    Raises:
        Damaged: The table cannot be read.
    """
    columns = schema.SUMMED[table]
    keys = schema.KEYS[table]
    sql = f"SELECT {', '.join(columns)}, sum FROM {table}"  # noqa: S608 - our own names
    try:
        for *values, noted in reader.execute(sql):
            if row_sum(table, *values) != noted:
                yield damaged(table, *(values[columns.index(key)] for key in keys))
    except (UnicodeDecodeError, apsw.SQLError) as error:
        raise Damaged(f"the table {table} cannot be read: {error}; restore it from a copy") from error


def check_structure(reader: Reader, most: int) -> list[str]:
    """What SQLite's own check of the database's structure finds, at most so many faults."""
    return [row[0] for row in reader.execute(f"PRAGMA integrity_check({most})") if row[0] != "ok"]


def check_schema(reader: Reader, minor: int) -> Iterator[str]:
    """What is wrong with the tables themselves: each is made by one statement, and none of them is missing.

    Tables that this release does not know are those of a later one with the same version.

    Args:
        reader: The database.
        minor: Number of the additions to its version that it has; tables of later ones may be missing.
    """
    number = reader.execute("PRAGMA application_id").get
    if number != schema.APPLICATION:
        yield f"its application id is {number:#x}, and a lake's is {schema.APPLICATION:#x}"
    found = dict(reader.rows("SELECT CAST(name AS BLOB), CAST(sql AS BLOB) FROM sqlite_schema WHERE type = 'table'"))
    for table, statement in schema.STATEMENTS.items():
        made = found.get(table.encode())
        if made is None and schema.ADDED.get(table, 0) > minor:
            continue
        if made != statement.encode():
            yield f"the table {table} is {'missing' if made is None else 'not what was made'}"
