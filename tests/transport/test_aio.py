"""The driver on an event loop: cancellation anywhere, what runs on the loop, several loops, and pages."""

from __future__ import annotations

import asyncio
import gc
import itertools
import os
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

import pytest
from pytest_mock import MockerFixture

from lakefs_hl.ops.effects import Op, gather, once, send, sleep
from lakefs_hl.ops.paging import NextPage, Page
from lakefs_hl.spec import endpoints, models
from lakefs_hl.spec.limits import MAX_PAGE
from lakefs_hl.spec.wire import Request, Response
from lakefs_hl.transport import aio
from lakefs_hl.transport.aio import Aio
from lakefs_hl.transport.http import Http
from lakefs_hl.transport.scope import Scope
from tests.transport.fakes import DELETE, STAT, Fake, same
from tests.transport.peers import Peer, answer, answering, peer

T = TypeVar("T")
NEVER: Final = 60.0  # a wait that only a cancellation ends


def run(main: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(main, 30))


async def until(condition: Callable[[], bool]) -> None:
    """Waits for another task or thread; a guard against hanging, not a measure."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it never happened"
        await asyncio.sleep(0.001)


def hang(server: Peer, conn: Any, number: int) -> None:
    server.read(conn)
    while conn.recv(1):
        pass


def leaf(value: int) -> Op[int]:
    yield from sleep(0.001)
    return value


# ------------------------------------------------------------------------------------------------------ cancellation


def test_a_cancellation_is_thrown_into_the_op_and_ends_the_exchange() -> None:
    seen = list[type]()

    def op() -> Op[None]:
        try:
            yield from send(STAT)
        except BaseException as exc:
            seen.append(type(exc))
            raise

    async def main(url: str, asked: list[Any]) -> None:
        driver = Aio(Http(url))
        task = asyncio.ensure_future(driver.run(op()))
        await until(lambda: len(asked) == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await driver.close()

    with peer(hang) as server:
        run(main(server.url, server.asked))
    assert seen == [asyncio.CancelledError]


def test_b6_69_a_cancelled_read_never_touches_its_sink_again() -> None:
    def half(server: Peer, conn: Any, number: int) -> None:
        server.read(conn)
        conn.sendall(answer(b"x" * (3 << 20), content_length=str(4 << 20)))
        hang(server, conn, number)

    buffer = bytearray(4 << 20)
    request = Request(endpoints.GET_OBJECT, ("r", "main"), {"path": "k"}, sink=memoryview(buffer))

    async def main(url: str) -> None:
        task = asyncio.ensure_future(Aio(Http(url)).run(send(request)))
        await until(lambda: buffer[0] == ord("x"))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        buffer[:] = bytes(len(buffer))

    with peer(half) as server:
        run(main(server.url))
    assert not any(buffer)


def test_unwinding_is_shielded_from_a_second_cancellation() -> None:
    done, inside = list[tuple[str, bool]](), threading.Event()

    def slow(request: Request, scope: Scope | None, within: float | None) -> Response:
        inside.set()
        time.sleep(0.1)
        done.append((request.endpoint.operation, within is not None))
        return Response(204)

    def op() -> Op[None]:
        try:
            yield from sleep(0.0, NEVER)
        finally:
            yield from send(DELETE)

    async def main() -> None:
        task = asyncio.ensure_future(Aio(Fake(slow)).run(op()))
        await asyncio.sleep(0)
        task.cancel()
        await until(inside.is_set)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main())
    assert done == [("deleteObject", True)]


@pytest.mark.parametrize("ending", ["return", "other error"])
def test_an_op_cannot_hide_a_cancellation(ending: str) -> None:
    def op() -> Op[int]:
        try:
            yield from sleep(0.0, NEVER)
        except BaseException:
            if ending == "other error":
                raise ValueError("while tidying up") from None
        return 1

    async def main() -> None:
        task = asyncio.ensure_future(Aio(Fake()).run(op()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main())


def test_a_cancelled_write_says_that_it_may_have_been_applied() -> None:
    inside, go = threading.Event(), threading.Event()

    def slow(request: Request, scope: Scope | None, within: float | None) -> Response:
        inside.set()
        go.wait(20)
        return Response(204)

    async def main() -> list[str]:
        task = asyncio.ensure_future(Aio(Fake(slow, fan_out=1)).run(send(DELETE)))
        await until(inside.is_set)
        task.cancel()
        asyncio.get_running_loop().call_later(0.01, go.set)
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        return caught.value.__notes__

    assert run(main()) == ["deleteObject was under way: it may have been applied"]


# --------------------------------------------------------------------------------------------------- where things run


@pytest.mark.parametrize(
    ("request_", "fan_out", "here"),
    [
        (STAT, 1, True),
        (DELETE, 1, False),
        (STAT, 8, False),
        (Request(endpoints.GET_OBJECT, ("r", "main"), {"path": "k"}), 1, False),
        (Request(endpoints.GET_OBJECT, ("r", "main"), {"path": "k"}, sink=memoryview(bytearray(9))), 1, True),
        (Request(endpoints.GET_OBJECT, ("r", "main"), {"path": "k"}, sink=memoryview(bytearray(2 << 20))), 1, False),
        (Request(endpoints.GET_BRANCH, ("r", "main")), 1, True),
        (Request(endpoints.GET_COMMIT, ("r", "main")), 1, True),
        (Request(endpoints.GET_COMMIT, ("r", "main~9")), 1, False),
        (Request(endpoints.STAT_OBJECT, ("r", "main^2"), {"path": "k"}), 1, False),
        (Request(endpoints.LIST_OBJECTS, ("r", "main")), 1, False),
        (Request(endpoints.LIST_BRANCHES, ("r",)), 1, False),
        (Request(endpoints.LOG_COMMITS, ("r", "main")), 1, False),
        (Request(endpoints.DIFF_REFS, ("r", "main", "b")), 1, False),
        (Request(endpoints.DIFF_BRANCH, ("r", "main")), 1, False),
    ],
    ids=[
        "safe in process", "write in process", "over a network", "object of any size", "small read", "large read",
        "branch", "commit", "commit by expression", "stat by expression", "objects", "branches", "log", "diff",
        "uncommitted",
    ],
)  # fmt: skip
def test_look_ups_without_much_data_run_on_the_loop(request_: Request, fan_out: int, here: bool) -> None:
    threads = list[int]()

    def note(request: Request, scope: Scope | None, within: float | None) -> Response:
        threads.append(threading.get_ident())
        return Response(200)

    run(Aio(Fake(note, fan_out)).run(send(request_)))
    assert (threads == [threading.get_ident()]) is here


def test_only_safe_operations_run_on_the_loop() -> None:
    assert {endpoints.ENDPOINTS[name].retry for name in aio.LOOKUPS} == {"A"}


async def rows_read(driver: Aio, amount: int) -> int:
    return len([row async for row in driver.pages(numbers([]), "", amount, same)])


async def looked_up(driver: Aio, amount: int) -> int:
    return len([await driver.run(send(STAT)) for _ in range(amount)])


@pytest.mark.parametrize("reads", [rows_read, looked_up])
def test_a_task_that_never_waits_lets_other_tasks_run(monkeypatch: pytest.MonkeyPatch, reads: Any) -> None:
    now = itertools.count()  # each look at the clock is one slice later

    def tick() -> float:
        return next(now) * 2 * aio.SLICE_SECONDS

    monkeypatch.setattr(time, "monotonic", tick)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def main() -> int:
        task = asyncio.ensure_future(other())
        found = await reads(Aio(Fake(fan_out=1)), 800)
        task.cancel()
        return int(found)

    assert asyncio.run(main()) == 800
    assert turns >= 800 // aio.ROWS // 3  # a slice is two looks: one begins it, one ends it


def test_a_page_in_process_is_short_and_the_loop_turns_before_its_rows() -> None:
    # a page is decoded on the loop in one go
    amounts: list[int] = []
    pages = numbers([], size=2_000)

    def noted(after: str, amount: int, /) -> Op[Page[models.ObjectStats]]:
        amounts.append(amount)
        return pages(after, amount)

    async def main(fan_out: int) -> tuple[int, int]:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        amounts.clear()
        task = asyncio.ensure_future(other())
        found = [row async for row in Aio(Fake(fan_out=fan_out)).pages(noted, "", None, same)]
        task.cancel()
        return len(found), turns

    assert run(main(8))[0] == 2_000
    assert amounts == [MAX_PAGE] * 2
    found, turns = run(main(1))
    assert (found, amounts) == (2_000, [aio.IN_PROCESS_PAGE] * (2_000 // aio.IN_PROCESS_PAGE))
    assert turns >= 2 * len(amounts)


def test_a_slice_begins_when_the_loop_has_turned(mocker: MockerFixture) -> None:
    # a task that looks something up now and then, and waits in between, is not made to wait once more
    sleep_ = asyncio.sleep
    slept = mocker.spy(asyncio, "sleep")

    async def main() -> None:
        driver = Aio(Fake(fan_out=1))
        for _ in range(20):
            await driver.run(send(STAT))
            await sleep_(2 * aio.SLICE_SECONDS)

    run(main())
    slept.assert_not_called()


def test_b6_68_one_driver_serves_many_loops_in_turn_and_concurrently() -> None:
    driver, runs, out = Aio(Fake()), list[int](), list[int]()

    def shared() -> Op[int]:
        runs.append(1)
        yield from sleep(0.0, 0.02)
        return 42

    async def main() -> None:
        out.extend(await asyncio.gather(*(driver.run(once("key", shared())) for _ in range(5))))
        out.extend(await driver.run(gather((leaf(1) for _ in range(5)), 3)))

    for _ in range(2):
        run(main())
    threads = [threading.Thread(target=lambda: run(main())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(out) == [1] * 25 + [42] * 25
    assert len(runs) == 5  # one shared run per loop


def test_b6_68_a_client_of_one_loop_keeps_its_sockets_in_the_next() -> None:
    with answering(answer(b"{}")) as server:
        driver = Aio(Http(server.url))
        for _ in range(3):
            assert run(driver.run(send(STAT))).status == 200
        run(driver.close())
        assert run(driver.run(send(STAT))).status == 200
    assert server.connections == 2


# ------------------------------------------------------------------------------------------------- Once, Gather, pages


def test_the_next_waiter_runs_its_own_op_after_a_cancelled_leader() -> None:
    runs = list[int]()

    def shared() -> Op[int]:
        runs.append(1)
        yield from sleep(0.0, 0.02)
        return 42

    async def main() -> list[Any]:
        driver = Aio(Fake())
        tasks = [asyncio.ensure_future(driver.run(once("key", shared()))) for _ in range(5)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, *rest = run(main())
    assert isinstance(first, asyncio.CancelledError)
    assert (rest, len(runs)) == ([42] * 4, 2)


def test_a_cancelled_gather_leaves_no_task() -> None:
    ended = list[str]()

    def waits() -> Op[None]:
        try:
            yield from sleep(0.0, NEVER)
        except BaseException as exc:
            ended.append(type(exc).__name__)
            raise

    async def main() -> None:
        work = gather((waits() for _ in range(10)), 10)
        task = asyncio.create_task(Aio(Fake()).run(work))
        await until(lambda: len(asyncio.all_tasks()) >= 12)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())
    assert ended == ["CancelledError"] * 10


def numbers(busy: list[int], hang_from: int | None = None, *, size: int = 10_000) -> NextPage[models.ObjectStats]:
    """Pages of objects named by their number; from `hang_from` on they do not come."""

    def next_page(after: str, amount: int, /) -> Op[Page[models.ObjectStats]]:
        first = int(after or 0)
        busy.append(1)
        try:
            yield from sleep(0.0, NEVER if hang_from is not None and first >= hang_from else 0.0)
        finally:
            busy.pop()
        last = min(first + amount, size)
        rows = [models.ObjectStats(str(one), "object") for one in range(first, last)]
        return models.ObjectPage(
            models.Pagination(last < size, str(last) if last < size else "", len(rows), 1000), rows
        )

    return next_page


@pytest.mark.parametrize("fan_out", [1, 8])
@pytest.mark.parametrize("amount", [0, 1, 1000, 1001, 2500, None])
def test_pages_return_exactly_the_amount_and_wrap_each_row(amount: int | None, fan_out: int) -> None:
    async def main() -> list[str]:
        rows = Aio(Fake(fan_out=fan_out)).pages(numbers([]), "", amount, lambda row: row.path)
        return [row async for row in rows]

    assert run(main()) == [str(one) for one in range(10_000 if amount is None else amount)]


@pytest.mark.parametrize("how", ["close", "collect", "loop ends"])
def test_abandoned_pages_leave_no_exchange(how: str) -> None:
    busy = list[int]()

    async def main() -> None:
        rows = Aio(Fake()).pages(numbers(busy, 2000), "", None, same)
        for _ in range(1500):
            await anext(rows)
        await until(lambda: busy == [1])
        if how == "close":
            await rows.aclose()
            assert busy == []
        if how == "collect":
            del rows
            gc.collect()
            await until(lambda: busy == [])

    run(main())
    assert busy == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_b6_64_a_child_process_has_workers_of_its_own() -> None:
    driver = Aio(Fake())
    assert run(driver.run(send(DELETE))).status == 204
    child = os.fork()
    if child == 0:  # no assertion may escape here: the child would go on as a second pytest
        good = False
        try:
            good = run(driver.run(send(DELETE))).status == 204
        finally:
            os._exit(0 if good else 1)
    assert os.waitpid(child, 0)[1] == 0
