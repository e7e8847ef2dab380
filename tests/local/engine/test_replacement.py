"""What an import takes the place of, and what it leaves."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import TYPE_CHECKING

from lakefs_hl.local.engine import bulk, replacement
from lakefs_hl.local.tree import Cache, MemoryNodes, Shape, Tree

if TYPE_CHECKING:
    import pytest


def wanted(root: dict[bytes, bytes], made: dict[bytes, bytes], prefixes: list[str]) -> dict[bytes, bytes]:
    """By the words: what is under a prefix goes, and what is made comes."""
    gone = tuple(prefix.encode() for prefix in prefixes)
    return {key: value for key, value in root.items() if not (gone and key.startswith(gone))} | made


def test_any_trees_and_prefixes(monkeypatch: pytest.MonkeyPatch) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)  # noqa: T201
    monkeypatch.setattr(bulk, "PIECE", 7)
    drawn = random.Random(seed)
    tree = Tree(MemoryNodes(), Shape(seed=seed), Cache())

    def drawn_map(most: int) -> dict[bytes, bytes]:
        keys = {
            f"{drawn.choice('abc')}/{drawn.choice('ab')}{drawn.randrange(60)}" for _ in range(drawn.randrange(most))
        }
        return {key.encode(): bytes([drawn.randrange(3)]) for key in keys}

    for _ in range(200):
        root, made = drawn_map(80), drawn_map(80)
        prefixes = drawn.choices(["", "a/", "b/", "b/a", "a/b1", "c", "d/"], k=drawn.randrange(4))
        before, new = tree.build(sorted(root.items())), tree.build(sorted(made.items()))
        found = list(replacement.edits(tree, before, new, prefixes))
        assert all(one < other for (one, _), (other, _) in pairwise(found))
        after = wanted(root, made, prefixes)
        assert bulk.apply(tree, before, found) == tree.build(sorted(after.items())), (root, made, prefixes)
        assert {key for key, _ in found} == {key for key in root | made if root.get(key) != after.get(key)}


def test_everything() -> None:
    assert replacement.is_all(["a/", ""])
    assert not replacement.is_all(["a/"])
    assert not replacement.is_all([])
