"""Nodes and small blobs: rows that are named by what they hold, and put right by whoever brings it again."""

from __future__ import annotations

from lakefs_hl.local.disk.database import Database
from lakefs_hl.local.disk.tables import blobs, nodes


def test_nodes(database: Database) -> None:
    with database.write() as writer:
        nodes.put_many(writer, [(b"a", b"1"), (b"b", b"2")])
        assert (nodes.get(writer, b"a"), nodes.get(writer, b"c")) == (b"1", None)
        assert (nodes.exists(writer, b"a"), nodes.exists(writer, b"c")) == (True, False)
        writer.execute("UPDATE node SET data = x'00'")
        nodes.put_many(writer, [(b"a", b"1")])
        assert (nodes.get(writer, b"a"), nodes.get(writer, b"b")) == (b"1", b"\0")
        assert sorted(nodes.scan(writer)) == [b"a", b"b"]


def test_blobs(database: Database) -> None:
    with database.write() as writer:
        blobs.put(writer, b"a", b"123")
        assert (blobs.get(writer, b"a"), blobs.get(writer, b"b")) == (b"123", None)
        assert (blobs.size(writer, b"a"), blobs.size(writer, b"b")) == (3, None)
        writer.execute("UPDATE blob SET data = x'00'")
        blobs.put(writer, b"a", b"123")
        assert blobs.get(writer, b"a") == b"123"
        assert list(blobs.scan(writer)) == [b"a"]
