"""Partitions: each object in exactly one, in about equal parts, whatever their sizes."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakefs_hl.ops import partitions
from lakefs_hl.ops.partitions import Bins, Measure, Range
from lakefs_hl.spec import errors, models
from tests.ops.script import C1, Play, no, ok, session, step

SIZES = st.lists(st.one_of(st.just(0), st.integers(0, 10), st.integers(0, 10**12)), max_size=200)
MEASURES = st.sampled_from(["bytes", "objects"])


def rows(sizes: list[int]) -> list[models.ObjectStats]:
    return [models.ObjectStats(f"{at:07}", "object", size_bytes=size) for at, size in enumerate(sizes)]


def split(sizes: list[int], n: int, by: Measure) -> list[Range]:
    bins = Bins(n, by)
    found = rows(sizes)
    for at in range(0, len(found), 1000):
        bins.add(found[at : at + 1000])
    return bins.split()


def check(sizes: list[int], found: list[Range]) -> None:
    """Each object is in exactly one range, and the amounts are right."""
    at = 0
    for part in found:
        assert part.object_count > 0
        assert part.after == (f"{at - 1:07}" if at else "")
        assert part.total_bytes == sum(sizes[at : at + part.object_count])
        at += part.object_count
        assert part.last == f"{at - 1:07}"
    assert at == len(sizes)


def weigh(sizes: list[int], by: Measure) -> list[int]:
    return [size + 1 if by == "bytes" else 1 for size in sizes]


@given(SIZES, st.integers(1, 250), MEASURES)
@settings(max_examples=80, deadline=None)
def test_every_object_is_in_exactly_one_partition(sizes: list[int], n: int, by: Measure) -> None:
    found = split(sizes, n, by)
    check(sizes, found)
    assert len(found) == min(n, len(sizes))
    assert found == split(sizes, n, by)


@given(SIZES.filter(bool), st.integers(1, 20), MEASURES)
@settings(max_examples=80, deadline=None)
def test_no_partition_is_larger_than_a_share_and_an_object(sizes: list[int], n: int, by: Measure) -> None:
    weights = weigh(sizes, by)
    largest = max(
        part.total_bytes + part.object_count if by == "bytes" else part.object_count for part in split(sizes, n, by)
    )
    assert largest <= sum(weights) / n + max(weights)


@given(SIZES, st.integers(1, 5), MEASURES)
@settings(max_examples=50, deadline=None)
def test_joined_bins_lose_nothing(sizes: list[int], n: int, by: Measure) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partitions, "BINS", 0)
        patch.setattr(partitions, "BINS_PER_PARTITION", 16)
        bins = Bins(n, by)
        for row in rows(sizes):
            bins.add([row])
            assert len(bins._ranges) <= 16 * n
        found = bins.split()
    check(sizes, found)
    assert len(found) <= n
    if len(sizes) > 16 * n:
        assert len(found) == n
        allowed = sum(weigh(sizes, by)) / n * 2 + 2 * max(weigh(sizes, by))
        assert all(sum(weigh([part.total_bytes], by)) <= allowed + part.object_count for part in found)


@pytest.mark.parametrize("by", ["bytes", "objects"])
def test_many_objects_take_little_memory_and_are_split_evenly(by: Measure) -> None:
    draw = random.Random(7)
    sizes = [int(draw.paretovariate(1.2) * 1000) for _ in range(50_000)]
    bins = Bins(8, by)
    found = rows(sizes)
    for at in range(0, len(found), 1000):
        bins.add(found[at : at + 1000])
        assert len(bins._ranges) <= bins._limit
    parts = bins.split()
    check(sizes, parts)
    weights = weigh(sizes, by)
    share = sum(weights) / 8
    shares = [part.total_bytes + part.object_count if by == "bytes" else part.object_count for part in parts]
    assert max(shares) <= share * 1.15 + max(weights)


def test_one_huge_object_leaves_workers_for_the_rest() -> None:
    sizes = [1] * 20_000 + [10**15] + [1] * 20_000
    parts = split(sizes, 10, "bytes")
    check(sizes, parts)
    assert len(parts) == 10
    (huge,) = [part for part in parts if part.total_bytes >= 10**15]
    assert huge.object_count < 20_000


# -- what is sent -----------------------------------------------------------------------------------------------------


def listing(*paths: str, after: str = "", next_offset: str = "") -> Any:
    found = [models.ObjectStats(path, "object", size_bytes=1) for path in paths]
    pagination = models.Pagination(bool(next_offset), next_offset, len(found), 1000)
    query = {"amount": "1000", "prefix": "d/"} | ({"after": after} if after else {})
    return step("listObjects", "r", C1, answer=ok(models.ObjectPage(pagination, found)), query=query)


def test_the_prefix_is_listed_once() -> None:
    play = Play(listing("d/a", "d/b", next_offset="d/b"), listing("d/c", after="d/b"))
    found = play.run(partitions.split(session(), "r", C1, 2, "d/", "objects"))
    assert found == [Range("", "d/b", 2, 2), Range("d/b", "d/c", 1, 1)]


def test_without_objects_there_is_no_partition() -> None:
    assert Play(listing()).run(partitions.split(session(), "r", C1, 3, "d/", "bytes")) == []


def test_a_failing_page_fails_the_call() -> None:
    play = Play(listing("d/a", next_offset="d/a"), step("listObjects", "r", C1, answer=no(404, "repository not found")))
    play.fails(partitions.split(session(), "r", C1, 3, "d/", "bytes"), errors.NotFoundException, "lakefs://r")
