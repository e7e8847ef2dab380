"""What a tree must do, said with dictionaries; and the worlds that its tests are drawn from."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from hypothesis import strategies as st

from lakefs_hl.local.tree import Cache, Change, Conflict, Edit, MemoryNodes, Shape, Tree
from lakefs_hl.local.tree.node import decode, encode

Content = dict[bytes, bytes]


def same(left: bytes, right: bytes) -> bool:
    """The first two bytes of a value are what it means; the rest is like an address."""
    return left[:2] == right[:2]


def alike(left: bytes | None, right: bytes | None) -> bool:
    return left == right or (left is not None and right is not None and same(left, right))


def entries(tree: Tree, root: bytes, start: bytes = b"", end: bytes = b"\xff") -> list[tuple[bytes, bytes]]:
    return [pair for keys, values in tree.scan(root, start, end) for pair in zip(keys, values, strict=True)]


def edited(content: Content, edits: list[Edit]) -> Content:
    result = dict(content)
    for key, value in edits:
        if value is None:
            result.pop(key, None)
        else:
            result[key] = value
    return result


def diffed(left: Content, right: Content) -> list[Change]:
    keys = sorted({*left, *right})
    return [(key, left.get(key), right.get(key)) for key in keys if not alike(left.get(key), right.get(key))]


def merged(base: Content, dest: Content, source: Content, strategy: str | None) -> tuple[Content, list[Conflict]]:
    result, conflicts = dict(dest), []
    for key, old, new in diffed(base, source):
        ours = dest.get(key)
        if not alike(old, ours):
            if alike(ours, new) or strategy == "dest-wins":
                continue
            if strategy is None:
                conflicts.append(Conflict(key, old, ours, new))
                continue
        if new is None:
            result.pop(key, None)
        else:
            result[key] = new
    return result, conflicts


class CountingNodes(MemoryNodes):
    """Nodes that note which were read."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[bytes] = []

    def get(self, digest: bytes, /) -> bytes:
        self.read.append(digest)
        return super().get(digest)


@dataclass
class World:
    """A shape, some content, and dice. What is drawn by Hypothesis is small; the rest follows from the seed."""

    shape: Shape
    seed: int
    amount: int
    cache_bytes: int
    nodes: CountingNodes = field(default_factory=CountingNodes)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.tree = Tree(self.nodes, self.shape, Cache(self.cache_bytes, self.cache_bytes), same)
        self.space = [b"d%02d/f%03d" % (self.dice.randrange(8), number) for number in range(2 * self.amount + 5)]

    def value(self) -> bytes:
        dice = self.dice
        bulk = dice.randbytes(dice.randrange(60)) if dice.random() < 0.1 else b""
        return bytes([dice.randrange(4), dice.randrange(2), dice.randrange(3)]) + bulk

    def content(self) -> Content:
        return {key: self.value() for key in self.dice.sample(self.space, self.amount)}

    def edits(self, content: Content, amount: int) -> list[Edit]:
        """Some changes: anywhere, all before or all behind, or a range of deletions among them."""
        dice, edits = self.dice, dict[bytes, bytes | None]()
        mode, present = dice.random(), sorted(content)
        if mode < 0.15 and present:
            begin = dice.randrange(len(present))
            edits.update((key, None) for key in present[begin : begin + dice.randrange(1, 60)])
        for _ in range(amount):
            where = self.space if mode < 0.7 else [(b"~" if mode < 0.85 else b"!") + b"%03d" % dice.randrange(300)]
            key = dice.choice(present if present and dice.random() < 0.35 else where)
            edits[key] = None if dice.random() < 0.35 else self.value()
        return sorted(edits.items())


shapes = st.builds(
    Shape,
    seed=st.integers(0, 2**64 - 1),
    leaf_bits=st.sampled_from([1, 2, 0, 3, 5, 16]),
    leaf_min=st.sampled_from([0, 1, 2, 3, 16]),
    fan_min=st.sampled_from([1, 2, 3, 16, 0]),
    fan_bits=st.sampled_from([1, 2, 3]),
    leaf_cap=st.sampled_from([65536, 400, 150, 60, 1]),
    fan_cap=st.sampled_from([65536, 200, 80, 1]),
)
worlds = st.builds(
    World,
    shape=shapes,
    seed=st.integers(0, 2**32),
    amount=st.integers(0, 250),
    cache_bytes=st.sampled_from([1 << 20, 20_000, 1]),
)
few_or_many = st.sampled_from([1, 3, 20, 80])


def build_older(nodes: MemoryNodes, shape: Shape, content: Content) -> bytes:
    """A tree as lakes made it before there was a minimum: the cap cuts before the entry that would exceed it."""
    entries, level = sorted(content.items()), 0
    while True:
        parts: list[list[tuple[bytes, bytes]]] = []
        size, is_cut = 0, True
        for key, value in entries:
            weight = len(key) + len(value)
            fewest = 2 if level else 1
            cap = shape.fan_cap if level else shape.leaf_cap
            if is_cut or (size + weight > cap and len(parts[-1]) >= fewest):
                parts.append([])
                size = 0
            parts[-1].append((key, value))
            size += weight
            is_cut = shape.height(key) > level
        digests = [nodes.put(encode(level, b"", *map(list, zip(*part, strict=True)))[0]) for part in parts]
        if len(parts) == 1:
            break
        entries, level = [(part[-1][0], digest) for part, digest in zip(parts, digests, strict=True)], level + 1
    root = digests[0]
    while (node := decode(root, nodes.held[root])).level and len(node.keys) == 1:
        root = node.values[0]
    return root


def keys_of_height(shape: Shape, height: int, amount: int, pattern: bytes = b"k%06d") -> list[bytes]:
    """Keys that somebody who knows the seed would choose: all of one height (12 stands for "1 and more")."""
    found: list[bytes] = []
    number = 0
    while len(found) < amount:
        key = pattern % number
        if min(shape.height(key), 1) == min(height, 1):
            found.append(key)
        number += 1
    return found
