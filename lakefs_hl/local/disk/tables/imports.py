"""The table `import`: values under a repository and an id."""

from __future__ import annotations

from collections.abc import Iterable

from lakefs_hl.local.disk.rows import Reader, Writer
from lakefs_hl.local.disk.sums import damaged, row_sum, typed


def _checked(repository: int, name: str, value: bytes, noted: int) -> bytes:
    if row_sum("import", repository, name, value) != noted:
        raise damaged("import", repository, name)
    return value


def get(reader: Reader, repository: int, name: str) -> bytes | None:
    """The value of an id."""
    sql = "SELECT repository, id, value, sum FROM import WHERE repository = ? AND id = ?"
    row = reader.row(sql, (repository, name))
    return None if row is None else _checked(*row)


def of_repository(reader: Reader, repository: int) -> list[tuple[str, bytes]]:
    """Ids and values of a repository."""
    found = reader.rows("SELECT repository, id, value, sum FROM import WHERE repository = ?", (repository,))
    return [(row[1], _checked(*row)) for row in found]


def scan(reader: Reader) -> list[tuple[int, str, bytes]]:
    """Repository, id and value of all rows as they are, unchecked."""
    return list(typed(reader.rows("SELECT repository, id, value FROM import"), int, str, bytes))


def put(writer: Writer, repository: int, name: str, value: bytes) -> None:
    """Sets the value of an id."""
    sql = "INSERT OR REPLACE INTO import(repository, id, value, sum) VALUES(?, ?, ?, ?)"
    writer.execute(sql, (repository, name, value, row_sum("import", repository, name, value)))


def delete(writer: Writer, repository: int, names: Iterable[str]) -> None:
    """Removes some ids."""
    sql = "DELETE FROM import WHERE repository = ? AND id = ?"
    writer.executemany(sql, [(repository, name) for name in names])


def delete_some(writer: Writer, repository: int, limit: int) -> int:
    """Removes rows of a repository, some at a time."""
    writer.execute(
        "DELETE FROM import WHERE repository = ?1 AND id IN (SELECT id FROM import WHERE repository = ?1 LIMIT ?2)",
        (repository, limit),
    )
    return writer.changes
