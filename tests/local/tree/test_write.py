from __future__ import annotations

import itertools
import random
import tracemalloc
from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakefs_hl.local.tree import Cache, Edit, MemoryNodes, Shape, Tree, TreeCorruptError
from tests.local.tree.model import (
    Content,
    CountingNodes,
    World,
    build_older,
    diffed,
    edited,
    entries,
    few_or_many,
    keys_of_height,
    merged,
    same,
    shapes,
    worlds,
)


@settings(print_blob=True, deadline=None, max_examples=150)
@given(worlds, st.lists(few_or_many, max_size=6))
def test_equal_content_has_an_equal_root_whatever_the_history(world: World, steps: list[int]) -> None:
    content = world.content() if steps else {}
    root = world.tree.build(sorted(content.items()))
    for amount in steps:
        edits = world.edits(content, amount)
        before, content = content, edited(content, edits)
        former, root = root, world.tree.apply(root, edits)
        assert entries(world.tree, root) == sorted(content.items())
        assert root == world.tree.build(sorted(content.items()))
        back: list[Edit] = [(key, before.get(key)) for key, _ in edits]
        assert world.tree.apply(root, back) == former
    assert sum(len(visit.keys) for visit in world.tree.walk(root) if not visit.level) == len(content)


@settings(print_blob=True, deadline=None)
@given(
    shapes,
    st.dictionaries(
        st.text("ab/", min_size=1, max_size=6).map(str.encode), st.binary(max_size=30), min_size=1, max_size=30
    ),
    st.randoms(use_true_random=False),
)
def test_entries_may_come_in_any_order(shape: Shape, content: Content, dice: random.Random) -> None:
    tree = Tree(MemoryNodes(), shape, Cache())
    expected = tree.build(sorted(content.items()))
    order = list(content.items())
    dice.shuffle(order)
    root = tree.empty()
    for key, value in order:
        root = tree.apply(root, [(key, value)])
    assert root == expected
    extra = [key + b"!" for key in sorted(content)]
    for key in extra:
        root = tree.apply(root, [(key, b"gone soon")])
    dice.shuffle(extra)
    for key in extra:
        root = tree.apply(root, [(key, None)])
    assert root == expected
    for key, _ in order:
        root = tree.apply(root, [(key, None)])
    assert root == tree.empty()


@pytest.mark.parametrize("least", [0, 1, 5])
@pytest.mark.parametrize("height", [0, 12])
def test_chosen_keys_make_no_giant_nodes(height: int, least: int) -> None:
    """Whoever knows the seed can choose keys that never, or always, end nodes: then the cap cuts, or the minimum."""
    shape = Shape(seed=42, leaf_bits=3, fan_bits=2, leaf_min=least, fan_min=least, leaf_cap=500, fan_cap=700)
    nodes = MemoryNodes()
    tree = Tree(nodes, shape, Cache())
    keys = keys_of_height(shape, height, 3_000)
    content = {key: b"value %d" % number for number, key in enumerate(keys)}
    root = tree.build(sorted(content.items()))
    assert max(map(len, nodes.held.values())) < 1_500
    dice = random.Random(7)
    for _ in range(15):
        picked = sorted(dice.sample(keys, 5))
        edits: list[Edit] = [(key, dice.choice([None, b"x" * dice.randrange(300)])) for key in picked]
        content = edited(content, edits)
        root = tree.apply(root, edits)
        assert root == tree.build(sorted(content.items()))
    assert max(map(len, nodes.held.values())) < 1_500
    assert sum(1 for _ in tree.walk(root)) > 50


def test_the_cap_counts_whole_keys_however_short_they_are_written() -> None:
    shape = Shape(seed=42, leaf_bits=3, fan_bits=2, leaf_min=0, fan_min=1, leaf_cap=1_000, fan_cap=1_000)
    tree = Tree(MemoryNodes(), shape, Cache())
    keys = keys_of_height(shape, 0, 60, b"a rather long directory name/" * 3 + b"%06d")
    root = tree.build((key, b"value") for key in keys)
    assert sum(1 for visit in tree.walk(root) if not visit.level) == 6  # ten entries of 98 bytes, written in 15 or so
    by_steps = tree.empty()
    for key in keys:
        by_steps = tree.apply(by_steps, [(key, b"value")])
    assert by_steps == root


@settings(print_blob=True, deadline=None, max_examples=60)
@given(worlds, few_or_many)
def test_only_the_last_inner_node_of_a_level_may_have_a_single_child(world: World, amount: int) -> None:
    content = world.content()
    root = world.tree.apply(world.tree.build(sorted(content.items())), world.edits(content, amount))
    inner = [visit for visit in world.tree.walk(root) if visit.level]
    lasts = {visit.level: visit.digest for visit in inner}
    fewest = 2 if world.shape.fan_min else 1
    assert all(len(visit.keys) >= fewest or lasts[visit.level] == visit.digest for visit in inner)


@settings(print_blob=True, deadline=None, max_examples=80)
@given(worlds, st.lists(few_or_many, min_size=1, max_size=4))
def test_trees_cut_by_the_older_rule_are_read_checked_edited_and_merged(world: World, steps: list[int]) -> None:
    """Lakes keep them. What an edit does not reach keeps its cuts, so only entries are compared, not roots."""
    shape = msgspec.structs.replace(world.shape, leaf_min=0, fan_min=0)
    tree = Tree(world.nodes, shape, Cache(world.cache_bytes), same)
    base = content = world.content()
    start = root = build_older(world.nodes, shape, content) if content else tree.empty()
    for amount in steps:
        edits = world.edits(content, amount)
        content, root = edited(content, edits), tree.apply(root, edits)
        assert entries(tree, root) == sorted(content.items())
        assert sum(len(visit.keys) for visit in tree.walk(root) if not visit.level) == len(content)
        assert list(tree.diff(start, root)) == diffed(base, content)
        assert list(tree.diff(tree.build(sorted(content.items())), root)) == []
    theirs = edited(base, world.edits(base, steps[0]))
    for source in (
        build_older(world.nodes, shape, theirs) if theirs else tree.empty(),
        tree.build(sorted(theirs.items())),
    ):
        joined, conflicts = tree.merge(start, root, source)
        expected, expected_conflicts = merged(base, content, theirs, None)
        assert conflicts == expected_conflicts
        if joined is not None:
            assert diffed(dict(entries(tree, joined)), expected) == []
            assert sum(1 for _ in tree.walk(joined)) > 0


@settings(print_blob=True, deadline=None, max_examples=60)
@given(worlds, few_or_many)
def test_an_older_tree_that_no_cap_has_cut_is_that_of_todays_rule(world: World, amount: int) -> None:
    shape = Shape(world.shape.seed, world.shape.leaf_bits, world.shape.fan_bits, leaf_min=0, fan_min=0)
    tree = Tree(world.nodes, shape, Cache(world.cache_bytes))
    content = {**world.content(), b"one": b"at least"}
    older = build_older(world.nodes, shape, content)
    assert older == tree.build(sorted(content.items()))
    edits = world.edits(content, amount)
    content = edited(content, edits)
    assert tree.apply(older, edits) == tree.build(sorted(content.items()))


def test_large_values_end_their_leaves() -> None:
    shape = Shape(seed=1, leaf_cap=1_000)
    nodes = MemoryNodes()
    tree = Tree(nodes, shape, Cache())
    content = {b"%03d" % number: b"v" * (5_000 if number % 10 == 0 else 10) for number in range(100)}
    root = tree.build(sorted(content.items()))
    visits = list(tree.walk(root))
    assert all(sum(map(len, visit.values[:-1])) < 1_000 for visit in visits if not visit.level)
    smaller = tree.apply(root, [(b"050", b"small")])
    assert smaller == tree.build(sorted({**content, b"050": b"small"}.items()))
    assert tree.apply(smaller, [(b"050", content[b"050"])]) == root


def test_the_whole_of_a_stretch_cut_by_the_cap_can_be_deleted_piece_by_piece() -> None:
    shape = Shape(seed=42, leaf_bits=3, fan_bits=2, leaf_min=0, fan_min=1, leaf_cap=100, fan_cap=150)
    tree = Tree(MemoryNodes(), shape, Cache())
    keys = keys_of_height(shape, 0, 60)
    for begin, end in itertools.combinations(range(0, 61, 4), 2):
        root = tree.build((key, b"1234567890") for key in keys)
        left = keys[:begin] + keys[end:]
        rest: list[Edit] = [(key, None) for key in keys[begin:end]]
        if end < 55:
            rest.append((keys[55], b"changed"))
        expected = tree.build((key, b"changed" if key == keys[55] and end < 55 else b"1234567890") for key in left)
        assert tree.apply(root, rest) == expected


def test_an_edit_without_effect_puts_no_new_root() -> None:
    world = World(
        Shape(seed=1, leaf_bits=2, fan_bits=2, leaf_min=0, fan_min=1), seed=1, amount=200, cache_bytes=1 << 20
    )
    content = world.content()
    root = world.tree.build(sorted(content.items()))
    held = len(world.nodes.held)
    key = sorted(content)[50]
    assert world.tree.apply(root, []) == root
    assert world.tree.apply(root, [(key, content[key])]) == root
    assert world.tree.apply(root, [(b"not there", None)]) == root
    assert len(world.nodes.held) <= held + 1


def test_cost_follows_the_changes() -> None:
    nodes, shape = CountingNodes(), Shape(seed=9)
    tree = Tree(nodes, shape, Cache())
    root = tree.build((b"%08d" % number, b"value") for number in range(30_000))
    held = len(nodes.held)
    nodes.read.clear()
    tree = Tree(nodes, shape, Cache())
    tree.apply(root, [(b"%08d" % 12_345, b"changed")])
    assert len(nodes.read) <= 6
    assert len(nodes.held) - held <= 4


def test_a_new_node_is_put_even_if_the_cache_knows_it() -> None:
    """The cache may know a node from an operation that was given up, and whose nodes are gone."""
    shape, cache = Shape(seed=9, leaf_bits=2, fan_bits=2, leaf_min=0, fan_min=1), Cache()
    kept, given_up = MemoryNodes(), MemoryNodes()
    root = Tree(kept, shape, cache).build((b"%04d" % number, b"v") for number in range(500))
    given_up.held.update(kept.held)
    edits: list[Edit] = [(b"0250", b"changed")]
    assert Tree(given_up, shape, cache).apply(root, edits) == Tree(kept, shape, cache).apply(root, edits)
    again = Tree(kept, shape, cache).apply(root, edits)
    assert len(entries(Tree(kept, shape, Cache()), again)) == 500


def test_build_needs_little_memory() -> None:
    class Forgetful(MemoryNodes):
        def put(self, data: bytes, /) -> bytes:
            digest = super().put(data)
            if len(self.held) > 200:
                self.held.pop(next(iter(self.held)))
            return digest

    shape = Shape(seed=3, leaf_cap=2_000, fan_cap=2_000)

    def items() -> Iterator[tuple[bytes, bytes]]:
        for number in range(60_000):
            yield b"%08d" % number, b"x" * 100

    tracemalloc.start()
    try:
        Tree(Forgetful(), shape, Cache(100_000)).build(items())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3_000_000  # of 6 MB of values


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ([b"b", b"a"], "b'a' came after b'b'"),
        ([b"a", b"a"], "b'a' came after b'a'"),
        ([b""], "empty key"),
        ([b"", b"a"], "empty key"),
        ([b"a\xff"], "no byte 0xff"),
        ([b"a", b"b\xffc", b"d"], "no byte 0xff"),
    ],
)
def test_keys_a_tree_cannot_hold_are_refused(keys: list[bytes], complaint: str) -> None:
    tree = Tree(MemoryNodes(), Shape(seed=1), Cache())
    items = [(key, b"v") for key in keys]
    with pytest.raises(ValueError, match=complaint):
        tree.build(items)
    for root in (tree.empty(), tree.build([(b"k", b"v")])):
        with pytest.raises(ValueError, match=complaint):
            tree.apply(root, items)


def test_an_edit_beside_damage_does_not_hide_it() -> None:
    nodes, shape = MemoryNodes(), Shape(seed=9)
    root = Tree(nodes, shape, Cache()).build((b"%06d" % number, b"value") for number in range(3_000))
    for victim in list(Tree(nodes, shape, Cache()).reach(root)):
        data = nodes.held[victim]
        keys = next(visit.keys for visit in Tree(nodes, shape, Cache()).walk(root) if visit.digest == victim)
        nodes.held[victim] = data[:-1] + bytes([data[-1] ^ 1])
        with pytest.raises(TreeCorruptError) as caught:
            Tree(nodes, shape, Cache()).apply(root, [(keys[0], b"changed")])
        assert caught.value.digest == victim
        nodes.held[victim] = data
