"""Asynchronous data as a body that can be sent again."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from lakefs_hl._files.asynchronous import BLOCKS_PER_SLICE, ON_LOOP, replayable
from lakefs_hl._files.bodies import SPOOL
from lakefs_hl.spec.wire import FileSlice
from lakefs_hl.transport.body import whole


def body_of(data: Any) -> bytes:
    async def main() -> bytes:
        async with replayable(data) as body:
            first = whole(body)
            assert whole(body) == first
            return first

    return asyncio.run(main())


async def parts(*blocks: Any) -> AsyncIterator[Any]:
    for block in blocks:
        yield block


class Stream:
    """As a file of aiofiles."""

    def __init__(self, *blocks: Any) -> None:
        self.blocks = list(blocks)

    async def read(self, size: int = -1) -> Any:
        return self.blocks.pop(0) if self.blocks else b""


async def later() -> Any:
    """Return the data when it is awaited."""
    await asyncio.sleep(0)
    return parts(b"content")


@pytest.mark.parametrize(
    "data",
    [
        lambda: b"content",
        lambda: "content",
        lambda: bytearray(b"content"),
        lambda: memoryview(b"content"),
        lambda: io.BytesIO(b"content"),
        lambda: [b"con", b"tent"],
        lambda: parts(b"con", bytearray(b"te"), memoryview(b"nt")),
        lambda: Stream(b"con", b"tent"),
        lambda: Stream("con", "tent", ""),
        lambda: lambda: parts(b"con", b"tent"),
        lambda: lambda: [b"con", b"tent"],
        lambda: lambda: Stream(b"con", b"tent"),
        lambda: partial(parts, "con", "tent"),
        lambda: later,
    ],
)
def test_data_of_every_kind_is_a_body(data: Any) -> None:
    assert body_of(data()) == b"content"


@pytest.mark.parametrize("count", [BLOCKS_PER_SLICE - 1, BLOCKS_PER_SLICE, 3 * BLOCKS_PER_SLICE])
def test_many_small_blocks_are_all_there(count: int) -> None:
    assert body_of(parts(*([b"ab"] * count))) == b"ab" * count


def test_large_blocks_go_to_a_file() -> None:
    block = bytes(ON_LOOP + 1)

    async def main() -> None:
        async with replayable(parts(*([block] * 9))) as body:
            assert isinstance(body, FileSlice)
            assert body.length == 9 * len(block) > SPOOL

    asyncio.run(main())


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [
        (lambda: parts(None), BlockingIOError, "returned None"),
        (lambda: parts(1), TypeError, "must return bytes or str, not int"),
        (lambda: Stream(b"a", "b"), TypeError, "both bytes and str"),
        (lambda: 1, TypeError, "not int"),
    ],
)
def test_something_else_is_refused(data: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        body_of(data())


def test_an_exception_of_the_caller_passes_through() -> None:
    async def main() -> None:
        async with replayable(io.StringIO("text")):
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        asyncio.run(main())


def test_what_a_callable_returns_is_closed() -> None:
    closed = list[str]()

    async def blocks() -> AsyncIterator[bytes]:
        try:
            yield b"a"
            yield b"b"
        finally:
            closed.append("async")

    class Plain:
        def __iter__(self) -> Any:
            return iter([b"a", b"b"])

        def close(self) -> None:
            closed.append("plain")

    assert body_of(blocks) == body_of(Plain) == b"ab"
    assert closed == ["async", "plain"]

    async def wrong() -> AsyncIterator[Any]:
        try:
            yield b"a"
            yield "b"
        finally:
            closed.append("wrong")

    with pytest.raises(TypeError, match="both bytes and str"):
        body_of(wrong)
    assert closed == ["async", "plain", "wrong"]
    with pytest.raises(TypeError, match="returned another one"):
        body_of(lambda: lambda: b"content")
