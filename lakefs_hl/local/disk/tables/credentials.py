"""The table `credential` of a lake of version 1: hashes of keys. Those of today are in `keys.json`.

A lake that was brought from version 1 keeps it until it is served: only then are the keys needed, and taken over.
"""

from __future__ import annotations

from lakefs_hl.local.disk.rows import Reader, Writer


def scan(reader: Reader) -> list[tuple[str, bytes]]:
    """Ids and values of all rows; nothing where there is no such table."""
    if reader.row("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'credential'") is None:
        return []
    return [(str(row[0]), bytes(row[1])) for row in reader.rows("SELECT id, value FROM credential")]


def drop(writer: Writer) -> None:
    """Removes the table."""
    writer.execute("DROP TABLE IF EXISTS credential")
