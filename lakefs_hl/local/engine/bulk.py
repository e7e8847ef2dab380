"""Very many objects: their nodes are written in batches while a tree is made, long before a commit names it.

Rules of the room: what is written here is referred to by nothing until its commit is published; a process that dies
before leaves nodes that nobody needs, and no damage.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import islice
from typing import Final

from lakefs_hl.local.disk.tables import nodes
from lakefs_hl.local.engine.lake import Lake
from lakefs_hl.local.tree import Tree

#: Bytes of nodes kept before they are written.
BATCH: Final = 16 << 20
#: Edits that are made at a time.
PIECE: Final = 5000


class BulkNodes:
    """Nodes for a tree; each read is a transaction of its own, so that what was written meanwhile is seen."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._pending: dict[bytes, bytes] = {}
        self._bytes = 0

    def get(self, digest: bytes, /) -> bytes:
        """The bytes of a node."""
        found = self._pending.get(digest)
        if found is not None:
            return found
        with self._lake.read() as snapshot:
            return snapshot.nodes.get(digest)

    def put(self, data: bytes, /) -> bytes:
        """Keeps a node; gives its hash."""
        self._bytes += len(data)
        digest = sha256(data).digest()
        self._pending[digest] = data
        if self._bytes >= BATCH:
            self.flush()
        return digest

    def flush(self) -> None:
        """Writes what was put. It need not be on the disk yet: the commit that names it brings it there."""
        if self._pending:
            self._lake.write(
                None, lambda transaction: nodes.put_many(transaction.writer, self._pending.items()), durable=False
            )
            self._pending.clear()
        self._bytes = 0


def apply(tree: Tree, root: bytes, edits: Iterable[tuple[bytes, bytes | None]]) -> bytes:
    """Changes a tree by edits that may be very many, and come in order; they are never all in memory.

    A piece at a time: very many new keys between two old ones would cost their number squared.
    """
    edits = iter(edits)
    if root == tree.empty():
        return tree.build(_kept(edits))
    while piece := list(islice(edits, PIECE)):
        root = tree.apply(root, piece)
    return root


def _kept(edits: Iterable[tuple[bytes, bytes | None]]) -> Iterator[tuple[bytes, bytes]]:
    for key, value in edits:
        if value is not None:
            yield key, value
