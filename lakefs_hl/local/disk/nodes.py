"""Nodes: immutable bytes under their sha256, in the database.

Rules of the room: what is put belongs to the operation that put it and dies with it unless flushed. Whether what is
read back is what its hash says is checked by whoever decodes it.
"""

from __future__ import annotations

from hashlib import sha256

from lakefs_hl.local.disk.rows import Reader, Writer
from lakefs_hl.local.disk.tables import nodes


class NodeStore:
    """The nodes that one operation reads and makes.

    Args:
        reader: Whose transaction answers reads.
    """

    __slots__ = ("_reader", "pending")

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.pending: dict[bytes, bytes] = {}

    def get(self, digest: bytes) -> bytes:
        """The bytes of a node.

        Raises:
            KeyError: There is no such node.
        """
        data = self.pending.get(digest)
        if data is not None:
            return data
        data = nodes.get(self._reader, digest)
        if data is None:
            raise KeyError(digest)
        return data

    def put(self, data: bytes) -> bytes:
        """Keeps a node until it is flushed; gives its hash."""
        digest = sha256(data).digest()
        self.pending[digest] = data
        return digest

    def flush(self, writer: Writer) -> int:
        """Writes what was put; gives how many nodes there are. It may be run again: nothing is forgotten."""
        if self.pending:
            nodes.put_many(writer, self.pending.items())
        return len(self.pending)
