"""Going over every node: all of it verified (fsck), or only which nodes there are (garbage collection).

The check does not trust the cache. It holds each node against its digest, its one canonical encoding, the order of
keys, the levels, the ranges that its parent promises, and the rules by which levels are cut.

Rules of the room: reads only; one fault does not hide the others, if the caller wants them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import le
from typing import NamedTuple

from lakefs_hl.local.tree.node import END, Node, TreeCorruptError, decode, encode, fewest
from lakefs_hl.local.tree.read import Reader

Fault = Callable[[TreeCorruptError], None]


class Visit(NamedTuple):
    """A node that was found sound."""

    digest: bytes
    level: int
    size: int
    """Its encoded bytes."""
    keys: list[bytes]
    """Whole keys."""
    values: list[bytes]
    """Values of a leaf, digests of the children of an inner node."""


class Span(NamedTuple):
    """What a node is to its neighbours and its parent."""

    digest: bytes
    level: int
    first: bytes
    last: bytes
    entries: int
    weight: int
    """Bytes of its keys and values, as the cap counts them."""
    head: int
    """The same of its first entry."""


class _Walk:
    def __init__(self, reader: Reader, seen: dict[bytes, Span | None], on_fault: Fault | None) -> None:
        self.reader = reader
        self.seen = seen
        self.on_fault = on_fault
        self.tails: dict[int, Span | None] = {}  # the node before, of each level; None: not known

    def fault(self, digest: bytes, reason: str) -> None:
        error = TreeCorruptError.at(digest, reason)
        if self.on_fault is None:
            raise error
        self.on_fault(error)

    def read(self, digest: bytes) -> tuple[Node, int] | None:
        try:
            data = self.reader.raw(digest)
            node = decode(digest, data)
            if encode(node.level, b"", node.full_keys(), node.values)[0] != data:
                raise TreeCorruptError.at(digest, "it is not written in the canonical form")
        except TreeCorruptError as error:
            if self.on_fault is None:
                raise
            self.on_fault(error)
            return None
        return node, len(data)

    def visit(self, digest: bytes, *, is_root: bool) -> Iterator[Visit]:
        """Yield the nodes under this one that were not seen before; note its span, None if it cannot be read."""
        if digest in self.seen:
            return
        self.seen[digest] = None
        found = self.read(digest)
        if found is None:
            return
        node, size = found
        keys, level = node.full_keys(), node.level
        reason = self.wrong_inside(level, keys, node.values, is_root=is_root)
        if reason:
            self.fault(digest, reason)
        first = keys[0] if keys else b""
        if level:
            first = b""
            low = b""
            for key, child in zip(keys, node.values, strict=True):
                if child in self.seen:  # passed over: what lies below is no neighbour of what comes next
                    self.tails.update(dict.fromkeys(range(level - 1)))
                yield from self.visit(child, is_root=False)
                span = self.seen[child]
                self.beside(span, level - 1)
                if span is not None:
                    if span.level != level - 1:
                        self.fault(child, f"it has level {span.level} under a parent of level {level}")
                    if span.last != key or span.first <= low:
                        self.fault(
                            child, f"its keys {span.first!r}..{span.last!r} should lie above {low!r}, up to {key!r}"
                        )
                    first = first or span.first
                low = key
        weights = [len(key) + len(value) for key, value in zip(keys, node.values, strict=True)] or [0]
        self.seen[digest] = Span(digest, level, first, (keys or [b""])[-1], len(keys), sum(weights), weights[0])
        yield Visit(digest, level, size, keys, node.values)

    def wrong_inside(self, level: int, keys: list[bytes], values: list[bytes], *, is_root: bool) -> str:
        """Return what is wrong with a node taken alone, or nothing."""
        if not keys:
            return "" if is_root else "it is empty, and not a root"
        if is_root and level and len(keys) == 1:
            return "it is a root with a single child"
        if not keys[0] or any(map(le, keys[1:], keys)):
            return "its keys are not in strictly ascending order"
        if END in b"".join(keys):
            return "a key has a byte 0xff"
        if level and any(len(value) != 32 for value in values):
            return "a reference in it is not a sha256 digest"
        shape = self.reader.shape
        inside = next((key for key in keys[:-1] if shape.height(key) > level), None)
        if inside is not None:
            return f"it should have been cut after {inside!r}"
        weight = sum(map(len, keys)) + sum(map(len, values))
        if weight > shape.cap(level) and len(keys) > fewest(level):
            return f"its {weight} bytes are more than the cap of {shape.cap(level)}"
        return ""

    def beside(self, span: Span | None, level: int) -> None:
        """Check that the cut between a node and the one before it, of the same level, is where it must be."""
        before = self.tails.get(level)
        if before is not None and span is not None:
            shape = self.reader.shape
            full = before.weight + span.head > shape.cap(level) and before.entries >= fewest(level)
            if not full and shape.height(before.last) <= level:
                self.fault(before.digest, f"it ends at {before.last!r}, which is no boundary, and is not full")
        self.tails[level] = span


def walk(
    reader: Reader, root: bytes, seen: dict[bytes, Span | None] | None = None, on_fault: Fault | None = None
) -> Iterator[Visit]:
    """Yield every node once, children before parents, all of it verified.

    Args:
        reader: Where nodes are; its cache is not used.
        root: The tree.
        seen: Nodes of other trees that need no second visit; filled.
        on_fault: Told of each fault; without it the first is raised.
    """
    yield from _Walk(reader, {} if seen is None else seen, on_fault).visit(root, is_root=True)


def reach(reader: Reader, root: bytes, seen: set[bytes] | None = None) -> Iterator[bytes]:
    """Yield the digest of every node once, the root first. Leaves are not read, unless the root is one.

    Args:
        reader: Where nodes are.
        root: The tree.
        seen: Nodes of other trees, whose subtrees are passed over; filled.
    """
    seen = set() if seen is None else seen
    if root in seen:
        return
    seen.add(root)
    yield root
    ahead = [reader.peek(root)]
    while ahead:
        node = ahead.pop()
        if not node.level:
            continue
        fresh = [digest for digest in node.values if digest not in seen]
        seen.update(fresh)
        yield from fresh
        if node.level > 1:
            ahead.extend(map(reader.peek, fresh))
