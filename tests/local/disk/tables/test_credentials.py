"""Keys of a lake of version 1: there until they are taken over, and of newer lakes there are none."""

from __future__ import annotations

from lakefs_hl.local.disk.database import Database
from lakefs_hl.local.disk.tables import credentials


def test_a_lake_of_today_has_none(database: Database) -> None:
    with database.write() as writer:
        assert credentials.scan(writer) == []
        credentials.drop(writer)


def test_those_of_an_old_lake_are_read_and_dropped(database: Database) -> None:
    with database.write() as writer:
        writer.execute("CREATE TABLE credential(id TEXT PRIMARY KEY, value BLOB NOT NULL)")
        writer.execute("INSERT INTO credential VALUES('K1', x'01'), ('K2', x'02')")
        assert sorted(credentials.scan(writer)) == [("K1", b"\1"), ("K2", b"\2")]
        credentials.drop(writer)
        assert credentials.scan(writer) == []
