from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakefs_hl.local.tree import END, Cache, Edit, MemoryNodes, Shape, Tree, TreeCorruptError
from lakefs_hl.local.tree.diff import LEFT, changed_leaves
from lakefs_hl.local.tree.read import Reader
from tests.local.tree.model import (
    Content,
    CountingNodes,
    World,
    diffed,
    edited,
    few_or_many,
    keys_of_height,
    same,
    worlds,
)


@settings(print_blob=True, deadline=None, max_examples=150)
@given(worlds, few_or_many, st.data())
def test_diff_is_the_diff_of_dictionaries(world: World, amount: int, data: st.DataObject) -> None:
    base = world.content()
    ours, theirs = edited(base, world.edits(base, amount)), edited(base, world.edits(base, amount))
    contents: list[Content] = [base, ours, theirs, {}]
    roots = [world.tree.build(sorted(content.items())) for content in contents]
    bounds = st.sampled_from([b"", b"d03/", b"d03/" + END, b"~", END, *world.space])
    for left, right in ((0, 1), (1, 2), (2, 0), (0, 3), (3, 1)):
        expected = diffed(contents[left], contents[right])
        assert list(world.tree.diff(roots[left], roots[right])) == expected
        start, end = data.draw(bounds), data.draw(bounds)
        found = list(world.tree.diff(roots[left], roots[right], start=start, end=end))
        assert found == [change for change in expected if start <= change[0] < end]


@settings(print_blob=True, deadline=None, max_examples=60)
@given(worlds, few_or_many)
def test_changed_leaves_are_those_of_one_side_only(world: World, amount: int) -> None:
    base = world.content()
    left = world.tree.build(sorted(base.items()))
    right = world.tree.apply(left, world.edits(base, amount))
    leaves = [
        {visit.digest: visit.keys[-1] for visit in world.tree.walk(root) if not visit.level and visit.keys}
        for root in (left, right)
    ]
    found = list(changed_leaves(Reader(world.nodes, world.shape, Cache()), left, right))
    assert [high for _, high, _, _ in found] == sorted(high for _, high, _, _ in found)
    for side in (0, 1):
        only = {digest: high for digest, high in leaves[side].items() if digest not in leaves[1 - side]}
        assert {digest: high for _, high, which, digest in found if which == side} == only
        all_highs = ["", *sorted(leaves[side].values())]
        for low, high, which, _ in found:
            if which == side:
                assert (low or "") == all_highs[all_highs.index(high) - 1]


def spread(nodes: MemoryNodes, shape: Shape) -> tuple[bytes, bytes]:
    """20,000 keys in 40 directories; in each directory one was changed."""
    tree = Tree(nodes, shape, Cache())
    left = tree.build((b"dir%02d/%06d" % (number // 500, number), b"%d" % number) for number in range(20_000))
    edits: list[Edit] = [(b"dir%02d/%06d" % (number // 500, number), b"changed") for number in range(250, 20_000, 500)]
    return left, tree.apply(left, edits)


SHAPE = Shape(seed=11, leaf_bits=3, fan_bits=3, leaf_min=0, fan_min=1)


def test_what_is_not_asked_for_is_not_read() -> None:
    nodes = CountingNodes()
    left, right = spread(nodes, SHAPE)
    nodes.read.clear()
    changes = Tree(nodes, SHAPE, Cache()).diff(left, right)
    assert next(changes) == (b"dir00/000250", b"250", b"changed")
    assert len(nodes.read) <= 14
    assert len(list(changes)) == 39
    assert len(nodes.read) < 700 < len(nodes.held) / 4


def test_a_start_is_found_by_going_down() -> None:
    nodes = CountingNodes()
    left, right = spread(nodes, SHAPE)
    nodes.read.clear()
    changes = Tree(nodes, SHAPE, Cache()).diff(left, right, start=b"dir30/", end=b"dir30/" + END)
    assert list(changes) == [(b"dir30/015250", b"15250", b"changed")]
    assert len(nodes.read) <= 30


def test_behind_the_end_nothing_is_read() -> None:
    nodes = CountingNodes()
    left, _ = spread(nodes, SHAPE)
    right = Tree(nodes, SHAPE, Cache()).apply(left, [(b"dir39/019990", b"changed")])
    nodes.read.clear()
    assert list(Tree(nodes, SHAPE, Cache()).diff(left, right, start=b"dir03/", end=b"dir03/" + END)) == []
    assert len(nodes.read) <= 4


def test_directories_that_changed_are_found_without_reading_them() -> None:
    nodes = CountingNodes()
    tree = Tree(nodes, SHAPE, Cache())
    _, right = spread(nodes, SHAPE)
    nodes.read.clear()
    found, start = [], b""
    while (change := next(tree.diff(tree.empty(), right, start=start), None)) is not None:
        found.append(change[0][:6])
        start = found[-1] + END
    assert found == [b"dir%02d/" % number for number in range(40)]
    assert len(nodes.read) < 40 * 4 < len(nodes.held) / 10


@pytest.mark.parametrize("turned", [False, True])
def test_against_a_tree_of_another_height_it_is_still_lazy(turned: bool) -> None:
    nodes = CountingNodes()
    tree = Tree(nodes, SHAPE, Cache())
    large, _ = spread(nodes, SHAPE)
    small = tree.build([(b"dir00/000003", b"3"), (b"zzz", b"last")])
    nodes.read.clear()
    changes = tree.diff(small, large) if turned else tree.diff(large, small)
    assert [change[0] for change, _ in zip(changes, range(4), strict=False)] == [
        b"dir00/000000",
        b"dir00/000001",
        b"dir00/000002",
        b"dir00/000004",
    ]
    assert len(nodes.read) < 12


def test_an_inserted_directory_does_not_make_the_rest_look_changed() -> None:
    nodes = CountingNodes()
    tree = Tree(nodes, SHAPE, Cache())
    left, _ = spread(nodes, SHAPE)
    right = tree.apply(left, [(b"dir05/new/%04d" % number, b"new") for number in range(3_000)])
    nodes.read.clear()
    changes = list(Tree(nodes, SHAPE, Cache()).diff(left, right))
    assert [change[0] for change in changes] == [b"dir05/new/%04d" % number for number in range(3_000)]
    assert len(nodes.read) < 3_000 / 5 < len(nodes.held) / 4  # the new leaves hold eight entries each


def test_values_that_mean_the_same_are_no_change() -> None:
    tree = Tree(MemoryNodes(), SHAPE, Cache(), same)
    left = tree.build([(b"a", b"ab1"), (b"b", b"ab1")])
    right = tree.build([(b"a", b"ab2"), (b"b", b"zz1")])
    assert list(tree.diff(left, right)) == [(b"b", b"ab1", b"zz1")]
    assert len(list(Tree(MemoryNodes(), SHAPE, Cache()).diff(left, left))) == 0


def test_stretches_cut_by_their_cap() -> None:
    shape = Shape(seed=42, leaf_bits=3, fan_bits=2, leaf_min=0, fan_min=1, leaf_cap=200, fan_cap=300)
    tree = Tree(MemoryNodes(), shape, Cache())
    keys = keys_of_height(shape, 0, 400)
    base = dict.fromkeys(keys, b"1234567890")
    left = tree.build(sorted(base.items()))
    for step in (1, 7, 50):
        edits: list[Edit] = [(key, None) for key in keys[3::step]]
        assert list(tree.diff(left, tree.apply(left, edits))) == diffed(base, edited(base, edits))


def test_damage_is_named() -> None:
    nodes = MemoryNodes()
    left, right = spread(nodes, SHAPE)
    leaf = next(
        digest for _, _, side, digest in changed_leaves(Reader(nodes, SHAPE, Cache()), left, right) if side == LEFT
    )
    del nodes.held[leaf]
    with pytest.raises(TreeCorruptError, match="missing") as caught:
        list(Tree(nodes, SHAPE, Cache()).diff(left, right))
    assert caught.value.digest == leaf
