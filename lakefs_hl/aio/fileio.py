"""Objects as awaitable files: the blocking file, driven in a thread; and any data as a body that can be sent twice.

Rules of the room: whatever may wait (a disk, a pipe, the caller's own `read()`) is called in a thread, and one thread
at a time has a file, cancelled or not.
"""

from __future__ import annotations

import asyncio
import inspect
import io
import tempfile
import threading
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeAlias, TypeVar
from weakref import WeakSet

from lakefs_hl import bodies, fileio, unclosed
from lakefs_hl.bodies import BLOCK, SPOOL
from lakefs_hl.modes import Text as Text
from lakefs_hl.modes import split_mode as split_mode
from lakefs_hl.transport.aio import start

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import TracebackType

    from lakefs_hl.client import Client
    from lakefs_hl.spec.wire import FileSlice

T_co = TypeVar("T_co", bound="str | bytes", covariant=True)
R = TypeVar("R")
#: What `upload` takes.
Data: TypeAlias = "bodies.Data | AsyncIterable[bytes]"
#: How much of a body in memory is copied or encoded on the loop, bytes: more would hold up its other tasks.
ON_LOOP: Final = 1 << 20
#: After how many blocks of an asynchronous body the loop's other tasks run.
TURN: Final = 64


class _Asked(Protocol):
    @property
    def _blocking(self) -> Client: ...


class At(Protocol):
    """Where a file is: an awaitable reference."""

    _repository_id: str
    _id: str

    @property
    def _client(self) -> _Asked: ...


class AsyncFile(Generic[T_co]):
    """A file whose methods are awaited; each runs the blocking file's in a thread, one at a time.

    A cancelled call may have been done all the same; a cancelled `close()` of a writer may have published. Its thread
    goes on until it is done, and the next call waits for it.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self._turn = asyncio.Lock()

    @property
    def name(self) -> str:
        """The URI of the object."""
        file = getattr(self._file, "buffer", self._file)
        name: str = getattr(file, "raw", file).name
        return name

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        closed: bool = self._file.closed
        return closed

    async def _call(self, method: Callable[..., R], *args: Any) -> R:
        await self._turn.acquire()
        try:
            work = start(method, *args)
        except BaseException:
            self._turn.release()
            raise
        work.add_done_callback(self._end)  # not when the caller stops waiting: when the thread is out of the file
        return await asyncio.shield(work)

    def _end(self, work: asyncio.Future[Any]) -> None:
        self._turn.release()
        _look_at(work)

    async def read(self, size: int = -1) -> T_co:
        """Reads characters or bytes; all that is left if `size` is negative."""
        content: T_co = await self._call(self._file.read, size)
        return content

    async def readline(self, size: int = -1) -> T_co:
        """Reads one line, with its end."""
        line: T_co = await self._call(self._file.readline, size)
        return line

    async def readlines(self, hint: int = -1) -> list[T_co]:
        """Reads all lines that are left, or as many as make `hint` bytes."""
        return await self._call(self._file.readlines, hint)

    async def readinto(self, buffer: Any) -> int:
        """Fills a buffer; returns how many bytes."""
        return await self._call(self._file.readinto, buffer)

    async def write(self, data: Any) -> int:
        """Takes bytes, or `str` in text mode; returns how many."""
        return await self._call(self._file.write, data)

    async def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves; returns where to."""
        return await self._call(self._file.seek, offset, whence)

    async def tell(self) -> int:
        """Returns where the next read or write is."""
        return await self._call(self._file.tell)

    async def close(self) -> None:
        """Closes the file; a writer publishes."""
        await self._call(self._file.close)

    async def discard(self) -> None:
        """Closes a writer and publishes nothing."""
        await self._call(self._file.discard)

    def __aiter__(self) -> AsyncFile[T_co]:
        """Line after line."""
        return self

    async def __anext__(self) -> T_co:
        """The next line."""
        line = await self.readline()
        if not line:
            raise StopAsyncIteration
        return line

    async def __aenter__(self) -> AsyncFile[T_co]:
        """Itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes; a writer publishes, unless an exception is on its way."""
        await self._call(self._file.__exit__, kind, error, trace)


class Opening(Generic[T_co]):
    """A file about to be opened: `await` it, or use it in `async with`."""

    def __init__(self, opener: Callable[[], Any]) -> None:
        self._opener = opener
        self._file: AsyncFile[T_co] | None = None

    async def _open(self) -> AsyncFile[T_co]:
        work = start(self._opener)
        try:
            self._file = AsyncFile(await asyncio.shield(work))
        except asyncio.CancelledError:
            work.add_done_callback(_close)
            raise
        return self._file

    def __await__(self) -> Generator[Any, None, AsyncFile[T_co]]:
        """Opens the file."""
        return self._open().__await__()

    async def __aenter__(self) -> AsyncFile[T_co]:
        """Opens the file."""
        return await self._open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the file; a writer publishes, unless an exception is on its way."""
        if self._file is not None:
            await self._file.__aexit__(kind, error, trace)


class _Place:
    """Where a file is, for the blocking file that does the work."""

    def __init__(self, at: At) -> None:
        self._repository_id = at._repository_id
        self._id = at._id
        self._client = at._client._blocking
        self._writers: WeakSet[fileio.ObjectWriter] | None = getattr(at, "_writers", None)
        self._lost: list[str] | None = getattr(at, "_lost", None)


def open_reader(at: At, path: str, mode: str, text: Text, *, pre_signed: bool | None, buffering: int) -> Opening[Any]:
    """Prepares to open an object for reading; bad arguments are errors at once."""
    split_mode(mode, writable=False)
    place = _Place(at)
    return Opening(
        lambda: fileio.open_reader(place, path, mode, text, pre_signed=pre_signed, buffering=buffering),
    )


def open_writer(
    at: At,
    path: str,
    mode: str,
    text: Text,
    *,
    pre_signed: bool | None,
    content_type: str | None,
    metadata: dict[str, str] | None,
) -> Opening[Any]:
    """Prepares to open an object for writing; bad arguments are errors at once."""
    split_mode(mode, writable=True)
    place, opened = _Place(at), unclosed.opened_here("async with")  # here: the thread knows nothing of the caller
    return Opening(
        lambda: fileio.open_writer(
            place,
            path,
            mode,
            text,
            pre_signed=pre_signed,
            content_type=content_type,
            metadata=metadata,
            opened=opened,
        )
    )


def _look_at(work: asyncio.Future[Any]) -> None:
    """Takes note of an error that nobody waits for any more, so that the loop does not report it."""
    if not work.cancelled():
        work.exception()


def _close(work: asyncio.Future[Any]) -> None:
    """Closes a file that was opened for a caller who was cancelled; a writer publishes nothing."""
    if not work.cancelled() and work.exception() is None:
        file = work.result()
        getattr(file, "discard", file.close)()


# -- bodies ------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def replayable(data: Data) -> AsyncIterator[bytes | FileSlice]:
    """Gives any data as a body that can be sent again; what takes time to read is read in a thread.

    A cancelled reading ends after the block that is being read.

    Raises:
        TypeError: The data is nothing that can be uploaded.
        BlockingIOError: A non-blocking stream has no data.
    """
    if _is_short(data):
        with bodies.replayable(data) as body:  # type: ignore[arg-type]  # a short one is not asynchronous
            yield body
        return
    blocks = _blocks(data)
    if blocks is not None:
        with tempfile.SpooledTemporaryFile(SPOOL) as spool:
            await _spool(blocks, spool)
            yield await start(bodies.body_of, spool)
        return
    async with _in_another_thread(data) as body:
        yield body


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


def _is_short(data: object) -> bool:
    """Whether it lies in memory and takes no time to copy or encode."""
    if type(data) is bytes:
        return True
    if isinstance(data, memoryview):
        return data.nbytes <= ON_LOOP
    return isinstance(data, bytes | bytearray | str) and len(data) <= ON_LOOP


def _blocks(data: Any) -> AsyncIterator[bytes] | None:
    """The blocks of an asynchronous stream or iterable; None if it is neither."""
    if inspect.iscoroutinefunction(getattr(data, "read", None)):
        return _read(data)
    return _iterate(data) if isinstance(data, AsyncIterable) else None


async def _spool(blocks: AsyncIterator[bytes], spool: tempfile.SpooledTemporaryFile[bytes]) -> None:
    """Writes blocks to a spool in a thread, some at a time; the loop's other tasks run between them."""
    held: list[bytes] = []
    size = 0
    async for block in blocks:
        held.append(block)
        size += len(block)
        if size >= ON_LOOP:
            await start(spool.writelines, held)
            held, size = [], 0
        elif not len(held) % TURN:
            await asyncio.sleep(0)  # blocks that are there at once: the loop would not turn by itself
    if len(held) < TURN:
        spool.writelines(held)
    else:
        await start(spool.writelines, held)


async def _converted(convert: Callable[..., R], block: Any, *args: Any) -> R:
    """Converts a block, a large one that has to be copied in a thread."""
    if isinstance(block, str | bytearray | memoryview) and not _is_short(block):
        return await start(convert, block, *args)
    return convert(block, *args)


async def _read(stream: Any) -> AsyncIterator[bytes]:
    source, kind = bodies.source_of(stream), None
    while True:
        content, kind = await _converted(bodies.stream_block, await stream.read(BLOCK), kind, source)
        if not content:
            return
        yield content


async def _iterate(data: AsyncIterable[Any]) -> AsyncIterator[bytes]:
    async for block in data:
        yield await _converted(bodies.block_of, block, "an asynchronous iterable body")
