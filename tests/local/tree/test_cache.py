from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from lakefs_hl.local.tree import Cache, MemoryNodes, Shape, Tree
from lakefs_hl.local.tree.node import Node


def leaf(number: int, level: int = 0) -> Node:
    return Node(level, b"", [b"%d" % number], [b"value"])


def test_what_was_added_is_found() -> None:
    cache = Cache()
    node = leaf(1)
    assert cache.get(b"one") is None
    cache.add(b"one", node, 100)
    assert cache.get(b"one") is node
    assert cache.used() == 100 + 90 + 200


def test_memory_is_bounded_and_what_is_used_stays() -> None:
    cache = Cache(64_000)
    favourite = leaf(0)
    cache.add(b"favourite", favourite, 100)
    for number in range(10_000):
        cache.add(b"%d" % number, leaf(number), 100)
        assert cache.get(b"favourite") is favourite
        assert cache.used() <= 32_000
    held = sum(cache.get(b"%d" % number) is not None for number in range(10_000))
    assert 30 < held <= 64_000 // 390
    assert cache.get(b"9999") is not None


def test_leaves_do_not_push_out_inner_nodes() -> None:
    cache = Cache(64_000, 8_000)
    inner = leaf(0, level=1)
    cache.add(b"inner", inner, 100)
    for number in range(10_000):
        cache.add(b"%d" % number, leaf(number), 100)
    assert cache.get(b"inner") is inner
    for number in range(1_000):
        cache.add(b"inner %d" % number, leaf(number, level=1), 100)
    assert cache.get(b"inner") is None


def test_a_leaf_that_is_passed_is_kept_the_second_time() -> None:
    cache = Cache()
    for number in range(3):
        cache.add_passed(b"%d" % number, leaf(number), 100)
        assert cache.get(b"%d" % number) is None
    cache.add_passed(b"1", leaf(1), 100)
    assert cache.get(b"1") is not None
    cache.add_passed(b"inner", leaf(0, level=1), 100)
    assert cache.get(b"inner") is not None


def test_the_leaf_between_two_pages_is_passed_once() -> None:
    cache = Cache()
    cache.add_passed(b"end", leaf(1), 100)
    cache.add_passed(b"end", leaf(1), 100)
    assert cache.get(b"end") is None
    cache.add_passed(b"end", leaf(1), 100)
    assert cache.get(b"end") is not None


def test_a_scan_of_more_leaves_than_there_is_room_for_leaves_nothing_however_often() -> None:
    cache = Cache()
    for _ in range(3):
        for number in range(3 * 4096):
            cache.add_passed(b"%d" % number, leaf(number), 100)
    assert cache.used() == 0


def test_a_listing_that_is_repeated_finds_its_leaves() -> None:
    class Counted(MemoryNodes):
        reads = 0

        def get(self, digest: bytes, /) -> bytes:
            self.reads += 1
            return super().get(digest)

    nodes, cache = Counted(), Cache()
    tree = Tree(nodes, Shape(seed=5), cache)
    root = tree.build([(b"%05d" % number, b"value") for number in range(5_000)])

    def pages() -> int:
        before, start = nodes.reads, b""
        while page := list(islice(tree.scan(root, start), 20)):
            start = page[-1][0][0] + b"\0"  # the next page begins in the last leaf of this one
            if len(page) < 20:
                break
        return nodes.reads - before

    counts = [pages() for _ in range(4)]
    assert counts[0] > counts[3] == 0


def test_a_node_larger_than_the_cache_does_no_harm() -> None:
    cache = Cache(1_000)
    cache.add(b"huge", leaf(1), 1 << 30)
    assert cache.get(b"huge") is not None
    cache.add(b"next", leaf(2), 10)
    cache.add(b"after", leaf(3), 1 << 30)
    cache.add(b"last", leaf(4), 1 << 30)
    assert cache.get(b"huge") is None


def test_many_threads_and_trees_share_one() -> None:
    nodes, shape, cache = (
        MemoryNodes(),
        Shape(seed=5, leaf_bits=2, fan_bits=2, leaf_min=0, fan_min=1),
        Cache(25_000, 25_000),
    )
    content = {b"%05d" % number: b"%d" % number for number in range(5_000)}
    root = Tree(nodes, shape, cache).build(sorted(content.items()))

    def reads(seed: int) -> int:
        dice, wrong = random.Random(seed), 0
        for _ in range(3_000):
            key = b"%05d" % dice.randrange(6_000)
            wrong += Tree(nodes, shape, cache).get(root, key) != content.get(key)
        return wrong

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(reads, range(4))) == 0
    assert cache.used() <= 50_000
