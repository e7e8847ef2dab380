"""The table `upload`: values under an address, and when they were made; the oldest have the lowest row numbers."""

from __future__ import annotations

from lakefs_hl.local.disk.rows import Reader, Writer
from lakefs_hl.local.disk.sums import damaged, row_sum, typed


def find(reader: Reader, address: str) -> bytes | None:
    """The value of an address."""
    row = reader.row("SELECT address, made, value, sum FROM upload WHERE address = ?", (address,))
    if row is None:
        return None
    if row_sum("upload", *row[:3]) != row[3]:
        raise damaged("upload", address)
    found: bytes = row[2]
    return found


def put(writer: Writer, address: str, made: int, value: bytes) -> None:
    """Sets the value of an address, which makes it the newest."""
    writer.execute("DELETE FROM upload WHERE address = ?", (address,))
    sql = "INSERT INTO upload(address, made, value, sum) VALUES(?, ?, ?, ?)"
    writer.execute(sql, (address, made, value, row_sum("upload", address, made, value)))


def has_before(reader: Reader, made: int) -> bool:
    """Whether the oldest row was made up to a second."""
    row = reader.row("SELECT made FROM upload ORDER BY rowid LIMIT 1")
    return row is not None and row[0] <= made


def delete_before(writer: Writer, made: int, limit: int) -> int:
    """Removes rows made up to a second, of the oldest `limit`; says how many."""
    deleted = 0
    for number, before in writer.rows("SELECT rowid, made FROM upload ORDER BY rowid LIMIT ?", (limit,)):
        if before > made:
            break
        writer.execute("DELETE FROM upload WHERE rowid = ?", (number,))
        deleted += 1
    return deleted


def scan(reader: Reader) -> list[tuple[str, bytes]]:
    """Address and value of all rows as they are, unchecked."""
    return list(typed(reader.rows("SELECT address, value FROM upload"), str, bytes))
