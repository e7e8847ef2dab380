from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import cast

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pytest_mock import MockerFixture

from lakefs_hl.local.tree import Cache, Conflict, Edit, MemoryNodes, Shape, Strategy, Tree, TreeCorruptError
from lakefs_hl.local.tree.diff import changed_leaves
from lakefs_hl.local.tree.read import Reader
from lakefs_hl.local.tree.write import Grafts
from tests.local.tree.model import (
    Content,
    CountingNodes,
    World,
    edited,
    entries,
    few_or_many,
    keys_of_height,
    merged,
    same,
    worlds,
)

STRATEGIES: tuple[Strategy | None, ...] = (None, "dest-wins", "source-wins")


def check(tree: Tree, contents: tuple[Content, Content, Content], strategy: Strategy | None) -> None:
    """Hold a merge against that of dictionaries; the result must be the tree of its content."""
    base, dest, source = (tree.build(sorted(content.items())) for content in contents)
    root, conflicts = tree.merge(base, dest, source, strategy)
    expected, expected_conflicts = merged(*contents, strategy)
    assert conflicts == expected_conflicts
    if conflicts:
        assert root is None
        return
    assert root is not None
    found = dict(entries(tree, root))
    assert {key: value[:2] for key, value in found.items()} == {key: value[:2] for key, value in expected.items()}
    assert root == tree.build(sorted(found.items()))


@settings(print_blob=True, deadline=None, max_examples=200)
@given(worlds, few_or_many, few_or_many, st.sampled_from(STRATEGIES))
def test_merge_is_the_merge_of_dictionaries(
    world: World, by_dest: int, by_source: int, strategy: Strategy | None
) -> None:
    base = world.content()
    dest, source = edited(base, world.edits(base, by_dest)), edited(base, world.edits(base, by_source))
    check(world.tree, (base, dest, source), strategy)


@settings(print_blob=True, deadline=None, max_examples=100)
@given(worlds, st.integers(0, 10**6), st.integers(0, 5), st.sampled_from(STRATEGIES))
def test_edits_side_by_side(world: World, where: int, distance: int, strategy: Strategy | None) -> None:
    """The sides change, delete or insert neighbours: leaves that touch, and boundaries between them, are concerned."""
    base = world.content()
    assume(base)
    keys = sorted(base)
    here, there = keys[where % len(keys)], keys[(where + distance) % len(keys)]
    kinds: list[tuple[bytes, bytes | None]] = [(b"", None), (b"", b"new"), (b"+", b"new")]
    for (behind, ours), (beyond, theirs) in itertools.product(kinds, repeat=2):
        dest, source = edited(base, [(here + behind, ours)]), edited(base, [(there + beyond, theirs)])
        check(world.tree, (base, dest, source), strategy)


@pytest.mark.parametrize(("cap", "least"), [(65536, 0), (300, 0), (100, 0), (65536, 2)])
def test_ranges_that_touch_are_merged_together(cap: int, least: int) -> None:
    """One side deletes the key where two leaves meet, so they become one; the other changes the leaf behind.

    Apart, the change behind was lost without a word.
    """
    shape = Shape(seed=5, leaf_bits=2, fan_bits=2, leaf_min=least, fan_min=1, leaf_cap=cap, fan_cap=cap)
    tree = Tree(MemoryNodes(), shape, Cache(), same)
    base = {b"k%03d" % number: b"some value" for number in range(120)}
    keys = sorted(base)
    boundaries = [at for at, key in enumerate(keys[:-3]) if shape.height(key)]
    assert len(boundaries) > 10
    for at, ahead, turned in itertools.product(boundaries, (1, 2, 3), (False, True)):
        joined = edited(base, [(keys[at], None)])
        behind = edited(base, [(keys[at + ahead], b"changed")])
        for other in (behind, edited(base, [(keys[at + ahead], None)]), edited(base, [(keys[at] + b"+", b"new")])):
            contents = (base, other, joined) if turned else (base, joined, other)
            check(tree, contents, None)


def test_both_sides_change_a_stretch_that_the_cap_cuts() -> None:
    """Not neighbours, yet one stretch: grafting a piece of it beside an edit would lose the one or the other."""
    shape = Shape(seed=42, leaf_bits=3, fan_bits=2, leaf_min=0, fan_min=1, leaf_cap=100, fan_cap=150)
    tree = Tree(MemoryNodes(), shape, Cache(), same)
    keys = keys_of_height(shape, 0, 60)
    base = dict.fromkeys(keys, b"1234567890")
    values: tuple[bytes | None, ...] = (None, b"another v!", b"longer, so that all pieces behind are cut elsewhere")
    for mine, yours in itertools.product((2, 20, 21, 40), (10, 30, 59)):
        for ours, theirs in itertools.product(values, repeat=2):
            dest, source = edited(base, [(keys[mine], ours)]), edited(base, [(keys[yours], theirs)])
            check(tree, (base, dest, source), None)
            check(tree, (base, source, dest), None)


def test_cuts_that_only_the_merged_tree_moves() -> None:
    """Each side grows the first leaf, and the cuts hold; both together move them, into a leaf the source changed."""
    shape = Shape(seed=42, leaf_bits=3, fan_bits=2, leaf_min=0, fan_min=1, leaf_cap=100, fan_cap=150)
    nodes = MemoryNodes()
    tree = Tree(nodes, shape, Cache(), same)
    keys = keys_of_height(shape, 0, 60)  # five entries of 17 bytes in a leaf
    base = dict.fromkeys(keys, b"1234567890")
    for far in range(10, 60):
        dest = edited(base, [(keys[0], b"another value 1234")])
        source = edited(base, [(keys[1], b"another value 1234"), (keys[far], b"0987654321")])
        before, after = (tree.build(sorted(content.items())) for content in (base, source))
        assert len(list(changed_leaves(Reader(nodes, shape, Cache()), before, after))) == 4
        check(tree, (base, dest, source), None)


CROSSED = Shape(seed=42, leaf_bits=3, fan_bits=2, leaf_min=0, fan_min=1, leaf_cap=100, fan_cap=150)


def crossing(leaves: int, edits: list[tuple[int, bytes | None]]) -> tuple[Content, Content, Content]:
    """Leaves that the cap cuts, six entries of 17 bytes in each, until a hash cuts behind the last; the source's edits.

    Each side takes two bytes from the first leaf, and it still ends where it did, with 100 bytes. Merged it has 98, and
    an entry more: that moves all cuts behind it, into every leaf that only the source changed.
    """
    keys = keys_of_height(CROSSED, 0, 6 * leaves)
    base = dict.fromkeys([*keys, *keys_of_height(CROSSED, 12, 1, b"l%06d")], b"1234567890")
    dest = edited(base, [(keys[0], b"ab345678")])
    return base, dest, edited(base, [(keys[1], b"ab345678"), *((keys[at], value) for at, value in edits)])


@pytest.fixture
def crossed(mocker: MockerFixture) -> Callable[[], int]:
    """How many grafts were given up since."""
    spy = mocker.spy(Grafts, "cross")
    return lambda: sum(bool(edits) for edits in spy.spy_return_list)


SEEDS = (15, 25, 47, 95, 98, 99, 106)  # one history in twenty crosses
VALUES: tuple[bytes | None, ...] = (b"0987654321", b"longer, so that the cuts behind it move", None)


@pytest.mark.parametrize("value", VALUES)
def test_a_graft_that_an_edit_crosses_is_merged_entry_by_entry(value: bytes | None, crossed: Callable[[], int]) -> None:
    tree = Tree(MemoryNodes(), CROSSED, Cache(), same)
    for at in (13, 17, 18, 23, 40, 59):
        base, dest, source = crossing(10, [(at, value)])
        before = crossed()
        check(tree, (base, dest, source), None)
        assert crossed() == before + 1
        check(tree, (base, source, dest), None)


def test_several_grafts_are_crossed_in_one_pass(crossed: Callable[[], int]) -> None:
    nodes, leaves = CountingNodes(), 300
    contents = crossing(leaves, [(at, b"0987654321") for at in range(15, 6 * leaves, 12)])  # in every other leaf
    tree = Tree(nodes, CROSSED, Cache(), same)
    check(tree, contents, None)
    roots = [tree.build(sorted(content.items())) for content in contents]
    before = crossed()
    nodes.read.clear()
    assert Tree(nodes, CROSSED, Cache(), same).merge(roots[0], roots[1], roots[2])[0] is not None
    assert crossed() == before + leaves // 2 - 1
    assert len(nodes.read) < 5 * leaves  # begun anew at each crossing it would be some 20,000
    check(tree, crossing(leaves, [(at, VALUES[at % 3]) for at in range(15, 6 * leaves, 61)]), None)


def test_behind_the_last_crossing_nothing_is_read(crossed: Callable[[], int]) -> None:
    nodes = CountingNodes()
    base, dest, source = crossing(20, [(30, b"0987654321"), (70, b"0987654321")])
    far = {b"m%06d" % number: b"1234567890" for number in range(2_000)}
    changed = edited(far, [(key, b"0987654321") for key in sorted(far)[1_000:]])
    contents = ({**base, **far}, {**dest, **far}, {**source, **changed})
    tree = Tree(nodes, CROSSED, Cache(), same)
    check(tree, contents, None)
    roots = [tree.build(sorted(content.items())) for content in contents]
    changes = list(changed_leaves(Reader(nodes, CROSSED, Cache()), roots[0], roots[2]))
    behind = {digest for low, _, _, digest in changes if low.startswith(b"m")}
    assert len(behind) > 100
    before = crossed()
    nodes.read.clear()
    assert Tree(nodes, CROSSED, Cache(), same).merge(roots[0], roots[1], roots[2])[0] is not None
    assert crossed() == before + 2
    assert not behind & set(nodes.read)


@pytest.mark.parametrize("amount", [1, 5, 6, 7, 40])
def test_leaves_that_the_source_appended_or_cut_off_are_crossed(amount: int, crossed: Callable[[], int]) -> None:
    tree = Tree(MemoryNodes(), CROSSED, Cache(), same)
    keys = keys_of_height(CROSSED, 0, 60)
    short, long = (dict.fromkeys(keys[:size], b"1234567890") for size in (12, 12 + amount))
    for base, other in ((short, long), (long, short)):
        dest = edited(base, [(keys[0], b"ab345678")])
        source = edited(other, [(keys[1], b"ab345678")])
        before = crossed()
        check(tree, (base, dest, source), None)
        assert crossed() == before + 1
        check(tree, (base, source, dest), None)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_histories_in_which_grafts_are_crossed(seed: int, crossed: Callable[[], int]) -> None:
    """Cut by hashes alone: an entry that comes or goes moves cuts until the minimum allows an old one again."""
    dice = random.Random(seed)
    tree = Tree(MemoryNodes(), Shape(seed, leaf_bits=1, fan_bits=2, leaf_min=8, fan_min=3), Cache())
    space = [b"%05d" % number for number in range(800)]
    base = dict.fromkeys(dice.sample(space, 400), b"v")
    values: tuple[bytes | None, ...] = (None, b"one", b"two")
    sides = [edited(base, [(key, dice.choice(values)) for key in dice.sample(space, 20)]) for _ in range(2)]
    check(tree, (base, sides[0], sides[1]), "source-wins")
    assert crossed() >= 1


def test_a_part_that_only_the_source_changed_is_not_read() -> None:
    nodes, shape = CountingNodes(), Shape(seed=11, leaf_bits=3, fan_bits=3, leaf_min=0, fan_min=1)
    tree = Tree(nodes, shape, Cache(), same)
    content = {b"dir%02d/%06d" % (number // 500, number): b"%d" % number for number in range(20_000)}
    base = tree.build(sorted(content.items()))
    keys = sorted(content)
    to_dest: list[Edit] = [(key, b"dest") for key in keys[100:4000:50]]
    to_source: list[Edit] = [(key, b"source") for key in keys[10_000::50]]
    to_source += [(b"new/%05d" % number, b"source") for number in range(5_000)]
    dest, source = tree.apply(base, to_dest), tree.apply(base, to_source)
    leaves = {digest for *_, digest in changed_leaves(Reader(nodes, shape, Cache()), base, source)}
    assert len(leaves) > 800
    nodes.read.clear()
    root, conflicts = Tree(nodes, shape, Cache(), same).merge(base, dest, source)
    assert not conflicts
    assert len(leaves & set(nodes.read)) <= 2
    assert root == tree.build(sorted(edited(edited(content, to_dest), to_source).items()))


def test_a_source_that_grew_or_shrank_at_the_end_is_grafted() -> None:
    shape = Shape(seed=11, leaf_bits=3, fan_bits=3, leaf_min=0, fan_min=1)
    tree = Tree(MemoryNodes(), shape, Cache(), same)
    base = {b"k%05d" % number: b"v" for number in range(3_000)}
    dest = edited(base, [(b"k00001", b"dest")])
    for source in (
        {**base, **{b"z%05d" % number: b"source" for number in range(3_000)}},
        {key: base[key] for key in sorted(base)[:500]},
        {},
    ):
        check(tree, (base, dest, source), "source-wins")
        check(tree, (base, source, dest), "source-wins")


def test_conflicts_are_told_in_full_and_in_order() -> None:
    tree = Tree(MemoryNodes(), Shape(seed=1), Cache())
    base = tree.build([(b"a", b"1"), (b"b", b"2"), (b"c", b"3"), (b"d", b"4")])
    dest = tree.apply(base, [(b"a", b"ours"), (b"b", None), (b"c", b"agreed"), (b"e", b"ours")])
    source = tree.apply(base, [(b"a", None), (b"b", b"theirs"), (b"c", b"agreed"), (b"d", None), (b"e", b"theirs")])
    assert tree.merge(base, dest, source) == (
        None,
        [
            Conflict(b"a", b"1", b"ours", None),
            Conflict(b"b", b"2", None, b"theirs"),
            Conflict(b"e", None, b"ours", b"theirs"),
        ],
    )
    root, conflicts = tree.merge(base, dest, source, "dest-wins")
    assert root is not None
    assert (entries(tree, root), conflicts) == ([(b"a", b"ours"), (b"c", b"agreed"), (b"e", b"ours")], [])
    root, conflicts = tree.merge(base, dest, source, "source-wins")
    assert root is not None
    assert (entries(tree, root), conflicts) == ([(b"b", b"theirs"), (b"c", b"agreed"), (b"e", b"theirs")], [])


def test_deleted_by_both_is_agreed() -> None:
    tree = Tree(MemoryNodes(), Shape(seed=1), Cache())
    base = tree.build([(b"a", b"1"), (b"b", b"2"), (b"c", b"3")])
    dest = tree.apply(base, [(b"a", None), (b"b", b"ours")])
    source = tree.apply(base, [(b"a", None), (b"c", b"theirs")])
    root, conflicts = tree.merge(base, dest, source)
    assert root is not None
    assert (entries(tree, root), conflicts) == ([(b"b", b"ours"), (b"c", b"theirs")], [])


def test_values_that_mean_the_same_are_no_conflict() -> None:
    tree = Tree(MemoryNodes(), Shape(seed=1), Cache(), same)
    base = tree.build([(b"a", b"ab1")])
    dest, source = tree.apply(base, [(b"a", b"xy1")]), tree.apply(base, [(b"a", b"xy2")])
    assert tree.merge(base, dest, source) == (dest, [])
    renewed = tree.apply(base, [(b"a", b"ab2")])  # stored anew, the same to its users
    assert tree.merge(base, dest, renewed) == (dest, [])
    assert tree.merge(base, renewed, dest) == (dest, [])


def test_when_one_side_did_nothing_the_other_is_the_answer() -> None:
    tree = Tree(MemoryNodes(), Shape(seed=1), Cache())
    base, other = tree.build([(b"a", b"1")]), tree.build([(b"a", b"2")])
    assert tree.merge(base, other, base) == (other, [])
    assert tree.merge(base, base, other) == (other, [])
    assert tree.merge(base, other, other) == (other, [])
    assert tree.merge(tree.empty(), other, tree.build([(b"b", b"2")])) == (tree.build([(b"a", b"2"), (b"b", b"2")]), [])


def test_an_unknown_strategy_is_refused() -> None:
    tree = Tree(MemoryNodes(), Shape(seed=1), Cache())
    root = tree.empty()
    with pytest.raises(ValueError, match="got 'ours'"):
        tree.merge(root, root, root, cast("Strategy", "ours"))


def test_damage_is_named() -> None:
    nodes, shape = MemoryNodes(), Shape(seed=11, leaf_bits=3, fan_bits=3, leaf_min=0, fan_min=1)
    tree = Tree(nodes, shape, Cache())
    base = tree.build((b"%05d" % number, b"v") for number in range(2_000))
    dest, source = tree.apply(base, [(b"01000", b"dest")]), tree.apply(base, [(b"01000", b"source")])
    leaf = next(digest for *_, digest in changed_leaves(Reader(nodes, shape, Cache()), base, source))
    nodes.held[leaf] = b"?" + nodes.held[leaf][1:]
    with pytest.raises(TreeCorruptError) as caught:
        Tree(nodes, shape, Cache()).merge(base, dest, source)
    assert caught.value.digest == leaf
