"""The table `branch`: heads, the tokens of what is staged, and how often something was taken back."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from lakefs_hl.local.disk.rows import Reader, Writer
from lakefs_hl.local.disk.sums import damaged, row_sum, typed

_COLUMNS: Final = "repository, name, head, token, sealed, hidden, resets, value, sum"
_FIND: Final = "SELECT head, token, sealed, hidden, resets, value, sum FROM branch WHERE repository = ? AND name = ?"
#: A REPLACE would cost twice as much.
_PUT: Final = f"""
INSERT INTO branch({_COLUMNS}) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT(repository, name) DO UPDATE SET
    head = excluded.head, token = excluded.token, sealed = excluded.sealed, hidden = excluded.hidden,
    resets = excluded.resets, value = excluded.value, sum = excluded.sum
"""
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(tuple[int, ...]).decode


class Row(NamedTuple):
    """A branch.

    Attributes:
        repository: Number of its repository.
        name: Its name.
        head: What it points to.
        token: Under which changes are staged now.
        sealed: Tokens whose changes are not added to any more, oldest first.
        hidden: Whether listings leave it out.
        resets: How often something that was staged, or a head, was taken back; it only grows.
        value: What else is kept with it.
    """

    repository: int
    name: str
    head: bytes
    token: int
    sealed: tuple[int, ...] = ()
    hidden: bool = False
    resets: int = 0
    value: bytes | None = None

    @property
    def tokens(self) -> list[int]:
        """All tokens, newest first."""
        return [self.token, *reversed(self.sealed)]


@lru_cache(maxsize=4096)
def _checked(
    repository: int,
    name: str,
    head: bytes,
    token: int,
    sealed: bytes,
    hidden: int,
    resets: int,
    value: bytes | None,
    noted: int,
) -> Row:
    if row_sum("branch", repository, name, head, token, sealed, hidden, resets, value) != noted:
        raise damaged("branch", repository, name)
    return Row(repository, name, head, token, _decode(sealed), bool(hidden), resets, value)


def find(reader: Reader, repository: int, name: str) -> Row | None:
    """The row of a name."""
    row = reader.execute(_FIND, (repository, name)).fetchone()
    return None if row is None else _checked(repository, name, *row)


def page(reader: Reader, repository: int, prefix: str, after: str, amount: int, hidden: bool) -> list[Row]:
    """Rows by name: those that begin with `prefix` and come after `after`."""
    found = reader.rows(
        f"SELECT {_COLUMNS} FROM branch WHERE repository = ? AND name > ? "  # noqa: S608 - our own names
        "AND substr(name, 1, ?) = ? AND (hidden = 0 OR ?) ORDER BY name LIMIT ?",
        (repository, after, len(prefix), prefix, hidden, amount),
    )
    return [_checked(*row) for row in found]


def of_repository(reader: Reader, repository: int) -> list[Row]:
    """All rows of a repository."""
    sql = f"SELECT {_COLUMNS} FROM branch WHERE repository = ?"  # noqa: S608 - our own names
    return [_checked(*row) for row in reader.rows(sql, (repository,))]


def scan(reader: Reader) -> list[tuple[int, str, bytes, int, bytes]]:
    """Repository, name, head, token and the encoded sealed tokens of all rows as they are, unchecked."""
    return list(
        typed(reader.rows("SELECT repository, name, head, token, sealed FROM branch"), int, str, bytes, int, bytes)
    )


def read_tokens(sealed: bytes) -> tuple[int, ...]:
    """The sealed tokens of a row as it was scanned.

    Raises:
        msgspec.DecodeError: They are none.
    """
    return _decode(sealed)


def put(writer: Writer, row: Row) -> None:
    """Adds a row, or replaces the one of this name."""
    values = (*row[:4], _encode(row.sealed), int(row.hidden), row.resets, row.value)
    writer.execute(_PUT, (*values, row_sum("branch", *values)))


def delete(writer: Writer, repository: int, name: str) -> None:
    """Removes a row."""
    writer.execute("DELETE FROM branch WHERE repository = ? AND name = ?", (repository, name))


def delete_all(writer: Writer, repository: int) -> None:
    """Removes all rows of a repository."""
    writer.execute("DELETE FROM branch WHERE repository = ?", (repository,))
