"""The API as an ASGI application: bodies in, spooled when they are large; answers out, files in pieces.

Rules of the room: what only looks something up by its key runs on the loop, where it costs less than a change of
threads. Everything else runs on threads, so that writers can share one fsync and a long diff keeps nobody waiting:
writers, readers and transfers each have their own, because a writer may wait for another process's lock for long, and a
reader never does.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeAlias, TypeVar, cast

from lakefs_hl.local.api import App, answers, presign, principals
from lakefs_hl.local.serve import exchange
from lakefs_hl.local.serve.attempts import Attempts
from lakefs_hl.local.serve.door import Door
from lakefs_hl.local.serve.exchange import Asked
from lakefs_hl.local.serve.origins import Origins, is_preflight
from lakefs_hl.spec import endpoints
from lakefs_hl.spec.headers import IDEMPOTENCY_KEY
from lakefs_hl.spec.wire import FileSlice, Response

T = TypeVar("T")
Event: TypeAlias = dict[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Event]]
Send: TypeAlias = Callable[[Event], Awaitable[None]]

IN_MEMORY: Final = 1024 * 1024  # bytes of an upload that are held in memory
PIECE: Final = 1024 * 1024  # bytes of a file that are read and sent at once
#: Bytes of uploads that are held in memory, all together; beyond it even a small one goes to a file.
ALL_IN_MEMORY: Final = 64 * 1024 * 1024
#: Bytes of a response that are read on the loop.
SMALL: Final = 64 * 1024
WRITERS: Final = 32
READERS: Final = 16
TRANSFERS: Final = 8
#: Look-ups by key: tens of microseconds.
LIGHT: Final = frozenset(
    row.operation
    for row in (
        endpoints.STAT_OBJECT,
        endpoints.GET_OBJECT,
        *presign.READS,
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
#: Those of them that open a file outside of the lake, if the object was imported: the disk may be slow.
OPENING: Final = frozenset(row.operation for row in (endpoints.GET_OBJECT, *presign.READS))


class ClientGone(Exception):
    """The client went away before its request was complete."""


class Asgi:
    """An ASGI application around the API.

    Args:
        app: The API.
        folder: Where uploads wait on disk until they are complete; on the lake's own file system.
        door: Which requests are looked at.
        largest: Bytes of the largest upload.
        origins: Whose web pages may use signed URLs.

    Attributes:
        has_links: Whether there are signed URLs.
    """

    def __init__(
        self,
        app: App,
        folder: Path,
        door: Door,
        largest: int,
        origins: Origins = Origins(),  # noqa: B008 - a value
    ) -> None:
        self._app = app
        self._folder = folder
        self._door = door
        self._largest = largest
        self.has_links: bool = app.presign is not None
        self._origins = origins
        self._attempts = Attempts()
        self._light = LIGHT if app.import_roots == () else LIGHT - OPENING
        self._held = 0  # bytes of bodies in memory
        self._writers = ThreadPoolExecutor(WRITERS, "lakefs-hl-writer")
        self._readers = ThreadPoolExecutor(READERS, "lakefs-hl-reader")
        self._transfers = ThreadPoolExecutor(TRANSFERS, "lakefs-hl-transfer")
        self._running: set[Future[Any]] = set()

    def close(self, seconds: float) -> bool:
        """Waits for what runs, but not for longer than some seconds; returns whether it has ended."""
        for pool in (self._writers, self._readers, self._transfers):
            pool.shutdown(wait=False, cancel_futures=True)
        return not wait(self._running, seconds).not_done

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            return
        connection = scope["lakefs_hl"]
        method: str = scope["method"]
        headers = _headers(scope["headers"])
        path = cast("bytes", scope["raw_path"]).decode("latin-1")
        exit_ = _Exit(self, method, headers, receive, send)
        refusal = self._door.refusal(scope["headers"], connection.target)
        if refusal is not None:
            await exit_.answer(refusal, close=True)
            return
        if self.has_links and path in presign.ROWS:
            exit_.fields += self._origins.fields(headers)
            if is_preflight(method, headers):
                exit_.fields += self._origins.allowances(path, headers)
                await exit_.answer(Response(204, reason="No Content"), close=True)
                return
        asked = exchange.parse(self._app, method, path, scope["query_string"].decode("latin-1"), headers)
        if isinstance(asked, Response):
            if asked.status == 401 and principals.is_guess(self._app.keys, headers.get("authorization")):
                asked = self._slowed(asked, scope)
            await exit_.answer(asked, close=method not in ("GET", "HEAD"))
            return
        if asked.principal is not None:
            connection.trust()
        excess = exchange.excess(asked, self._largest) or await self._lack(asked)
        if excess is not None:
            await exit_.answer(excess, close=True)
            return
        try:
            await self._take(asked, scope, receive, exit_)
        except (ClientGone, asyncio.CancelledError):  # the latter at the end of the server
            return

    async def _take(self, asked: Asked, scope: Event, receive: Receive, exit_: _Exit) -> None:
        """Reads the body, asks the API, and answers."""
        held = _Body()
        close = False
        try:
            try:
                body = await self._body(asked, receive, held)
                response = await self._call(asked, body)
            except TooLarge as exc:
                response, close = answers.refuse(413, str(exc)), True
            except OSError as exc:  # the body could not be put aside
                response, close = exchange.failure(exc, asked.endpoint.operation), True
            if response.status == 401 and asked.endpoint is endpoints.LOGIN:
                response = self._slowed(response, scope)
            await exit_.answer(response, close=close)
        finally:
            self._held -= held.counted
            if held.spool is not None:
                held.spool.close()

    def _slowed(self, response: Response, scope: Event) -> Response:
        """The answer to wrong credentials, which is another one if there were many."""
        peer = scope["client"]
        seconds = self._attempts.wait(peer[0] if peer else "", time.monotonic())
        return exchange.too_many(seconds) if seconds else response

    async def _call(self, asked: Asked, body: bytes | FileSlice) -> Response:
        if asked.endpoint.operation in self._light and asked.is_plain:
            return exchange.answer(self._app, asked, body)
        pool = self._readers if asked.endpoint.method in ("GET", "HEAD") else self._writers
        return await self.run(pool, exchange.answer, self._app, asked, body)

    async def run(self, pool: ThreadPoolExecutor, work: Callable[..., T], *args: Any) -> T:
        """Runs something on a thread."""
        future = pool.submit(work, *args)
        self._running.add(future)
        future.add_done_callback(self._running.discard)
        return await asyncio.wrap_future(future)

    async def transfer(self, work: Callable[..., T], *args: Any) -> T:
        """Reads or writes a file on a thread."""
        return await self.run(self._transfers, work, *args)

    # -- in ---------------------------------------------------------------------------------------------------------

    async def _lack(self, asked: Asked) -> Response | None:
        """The refusal of an upload for which there is no room."""
        if not asked.is_upload or (asked.announced or 0) <= IN_MEMORY:
            return None
        return await self.transfer(exchange.lack, self._folder, asked.announced)

    async def _body(self, asked: Asked, receive: Receive, held: _Body) -> bytes | FileSlice:
        """The body, in memory or in a file that goes when it is closed."""
        most = exchange.most(asked, self._largest)
        size = 0
        while True:
            event = await receive()
            if event["type"] == "http.disconnect":
                raise ClientGone
            piece: bytes = event.get("body", b"")
            size += len(piece)
            if size > most:
                raise TooLarge(exchange.too_large(asked, most))
            held.pieces.append(piece)
            held.counted += len(piece)
            self._held += len(piece)
            if asked.is_upload and (held.counted > IN_MEMORY or (held.counted and self._held > ALL_IN_MEMORY)):
                await self._spool(held)
            if not event.get("more_body", False):
                break
        if held.spool is None:
            return b"".join(held.pieces)
        await self._spool(held)
        return FileSlice(held.spool.fileno(), 0, size)

    async def _spool(self, held: _Body) -> None:
        """Moves what is in memory to the file."""
        pieces, held.pieces = held.pieces, []
        held.spool = await self.transfer(_write_all, held.spool, self._folder, pieces)
        self._held -= held.counted
        held.counted = 0


class _Body:
    """A body that arrives: what of it is in memory, and the file with the rest."""

    __slots__ = ("counted", "pieces", "spool")

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.counted = 0
        self.spool: BinaryIO | None = None


class _Exit:
    """The way out for one request's answer."""

    def __init__(self, asgi: Asgi, method: str, asked: Mapping[str, str], receive: Receive, send: Send) -> None:
        self._asgi, self._method, self._asked = asgi, method, asked
        self._receive, self._send = receive, send
        #: Further headers of the answer.
        self.fields: list[tuple[bytes, bytes]] = []

    async def answer(self, response: Response, *, close: bool = False) -> None:
        """Sends an answer."""
        head = self._method == "HEAD"
        key = self._asked.get(IDEMPOTENCY_KEY)
        headers = [*exchange.dress(response, head=head, key=key, links=self._asgi.has_links), *self.fields]
        if close:
            headers.append((b"connection", b"close"))
        try:
            body = b"" if head else response.body
            if isinstance(body, FileSlice) and body.length <= PIECE:
                if body.length <= SMALL:
                    body = _read(body, 0, body.length)
                else:
                    body = await self._asgi.transfer(_read, body, 0, body.length)
            await self._send({"type": "http.response.start", "status": response.status, "headers": headers})
            if isinstance(body, FileSlice):
                await self._stream(body)
            else:
                await self._send({"type": "http.response.body", "body": body})
        finally:
            if response.done is not None:
                response.done()

    async def _stream(self, body: FileSlice) -> None:
        """Sends a file in pieces, until the client goes."""
        gone = asyncio.ensure_future(self._receive())
        try:
            at = 0
            while at < body.length and not gone.done():
                data = await self._asgi.transfer(_read, body, at, PIECE)
                at += len(data)
                await self._send({"type": "http.response.body", "body": data, "more_body": at < body.length})
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


def _write_all(spool: BinaryIO | None, folder: Path, pieces: Iterable[bytes]) -> BinaryIO:
    """Appends to a file without a name: it is gone with its last user, whatever ends the process."""
    made = spool or cast("BinaryIO", tempfile.TemporaryFile(dir=folder, buffering=0))  # noqa: SIM115 - closed with its request
    try:
        for piece in pieces:
            view = memoryview(piece)
            while view:
                view = view[made.write(view) :]
    except BaseException:
        made.close()
        raise
    return made


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
