"""The table `credential`: one value under an id."""

from __future__ import annotations

from lakefs_hl.local.disk.rows import Reader, Writer


def get(reader: Reader, name: str) -> bytes | None:
    """The value of an id."""
    row = reader.row("SELECT value FROM credential WHERE id = ?", (name,))
    return None if row is None else row[0]


def scan(reader: Reader) -> list[tuple[str, bytes]]:
    """Ids and values of all rows."""
    return [(row[0], row[1]) for row in reader.rows("SELECT id, value FROM credential")]


def replace_all(writer: Writer, name: str, value: bytes) -> None:
    """Makes one row the only one."""
    writer.execute("DELETE FROM credential")
    writer.execute("INSERT INTO credential(id, value) VALUES(?, ?)", (name, value))
