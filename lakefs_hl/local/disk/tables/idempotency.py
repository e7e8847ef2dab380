"""The table `idempotency`: values under a user and a key, and when they were made; the oldest have the lowest ids."""

from __future__ import annotations

from typing import Final

from lakefs_hl.local.disk.rows import Reader, Writer
from lakefs_hl.local.disk.sums import damaged, row_sum, typed

_FIND: Final = "SELECT user, key, made, value, sum FROM idempotency WHERE user = ? AND key = ?"
_INSERT: Final = "INSERT OR IGNORE INTO idempotency(user, key, made, value, sum) VALUES(?, ?, ?, ?, ?)"


def find(reader: Reader, user: str, key: str) -> tuple[int, bytes] | None:
    """When the row of a user's key was made, and its value."""
    row = reader.row(_FIND, (user, key))
    if row is None:
        return None
    if row_sum("idempotency", *row[:4]) != row[4]:
        raise damaged("idempotency", user, key)
    return row[2], row[3]


def insert(writer: Writer, user: str, key: str, made: int, value: bytes) -> bool:
    """Adds a row unless the user's key has one; says whether it did."""
    values = (user, key, made, value)
    writer.execute(_INSERT, (*values, row_sum("idempotency", *values)))
    return writer.changes > 0


def delete(writer: Writer, user: str, key: str) -> None:
    """Removes the row of a user's key."""
    writer.execute("DELETE FROM idempotency WHERE user = ? AND key = ?", (user, key))


def delete_before(writer: Writer, made: int, limit: int) -> None:
    """Removes rows made up to a second, of the oldest `limit`.

    Looks at so many rows only, however many there are: a DELETE that says it all would cost as much again as the rest
    of a keyed request.
    """
    for number, before in writer.rows("SELECT id, made FROM idempotency ORDER BY id LIMIT ?", (limit,)):
        if before > made:
            break
        writer.execute("DELETE FROM idempotency WHERE id = ?", (number,))


def scan(reader: Reader) -> list[tuple[str, str, bytes]]:
    """User, key and value of all rows as they are, unchecked."""
    return list(typed(reader.rows("SELECT user, key, value FROM idempotency"), str, str, bytes))
