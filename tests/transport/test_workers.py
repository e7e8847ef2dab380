"""Threads on demand, and calls at the interpreter's exit, when no thread can be started."""

from __future__ import annotations

import _thread
import asyncio
import operator
import os
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pytest_mock import MockerFixture

from lakefs_hl.ops.effects import gather, send
from lakefs_hl.transport.blocking import Blocking
from lakefs_hl.transport.workers import Workers, start
from tests.transport.fakes import STAT, Fake
from tests.transport.peers import answer, answering

ROOT = Path(__file__).parents[2]


def test_work_runs_on_a_thread() -> None:
    workers = Workers(2, "mine")
    assert workers.submit(lambda: threading.current_thread().name).result().startswith("mine")
    with pytest.raises(ZeroDivisionError):
        workers.submit(lambda: 1 // 0).result()
    workers.close()


def threads_of(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith(f"{name}_")]


def wait_for_the_end_of(name: str) -> None:
    end = time.monotonic() + 20
    while threads_of(name):
        assert time.monotonic() < end
        os.sched_yield()


def test_as_many_threads_work_at_once_as_the_width_allows() -> None:
    workers, meeting = Workers(4, "wide"), threading.Barrier(5)
    for _ in range(4):
        workers.submit(meeting.wait, 20)
    meeting.wait(20)
    running, most, lock = [0], [0], threading.Lock()

    def count() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        os.sched_yield()
        with lock:
            running[0] -= 1

    for work in [workers.submit(count) for _ in range(200)]:
        work.result(20)
    assert most[0] <= len(threads_of("wide")) <= 4
    workers.close()
    wait_for_the_end_of("wide")


def test_a_pool_that_was_closed_meanwhile_is_replaced() -> None:
    workers = Workers(2, "mine")
    workers.submit(int).result()
    team = workers._team
    assert team is not None
    workers.close()  # as between the choice of a team and its use
    assert not team.put(lambda: None)
    assert workers.submit(lambda: threading.current_thread().name).result().startswith("mine")
    workers.close()


def test_work_that_is_queued_is_done_although_the_pool_is_closed() -> None:
    workers, go = Workers(2, "closing"), threading.Event()
    works = [workers.submit(go.wait, 20) for _ in range(10)]
    workers.close()
    go.set()
    assert all(work.result(20) for work in works)
    wait_for_the_end_of("closing")


def test_the_threads_of_a_pool_that_is_collected_end() -> None:
    workers = Workers(2, "collected")
    workers.submit(int).result()
    assert threads_of("collected")
    del workers
    wait_for_the_end_of("collected")


def test_work_is_cancelled_before_it_starts_or_not_at_all() -> None:
    workers, go, done = Workers(1, "mine"), threading.Event(), list[int]()
    first, second, third = workers.submit(go.wait, 20), workers.submit(done.append, 2), workers.submit(done.append, 3)
    assert second.cancel()
    go.set()
    third.result(20)
    assert not first.cancel()
    assert done == [3]
    workers.close()


def test_work_that_was_refused_a_first_thread_is_not_done(mocker: MockerFixture) -> None:
    mocker.patch.object(_thread, "start_new_thread", side_effect=RuntimeError("can't start new thread"))
    done = list[int]()
    with pytest.raises(RuntimeError, match="can't start"):
        Workers(2, "mine").submit(done.append, 1)
    assert done == []


@pytest.mark.parametrize("room", [1, 2], ids=["not even a named one", "one"])
def test_one_thread_does_all_work_if_no_other_can_be_started(mocker: MockerFixture, room: int) -> None:
    start, started = threading.Thread.start, list[threading.Thread]()

    def refuse(thread: threading.Thread) -> None:
        started.append(thread)
        if len(started) >= room:
            raise RuntimeError("can't start new thread")
        start(thread)

    workers = Workers(4, "few")
    mocker.patch.object(threading.Thread, "start", refuse)
    works = [workers.submit(threading.get_ident) for _ in range(20)]
    assert len({work.result(20) for work in works} | {threading.get_ident()}) == 2
    mocker.stopall()
    workers.close()


@pytest.mark.parametrize("when", ["Python 3.12 starts none", "modules are gone"])
def test_at_the_interpreters_exit_the_calling_thread_does_the_work(mocker: MockerFixture, when: str) -> None:
    workers, done = Workers(2, "mine"), list[int]()
    if when == "modules are gone":
        workers.submit(int).result()
        mocker.patch.object(sys, "is_finalizing", return_value=True)
    else:
        error = RuntimeError("can't create new thread at interpreter shutdown")
        mocker.patch.object(_thread, "start_new_thread", side_effect=error)
    assert workers.submit(threading.get_ident).result(0) == threading.get_ident()
    workers.post(done.append, 1)
    assert done == [1]
    workers.close()


def test_a_thread_survives_work_that_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    reported = list[object]()
    monkeypatch.setattr(threading, "excepthook", lambda args: reported.append(args.exc_type))
    workers = Workers(1, "mine")
    workers.post(operator.truediv, 1, 0)
    assert workers.submit(lambda: 1).result(20) == 1
    assert reported == [ZeroDivisionError]
    workers.close()


def test_results_and_arguments_are_not_kept_by_an_idle_thread() -> None:
    class Thing:
        pass

    workers, thing = Workers(1, "mine"), Thing()
    ref = weakref.ref(thing)
    with pytest.raises(ZeroDivisionError):
        workers.submit(lambda thing: 1 // 0, thing).result(20)
    del thing
    end = time.monotonic() + 20
    while ref() is not None:  # without the garbage collector
        assert time.monotonic() < end
        os.sched_yield()
    workers.close()


def test_a_client_may_be_closed_while_a_gather_runs() -> None:
    driver: Blocking

    def reply(*_: object) -> object:
        driver.close()
        return answer

    driver = Blocking(Fake(reply, fan_out=4))  # type: ignore[arg-type]
    assert len(driver.run(gather((send(STAT) for _ in range(100)), 4))) == 100
    driver.close()


RUNNING_AT_EXIT = """
import sys, threading, time
import lakefs_hl
from lakefs_hl.transport import workers

pool = workers.Workers(4, "mine")
begun = threading.Event()

def work():
    begun.set()
    time.sleep(0.3)
    print("done", flush=True)

def stuck():
    begun.set()
    time.sleep(3600)

workers.UNWINDING_SECONDS = 0.1 if sys.argv[1] == "stuck" else 5.0
if sys.argv[1] != "idle":
    pool.post(work if sys.argv[1] == "work" else stuck)
    begun.wait()
else:
    pool.submit(int).result()
print("end", flush=True)
"""


@pytest.mark.parametrize(("what", "lines"), [("idle", ["end"]), ("work", ["end", "done"]), ("stuck", ["end"])])
def test_the_interpreter_waits_a_while_for_running_work_and_not_for_idle_threads(what: str, lines: list[str]) -> None:
    command = [sys.executable, "-c", RUNNING_AT_EXIT, what]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert (ended.stdout.splitlines(), ended.stderr) == (lines, "")


OLDER_HANDLER = """
import atexit, threading

def last():
    print(client._run(lambda _: gather([send(STAT) for _ in range(5)], 4)) and "answered", flush=True)

atexit.register(last)  # before lakefs_hl, which ends its threads before this runs

import lakefs_hl
from lakefs_hl.ops.effects import gather, send
from tests.transport.fakes import STAT, Fake

client = lakefs_hl.Client("http://127.0.0.1:9", "key", "secret")
client._driver._transport = Fake()
client._run(lambda _: gather([send(STAT) for _ in range(5)], 4))
"""


def test_calls_from_an_atexit_handler_that_is_older_than_the_package() -> None:
    command = [sys.executable, "-c", OLDER_HANDLER]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, cwd=ROOT)
    assert (ended.stdout, ended.stderr) == ("answered\n", "")


AT_EXIT = """
import asyncio, atexit, sys, warnings
import lakefs_hl, lakefs_hl.aio
from lakefs_hl.ops.effects import gather, send
from lakefs_hl.spec import endpoints
from lakefs_hl.spec.wire import Request

warnings.simplefilter("error")
STAT = Request(endpoints.STAT_OBJECT, ("r", "main"), {"path": "k"})
client = lakefs_hl.Client(sys.argv[1], "key", "secret", retries=0)
awaitable = lakefs_hl.aio.Client(sys.argv[1], "key", "secret", retries=0)

def last():
    statuses = [client._run(lambda _: send(STAT)).status]
    statuses += [answer.status for answer in client._run(lambda _: gather([send(STAT) for _ in range(5)], 4))]
    async def many():
        return [(await awaitable._run(lambda _: send(STAT))).status, *(
            answer.status for answer in await awaitable._run(lambda _: gather([send(STAT) for _ in range(5)], 4)))]
    print(statuses + asyncio.run(many()), flush=True)

atexit.register(last)  # before the first request, so it runs after urllib3 has emptied its pools
client._run(lambda _: gather([send(STAT) for _ in range(5)], 4))
asyncio.run(awaitable._run(lambda _: send(STAT)))
"""


def test_calls_from_an_atexit_handler_work_in_both_colours() -> None:
    with answering(answer(b"{}")) as server:
        command = [sys.executable, "-c", AT_EXIT, server.url]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.stdout.strip() == str([200] * 12), ended.stderr
    assert "Traceback" not in ended.stderr


FILES_AT_EXIT = """
import asyncio, atexit, io, warnings
import lakefs_hl, lakefs_hl.aio

warnings.simplefilter("error")

async def files():
    async with lakefs_hl.aio.Client("mem://") as client:
        branch = (await lakefs_hl.aio.repository("example", client=client).get_or_create()).branch("main")
        async with await branch.open("a", "wb") as file:
            await file.write(b"x" * 9_000_000)
        await branch.upload(io.BytesIO(b"y"), "b")
        async def pieces():
            yield b"z" * 9_000_000
        await branch.upload(pieces(), "c")
        file = await branch.open("a", "rb")
        print(len(await file.read()), await branch.download("b"), (await branch.stat_object("c")).size_bytes)
        await file.close()

atexit.register(lambda: asyncio.run(files()))
atexit.register(lambda: print("end"))
"""


def test_awaitable_files_work_in_an_atexit_handler() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", FILES_AT_EXIT], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.stdout.split("\n") == ["end", "9000000 b'y' 9000000", ""], ended.stderr
    assert ended.stderr == ""


@pytest.mark.parametrize("way", ["submit", "start"])
def test_a_worker_that_tells_a_result_holds_nothing_of_its_work(way: str) -> None:
    """Else a file that its last caller drops is finalized by a worker, a moment later and where nobody expects it."""
    go, told = threading.Event(), threading.Event()

    class Thing:
        def work(self) -> int:
            assert go.wait(10)
            return 1

    def hold(_: Future[int]) -> None:
        """Keep the worker from going on when it has told the result."""
        assert told.wait(10)

    class Noting(ThreadPoolExecutor):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            futures.append(super().submit(fn, *args, **kwargs))
            return futures[-1]

    async def main() -> None:
        thing = Thing()
        seen = weakref.ref(thing)
        if way == "start":
            asyncio.get_running_loop().set_default_executor(Noting(1))
            future = start(thing.work)
        else:
            futures.append(pool.submit(thing.work))
            future = asyncio.wrap_future(futures[-1])
        futures[-1].add_done_callback(hold)  # called after the one that wakes the loop
        go.set()
        while not future.done():
            await asyncio.sleep(0)
        del thing
        assert seen() is None
        assert await future == 1
        told.set()

    futures: list[Future[Any]] = []
    pool = Workers(1, "test")
    try:
        asyncio.run(main())
    finally:
        told.set()
        pool.close()
