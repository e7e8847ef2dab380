from __future__ import annotations

import hashlib

import pytest

from lakefs_hl.local.disk.database import Database
from lakefs_hl.local.disk.nodes import NodeStore


def test_nodes_are_pending_until_flushed_and_named_by_their_hash(database: Database) -> None:
    with database.read() as reader:
        store = NodeStore(reader)
        digest = store.put(b"node")
        assert digest == hashlib.sha256(b"node").digest()
        assert store.put(b"node") == digest
        assert store.get(digest) == b"node"
        with pytest.raises(KeyError):
            NodeStore(reader).get(digest)
    with database.write() as writer:
        assert store.flush(writer) == 1
        assert store.flush(writer) == 1  # as it is when the transaction has to be run again
        assert NodeStore(writer).get(digest) == b"node"
    with database.read() as reader:
        assert NodeStore(reader).get(digest) == b"node"
