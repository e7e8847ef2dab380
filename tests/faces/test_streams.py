"""Streams of an object: closed early, failing, replaced meanwhile, and what they take of requests and memory."""

from __future__ import annotations

import gc
import threading
import tracemalloc
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import exceptions
from lakefs_hl.ops.chunks import SPAN
from lakefs_hl.spec.wire import Request, Response
from tests.faces.conftest import Tap
from tests.threads import assert_ended

CHUNK = 1 << 20
CONTENT = bytes(range(256)) * 4 * 1024 * 20  # 20 MiB


@pytest.fixture
def large(tapped: lakefs_hl.Branch, tap: Tap) -> lakefs_hl.Branch:
    """An object of 20 MiB, as over a network."""
    tapped.upload(CONTENT, "large", pre_signed=False)
    tap.requests.clear()
    return tapped


def test_a_stream_sends_nothing_before_it_is_read(large: lakefs_hl.Branch, tap: Tap) -> None:
    stream = large.stream("large")
    assert tap.requests == []
    assert next(stream) == CONTENT[:CHUNK]
    assert tap.operations() == ["getObject"]


def test_a_stream_takes_few_requests_and_little_memory(large: lakefs_hl.Branch, tap: Tap) -> None:
    operations = list[str]()

    def forget(request: Request, response: Response) -> Response:
        operations.append(request.endpoint.operation)
        tap.requests.clear()  # they hold what was read
        return response

    tap.change = forget
    tracemalloc.start()
    try:
        at = 0
        for chunk in large.stream("large"):
            assert chunk == CONTENT[at : at + CHUNK]
            at += len(chunk)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert at == len(CONTENT)
    assert operations == ["getObject"] * 6  # 1 MiB, then 4 MiB each
    assert peak < 4 * SPAN


@pytest.mark.parametrize("leave", ["with", "close", "drop", "error"])
def test_a_stream_that_is_left_early_leaves_no_thread(large: lakefs_hl.Branch, tap: Tap, leave: str) -> None:
    def use() -> None:
        stream = large.stream("large")
        if leave == "with":
            with stream as chunks:
                for _ in range(6):  # the next range is being fetched
                    next(chunks)
            assert list(stream) == []
        elif leave == "error":
            with pytest.raises(ZeroDivisionError), stream as chunks:
                for chunk in chunks:
                    raise ZeroDivisionError(chunk[:1])
        else:
            for _ in range(6):
                next(stream)
            if leave == "close":
                stream.close()

    before = set(threading.enumerate())
    gc.disable()  # ends by itself, not by the collector
    try:
        use()
        large._client.close()
    finally:
        gc.enable()
    assert_ended(before)
    assert len(tap.requests) <= 4


def test_a_stream_that_failed_never_looks_complete(large: lakefs_hl.Branch, tap: Tap) -> None:
    def refuse(request: Request) -> None:
        if len(tap.requests) == 2:
            raise ZeroDivisionError

    tap.refuse = refuse
    stream = large.stream("large")
    with pytest.raises(ZeroDivisionError):
        list(stream)
    for read in (list, next):
        with pytest.raises(ZeroDivisionError):
            read(stream)
    assert len(tap.requests) == 2


def test_an_interrupted_stream_says_how_to_go_on(large: lakefs_hl.Branch, tap: Tap) -> None:
    def interrupt(request: Request) -> None:
        raise KeyboardInterrupt

    tap.refuse = interrupt
    stream = large.stream("large")
    with pytest.raises(KeyboardInterrupt):
        next(stream)
    with pytest.raises(RuntimeError, match="the stream was interrupted and cannot be continued; stream again"):
        next(stream)


def test_an_object_that_is_replaced_is_never_mixed(large: lakefs_hl.Branch) -> None:
    with large.stream("large") as stream:
        assert next(stream) == CONTENT[:CHUNK]
        large.upload(b"other", "large", pre_signed=False)
        with pytest.raises(exceptions.ObjectChangedError):
            list(stream)
    assert list(large.stream("large")) == [b"other"]


def test_damaged_content_is_not_read_to_its_end(large: lakefs_hl.Branch, tap: Tap) -> None:
    def damage(request: Request, response: Response) -> Response:
        if request.headers.get("range", "").startswith(f"bytes={17 * CHUNK}-"):
            assert isinstance(request.sink, memoryview)
            request.sink[0] ^= 1
        return response

    tap.change = damage
    seen = list[int]()
    with pytest.raises(exceptions.IntegrityError, match="verify=False"):
        seen += map(len, large.stream("large"))
    assert seen == [CHUNK] * 17
    assert sum(map(len, large.stream("large", verify=False))) == len(CONTENT)


def test_a_stream_of_a_commit_does_not_change(branch: lakefs_hl.Branch) -> None:
    branch.upload(b"old", "a")
    commit = branch.commit_changes("old")
    branch.upload(b"new", "a")
    assert list(commit.stream("a")) == [b"old"]


def test_arguments_are_checked_at_the_call(branch: lakefs_hl.Branch) -> None:
    wrong: list[dict[str, Any]] = [{"chunk_size": 0}, {"chunk_size": -1}]
    for options in wrong:
        with pytest.raises(ValueError, match="chunk_size must be at least 1"):
            branch.stream("a", **options)
