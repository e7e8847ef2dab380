"""A lake of an older version becomes one of this version, whole, at its first opening."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from zlib import crc32

import apsw
import pytest

from lakefs_hl.local.disk import fs, notes, schema
from lakefs_hl.local.disk.errors import Damaged, UnknownFormat
from lakefs_hl.local.disk.inspection import inspect
from lakefs_hl.local.disk.layout import prepare
from lakefs_hl.local.disk.migration import minor_of
from lakefs_hl.local.disk.rows import Reader
from lakefs_hl.local.disk.sums import check_schema, check_table
from lakefs_hl.local.disk.tables import idempotency, meta, uploads
from tests.data.lakes.make import HERE


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """The folder of a lake of version 1."""
    with tarfile.open(HERE / "v1.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    (tmp_path / "v1").chmod(0o700)
    return tmp_path / "v1"


#: SQLite's own of AUTOINCREMENT, and the hashes of keys, which are taken over when the lake is served.
LEFT = ("sqlite_sequence", "credential")


def tables(reader: Reader) -> dict[str, str]:
    """The statement that made every table."""
    return dict(reader.rows("SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT IN (?, ?)", LEFT))


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


# ----------------------------------------------------------------------------- tables that were added to this version


@pytest.fixture
def second(tmp_path: Path) -> Path:
    """The folder of a lake of version 2, of before any table was added to it."""
    with tarfile.open(HERE / "v2.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    (tmp_path / "v2").chmod(0o700)
    return tmp_path / "v2"


def test_tables_that_were_added_are_made_at_the_first_opening(second: Path, tmp_path: Path) -> None:
    before = rows_of(second)
    assert not schema.ADDED.keys() & before.keys()
    old, _ = prepare(str(second), tree={})
    new, _ = prepare(str(tmp_path / "new"), tree={})
    with old.read() as reader, new.read() as other:
        assert tables(reader) == tables(other)
        assert meta.get(reader, meta.MINOR) == str(schema.MINOR)
    old.close()
    new.close()
    assert rows_of(second) == {**before, **dict.fromkeys(schema.ADDED, 0)}, "nothing else was touched"


def test_a_lake_before_that_is_sound_and_is_looked_at_without_being_changed(second: Path) -> None:
    with inspect(str(second)) as found:
        assert list(check_schema(found.reader, minor_of(found.reader))) == []
        assert uploads.find(found.reader, "a") is None
        assert list(check_table(found.reader, "upload")) == []
    assert not schema.ADDED.keys() & rows_of(second).keys()


def test_a_table_that_was_lost_is_not_made_anew(second: Path) -> None:
    database, _ = prepare(str(second), tree={})
    with database.write() as writer:
        writer.execute("DROP TABLE upload")
    database.close()
    database, _ = prepare(str(second), tree={})
    with database.read() as reader:
        assert "upload" not in tables(reader)
        assert list(check_schema(reader, minor_of(reader))) == ["the table upload is missing"]
    database.close()


# ------------------------------------------------------------------------------------------------ kills, many at once


def open_in_child(folder: Path, hook: Callable[[str], None], gate: tuple[int, int] | None = None) -> int:
    """Opens a lake in a child process, with a hook on the failpoints; gives the child's id."""
    pid = os.fork()
    if pid == 0:
        code = 3
        try:
            fs.hook = hook
            if gate is not None:
                os.close(gate[1])
                os.read(gate[0], 1)  # ends when the parent has closed the other side
            prepare(str(folder), tree={})[0].close()
            code = 0
        finally:
            os._exit(code)
    return pid


def rows_of(folder: Path) -> dict[str, int]:
    """The version of a database's tables, and how many rows each has."""
    connection = apsw.Connection(str(folder / "lake.db"))
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    found = {name: connection.execute(f'SELECT count(*) FROM "{name}"').get for name in names}
    found["version"] = connection.execute("PRAGMA user_version").get
    assert connection.execute("PRAGMA integrity_check").get == "ok"
    connection.close()
    return found


def test_killed_at_any_point_it_is_of_one_version_or_of_the_other(first: Path, tmp_path: Path) -> None:
    before = rows_of(first)
    whole = tmp_path / "whole"
    shutil.copytree(first, whole)
    points: list[str] = []
    fs.hook = points.append
    try:
        prepare(str(whole), tree={})[0].close()
    finally:
        fs.hook = None
    after = rows_of(whole)
    assert {"db.commit", "db.committed", "format.rename", *(f"migration.{name}" for name in schema.SUMMED)} <= {*points}
    assert (before["version"], after["version"]) == (1, schema.VERSION)
    versions = set()
    for number in range(len(points)):
        folder = tmp_path / str(number)
        shutil.copytree(first, folder)
        seen = iter(range(len(points)))

        def kill(_point: str, number: int = number, seen: Iterator[int] = seen) -> None:
            if next(seen) == number:
                os.kill(os.getpid(), signal.SIGKILL)

        assert os.waitpid(open_in_child(folder, kill), 0)[1] == signal.SIGKILL, points[number]
        found = rows_of(folder)
        versions.add(found["version"])
        expected = before if found["version"] == 1 else after
        assert {name: found[name] for name in schema.SUMMED if name in expected} == {
            name: expected[name] for name in schema.SUMMED if name in expected
        }, points[number]
        prepare(str(folder), tree={})[0].close()
        assert rows_of(folder) == after, points[number]
        assert notes.read((folder / "format.json").read_bytes(), "format.json")["format"] == notes.VERSION
    assert versions == {1, schema.VERSION}


def test_of_many_processes_one_migrates(first: Path) -> None:
    told, tell = os.pipe()
    gate, door = os.pipe()

    def hook(point: str) -> None:
        if point == "migration.meta":
            os.write(tell, b"x")

    children = [open_in_child(first, hook, (gate, door)) for _ in range(5)]
    os.close(door)
    os.close(tell)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 5
    with os.fdopen(told, "rb") as file:
        assert file.read() == b"x"
    os.close(gate)
    assert rows_of(first)["version"] == schema.VERSION
