"""The table `blob`: small contents under their hash. Whoever reads them holds them against it.

What is read is cast: a damaged row may say that its content is text or a number, and is told by its hash then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from lakefs_hl.local.disk.rows import Reader, Writer

_PUT: Final = """
INSERT INTO blob(hash, data) VALUES(?, ?) ON CONFLICT(hash) DO UPDATE SET data = excluded.data
    WHERE data IS NOT excluded.data
"""


def get(reader: Reader, name: bytes) -> bytes | None:
    """The content of a hash."""
    row = reader.execute("SELECT CAST(data AS BLOB) FROM blob WHERE hash = ?", (name,)).fetchone()
    return None if row is None else row[0]


def get_many(reader: Reader, names: Iterable[bytes]) -> dict[bytes, bytes]:
    """The contents of the hashes that are there; in the order of their names it is fastest."""
    return dict(reader.executemany("SELECT hash, CAST(data AS BLOB) FROM blob WHERE hash = ?", zip(names)))


def size(reader: Reader, name: bytes) -> int | None:
    """How long the content of a hash is."""
    row = reader.row("SELECT length(data) FROM blob WHERE hash = ?", (name,))
    return None if row is None else int(row[0])


def scan(reader: Reader) -> Iterator[bytes]:
    """All hashes."""
    return (row[0] for row in reader.execute("SELECT hash FROM blob"))


def put(writer: Writer, name: bytes, data: bytes) -> None:
    """Adds a row; one that is there is put right if it is damaged."""
    writer.execute(_PUT, (name, data))


def put_many(writer: Writer, rows: Iterable[tuple[bytes, bytes]]) -> None:
    """Adds rows; in the order of their names it is fastest."""
    writer.executemany(_PUT, rows)
