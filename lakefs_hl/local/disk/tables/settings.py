"""The table `setting`: one value of each kind for a repository."""

from __future__ import annotations

from functools import lru_cache

from lakefs_hl.local.disk.rows import Reader, Writer
from lakefs_hl.local.disk.sums import damaged, row_sum


@lru_cache(maxsize=1024)
def _checked(repository: int, kind: str, value: bytes, noted: int) -> bytes:
    if row_sum("setting", repository, kind, value) != noted:
        raise damaged("setting", repository, kind)
    return value


def get(reader: Reader, repository: int, kind: str) -> bytes | None:
    """The value of a kind."""
    sql = "SELECT value, sum FROM setting WHERE repository = ? AND kind = ?"
    row = reader.execute(sql, (repository, kind)).fetchone()
    return None if row is None else _checked(repository, kind, *row)


def put(writer: Writer, repository: int, kind: str, value: bytes | None) -> None:
    """Sets the value of a kind; None removes it."""
    if value is None:
        writer.execute("DELETE FROM setting WHERE repository = ? AND kind = ?", (repository, kind))
        return
    writer.execute(
        "INSERT OR REPLACE INTO setting(repository, kind, value, sum) VALUES(?, ?, ?, ?)",
        (repository, kind, value, row_sum("setting", repository, kind, value)),
    )


def delete_all(writer: Writer, repository: int) -> None:
    """Removes all values of a repository."""
    writer.execute("DELETE FROM setting WHERE repository = ?", (repository,))
