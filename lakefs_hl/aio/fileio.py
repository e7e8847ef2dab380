"""Objects as awaitable files: the blocking file, driven in a thread; and any data as a body that can be sent twice."""

from __future__ import annotations

import asyncio
import io
import os
import tempfile
from collections.abc import AsyncIterable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias, TypeVar
from weakref import WeakSet

from lakefs_hl import bodies, fileio
from lakefs_hl.bodies import SPOOL
from lakefs_hl.fileio import Text as Text
from lakefs_hl.fileio import split_mode as split_mode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator
    from types import TracebackType

    from lakefs_hl.client import Client
    from lakefs_hl.spec.wire import FileSlice

T_co = TypeVar("T_co", bound="str | bytes", covariant=True)
R = TypeVar("R")
#: What `upload` takes.
Data: TypeAlias = "bodies.Data | AsyncIterable[bytes]"


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

    A cancelled call may have been done all the same; a cancelled `close()` of a writer may have published.
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
        async with self._turn:
            return await asyncio.to_thread(method, *args)

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
        self._file = AsyncFile(await asyncio.to_thread(self._opener))
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
    place = _Place(at)
    return Opening(
        lambda: fileio.open_writer(
            place, path, mode, text, pre_signed=pre_signed, content_type=content_type, metadata=metadata
        )
    )


@asynccontextmanager
async def replayable(data: Data) -> AsyncIterator[bytes | FileSlice]:
    """Gives any data as a body that can be sent again; what takes time to read is read in a thread.

    Raises:
        TypeError: The data is nothing that can be uploaded.
    """
    if isinstance(data, bytes | bytearray | memoryview | str | os.PathLike):
        with bodies.replayable(data) as body:
            yield body
        return
    if isinstance(data, AsyncIterable):
        with tempfile.SpooledTemporaryFile(SPOOL) as spool:
            async for block in data:
                spool.write(block)
            with bodies.body_of(spool) as body:
                yield body
        return
    blocking = bodies.replayable(data)
    body = await asyncio.to_thread(blocking.__enter__)
    try:
        yield body
    except BaseException as error:
        if not blocking.__exit__(type(error), error, error.__traceback__):
            raise
    else:
        blocking.__exit__(None, None, None)
