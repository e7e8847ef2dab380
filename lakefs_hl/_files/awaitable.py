"""Awaitable files: blocking files that run in a thread."""

from __future__ import annotations

import asyncio
import io
import warnings
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from lakefs_hl._files import unclosed
from lakefs_hl._files.opening import Plan, open_here
from lakefs_hl.spec.errors import LakeFSException
from lakefs_hl.spec.tracebacks import cut_traceback
from lakefs_hl.spec.uri import object_uri
from lakefs_hl.transport.aio import start

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import TracebackType

T_co = TypeVar("T_co", bound="str | bytes", covariant=True)
R = TypeVar("R")


class AsyncFile(Generic[T_co]):
    """A file whose methods are awaited. Each runs the method of a blocking file in a thread, one at a time.

    A cancelled call may have been executed, and a cancelled `close()` of a writer may have published. Its thread runs
    to the end, and the next call waits for it.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self._lock = asyncio.Lock()

    @property
    def name(self) -> str:
        """URI of the object."""
        file = getattr(self._file, "buffer", self._file)
        name: str = getattr(file, "raw", file).name
        return name

    @property
    def closed(self) -> bool:
        """Whether the file is closed."""
        closed: bool = self._file.closed
        return closed

    async def _call(self, method: Callable[..., R], *args: Any) -> R:
        await self._lock.acquire()
        try:
            work = start(method, *args)
        except BaseException:
            self._lock.release()
            raise
        work.add_done_callback(self._end)  # when the thread has left the file, not when the caller stops waiting
        return await asyncio.shield(work)

    def _end(self, work: asyncio.Future[Any]) -> None:
        self._lock.release()
        _retrieve_error(work)

    async def read(self, size: int = -1) -> T_co:
        """Read at most `size` characters or bytes; all that is left if `size` is negative."""
        content: T_co = await self._call(self._file.read, size)
        return content

    async def readline(self, size: int = -1) -> T_co:
        """Read one line, including its line ending."""
        line: T_co = await self._call(self._file.readline, size)
        return line

    async def readlines(self, hint: int = -1) -> list[T_co]:
        """Read the remaining lines, or about `hint` bytes of them."""
        return await self._call(self._file.readlines, hint)

    async def readinto(self, buffer: Any) -> int:
        """Read bytes into a buffer and return their number."""
        return await self._call(self._file.readinto, buffer)

    async def write(self, data: Any) -> int:
        """Write bytes, or text in text mode, and return the number of bytes or characters."""
        return await self._call(self._file.write, data)

    async def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the position and return it."""
        return await self._call(self._file.seek, offset, whence)

    async def tell(self) -> int:
        """Return the position."""
        return await self._call(self._file.tell)

    async def close(self) -> None:
        """Close the file. A writer publishes."""
        await self._call(self._file.close)

    async def discard(self) -> None:
        """Close a writer and publish nothing."""
        await self._call(self._file.discard)

    def __aiter__(self) -> AsyncFile[T_co]:
        return self

    async def __anext__(self) -> T_co:
        line = await self.readline()
        if not line:
            raise StopAsyncIteration
        return line

    async def __aenter__(self) -> AsyncFile[T_co]:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file. A writer publishes, unless an exception propagates."""
        await self._call(self._file.__exit__, kind, error, trace)


class Opening(Generic[T_co]):
    """A file to be opened: `await` it, or use it in `async with`."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        # The thread that opens the file does not have the caller's code in its stack.
        self._opened = unclosed.find_open_call("async with")
        self._started = False
        self._file: AsyncFile[T_co] | None = None

    def __del__(self) -> None:
        if not self.__dict__.get("_started", True):
            opened = self._opened
            text = f"{self!r} was neither awaited nor entered: the file was never opened"
            warnings.warn_explicit(text, ResourceWarning, opened.file, opened.line, opened.module)

    def __repr__(self) -> str:
        place = self._plan.place
        return f"<{type(self).__name__} {object_uri(place._repository_id, place._id, self._plan.path)}>"

    async def _open(self) -> AsyncFile[T_co]:
        self._started = True
        work = start(open_here, self._plan, self._opened)
        try:
            self._file = AsyncFile(await asyncio.shield(work))
        except asyncio.CancelledError:
            work.add_done_callback(_close)
            raise
        except LakeFSException as exc:
            cut_traceback(exc)
            raise
        return self._file

    def __await__(self) -> Generator[Any, None, AsyncFile[T_co]]:
        """Open the file."""
        return self._open().__await__()

    async def __aenter__(self) -> AsyncFile[T_co]:
        """Open the file."""
        return await self._open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file. A writer publishes, unless an exception propagates."""
        if self._file is not None:
            await self._file.__aexit__(kind, error, trace)


class Writing(Opening[T_co]):
    """A file to be opened for writing: `await` it, or use it in `async with`."""


def _retrieve_error(work: asyncio.Future[Any]) -> None:
    """Retrieve an error that no caller waits for, or the loop would report it as unhandled."""
    if not work.cancelled():
        work.exception()


def _close(work: asyncio.Future[Any]) -> None:
    """Close a file that was opened for a cancelled caller. A writer publishes nothing."""
    if not work.cancelled() and work.exception() is None:
        file = work.result()
        getattr(file, "discard", file.close)()
