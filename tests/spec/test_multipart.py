"""Checksums of objects in parts: which lengths of parts are tried, and a hash that is used like one of hashlib."""

from __future__ import annotations

import hashlib
import random
from array import array

import pytest

from lakefs_hl.spec.multipart import EtagHash, combined_etag, part_size, part_sizes

MIB = 1 << 20
X = "0" * 32


@pytest.mark.parametrize(
    ("size", "count", "sizes"),
    [
        (100 * MIB, 7, [16]),
        (1 << 30, 64, [16]),
        (15 << 30, 1024, [15]),  # the only whole number of MiB
        (1 << 30, 128, [8]),
        (1 << 30, 60, []),  # no whole number of MiB: lengths of SDKs are, but for very large objects
        (70 * MIB, 5, [16]),
        (12 * MIB, 2, [8, 10]),
        (60 * MIB, 2, [32, 50]),
        (6 * MIB, 3, []),  # S3 takes no parts of less than 5 MiB
        (7 * MIB, 0, []),
        (5 << 40, 5120, [1024]),
    ],
)
def test_the_number_of_parts_leaves_few_lengths(size: int, count: int, sizes: list[int]) -> None:
    found = part_sizes(f"{X}-{count}", size)
    assert found == [each * MIB for each in sizes]
    assert all(-(-size // each) == count for each in found)


def test_lengths_that_are_no_whole_number_of_mib() -> None:
    size = 300 << 30
    assert part_sizes(f"{X}-{-(-size // (size // 10_000 + 1))}", size) == [size // 10_000 + 1]
    assert part_sizes(f"{X}-1", 77) == [77]
    assert part_sizes(X, 9 * MIB) == [5 * MIB, 8 * MIB]
    for checksum in ("", "abc", f"{X}-", f"{X}-x", f"{X}-2-3", "linked-2"):
        assert part_sizes(checksum, 100 * MIB) == []


def test_our_parts_are_among_them_at_any_size() -> None:
    for size in (65 * MIB, 156 << 30, 157 << 30, 1 << 40, 5 << 40):
        assert part_sizes(f"{X}-{-(-size // part_size(size))}", size)[0] == part_size(size)


def etag(content: bytes, length: int) -> str:
    pieces = [content[at : at + length] for at in range(0, len(content), length)]
    return combined_etag(hashlib.md5(piece).digest() for piece in pieces)


@pytest.mark.parametrize("length", [999, 1000, 1001, 5000])
def test_a_hash_gives_the_etag_however_it_is_fed(length: int) -> None:
    draw = random.Random(length)
    content = draw.randbytes(5000)
    expected = etag(content, length)
    hashed, at = EtagHash(expected, [700, length]), draw.randrange(700)
    assert hashed.start(hashlib.md5(content[:at]), at)
    while at < len(content):
        end = at + draw.randrange(1, 1200)
        copied = hashed.copy()
        copied.update(b"goes on by itself")
        hashed.update(memoryview(content)[at:end])
        at = end
    assert hashed.hexdigest() == expected
    assert hashed.copy().hexdigest() == expected
    hashed.update(b"x")
    assert hashed.hexdigest() == etag(content + b"x", 700)


def test_more_than_the_first_part_is_hashed_from_its_content() -> None:
    assert EtagHash("", [4]).start(hashlib.md5(b"1234"), 4)
    assert not EtagHash("", [5, 4]).start(hashlib.md5(b"12345"), 5)


def test_a_buffer_of_other_items_is_its_bytes() -> None:
    items, hashed = array("i", range(10)), EtagHash("", [7])
    hashed.update(items)
    hashed.update(b"")
    assert hashed.hexdigest() == etag(items.tobytes(), 7)
