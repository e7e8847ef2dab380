"""Making the tables of a new lake, and bringing those of older releases to this version.

Rules of the room: everything happens in the caller's transaction, so a lake is of one version or of the other. The
newest file of the folder, `format.json`, follows afterwards: older releases refuse the database already.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from zlib import crc32

from lakefs_hl.local.disk import notes, schema
from lakefs_hl.local.disk.errors import Damaged, UnknownFormat
from lakefs_hl.local.disk.rows import Writer
from lakefs_hl.local.disk.sums import row_sum
from lakefs_hl.local.disk.tables import meta

#: Versions whose lakes this release opens.
KNOWN: Final = (1, 2)
_ANSWERS: Final = """
CREATE TABLE IF NOT EXISTS idempotency(
    id INTEGER PRIMARY KEY, user TEXT NOT NULL, key TEXT NOT NULL, made INTEGER NOT NULL, value BLOB NOT NULL,
    UNIQUE(user, key)
);
CREATE TABLE IF NOT EXISTS pull_request(repository INTEGER NOT NULL, id TEXT NOT NULL, value BLOB NOT NULL,
    sum INTEGER NOT NULL DEFAULT 0, PRIMARY KEY(repository, id)) WITHOUT ROWID;
"""


def make(writer: Writer) -> None:
    """Makes the tables of a new lake."""
    writer.execute(schema.DDL).fetchall()
    writer.execute(f"PRAGMA application_id={schema.APPLICATION}")
    writer.execute(f"PRAGMA user_version={schema.VERSION}")
    meta.put(writer, meta.MINOR, str(schema.MINOR))


def is_due(version: int, path: str) -> bool:
    """Whether tables of a version are to be brought to this one.

    Raises:
        Damaged: There are no tables.
        UnknownFormat: The version is not known.
    """
    if version == 0:
        raise Damaged(f"{path}: the database has no tables; restore it from a copy")
    if version not in KNOWN:
        raise UnknownFormat(
            f"{path}: tables of version {version}, and this release knows version {schema.VERSION}: "
            "open the lake with the release that wrote it, or a newer one"
        )
    return version != schema.VERSION


def bring(writer: Writer) -> None:
    """Brings tables of an older version to this one."""
    row = writer.row("PRAGMA user_version")
    if row is not None and row[0] == 1:  # another process may have done it meanwhile
        _from_1(writer)


def _from_1(writer: Writer) -> None:
    """Version 1 has no checksums but those of staged changes and kept answers, which were of four bytes."""
    writer.execute(_ANSWERS).fetchall()
    writer.execute("ALTER TABLE branch ADD COLUMN resets INTEGER NOT NULL DEFAULT 0")
    writer.execute("ALTER TABLE branch ADD COLUMN value BLOB")
    for table in schema.SUMMED:
        if table != "pull_request":
            writer.execute(f'ALTER TABLE "{table}" ADD COLUMN sum INTEGER NOT NULL DEFAULT 0')
    format_ = writer.row("SELECT value FROM meta WHERE key = 'format'")
    if format_ is not None:
        noted = notes.read(format_[0], "meta")
        meta.put(writer, meta.FORMAT, notes.write(notes.make(noted["created"], noted["tree"])))
    meta.put(writer, meta.MINOR, str(schema.MINOR))
    spoilt = _unseal_answers(writer)
    add_sums(writer, schema.SUMMED)
    for number in spoilt:
        writer.execute("UPDATE idempotency SET sum = 0 WHERE id = ?", (number,))
    writer.execute(f"PRAGMA user_version={schema.VERSION}")


def _unseal_answers(writer: Writer) -> list[int]:
    """Takes the old checksums off kept answers; gives the ids of those that were wrong: they are to stay damaged."""
    spoilt = []
    for number, user, key, value in writer.rows("SELECT id, user, key, value FROM idempotency"):
        content = value[:-4]
        if crc32(content, crc32(key.encode(), crc32(user.encode()))).to_bytes(4, "little") != value[-4:]:
            spoilt.append(number)
        writer.execute("UPDATE idempotency SET value = ? WHERE id = ?", (content, number))
    return spoilt


def add_sums(writer: Writer, tables: Iterable[str]) -> None:
    """Writes the checksums of all rows of some tables, as they are now."""
    writer.define("row_sum", row_sum)
    for table in tables:
        columns = ", ".join(schema.SUMMED[table])
        writer.execute(f"UPDATE \"{table}\" SET sum = row_sum('{table}', {columns})")  # noqa: S608 - our own names
