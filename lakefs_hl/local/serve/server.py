"""A listening socket and the server behind it, until a signal or a call ends it.

The socket is made here and handed over, so that a port of 0 is known before the first request, and a port that another
server has is an error and never shared.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, Final, TypeAlias

import uvicorn

from lakefs_hl.local.api import App
from lakefs_hl.local.serve.access import Access
from lakefs_hl.local.serve.asgi import Asgi
from lakefs_hl.local.serve.connections import Connections, capacity
from lakefs_hl.local.serve.door import Door
from lakefs_hl.local.serve.guard import Guarded
from lakefs_hl.local.serve.handshake import Handshake
from lakefs_hl.local.serve.journal import bounded
from lakefs_hl.local.serve.origins import Origins, parse
from lakefs_hl.spec.errors import InvalidConfigError

BACKLOG: Final = 1024
#: Connections that are accepted in one turn of the loop: so many may be open beyond the limit for a moment.
ACCEPTED: Final = 64
KEEP_ALIVE: Final = 15  # seconds that an idle connection is kept
GRACE_SECONDS: Final = 1.0  # for requests under way, once the server is to end
#: For what still runs on threads after that.
THREADS_SECONDS: Final = 0.5
_TICK_SECONDS: Final = 0.02
_Handler: TypeAlias = Callable[[int, FrameType | None], Any] | int | None


class HttpServer:
    """The API on a socket.

    Args:
        app: The API.
        folder: Where uploads wait until they are complete.
        access: Where to listen, and for whom.

    Attributes:
        url: Where it answers.
        connections: Its connections.
    """

    def __init__(self, app: App, folder: Path, access: Access) -> None:
        context = access.context()
        door = Door(access.hosts())
        origins = Origins(map(parse, access.origins))
        self._socket = listen(access)
        self.url: str = access.url(self._socket.getsockname()[1])
        self.connections = Connections(capacity())
        self._asgi = Asgi(app, folder, door, access.largest, origins)
        config = uvicorn.Config(
            self._asgi,
            interface="asgi3",
            http=Guarded,
            loop="asyncio",
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            log_level="error",  # at a lower level of the root logger it logs whole URLs, with the signatures of links
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE,
        )
        self._server = _Server(config, self.connections, self._socket, context)

    def run(self, ready: Callable[[], None] | None = None) -> bool:
        """Answers until SIGINT or SIGTERM arrives or `stop` is called; then finishes what is under way.

        Args:
            ready: Called once, when requests are taken; from then on a signal ends the server in good order.

        Returns:
            Whether everything ended. If not, threads are still at requests that took too long.
        """
        ended = False
        try:
            with _signals(self.stop), bounded():
                if ready is not None:
                    ready()
                asyncio.run(self._server.serve(sockets=[self._socket]))
        finally:
            ended = self._asgi.close(THREADS_SECONDS)
            self._socket.close()
        return ended

    def stop(self) -> None:
        """Ends `run`; may be called from any thread."""
        self._server.should_exit = True


class _Server(uvicorn.Server):
    """uvicorn's server with our socket, our limits, and an end that no client can delay."""

    def __init__(
        self,
        config: uvicorn.Config,
        connections: Connections,
        listener: socket.socket,
        context: ssl.SSLContext | None,
    ) -> None:
        super().__init__(config)
        self._connections, self._listener, self._context = connections, listener, context

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Take requests."""
        loop = asyncio.get_running_loop()
        make = partial(
            Guarded, self._connections, config=self.config, server_state=self.server_state, app_state={}, _loop=loop
        )
        factory: Callable[[], asyncio.Protocol] = make
        if self._context is not None:
            factory = partial(Handshake, make, self._context, self._connections, loop)
        self.servers = [await loop.create_server(factory, sock=self._listener, backlog=ACCEPTED)]
        self._listener.listen(BACKLOG)  # asyncio takes one number for two things, and has just set the smaller one
        self.started = True

    async def on_tick(self, counter: int) -> bool:
        """Look after the connections once a second."""
        if counter % 10 == 0:
            self._connections.sweep(asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish what is under way, as long as that takes no longer than the grace."""
        for server in self.servers:
            server.close()
        loop = asyncio.get_running_loop()
        open_now: set[Any] = self.server_state.connections
        for one in list(open_now):
            one.shutdown()
        end = loop.time() + GRACE_SECONDS
        while open_now and loop.time() < end:  # noqa: ASYNC110 - the sets are uvicorn's, and tell nobody
            await asyncio.sleep(_TICK_SECONDS)
        for one in list(open_now):
            one.drop()
        while self.server_state.tasks and loop.time() < end + 5 * _TICK_SECONDS:  # noqa: ASYNC110 - the same
            await asyncio.sleep(_TICK_SECONDS)


def listen(access: Access) -> socket.socket:
    """Makes the listening socket.

    Raises:
        InvalidConfigError: The address is not this machine's own, taken, or needs further options.
    """
    address = access.address()
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    # The protocol is named because asyncio sends at once (TCP_NODELAY) only on sockets that say they are TCP: without
    # it every answer on a kept connection waits 40 ms for the client's acknowledgement.
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((str(address), access.port))
        made.listen(BACKLOG)
    except (OSError, OverflowError) as exc:
        made.close()
        reason = getattr(exc, "strerror", None) or exc
        raise InvalidConfigError(
            f"cannot listen on {access.host} port {access.port}: {reason}; --port 0 takes a free one"
        ) from None
    return made


@contextlib.contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[None]:
    """Has a signal end the server and not the process: the lake is still to be closed.

    The server raises the signals that it took once more when it is done; they too end here. Off the main thread there
    are no signals to take.
    """

    def end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - what a handler takes
        stop()

    before: dict[int, _Handler] = {}
    with contextlib.suppress(ValueError):
        for number in (int(signal.SIGINT), int(signal.SIGTERM)):
            before[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
