"""Two sorted streams as one."""

from __future__ import annotations

import random
from collections.abc import Iterator

from lakefs_hl._bulk.merging import merge


def pairs(left: list[str], right: list[str]) -> list[tuple[str | None, str | None]]:
    return list(merge(left, right, str, str))


def test_pairs_are_in_order_and_complete() -> None:
    assert pairs(["a", "c", "d"], ["b", "c", "e"]) == [("a", None), (None, "b"), ("c", "c"), ("d", None), (None, "e")]
    assert pairs([], []) == []
    assert pairs(["a"], []) == [("a", None)]
    assert pairs([], ["a"]) == [(None, "a")]


def test_random_streams_agree_with_sets(rng: random.Random) -> None:
    alphabet = ["a", "b", "/", "-", ".", "é", "\U0001f600", "\uffff"]
    for _ in range(200):
        left, right = (
            {"".join(rng.choices(alphabet, k=rng.randint(1, 4))) for _ in range(rng.randint(0, 12))} for _ in range(2)
        )
        found = pairs(sorted(left), sorted(right))
        assert {one for one, _ in found if one} == left
        assert {other for _, other in found if other} == right
        assert {one for one, other in found if one == other} == left & right
        order = [one or other or "" for one, other in found]
        assert order == sorted(order, key=str.encode), "the order of UTF-8"


def test_no_more_is_read_than_needed() -> None:
    read = list[str]()

    def numbers(name: str) -> Iterator[str]:
        for number in range(100):
            read.append(name)
            yield f"{number:03}"

    both = merge(numbers("left"), numbers("right"), str, str)
    next(both)
    assert len(read) == 2
