"""The table `staging`: values under a token and a path; no value is the deletion of the path.

A stored value ends with a checksum of four bytes over token, path and value, instead of a column of its own. What is
read is cast: a damaged row may say that its value is text or a number, and is told by its checksum then.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from heapq import merge
from typing import Final, TypeAlias
from zlib import crc32

from lakefs_hl.local.disk.errors import Damaged
from lakefs_hl.local.disk.rows import Reader, Writer

#: Paths and values; None is a deletion.
Changes: TypeAlias = "Generator[tuple[bytes, bytes | None], None, None]"
_FIND: Final = "SELECT CAST(value AS BLOB) FROM staging WHERE token = ? AND path = ?"
_RANGE: Final = "SELECT path, CAST(value AS BLOB) FROM staging WHERE token = ? AND path >= ? AND path < ? ORDER BY path"
_RANGES: Final = (
    "SELECT path, -token, CAST(value AS BLOB) FROM staging WHERE token = ? AND path >= ? AND path < ? ORDER BY path"
)
_ALL: Final = "SELECT token, CAST(path AS BLOB), CAST(value AS BLOB) FROM staging"
_PUT: Final = "INSERT OR REPLACE INTO staging(token, path, value) VALUES(?, ?, ?)"


def seal(token: int, path: bytes, value: bytes | None) -> bytes:
    """A value as it is stored."""
    content = value or b""
    return content + crc32(content, crc32(path, token & 0xFFFFFFFF)).to_bytes(4, "little")


def unseal(token: int, path: bytes, stored: bytes | None) -> bytes | None:
    """The value of a row; None is a deletion.

    Raises:
        Damaged: The row is not what was written.
    """
    if stored:
        content = stored[:-4]
        if crc32(content, crc32(path, token & 0xFFFFFFFF)) == int.from_bytes(stored[-4:], "little"):
            return content or None
    raise Damaged(
        f"the staged change of {path.decode(errors='replace')!r} is not what was written; run `lakefs-hl fsck`, and "
        "reset the path or restore from a copy"
    )


def find(reader: Reader, tokens: Iterable[int], path: bytes) -> tuple[bytes | None] | None:
    """The value of a path under the first token that has one, in a tuple; (None,) is a deletion; None: under none."""
    for token in tokens:
        row = reader.execute(_FIND, (token, path)).fetchone()
        if row is not None:
            return (unseal(token, path, row[0]),)
    return None


def between(reader: Reader, tokens: Sequence[int], start: bytes, end: bytes) -> Changes:
    """Paths and values between two paths, in order; of several tokens the newest wins; None is a deletion.

    Who does not read to the end in a write transaction closes it.
    """
    if len(tokens) == 1:
        token, read = tokens[0], unseal
        return ((path, read(token, path, value)) for path, value in reader.execute(_RANGE, (token, start, end)))
    return _newest(reader, tokens, start, end)


def _newest(reader: Reader, tokens: Sequence[int], start: bytes, end: bytes) -> Changes:
    """Goes through some tokens side by side, so that a page costs its rows and not all that is staged."""
    before = None  # tokens only grow, so the highest is the newest
    for path, token, value in merge(*(reader.execute(_RANGES, (token, start, end)) for token in tokens)):
        if path != before:
            before = path
            yield path, unseal(-token, path, value)


def count(reader: Reader, tokens: Iterable[int], limit: int) -> int:
    """How many rows some tokens have; of each no more than `limit` are counted."""
    total = 0
    for token in tokens:
        row = reader.row("SELECT count(*) FROM (SELECT 1 FROM staging WHERE token = ? LIMIT ?)", (token, limit))
        total += row[0] if row else 0
    return total


def has_more(reader: Reader, token: int, amount: int) -> bool:
    """Whether a token has more rows than that."""
    return reader.row("SELECT 1 FROM staging WHERE token = ? LIMIT 1 OFFSET ?", (token, amount)) is not None


def scan(reader: Reader) -> Iterator[tuple[int, bytes, bytes | None]]:
    """Token, path and stored value of all rows as they are, unchecked."""
    return (
        # A token of another type is no token: its row does not match its checksum.
        (row[0] if type(row[0]) is int else -1, row[1], row[2])
        for row in reader.execute(_ALL)
    )


def highest(reader: Reader) -> int:
    """The highest token that has a row; 0 if none has."""
    row = reader.row("SELECT max(token) FROM staging WHERE token < ''")  # numbers come before all else: no damaged one
    return 0 if row is None or row[0] is None else int(row[0])


def put(writer: Writer, token: int, path: bytes, value: bytes | None) -> None:
    """Stages a value, or a deletion."""
    writer.execute(_PUT, (token, path, seal(token, path, value)))


def put_many(writer: Writer, token: int, changes: Iterable[tuple[bytes, bytes]]) -> None:
    """Stages values; of two for one path the later."""
    writer.executemany(_PUT, [(token, path, seal(token, path, value)) for path, value in changes])


def delete(writer: Writer, token: int, path: bytes) -> None:
    """Removes a row."""
    writer.execute("DELETE FROM staging WHERE token = ? AND path = ?", (token, path))


def delete_between(writer: Writer, tokens: Iterable[int], low: bytes, high: bytes) -> None:
    """Removes the rows between two paths."""
    sql = "DELETE FROM staging WHERE token = ? AND path >= ? AND path < ?"
    writer.executemany(sql, [(token, low, high) for token in tokens])


def delete_all(writer: Writer, token: int) -> None:
    """Removes all rows of a token."""
    writer.execute("DELETE FROM staging WHERE token = ?", (token,))


def delete_some(writer: Writer, token: int, limit: int) -> int:
    """Removes rows of a token, some at a time."""
    writer.execute(
        "DELETE FROM staging WHERE token = ?1 AND path IN (SELECT path FROM staging WHERE token = ?1 LIMIT ?2)",
        (token, limit),
    )
    return writer.changes
