"""Nodes: immutable bytes under their sha256, in the database.

Rules of the room: what is put belongs to the operation that put it and dies with it unless flushed. What is read back
is checked against its hash (4 µs, and the tree keeps what it has read): a flipped bit must never become an answer.
"""

from __future__ import annotations

from hashlib import sha256

from lakefs_hl.local.disk.database import Reader, Writer
from lakefs_hl.local.disk.errors import Damaged


class NodeStore:
    """The nodes that one operation reads and makes.

    Args:
        reader: Whose transaction answers reads.
    """

    __slots__ = ("_execute", "pending")

    def __init__(self, reader: Reader) -> None:
        self._execute = reader.execute
        self.pending: dict[bytes, bytes] = {}

    def get(self, digest: bytes) -> bytes:
        """The bytes of a node.

        Raises:
            Damaged: There is no such node.
        """
        data = self.pending.get(digest)
        if data is not None:
            return data
        row = self._execute("SELECT data FROM node WHERE hash = ?", (digest,)).fetchone()
        if row is None:
            raise Damaged(f"node {digest.hex()} is missing; run `lakefs-hl fsck`, and restore from a copy")
        found: bytes = row[0]
        if sha256(found).digest() != digest:
            raise Damaged(f"node {digest.hex()} is not what its hash says; run `lakefs-hl fsck`, restore from a copy")
        return found

    def put(self, data: bytes) -> bytes:
        """Keeps a node until it is flushed; gives its hash."""
        digest = sha256(data).digest()
        self.pending[digest] = data
        return digest

    def flush(self, writer: Writer) -> int:
        """Writes what was put; gives how many nodes there were."""
        count = len(self.pending)
        if count:
            writer.executemany("INSERT OR IGNORE INTO node(hash, data) VALUES(?, ?)", self.pending.items())
            self.pending.clear()
        return count
