from __future__ import annotations

import hashlib

import pytest

from lakefs_hl.local.disk.database import Database
from lakefs_hl.local.disk.errors import Damaged
from lakefs_hl.local.disk.nodes import NodeStore


def test_nodes_are_pending_until_flushed_and_named_by_their_hash(database: Database) -> None:
    with database.read() as reader:
        store = NodeStore(reader)
        digest = store.put(b"node")
        assert digest == hashlib.sha256(b"node").digest()
        assert store.put(b"node") == digest
        assert store.get(digest) == b"node"
        with pytest.raises(Damaged, match=digest.hex()):
            NodeStore(reader).get(digest)
    with database.write() as writer:
        assert store.flush(writer) == 1
        assert store.flush(writer) == 0
        assert NodeStore(writer).get(digest) == b"node"
    with database.read() as reader:
        assert NodeStore(reader).get(digest) == b"node"


def test_a_flipped_bit_is_damage_never_an_answer(database: Database) -> None:
    with database.write() as writer:
        store = NodeStore(writer)
        digest = store.put(b"node")
        store.flush(writer)
        writer.execute("UPDATE node SET data = x'6e6f6465ff'")
    with database.read() as reader, pytest.raises(Damaged, match="not what its hash says"):
        NodeStore(reader).get(digest)
