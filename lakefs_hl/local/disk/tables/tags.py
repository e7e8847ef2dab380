"""The table `tag`: names of heads that never move."""

from __future__ import annotations

from typing import NamedTuple

from lakefs_hl.local.disk.rows import Reader, Writer
from lakefs_hl.local.disk.sums import damaged, row_sum, typed


class Row(NamedTuple):
    """A tag."""

    repository: int
    name: str
    head: bytes


def _checked(repository: int, name: str, head: bytes, noted: int) -> Row:
    if row_sum("tag", repository, name, head) != noted:
        raise damaged("tag", repository, name)
    return Row(repository, name, head)


def find(reader: Reader, repository: int, name: str) -> Row | None:
    """The row of a name."""
    row = reader.row("SELECT head, sum FROM tag WHERE repository = ? AND name = ?", (repository, name))
    return None if row is None else _checked(repository, name, *row)


def page(reader: Reader, repository: int, prefix: str, after: str, amount: int) -> list[Row]:
    """Rows by name: those that begin with `prefix` and come after `after`."""
    found = reader.rows(
        "SELECT repository, name, head, sum FROM tag WHERE repository = ? AND name > ? AND substr(name, 1, ?) = ? "
        "ORDER BY name LIMIT ?",
        (repository, after, len(prefix), prefix, amount),
    )
    return [_checked(*row) for row in found]


def scan(reader: Reader) -> list[Row]:
    """All rows as they are, unchecked."""
    return [Row(*row) for row in typed(reader.rows("SELECT repository, name, head FROM tag"), int, str, bytes)]


def insert(writer: Writer, row: Row) -> None:
    """Adds a row."""
    sql = "INSERT INTO tag(repository, name, head, sum) VALUES(?, ?, ?, ?)"
    writer.execute(sql, (*row, row_sum("tag", *row)))


def delete(writer: Writer, repository: int, name: str) -> bool:
    """Removes a row; says whether there was one."""
    writer.execute("DELETE FROM tag WHERE repository = ? AND name = ?", (repository, name))
    return writer.changes > 0


def delete_some(writer: Writer, repository: int, limit: int) -> int:
    """Removes rows of a repository, some at a time."""
    writer.execute(
        "DELETE FROM tag WHERE repository = ?1 AND name IN (SELECT name FROM tag WHERE repository = ?1 LIMIT ?2)",
        (repository, limit),
    )
    return writer.changes
