"""Awaitable files around any blocking file: one call at a time, each in a thread."""

from __future__ import annotations

import asyncio
import io
import threading
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl._files.awaitable import AsyncFile, Opening
from lakefs_hl._files.opening import plan
from tests._files.places import FakePlace


class Named(io.BytesIO):
    name = "lakefs://example/main/a"


def test_every_method_is_that_of_the_blocking_file() -> None:
    async def main() -> None:
        file: AsyncFile[bytes] = AsyncFile(Named(b"one\ntwo\nthree\n"))
        assert (file.name, file.closed) == (Named.name, False)
        assert await file.readline() == b"one\n"
        assert await file.tell() == 4
        assert await file.read(3) == b"two"
        assert await file.seek(0) == 0
        buffer = bytearray(3)
        assert await file.readinto(buffer) == 3
        assert bytes(buffer) == b"one"
        assert await file.write(b"!") == 1
        assert await file.readlines() == [b"two\n", b"three\n"]
        await file.seek(0)
        assert [line async for line in file] == [b"one!two\n", b"three\n"]
        await file.close()
        assert file.closed

    asyncio.run(main())


def test_calls_run_one_after_the_other() -> None:
    inside: list[int] = []

    class Slow(Named):
        def read(self, size: int | None = -1, /) -> bytes:
            inside.append(1)
            assert len(inside) == 1
            found = super().read(size)
            inside.pop()
            return found

    async def main() -> None:
        file: AsyncFile[bytes] = AsyncFile(Slow(b"0123456789"))
        assert b"".join(await asyncio.gather(*(file.read(1) for _ in range(10)))) == b"0123456789"

    asyncio.run(main())


def test_a_cancelled_call_runs_to_its_end_before_the_next() -> None:
    entered, go = threading.Event(), threading.Event()

    class Blocked(Named):
        def read(self, size: int | None = -1, /) -> bytes:
            entered.set()
            assert go.wait(30)
            return super().read(size)

    async def main() -> None:
        file: AsyncFile[bytes] = AsyncFile(Blocked(b"0123456789"))
        first = asyncio.ensure_future(file.read(4))
        await asyncio.to_thread(entered.wait, 30)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        second = asyncio.ensure_future(file.tell())
        await asyncio.sleep(0)
        assert not second.done()
        go.set()
        assert await second == 4

    asyncio.run(main())


def test_a_block_hands_its_exception_to_the_file(lake_branch: lakefs_hl.Branch) -> None:
    async def main() -> None:
        opening: Opening[bytes] = Opening(plan(lake_branch, "a", "wb", None, writable=True))
        with pytest.raises(RuntimeError, match="stop"):
            async with opening as file:
                await file.write(b"content")
                raise RuntimeError("stop")
        assert not lake_branch.exists("a")
        async with Opening[bytes](plan(lake_branch, "a", "wb", None, writable=True)) as file:
            await file.write(b"content")
        assert lake_branch.download("a") == b"content"
        file = await Opening[bytes](plan(lake_branch, "b", "wb", None, writable=True))
        await file.discard()
        assert not lake_branch.exists("b")

    asyncio.run(main())


def test_an_opening_that_was_never_awaited_warns_where_it_was_made() -> None:
    place: Any = FakePlace(b"content")
    opening: Opening[bytes] | None = Opening(plan(place, "a", "rb", None, writable=True))
    assert repr(opening) == "<Opening lakefs://example/main/a>"
    with pytest.warns(ResourceWarning, match=r"neither awaited nor entered") as caught:
        opening = None
    assert opening is None
    assert caught[0].filename == __file__
    assert place._client.fetched == []
