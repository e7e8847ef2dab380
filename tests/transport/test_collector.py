"""Waves of a Gather on an event loop: what goes together, cancellations, and a loop that is not held."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from lakefs_hl.ops.effects import Op, gather, send
from lakefs_hl.spec.wire import Request, Response, TransportError
from lakefs_hl.transport.aio import Aio
from lakefs_hl.transport.collector import TOLD
from lakefs_hl.transport.scope import Scope
from tests.transport.fakes import DELETE, STAT, FakeMany, done


def asking(index: int, times: int = 1, request: Request = STAT) -> Op[int]:
    for _ in range(times):
        yield from send(request)
    return index


def run(op: Op[Any], transport: FakeMany) -> Any:
    return asyncio.run(asyncio.wait_for(Aio(transport).run(op), 30))


def test_ops_send_together_while_no_wave_is_out() -> None:
    transport = FakeMany()
    assert run(gather((asking(index, times=2) for index in range(100)), 100), transport) == list(range(100))
    assert sum(transport.waves) == 200
    assert max(transport.waves) > TOLD
    assert len(transport.waves) < 100


def test_a_number_is_respected() -> None:
    transport = FakeMany()
    run(gather(map(asking, range(50)), 4), transport)
    assert max(transport.waves) <= 4


def test_each_op_gets_its_own_error() -> None:
    def answer(request: Request, scope: Scope | None, within: float | None) -> Response:
        if request is DELETE:
            raise TransportError("wait", "lost")
        return Response(204)

    def op(request: Request) -> Op[str]:
        try:
            return str((yield from send(request)).status)
        except TransportError as exc:
            return str(exc)

    found = run(gather((op(DELETE if index % 2 else STAT) for index in range(6)), 6), FakeMany(answer))
    assert found == ["204", "lost"] * 3


def test_the_loop_runs_others_while_a_wave_is_out() -> None:
    turned = threading.Event()

    def answer(request: Request, scope: Scope | None, within: float | None) -> Response:
        assert turned.wait(20)
        return Response(204)

    async def main() -> None:
        task = asyncio.ensure_future(Aio(FakeMany(answer)).run(gather(map(asking, range(3)), 3)))
        for _ in range(10):
            await asyncio.sleep(0)
        turned.set()
        assert await task == [0, 1, 2]

    asyncio.run(asyncio.wait_for(main(), 30))


def test_a_cancelled_gather_waits_for_its_wave_and_says_what_was_under_way() -> None:
    begun, release, over = threading.Event(), threading.Event(), list[Request]()
    notes = list[str]()

    def answer(request: Request, scope: Scope | None, within: float | None) -> Response:
        begun.set()
        assert release.wait(20)
        over.append(request)
        return done(request, scope, within)

    def op() -> Op[None]:
        try:
            yield from send(DELETE)
        except asyncio.CancelledError as exc:
            notes.extend(exc.__notes__)
            assert len(over) == 2
            raise

    async def main() -> None:
        driver = Aio(FakeMany(answer))
        task = asyncio.ensure_future(driver.run(gather([op(), op()], 2)))
        while not begun.is_set():
            await asyncio.sleep(0)
        task.cancel()
        for _ in range(10):
            await asyncio.sleep(0)
        task.cancel()  # however often
        assert not task.done()
        release.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(asyncio.wait_for(main(), 30))
    assert notes == ["deleteObject was under way: it may have been applied"] * 2


def test_what_was_not_sent_yet_is_not_sent_after_a_cancellation() -> None:
    begun, release = threading.Event(), threading.Event()
    transport = FakeMany()

    def answer(request: Request, scope: Scope | None, within: float | None) -> Response:
        begun.set()
        assert release.wait(20)
        return Response(204)

    transport.answer = answer

    async def main() -> None:
        driver = Aio(transport)
        task = asyncio.ensure_future(driver.run(gather((asking(index, times=2) for index in range(2)), 2)))
        while not begun.is_set():
            await asyncio.sleep(0)
        task.cancel()
        release.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(asyncio.wait_for(main(), 30))
    assert transport.waves == [2]
