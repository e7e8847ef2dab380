"""Making the tables of a new lake, and bringing those of older releases to this version.

Rules of the room: everything happens in the caller's transaction, so a lake is of one version or of the other. The
newest file of the folder, `format.json`, follows afterwards: older releases refuse the database already. Where nothing
can be written, tables of version 1 are read as they are, through views that look like today's (`show`).
"""

from __future__ import annotations

from typing import Final
from zlib import crc32

from lakefs_hl.local.disk import fs, notes, schema
from lakefs_hl.local.disk.errors import Damaged, UnknownFormat
from lakefs_hl.local.disk.rows import Reader, Writer
from lakefs_hl.local.disk.sums import row_sum
from lakefs_hl.local.disk.tables import meta, sequence

#: Versions whose lakes this release opens.
KNOWN: Final = (1, 2)
#: What stands for the columns that version 1 did not have, or had otherwise.
_SINCE_1: Final = {
    "branch": {"resets": "0", "value": "NULL"},
    "idempotency": {"value": "substr(value, 1, length(value) - 4)"},
}
#: Never the checksum of a row: they have no sign.
_WRONG: Final = -1


def make(writer: Writer) -> None:
    """Makes the tables of a new lake."""
    writer.execute(schema.DDL).fetchall()
    writer.execute(f"PRAGMA application_id={schema.APPLICATION}")
    writer.execute(f"PRAGMA user_version={schema.VERSION}")
    meta.put(writer, meta.MINOR, str(schema.MINOR))


def version_of(reader: Reader) -> int:
    """The version of the tables."""
    version: int = reader.execute("PRAGMA user_version").get
    return version


def minor_of(reader: Reader) -> int:
    """The number of the tables' additions within their version; that of this release if it cannot be read.

    A table that is missing in spite of it was lost, and must not be made anew.
    """
    try:
        return int(meta.get(reader, meta.MINOR) or 0)
    except (Damaged, ValueError):
        return schema.MINOR


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
    """Brings tables of an older version to this one, and adds those that it has got since.

    Raises:
        Damaged: Rows were lost on the way; the transaction must not be committed.
    """
    if version_of(writer) == 1:  # another process may have done it meanwhile
        _from_1(writer)
    elif lacking := _lacking(writer):
        for table in lacking:
            fs.reach(f"migration.{table}")
            writer.execute(schema.STATEMENTS[table])
        meta.put(writer, meta.MINOR, str(schema.MINOR))


def lacks(reader: Reader) -> bool:
    """Whether the tables are of this version, and of before some were added to it."""
    return bool(_lacking(reader))


def _lacking(reader: Reader) -> list[str]:
    minor = minor_of(reader)
    return [table for table, added in schema.ADDED.items() if added > minor]


def _from_1(writer: Writer) -> None:
    """Version 1 has no checksums but those of staged changes and kept answers, which were of four bytes."""
    writer.define("row_sum", row_sum)
    spoilt = _spoilt_answers(writer)
    row = None
    if "sqlite_sequence" in _tables(writer):
        row = writer.row("SELECT seq FROM sqlite_sequence WHERE name = 'repository'")
    numbered: int = 0 if row is None else row[0]
    for table in schema.SUMMED:
        fs.reach(f"migration.{table}")
        _rebuild(writer, table)
    for number in spoilt:  # what was damaged is to stay so
        writer.execute("UPDATE idempotency SET sum = ? WHERE id = ?", (_WRONG, number))
    if numbered:
        sequence.put(writer, sequence.REPOSITORY, numbered)
    format_ = meta.get(writer, meta.FORMAT)
    if format_ is not None:
        noted = notes.read(format_, "meta")
        meta.put(writer, meta.FORMAT, notes.write(notes.make(noted["created"], noted["tree"])))
    meta.put(writer, meta.MINOR, str(schema.MINOR))
    meta.delete(writer, "signing key")  # today's is in `keys.json`, and signs other tokens
    writer.execute(f"PRAGMA user_version={schema.VERSION}")


def _rebuild(writer: Writer, table: str) -> None:
    """Makes a table anew, with the rows of the old one and their checksums; the oldest are the first again."""
    if table not in _tables(writer):
        writer.execute(schema.STATEMENTS[table])
        return
    old = f"{table} of version 1"
    writer.execute(f'ALTER TABLE "{table}" RENAME TO "{old}"')
    writer.execute(schema.STATEMENTS[table])
    more = "id, " if table == "idempotency" else ""
    columns = ", ".join(schema.SUMMED[table])
    writer.execute(  # our own names only
        f"INSERT INTO \"{table}\"({more}{columns}, sum) SELECT {more}{columns}, row_sum('{table}', {columns}) "  # noqa: S608
        f'FROM (SELECT {more}{_columns_of_1(table)} FROM "{old}")'
    )
    before, after = (writer.execute(f'SELECT count(*) FROM "{name}"').get for name in (old, table))  # noqa: S608
    if before != after:
        raise Damaged(
            f"the table {table} has {before} rows, and {after} of them came to version {schema.VERSION}: nothing was "
            "changed; run `lakefs-hl fsck`, and restore from a copy"
        )
    writer.execute(f'DROP TABLE "{old}"')


def _columns_of_1(table: str) -> str:
    """Today's columns but `sum`, as they are in a table of version 1."""
    others = _SINCE_1.get(table, {})
    return ", ".join(f"{others[name]} AS {name}" if name in others else name for name in schema.SUMMED[table])


def _spoilt_answers(reader: Reader) -> list[int]:
    """The ids of kept answers that are not what was written; lakes of early releases have no such table."""
    if "idempotency" not in _tables(reader):
        return []
    return [
        number
        for number, user, key, value in reader.rows("SELECT id, user, key, value FROM idempotency")
        if crc32(value[:-4], crc32(key.encode(), crc32(user.encode()))).to_bytes(4, "little") != value[-4:]
    ]


def _tables(reader: Reader) -> set[str]:
    return {row[0] for row in reader.rows("SELECT name FROM main.sqlite_schema WHERE type = 'table'")}


def show(reader: Reader) -> None:
    """Makes a connection read older tables as if they were of this version; the database is not changed.

    The checksums of version 1 are computed as its rows are read: what was damaged before cannot be told.
    """
    version = version_of(reader)
    if version == 1:
        _show_1(reader)
    if version != schema.VERSION:
        return
    for table in _lacking(reader):
        columns = ", ".join(f"NULL AS {name}" for name in (*schema.SUMMED[table], "sum"))
        reader.execute(f'CREATE TEMP VIEW "{table}" AS SELECT {columns} WHERE 0')


def _show_1(reader: Reader) -> None:
    reader.define("row_sum", row_sum)
    there = _tables(reader)
    for table, columns in schema.SUMMED.items():
        names = ", ".join(columns)
        if table in there:
            source = f'SELECT {_columns_of_1(table)} FROM main."{table}"'  # noqa: S608 - our own names
        else:
            source = f"SELECT {', '.join(f'NULL AS {name}' for name in columns)} WHERE 0"
        reader.execute(
            f"CREATE TEMP VIEW \"{table}\" AS SELECT {names}, row_sum('{table}', {names}) AS sum FROM ({source})"  # noqa: S608
        )
