"""The table `node`: immutable bytes under their hash. Whoever decodes them holds them against it.

What is read is cast: a damaged row may say that it is text or a number, and is told by its hash then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lakefs_hl.local.disk.rows import Reader, Writer


def get(reader: Reader, name: bytes) -> bytes | None:
    """The bytes of a hash."""
    row = reader.execute("SELECT CAST(data AS BLOB) FROM node WHERE hash = ?", (name,)).fetchone()
    return None if row is None else row[0]


def exists(reader: Reader, name: bytes) -> bool:
    """Whether there is a row of this hash."""
    return reader.row("SELECT 1 FROM node WHERE hash = ?", (name,)) is not None


def scan(reader: Reader) -> Iterator[bytes]:
    """All hashes."""
    return (row[0] for row in reader.execute("SELECT hash FROM node"))


def put_many(writer: Writer, items: Iterable[tuple[bytes, bytes]]) -> None:
    """Adds rows; one that is there is put right if it is damaged."""
    writer.executemany(
        "INSERT INTO node(hash, data) VALUES(?, ?) ON CONFLICT(hash) DO UPDATE SET data = excluded.data "
        "WHERE data IS NOT excluded.data",
        items,
    )
