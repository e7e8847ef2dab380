from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakefs_hl.local.tree import END, Cache, MemoryNodes, Shape, Tree, TreeCorruptError
from lakefs_hl.local.tree.node import encode
from lakefs_hl.local.tree.read import Cursor, Reader
from tests.local.tree.model import CountingNodes, World, entries, worlds


@settings(print_blob=True, deadline=None, max_examples=60)
@given(worlds)
def test_get_finds_what_is_there_and_nothing_else(world: World) -> None:
    content = world.content()
    root = world.tree.build(sorted(content.items()))
    for key in [*world.space, b"d", b"d03", b"d03/", b"d03/f", b"zzz", b"!", b"d03/f001/more"]:
        assert world.tree.get(root, key) == content.get(key)


@settings(print_blob=True, deadline=None, max_examples=60)
@given(worlds, st.data())
def test_find_answers_ascending_keys_as_get_does(world: World, data: st.DataObject) -> None:
    content = world.content()
    root = world.tree.build(sorted(content.items()))
    pool = [*world.space, b"d", b"d03", b"d03/", b"d03/f", b"zzz", b"!", b"d03/f001/more"]
    keys = sorted(data.draw(st.lists(st.sampled_from(pool), unique=True)))
    assert list(world.tree.find(root, iter(keys))) == [content.get(key) for key in keys]


@settings(print_blob=True, deadline=None, max_examples=60)
@given(worlds, st.data())
def test_scan_yields_a_range_in_order(world: World, data: st.DataObject) -> None:
    content = world.content()
    root = world.tree.build(sorted(content.items()))
    assert entries(world.tree, root) == sorted(content.items())
    bounds = st.sampled_from([b"", b"\x00", b"d03/", b"d03/" + END, b"d0", b"~", END, *world.space])
    for _ in range(8):
        start, end = data.draw(bounds), data.draw(bounds)
        expected = [(key, content[key]) for key in sorted(content) if start <= key < end]
        assert entries(world.tree, root, start, end) == expected
        assert all(keys for keys, _ in world.tree.scan(root, start, end))


def test_scan_gives_lists_of_the_callers_own() -> None:
    world = World(Shape(seed=1), seed=1, amount=40, cache_bytes=1 << 20)
    root = world.tree.build(sorted(world.content().items()))
    expected = entries(world.tree, root)
    for keys, values in world.tree.scan(root):
        keys.clear()
        values.clear()
    assert entries(world.tree, root) == expected


def big() -> tuple[CountingNodes, Shape, bytes]:
    nodes, shape = CountingNodes(), Shape(seed=11, leaf_bits=3, fan_bits=3, leaf_min=0, fan_min=1)
    items = [(b"dir%02d/%06d" % (number // 500, number), b"%d" % number) for number in range(20_000)]
    root = Tree(nodes, shape, Cache()).build(items)
    nodes.read.clear()
    return nodes, shape, root


def test_a_scan_costs_one_way_down_and_the_leaves_it_yields() -> None:
    nodes, shape, root = big()
    tree = Tree(nodes, shape, Cache())
    depth = 1 + next(iter(Cursor(Reader(nodes, shape, Cache()), root).level for _ in [0]))
    nodes.read.clear()
    scan = tree.scan(root, b"dir20/")
    keys, _ = next(scan)
    assert keys[0] == b"dir20/010000"
    assert len(nodes.read) <= depth
    next(scan)
    assert len(nodes.read) <= 2 * depth
    nodes.read.clear()
    assert next(tree.scan(root, b"dir20/"))[0] == keys  # only the leaf, which is kept from now on
    assert len(nodes.read) == 1
    nodes.read.clear()
    assert next(tree.scan(root, b"dir20/"))[0] == keys
    assert not nodes.read


def test_directories_are_listed_without_reading_what_is_in_them() -> None:
    nodes, shape, root = big()
    tree = Tree(nodes, shape, Cache())
    found, start = [], b""
    while (first := next(tree.scan(root, start), None)) is not None:
        found.append(first[0][0].split(b"/")[0] + b"/")
        start = found[-1] + END
    assert found == [b"dir%02d/" % number for number in range(40)]
    assert len(nodes.read) < 40 * 3 < len(nodes.held) / 10


def test_the_empty_tree() -> None:
    tree = Tree(MemoryNodes(), Shape(seed=3), Cache())
    root = tree.empty()
    assert tree.get(root, b"a") is None
    assert entries(tree, root) == []
    assert root == tree.empty() == tree.build([])


def test_a_cursor_goes_forward() -> None:
    nodes, shape, root = big()
    reader = Reader(nodes, shape, Cache())
    for level in (0, 1, 2):
        cursor = Cursor(reader, root)
        cursor.sink(level)
        keys, lows = [], []
        while True:
            keys.append(cursor.keys[cursor.at])
            lows.append(cursor.low())
            if cursor.is_last():
                break
            cursor.advance()
            cursor.sink(level)
        assert keys == sorted(set(keys))
        assert lows == [b"", *keys[:-1]]
        cursor = Cursor(reader, root)
        for key, low in zip(keys, lows, strict=True):
            cursor.seek(low + b"\x00", level)
            assert cursor.keys[cursor.at] == key
        cursor.seek(b"zzz", level)
        assert cursor.keys[cursor.at] == keys[-1]
        cursor.advance()
        assert not cursor.live


def flip(nodes: MemoryNodes, digest: bytes) -> None:
    data = bytearray(nodes.held[digest])
    data[len(data) // 2] ^= 1
    nodes.held[digest] = bytes(data)


def test_a_damaged_node_is_named() -> None:
    nodes, shape, root = big()
    victim = list(Tree(nodes, shape, Cache()).reach(root))[-1]
    flip(nodes, victim)
    tree = Tree(nodes, shape, Cache())
    with pytest.raises(TreeCorruptError, match="stored bytes have the digest") as caught:
        entries(tree, root)
    assert caught.value.digest == victim
    flip(nodes, victim)
    assert len(entries(tree, root)) == 20_000


def test_a_missing_node_is_named() -> None:
    nodes, shape, root = big()
    del nodes.held[root]
    tree = Tree(nodes, shape, Cache())
    with pytest.raises(TreeCorruptError, match=f"{root.hex()}: it is missing") as caught:
        tree.get(root, b"dir20/010000")
    assert isinstance(caught.value.__cause__, KeyError)
    with pytest.raises(TreeCorruptError, match="missing"):
        next(tree.scan(root))


def test_a_node_of_the_wrong_level_is_refused() -> None:
    nodes = MemoryNodes()
    leaf = nodes.put(encode(0, b"", [b"a"], [b"1"])[0])
    middle = nodes.put(encode(1, b"", [b"a"], [leaf])[0])
    root = nodes.put(encode(3, b"", [b"a", b"b"], [middle, hashlib.sha256(b"?").digest()])[0])
    tree = Tree(nodes, Shape(seed=0), Cache())
    with pytest.raises(TreeCorruptError, match="level 1 where 2 belongs"):
        entries(tree, root)
