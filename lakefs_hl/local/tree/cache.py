"""Decoded nodes, kept in memory between operations.

Two generations in dictionaries: a hit costs one look-up and no bookkeeping. Inner nodes have generations of their own,
so that a scan over all leaves does not push them out, and more room: a commit of a thousand spread changes among ten
million objects needs 835 of them, each several times. A leaf that a listing passes is kept when it is passed again, not
the first time: so a listing of a million objects leaves little here, and one that is repeated finds its leaves, if they
are few enough to fit.

Rules of the room: shared by all threads without a lock (so that a fork can never inherit a held one). Nodes are named
by their content, so whatever is found is right; a lost race costs a miss or some bytes of the count, nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lakefs_hl.local.tree.node import Node

_PER_ENTRY = 90
_PER_NODE = 200
#: How many leaves that were passed are remembered, at least: about as many as there is room for.
_PASSED = 4096


class _Generations:
    """Young and old; when the young are half of the room, they become the old, and the old are forgotten."""

    __slots__ = ("half", "old", "used", "young")

    def __init__(self, capacity: int) -> None:
        self.half = capacity // 2
        self.used = 0
        self.young: dict[bytes, tuple[Node, int]] = {}
        self.old: dict[bytes, tuple[Node, int]] = {}

    def add(self, digest: bytes, held: tuple[Node, int]) -> None:
        self.used += held[1]
        if self.used > self.half:
            self.old = self.young
            self.young = {}
            self.used = held[1]
        self.young[digest] = held


class _Passed:
    """The digests of leaves that were passed lately."""

    __slots__ = ("latest", "old", "young")

    def __init__(self) -> None:
        self.young: set[bytes] = set()
        self.old: set[bytes] = set()
        self.latest = b""

    def again(self, digest: bytes) -> bool:
        """Whether a leaf was passed before. Where one page ends and the next begins is one time, not two."""
        if digest == self.latest:
            self.latest = b""
            return False
        if digest in self.young or digest in self.old:
            return True
        if len(self.young) >= _PASSED:
            self.old = self.young
            self.young = set()
        self.young.add(digest)
        self.latest = digest
        return False


class Cache:
    """Nodes by digest, of any number of trees.

    Args:
        leaves: Bytes of memory for leaves at most, estimated.
        inner: The same for inner nodes.
    """

    __slots__ = ("_inner", "_leaves", "_passed")

    def __init__(self, leaves: int = 48 << 20, inner: int = 32 << 20) -> None:
        self._inner = _Generations(inner)
        self._leaves = _Generations(leaves)
        self._passed = _Passed()

    def get(self, digest: bytes) -> Node | None:
        """Return the node if it is here."""
        inner, leaves = self._inner, self._leaves
        held = inner.young.get(digest) or leaves.young.get(digest)
        if held is None:
            held = inner.old.get(digest)
            if held is not None:
                inner.add(digest, held)
            else:
                held = leaves.old.get(digest)
                if held is None:
                    return None
                leaves.add(digest, held)
        return held[0]

    def add(self, digest: bytes, node: Node, size: int) -> None:
        """Keep a node for a while.

        Args:
            digest: Its digest.
            node: The node; from now on nobody may change it.
            size: Its encoded bytes.
        """
        weight = size + _PER_ENTRY * len(node.keys) + _PER_NODE
        (self._inner if node.level else self._leaves).add(digest, (node, weight))

    def add_passed(self, digest: bytes, node: Node, size: int) -> None:
        """Keep a node that a scan passes: an inner one, and a leaf if it is not the first time."""
        if node.level or self._passed.again(digest):
            self.add(digest, node, size)

    def used(self) -> int:
        """Return the estimated bytes of the young generations: at most half of the capacity, and one node."""
        return self._inner.used + self._leaves.used
