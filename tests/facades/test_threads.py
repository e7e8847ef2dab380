"""Concurrent calls of facades, in both colours: order, width, back-pressure, failures, abandoned iterations."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from importlib.util import find_spec
from typing import Any

import pytest

from tests.facades.conftest import Colour


@pytest.fixture
def threads(colour: Colour) -> Any:
    return colour.facade("threads")


class Calls:
    """Counts how many calls run at the same time. Each waits until `width` of them are under way."""

    def __init__(self, width: int) -> None:
        self._barrier = threading.Barrier(width, timeout=30)
        self._lock = threading.Lock()
        self.running = self.most = 0

    def __call__(self, item: int) -> int:
        with self._lock:
            self.running += 1
            self.most = max(self.most, self.running)
        self._barrier.wait()
        with self._lock:
            self.running -= 1
        return item * 2


def test_calls_are_concurrent_and_results_in_order(colour: Colour, threads: Any) -> None:
    calls = Calls(4)
    assert list(colour.settle(threads.run_many(calls, range(40), 4))) == [item * 2 for item in range(40)]
    assert calls.most == 4


def test_items_are_read_with_back_pressure(colour: Colour, threads: Any) -> None:
    read = []

    def items() -> Iterator[int]:
        for number in range(1000):
            read.append(number)
            yield number

    results = colour.settle(threads.run_many(lambda item: item, items(), 3))
    assert [next(results), next(results)] == [0, 1]
    assert len(read) <= 4
    results.close()


@pytest.mark.parametrize("width", [1, 3])
def test_a_failure_is_raised_at_its_turn(colour: Colour, threads: Any, width: int) -> None:
    def call(item: int) -> int:
        if item == 2:
            raise KeyError("own")
        return item

    results = colour.settle(threads.run_many(call, range(10), width))
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(KeyError, match="own"):
        next(results)


def test_batches_and_items(colour: Colour, threads: Any) -> None:
    assert list(colour.settle(threads.batches(range(5), 2))) == [[0, 1], [2, 3], [4]]
    assert list(colour.settle(threads.each("ab"))) == ["a", "b"]
    assert list(colour.settle(threads.iterate(range, 3))) == [0, 1, 2]
    assert list(colour.settle(threads.iterate(range, 2500))) == list(range(2500))
    assert colour.settle(threads.run(max, 1, 2)) == 2
    colour.settle(threads.pause(0))


def test_asynchronous_iterables_are_read() -> None:
    from lakefs_hl.facades.aio import threads

    async def items() -> AsyncIterator[int]:
        for number in range(5):
            yield number

    async def run() -> list[Any]:
        found: list[Any] = [batch async for batch in threads.batches(items(), 3)]
        return found + [result async for result in threads.run_many(str, items(), 2)]

    assert asyncio.run(run()) == [[0, 1, 2], [3, 4], "0", "1", "2", "3", "4"]


def test_awaited_calls_are_concurrent() -> None:
    from lakefs_hl.facades.aio import threads

    async def run() -> list[int]:
        waiting, most = 0, 0

        async def call(item: int) -> int:
            nonlocal waiting, most
            waiting += 1
            most = max(most, waiting)
            await asyncio.sleep(0)
            waiting -= 1
            return item

        found = [each async for each in threads.call_many(call, range(20), 5)]
        return [*found, most]

    assert asyncio.run(run()) == [*range(20), 5]


def test_an_abandoned_iteration_leaves_no_threads(colour: Colour, threads: Any) -> None:
    before = set(threading.enumerate())
    if colour.name == "_sync":
        with threads.close_after(threads.run_many(lambda item: item, range(100), 4)) as results:
            next(results)
    else:

        async def run() -> None:
            async with threads.close_after(threads.run_many(lambda item: item, range(100), 4)) as results:
                await anext(results)

        asyncio.run(run())
    for thread in set(threading.enumerate()) - before:
        thread.join(30)
        assert not thread.is_alive()


@pytest.mark.skipif(find_spec("gevent") is None, reason="pip install gevent")
def test_greenlets() -> None:
    """All of them wait at the same time, on one thread."""
    code = """
import gevent.monkey
gevent.monkey.patch_all(thread=False)
import gevent, gevent.event
from lakefs_hl.facades.greenlets import run_many
waiting, gate = 0, gevent.event.Event()

def call(item):
    global waiting
    waiting += 1
    if waiting == 10:
        gate.set()
    assert gate.wait(30)
    return item

assert list(run_many(call, range(25), 10)) == list(range(25))
results = run_many(lambda item: 1 // item, iter([1, 0, 1]), 2)
assert next(results) == 1
try:
    next(results)
except ZeroDivisionError:
    print("done")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "done\n", done.stderr
    assert "Traceback" not in done.stdout


def test_a_missing_gevent_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from lakefs_hl.facades.greenlets import run_many

    monkeypatch.setitem(sys.modules, "gevent.pool", None)
    with pytest.raises(ImportError, match="pip install gevent"):
        next(run_many(str, [1], 2))
