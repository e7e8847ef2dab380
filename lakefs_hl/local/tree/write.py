"""Writing: a tree from sorted items, and a tree from a tree and sorted edits.

Each level is a sorted map (see `node`), so the same code serves them all: edits of one level give edits of the next.
Equal content gives equal nodes whatever came before, because a level is cut anew from the beginning of the node that an
edit touches until a new cut falls on an old one: from there on the two agree.

Rules of the room: every new node is put, also one that the cache knows (it may belong to an operation that was given
up); keys are checked here, at the door.
"""

from __future__ import annotations

from bisect import bisect_left
from operator import le
from typing import TYPE_CHECKING

from xxhash import xxh3_64_intdigest

from lakefs_hl.local.tree.node import END, Node, encode
from lakefs_hl.local.tree.read import Cursor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

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
        """Add an entry to the open node of an inner level, and end it if the rules say so."""
        if level == len(self.keys):
            self.keys.append([])
            self.values.append([])
            self.sizes.append(0)
            self.pushed.append(0)
        self.keys[level].append(key)
        self.values[level].append(digest)
        self.sizes[level] += len(key) + len(digest)
        self.pushed[level] += 1
        shape, count = self.reader.shape, len(self.keys[level])
        if (count > shape.fan_min and shape.height(key) > level) or (self.sizes[level] >= shape.fan_cap and count > 1):
            self.close(level)

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
        """Return the one entry of a level: still open, or in a node that has ended above it."""
        while not self.keys[level]:
            level += 1
        return _collapse(self.reader, self.values[level][0])


def build(reader: Reader, items: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Make a tree of items in strictly ascending order of keys, and return its root."""
    builder = _Builder(reader)
    shape = reader.shape
    seed, mask, cap, least = shape.seed, (1 << shape.leaf_bits) - 1, shape.leaf_cap, shape.leaf_min
    digest_of = xxh3_64_intdigest
    keys, values, size = builder.keys[0], builder.values[0], 0
    last = b""
    for key, value in items:
        if key <= last:
            _check_keys([key], last)
        last = key
        keys.append(key)
        values.append(value)
        size += len(key) + len(value)
        if (len(keys) > least and not digest_of(key, seed) & mask) or size >= cap:
            builder.close(0)
            keys, values, size = builder.keys[0], builder.values[0], 0
    return builder.finish()


class _Stretch:
    """Entries of a level that are cut anew, from a cut on.

    Attributes:
        level: The level they are of.
        prefix: What was taken off all keys.
        keys: The rest of each key behind the last new cut.
        values: One for each key.
        out: (last key, digest) of each node that was put.
    """

    __slots__ = ("keys", "level", "out", "prefix", "reader", "values")

    def __init__(self, reader: Reader, level: int) -> None:
        self.reader = reader
        self.level = level
        self.out: list[tuple[bytes, bytes]] = []
        self.reset(b"", [], [])

    def reset(self, prefix: bytes, keys: list[bytes], values: list[bytes]) -> None:
        self.prefix = prefix
        self.keys: list[bytes] = keys
        self.values: list[bytes] = values

    def add(self, node: Node, edits: Sequence[Edit]) -> None:
        """Take the entries of the next node, changed by edits, and put what can be cut; keep the rest."""
        alone = not self.keys
        if alone:
            self.reset(node.prefix, node.keys[:], node.values[:])
        else:
            self.widen()
            self.keys += node.full_keys()
            self.values += node.values
        moved = self.change(edits)
        if not (alone and not moved and self.put_as_before()):
            self.cut()

    def widen(self) -> None:
        """Make all keys whole."""
        if self.prefix:
            self.reset(b"", [self.prefix + key for key in self.keys], self.values)

    def change(self, edits: Sequence[Edit]) -> bool:
        """Make edits among the entries; return whether keys came or went."""
        if edits and not (edits[0][0].startswith(self.prefix) and edits[-1][0].startswith(self.prefix)):
            self.widen()
        ahead, keys, values, moved = len(self.prefix), self.keys, self.values, False
        for key, value in edits:
            rest = key[ahead:]
            at = bisect_left(keys, rest)
            if at < len(keys) and keys[at] == rest:
                if value is None:
                    del keys[at], values[at]
                    moved = True
                else:
                    values[at] = value
            elif value is not None:
                keys.insert(at, rest)
                values.insert(at, value)
                moved = True
        return moved

    def put_as_before(self) -> bool:
        """Put a node that has the keys it had, and ended by a hash, as one node. Return False if its cap is near.

        No hash cuts inside it, because none did; so no key has to be hashed but the last.
        """
        shape, level, keys = self.reader.shape, self.level, self.keys
        least, cap = shape.limits(level)
        if len(keys) <= least or shape.height(self.prefix + keys[-1]) <= level:
            return False
        data, shared = encode(level, self.prefix, keys, self.values)
        if len(data) + shared * len(keys) >= cap:  # not less than what the cap counts
            return False
        self.put(keys, self.values, data)
        self.reset(b"", [], [])
        return True

    def cut(self) -> None:
        """Put all nodes that end among the entries; keep what is behind the last cut."""
        keys, values, prefix, begin = self.keys, self.values, self.prefix, 0
        for end in self.reader.shape.cuts(self.level, [prefix + key for key in keys] if prefix else keys, values):
            self.put(keys[begin:end], values[begin:end])
            begin = end
        self.reset(prefix if begin < len(keys) else b"", keys[begin:], values[begin:])

    def end(self, edits: Sequence[Edit] = ()) -> None:
        """Make edits behind all entries, and put all that is left: the level ends here."""
        if edits:
            self.change(edits)
            self.cut()
        if self.keys:
            self.put(self.keys, self.values)

    def put(self, keys: list[bytes], values: list[bytes], data: bytes | None = None) -> None:
        if data is None:
            data = encode(self.level, self.prefix, keys, values)[0]
        digest = self.reader.nodes.put(data)
        if self.level:  # the next operation needs it; inner nodes have no prefix in memory
            self.reader.cache.add(digest, Node(self.level, b"", keys, values), len(data))
        self.out.append((self.prefix + keys[-1], digest))


class Grafts:
    """Leaves that are put in place of others, by reference, in ranges of keys that no edit touches.

    Each range begins behind a leaf of the tree, whose last key names it. If edits before that key move the cut there,
    the range is *crossed*: its leaves would begin elsewhere. Then its entries are edited instead of grafting it.

    Args:
        leaves: Edits of level 1 for each range.
        entries: Returns the edits of level 0 that do the same, for a range that was crossed.
    """

    __slots__ = ("entries", "leaves")

    def __init__(self, leaves: dict[bytes, list[Edit]], entries: Callable[[bytes], Sequence[Edit]]) -> None:
        self.leaves: dict[bytes, list[Edit]] = leaves
        self.entries: Callable[[bytes], Sequence[Edit]] = entries

    def cross(self, key: bytes) -> Sequence[Edit]:
        """Give up the range that begins behind a key, if one does, and return edits in its place."""
        return self.entries(key) if self.leaves.pop(key, None) is not None else ()


class _LevelEdit:
    """Edits of one level becoming edits of the next: the nodes they touch are read, changed and cut anew.

    Attributes:
        ahead: Edits not yet made, the next one last: those of a crossed graft are put before the rest.
    """

    def __init__(self, reader: Reader, root: bytes, level: int, edits: Sequence[Edit], grafts: Grafts | None) -> None:
        self.reader = reader
        self.level = level
        self.grafts = grafts
        self.ahead: list[Edit] = list(reversed(edits))
        self.cursor = Cursor(reader, root)
        self.out: dict[bytes, bytes | None] = {}

    def run(self) -> list[Edit]:
        while self.ahead:
            self.cursor.seek(self.ahead[-1][0], self.level)
            self.rewrite()
        return sorted(self.out.items())

    def upto(self, key: bytes) -> list[Edit]:
        """Take the edits up to a key."""
        ahead, taken = self.ahead, list[Edit]()
        while ahead and ahead[-1][0] <= key:
            taken.append(ahead.pop())
        return taken

    def rewrite(self) -> None:
        """Cut anew from the node at the cursor on, until a cut falls on one that was there."""
        cursor = self.cursor
        before: dict[bytes, bytes] = {}
        stretch = _Stretch(self.reader, self.level)
        while True:
            key, digest = cursor.keys[cursor.at], cursor.values[cursor.at]
            before[key] = digest
            stretch.add(self.reader.peek(digest), self.upto(key))
            if stretch.keys and self.grafts is not None:
                self.ahead.extend(reversed(self.grafts.cross(key)))
            if cursor.is_last():
                stretch.end(self.upto(END))
                break
            if not stretch.keys:
                break
            cursor.advance()
            cursor.sink(self.level)
        self.out.update(dict.fromkeys(before))
        for key, new in stretch.out:
            if before.get(key) == new:
                del self.out[key]
            else:
                self.out[key] = new


def apply(reader: Reader, root: bytes, edits: Sequence[Edit], grafts: Grafts | None = None) -> bytes:
    """Change a tree and return the new root.

    Args:
        reader: Where nodes are.
        root: The tree.
        edits: Strictly ascending.
        grafts: What to put in place by reference; those that edits cross are taken out of it.
    """
    _check_keys([edit[0] for edit in edits])
    node = reader.load(root)
    if not node.keys:
        if grafts is not None and grafts.leaves:
            raise ValueError("an empty tree has no leaves to graft in place of")
        return build(reader, ((key, value) for key, value in edits if value is not None))
    edits = _LevelEdit(reader, root, 0, edits, grafts).run()
    if grafts is not None:
        grafted = [edit for leaves in grafts.leaves.values() for edit in leaves]
        if not {key for key, _ in edits}.isdisjoint(key for key, _ in grafted):
            raise AssertionError("an edit touched a grafted range: one of the two would have been lost")
        edits = sorted([*grafted, *edits])
    level = 1
    while level <= node.level and edits:
        edits = _LevelEdit(reader, root, level, edits, None).run()
        level += 1
    if not edits:
        return root
    top = {node.last_key(): root, **dict(edits)}
    entries = [(key, digest) for key, digest in sorted(top.items()) if digest is not None]
    return _grow(reader, level, entries)


def _grow(reader: Reader, level: int, entries: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return the root over all entries of a level."""
    while len(entries) > 1:
        stretch = _Stretch(reader, level)
        stretch.reset(b"", [key for key, _ in entries], [digest for _, digest in entries])
        stretch.cut()
        stretch.end()
        entries = stretch.out
        level += 1
    return _collapse(reader, entries[0][1]) if entries else empty(reader)
