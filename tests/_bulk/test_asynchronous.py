"""Transfers on another thread: iterables and awaitables of the caller's loop, and cancellation."""

from __future__ import annotations

import asyncio
import io
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from lakefs_hl._bulk.asynchronous import ITEMS, run
from lakefs_hl._bulk.caller import Abandoned, Caller
from lakefs_hl._bulk.items import body_of


def test_a_transfer_runs_on_another_thread_and_what_it_raises_is_raised() -> None:
    async def main() -> None:
        assert await run(lambda caller: threading.current_thread()) is not threading.current_thread()
        with pytest.raises(KeyError):
            await run(lambda caller: dict[str, int]()["missing"])

    asyncio.run(main())


def test_an_asynchronous_iterable_is_read_on_the_loop_and_no_further_than_needed() -> None:
    read = list[int]()

    async def numbers() -> AsyncIterator[int]:
        for number in range(1000):
            assert threading.current_thread() is threading.main_thread()
            read.append(number)
            yield number

    def take(caller: Caller) -> tuple[list[int], int]:
        items = caller.iterate(numbers(), "items")
        first = [next(items) for _ in range(3)]
        return first, len(read)

    async def main() -> None:
        first, ahead = await run(take)
        assert first == [0, 1, 2]
        assert ahead <= ITEMS + 1
        assert await run(lambda caller: list(caller.iterate(numbers(), "items"))) == list(range(1000))

    asyncio.run(main())


def test_an_item_is_not_held_back_by_a_slow_next_one() -> None:
    gate, loops = asyncio.Event(), list[asyncio.AbstractEventLoop]()

    async def items() -> AsyncIterator[int]:
        yield 1
        await gate.wait()
        yield 2

    def take(caller: Caller) -> list[int]:
        found = list[int]()
        for item in caller.iterate(items(), "items"):
            found.append(item)
            if item == 1:
                loops[0].call_soon_threadsafe(gate.set)  # only now: the second one waits for it
        return found

    async def main() -> list[int]:
        loops.append(asyncio.get_running_loop())
        return await asyncio.wait_for(run(take), 30)

    assert asyncio.run(main()) == [1, 2]


def test_an_error_of_the_iterable_comes_after_the_items_before_it() -> None:
    async def items() -> AsyncIterator[int]:
        yield 1
        yield 2
        raise ValueError("no more")

    seen = list[int]()

    def take(caller: Caller) -> None:
        for item in caller.iterate(items(), "items"):
            seen.append(item)

    with pytest.raises(ValueError, match="no more"):
        asyncio.run(run(take))
    assert seen == [1, 2]


def test_data_of_an_asynchronous_stream_is_an_iterable_of_blocks() -> None:
    async def blocks() -> AsyncIterator[bytes]:
        yield b"a"
        await asyncio.sleep(0)
        yield b"b"

    class Stream:
        def __init__(self) -> None:
            self.left = [b"c", b"d", b""]

        async def read(self, size: int) -> bytes:
            return self.left.pop(0)

    assert asyncio.run(run(lambda caller: list(caller.data(blocks())))) == [b"a", b"b"]
    assert asyncio.run(run(lambda caller: list(caller.data(Stream())))) == [b"c", b"d"]
    assert asyncio.run(run(lambda caller: caller.data("text"))) == "text"


def test_a_callable_makes_the_data_and_what_it_made_is_closed() -> None:
    closed = list[str]()

    async def blocks() -> AsyncIterator[bytes]:
        try:
            yield b"a"
            yield b"b"
        finally:
            closed.append("blocks")

    async def later() -> AsyncIterator[bytes]:
        return blocks()

    class File(io.BytesIO):
        def close(self) -> None:
            closed.append("file")
            super().close()

    def body(caller: Caller, data: Any) -> Any:
        return body_of(data, caller)

    for factory in (blocks, later, lambda: [b"a", b"b"], lambda: File(b"ab")):
        assert asyncio.run(run(lambda caller, factory=factory: body(caller, factory))) == b"ab"  # type: ignore[misc]
    assert closed == ["blocks", "blocks", "file"]


def test_an_awaitable_of_the_caller_is_awaited_on_the_loop() -> None:
    async def verdict(path: str) -> str:
        await asyncio.sleep(0)
        assert threading.current_thread() is threading.main_thread()
        return path.upper()

    def ask(caller: Caller) -> Any:
        assert caller.wait is not None
        return caller.wait(verdict("a"))

    assert asyncio.run(run(ask)) == "A"


def test_a_cancelled_transfer_ends_and_its_notes_are_on_the_cancellation() -> None:
    began, ended = threading.Event(), threading.Event()

    def work(caller: Caller) -> None:
        began.set()
        try:
            while True:
                caller.check()
                time.sleep(0.001)
        except Abandoned as exc:
            exc.add_note("what became of it")
            ended.set()
            raise

    async def main() -> None:
        task = asyncio.ensure_future(run(work))
        await asyncio.to_thread(began.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        assert ended.is_set(), "the thread has ended before the caller goes on"
        assert caught.value.__notes__ == ["what became of it"]

    asyncio.run(main())


def test_a_cancellation_ends_a_wait_for_the_caller_s_iterable() -> None:
    waits = asyncio.Event()

    async def items() -> AsyncIterator[int]:
        waits.set()
        await asyncio.Event().wait()
        yield 1

    async def main() -> None:
        task = asyncio.ensure_future(run(lambda caller: list(caller.iterate(items(), "items"))))
        await waits.wait()
        task.cancel()
        began = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - began < 4
        assert len(asyncio.all_tasks()) == 1, "nothing reads ahead any more"

    asyncio.run(main())
