"""The table `repository`: a number that is never given again, a name, and a value."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from lakefs_hl.local.disk.rows import Reader, Writer
from lakefs_hl.local.disk.sums import damaged, row_sum, typed
from lakefs_hl.local.disk.tables import sequence


class Row(NamedTuple):
    """A repository."""

    id: int
    name: str
    value: bytes


@lru_cache(maxsize=1024)
def _checked(number: int, name: str, value: bytes, noted: int) -> Row:
    if row_sum("repository", number, name, value) != noted:
        raise damaged("repository", number, name)
    return Row(number, name, value)


def find(reader: Reader, name: str) -> Row | None:
    """The row of a name."""
    row = reader.execute("SELECT id, value, sum FROM repository WHERE name = ?", (name,)).fetchone()
    return None if row is None else _checked(row[0], name, row[1], row[2])


def exists(reader: Reader, number: int) -> bool:
    """Whether there is such a number."""
    return reader.row("SELECT 1 FROM repository WHERE id = ?", (number,)) is not None


def page(reader: Reader, prefix: str, after: str, search: str, amount: int) -> list[Row]:
    """Rows by name: those that begin with `prefix`, come after `after` and have `search` in them."""
    found = reader.rows(
        "SELECT id, name, value, sum FROM repository WHERE name > ? AND substr(name, 1, ?) = ? AND instr(name, ?) "
        "ORDER BY name LIMIT ?",
        (after, len(prefix), prefix, search, amount),
    )
    return [_checked(*row) for row in found]


def scan(reader: Reader) -> list[Row]:
    """All rows as they are, unchecked."""
    return [
        Row(*row) for row in typed(reader.rows("SELECT id, name, value FROM repository ORDER BY name"), int, str, bytes)
    ]


def insert(writer: Writer, name: str, value: bytes) -> Row:
    """Adds a row; gives it, with its number."""
    row = Row(sequence.draw(writer, sequence.REPOSITORY), name, value)
    sql = "INSERT INTO repository(id, name, value, sum) VALUES(?, ?, ?, ?)"
    writer.execute(sql, (*row, row_sum("repository", *row)))
    return row


def delete(writer: Writer, number: int) -> None:
    """Removes a row."""
    writer.execute("DELETE FROM repository WHERE id = ?", (number,))
