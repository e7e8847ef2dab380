"""A raw reader: which ranges it fetches, and what it verifies. Without a lake."""

from __future__ import annotations

import io
import os
import random
from itertools import pairwise

import pytest

from lakefs_hl import exceptions
from lakefs_hl._files.reader import LARGEST_WINDOW, SMALL_OBJECT, TAIL, WINDOW, RawReader
from tests._files.places import FakePlace

CONTENT = os.urandom(5 * WINDOW + 17)


def reading(content: bytes = CONTENT, *, in_process: bool = False) -> tuple[RawReader, FakePlace]:
    place = FakePlace(content, in_process=in_process)
    return RawReader(place, "a/b"), place


def test_the_first_request_fixes_version_and_size() -> None:
    file, place = reading()
    assert (file.name, file.mode, file.size) == ("lakefs://example/main/a/b", "rb", len(CONTENT))
    assert place._client.fetched == [(0, WINDOW)]
    assert place._client.sent[0]["etag"] is None
    file.seek(WINDOW)
    file.read(1)
    assert place._client.sent[1]["etag"] == place._client.etag


def test_the_window_doubles_while_reading_is_sequential() -> None:
    file, place = reading(bytes(64 * WINDOW))
    while file.read(1000):
        pass
    sizes = [size for _, size in place._client.fetched]
    assert sizes[:4] == [WINDOW, 2 * WINDOW, 4 * WINDOW, 8 * WINDOW]
    assert max(sizes) <= LARGEST_WINDOW
    assert sum(sizes) == 64 * WINDOW


def test_the_window_is_small_after_a_seek() -> None:
    file, place = reading()
    file.seek(2 * WINDOW)
    file.read(10)
    assert place._client.fetched[-1] == (2 * WINDOW, WINDOW)


def test_the_window_stays_small_in_process() -> None:
    file, place = reading(in_process=True)
    while file.read(1000):
        pass
    assert {size for _, size in place._client.fetched} == {WINDOW, 17}


def test_a_window_near_the_end_starts_earlier() -> None:
    file, place = reading()
    file.seek(-10, io.SEEK_END)
    assert file.read() == CONTENT[-10:]
    assert place._client.fetched[-1] == (len(CONTENT) - TAIL, TAIL)
    file.seek(-TAIL, io.SEEK_END)
    assert file.read(20) == CONTENT[-TAIL : 20 - TAIL]
    assert len(place._client.fetched) == 2


def test_a_large_read_goes_into_the_callers_buffer() -> None:
    file, place = reading()
    file.seek(WINDOW)
    sink = bytearray(4 * WINDOW)
    assert file.readinto(sink) == 4 * WINDOW
    assert place._client.fetched[-1] == (WINDOW, 4 * WINDOW)
    assert sink == CONTENT[WINDOW : 5 * WINDOW]


def test_all_of_the_rest_is_one_request() -> None:
    file, place = reading()
    assert file.readall() == CONTENT
    assert place._client.fetched == [(0, WINDOW), (WINDOW, len(CONTENT) - WINDOW)]
    assert file.readall() == b""
    assert len(place._client.fetched) == 2


@pytest.mark.parametrize(("offset", "whence", "at"), [(3, 0, 3), (2, 1, 7), (-1, 2, 9), (5, 2, 15)])
def test_seek_moves_the_position_and_sends_nothing(offset: int, whence: int, at: int) -> None:
    file, place = reading(b"0123456789")
    file.seek(5)
    assert file.seek(offset, whence) == file.tell() == at
    assert len(place._client.fetched) == 1
    assert file.read(1) == b"0123456789"[at : at + 1]


def test_a_position_that_cannot_be_is_refused() -> None:
    file, _ = reading(b"0123456789")
    with pytest.raises(ValueError, match="negative seek position -1"):
        file.seek(-1)
    with pytest.raises(ValueError, match="whence must be 0, 1 or 2, not 3"):
        file.seek(0, 3)


def test_a_closed_file_is_not_read() -> None:
    file, _ = reading(b"0123456789")
    file.close()
    for call in (file.tell, file.readall, lambda: file.seek(0), lambda: file.readinto(bytearray(1))):
        with pytest.raises(ValueError, match="closed file lakefs://example/main/a/b"):
            call()


def test_a_small_object_with_wrong_bytes_is_fetched_again() -> None:
    place = FakePlace(b"0123456789")
    place._client.spoiled = 2
    assert RawReader(place, "a").readall() == b"0123456789"
    assert len(place._client.fetched) == 3


def test_wrong_bytes_are_an_error_in_the_end() -> None:
    place = FakePlace(b"0123456789")
    place._client.spoiled = 3
    with pytest.raises(exceptions.IntegrityError, match="the 10 bytes received have the MD5"):
        RawReader(place, "a")


def test_the_end_of_a_large_object_is_verified() -> None:
    file, place = reading()
    file.read(10)
    place._client.spoiled = 1
    with pytest.raises(exceptions.IntegrityError, match=r"reading lakefs://example/main/a/b"):
        file.readall()


def test_an_etag_that_is_not_an_md5_is_not_compared() -> None:
    place = FakePlace(b"0123456789")
    place._client.etag = '"0123-2"'
    place._client.spoiled = 1
    assert RawReader(place, "a").readall() == bytes(10)


def columns(orders: list[int], size: int = 9 << 20, stride: int = 900_000) -> tuple[list[tuple[int, int]], FakePlace]:
    """Read the footer of a table, then a column of each row group, and return what was fetched after the footer."""
    content = CONTENT * (size // len(CONTENT) + 1)
    size = len(content)
    place = FakePlace(content)
    file = RawReader(place, "t.parquet", expected_size=size)
    for group in orders:
        file.seek(1000 + group * stride)
        assert file.read(100_000) == content[file.tell() - 100_000 : file.tell()]
    return place._client.fetched[1:], place


@pytest.mark.parametrize("order", [[*range(10)], [0, 1, 2, 9, 4, 5, 6, 7, 8, 3], [0, 8, 2, 3, 4, 5, 6, 7, 1, 9]])
def test_a_column_of_many_is_read_in_few_windows_in_any_order(order: list[int]) -> None:
    fetched, _ = columns(order)
    assert len(fetched) <= 4
    ends = sorted((start, start + size) for start, size in fetched)
    assert all(one[1] <= another[0] for one, another in pairwise(ends)), "no byte is fetched twice"


def test_windows_stay_small_for_one_row_group_and_far_apart() -> None:
    assert columns([3])[0] == [(1000 + 3 * 900_000, WINDOW)]
    fetched, _ = columns([0, 8, 3, 5], size=40 << 20, stride=4 << 20)
    assert [size for _, size in fetched] == [WINDOW] * 4


def test_kept_windows_are_bounded() -> None:
    content = bytes(64 << 20)
    place = FakePlace(content)
    file = RawReader(place, "t.parquet", expected_size=len(content))
    for group in range(70):
        file.seek(group * 900_000)
        file.read(1000)
        assert sum(len(window) for _, window in file._windows) <= SMALL_OBJECT
    assert len(place._client.fetched) < 15


def test_reads_at_random_return_what_is_there() -> None:
    drawn = random.Random(7)
    file, place = reading()
    for _ in range(300):
        at, length = drawn.randrange(len(CONTENT) + 10), drawn.choice([1, 1000, 70_000, WINDOW, 3 * WINDOW])
        file.seek(at)
        found = file.read(length)
        assert found
        assert found == CONTENT[at : at + len(found)] or at >= len(CONTENT)
    assert sum(size for _, size in place._client.fetched) < 4 * len(CONTENT)


def test_a_version_of_before_is_opened_without_a_request() -> None:
    place = FakePlace(CONTENT)
    etag = place._client.etag
    file = RawReader(place, "a", version=(etag, len(CONTENT)))
    file.seek(10)
    assert place._client.fetched == []
    assert (file.size, file.etag) == (len(CONTENT), etag)
    assert file.read(5) == CONTENT[10:15]
    assert place._client.sent[0]["etag"] == etag


@pytest.mark.parametrize("size", [0, 9, 20, TAIL, len(CONTENT)])
@pytest.mark.parametrize("at", [0, 10, 3 * WINDOW])
def test_who_asked_for_nothing_reads_the_version_of_now(size: int, at: int) -> None:
    place = FakePlace(CONTENT[:size])
    file = RawReader(place, "a", version=("another", len(CONTENT)))
    file.seek(at)
    assert file.readall() == CONTENT[:size][at:]
    assert place._client.sent[0]["etag"] is None
    assert (file.size, file.etag) == (size, place._client.etag)
