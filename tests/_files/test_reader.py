"""A raw reader: which ranges it fetches, and what it verifies. Without a lake."""

from __future__ import annotations

import io
import os

import pytest

from lakefs_hl import exceptions
from lakefs_hl._files.reader import LARGEST_WINDOW, TAIL, WINDOW, RawReader
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
