"""Nodes of very many objects: written in batches while a tree is made, long before a commit names it.

Rules of the room: what is written here is referred to by nothing until its commit is published; a process that dies
before leaves nodes that nobody needs, and no damage.
"""

from __future__ import annotations

from typing import Final

from lakefs_hl.local.disk.nodes import NodeStore
from lakefs_hl.local.engine.store import Store

#: Bytes of nodes kept before they are written.
BATCH: Final = 16 << 20


class BulkNodes:
    """Nodes for a tree; each read is a transaction of its own, so that what was written meanwhile is seen."""

    def __init__(self, store: Store) -> None:
        self._store = store
        with store.reading() as reader:
            self._pending = NodeStore(reader)
        self._bytes = 0

    def get(self, digest: bytes, /) -> bytes:
        """The bytes of a node."""
        found = self._pending.pending.get(digest)
        if found is not None:
            return found
        with self._store.reading() as reader:
            return NodeStore(reader).get(digest)

    def put(self, data: bytes, /) -> bytes:
        """Keeps a node; gives its hash."""
        self._bytes += len(data)
        digest = self._pending.put(data)
        if self._bytes >= BATCH:
            self.flush()
        return digest

    def flush(self) -> None:
        """Writes what was put. It need not be on the disk yet: the commit that names it brings it there."""
        if self._pending.pending:
            with self._store.writing(durable=False) as writer:
                self._pending.flush(writer)
        self._bytes = 0
