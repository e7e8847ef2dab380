"""Awaitable streams and listings: closing them cancels what is being fetched."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import aio
from lakefs_hl.aio.default import of
from lakefs_hl.spec.wire import Request, Response
from lakefs_hl.transport.aio import Aio
from lakefs_hl.transport.scope import Scope
from tests.threads import LIMIT

CONTENT = bytes(range(256)) * 4 * 1024 * 12  # 12 MiB


class Gate:
    """A transport over which one request waits until it is cancelled."""

    fan_out = 4

    def __init__(self, inner: Any, number: int) -> None:
        self._inner = inner
        self._number = number
        self.requests: list[Request] = []
        self.waiting, self.cancelled = threading.Event(), threading.Event()

    def send(self, request: Request, scope: Scope | None = None, within: float | None = None) -> Response:
        self.requests.append(request)
        if len(self.requests) == self._number and scope is not None:
            scope.attach(self.cancelled.set)
            self.waiting.set()
            assert self.cancelled.wait(LIMIT), "nothing cancelled the request"
            scope.detach()
            scope.check()
        response: Response = self._inner.send(request, scope, within)
        return response

    def close(self) -> None:
        self._inner.close()


@pytest.fixture
def lake() -> Any:
    with lakefs_hl.Client("mem://") as client:
        main = lakefs_hl.repository("example", client=client).create().branch("main")
        with main.transaction("many") as tx:
            tx.upload_many((f"many/{number:04}", b"") for number in range(2500))
        main.upload(CONTENT, "large")
        yield client


def gated(lake: lakefs_hl.Client, number: int) -> tuple[aio.Branch, Gate]:
    gate, client = Gate(lake._transport, number), of(lake.with_options())
    client._driver = Aio(gate)
    client._transport = gate
    client._in_process = False
    return aio.repository("example", client=client).branch("main"), gate


def test_chunks_are_the_content(lake: lakefs_hl.Client) -> None:
    async def main() -> None:
        branch, gate = gated(lake, 0)
        async with branch.stream("large", chunk_size=1_000_000, pre_signed=False) as chunks:
            assert b"".join([chunk async for chunk in chunks]) == CONTENT
        assert len(gate.requests) == 4  # 1 MB, then 4 MB each

    asyncio.run(main())


@pytest.mark.parametrize(
    ("make", "rows"),
    [
        (lambda branch: branch.stream("large", pre_signed=False), 2),  # the second range, and then the third
        (lambda branch: branch.list_objects(recursive=True), 1001),
        (lambda branch: branch.glob("many/*"), 501),
    ],
    ids=["stream", "listing", "glob"],
)
@pytest.mark.parametrize("leave", ["with", "close", "cancel"])
def test_leaving_cancels_what_is_being_fetched(
    lake: lakefs_hl.Client, make: Callable[[aio.Branch], Any], rows: int, leave: str
) -> None:
    branch, gate = gated(lake, 3)

    async def read(source: Any) -> None:
        for _ in range(rows):
            await anext(source)
        assert await asyncio.to_thread(gate.waiting.wait, LIMIT)
        assert not gate.cancelled.is_set()

    async def main() -> None:
        source = make(branch)
        if leave == "close":
            await read(source)
            await source.close()
        elif leave == "with":
            async with source:
                await read(source)
        else:

            async def to_the_end() -> None:
                async with source:
                    async for _ in source:
                        pass

            task = asyncio.ensure_future(to_the_end())
            assert await asyncio.to_thread(gate.waiting.wait, LIMIT)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert gate.cancelled.is_set()
        with pytest.raises((StopAsyncIteration, RuntimeError)):
            await anext(source)
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())
    assert len(gate.requests) == 3


def test_a_stream_that_failed_never_looks_complete(lake: lakefs_hl.Client) -> None:
    async def main() -> None:
        branch, _ = gated(lake, 0)
        stream = branch.stream("none", pre_signed=False)
        for _ in range(2):
            with pytest.raises(lakefs_hl.exceptions.ObjectNotFoundException):
                await anext(stream)

    asyncio.run(main())
