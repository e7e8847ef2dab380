from __future__ import annotations

import hashlib
import random
from collections import Counter

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakefs_hl.local.tree import Cache, MemoryNodes, Shape, Tree, TreeCorruptError
from lakefs_hl.local.tree.node import TOP, common_prefix, decode, encode
from tests.local.tree.model import shapes

keys = st.lists(st.binary(min_size=1, max_size=12).filter(lambda key: b"\xff" not in key), unique=True).map(sorted)


def digest_of(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


@settings(print_blob=True)
@given(st.binary(max_size=20), st.binary(max_size=20), st.binary(max_size=5))
def test_common_prefix_is_what_a_loop_finds(left: bytes, right: bytes, shared: bytes) -> None:
    left, right = shared + left, shared + right
    expected = 0
    while expected < min(len(left), len(right)) and left[expected] == right[expected]:
        expected += 1
    assert common_prefix(left, right) == expected


@settings(print_blob=True)
@given(keys, st.integers(0, 3), st.binary(max_size=4).filter(lambda prefix: b"\xff" not in prefix))
def test_a_node_comes_back_as_it_was_written(keys: list[bytes], level: int, prefix: bytes) -> None:
    if level and not keys:
        keys = [b"x"]
    values = [digest_of(key) for key in keys]
    data, _ = encode(level, prefix, keys, values)
    node = decode(digest_of(data), data)
    assert (node.level, node.full_keys(), node.values) == (level, [prefix + key for key in keys], values)
    assert not (level and node.prefix)
    if keys:
        assert node.last_key() == prefix + keys[-1]


@settings(print_blob=True)
@given(keys, st.data())
def test_a_node_has_one_encoding_whatever_prefix_was_taken_off_before(keys: list[bytes], data: st.DataObject) -> None:
    whole = [b"some/dir/" + key for key in keys]
    off = data.draw(st.integers(0, 9))
    values = [b"v"] * len(keys)
    assert encode(0, b"some/dir/"[:off], [key[off:] for key in whole], values) == encode(0, b"", whole, values)


def test_the_prefix_is_all_that_keys_share_and_none_for_a_single_key() -> None:
    data, shared = encode(0, b"", [b"a/b/1", b"a/b/2"], [b"", b""])
    assert (msgspec.msgpack.decode(data), shared) == ([0, b"a/b/", [b"1", b"2"], [b"", b""]], 4)
    data, shared = encode(0, b"a/", [b"b"], [b""])
    assert (msgspec.msgpack.decode(data), shared) == ([0, b"", [b"a/b"], [b""]], 0)


def test_the_format_has_not_changed() -> None:
    """These bytes lie in lakes: a change here needs a new format version."""
    data, _ = encode(0, b"", [b"a/1", b"a/2"], [b"x", b"y"])
    assert data.hex() == "9400c402612f92c40131c4013292c40178c40179"
    shape = Shape(seed=7)
    root = Tree(MemoryNodes(), shape, Cache()).build((b"dir/%04d" % number, b"v") for number in range(5000))
    assert root.hex() == "58ccd4de12f0060cfb60cf13664dbd3fc6a9478ca73f20da047df0ff345966e6"
    assert [shape.height(b"%d" % number) for number in (0, 4, 12, 1420, 5937)] == [0, 1, 1, 3, 4]
    assert (shape.leaf_bits, shape.fan_bits, shape.leaf_min, shape.fan_min) == (4, 4, 16, 16)
    assert (shape.leaf_cap, shape.fan_cap) == (65536, 65536)


def test_heights_thin_out_as_the_bits_say_and_end_at_the_top() -> None:
    shape = Shape(seed=99, leaf_bits=3, fan_bits=2, leaf_min=0, fan_min=1)
    heights = Counter(shape.height(b"key-%d" % number) for number in range(40_000))
    assert 4_500 < sum(heights[height] for height in heights if height >= 1) < 5_500  # 1 in 8
    assert 1_000 < sum(heights[height] for height in heights if height >= 2) < 1_500  # 1 in 4 of these
    assert (
        max(
            Shape(seed=1, leaf_bits=0, fan_bits=1, leaf_min=0, fan_min=1).height(b"key-%d" % number)
            for number in range(20_000)
        )
        == TOP
    )


def test_another_seed_cuts_elsewhere() -> None:
    keys = [b"key-%d" % number for number in range(1000)]
    assert [Shape(seed=1).height(key) for key in keys] != [Shape(seed=2).height(key) for key in keys]


def cuts(shape: Shape, level: int, keys: list[bytes], values: list[bytes]) -> list[int]:
    """The rule as the module's docstring has it."""
    least, cap, fewest = (shape.fan_min, shape.fan_cap, 2) if level else (shape.leaf_min, shape.leaf_cap, 1)
    found: list[int] = []
    for at in range(1, len(keys) + 1):
        begin = found[-1] if found else 0
        size = sum(map(len, keys[begin:at])) + sum(map(len, values[begin:at]))
        by_hash = at - begin > least and shape.height(keys[at - 1]) > level
        if by_hash or (size >= cap and at - begin >= fewest):
            found.append(at)
    return found


@settings(print_blob=True, deadline=None, max_examples=150)
@given(shapes, st.integers(0, TOP + 1), st.integers(0, 2**32))
def test_a_level_is_cut_as_the_rules_say(shape: Shape, level: int, seed: int) -> None:
    dice = random.Random(seed)
    names = sorted({b"%05d" % dice.randrange(10**5) for _ in range(dice.randrange(80))})
    values = [b"v" * dice.randrange(60) for _ in names]
    assert shape.cuts(level, names, values) == cuts(shape, level, names, values)


def test_the_cap_ends_a_leaf_after_the_entry_that_reaches_it() -> None:
    shape = Shape(seed=0, leaf_min=16, leaf_cap=100)
    names = [b"%04d" % number for number in range(6)]
    assert shape.cuts(0, names, [b"v" * 16] * 6) == [5]  # 100 bytes, at the fifth entry
    assert shape.cuts(0, names, [b"v" * 15] * 6) == [6]  # 95 bytes are less
    assert shape.cuts(0, names, [b"", b"", b"v" * 500, b"v" * 96, b"", b""]) == [3, 4]  # larger than the cap; the cap


def test_the_cap_ends_an_inner_node_only_if_it_has_two_children() -> None:
    shape = Shape(seed=0, leaf_cap=10, fan_cap=20)
    names, values = [b"%04d" % number for number in range(5)], [b"v" * 32] * 5
    assert shape.cuts(0, names, values) == [1, 2, 3, 4, 5]
    assert shape.cuts(1, names, values) == shape.cuts(4, names, values) == shape.cuts(TOP, names, values) == [2, 4]


def test_a_hash_ends_a_node_with_more_entries_than_the_minimum() -> None:
    shape = Shape(seed=1, leaf_bits=0, leaf_min=3, fan_bits=1, fan_min=2)
    names = [b"%04d" % number for number in range(9)]
    assert shape.cuts(0, names, names) == [4, 8]


def test_a_lake_that_notes_no_minimum_has_none() -> None:
    noted = {"seed": 5, "leaf_bits": 5, "fan_bits": 6, "leaf_cap": 65536, "fan_cap": 65536}
    assert Shape.restore(noted) == Shape(5, 5, 6, 0, 0, 65536, 65536)
    drawn = Shape(seed=5)
    assert Shape.restore(msgspec.to_builtins(drawn)) == drawn
    with pytest.raises(msgspec.ValidationError, match="seed"):
        Shape.restore({})


@pytest.mark.parametrize(
    ("settings_", "complaint"),
    [
        ({"seed": -1}, "64 bits"),
        ({"seed": 1 << 64}, "64 bits"),
        ({"seed": 0, "leaf_bits": 17}, "got 17, 4"),
        ({"seed": 0, "fan_bits": 0}, "got 4, 0"),
        ({"seed": 0, "leaf_min": -1}, "got -1, 16"),
        ({"seed": 0, "fan_min": -1}, "got 16, -1"),
        ({"seed": 0, "leaf_cap": 0}, "at least one byte"),
        ({"seed": 0, "fan_cap": 0}, "at least one byte"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(settings_: dict[str, int], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Shape(**settings_)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "not a node"),
        (b"\xc0", "not a node"),
        (msgspec.msgpack.encode([0, b"", [b"a"]]), "not a node"),
        (msgspec.msgpack.encode([0, b"", ["a"], [b""]]), "not a node"),
        (msgspec.msgpack.encode([0, b"", [b"a"], []]), "1 keys and 0 values"),
        (msgspec.msgpack.encode([1, b"", [], []]), "level 1 with 0 keys"),
        (msgspec.msgpack.encode([-1, b"", [], []]), "level -1"),
    ],
)
def test_bytes_that_are_no_node_are_refused(data: bytes, complaint: str) -> None:
    digest = digest_of(data)
    with pytest.raises(TreeCorruptError, match=complaint) as caught:
        decode(digest, data)
    assert caught.value.digest == digest
    assert digest.hex() in str(caught.value)
    assert "backup" in str(caught.value)


def test_every_flipped_bit_is_found() -> None:
    data, _ = encode(0, b"", [b"a/1", b"a/2"], [b"x", b"y"])
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(TreeCorruptError, match="stored bytes have the digest"):
            decode(digest_of(data), bytes(damaged))


def test_memory_nodes_give_back_what_was_put() -> None:
    nodes = MemoryNodes()
    digest = nodes.put(b"data")
    assert digest == digest_of(b"data")
    assert nodes.get(digest) == b"data"
    with pytest.raises(KeyError):
        nodes.get(bytes(32))
