"""`Range` headers: 206, 416 with and without the size, 400."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakefs_hl.local.api import ranges
from lakefs_hl.spec.errors import BadRequestException
from lakefs_hl.spec.wire import FileSlice


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-4", (0, 5)),
        ("bytes=6-", (6, 11)),
        ("bytes=-5", (6, 11)),
        ("bytes=-50", (0, 11)),
        ("bytes=0-0", (0, 1)),
        ("bytes=0-1000", (0, 11)),
        ("bytes=10-10", (10, 11)),
    ],
)
def test_served(header: str, expected: tuple[int, int]) -> None:
    ranges.check(header)
    assert ranges.parse(header, 11) == expected


@pytest.mark.parametrize(
    ("header", "size", "told"),
    [
        ("bytes=4-2", 11, False),
        ("bytes=0-1,3-4", 11, False),
        ("bytes=-", 11, False),
        ("bytes=11-", 11, True),
        ("bytes=100-200", 11, True),
        ("bytes=-0", 11, True),
        ("bytes=0-1", 0, True),
        ("bytes=-1", 0, True),
    ],
)
def test_not_satisfiable(header: str, size: int, told: bool) -> None:
    ranges.check(header)
    with pytest.raises(ranges.RangeNotSatisfiable) as caught:
        ranges.parse(header, size)
    assert caught.value.told is told


@pytest.mark.parametrize("header", ["chars=0-1", "bytes=x", "bytes=", "", "bytes=1", "Bytes=0-1", "bytes=0-1\n"])
def test_no_range(header: str) -> None:
    with pytest.raises(BadRequestException, match='parameter "Range" in header'):
        ranges.check(header)


@given(st.text("0123-, x", max_size=9))
def test_takes_what_lakefs_takes(tail: str) -> None:
    theirs = re.fullmatch(r"bytes=((\d*-\d*,? ?)+)", f"bytes={tail}", re.ASCII) is not None
    try:
        ranges.check(f"bytes={tail}")
    except BadRequestException:
        assert not theirs
    else:
        assert theirs


def test_a_hostile_header_costs_nothing() -> None:
    start = time.perf_counter()
    for tail in ("-" * 200 + "x", "1-, " * 60 + "x", "1" * 240, "-" * 100_000):
        with pytest.raises(BadRequestException):
            ranges.check(f"bytes={tail}")
    assert time.perf_counter() - start < 5  # a guard against a hang, not a measurement


def test_cut() -> None:
    assert ranges.cut(b"hello", 1, 3) == b"el"
    assert ranges.cut(FileSlice(7, 100, 50), 10, 30) == FileSlice(7, 110, 20)
