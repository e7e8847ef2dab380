"""Diff: what is in one tree and not in the other, in key order, lazily.

Two cursors walk side by side. Where both refer to the same digest they pass the whole subtree; where they differ they
go down. A digest names a subtree with its keys, so equal parts cancel wherever they sit, also in trees of unequal
height: the higher cursor goes down first. What is kept in memory is two ways down and two leaves.

Rules of the room: values are compared by the caller's `same`, and only when their bytes differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import compress
from operator import ne

from lakefs_hl.local.tree.node import END, Node
from lakefs_hl.local.tree.read import Cursor, Reader, lower_bound

Same = Callable[[bytes, bytes], bool]
"""Whether two values mean the same, though their bytes differ."""

Change = tuple[bytes, bytes | None, bytes | None]
"""A key, its value on the left, its value on the right; None: it is not there."""

LEFT, RIGHT = 0, 1

LeafRef = tuple[bytes, bytes, int, bytes]
"""A leaf that one tree has and the other has not: it covers low < key <= high; its side; its digest."""


class _Pair:
    """Two cursors over the same range of keys, start <= key < end."""

    def __init__(self, reader: Reader, left: bytes, right: bytes, start: bytes, end: bytes) -> None:
        self.start = start
        self.end = end
        self.bounded = end != END
        self.left = self.enter(Cursor(reader, left))
        self.right = self.enter(Cursor(reader, right))

    def enter(self, cursor: Cursor) -> Cursor:
        if cursor.live and (cursor.keys[-1] < self.start or self.start >= self.end):
            cursor.live = False
        return cursor

    def inside(self, cursor: Cursor) -> bool:
        """Whether the cursor still has keys of the range before it."""
        if cursor.live and self.bounded and cursor.low() >= self.end:
            cursor.live = False
        return cursor.live

    def sink(self, cursor: Cursor) -> None:
        """Go down to a leaf, past what lies before the range."""
        while cursor.level and self.inside(cursor):
            cursor.down(self.start)

    def sync(self) -> None:
        """Pass what both have, until both are at leaves that differ, or one has ended and the other is at a leaf."""
        left, right = self.left, self.right
        while True:
            if not (self.inside(left) and self.inside(right)):
                self.sink(left)
                self.sink(right)
                return
            if left.level > right.level:
                left.down(self.start)
            elif right.level > left.level:
                right.down(self.start)
            elif left.values[left.at] == right.values[right.at]:
                self.skip()
            elif not left.level:
                return
            else:
                left.down(self.start)
                right.down(self.start)

    def skip(self) -> None:
        """Pass the run of equal references that begins here."""
        left, right = self.left, self.right
        ours, theirs, i, j = left.values, right.values, left.at + 1, right.at + 1
        begin, most = i, min(len(ours), len(theirs) - j + i)
        while i < most and ours[i] == theirs[j]:
            i += 1
            j += 1
        left.advance(1 + i - begin)
        right.advance(1 + i - begin)


def changed_leaves(reader: Reader, left: bytes, right: bytes) -> Iterator[LeafRef]:
    """Yield the leaves that only one of two trees has; no leaf is read. In order of `high`, of `low` on each side."""
    pair = _Pair(reader, left, right, b"", END)
    ours, theirs = pair.left, pair.right
    while True:
        pair.sync()
        if not (ours.live or theirs.live):
            return
        take_left = ours.live and (not theirs.live or ours.keys[ours.at] <= theirs.keys[theirs.at])
        take_right = theirs.live and (not ours.live or theirs.keys[theirs.at] <= ours.keys[ours.at])
        if take_left:
            yield ours.low(), ours.keys[ours.at], LEFT, ours.values[ours.at]
            ours.advance()
        if take_right:
            yield theirs.low(), theirs.keys[theirs.at], RIGHT, theirs.values[theirs.at]
            theirs.advance()


class _Side:
    """The leaf at a cursor, and how much of it has been compared."""

    __slots__ = ("at", "cursor", "keys", "leaf", "reader")

    def __init__(self, reader: Reader, cursor: Cursor) -> None:
        self.reader = reader
        self.cursor = cursor
        self.leaf: Node | None = None
        self.keys: list[bytes] = []
        self.at = 0

    def digest(self) -> bytes:
        return self.cursor.values[self.cursor.at]

    def read(self) -> Node:
        if self.leaf is None:
            self.leaf = self.reader.peek(self.digest())
            self.at = 0
            self.keys = []
        return self.leaf

    def take(self, last: bytes) -> dict[bytes, bytes]:
        """Take the entries up to a key; at the end of the leaf, go on to the next reference."""
        if not self.cursor.live:
            return {}
        leaf = self.read()
        if not self.keys:
            self.keys = leaf.full_keys()
        begin = self.at
        ends = self.keys[-1] <= last
        end = len(self.keys) if ends else lower_bound(leaf, last + b"\0")
        entries = dict(zip(self.keys[begin:end], leaf.values[begin:end], strict=True))
        if ends:
            self.leave()
        else:
            self.at = end
        return entries

    def leave(self) -> None:
        self.leaf = None
        self.cursor.advance()


def _aligned(left: Node, right: Node) -> bool:
    return left.keys == right.keys and left.prefix == right.prefix


def _leaf_changes(pair: _Pair, left: _Side, right: _Side) -> Iterator[Change]:
    """Compare leaves until both sides end one at the same key. Raw differences, the range not yet observed."""
    while True:
        if left.cursor.live and right.cursor.live:
            ours, theirs = left.read(), right.read()
            if not left.at and not right.at and _aligned(ours, theirs):
                prefix = ours.prefix
                differing = map(ne, ours.values, theirs.values)
                for key, old, new in compress(zip(ours.keys, ours.values, theirs.values, strict=True), differing):
                    yield prefix + key, old, new
                left.leave()
                right.leave()
                return
            last = min(left.cursor.keys[left.cursor.at], right.cursor.keys[right.cursor.at])
        else:
            one = left.cursor if left.cursor.live else right.cursor
            last = one.keys[one.at]
        olds, news = left.take(last), right.take(last)
        for key in sorted({**olds, **news}):
            if olds.get(key) != news.get(key):
                yield key, olds.get(key), news.get(key)
        if left.leaf is None and right.leaf is None:
            return
        moved, still = (right, left) if right.leaf is None else (left, right)
        pair.sink(moved.cursor)
        if not still.at and moved.cursor.live and moved.digest() == still.digest():
            left.leave()
            right.leave()
            return


def diff(
    reader: Reader, left: bytes, right: bytes, same: Same, *, start: bytes = b"", end: bytes = END
) -> Iterator[Change]:
    """Yield (key, left value, right value) wherever the two trees differ, start <= key < end."""
    if left == right:
        return
    pair = _Pair(reader, left, right, start, end)
    ours, theirs = _Side(reader, pair.left), _Side(reader, pair.right)
    while True:
        pair.sync()
        if not (pair.left.live or pair.right.live):
            return
        for change in _leaf_changes(pair, ours, theirs):
            key, old, new = change
            if key < start:
                continue
            if key >= end:
                return
            if old is None or new is None or not same(old, new):
                yield change
