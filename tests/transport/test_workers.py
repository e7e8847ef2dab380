"""Threads on demand, and calls at the interpreter's exit, when no thread can be started."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from pytest_mock import MockerFixture

from lakefs_hl.ops.effects import gather, send
from lakefs_hl.transport.blocking import Blocking
from lakefs_hl.transport.workers import Workers
from tests.transport.fakes import STAT, Fake
from tests.transport.peers import answer, answering


def test_work_runs_on_a_thread() -> None:
    workers = Workers(2, "mine")
    assert workers.submit(lambda: threading.current_thread().name).result().startswith("mine")
    with pytest.raises(ZeroDivisionError):
        workers.submit(lambda: 1 // 0).result()
    workers.close()


def test_a_pool_that_was_closed_meanwhile_is_replaced() -> None:
    workers = Workers(2, "mine")
    pool = workers._open()
    pool.shutdown()  # as a `close` between the choice of a pool and its use
    assert workers.submit(lambda: threading.current_thread().name).result().startswith("mine")
    workers.close()


def test_queued_work_is_not_done_twice_if_no_thread_starts(mocker: MockerFixture) -> None:
    mocker.patch.object(threading.Thread, "start", side_effect=RuntimeError("can't start new thread"))
    done = list[int]()
    with pytest.raises(RuntimeError, match="can't start"):
        Workers(2, "mine").submit(done.append, 1)
    assert done == []


def test_a_client_may_be_closed_while_a_gather_runs() -> None:
    driver: Blocking

    def reply(*_: object) -> object:
        driver.close()
        return answer

    driver = Blocking(Fake(reply, fan_out=4))  # type: ignore[arg-type]
    assert len(driver.run(gather((send(STAT) for _ in range(100)), 4))) == 100
    driver.close()


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
