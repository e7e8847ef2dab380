"""The table `sequence`: numbers that only grow."""

from __future__ import annotations

from typing import Final

from lakefs_hl.local.disk.rows import Reader, Writer
from lakefs_hl.local.disk.sums import damaged, row_sum

#: The number that staging tokens are drawn from.
TOKEN: Final = "token"  # noqa: S105 - no secret
#: The number of durable transactions.
COMMIT: Final = "commit"


def get(reader: Reader, name: str) -> int:
    """The latest number; 0 if none was given."""
    row = reader.execute("SELECT name, value, sum FROM sequence WHERE name = ?", (name,)).fetchone()
    if row is None:
        return 0
    if row_sum("sequence", row[0], row[1]) != row[2]:
        raise damaged("sequence", name)
    found: int = row[1]
    return found


def put(writer: Writer, name: str, value: int) -> None:
    """Sets the latest number."""
    sql = "INSERT OR REPLACE INTO sequence(name, value, sum) VALUES(?, ?, ?)"
    writer.execute(sql, (name, value, row_sum("sequence", name, value)))


def draw(writer: Writer, name: str) -> int:
    """The next number, which nobody has had."""
    value = get(writer, name) + 1
    put(writer, name, value)
    return value
