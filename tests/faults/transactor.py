"""A process that forks clients, each of which makes one transaction and says on a pipe how it goes.

It has loaded everything, and made no client and no thread: a fork of it is a client within a few milliseconds. Orders
come on stdin and reports go to stdout, one JSON list a line.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import warnings
from typing import Any, NoReturn

import lakefs_hl
from lakefs_hl import aio, exceptions
from lakefs_hl.aio import client as _awaitable  # loaded here, and not by each fork
from lakefs_hl.aio import transactions as _transactions
from lakefs_hl.transport import http as _http

__all__ = ["_awaitable", "_http", "_transactions"]

BEFORE = {"old": b"0"}
AFTER = {"new": b"1"}
TAG = "v1"


def say(*words: Any) -> None:
    os.write(1, json.dumps(words).encode() + b"\n")


def blocking(order: dict[str, str]) -> None:
    """One transaction: writes `new`, deletes `old`."""
    client = lakefs_hl.Client(order["url"], order["key"], order["secret"])
    tx = lakefs_hl.repository(order["repository"], client=client).branch("main").transaction("all or nothing", tag=TAG)
    say("id", tx.id)
    signal.signal(signal.SIGTERM, _exit)
    try:
        with tx:
            tx.upload(AFTER["new"], "new")
            say("acknowledged", "new")
            tx.delete_objects("old")
            say("acknowledged", "old")
            if order["raise"]:
                raise ZeroDivisionError
    except BaseException as error:
        tell(error)
    say("state", tx.state)


async def awaitable(order: dict[str, str]) -> None:
    """The same."""
    client = aio.Client(order["url"], order["key"], order["secret"])
    branch = aio.repository(order["repository"], client=client).branch("main")
    tx = branch.transaction("all or nothing", tag=TAG)
    say("id", tx.id)
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        async with tx:
            await tx.upload(AFTER["new"], "new")
            say("acknowledged", "new")
            await tx.delete_objects("old")
            say("acknowledged", "old")
            if order["raise"]:
                raise ZeroDivisionError
    except BaseException as error:
        tell(error)
    say("state", tx.state)


def _exit(number: int, frame: object) -> NoReturn:
    raise SystemExit(number)


def tell(error: BaseException) -> None:
    branch = getattr(error, "branch", "") if isinstance(error, exceptions.TransactionException) else ""
    say("raised", type(error).__name__, str(error), branch, list(getattr(error, "__notes__", ())))


def live(order: dict[str, str]) -> NoReturn:
    """What a forked client does, and nothing else."""
    code = 3
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        say("pid", os.getpid())
        if order["colour"] == "aio":
            try:
                asyncio.run(awaitable(order))
            except KeyboardInterrupt:
                say("interrupted")
        else:
            blocking(order)
        code = 0
    except BaseException as error:
        tell(error)
    finally:
        os._exit(code)


def main() -> None:
    warnings.simplefilter("error")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C at a terminal is meant for the tests
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            live(json.loads(line))
        _, status = os.waitpid(pid, 0)
        say("end", os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
