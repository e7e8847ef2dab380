"""The contract of drivers, held by both: effects, gathers, shared runs and pages."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeAlias, TypeVar

import pytest

from lakefs_hl.ops.effects import (
    Cancelled,
    Gather,
    Op,
    call_function,
    gather,
    gather_each,
    now,
    once,
    send,
    send_all,
    sleep,
)
from lakefs_hl.ops.paging import NextPage, Page
from lakefs_hl.spec import errors, models
from lakefs_hl.spec.wire import Request, Response, TransportError
from lakefs_hl.transport.aio import Aio
from lakefs_hl.transport.base import Transport
from lakefs_hl.transport.blocking import Blocking
from lakefs_hl.transport.http import Http
from lakefs_hl.transport.inproc import InProcess
from lakefs_hl.transport.scope import Scope
from lakefs_hl.transport.waves import width_of
from tests.transport.fakes import DELETE, SERIAL, STAT, THREADS, WAVES, Fake, done, same

T = TypeVar("T")
Way: TypeAlias = Callable[..., Fake]
ways = pytest.mark.parametrize("way", [SERIAL, THREADS, WAVES], ids=["serial", "threads", "waves"])
at_once = pytest.mark.parametrize("way", [THREADS, WAVES], ids=["threads", "waves"])
NEVER = 60.0  # a wait that only an interruption ends


class Colour(Protocol):
    """A driver, run by a test that is not asynchronous itself."""

    #: Whether it gathers in its own way.
    gathered: list[int]
    #: What is thrown into ops whose sibling failed.
    interruption: type[BaseException]

    def run(self, op: Op[T], transport: Transport) -> T: ...

    def together(self, count: int, op: Callable[[], Op[Any]]) -> list[Any]:
        """Results, or errors, of ops that run concurrently on one driver."""
        ...

    def pages(self, next_page: NextPage[T], amount: int | None, transport: Transport) -> list[T]: ...


class BlockingColour:
    interruption = Cancelled

    def __init__(self) -> None:
        self.gathered = list[int]()

    def _driver(self, transport: Transport) -> Blocking:
        gathered = self.gathered

        class Counting(Blocking):
            def gather(self, effect: Gather, scope: Scope | None, until: float) -> list[Any] | None:
                gathered.append(width_of(effect.limit))
                return super().gather(effect, scope, until)

        return Counting(transport)

    def run(self, op: Op[T], transport: Transport) -> T:
        return self._driver(transport).run(op)

    def together(self, count: int, op: Callable[[], Op[Any]]) -> list[Any]:
        driver, outcomes, start = self._driver(Fake()), list[Any](), threading.Barrier(count)

        def ask() -> None:
            start.wait()
            try:
                outcomes.append(driver.run(op()))
            except Exception as exc:
                outcomes.append(exc)

        threads = [threading.Thread(target=ask) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return outcomes

    def pages(self, next_page: NextPage[T], amount: int | None, transport: Transport) -> list[T]:
        return list(self._driver(transport).pages(next_page, "", amount, same))


class AioColour:
    interruption = asyncio.CancelledError

    def __init__(self) -> None:
        self.gathered = list[int]()

    def _driver(self, transport: Transport) -> Aio:
        gathered = self.gathered

        class Counting(Aio):
            async def gather(self, effect: Gather, until: float) -> list[Any] | None:
                gathered.append(width_of(effect.limit))
                return await super().gather(effect, until)

        return Counting(transport)

    def run(self, op: Op[T], transport: Transport) -> T:
        return asyncio.run(asyncio.wait_for(self._driver(transport).run(op), 30))

    def together(self, count: int, op: Callable[[], Op[Any]]) -> list[Any]:
        async def main() -> list[Any]:
            driver = self._driver(Fake())
            return await asyncio.gather(*(driver.run(op()) for _ in range(count)), return_exceptions=True)

        return asyncio.run(main())

    def pages(self, next_page: NextPage[T], amount: int | None, transport: Transport) -> list[T]:
        async def main() -> list[T]:
            return [row async for row in self._driver(transport).pages(next_page, "", amount, same)]

        return asyncio.run(main())


@pytest.fixture(params=[BlockingColour, AioColour], ids=["blocking", "aio"])
def colour(request: pytest.FixtureRequest) -> Colour:
    made: Colour = request.param()
    return made


def leaf(value: int, upto: float = 0.001) -> Op[int]:
    yield from sleep(upto)
    return value


# -------------------------------------------------------------------------------------------------------- transports


def test_every_transport_has_the_protocol() -> None:
    transports: list[Transport] = [Http("http://127.0.0.1:1", fan_out=3), InProcess(lambda _: Response(204)), Fake()]
    assert [transport.fan_out for transport in transports] == [3, 1, 8]
    for transport in transports:
        transport.close()


# ------------------------------------------------------------------------------------------------------------ one op


def test_effects_have_results(colour: Colour) -> None:
    def op() -> Op[tuple[int, float]]:
        response = yield from send(STAT)
        slept = yield from sleep(0.0, 0.001)
        return response.status, slept

    assert colour.run(op(), Fake()) == (204, 0.001)


def test_a_transport_error_is_thrown_into_the_op(colour: Colour) -> None:
    def fail(request: Request, scope: Scope | None, within: float | None) -> Response:
        raise TransportError("wait", "gone")

    def op() -> Op[str]:
        try:
            yield from send(STAT)
        except TransportError as exc:
            return f"saw {exc}"
        return "saw nothing"

    assert colour.run(op(), Fake(fail)) == "saw gone"


@ways
def test_many_exchanges_have_an_outcome_each(colour: Colour, way: Way) -> None:
    def answer(request: Request, scope: Scope | None, within: float | None) -> Response:
        if request is DELETE:
            raise TransportError("wait", "gone")
        return Response(204)

    found = colour.run(send_all([STAT, DELETE, STAT]), way(answer))
    assert [one.status if isinstance(one, Response) else str(one) for one in found] == [204, "gone", 204]


def test_many_exchanges_go_together_where_the_transport_can(colour: Colour) -> None:
    transport = WAVES()
    assert len(colour.run(gather([send_all([STAT] * 3), send_all([STAT] * 2)], 2), transport)[0]) == 3
    assert sorted(transport.waves) == [2, 3]


def test_jitter_stays_below_its_limit_and_above_its_minimum(colour: Colour) -> None:
    for _ in range(20):
        assert 0.0 <= colour.run(sleep(0.002), Fake()) <= 0.002
        assert 0.001 <= colour.run(sleep(0.002, 0.001), Fake()) <= 0.002


def test_now_is_the_wall_clock(colour: Colour) -> None:
    before = time.time()
    assert before <= colour.run(now(), Fake()) <= time.time()


@pytest.mark.parametrize("fan_out", [1, 8], ids=["in process", "remote"])
def test_a_function_is_called_and_its_error_is_thrown_into_the_op(colour: Colour, fan_out: int) -> None:
    def fails() -> int:
        raise errors.NoAuthenticationFound("no role")

    def op() -> Op[tuple[int, str]]:
        found = yield from call_function(lambda: 42)
        try:
            yield from call_function(fails)
        except errors.NoAuthenticationFound as exc:
            return found, str(exc)
        return found, "no error"

    assert colour.run(op(), Fake(fan_out=fan_out)) == (42, "no role")


def test_only_a_blocking_driver_calls_a_function_on_the_calling_thread(colour: Colour) -> None:
    called_on = colour.run(call_function(threading.get_ident), Fake())
    assert (called_on == threading.get_ident()) is (colour.interruption is Cancelled)


@at_once
def test_now_and_call_are_performed_while_an_op_unwinds(colour: Colour, way: Way) -> None:
    found = list[Any]()

    def waits() -> Op[None]:
        try:
            yield from sleep(0.0, NEVER)
        finally:
            found.extend([(yield from call_function(lambda: "called")), (yield from now()) > 0])

    def fails() -> Op[None]:
        yield from sleep(0.0, 0.01)
        raise KeyError("first")

    with pytest.raises(KeyError, match="first"):
        colour.run(gather([waits(), fails()], 2), way())
    assert found == ["called", True]


# ------------------------------------------------------------------------------------------------------------ Gather


@ways
def test_a_driver_may_gather_in_its_own_way(colour: Colour, way: Way) -> None:
    def middle() -> Op[list[int]]:
        return (yield from gather((leaf(one) for one in range(2)), 2))

    assert colour.run(gather((middle() for _ in range(3)), 7), way()) == [[0, 1]] * 3
    assert sorted(colour.gathered) == [2, 2, 2, 7]


@ways
def test_gather_reads_its_ops_as_slots_become_free(colour: Colour, way: Way) -> None:
    lock, live, peak, made = threading.Lock(), 0, 0, 0

    def answer(request: Request, scope: Scope | None, within: float | None) -> Response:
        nonlocal live, peak
        with lock:
            live += 1
            peak = max(peak, live)
        time.sleep(0.001)
        with lock:
            live -= 1
        return Response(204)

    class EnoughError(Exception):
        pass

    begun, ended = set[int](), set[int]()

    def one(index: int) -> Op[int]:
        begun.add(index)
        try:
            yield from send(DELETE)
        finally:
            ended.add(index)
        return index

    def stream() -> Iterator[Op[int]]:  # endless: a million items need no million objects
        nonlocal made
        for index in itertools.count():
            made += 1
            yield one(index)

    got = list[int]()

    def each(index: int, result: int) -> None:
        got.append(result)
        if len(got) == 50:
            raise EnoughError

    with pytest.raises(EnoughError):
        colour.run(gather_each(stream(), 4, each), way(answer))
    assert peak <= 4
    assert made <= 56
    assert live == 0
    assert begun == ended


@ways
def test_gather_nests_and_keeps_the_order(colour: Colour, way: Way) -> None:
    def middle(index: int) -> Op[list[int]]:
        return (yield from gather((leaf(index * 10 + one) for one in range(5)), 5))

    found = colour.run(gather((middle(index) for index in range(20)), 8), way())
    assert found == [[index * 10 + one for one in range(5)] for index in range(20)]


@at_once
def test_b5_62_the_first_failure_ends_all_and_is_raised(colour: Colour, way: Way) -> None:
    ended = list[type]()

    def fails() -> Op[None]:
        yield from sleep(0.0, 0.01)
        raise KeyError("mine")

    def waits() -> Op[None]:
        try:
            yield from sleep(0.0, NEVER)
        except BaseException as exc:
            ended.append(type(exc))
            raise

    with pytest.raises(KeyError, match="mine"):
        colour.run(gather([waits(), waits(), fails(), waits()], 8), way())
    assert ended == [colour.interruption] * 3


@ways
def test_a_users_iterable_may_raise(colour: Colour, way: Way) -> None:
    begun, ended = set[int](), set[int]()

    def counted(index: int) -> Op[None]:
        begun.add(index)
        try:
            yield from sleep(0.0, 0.001)
        finally:
            ended.add(index)

    def stream() -> Iterator[Op[None]]:
        for index in range(5):
            yield counted(index)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        colour.run(gather(stream(), 2), way())
    assert ended == begun  # every op that began has ended
    assert len(begun) >= 3  # the first two are read at once; a thread may begin one of them after all others


@ways
def test_results_are_passed_on_by_the_calling_thread(colour: Colour, way: Way) -> None:
    threads = set[int]()
    op = gather_each((leaf(index) for index in range(20)), 4, lambda index, result: threads.add(threading.get_ident()))
    colour.run(op, way())
    assert threads == {threading.get_ident()}


# -------------------------------------------------------------------------------------------------------------- Once


class Shared:
    """An op under `Once` that ends only when as many callers as expected have asked for it.

    Args:
        callers: How many ask.
        error: What it raises. None returns 42.
    """

    def __init__(self, callers: int, error: Exception | None = None) -> None:
        self.callers = callers
        self.error = error
        self.asked = list[int]()
        self.runs = list[int]()

    def ask(self) -> Op[int]:
        self.asked.append(1)
        return (yield from once("key", self._run()))

    def _run(self) -> Op[int]:
        self.runs.append(1)
        while len(self.asked) < self.callers:
            yield from sleep(0.0, 0.001)
        yield from sleep(0.0, 0.05)  # the last one is between its line above and the driver
        if self.error is not None:
            raise self.error
        return 42


def test_one_run_is_shared_by_all_who_ask_meanwhile(colour: Colour) -> None:
    shared = Shared(20)
    assert colour.together(20, shared.ask) == [42] * 20
    assert len(shared.runs) == 1


def test_each_waiter_gets_a_copy_of_the_error(colour: Colour) -> None:
    error = errors.NotAuthorizedException("no")
    error.status = 401
    shared = Shared(8, error)
    outcomes = colour.together(8, shared.ask)
    assert [(type(one), str(one), one.status) for one in outcomes] == [(errors.NotAuthorizedException, "no", 401)] * 8
    assert len({id(one) for one in outcomes}) == 8
    assert len(shared.runs) == 1


# ------------------------------------------------------------------------------------------------------------- pages


def numbers(after: str, amount: int, /) -> Op[Page[models.ObjectStats]]:
    """Pages of 10,000 objects named by their number."""
    first = int(after or 0)
    yield from sleep(0.0, 0.0)
    last = min(first + amount, 10_000)
    rows = [models.ObjectStats(str(one), "object") for one in range(first, last)]
    return models.ObjectPage(
        models.Pagination(last < 10_000, str(last) if last < 10_000 else "", len(rows), 1000), rows
    )


@pytest.mark.parametrize("fan_out", [1, 8])
@pytest.mark.parametrize("amount", [0, 1, 100, 999, 1000, 1001, 2500, 10_000, 20_000, None])
def test_pages_return_exactly_the_amount(colour: Colour, amount: int | None, fan_out: int) -> None:
    rows = colour.pages(numbers, amount, Fake(fan_out=fan_out))
    assert [row.path for row in rows] == [str(one) for one in range(min(10_000, 10_000 if amount is None else amount))]


# ------------------------------------------------------------------------------------------- interruption of a `Call`


def test_a_cancelled_op_does_not_wait_for_a_function() -> None:
    called, release = threading.Event(), threading.Event()

    def slow() -> str:
        called.set()
        assert release.wait(20)
        return "too late"

    async def main() -> None:
        task = asyncio.ensure_future(Aio(Fake()).run(call_function(slow)))
        while not called.is_set():
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        release.set()  # only now may the function end

    asyncio.run(asyncio.wait_for(main(), 30))


def test_an_op_that_is_cancelled_while_a_function_runs_goes_no_further() -> None:
    sent, scope = list[Request](), Scope()

    def answer(request: Request, scope: Scope | None, within: float | None) -> Response:
        sent.append(request)
        return done(request, scope, within)

    def calls() -> Op[None]:
        yield from call_function(scope.cancel)
        yield from send(DELETE)

    with pytest.raises(Cancelled):
        Blocking(Fake(answer))._drive(calls(), scope)
    assert sent == []


# ------------------------------------------------------------------------------------------- what a second one shares


def test_what_every_transport_shares_loads_no_http_library() -> None:
    names = "aio, base, blocking, body, deadlines, failures, fan, inproc, limits, route, scope, workers"
    code = f"import sys\nfrom lakefs_hl.transport import {names}\n"
    code += "assert not {'urllib3', 'http.client'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
