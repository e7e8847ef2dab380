"""The table `sequence`: numbers that only grow."""

from __future__ import annotations

from typing import Final

from lakefs_hl.local.disk.rows import Reader, Writer
from lakefs_hl.local.disk.sums import damaged, row_sum

#: The number that staging tokens are drawn from.
TOKEN: Final = "token"  # noqa: S105 - no secret
#: The number that repositories' ids are drawn from.
REPOSITORY: Final = "repository"
#: The number of durable transactions.
COMMIT: Final = "commit"
_NEXT: Final = "UPDATE sequence SET value = ?, sum = ? WHERE name = ? AND value = ? AND sum = ?"
#: The highest number in use, where it costs one look-up; `lakefs-hl fsck` looks at all that use one.
_IN_USE: Final = {
    TOKEN: "SELECT max(token) FROM staging WHERE token < ''",
    REPOSITORY: "SELECT max(id) FROM repository",
}


def get(reader: Reader, name: str) -> int:
    """The latest number; 0 if none was given."""
    row = reader.execute("SELECT value, sum FROM sequence WHERE name = ?", (name,)).fetchone()
    if row is None:
        return 0
    if row_sum("sequence", name, row[0]) != row[1]:
        raise damaged("sequence", name)
    found: int = row[0]
    return found


def put(writer: Writer, name: str, value: int) -> None:
    """Sets the latest number."""
    sql = (
        "INSERT INTO sequence(name, value, sum) VALUES(?, ?, ?) "
        "ON CONFLICT(name) DO UPDATE SET value = excluded.value, sum = excluded.sum"
    )
    writer.execute(sql, (name, value, row_sum("sequence", name, value)))


def draw(writer: Writer, name: str) -> int:
    """The next number, which nobody has had.

    If the row is still what this writer wrote last, one statement does it: nobody else has drawn since, so all that is
    in use is known to be lower.

    Raises:
        Damaged: It is in use: the row is older than others.
    """
    last = writer.drawn.get(name)
    if last is not None:
        value = last[0] + 1
        new = (value, row_sum("sequence", name, value))
        writer.execute(_NEXT, (*new, name, *last))
        if writer.changes:
            writer.drawn[name] = new
            return value
    value = get(writer, name) + 1
    in_use = writer.execute(_IN_USE[name]).get if name in _IN_USE else None
    if in_use is not None and in_use >= value:
        raise damaged("sequence", name)
    put(writer, name, value)
    writer.drawn[name] = (value, row_sum("sequence", name, value))
    return value
