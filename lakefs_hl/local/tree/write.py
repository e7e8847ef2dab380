"""Writing: a tree from sorted items, and a tree from a tree and sorted edits.

Each level is a sorted map (see `node`), so the same code serves them all: edits of one level give edits of the next.
Equal content gives equal nodes whatever came before, because a level is rewritten in whole stretches from boundary to
boundary: within one, the cuts depend on its entries alone.

Rules of the room: every new node is put, also one that the cache knows (it may belong to an operation that was given
up); keys are checked here, at the door.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from operator import le
from typing import TYPE_CHECKING

from xxhash import xxh3_64_intdigest

from lakefs_hl.local.tree.node import END, Node, encode, fewest
from lakefs_hl.local.tree.read import Cursor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from lakefs_hl.local.tree.read import Reader

Edit = tuple[bytes, bytes | None]
"""A key and its new value; None deletes it."""


def _check_keys(keys: Sequence[bytes], before: bytes = b"") -> None:
    """Refuse keys that a tree cannot hold: empty, with a byte 0xff, or not in strictly ascending order."""
    if not keys:
        return
    if keys[0] <= before or any(map(le, keys[1:], keys)):
        last = before
        for key in keys:
            if not key:
                raise ValueError("a tree cannot hold an empty key")
            if key <= last:
                raise ValueError(f"keys must come in strictly ascending order; {key!r} came after {last!r}")
            last = key
    _check_bytes(keys)


def _check_bytes(keys: Sequence[bytes]) -> None:
    if END in b"".join(keys):
        bad = next(key for key in keys if END in key)
        raise ValueError(f"keys must be UTF-8, which has no byte 0xff; got {bad!r}")


def empty(reader: Reader) -> bytes:
    """Put the empty tree and return its root."""
    return reader.nodes.put(encode(0, b"", [], [])[0])


def _collapse(reader: Reader, digest: bytes) -> bytes:
    """Return the root of the tree under this node: the highest node that is not an only child."""
    node = reader.peek(digest)
    while node.level and len(node.keys) == 1:
        digest = node.values[0]
        node = reader.peek(digest)
    return digest


class _Builder:
    """Nodes from entries in order. Holds one open node per level, so its memory does not grow with the tree."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.keys: list[list[bytes]] = [[]]
        self.values: list[list[bytes]] = [[]]
        self.sizes = [0]
        self.pushed = [0]  # entries that a level ever got

    def close(self, level: int) -> None:
        """End the open node of a level, if it has entries, and push it to the level above."""
        keys = self.keys[level]
        if not keys:
            return
        if not level:
            _check_bytes(keys)
        digest = self.reader.nodes.put(encode(level, b"", keys, self.values[level])[0])
        self.keys[level] = []
        self.values[level] = []
        self.sizes[level] = 0
        self.push(level + 1, keys[-1], digest)

    def push(self, level: int, key: bytes, digest: bytes) -> None:
        """Add an entry to the open node of an inner level, ending it first if its cap says so."""
        if level == len(self.keys):
            self.keys.append([])
            self.values.append([])
            self.sizes.append(0)
            self.pushed.append(0)
        size = len(key) + len(digest)
        if len(self.keys[level]) >= fewest(level) and self.sizes[level] + size > self.reader.shape.cap(level):
            self.close(level)
        self.keys[level].append(key)
        self.values[level].append(digest)
        self.sizes[level] += size
        self.pushed[level] += 1

    def finish(self) -> bytes:
        """End all open nodes and return the root."""
        self.close(0)
        if len(self.keys) == 1:
            return empty(self.reader)
        level = 1
        while self.pushed[level] > 1:
            self.close(level)
            level += 1
        return self.first_of(level)

    def first_of(self, level: int) -> bytes:
        """Return the one entry of a level: still open, or in a node that high boundaries closed above it."""
        while not self.keys[level]:
            level += 1
        return _collapse(self.reader, self.values[level][0])


def build(reader: Reader, items: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Make a tree of items in strictly ascending order of keys, and return its root."""
    builder = _Builder(reader)
    shape = reader.shape
    seed, mask, cap = shape.seed, (1 << shape.leaf_bits) - 1, shape.leaf_cap
    digest_of = xxh3_64_intdigest
    keys, values, size = builder.keys[0], builder.values[0], 0
    last = b""
    for key, value in items:
        weight = len(key) + len(value)
        if (size := size + weight) > cap and keys:
            builder.close(0)
            keys, values, size = builder.keys[0], builder.values[0], weight
        if key <= last:
            _check_keys([key], last)
        last = key
        keys.append(key)
        values.append(value)
        if not digest_of(key, seed) & mask:
            for level in range(shape.height(key)):
                builder.close(level)
            keys, values, size = builder.keys[0], builder.values[0], 0
    return builder.finish()


class _Stretch:
    """Entries of a level in order, from one boundary to another: what is cut anew when any of them changes.

    Attributes:
        level: The level they are of.
        prefix: What was taken off all keys.
        keys: The rest of each.
        values: One for each key.
        boundaries: Whole keys after which the level is cut; some may not be among the keys any more.
    """

    __slots__ = ("boundaries", "keys", "level", "prefix", "reader", "values")

    def __init__(self, reader: Reader, level: int) -> None:
        self.reader = reader
        self.level = level
        self.prefix = b""
        self.keys: list[bytes] = []
        self.values: list[bytes] = []
        self.boundaries: set[bytes] = set()

    def ends_at(self, key: bytes) -> bool:
        """Whether the level is cut after the last entry, given that it was cut after this key."""
        if not self.keys:
            return True
        last = self.prefix + self.keys[-1]
        return last == key or last in self.boundaries

    def extend(self, node: Node) -> None:
        """Add the entries of the next node."""
        if self.prefix:
            self.keys = [self.prefix + key for key in self.keys]
            self.prefix = b""
        self.keys += node.full_keys()
        self.values += node.values

    def start(self, node: Node, edits: Sequence[Edit]) -> None:
        """Take the entries of the first node; keys stay without its prefix if all edits have it."""
        prefix = node.prefix
        if edits and not (edits[0][0].startswith(prefix) and edits[-1][0].startswith(prefix)):
            self.extend(node)
            return
        self.prefix = prefix
        self.keys = node.keys[:]
        self.values = node.values[:]

    def change(self, edits: Sequence[Edit]) -> None:
        """Make edits, and note new boundaries."""
        ahead, level, height = len(self.prefix), self.level, self.reader.shape.height
        keys, values = self.keys, self.values
        for key, value in edits:
            rest = key[ahead:]
            at = bisect_left(keys, rest)
            if at < len(keys) and keys[at] == rest:
                if value is None:
                    del keys[at], values[at]
                else:
                    values[at] = value
            elif value is not None:
                keys.insert(at, rest)
                values.insert(at, value)
                if height(key) > level:
                    self.boundaries.add(key)

    def cut(self) -> list[tuple[bytes, bytes]]:
        """Put the entries as nodes and return (last key, digest) of each."""
        out: list[tuple[bytes, bytes]] = []
        keys, begin, ahead = self.keys, 0, len(self.prefix)
        for boundary in sorted(self.boundaries):
            key = boundary[ahead:]
            at = bisect_left(keys, key, begin)
            if at < len(keys) and keys[at] == key:
                self.put(begin, at + 1, out)
                begin = at + 1
        if begin < len(keys):
            self.put(begin, len(keys), out)
        return out

    def put(self, begin: int, end: int, out: list[tuple[bytes, bytes]]) -> None:
        """Put what lies between two boundaries as one node, or as several if the cap says so."""
        cap, least, ahead = self.reader.shape.cap(self.level), fewest(self.level), len(self.prefix)
        keys, values = self.keys[begin:end], self.values[begin:end]
        data, shared = encode(self.level, self.prefix, keys, values)
        if len(keys) <= least or len(data) + shared * len(keys) <= cap:  # not less than what the cap counts
            self.put_node(keys, values, data, out)
            return
        begin, size = 0, 0
        for at, (key, value) in enumerate(zip(keys, values, strict=True)):
            weight = ahead + len(key) + len(value)
            if size + weight > cap and at - begin >= least:
                self.put_node(keys[begin:at], values[begin:at], None, out)
                begin, size = at, 0
            size += weight
        self.put_node(keys[begin:], values[begin:], None, out)

    def put_node(
        self, keys: list[bytes], values: list[bytes], data: bytes | None, out: list[tuple[bytes, bytes]]
    ) -> None:
        if data is None:
            data = encode(self.level, self.prefix, keys, values)[0]
        digest = self.reader.nodes.put(data)
        if self.level:  # the next operation needs it; inner nodes have no prefix in memory
            self.reader.cache.add(digest, Node(self.level, b"", keys, values), len(data))
        out.append((self.prefix + keys[-1], digest))


class _LevelEdit:
    """Edits of one level becoming edits of the next: each stretch they touch is read, changed and cut anew."""

    def __init__(self, reader: Reader, root: bytes, level: int, edits: Sequence[Edit]) -> None:
        self.reader = reader
        self.level = level
        self.edits = edits
        self.edit_keys = [edit[0] for edit in edits]
        self.cursor = Cursor(reader, root)
        self.out: dict[bytes, bytes | None] = {}

    def run(self) -> list[Edit]:
        done = 0
        cursor, level, height = self.cursor, self.level, self.reader.shape.height
        while done < len(self.edits):
            cursor.seek(self.edit_keys[done], level)
            while (low := cursor.low()) and height(low) <= level:  # cut by its cap: the stretch begins further left
                cursor.back()
            done = self.stretch(done)
        return sorted(self.out.items())

    def stretch(self, done: int) -> int:
        """Rewrite the stretch that begins at the cursor. Takes and returns how many edits are done."""
        cursor, height, level = self.cursor, self.reader.shape.height, self.level
        before: dict[bytes, bytes] = {}
        stretch = _Stretch(self.reader, level)
        while True:
            key, digest = cursor.keys[cursor.at], cursor.values[cursor.at]
            is_boundary, is_last = height(key) > level, cursor.is_last()
            if is_boundary:
                stretch.boundaries.add(key)
            upto = len(self.edits) if is_last else bisect_right(self.edit_keys, key, done)
            edits = self.edits[done:upto]
            done = upto
            if before:
                stretch.extend(self.reader.peek(digest))
            else:
                stretch.start(self.reader.peek(digest), edits)
            before[key] = digest
            stretch.change(edits)
            if is_last or (is_boundary and stretch.ends_at(key)):
                break
            cursor.advance()  # the boundary was deleted, or it was the cap that cut here: the next node belongs to it
            cursor.sink(level)
        self.out.update(dict.fromkeys(before))
        for key, new in stretch.cut():
            if before.get(key) == new:
                del self.out[key]
            else:
                self.out[key] = new
        return done


def apply(
    reader: Reader, root: bytes, edits: Sequence[Edit], grafts: Mapping[bytes, bytes | None] | None = None
) -> bytes:
    """Change a tree and return the new root.

    Args:
        reader: Where nodes are.
        root: The tree.
        edits: Strictly ascending.
        grafts: Edits of level 1: leaves put in place of leaves, as whole stretches that no edit touches.
    """
    _check_keys([edit[0] for edit in edits])
    node = reader.load(root)
    if not node.keys:
        if grafts:
            raise ValueError("an empty tree has no leaves to graft in place of")
        return build(reader, ((key, value) for key, value in edits if value is not None))
    level = 0
    while level <= node.level and (edits or grafts):
        if edits:
            edits = _LevelEdit(reader, root, level, edits).run()
        level += 1
        if grafts:
            if not grafts.keys().isdisjoint(key for key, _ in edits):
                raise AssertionError("an edit touched a grafted stretch: one of the two would have been lost")
            edits = sorted([*grafts.items(), *edits])
            grafts = None
    if not edits:
        return root
    top = {node.last_key(): root, **dict(edits)}
    entries = [(key, digest) for key, digest in sorted(top.items()) if digest is not None]
    return _grow(reader, level, entries)


def _grow(reader: Reader, level: int, entries: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return the root over all entries of a level."""
    while len(entries) > 1:
        stretch = _Stretch(reader, level)
        stretch.keys = [key for key, _ in entries]
        stretch.values = [digest for _, digest in entries]
        stretch.boundaries = {key for key in stretch.keys if reader.shape.height(key) > level}
        entries = stretch.cut()
        level += 1
    return _collapse(reader, entries[0][1]) if entries else empty(reader)
