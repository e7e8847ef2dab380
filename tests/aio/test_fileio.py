"""Awaitable files: a failed block writes nothing, lines are iterated, one call at a time, a bad mode fails at once."""

from __future__ import annotations

import asyncio
import gc
import io
import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from lakefs_hl import aio, exceptions
from lakefs_hl._files import awaitable, bodies
from lakefs_hl._files.asynchronous import BLOCKS_PER_SLICE
from lakefs_hl._files.awaitable import AsyncFile
from lakefs_hl._files.opening import open_here


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


async def until(condition: Callable[[], bool]) -> None:
    """Waits for a thread; a guard against hanging, not a measure."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.001)


class Slow(io.BytesIO):
    """A file whose reads wait for a sign, and that notes how many threads are in it."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.inside, self.most = 0, 0
        self.begun, self.go = threading.Event(), threading.Event()
        self.error: Exception | None = None

    def read(self, size: int | None = -1, /) -> bytes:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.begun.set()
        self.go.wait(20)
        self.inside -= 1
        if self.error is not None:
            raise self.error
        return super().read(size)


@pytest.mark.parametrize("fails", [False, True])
def test_a_cancelled_read_keeps_the_turn_until_its_thread_is_back(fails: bool) -> None:
    problems: list[Any] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))
        inner = Slow(b"0123456789")
        inner.error = OSError("whatever it meets") if fails else None
        file: AsyncFile[bytes] = AsyncFile(inner)
        first = asyncio.ensure_future(file.read(4))
        await until(inner.begun.is_set)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        second = asyncio.ensure_future(file.tell())
        for _ in range(50):
            await asyncio.sleep(0)
        assert not second.done()
        assert inner.inside == 1
        inner.go.set()
        assert await second == (0 if fails else 4)
        await file.close()
        assert file.closed
        assert inner.most == 1
        gc.collect()

    asyncio.run(main())
    assert problems == []


def test_a_call_that_is_cancelled_while_it_waits_for_its_turn_is_not_made() -> None:
    async def main() -> None:
        inner = Slow(b"0123456789")
        file: AsyncFile[bytes] = AsyncFile(inner)
        first, second = (asyncio.ensure_future(file.read(4)) for _ in range(2))
        await until(inner.begun.is_set)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        inner.go.set()
        assert await first == b"0123"
        assert await file.tell() == 4

    asyncio.run(main())


@pytest.mark.parametrize("mode", ["w", "rb"])
def test_a_cancelled_opening_leaves_no_file(branch: aio.Branch, monkeypatch: pytest.MonkeyPatch, mode: Any) -> None:
    begun, go = threading.Event(), threading.Event()
    made: list[Any] = []

    def slowly(*args: Any, **kwargs: Any) -> Any:
        made.append(open_here(*args, **kwargs))
        begun.set()
        go.wait(20)
        return made[-1]

    monkeypatch.setattr(awaitable, "open_here", slowly)

    async def main() -> None:
        await branch.upload(b"content", "source")
        path = "a" if mode == "w" else "source"
        task = asyncio.ensure_future(branch.open(path, mode)._open())
        await until(begun.is_set)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go.set()
        await until(lambda: bool(made[0].closed))
        assert not await branch.exists("a")

    asyncio.run(main())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made.clear()
        gc.collect()


def test_a_file_that_is_never_closed_warns_where_it_was_opened(branch: aio.Branch) -> None:
    lines: list[int] = []

    async def drop(place: Any) -> None:
        lines.append(sys._getframe().f_lineno + 1)
        file = await place.open("a", "w")
        await file.write("half")
        del file
        gc.collect()

    async def main() -> None:
        with pytest.warns(UserWarning, match=r"Write `async with branch\.open\('a', 'w'\) as file:`") as seen:
            await drop(branch)
        assert [(one.filename, one.lineno) for one in seen] == [(__file__, lines[0])]
        with pytest.raises(exceptions.TransactionException, match="ZeroDivisionError"):
            async with branch.transaction("a") as tx:
                with pytest.warns(UserWarning, match=r"Write `async with tx\.open"):
                    await drop(tx)
                assert tx._lost == [f"lakefs://{branch.repository_id}/{tx.id}/a"]
                raise ZeroDivisionError
        assert not await branch.exists("a")

    asyncio.run(main())


# ------------------------------------------------------------------------------------------------------------- bodies


def test_what_may_wait_is_read_in_a_thread(branch: aio.Branch, tmp_path: Any) -> None:
    threads: list[int] = []

    class Stream(io.RawIOBase):
        def read(self, size: int = -1, /) -> bytes:
            threads.append(threading.get_ident())
            return b""

    def parts() -> Any:
        threads.append(threading.get_ident())
        yield b""

    class Named(type(tmp_path)):  # type: ignore[misc]
        def __fspath__(self) -> str:
            threads.append(threading.get_ident())
            return str(super().__fspath__())

    (tmp_path / "a").write_bytes(b"content")

    async def main() -> None:
        for data in (Stream(), parts(), Named(tmp_path / "a")):
            threads.clear()
            await branch.upload(data, "a")
            assert threads
            assert threading.get_ident() not in threads, data

    asyncio.run(main())


@pytest.mark.parametrize(
    ("block", "amount"),
    [(b"x" * 64, 20_000), (bytes(1 << 20), 9), (bytes(3 << 20), 1), (bytearray(3 << 20), 2), (b"", 300), (b"x", 0)],
)
def test_an_asynchronous_body_lets_other_tasks_run(
    branch: aio.Branch, monkeypatch: pytest.MonkeyPatch, block: Any, amount: int
) -> None:
    copied: list[threading.Thread] = []
    block_of = bodies.block_of

    def noted(block: object, source: str) -> bytes:
        if not isinstance(block, bytes):
            copied.append(threading.current_thread())
        found: bytes = block_of(block, source)
        return found

    monkeypatch.setattr(bodies, "block_of", noted)
    turns: list[int] = []

    async def other() -> None:
        while True:
            turns.append(1)
            await asyncio.sleep(0)

    async def body() -> Any:
        for _ in range(amount):
            yield block
        turns.append(0)

    async def main() -> None:
        task = asyncio.create_task(other())
        await branch.upload(body(), "a")
        task.cancel()
        assert await branch.download("a") == bytes(block) * amount

    asyncio.run(main())
    assert turns.index(0) >= amount // BLOCKS_PER_SLICE  # what is at hand is not taken at one go
    assert threading.main_thread() not in copied


def test_a_cancelled_upload_ends_the_reading_after_its_block(branch: aio.Branch) -> None:
    begun, go, ended = threading.Event(), threading.Event(), threading.Event()
    given: list[int] = []

    def parts() -> Any:
        try:
            for number in range(1000):
                given.append(number)
                yield b"x"
                begun.set()
                go.wait(20)
        finally:
            ended.set()

    async def main() -> None:
        task = asyncio.ensure_future(branch.upload(parts(), "a"))
        await until(begun.is_set)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go.set()
        await until(ended.is_set)
        assert len(given) <= 3
        assert not await branch.exists("a")

    asyncio.run(main())
