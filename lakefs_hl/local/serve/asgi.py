"""The API as an ASGI application: bodies in, spooled when they are large; answers out, files in pieces.

Rules of the room: what only looks something up by its key runs on the loop, where it costs less than a change of
threads; everything else runs on threads, so that writers can share one fsync and a long diff keeps nobody waiting.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeAlias, cast

from lakefs_hl.local.api import App, answers
from lakefs_hl.local.serve import exchange
from lakefs_hl.local.serve.exchange import Asked
from lakefs_hl.spec import endpoints
from lakefs_hl.spec.headers import IDEMPOTENCY_KEY
from lakefs_hl.spec.wire import FileSlice, Response

Event: TypeAlias = dict[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Event]]
Send: TypeAlias = Callable[[Event], Awaitable[None]]

IN_MEMORY: Final = 1024 * 1024  # bytes of an upload that are held in memory
PIECE: Final = 1024 * 1024  # bytes of a file that are read and sent at once
THREADS: Final = 32
#: Look-ups by key: tens of microseconds.
LIGHT: Final = frozenset(
    row.operation
    for row in (
        endpoints.STAT_OBJECT,
        endpoints.GET_OBJECT,
        endpoints.HEAD_OBJECT,
        endpoints.GET_BRANCH,
        endpoints.GET_TAG,
        endpoints.GET_REPOSITORY,
        endpoints.HEALTH_CHECK,
        endpoints.GET_CONFIG,
        endpoints.GET_LAKEFS_VERSION,
        endpoints.GET_STORAGE_CONFIG,
        endpoints.GET_CURRENT_USER,
    )
)


class ClientGone(Exception):
    """The client went away before its request was complete."""


class Asgi:
    """An ASGI application around the API.

    Args:
        app: The API.
        folder: Where uploads wait on disk until they are complete; on the lake's own file system.
    """

    def __init__(self, app: App, folder: Path) -> None:
        self._app = app
        self._folder = folder
        self._threads = ThreadPoolExecutor(THREADS, "lakefs-hl-serve")

    def close(self) -> None:
        """Waits for what runs."""
        self._threads.shutdown(wait=True)

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            return
        method: str = scope["method"]
        headers = _headers(scope["headers"])
        path = cast("bytes", scope["raw_path"]).decode("latin-1")
        asked = exchange.parse(self._app, method, path, scope["query_string"].decode("latin-1"), headers)
        if isinstance(asked, Response):
            await self._answer(asked, method, headers, receive, send, close=method not in ("GET", "HEAD"))
            return
        spool, close = None, False
        try:
            try:
                body, spool = await self._body(asked, receive)
                response = await self._call(asked, body)
            except TooLarge as exc:
                response, close = answers.refuse(413, str(exc)), True
            except OSError as exc:  # the body could not be put aside
                response, close = exchange.failure(exc, asked.endpoint.operation), True
            await self._answer(response, method, headers, receive, send, close=close)
        except ClientGone:
            return
        finally:
            if spool is not None:
                spool.close()

    async def _call(self, asked: Asked, body: bytes | FileSlice) -> Response:
        if asked.endpoint.operation in LIGHT:
            return exchange.answer(self._app, asked, body)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, exchange.answer, self._app, asked, body)

    # -- in ---------------------------------------------------------------------------------------------------------

    async def _body(self, asked: Asked, receive: Receive) -> tuple[bytes | FileSlice, BinaryIO | None]:
        """The body, in memory or in a file that goes when it is closed."""
        pieces: list[bytes] = []
        size = held = 0
        spool: BinaryIO | None = None
        try:
            while True:
                event = await receive()
                if event["type"] == "http.disconnect":
                    raise ClientGone
                piece: bytes = event.get("body", b"")
                pieces.append(piece)
                size += len(piece)
                held += len(piece)
                if size > exchange.MAX_BODY and not asked.is_upload:
                    raise TooLarge(f"request body: more than {exchange.MAX_BODY} bytes of JSON")
                if held > IN_MEMORY and asked.is_upload:
                    spool = spool or _open_spool(self._folder)
                    await self._write(spool, pieces)
                    pieces, held = [], 0
                if not event.get("more_body", False):
                    break
            if spool is None:
                return b"".join(pieces), None
            await self._write(spool, pieces)
        except BaseException:
            if spool is not None:
                spool.close()
            raise
        return FileSlice(spool.fileno(), 0, size), spool

    async def _write(self, spool: BinaryIO, pieces: Iterable[bytes]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._threads, _write_all, spool, b"".join(pieces))

    # -- out --------------------------------------------------------------------------------------------------------

    async def _answer(
        self,
        response: Response,
        method: str,
        asked: Mapping[str, str],
        receive: Receive,
        send: Send,
        *,
        close: bool = False,
    ) -> None:
        head = method == "HEAD"
        headers = exchange.dress(response, head=head, key=asked.get(IDEMPOTENCY_KEY))
        if close:
            headers.append((b"connection", b"close"))
        try:
            await send({"type": "http.response.start", "status": response.status, "headers": headers})
            body = b"" if head else response.body
            if isinstance(body, FileSlice) and body.length > PIECE:
                await self._stream(body, receive, send)
            else:
                data = body if isinstance(body, bytes) else _read(body, 0, body.length)
                await send({"type": "http.response.body", "body": data})
        finally:
            if response.done is not None:
                response.done()

    async def _stream(self, body: FileSlice, receive: Receive, send: Send) -> None:
        """Sends a file in pieces, until the client goes."""
        loop = asyncio.get_running_loop()
        gone = asyncio.ensure_future(receive())
        try:
            at = 0
            while at < body.length and not gone.done():
                data = await loop.run_in_executor(self._threads, _read, body, at, PIECE)
                at += len(data)
                await send({"type": "http.response.body", "body": data, "more_body": at < body.length})
        finally:
            gone.cancel()


class TooLarge(Exception):
    """The body is larger than its operation takes."""


def _headers(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Lower-case names; the first of several wins. A value that is no UTF-8 is taken as Latin-1."""
    found: dict[str, str] = {}
    for name, value in pairs:
        try:
            found.setdefault(name.decode("latin-1"), value.decode())
        except UnicodeDecodeError:
            found.setdefault(name.decode("latin-1"), value.decode("latin-1"))
    return found


def _open_spool(folder: Path) -> BinaryIO:
    """A file without a name: it is gone with its last user, whatever ends the process."""
    return cast("BinaryIO", tempfile.TemporaryFile(dir=folder, buffering=0))


def _write_all(spool: BinaryIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[spool.write(view) :]


def _read(body: FileSlice, at: int, most: int) -> bytes:
    """Reads a piece of a file.

    Raises:
        OSError: The file is shorter than it was.
    """
    wanted = min(most, body.length - at)
    data = os.pread(body.fd, wanted, body.offset + at)
    if len(data) < wanted:
        data += b"".join(_rest(body.fd, wanted - len(data), body.offset + at + len(data)))
    return data


def _rest(fd: int, wanted: int, offset: int) -> Iterable[bytes]:
    while wanted:
        data = os.pread(fd, wanted, offset)
        if not data:
            raise OSError(f"a blob ends {wanted} bytes early")
        yield data
        wanted -= len(data)
        offset += len(data)
