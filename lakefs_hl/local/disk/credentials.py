"""The table of a format 1 lake that held hashes of its keys; today's keys are in `keys.json`."""

from __future__ import annotations

from lakefs_hl.local.disk.rows import Reader


def stored(reader: Reader) -> list[tuple[str, bytes]]:
    """Keys and encoded records; nothing where there is no such table."""
    if reader.row("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'credential'") is None:
        return []
    return [(str(key), bytes(value)) for key, value in reader.execute("SELECT id, value FROM credential")]
