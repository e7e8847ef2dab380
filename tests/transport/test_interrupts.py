"""A Ctrl-C at every moment of a call: later calls of the client end, and no worker is lost.

A signal is handled when a function of Python begins and when one in C returns, and these are the events of a profiler.
So a profiler that raises at its n-th event stands for a Ctrl-C at the n-th moment.
"""

from __future__ import annotations

import gc
import inspect
import itertools
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from types import FrameType
from typing import Any, Final

import pytest

from lakefs_hl.ops.effects import Op, gather, once, send, sleep
from lakefs_hl.ops.paging import Page
from lakefs_hl.spec import models
from lakefs_hl.spec.wire import Request, Response
from lakefs_hl.transport import blocking, http
from lakefs_hl.transport.blocking import Blocking
from lakefs_hl.transport.http import Http
from lakefs_hl.transport.scope import Flag, Scope
from tests.transport.fakes import STAT, Fake, same
from tests.transport.peers import answer, answering

#: A guard against hanging, not a measure.
SECONDS: Final = 10.0
WIDTH: Final = 3

# A finalizer cannot raise, so an interrupt in one is only reported. It also closes interrupted connections.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Collect here what interrupted calls leave to the garbage collector, with these warnings ignored."""
    yield
    gc.collect()


def interrupt(moment: int, call: Callable[[], object]) -> bool:
    """Make a call and interrupt it at a moment; return False if it ended before."""
    left = moment

    def profile(frame: FrameType, event: str, arg: object) -> None:
        nonlocal left
        # A profiler that raises when a generator goes on would end it without its `finally`, as no signal can.
        if event == "c_return" or (event == "call" and not frame.f_code.co_flags & inspect.CO_GENERATOR):
            left -= 1
            if not left:
                raise KeyboardInterrupt  # this also ends the profiling

    try:
        sys.setprofile(profile)
        call()
    except KeyboardInterrupt:
        assert left <= 0
    finally:
        sys.setprofile(None)
    return left <= 0


def interrupt_everywhere(call: Callable[[], object], check: Callable[[], object]) -> int:
    """Interrupt a call at each of its moments, with a check after each; return how many there were."""
    for moment in itertools.count(1):
        interrupted = interrupt(moment, call)
        elsewhere(check, f"after an interrupt at moment {moment}")
        if not interrupted:
            return moment
    raise AssertionError


def elsewhere(check: Callable[[], object], when: str) -> None:
    """Run a check on another thread: locks that this thread holds are free for itself, and it must not hang."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            check()
        except BaseException as exc:
            failed.append(exc)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(SECONDS)
    if thread.is_alive():
        frame = sys._current_frames().get(thread.ident or 0)
        pytest.fail(f"a call hangs {when}:\n{''.join(traceback.format_stack(frame))}")
    assert not failed, f"{failed[0]!r} {when}"


class Meeting:
    """A transport of which `WIDTH` requests must be under way at once, for a check that each worker is free."""

    def __init__(self) -> None:
        self.barrier: threading.Barrier | None = None
        self.live: set[int] = set()
        self.driver = Blocking(Fake(self._answer, fan_out=WIDTH))

    def _answer(self, request: Request, scope: Scope | None, within: float | None) -> Response:
        if self.barrier is not None:
            self.barrier.wait(SECONDS / 2)
        return Response(204)

    def op(self, index: int) -> Op[int]:
        try:
            self.live.add(index)
            yield from send(STAT)
        finally:
            self.live.discard(index)
        return index

    def check(self) -> None:
        assert not self.live
        self.barrier = threading.Barrier(WIDTH)
        assert self.driver.run(gather(map(self.op, range(WIDTH)), WIDTH)) == list(range(WIDTH))
        self.barrier = None


@pytest.mark.parametrize("new", [False, True], ids=["workers run", "workers start"])
def test_a_gather_that_is_interrupted_leaves_every_worker_free(new: bool) -> None:
    meeting = Meeting()

    def call() -> None:
        meeting.driver.run(gather(map(meeting.op, range(2 * WIDTH)), WIDTH))

    def check() -> None:
        meeting.check()
        if new:
            meeting.driver.close()

    assert interrupt_everywhere(call, check) > 40
    meeting.driver.close()


def test_pages_that_are_interrupted_leave_every_worker_free() -> None:
    meeting = Meeting()

    def next_page(after: str, amount: int, /) -> Op[Page[models.ObjectStats]]:
        number = yield from meeting.op(int(after or 0) + 1)
        return models.ObjectPage(
            models.Pagination(number < 4, str(number), 1, 1000), [models.ObjectStats(str(number), "object")]
        )

    def call() -> None:
        assert len(list(meeting.driver.pages(next_page, "", None, same))) == 4

    assert interrupt_everywhere(call, meeting.check) > 40
    meeting.driver.close()


@pytest.mark.parametrize("how", ["gather", "pages"])
def test_an_interrupt_while_ops_are_cancelled_leaves_none_alive(how: str) -> None:
    live: set[object] = set()
    driver = Blocking(Fake(fan_out=WIDTH))

    def hanging() -> Op[Any]:
        me = object()
        try:
            live.add(me)
            yield from sleep(60.0)
        finally:
            live.discard(me)

    def failing() -> Op[None]:
        yield from send(STAT)
        while len(live) < WIDTH - 1:
            yield from sleep(0.0, 0.0)
        raise ZeroDivisionError

    def next_page(after: str, amount: int, /) -> Op[Page[models.ObjectStats]]:
        if after == "2":
            yield from hanging()
        number = int(after or 0) + 1
        return models.ObjectPage(
            models.Pagination(True, str(number), 1, 1000), [models.ObjectStats(str(number), "object")]
        )

    def fail() -> None:
        with pytest.raises(ZeroDivisionError):
            driver.run(gather([hanging(), hanging(), failing()], WIDTH))

    def prepared() -> Callable[[], object]:
        if how == "gather":
            return fail
        rows = driver.pages(next_page, "", None, same)
        assert len(list(itertools.islice(rows, 2))) == 2
        while not live:
            time.sleep(0)
        return rows.close

    def check() -> None:
        while live:
            time.sleep(0)

    for moment in itertools.count(1):
        interrupted = interrupt(moment, prepared())
        elsewhere(check, f"after an interrupt at moment {moment}")
        if not interrupted:
            break
    assert moment > 10
    driver.close()


def test_a_request_that_is_interrupted_gives_its_connection_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "CONNECTIONS", 2)
    with answering(answer(b"{}")) as server:
        transport = Http(server.url, fan_out=2)
        free = itertools.cycle([False, True])  # with a connection to reuse, and without

        def check() -> None:
            assert transport.send(STAT).status == 200
            assert not transport._lane(transport._endpoint).pool.slots.users
            if next(free):
                transport.close()

        assert interrupt_everywhere(lambda: transport.send(STAT), check) > 40
        transport.close()


@pytest.fixture
def arrived(monkeypatch: pytest.MonkeyPatch) -> SimpleQueue[None]:
    """Is told of each call that waits for a shared run."""
    queue: SimpleQueue[None] = SimpleQueue()
    wake = blocking._Run.wake

    def waiting(run: blocking._Run, flag: Flag) -> None:
        wake(run, flag)
        queue.put(None)

    monkeypatch.setattr(blocking._Run, "wake", waiting)
    return queue


def shared(reply: Callable[[], object]) -> tuple[Blocking, Callable[[], Any]]:
    """Return a driver, and a call that runs an op under `Once`; its leader calls `reply`."""

    def reply_to(request: Request, scope: Scope | None, within: float | None) -> Response:
        reply()
        return Response(204)

    driver = Blocking(Fake(reply_to))
    return driver, lambda: driver.run(once("key", send(STAT)))


def test_a_leader_that_is_interrupted_leaves_nobody_waiting(arrived: SimpleQueue[None]) -> None:
    main = threading.main_thread()

    def reply() -> None:
        if threading.current_thread() is main:
            arrived.get(timeout=SECONDS)

    driver, call = shared(reply)
    led = threading.Event()

    def follow() -> None:
        while not led.is_set() and not driver._runs:
            pass
        assert call().status == 204

    def lead() -> None:
        assert call().status == 204

    for moment in itertools.count(1):
        led.clear()
        follower = threading.Thread(target=follow, daemon=True)
        follower.start()
        interrupted = interrupt(moment, lead)
        led.set()
        follower.join(SECONDS)
        assert not follower.is_alive(), f"hangs after an interrupt at moment {moment}"
        assert driver._runs == {}
        while not arrived.empty():
            arrived.get()
        if not interrupted:
            break
    assert moment > 20


def test_a_call_that_is_interrupted_while_it_waits_does_not_stop_the_leader(arrived: SimpleQueue[None]) -> None:
    entered: SimpleQueue[None] = SimpleQueue()
    main = threading.main_thread()

    def reply() -> None:
        if threading.current_thread() is not main:
            entered.put(None)
            arrived.get(timeout=SECONDS)

    driver, call = shared(reply)
    for moment in itertools.count(1):
        leader = threading.Thread(target=call, daemon=True)
        leader.start()
        entered.get(timeout=SECONDS)
        interrupted = interrupt(moment, call)
        arrived.put(None)
        leader.join(SECONDS)
        assert not leader.is_alive(), f"hangs after an interrupt at moment {moment}"
        assert driver._runs == {}
        while not arrived.empty():
            arrived.get()
        if not interrupted:
            break
    assert moment > 10
