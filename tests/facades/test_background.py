"""Calls in the background: futures of threads, and tasks."""

from __future__ import annotations

import asyncio
import contextvars
import os
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

import lakefs_hl
from lakefs_hl import aio
from lakefs_hl.facades._sync.background import WIDTH

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="unset")


def test_a_call_runs_on_a_thread() -> None:
    with lakefs_hl.Client("mem://") as client:
        branch = lakefs_hl.repository("example", client=client).create().branch("main")
        futures = [lakefs_hl.background(branch.upload, b"1", f"{number}") for number in range(100)]
        assert {future.result(timeout=60).size_bytes for future in futures} == {1}
        assert len(list(branch.list_objects())) == 100
        future = lakefs_hl.background(branch.stat_object, "none")
        with pytest.raises(lakefs_hl.exceptions.ObjectNotFoundException):
            future.result(timeout=60)


def test_a_call_gets_its_arguments_and_the_context() -> None:
    def work(*args: int, key: str) -> tuple[tuple[int, ...], str, str, bool]:
        return args, key, VARIABLE.get(), threading.current_thread() is threading.main_thread()

    token = VARIABLE.set("set")
    try:
        assert lakefs_hl.background(work, 1, 2, key="k").result(timeout=60) == ((1, 2), "k", "set", False)
    finally:
        VARIABLE.reset(token)


def test_calls_that_wait_for_others_do_not_block_each_other() -> None:
    def nested(depth: int) -> int:
        return 0 if not depth else lakefs_hl.background(nested, depth - 1).result(timeout=60) + 1

    futures = [lakefs_hl.background(nested, 3) for _ in range(WIDTH + 5)]
    assert [future.result(timeout=60) for future in futures] == [3] * (WIDTH + 5)

    def fails() -> None:
        inner = lakefs_hl.background(partial(int, "x"))
        assert isinstance(inner.exception(timeout=60), ValueError)

    lakefs_hl.background(fails).result(timeout=60)


def test_what_is_no_plain_function_is_refused() -> None:
    with pytest.raises(TypeError, match="function must be callable, not str"):
        lakefs_hl.background("upload")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"lakefs_hl\.aio\.background"):
        lakefs_hl.background(asyncio.sleep, 0)
    with pytest.raises(TypeError, match="function must be callable, not NoneType"):
        aio.background(None)  # type: ignore[call-overload]


def test_the_interpreter_ends_when_all_are_done(tmp_path: Path) -> None:
    code = (
        "import lakefs_hl as lakefs\n"
        f"client = lakefs.Client('local:{tmp_path}/lake')\n"
        "branch = lakefs.repository('example', create=True, client=client).branch('main')\n"
        "for number in range(40): lakefs.background(branch.upload, b'1', str(number))\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)
    with lakefs_hl.Client(f"local:{tmp_path}/lake") as client:
        assert len(list(lakefs_hl.repository("example", client=client).branch("main").list_objects())) == 40


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_child_process_has_threads_of_its_own() -> None:
    assert lakefs_hl.background(len, "abc").result(timeout=60) == 3
    child = os.fork()
    if child == 0:  # no assertion may escape here: the child would go on as a second pytest
        good = False
        try:
            good = lakefs_hl.background(len, "abcd").result(timeout=60) == 4
        finally:
            os._exit(0 if good else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_task_runs_on_the_loop() -> None:
    async def main() -> None:
        async with aio.Client("mem://") as client:
            branch = (await aio.repository("example", client=client).create()).branch("main")
            tasks = [aio.background(branch.upload, b"1", f"{number}") for number in range(40)]
            assert {info.size_bytes for info in await asyncio.gather(*tasks)} == {1}
            with pytest.raises(lakefs_hl.exceptions.ObjectNotFoundException):
                await aio.background(branch.stat_object, "none")
            file = await aio.background(branch.open, "3", "rb")  # not a coroutine function: what it returns is awaited
            assert await file.read() == b"1"
            await file.close()
            assert await aio.background(threading.current_thread) is not threading.main_thread()
            cancelled = aio.background(asyncio.sleep, 60)
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cancelled

    asyncio.run(main())


def test_a_task_needs_a_loop() -> None:
    with pytest.raises(RuntimeError, match="no running event loop"):
        _ = aio.background(len, "abc")
