"""Checksums of rows: what a row holds, and where it belongs, is held against its checksum whenever it is read.

SQLite sees damage of its pages' structure, and none inside of a row: a flipped bit in a branch's head would be another
commit. So every row that names data ends with `sum`, over the name of its table and all of its other columns in
their order (`schema.SUMMED`).

Rules of the room: the checksum is format. It finds accidents; against who writes to the database on purpose it is no
guard. What it finds is `Damaged`, with the table and the key.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

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


def check_table(reader: Reader, table: str) -> Iterator[Damaged]:
    """The rows of a table that are not what was written."""
    columns = schema.SUMMED[table]
    keys = schema.KEYS[table]
    sql = f"SELECT {', '.join(columns)}, sum FROM {table}"  # noqa: S608 - our own names
    for *values, noted in reader.execute(sql):
        if row_sum(table, *values) != noted:
            yield damaged(table, *(values[columns.index(key)] for key in keys))


def check_structure(reader: Reader, most: int) -> list[str]:
    """What SQLite's own check of the database's structure finds, at most so many faults."""
    return [row[0] for row in reader.execute(f"PRAGMA integrity_check({most})") if row[0] != "ok"]
