"""Nodes of the tree: what they hold, how they are written, where a level is cut.

The tree is a pure function of its content. Level 0 is the sorted map *key -> value*; level n + 1 is the sorted map
*last key of a node of level n -> digest of that node*. Counted from the cut before it, a node of a level ends

1. after an entry whose key's hash says so (`Shape.height` greater than the level), if the node then has more than the
   minimum of entries (`leaf_min`, `fan_min`); or
2. after the entry with which its keys and values reach the byte cap (an inner node: with at least two entries).

A cut depends on the entries since the cut before it and on nothing else. So an edit cuts anew from the beginning of the
node that it touches, until a new cut falls on an old one: soon, because hashes decide. The minimum keeps nodes alike in
size: without it a random change hits a node of twice the mean size. The cap keeps a node small when entries are large,
or when keys were chosen by somebody who knows the seed.

**Older trees.** Lakes made before there was a minimum keep their shape, with a minimum of 0 (`Shape.restore`). Rule 1
is then the rule they were cut by. Their cap cut *before* the entry that would have exceeded it; rule 2 cuts after it.
So their trees are those of today's rules, except in a stretch that the cap has cut. Such a stretch stays as it is until
an edit cuts it anew: reads, diffs, edits and merges need only keys in order, and `check` accepts a node of such a lake
that ends before its cap. Two of its trees may therefore hold the same entries in different nodes. A diff finds no
change between them, and nothing else compares trees.

Rules of the room: no I/O; identity is sha256, xxh3 only cuts; everything in this module is on-disk format.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from xxhash import xxh3_64_intdigest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

END = b"\xff"
"""Above every key: 0xff never occurs in UTF-8."""

TOP = 12
"""No hash cuts this level or one above, so every tree comes to an end."""


class TreeCorruptError(Exception):
    """A node is missing, damaged, or not where it belongs.

    Attributes:
        digest: The node's digest.
        reason: What is wrong with it.
    """

    digest: bytes = b""
    reason: str = ""

    @classmethod
    def at(cls, digest: bytes, reason: str) -> TreeCorruptError:
        """Make the error for one node."""
        error = cls(
            f"tree node {digest.hex()}: {reason}; the lake is damaged: restore it from a backup, and check the disk"
        )
        error.digest, error.reason = digest, reason
        return error


class Nodes(Protocol):
    """Where nodes are kept: the one thing the tree needs from the world."""

    def get(self, digest: bytes, /) -> bytes:
        """Return the bytes that were put under this digest.

        Raises:
            KeyError: There are none.
        """

    def put(self, data: bytes, /) -> bytes:
        """Keep these bytes and return their sha256 digest (32 bytes)."""


class MemoryNodes:
    """Nodes in a dictionary: for tests, examples and throw-away trees."""

    def __init__(self) -> None:
        self.held: dict[bytes, bytes] = {}

    def get(self, digest: bytes, /) -> bytes:
        """Return the bytes of this digest, or raise KeyError."""
        return self.held[digest]

    def put(self, data: bytes, /) -> bytes:
        """Keep the bytes and return their digest."""
        digest = hashlib.sha256(data).digest()
        self.held[digest] = data
        return digest


class Shape(msgspec.Struct, frozen=True):
    """What decides where a tree is cut. Part of the on-disk format: trees of different shapes share nothing.

    Attributes:
        seed: Seed of the boundary hash, 64 bits; random and secret per lake, so that nobody can choose keys that
            make all edits slow.
        leaf_bits: A leaf has leaf_min + 2**leaf_bits entries on average.
        fan_bits: An inner node has fan_min + 2**fan_bits children on average.
        leaf_min: A hash ends a leaf only if it has more entries than this.
        fan_min: A hash ends an inner node only if it has more children than this.
        leaf_cap: Bytes of keys and values with which a leaf ends; its last entry may exceed them.
        fan_cap: Bytes of keys and digests with which an inner node ends, if it has two children.
    """

    seed: int
    leaf_bits: int = 4
    fan_bits: int = 4
    leaf_min: int = 16
    fan_min: int = 16
    leaf_cap: int = 64 << 10
    fan_cap: int = 64 << 10

    @classmethod
    def restore(cls, noted: Mapping[str, Any]) -> Shape:
        """Return the shape that a lake has noted. Lakes made before there was a minimum note none, and have none."""
        return msgspec.convert({"leaf_min": 0, "fan_min": 0, **noted}, cls)

    def __post_init__(self) -> None:
        """Refuse a shape that no tree can have."""
        if not 0 <= self.seed < 1 << 64:
            raise ValueError(f"the seed of a tree must have 64 bits, unsigned; got {self.seed}")
        if not (0 <= self.leaf_bits <= 16 and 1 <= self.fan_bits <= 16):
            raise ValueError(f"leaf_bits must be 0 to 16 and fan_bits 1 to 16; got {self.leaf_bits}, {self.fan_bits}")
        if self.leaf_min < 0 or self.fan_min < 0:
            raise ValueError(f"leaf_min and fan_min must be at least 0; got {self.leaf_min}, {self.fan_min}")
        if self.leaf_cap < 1 or self.fan_cap < 1:
            raise ValueError(f"a node's cap must be at least one byte; got {self.leaf_cap}, {self.fan_cap}")

    def height(self, key: bytes) -> int:
        """Return how many levels this key may cut, from the leaves up: those below its height."""
        mark = xxh3_64_intdigest(key, self.seed)
        if mark & ((1 << self.leaf_bits) - 1):
            return 0
        mark >>= self.leaf_bits
        mask = (1 << self.fan_bits) - 1
        level = 1
        while level < TOP and not mark & mask:
            mark >>= self.fan_bits
            level += 1
        return level

    def limits(self, level: int) -> tuple[int, int]:
        """Return the minimum and the cap of a level."""
        return (self.fan_min, self.fan_cap) if level else (self.leaf_min, self.leaf_cap)

    def cuts(self, level: int, keys: Sequence[bytes], values: Sequence[bytes]) -> list[int]:
        """Return the indices before which a level is cut, given that it is cut before the first of these entries."""
        seed = self.seed
        least, cap = self.limits(level)
        fewest = 2 if level else 1
        mask = (1 << (self.leaf_bits + level * self.fan_bits)) - 1  # `height`, without a call for each key
        if level >= TOP:
            least = len(keys)
        ends: list[int] = []
        begin = size = 0
        for at, (key, value) in enumerate(zip(keys, values, strict=True), 1):
            size += len(key) + len(value)
            count = at - begin
            if (count > least and not xxh3_64_intdigest(key, seed) & mask) or (size >= cap and count >= fewest):
                ends.append(at)
                begin, size = at, 0
        return ends


class Node(msgspec.Struct, array_like=True, gc=False):
    """One node. Shared by all threads through the cache: never change its lists.

    Attributes:
        level: 0 for a leaf.
        prefix: What all keys begin with; empty in memory for inner nodes, whose keys are then whole.
        keys: The rest of each key, strictly ascending. Of an inner node: the last key of each child.
        values: Values of a leaf, digests of the children of an inner node.
    """

    level: int
    prefix: bytes
    keys: list[bytes]
    values: list[bytes]

    def full_keys(self) -> list[bytes]:
        """Return the whole keys, in a list of the caller's own."""
        prefix = self.prefix
        return [prefix + key for key in self.keys] if prefix else self.keys[:]

    def last_key(self) -> bytes:
        """Return the last whole key; the node must have one."""
        return self.prefix + self.keys[-1]


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Node).decode


def common_prefix(first: bytes, last: bytes) -> int:
    """Return how many bytes two keys have in common from the start (big integers find it without a loop)."""
    size = min(len(first), len(last))
    apart = int.from_bytes(first[:size], "big") ^ int.from_bytes(last[:size], "big")
    return size - ((apart.bit_length() + 7) >> 3)


def encode(level: int, prefix: bytes, keys: Sequence[bytes], values: Sequence[bytes]) -> tuple[bytes, int]:
    """Write a node in its one canonical form.

    Args:
        level: 0 for a leaf.
        prefix: What the caller has already taken off all keys; any common prefix, not only the longest.
        keys: Strictly ascending, without `prefix`.
        values: One for each key.

    Returns:
        The bytes, and the length of the prefix in them: all that keys have in common, none if there is one key.
    """
    if len(keys) > 1:
        more = common_prefix(keys[0], keys[-1])
        if more:
            prefix += keys[0][:more]
            keys = [key[more:] for key in keys]
    elif prefix:
        keys = [prefix + key for key in keys]
        prefix = b""
    return _encode((level, prefix, keys, values)), len(prefix)


def decode(digest: bytes, data: bytes) -> Node:
    """Read a node, and hold its bytes against its digest.

    Raises:
        TreeCorruptError: The bytes are not those of the digest, or not a node.
    """
    found = hashlib.sha256(data).digest()
    if found != digest:
        raise TreeCorruptError.at(digest, f"its {len(data)} stored bytes have the digest {found.hex()}")
    try:
        node = _decode(data)
    except msgspec.MsgspecError as error:
        raise TreeCorruptError.at(digest, f"its bytes are not a node ({error})") from error
    if node.level < 0 or len(node.keys) != len(node.values) or (node.level and not node.keys):
        raise TreeCorruptError.at(
            digest, f"level {node.level} with {len(node.keys)} keys and {len(node.values)} values cannot be"
        )
    if node.level and node.prefix:
        node.keys = node.full_keys()
        node.prefix = b""
    return node
