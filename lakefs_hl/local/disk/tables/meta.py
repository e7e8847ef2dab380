"""The table `meta`: single facts about the lake, as text."""

from __future__ import annotations

from typing import Final

from lakefs_hl.local.disk.rows import Reader, Writer
from lakefs_hl.local.disk.sums import damaged, row_sum

#: What `format.json` says, as the database notes it.
FORMAT: Final = "format"
#: Number of the tables that were added within one version of the schema.
MINOR: Final = "minor"
#: Begins the keys of repositories whose rows are still to be removed; their numbers follow.
DELETED: Final = "deleted repository "


def get(reader: Reader, key: str) -> str | None:
    """The value of a key."""
    row = reader.row("SELECT key, value, sum FROM meta WHERE key = ?", (key,))
    if row is None:
        return None
    if row_sum("meta", row[0], row[1]) != row[2]:
        raise damaged("meta", key)
    found: str = row[1]
    return found


def first(reader: Reader, prefix: str) -> str | None:
    """The first key that begins with a prefix and is longer."""
    row = reader.row("SELECT key FROM meta WHERE key > ?1 AND key < ?1 || x'7f' LIMIT 1", (prefix,))
    return None if row is None else str(row[0])


def put(writer: Writer, key: str, value: str) -> None:
    """Sets the value of a key."""
    sql = "INSERT OR REPLACE INTO meta(key, value, sum) VALUES(?, ?, ?)"
    writer.execute(sql, (key, value, row_sum("meta", key, value)))


def delete(writer: Writer, key: str) -> None:
    """Removes a key."""
    writer.execute("DELETE FROM meta WHERE key = ?", (key,))
