"""Chunks of an object, with prepared responses: sizes, versions, checksums, interrupted responses."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from lakefs_hl.ops import chunks
from lakefs_hl.spec import errors, models
from tests.ops.script import C1, Play, breaking, filling, no, ok, ref, session, step

S = session(exactly_once=False)
S.storage_refused = True  # no look at whether the server signs URLs


def get(answer: Any, range_: str) -> Any:
    return step("getObject", "r", "b", answer=answer, headers={"range": f"bytes={range_}"})


def make(size: int = 4, start: int = 0, end: int | None = None, *, verify: bool = True) -> chunks.Chunks:
    return chunks.Chunks("r", "b", "k", start, end, size, verify=verify, pre_signed=False)


def read(page: chunks.ChunkPage) -> tuple[list[bytes], bool]:
    return [bytes(chunk) for chunk in page.results], page.pagination.has_more


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make ranges short: two chunks of four bytes first, then three."""
    monkeypatch.setattr(chunks, "FIRST", 8)
    monkeypatch.setattr(chunks, "SPAN", 12)
    monkeypatch.setattr(chunks, "LARGEST_FIRST", 16)


CONTENT = bytes(range(23))
ETAG = hashlib.md5(CONTENT).hexdigest()


@pytest.mark.usefixtures("short")
def test_ranges_of_whole_chunks() -> None:
    stream = make()
    first = Play(get(filling(CONTENT[:8], 23, etag=ETAG), "0-7")).run(stream.next_page(S, "", 1000))
    assert read(first) == ([CONTENT[:4], CONTENT[4:8]], True)
    second = Play(get(filling(CONTENT[8:20], 23, 8, ETAG), "8-19")).run(stream.next_page(S, "8", 1000))
    assert second.results == [CONTENT[8:12], CONTENT[12:16], CONTENT[16:20]]
    last = Play(get(filling(CONTENT[20:], 23, 20, ETAG), "20-22")).run(stream.next_page(S, "20", 1000))
    assert read(last) == ([CONTENT[20:]], False)


@pytest.mark.usefixtures("short")
def test_a_chunk_that_is_larger_than_the_first_range_is_read_in_two() -> None:
    stream = make(20)
    play = Play(get(filling(CONTENT[:16], 23, etag=ETAG), "0-15"), get(filling(CONTENT[16:20], 23, 16, ETAG), "16-19"))
    assert play.run(stream.next_page(S, "", 1000)).results == [CONTENT[:20]]
    whole = make(30)
    play = Play(get(filling(CONTENT[:16], 23, etag=ETAG), "0-15"), get(filling(CONTENT[16:], 23, 16, ETAG), "16-22"))
    assert play.run(whole.next_page(S, "", 1000)).results == [CONTENT]


@pytest.mark.usefixtures("short")
def test_the_last_chunks_of_damaged_content_are_not_given_out() -> None:
    stream, wrong = make(), CONTENT[:22] + b"!"
    Play(get(filling(wrong[:8], 23, etag=ETAG), "0-7")).run(stream.next_page(S, "", 1000))
    Play(get(filling(wrong[8:20], 23, 8, ETAG), "8-19")).run(stream.next_page(S, "8", 1000))
    play = Play(get(filling(wrong[20:], 23, 20, ETAG), "20-22"))
    error = play.fails(stream.next_page(S, "20", 1000), errors.IntegrityError, "its last chunks are not given out")
    assert ETAG in str(error)
    unverified = make(100, verify=False)
    play = Play(get(filling(wrong[:16], 23, etag=ETAG), "0-15"), get(filling(wrong[16:], 23, 16, ETAG), "16-22"))
    assert play.run(unverified.next_page(S, "", 1000)).results == [wrong]


@pytest.mark.usefixtures("short")
def test_another_version_is_an_error() -> None:
    stream = make()
    Play(get(filling(CONTENT[:8], 23, etag=ETAG), "0-7")).run(stream.next_page(S, "", 1000))
    play = Play(get(filling(CONTENT[8:20], 23, 8, "another"), "8-19"))
    play.fails(stream.next_page(S, "8", 1000), errors.ObjectChangedError)


@pytest.mark.usefixtures("short")
def test_an_interrupted_response_is_resumed() -> None:
    play = Play(get(breaking(CONTENT[:3], 8, etag=ETAG), "0-7"), get(filling(CONTENT[3:8], 8, 3, ETAG), "3-7"))
    stream = make(verify=False)
    assert play.run(stream.next_page(S, "", 1000)).results == [CONTENT[:4], CONTENT[4:8]]
    assert len(play.slept) == 1


@pytest.mark.usefixtures("short")
def test_a_part_is_not_hashed() -> None:
    stream = make(start=2, end=9)
    page = Play(get(filling(CONTENT[2:9], 23, 2, ETAG), "2-8")).run(stream.next_page(S, "", 1000))
    assert read(page) == ([CONTENT[2:6], CONTENT[6:9]], False)


def test_negative_offsets_count_from_the_end() -> None:
    record = ok(models.ObjectStats("k", "object", "local://x", ETAG, 1, 23))
    stream = make(start=-5, end=-1)
    play = Play(step("statObject", "r", "b", answer=record), get(filling(CONTENT[18:22], 23, 18, ETAG), "18-21"))
    assert play.run(stream.next_page(S, "", 1000)).results == [CONTENT[18:22]]


def test_no_bytes_of_an_object_that_must_exist() -> None:
    record = ok(models.ObjectStats("k", "object", "local://x", ETAG, 1, 23))
    assert Play(step("statObject", "r", "b", answer=record)).run(make(start=5, end=5).next_page(S, "", 1)).results == []
    play = Play(
        step("statObject", "r", "b", answer=no(404, "not found")), step("getCommit", "r", "b", answer=ref("b", C1))
    )
    play.fails(make(start=5, end=5).next_page(S, "", 1), errors.ObjectNotFoundException)


def test_content_is_hashed_by_the_transport() -> None:
    content = bytes(range(256)) * 512
    etag = hashlib.md5(content).hexdigest()
    play = Play(get(filling(content, len(content), etag=etag), f"0-{(1 << 20) - 1}"))
    assert b"".join(play.run(make(1 << 20).next_page(S, "", 1)).results) == content
    assert play.sent[0].digest
