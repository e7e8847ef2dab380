"""Any data, asynchronous streams and iterables too, as a body that can be sent twice."""

from __future__ import annotations

import asyncio
import inspect
import tempfile
import threading
from collections.abc import AsyncIterable, AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from lakefs_hl._files import bodies, saving
from lakefs_hl._files.bodies import BLOCK, SPOOL
from lakefs_hl.transport.aio import start

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Buffer

    from lakefs_hl.spec.wire import FileSlice

R = TypeVar("R")
#: What `upload` takes.
Data: TypeAlias = (
    "bodies.Data | AsyncIterable[Buffer] | AsyncIterable[str] | "
    "Callable[[], AsyncIterable[Buffer] | AsyncIterable[str] | Awaitable[Any]]"
)
#: Largest body in memory that is copied or encoded on the loop, in bytes. More would delay its other tasks.
ON_LOOP: Final = 1 << 20
#: Number of blocks of an asynchronous body after which the loop's other tasks run.
BLOCKS_PER_SLICE: Final = 64


@asynccontextmanager
async def replayable(data: Data) -> AsyncIterator[bytes | FileSlice]:
    """Yield any data as a body that can be sent again. What takes time to read is read in a thread.

    A cancelled read ends after the current block.

    Raises:
        TypeError: The data has a type that cannot be uploaded.
        BlockingIOError: A non-blocking stream has no data.
    """
    if _is_short(data):
        with bodies.replayable(data) as body:  # type: ignore[arg-type]  # a short one is not asynchronous
            yield body
        return
    if bodies.is_factory(data):
        async with _made_by(data) as made, replayable(made) as body:
            yield body
        return
    blocks = blocks_of(data)
    if blocks is not None:
        with tempfile.SpooledTemporaryFile(SPOOL) as spool:
            await _spool(blocks, spool)
            yield await start(bodies.body_of, spool)
        return
    async with _in_another_thread(data) as body:
        yield body


@asynccontextmanager
async def _made_by(factory: Callable[[], Any]) -> AsyncIterator[Any]:
    """Yield what a callable makes, and close it in the end: nothing else refers to it. It is called on the loop."""
    made = factory()
    if inspect.isawaitable(made):
        made = await made
    try:
        bodies.check_made(made)
        yield made
    finally:
        close = getattr(made, "aclose", None) or getattr(made, "close", None)
        if close is not None and inspect.isawaitable(closing := close()):
            await closing


@asynccontextmanager
async def _in_another_thread(data: Any) -> AsyncIterator[bytes | FileSlice]:
    stop = threading.Event()
    blocking = bodies.replayable(data, stop.is_set)
    try:
        body = await start(blocking.__enter__)
    except BaseException:
        stop.set()
        raise
    try:
        yield body
    except BaseException as error:
        if not blocking.__exit__(type(error), error, error.__traceback__):
            raise
    else:
        blocking.__exit__(None, None, None)


async def save_in_thread(plan: saving.Saving) -> int:
    """Download an object to a file in a thread. A cancelled download ends after the current range."""
    return await run_in_thread(saving.save, plan)


async def run_in_thread(function: Callable[..., R], *args: Any) -> R:
    """Run a function in a thread. Its last argument is asked whether the caller was cancelled."""
    stop = threading.Event()
    try:
        return await start(function, *args, stop.is_set)
    except BaseException:
        stop.set()
        raise


def _is_short(data: object) -> bool:
    """Return whether the data is in memory and short enough to be copied or encoded on the loop."""
    if type(data) is bytes:
        return True
    if isinstance(data, memoryview):
        return data.nbytes <= ON_LOOP
    return isinstance(data, bytes | bytearray | str) and len(data) <= ON_LOOP


def blocks_of(data: Any) -> AsyncIterator[bytes] | None:
    """Return the blocks of an asynchronous stream or iterable. None if it is neither."""
    if inspect.iscoroutinefunction(getattr(data, "read", None)):
        return _read(data)
    return _iterate(data) if isinstance(data, AsyncIterable) else None


async def _spool(blocks: AsyncIterator[bytes], spool: tempfile.SpooledTemporaryFile[bytes]) -> None:
    """Write blocks to a spool in a thread, in batches; other tasks of the loop run in between."""
    held: list[bytes] = []
    size = 0
    async for block in blocks:
        held.append(block)
        size += len(block)
        if size >= ON_LOOP:
            await start(spool.writelines, held)
            held, size = [], 0
        elif not len(held) % BLOCKS_PER_SLICE:
            await asyncio.sleep(0)  # an iterable that never waits would keep the loop busy
    if len(held) < BLOCKS_PER_SLICE:
        spool.writelines(held)
    else:
        await start(spool.writelines, held)


async def _convert_block(convert: Callable[..., R], block: Any, *args: Any) -> R:
    """Convert a block; a large one that has to be copied, in a thread."""
    if not _is_short(block):
        return await start(convert, block, *args)
    return convert(block, *args)


async def _read(stream: Any) -> AsyncIterator[bytes]:
    source, kind = bodies.source_of(stream), None
    while True:
        content, kind = await _convert_block(bodies.stream_block, await stream.read(BLOCK), kind, source)
        if not content:
            return
        yield content


async def _iterate(data: AsyncIterable[Any]) -> AsyncIterator[bytes]:
    kind = None
    async for block in data:
        content, kind = await _convert_block(bodies.stream_block, block, kind, "an asynchronous iterable body")
        yield content
