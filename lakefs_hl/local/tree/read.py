"""Reading: one key, a range, and the cursor that all else walks on.

Rules of the room: nodes come through `Reader` alone, are verified when they are read, and are never changed.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from lakefs_hl.local.tree.node import Node, TreeCorruptError, decode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lakefs_hl.local.tree.cache import Cache
    from lakefs_hl.local.tree.node import Nodes, Shape


class Reader:
    """Nodes, their shape, and a cache in front of them."""

    __slots__ = ("cache", "nodes", "shape")

    def __init__(self, nodes: Nodes, shape: Shape, cache: Cache) -> None:
        self.nodes: Nodes = nodes
        self.shape: Shape = shape
        self.cache: Cache = cache

    def raw(self, digest: bytes) -> bytes:
        """Return a node's bytes, as stored.

        Raises:
            TreeCorruptError: There are none.
        """
        try:
            return self.nodes.get(digest)
        except KeyError as error:
            raise TreeCorruptError.at(digest, "it is missing") from error

    def load(self, digest: bytes) -> Node:
        """Return a node and keep it in the cache."""
        node = self.cache.get(digest)
        if node is None:
            data = self.raw(digest)
            node = decode(digest, data)
            self.cache.add(digest, node, len(data))
        return node

    def peek(self, digest: bytes) -> Node:
        """Return a node, and keep it in the cache only if it is an inner one: for work that passes leaves once."""
        node = self.cache.get(digest)
        if node is None:
            data = self.raw(digest)
            node = decode(digest, data)
            if node.level:
                self.cache.add(digest, node, len(data))
        return node

    def glance(self, digest: bytes) -> Node:
        """Return a node; keep it in the cache if it is passed again and again: for work that may pass all leaves."""
        node = self.cache.get(digest)
        if node is None:
            data = self.raw(digest)
            node = decode(digest, data)
            self.cache.add_passed(digest, node, len(data))
        return node


def lower_bound(leaf: Node, key: bytes) -> int:
    """Return the index of the first entry of a leaf that is not below the key."""
    prefix = leaf.prefix
    if not prefix:
        return bisect_left(leaf.keys, key)
    if key.startswith(prefix):
        return bisect_left(leaf.keys, key[len(prefix) :])
    return 0 if key < prefix else len(leaf.keys)


class Cursor:
    """A place in a tree: a reference to a node of any level, and the way down to it.

    Attributes:
        live: Whether there is a reference here; an empty tree has none.
        level: Level of the node referred to.
        keys: Last keys of the references beside this one, in one parent.
        values: Their digests.
        at: Which of them this is.
    """

    live: bool
    keys: list[bytes]
    values: list[bytes]
    level: int
    at: int

    __slots__ = ("_reader", "_up", "at", "keys", "level", "live", "values")

    def __init__(self, reader: Reader, root: bytes) -> None:
        node = reader.load(root)
        self._reader = reader
        self._up: list[tuple[list[bytes], list[bytes], int]] = []
        self.live = bool(node.keys)
        self.level = node.level
        self.keys = [node.last_key()] if node.keys else []
        self.values = [root]
        self.at = 0

    def low(self) -> bytes:
        """Return the key before this reference: it covers keys above. Empty if it is the first."""
        if self.at:
            return self.keys[self.at - 1]
        for keys, _, at in reversed(self._up):
            if at:
                return keys[at - 1]
        return b""

    def is_last(self) -> bool:
        """Whether no reference of this level follows."""
        return self.at + 1 == len(self.keys) and all(at + 1 == len(keys) for keys, _, at in self._up)

    def down(self, key: bytes = b"") -> None:
        """Go one level down, to the child that covers the key, or to the last one."""
        node = self._reader.load(self.values[self.at])
        if node.level != self.level or not node.level:
            raise TreeCorruptError.at(self.values[self.at], f"it has level {node.level} where {self.level} belongs")
        self._up.append((self.keys, self.values, self.at))
        self.keys = node.keys
        self.values = node.values
        self.level -= 1
        self.at = min(bisect_left(self.keys, key), len(self.keys) - 1) if key else 0

    def advance(self, by: int = 1) -> None:
        """Go to the next reference: the one beside it, or beside its parent, one level up, and so on.

        Args:
            by: How many to pass, all within this parent.
        """
        self.at += by
        while self.at == len(self.keys):
            if not self._up:
                self.live = False
                return
            self.keys, self.values, self.at = self._up.pop()
            self.at += 1
            self.level += 1

    def sink(self, level: int) -> None:
        """Go down to the first reference of this level, if there is any reference left."""
        while self.live and self.level > level:
            self.down()

    def seek(self, key: bytes, level: int) -> None:
        """Go forward to the reference of this level that covers the key, or to the last one. Needs a live cursor."""
        while self._up and self.keys[-1] < key:
            self.keys, self.values, self.at = self._up.pop()
            self.level += 1
        self.at = min(bisect_left(self.keys, key), len(self.keys) - 1)
        while self.level > level:
            self.down(key)


def get(reader: Reader, root: bytes, key: bytes) -> bytes | None:
    """Return the value of a key, or None."""
    node = reader.load(root)
    while node.level:
        keys = node.keys
        at = bisect_left(keys, key)
        if at == len(keys):
            return None
        node = reader.load(node.values[at])
    prefix = node.prefix
    if prefix:
        if not key.startswith(prefix):
            return None
        key = key[len(prefix) :]
    keys = node.keys
    at = bisect_left(keys, key)
    return node.values[at] if at < len(keys) and keys[at] == key else None


def find(reader: Reader, root: bytes, keys: Iterable[bytes]) -> Iterator[bytes | None]:
    """Yield the value of each key, or None; keys ascend, so one way through the tree answers them all."""
    cursor = Cursor(reader, root)
    leaf: Node | None = None
    last = prefix = b""
    ends: list[bytes] = []
    for key in keys:
        if leaf is None or key > last:
            if not cursor.live:
                yield None
                continue
            cursor.seek(key, 0)
            leaf, last = reader.load(cursor.values[cursor.at]), cursor.keys[cursor.at]
            prefix, ends = leaf.prefix, leaf.keys
        if not key.startswith(prefix):
            yield None
            continue
        end = key[len(prefix) :]
        at = bisect_left(ends, end)
        yield leaf.values[at] if at < len(ends) and ends[at] == end else None


def scan(reader: Reader, root: bytes, start: bytes, end: bytes) -> Iterator[tuple[list[bytes], list[bytes]]]:
    """Yield the entries with start <= key < end, leaf by leaf, as lists that are the caller's own."""
    cursor = Cursor(reader, root)
    if not cursor.live or start > cursor.keys[-1] or start >= end:
        return
    cursor.seek(start, 0)
    first = True
    while cursor.live:
        leaf = reader.glance(cursor.values[cursor.at])
        low = lower_bound(leaf, start) if first else 0
        first = False
        ends_here = cursor.keys[cursor.at] >= end
        high = lower_bound(leaf, end) if ends_here else len(leaf.keys)
        if low < high:
            prefix = leaf.prefix
            keys = leaf.keys[low:high]
            yield [prefix + key for key in keys] if prefix else keys, leaf.values[low:high]
        if ends_here:
            return
        cursor.advance()
        cursor.sink(0)
