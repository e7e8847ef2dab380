"""Going over every node: all of it verified (fsck), or only which nodes there are (garbage collection).

The check does not trust the cache. It holds each node against its digest, its one canonical encoding, the order of
keys, the levels, the ranges that its parent promises, and the rules by which levels are cut.

Rules of the room: reads only; one fault does not hide the others, if the caller wants them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import le
from typing import NamedTuple

from lakefs_hl.local.tree.node import END, Node, TreeCorruptError, decode, encode
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
    open: bytes
    """Digest of the node on its right edge, itself included, that no rule ends; empty if there is none."""


class _Walk:
    def __init__(self, reader: Reader, seen: dict[bytes, Span | None], on_fault: Fault | None) -> None:
        self.reader = reader
        self.seen = seen
        self.on_fault = on_fault

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
        ends = self.reader.shape.cuts(level, keys, node.values)
        reason = self.wrong_inside(level, keys, node.values, ends, is_root=is_root)
        if reason:
            self.fault(digest, reason)
        first = keys[0] if keys else b""
        # Without a minimum the level may have been cut by the older rule for the cap (see `node`).
        open_end = digest if self.reader.shape.limits(level)[0] and ends[-1:] != [len(keys)] else b""
        if level:
            first = b""
            low = b""
            for key, child in zip(keys, node.values, strict=True):
                yield from self.visit(child, is_root=False)
                span = self.seen[child]
                if span is not None:
                    self.check_place(span, level, low, key, is_last=key is keys[-1])
                    first = first or span.first
                    open_end = open_end or (span.open if key is keys[-1] else b"")
                low = key
        self.seen[digest] = Span(digest, level, first, (keys or [b""])[-1], open_end)
        yield Visit(digest, level, size, keys, node.values)

    def check_place(self, span: Span, level: int, low: bytes, high: bytes, *, is_last: bool) -> None:
        """Check a child against what its parent, of this level, says: its level, its range, and that it ends there."""
        if span.level != level - 1:
            self.fault(span.digest, f"it has level {span.level} under a parent of level {level}")
        if span.last != high or span.first <= low:
            self.fault(span.digest, f"its keys {span.first!r}..{span.last!r} should lie above {low!r}, up to {high!r}")
        if span.open and not is_last:
            self.fault(span.open, f"it ends at {span.last!r}, where no rule ends it, and is not the last of its level")

    def wrong_inside(
        self, level: int, keys: list[bytes], values: list[bytes], ends: list[int], *, is_root: bool
    ) -> str:
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
        if ends and ends[0] < len(keys):
            return f"it should have been cut after {keys[ends[0] - 1]!r}"
        return ""


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
