"""Awaitable files: a failed block writes nothing, lines are iterated, one call at a time, a bad mode fails at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lakefs_hl import aio, exceptions


def test_text_and_bytes(branch: aio.Branch) -> None:
    async def main() -> None:
        async with branch.open("a", "w") as file:
            assert await file.write("ä\n") == 2
            assert await file.write(b"b\n") == 2
        assert await branch.download("a") == b"\xc3\xa4\nb\n"
        async with branch.open("a") as file:
            assert [line async for line in file] == ["ä\n", "b\n"]
        binary = await branch.open("a", "rb")
        assert await binary.seek(-2, 2) == 3
        assert (await binary.read(1), await binary.tell()) == (b"b", 4)
        await binary.seek(0)
        assert await binary.readline() == b"\xc3\xa4\n"
        assert await binary.readlines() == [b"b\n"]
        buffer = bytearray(3)
        await binary.seek(0)
        assert await binary.readinto(buffer) == 3
        assert bytes(buffer) == b"\xc3\xa4\n"
        assert binary.name == f"lakefs://{branch.repository_id}/main/a"
        await binary.close()
        assert binary.closed
        with pytest.raises(ValueError, match="closed"):
            await binary.read()

    asyncio.run(main())


@pytest.mark.parametrize("mode", ["w", "wb"])
def test_b2_18_a_failed_block_writes_nothing(branch: aio.Branch, mode: Any) -> None:
    async def main() -> None:
        with pytest.raises(ZeroDivisionError):
            async with branch.open("a", mode) as file:
                await file.write(b"half")
                raise ZeroDivisionError
        assert not await branch.exists("a")
        file = await branch.open("a", mode)
        await file.write(b"half")
        await file.discard()
        assert not await branch.exists("a")

    asyncio.run(main())


def test_b2_18_a_cancelled_block_writes_nothing(branch: aio.Branch) -> None:
    written = asyncio.Event()

    async def write() -> None:
        async with branch.open("a", "w") as file:
            await file.write("half")
            written.set()
            await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.ensure_future(write())
        await written.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not await branch.exists("a")

    asyncio.run(main())


def test_a_missing_object_and_one_that_exists(branch: aio.Branch) -> None:
    async def main() -> None:
        with pytest.raises(exceptions.ObjectNotFoundException, match="missing"):
            await branch.open("missing")
        await branch.upload(b"", "a")
        with pytest.raises(exceptions.ObjectExistsException, match="main/a"):
            await branch.open("a", "x")

    asyncio.run(main())


def test_bad_arguments_are_errors_at_once(branch: aio.Branch) -> None:
    with pytest.raises(ValueError, match="mode must be"):
        branch.open("a", "rw")  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="for writing"):
        branch.open("a", "r", metadata={})  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="only a branch"):
        branch.repository_id and aio.Reference("r", "main", branch._given).open("a", "w")  # type: ignore[call-overload]


def test_calls_side_by_side_take_turns(branch: aio.Branch) -> None:
    async def main() -> None:
        await branch.upload(b"".join(b"%04d" % number for number in range(1000)), "a")
        async with branch.open("a", "rb") as file:
            parts = await asyncio.gather(*(file.read(4) for _ in range(1000)))
        assert sorted(parts) == [b"%04d" % number for number in range(1000)]

    asyncio.run(main())
