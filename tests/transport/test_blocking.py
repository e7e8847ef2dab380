"""The blocking driver: shared runs, interrupts at any moment, pages, threads and forks."""

from __future__ import annotations

import gc
import itertools
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

import pytest

from lakefs_hl.ops.effects import Op, gather, gather_each, once, send, sleep
from lakefs_hl.ops.paging import NextPage, Page
from lakefs_hl.spec import errors, models
from lakefs_hl.spec.wire import Request, Response
from lakefs_hl.transport.blocking import Blocking
from lakefs_hl.transport.http import Http
from lakefs_hl.transport.scope import Scope
from tests.transport.fakes import DELETE, STAT, Fake, same
from tests.transport.peers import Peer, peer

NEVER: Final = 60.0  # a wait that only an interruption ends


def hang(server: Peer, conn: Any, number: int) -> None:
    server.read(conn)
    while conn.recv(1):
        pass


@pytest.fixture
def silent() -> Iterator[Peer]:
    """A server that reads a request and never answers."""
    with peer(hang) as server:
        yield server


def until(condition: Callable[[], bool]) -> None:
    """Waits for another thread; a guard against hanging, not a measure."""
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "it never happened"
        os.sched_yield()


def interrupt_when(condition: Callable[[], bool]) -> threading.Thread:
    """Sends Ctrl-C to the main thread once something is so."""

    def wait() -> None:
        until(condition)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def leaf(value: int, upto: float = 0.001) -> Op[int]:
    yield from sleep(upto)
    return value


# ---------------------------------------------------------------------------------------------------------- one op


# ------------------------------------------------------------------------------------------------------------ Gather


# -------------------------------------------------------------------------------------------------------------- Once


def test_what_once_ran_is_not_kept() -> None:
    driver, runs = Blocking(Fake()), list[int]()

    def op() -> Op[int]:
        runs.append(1)
        yield from sleep(0.0, 0.0)
        return 42

    for _ in range(2):
        assert driver.run(once("key", op())) == 42
        assert driver._runs == {}
    assert len(runs) == 2


def test_an_op_under_once_may_not_ask_for_its_own_key() -> None:
    def again() -> Op[None]:
        yield from once("key", again())

    with pytest.raises(RuntimeError, match="own key 'key'"):
        Blocking(Fake()).run(again())


def test_the_next_waiter_runs_its_own_op_after_an_interrupted_leader() -> None:
    driver, runs, out = Blocking(Fake()), list[int](), list[int]()

    def slow() -> Op[int]:
        runs.append(1)
        if len(runs) == 1:
            yield from sleep(0.0, NEVER)
        return 42

    def follow() -> None:
        until(lambda: len(runs) == 1)
        out.append(driver.run(once("key", slow())))

    thread = threading.Thread(target=follow)
    thread.start()
    interrupt_when(lambda: len(runs) == 1)
    with pytest.raises(KeyboardInterrupt):
        driver.run(once("key", slow()))
    thread.join(20)
    assert (out, len(runs), driver._runs) == ([42], 2, {})


# -------------------------------------------------------------------------------------------------------- interrupts


def test_an_interrupted_op_unwinds_and_its_effects_are_performed() -> None:
    seen = list[object]()

    def answer(request: Request, scope: Scope | None, within: float | None) -> Response:
        if request is STAT:
            signal.raise_signal(signal.SIGINT)
        seen.append((request.endpoint.operation, within is not None and within <= 5.0))
        return Response(204)

    def op() -> Op[None]:
        try:
            yield from send(STAT)
        except BaseException as exc:
            seen.append(type(exc))
            yield from send(DELETE)
            yield from once("key", send(DELETE))
            raise

    with pytest.raises(KeyboardInterrupt):
        Blocking(Fake(answer)).run(op())
    assert seen == [KeyboardInterrupt, ("deleteObject", True), ("deleteObject", True)]


@pytest.mark.parametrize("ending", ["return", "other error"])
def test_an_op_cannot_hide_an_interrupt(ending: str) -> None:
    def answer(request: Request, scope: Scope | None, within: float | None) -> Response:
        raise KeyboardInterrupt

    def op() -> Op[int]:
        try:
            yield from send(STAT)
        except BaseException:
            if ending == "other error":
                raise ValueError("while tidying up") from None
        return 1

    with pytest.raises(KeyboardInterrupt):
        Blocking(Fake(answer)).run(op())


def test_a_second_interrupt_ends_the_unwinding() -> None:
    sent = list[str]()

    def answer(request: Request, scope: Scope | None, within: float | None) -> Response:
        sent.append(request.endpoint.operation)
        raise KeyboardInterrupt

    def op() -> Op[None]:
        try:
            yield from send(STAT)
        finally:
            yield from send(DELETE)
            yield from send(DELETE)

    with pytest.raises(KeyboardInterrupt):
        Blocking(Fake(answer)).run(op())
    assert sent == ["statObject", "deleteObject"]


def test_ctrl_c_ends_an_exchange_on_this_thread(silent: Peer) -> None:
    interrupt_when(lambda: len(silent.asked) == 1)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        Blocking(Http(silent.url)).run(send(STAT))
    assert time.monotonic() - start < 15  # not the 30 s of silence


def test_b6_72_ctrl_c_ends_a_gather_of_hanging_exchanges(silent: Peer) -> None:
    thrown, closed = list[str](), list[int]()

    def one(index: int) -> Op[None]:
        try:
            yield from send(STAT)
        except BaseException as exc:
            thrown.append(type(exc).__name__)
            raise
        finally:
            closed.append(index)

    def outer() -> Op[None]:
        try:
            yield from gather_each((one(index) for index in itertools.count()), 16, lambda index, result: None)
        except BaseException as exc:
            thrown.append(f"outer {type(exc).__name__}")
            raise

    interrupt_when(lambda: len(silent.asked) == 16)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        Blocking(Http(silent.url)).run(outer())
    assert time.monotonic() - start < 15
    assert thrown == ["Cancelled"] * 16 + ["outer KeyboardInterrupt"]
    assert len(closed) == 16


def test_200_interrupts_at_random_moments(rng: random.Random) -> None:
    lock, live = threading.Lock(), set[int]()

    def answer(request: Request, scope: Scope | None, within: float | None) -> Response:
        time.sleep(0.0002)
        return Response(204)

    def one(index: int) -> Op[None]:
        with lock:
            live.add(index)
        try:
            yield from send(STAT)
        finally:
            with lock:
                live.discard(index)

    driver = Blocking(Fake(answer))
    for _ in range(200):
        timer = threading.Timer(
            rng.uniform(0.0005, 0.008), lambda: signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        )
        with suppress(KeyboardInterrupt):  # it may strike before the call, too
            timer.start()
            driver.run(gather_each((one(index) for index in itertools.count()), 8, lambda index, result: None))
        timer.join()
        until(lambda: not live)  # no op is alive after the call
    assert driver.run(gather((leaf(index) for index in range(8)), 8)) == list(range(8))


# -------------------------------------------------------------------------------------------------------------- pages


def numbers(busy: list[int], hang_from: int | None = None, *, size: int = 10_000) -> NextPage[models.ObjectStats]:
    """Pages of objects named by their number; from `hang_from` on they do not come."""

    def next_page(after: str, amount: int, /) -> Op[Page[models.ObjectStats]]:
        first = int(after or 0)
        busy.append(1)
        try:
            if hang_from is not None and first >= hang_from:
                yield from sleep(0.0, NEVER)
            else:
                yield from sleep(0.0, 0.0)
        finally:
            busy.pop()
        last = min(first + amount, size)
        rows = [models.ObjectStats(str(one), "object") for one in range(first, last)]
        return models.ObjectPage(
            models.Pagination(last < size, str(last) if last < size else "", len(rows), 1000), rows
        )

    return next_page


@pytest.mark.parametrize("how", ["close", "collect"])
def test_abandoned_pages_leave_no_exchange(how: str) -> None:
    busy = list[int]()
    rows = Blocking(Fake()).pages(numbers(busy, 2000), "", None, same)
    list(itertools.islice(rows, 1500))
    until(lambda: busy == [1])
    if how == "close":
        rows.close()
    del rows
    gc.collect()
    assert busy == []


def test_in_process_nothing_is_fetched_ahead() -> None:
    busy = list[int]()
    rows = Blocking(Fake(fan_out=1)).pages(numbers(busy, 2000), "", None, same)
    assert len(list(itertools.islice(rows, 2000))) == 2000
    assert busy == []
    rows.close()


def test_an_error_of_a_page_shows_two_frames() -> None:
    def broken(after: str, amount: int, /) -> Op[Page[models.ObjectStats]]:
        yield from sleep(0.0, 0.0)
        raise errors.NotFoundException("repository not found")

    with pytest.raises(errors.NotFoundException) as caught:
        next(Blocking(Fake()).pages(broken, "", None, same))
    assert len(caught.traceback) == 2  # the user's, and the listing's


# ----------------------------------------------------------------------------------------------- close, fork, threads


def workers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("lakefs_hl")}


def test_a_driver_can_be_used_after_close() -> None:
    others = workers()  # of a client that other tests share
    transport = Fake()
    driver = Blocking(transport)
    others = workers()  # of clients that other tests share
    for _ in range(2):
        assert driver.run(gather((leaf(index) for index in range(4)), 4)) == [0, 1, 2, 3]
        driver.close()
        until(lambda: not workers() - others)
    assert transport.closed == 2


def forked(check: Callable[[], bool]) -> None:
    child = os.fork()
    if child == 0:  # no assertion may escape here: the child would go on as a second pytest
        good = False
        try:
            good = check()
        finally:
            os._exit(0 if good else 1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_b6_64_fork_while_workers_run_and_a_run_is_shared() -> None:
    driver, runs, go = Blocking(Fake()), list[int](), threading.Event()

    def answer(request: Request, scope: Scope | None, within: float | None) -> Response:
        go.wait()
        return Response(204)

    busy = Blocking(Fake(answer))

    def slow() -> Op[Response]:
        runs.append(1)
        return (yield from send(STAT))

    thread = threading.Thread(target=lambda: busy.run(once("key", slow())))
    thread.start()
    until(lambda: len(runs) == 1)
    driver.run(gather((leaf(index) for index in range(4)), 4))

    def check() -> bool:
        go.set()
        if busy.run(once("key", slow())).status != 204:
            return False
        return driver.run(gather((leaf(index) for index in range(4)), 4)) == [0, 1, 2, 3]

    forked(check)
    go.set()
    thread.join()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_b6_64_a_listing_goes_on_in_both_processes() -> None:
    rows = Blocking(Fake()).pages(numbers([]), "", 5000, same)
    list(itertools.islice(rows, 2500))
    forked(lambda: [row.path for row in rows] == [str(one) for one in range(2500, 5000)])
    assert [row.path for row in rows] == [str(one) for one in range(2500, 5000)]
