"""The tables of a database: made once, and looked at without waiting for anybody."""

from __future__ import annotations

import os
import stat

import apsw
import pytest

from lakefs_hl.local.disk import origin
from lakefs_hl.local.disk.database import Database
from lakefs_hl.local.disk.errors import Damaged, UnknownFormat
from lakefs_hl.local.disk.tables import meta, sequence
from tests.local.disk.conftest import Open


def mark(database: Database) -> str | None:
    with database.read() as reader:
        return meta.get(reader, "mark")


def test_made_again_it_is_as_it_was(database: Database) -> None:
    database.run(lambda writer: meta.put(writer, "mark", "mine"))
    before = os.stat(database.path)
    origin.make(database)
    assert mark(database) == "mine"
    assert os.stat(database.path).st_ino == before.st_ino
    assert stat.S_IMODE(before.st_mode) == 0o600
    again = Database(database.folder, create=True)
    assert mark(again) == "mine"
    again.close()


def test_a_look_waits_for_nobody_who_writes(open_database: Open) -> None:
    first = open_database()
    foreign = apsw.Connection(first.path)
    with first.write() as writer:
        meta.put(writer, "mark", "mine")
        second = Database(first.folder, timeout=0.0)
        assert mark(second) is None
        second.close()
    foreign.execute("BEGIN IMMEDIATE")  # another program, that knows no lock of ours
    third = Database(first.folder, timeout=0.0)
    assert mark(third) == "mine"
    third.close()
    foreign.execute("ROLLBACK")
    foreign.close()


@pytest.mark.parametrize(("version", "kind"), [(0, Damaged), (99, UnknownFormat)])
def test_what_is_not_ours_is_refused_and_left_alone(database: Database, version: int, kind: type[Exception]) -> None:
    database.run(lambda writer: writer.execute(f"PRAGMA user_version={version}"))
    with pytest.raises(kind):
        origin.check(database)
    with database.read() as reader:
        assert reader.row("PRAGMA user_version") == (version,)


def test_a_damaged_count_does_not_keep_it_shut(database: Database) -> None:
    with database.write(durable=False) as writer:  # a durable one would look at the count
        writer.execute("UPDATE sequence SET value = value + 1")
    with pytest.raises(Damaged), database.read() as reader:
        sequence.get(reader, sequence.COMMIT)
    again = Database(database.folder)  # for whoever goes over it
    assert mark(again) is None
    again.close()
