"""The table `pull_request`: values under a repository and an id."""

from __future__ import annotations

from lakefs_hl.local.disk.rows import Reader, Writer
from lakefs_hl.local.disk.sums import damaged, row_sum, typed


def _checked(repository: int, name: str, value: bytes, noted: int) -> bytes:
    if row_sum("pull_request", repository, name, value) != noted:
        raise damaged("pull_request", repository, name)
    return value


def get(reader: Reader, repository: int, name: str) -> bytes | None:
    """The value of an id."""
    sql = "SELECT repository, id, value, sum FROM pull_request WHERE repository = ? AND id = ?"
    row = reader.row(sql, (repository, name))
    return None if row is None else _checked(*row)


def smallest(reader: Reader, repository: int) -> str | None:
    """The first id of a repository."""
    row = reader.row("SELECT id FROM pull_request WHERE repository = ? ORDER BY id LIMIT 1", (repository,))
    return None if row is None else row[0]


def starting_at(reader: Reader, repository: int, name: str, limit: int) -> list[tuple[str, bytes]]:
    """Ids and values of a repository from an id on, in order."""
    sql = "SELECT repository, id, value, sum FROM pull_request WHERE repository = ? AND id >= ? ORDER BY id LIMIT ?"
    return [(row[1], _checked(*row)) for row in reader.rows(sql, (repository, name, limit))]


def scan(reader: Reader) -> list[tuple[int, str, bytes]]:
    """Repository, id and value of all rows as they are, unchecked."""
    return list(typed(reader.rows("SELECT repository, id, value FROM pull_request"), int, str, bytes))


def put(writer: Writer, repository: int, name: str, value: bytes) -> None:
    """Sets the value of an id."""
    sql = "INSERT OR REPLACE INTO pull_request(repository, id, value, sum) VALUES(?, ?, ?, ?)"
    writer.execute(sql, (repository, name, value, row_sum("pull_request", repository, name, value)))


def delete_some(writer: Writer, repository: int, limit: int) -> int:
    """Removes rows of a repository, some at a time."""
    writer.execute(
        "DELETE FROM pull_request WHERE repository = ?1 AND id IN "
        "(SELECT id FROM pull_request WHERE repository = ?1 LIMIT ?2)",
        (repository, limit),
    )
    return writer.changes
