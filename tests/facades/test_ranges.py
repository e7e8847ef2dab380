"""Ranges that are joined into few requests."""

from __future__ import annotations

import random

import pytest

from lakefs_hl.facades.ranges import GAP, JOINED, Part, cut, join
from lakefs_hl.facades.records import Content, Range


def requests(*asked: Range) -> list[Range]:
    return join(asked)[0]


def test_close_ranges_are_one_request() -> None:
    assert requests(Range("a", 0, 5), Range("a", 5, 9)) == [Range("a", 0, 9)]
    assert requests(Range("a", 10, 20), Range("a", 0, 15), Range("a", 12, 13)) == [Range("a", 0, 20)]
    assert requests(Range("a", 0, 5), Range("a", 5 + GAP, 9 + GAP)) == [Range("a", 0, 9 + GAP)]
    assert len(requests(Range("a", 0, 5), Range("a", 6 + GAP, 9 + GAP))) == 2


def test_ranges_of_other_files_are_others() -> None:
    assert requests(Range("a", 0, 5), Range("b", 5, 9)) == [Range("a", 0, 5), Range("b", 5, 9)]


def test_whole_files_and_offsets_from_the_end_stay_as_they_are() -> None:
    asked = [Range("a"), Range("a", -5, None), Range("a", 5, None), Range("a", None, -1), Range("a", 9, 5)]
    assert requests(*asked) == asked


def test_what_is_asked_twice_is_read_once() -> None:
    found, parts = join([Range("a"), Range("b"), Range("a")])
    assert found == [Range("a"), Range("b")]
    assert parts == [Part(0), Part(1), Part(0)]


def test_a_request_is_bounded_unless_its_ranges_overlap() -> None:
    step = JOINED // 4
    assert len(requests(*(Range("a", at * step, (at + 1) * step) for at in range(8)))) == 2
    assert len(requests(Range("a", 0, 2 * JOINED), Range("a", JOINED, 3 * JOINED))) == 1


def test_requests_are_in_the_order_of_their_first_use() -> None:
    found, parts = join([Range("b", 5, 9), Range("a"), Range("b", 0, 5)])
    assert found == [Range("b", 0, 9), Range("a")]
    assert [part.request for part in parts] == [0, 1, 0]


@pytest.mark.parametrize("length", [0, 7, 1000, 200_000])
def test_every_part_is_what_was_asked_for(length: int, rng: random.Random) -> None:
    content = rng.randbytes(length)
    ends: list[int | None] = [None, *(rng.randrange(-5, length + 50) for _ in range(40))]
    asked = [Range("a", rng.choice(ends), rng.choice(ends)) for _ in range(60)]
    found, parts = join(asked)
    for each, part in zip(asked, parts, strict=True):
        request = found[part.request]
        read = Content("a", content[request.start : request.end])
        assert cut(read, part, each).data == content[each.start : each.end], each
        assert cut(read, part, each).byte_range == (each.start, each.end)
