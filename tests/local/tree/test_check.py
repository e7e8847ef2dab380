from __future__ import annotations

import hashlib
import random

import msgspec
import pytest
from hypothesis import given, settings

from lakefs_hl.local.tree import Cache, MemoryNodes, Shape, Span, Tree, TreeCorruptError
from lakefs_hl.local.tree.node import encode
from tests.local.tree.model import World, keys_of_height, worlds

SHAPE = Shape(seed=42, leaf_bits=3, fan_bits=2, leaf_min=1, fan_min=1, leaf_cap=120, fan_cap=300)
OLDER = Shape(seed=42, leaf_bits=3, fan_bits=2, leaf_min=0, fan_min=0, leaf_cap=120, fan_cap=300)
PLAIN = keys_of_height(SHAPE, 0, 40)
CUTS = keys_of_height(SHAPE, 12, 10, b"m%06d")


@settings(print_blob=True, deadline=None, max_examples=80)
@given(worlds)
def test_a_sound_tree_is_found_sound_and_whole(world: World) -> None:
    content = world.content()
    root = world.tree.build(sorted(content.items()))
    visits = list(world.tree.walk(root))
    found = [pair for visit in visits if not visit.level for pair in zip(visit.keys, visit.values, strict=True)]
    assert found == sorted(content.items())
    assert visits[-1].digest == root
    assert len({visit.digest for visit in visits}) == len(visits)
    assert {visit.digest for visit in visits} == set(world.tree.reach(root))
    assert all(visit.size == len(world.nodes.held[visit.digest]) for visit in visits)


@settings(print_blob=True, deadline=None, max_examples=40)
@given(worlds)
def test_shared_nodes_are_visited_once(world: World) -> None:
    content = world.content()
    roots = [world.tree.build(sorted(content.items()))]
    for _ in range(3):
        roots.append(world.tree.apply(roots[-1], world.edits(content, 3)))
    seen: dict[bytes, Span | None] = {}
    visited = [visit.digest for root in roots for visit in world.tree.walk(root, seen=seen)]
    marks: set[bytes] = set()
    reached = [digest for root in roots for digest in world.tree.reach(root, seen=marks)]
    assert len(visited) == len(set(visited))
    assert len(reached) == len(set(reached))
    assert set(visited) == set(reached) == marks == set(seen)


def test_reach_reads_no_leaf() -> None:
    nodes = MemoryNodes()
    root = Tree(nodes, SHAPE, Cache()).build((b"%05d" % number, b"v") for number in range(2_000))
    visits = list(Tree(nodes, SHAPE, Cache()).walk(root))
    for visit in visits:
        if not visit.level:
            del nodes.held[visit.digest]
    reached = list(Tree(nodes, SHAPE, Cache()).reach(root))
    assert len(reached) == len(visits)
    assert reached[0] == root


def leaf(nodes: MemoryNodes, keys: list[bytes], value: bytes = b"v") -> bytes:
    return nodes.put(encode(0, b"", keys, [value] * len(keys))[0])


def inner(nodes: MemoryNodes, keys: list[bytes], children: list[bytes], level: int = 1) -> bytes:
    return nodes.put(encode(level, b"", keys, children)[0])


def faults(nodes: MemoryNodes, root: bytes, shape: Shape = SHAPE) -> str:
    """All that is wrong, in one string; the first of it must be raised when nobody collects."""
    found: list[TreeCorruptError] = []
    tree = Tree(nodes, shape, Cache())
    list(tree.walk(root, on_fault=found.append))
    if found:
        with pytest.raises(TreeCorruptError) as caught:
            list(tree.walk(root))
        assert str(caught.value) == str(found[0])
    return "; ".join(map(str, found))


def two(nodes: MemoryNodes, first: list[bytes], second: list[bytes]) -> bytes:
    return inner(nodes, [first[-1], second[-1]], [leaf(nodes, first), leaf(nodes, second)])


def test_what_is_right_raises_nothing() -> None:
    nodes = MemoryNodes()
    assert faults(nodes, two(nodes, [*PLAIN[:3], CUTS[0]], [b"z"])) == ""
    assert faults(nodes, leaf(nodes, [])) == ""


def test_faults_of_one_node() -> None:
    nodes = MemoryNodes()
    assert "strictly ascending" in faults(nodes, leaf(nodes, [PLAIN[1], PLAIN[0]]))
    assert "strictly ascending" in faults(nodes, leaf(nodes, [PLAIN[1], PLAIN[1]]))
    assert "strictly ascending" in faults(nodes, leaf(nodes, [b""]))
    assert "0xff" in faults(nodes, leaf(nodes, [b"a\xff"]))
    assert "cut after" in faults(nodes, leaf(nodes, CUTS[:3]))
    assert "cut after" in faults(nodes, leaf(nodes, PLAIN[:3], b"v" * 100))
    assert "not a sha256 digest" in faults(nodes, inner(nodes, [b"a", b"b"], [b"short", b"short"]))
    assert "single child" in faults(nodes, inner(nodes, [PLAIN[0]], [leaf(nodes, [PLAIN[0]])]))
    empty = inner(nodes, [CUTS[0], b"z"], [leaf(nodes, [CUTS[0]]), leaf(nodes, [])])
    assert "empty, and not a root" in faults(nodes, empty)
    loose = msgspec.msgpack.encode([0, b"", [b"k1", b"k2"], [b"v", b"v"]])  # without their common prefix
    assert "canonical" in faults(nodes, nodes.put(loose))


def test_faults_between_nodes() -> None:
    nodes = MemoryNodes()
    assert "where no rule ends it" in faults(nodes, two(nodes, PLAIN[:2], PLAIN[2:4]))
    lied = inner(nodes, [CUTS[0], b"z"], [leaf(nodes, [CUTS[0]]), leaf(nodes, [b"y"])])
    assert "up to b'z'" in faults(nodes, lied)
    late = inner(nodes, [CUTS[0], b"z"], [leaf(nodes, [CUTS[0]]), leaf(nodes, [b"a", b"z"])])
    assert "should lie above" in faults(nodes, late)
    deep = inner(nodes, [CUTS[0], b"z"], [leaf(nodes, [CUTS[0]]), leaf(nodes, [b"z"])], level=2)
    assert "level 0 under a parent of level 2" in faults(nodes, deep)


def test_a_cut_by_the_cap_must_be_needed() -> None:
    nodes = MemoryNodes()
    full = inner(nodes, PLAIN[:2], [leaf(nodes, PLAIN[:1], b"v" * 113), leaf(nodes, PLAIN[1:2], b"v" * 10)])
    assert faults(nodes, full) == ""  # 120 bytes with its key
    early = inner(nodes, PLAIN[:2], [leaf(nodes, PLAIN[:1], b"v" * 112), leaf(nodes, PLAIN[1:2], b"v" * 10)])
    assert "where no rule ends it" in faults(nodes, early)


def test_a_cut_by_a_hash_needs_more_entries_than_the_minimum() -> None:
    nodes = MemoryNodes()
    assert "where no rule ends it" in faults(nodes, two(nodes, CUTS[:1], CUTS[1:2]))
    assert faults(nodes, two(nodes, CUTS[:2], CUTS[2:3])) == ""
    assert f"cut after {CUTS[1]!r}" in faults(nodes, leaf(nodes, CUTS[:3]))


def test_an_entry_moved_over_a_cut_is_found_whichever_way() -> None:
    """A node is held against the rules alone, with no regard to its neighbours' entries."""
    tree = Tree(nodes := MemoryNodes(), SHAPE, Cache())
    content = [(b"%05d" % number, b"v") for number in range(40)]
    root = tree.build(content)
    leaves = [visit.keys for visit in tree.walk(root) if not visit.level]
    assert len(leaves) > 3
    for at in range(len(leaves) - 1):
        for cut in (-1, 1):
            moved = [*leaves[at], *leaves[at + 1]]
            middle = len(leaves[at]) + cut
            changed = [*leaves[:at], moved[:middle], moved[middle:], *leaves[at + 2 :]]
            digests = [leaf(nodes, keys) for keys in changed if keys]
            parent = inner(nodes, [keys[-1] for keys in changed if keys], digests)
            expected = "where no rule ends it" if cut < 0 else f"cut after {leaves[at][-1]!r}"
            assert f"tree node {digests[at].hex()}: it" in faults(nodes, parent)
            assert expected in faults(nodes, parent)


def test_a_node_that_no_rule_ends_is_named_also_at_the_edge_of_its_parent() -> None:
    nodes = MemoryNodes()
    high = next(key for key in keys_of_height(SHAPE, 12, 100, b"m%06d") if SHAPE.height(key) > 1)
    full, edge = leaf(nodes, PLAIN[:1], b"v" * 120), leaf(nodes, [high])  # too few entries for a hash to end it
    parent = inner(nodes, [PLAIN[0], high], [full, edge])  # which ends its parent
    root = inner(nodes, [high, b"z"], [parent, inner(nodes, [b"z"], [leaf(nodes, [b"z"])])], level=2)
    assert f"tree node {edge.hex()}: it ends at {high!r}, where no rule ends it" in faults(nodes, root)


def test_a_lake_without_a_minimum_may_have_cuts_of_the_older_rule() -> None:
    """That cap cut before the entry which would have exceeded it. All else is still checked."""
    nodes = MemoryNodes()
    older = inner(nodes, PLAIN[:2], [leaf(nodes, PLAIN[:1], b"v" * 100), leaf(nodes, PLAIN[1:2], b"v" * 100)])
    assert faults(nodes, older, OLDER) == ""
    assert "where no rule ends it" in faults(nodes, older)
    assert "cut after" in faults(nodes, leaf(nodes, CUTS[:2]), OLDER)
    assert "cut after" in faults(nodes, leaf(nodes, PLAIN[:3], b"v" * 100), OLDER)


def test_nodes_passed_over_are_no_neighbours() -> None:
    """Of a tree that shares all but its ends with another, only the ends are visited: they do not lie side by side."""
    dice = random.Random(3)
    keys = keys_of_height(SHAPE, 0, 300)
    for _ in range(30):
        tree = Tree(MemoryNodes(), SHAPE, Cache())
        content = {key: b"v" * dice.randrange(1, 90) for key in keys}
        root = tree.build(sorted(content.items()))
        ends = (keys[0], keys[-1])
        other = tree.apply(root, [(key, content[key].upper()) for key in ends])
        seen: dict[bytes, Span | None] = {}
        first = list(tree.walk(root, seen=seen))
        second = list(tree.walk(other, seen=seen))
        assert 0 < len(second) < len(first) / 3


def test_one_fault_does_not_hide_another_and_is_told_once() -> None:
    nodes = MemoryNodes()
    tree = Tree(nodes, SHAPE, Cache())
    root = tree.build((b"%05d" % number, b"v") for number in range(2_000))
    other = tree.apply(root, [(b"00000", b"changed")])
    leaves = [visit.digest for visit in tree.walk(root) if not visit.level]
    del nodes.held[leaves[30]]
    nodes.held[leaves[60]] += b"?"
    found: list[TreeCorruptError] = []
    seen: dict[bytes, Span | None] = {}
    visits = [visit for each in (root, other) for visit in tree.walk(each, seen=seen, on_fault=found.append)]
    assert [error.digest for error in found] == [leaves[30], leaves[60]]
    assert "missing" in found[0].reason
    assert hashlib.sha256(nodes.held[leaves[60]]).hexdigest() in found[1].reason
    assert sum(1 for visit in visits if not visit.level) == len(leaves) - 2 + 1
