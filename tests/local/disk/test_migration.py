"""A lake of an older version becomes one of this version, whole, at its first opening."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from zlib import crc32

import apsw
import pytest

from lakefs_hl.local.disk import notes, schema
from lakefs_hl.local.disk.errors import Damaged, UnknownFormat
from lakefs_hl.local.disk.layout import prepare
from lakefs_hl.local.disk.rows import Reader
from lakefs_hl.local.disk.sums import check_table
from lakefs_hl.local.disk.tables import idempotency, meta
from tests.data.lakes.make import HERE


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """The folder of a lake of version 1."""
    with tarfile.open(HERE / "v1.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    (tmp_path / "v1").chmod(0o700)
    return tmp_path / "v1"


def tables(reader: Reader) -> dict[str, list[tuple[object, ...]]]:
    """The columns of every table."""
    names = [row[0] for row in reader.rows("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")]
    return {name: reader.rows(f'PRAGMA table_info("{name}")') for name in names}


def test_its_tables_are_those_of_a_new_lake(first: Path, tmp_path: Path) -> None:
    old, noted = prepare(str(first), tree={})
    new, _ = prepare(str(tmp_path / "new"), tree={})
    with old.read() as reader, new.read() as other:
        assert tables(reader) == tables(other)
        assert reader.row("PRAGMA user_version") == (schema.VERSION,)
        assert [error for table in schema.SUMMED for error in check_table(reader, table)] == []
        assert meta.get(reader, meta.MINOR) == str(schema.MINOR)
        assert notes.read(meta.get(reader, meta.FORMAT) or "", "meta") == noted
    assert noted["format"] == notes.VERSION
    assert json.loads((first / "format.json").read_text()) == noted
    old.close()
    new.close()


def test_a_file_that_stayed_behind_follows_at_the_next_opening(first: Path) -> None:
    before = (first / "format.json").read_bytes()
    prepare(str(first), tree={})[0].close()
    (first / "format.json").write_bytes(before)  # as a kill between the two leaves it
    database, noted = prepare(str(first), tree={})
    database.close()
    assert json.loads((first / "format.json").read_text()) == noted
    assert noted["format"] == notes.VERSION


def test_what_was_damaged_is_not_made_sound(first: Path) -> None:
    """A kept answer whose old checksum is wrong must not get a right one."""
    connection = apsw.Connection(str(first / "lake.db"))
    connection.execute(
        "CREATE TABLE idempotency(id INTEGER PRIMARY KEY, user TEXT NOT NULL, key TEXT NOT NULL, made INTEGER NOT NULL,"
        "value BLOB NOT NULL, UNIQUE(user, key))"
    )
    for key, spoilt in (("good", 0), ("bad", 1)):
        sealed = crc32(b"answer", crc32(key.encode(), crc32(b"me"))) ^ spoilt
        value = b"answer" + sealed.to_bytes(4, "little")
        connection.execute("INSERT INTO idempotency(user, key, made, value) VALUES('me', ?, 5, ?)", (key, value))
    connection.close()
    database, _ = prepare(str(first), tree={})
    with database.read() as reader:
        assert idempotency.find(reader, "me", "good") == (5, b"answer")
        with pytest.raises(Damaged):
            idempotency.find(reader, "me", "bad")
    database.close()


def test_later_versions_are_refused_and_later_tables_are_not(tmp_path: Path) -> None:
    database, _ = prepare(str(tmp_path), tree={})
    with database.write() as writer:
        meta.put(writer, meta.MINOR, str(schema.MINOR + 1))
        writer.execute("CREATE TABLE later(name TEXT PRIMARY KEY)")
    database.close()
    database, _ = prepare(str(tmp_path), tree={})
    with database.write() as writer:
        writer.execute(f"PRAGMA user_version={schema.VERSION + 1}")
    database.close()
    with pytest.raises(UnknownFormat, match=f"tables of version {schema.VERSION + 1}"):
        prepare(str(tmp_path), tree={})
