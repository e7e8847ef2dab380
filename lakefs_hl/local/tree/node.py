"""Nodes of the tree: what they hold, how they are written, where a level is cut.

The tree is a pure function of its content. Level 0 is the sorted map *key -> value*; level n + 1 is the sorted map
*last key of a node of level n -> digest of that node*. A level is cut into nodes by two rules, and nothing else:

1. after every key whose hash says so (`Shape.height` greater than the level): such a key is a *boundary*;
2. between two boundaries, before the entry that would take a node over the byte cap, counted from the boundary on.

Rule 1 keeps edits local. Rule 2 keeps a node small when entries are large, or keys were chosen by someone who knows the
seed. Whoever edits a stretch cut by rule 2 must cut it anew from its boundary on: that is what keeps the tree
independent of its history.

Rules of the room: no I/O; identity is sha256, xxh3 only cuts; everything in this module is on-disk format.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Protocol

import msgspec
from xxhash import xxh3_64_intdigest

if TYPE_CHECKING:
    from collections.abc import Sequence

END = b"\xff"
"""Above every key: 0xff never occurs in UTF-8."""

TOP = 12
"""No key is a boundary at this level or above, so every tree comes to an end."""


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
        leaf_bits: A leaf ends after 2**leaf_bits entries on average.
        fan_bits: An inner node has 2**fan_bits children on average.
        leaf_cap: Most bytes of keys and values in a leaf; a larger entry has a leaf of its own.
        fan_cap: Most bytes of keys and digests in an inner node; it always may have two children.
    """

    seed: int
    leaf_bits: int = 5
    fan_bits: int = 6
    leaf_cap: int = 64 << 10
    fan_cap: int = 64 << 10

    def __post_init__(self) -> None:
        """Refuse a shape that no tree can have."""
        if not 0 <= self.seed < 1 << 64:
            raise ValueError(f"the seed of a tree must have 64 bits, unsigned; got {self.seed}")
        if not (0 <= self.leaf_bits <= 16 and 1 <= self.fan_bits <= 16):
            raise ValueError(f"leaf_bits must be 0 to 16 and fan_bits 1 to 16; got {self.leaf_bits}, {self.fan_bits}")
        if self.leaf_cap < 1 or self.fan_cap < 1:
            raise ValueError(f"a node's cap must be at least one byte; got {self.leaf_cap}, {self.fan_cap}")

    def height(self, key: bytes) -> int:
        """Return how many levels this key cuts, from the leaves up: it ends a node at each level below its height."""
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

    def cap(self, level: int) -> int:
        """Return the most bytes a node of this level may hold (keys and values, without the encoding)."""
        return self.fan_cap if level else self.leaf_cap


def fewest(level: int) -> int:
    """Return how many entries a node of this level may have whatever their size: two children, else it never ends."""
    return 2 if level else 1


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
