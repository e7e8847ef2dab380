"""The table `history`: content under its hash, for each repository apart."""

from __future__ import annotations

from collections.abc import Iterator

from lakefs_hl.local.disk.rows import Reader, Writer
from lakefs_hl.local.disk.sums import damaged, row_sum, typed


def get(reader: Reader, repository: int, name: bytes) -> bytes | None:
    """The content of a hash."""
    sql = "SELECT data, sum FROM history WHERE repository = ? AND id = ?"
    row = reader.execute(sql, (repository, name)).fetchone()
    if row is None:
        return None
    if row_sum("history", repository, name, row[0]) != row[1]:
        raise damaged("history", repository, name)
    found: bytes = row[0]
    return found


def exists(reader: Reader, repository: int, name: bytes) -> bool:
    """Whether there is a row of this hash."""
    sql = "SELECT 1 FROM history WHERE repository = ? AND id = ?"
    return reader.execute(sql, (repository, name)).fetchone() is not None


def between(reader: Reader, repository: int, low: bytes, high: bytes, limit: int) -> list[bytes]:
    """The hashes from `low` to `high`, at most `limit` of them."""
    sql = "SELECT id FROM history WHERE repository = ? AND id BETWEEN ? AND ? LIMIT ?"
    return [row[0] for row in reader.rows(sql, (repository, low, high, limit))]


def scan(reader: Reader) -> Iterator[tuple[int, bytes, bytes]]:
    """Repository, hash and content of all rows as they are, unchecked."""
    return typed(reader.execute("SELECT repository, id, data FROM history"), int, bytes, bytes)


def of_repository(reader: Reader, repository: int) -> Iterator[bytes]:
    """The contents of a repository's rows, checked."""
    rows = reader.execute("SELECT id, data, sum FROM history WHERE repository = ?", (repository,))
    for name, data, found in typed(rows, bytes, bytes, int):
        if row_sum("history", repository, name, data) != found:
            raise damaged("history", repository, name)
        yield data


def put(writer: Writer, repository: int, name: bytes, data: bytes) -> None:
    """Adds a row; one that is there is put right if it is damaged."""
    writer.execute(
        "INSERT INTO history(repository, id, data, sum) VALUES(?, ?, ?, ?) ON CONFLICT(repository, id) "
        "DO UPDATE SET data = excluded.data, sum = excluded.sum "
        "WHERE data IS NOT excluded.data OR sum IS NOT excluded.sum",
        (repository, name, data, row_sum("history", repository, name, data)),
    )


def delete_some(writer: Writer, repository: int, limit: int) -> int:
    """Removes rows of a repository, some at a time."""
    writer.execute(
        "DELETE FROM history WHERE repository = ?1 AND id IN (SELECT id FROM history WHERE repository = ?1 LIMIT ?2)",
        (repository, limit),
    )
    return writer.changes
