"""A listening socket and the server behind it, until a signal or a call ends it.

The socket is made here and handed over, so that a port of 0 is known before the first request, and a port that another
server has is an error and never shared.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Final, TypeAlias

import uvicorn

from lakefs_hl.local.api import App
from lakefs_hl.local.serve.asgi import Asgi
from lakefs_hl.local.serve.guard import Guarded
from lakefs_hl.spec.errors import InvalidConfigError

BACKLOG: Final = 1024
KEEP_ALIVE: Final = 15  # seconds that an idle connection is kept
GRACE: Final = 10  # seconds that requests under way are waited for
_Handler: TypeAlias = Callable[[int, FrameType | None], Any] | int | None


class HttpServer:
    """The API on a socket of this machine.

    Args:
        app: The API.
        folder: Where uploads wait until they are complete.
        host: An address of this machine's loopback.
        port: Where to listen; 0 takes a free one.

    Attributes:
        url: Where it answers.
    """

    def __init__(self, app: App, folder: Path, host: str, port: int) -> None:
        self._socket = listen(host, port)
        found: int = self._socket.getsockname()[1]
        self.url: str = f"http://[{host}]:{found}" if ":" in host else f"http://{host}:{found}"
        self._asgi = Asgi(app, folder)
        config = uvicorn.Config(
            self._asgi,
            interface="asgi3",
            http=Guarded,
            loop="asyncio",
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=GRACE,
        )
        self._server = uvicorn.Server(config)

    def run(self, ready: Callable[[], None] | None = None) -> None:
        """Answers until SIGINT or SIGTERM arrives or `stop` is called; then finishes what is under way.

        Args:
            ready: Called once, when requests are taken; from then on a signal ends the server in good order.
        """
        try:
            with _signals(self.stop):
                if ready is not None:
                    ready()
                asyncio.run(self._server.serve(sockets=[self._socket]))
        finally:
            self._asgi.close()
            self._socket.close()

    def stop(self) -> None:
        """Ends `run`; may be called from any thread."""
        self._server.should_exit = True


def listen(host: str, port: int) -> socket.socket:
    """Makes the listening socket.

    Raises:
        InvalidConfigError: The address is not this machine's own, or taken.
    """
    if host == "localhost":
        host = "127.0.0.1"
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise InvalidConfigError(f"cannot listen on {host!r}: want an IP address such as 127.0.0.1") from None
    if not address.is_loopback:
        raise InvalidConfigError(
            f"cannot listen on {host}: only this machine's loopback is served, 127.0.0.1 or ::1; to reach "
            "the lake from elsewhere, put a proxy with TLS in front, or tunnel to it with ssh -L"
        )
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    # The protocol is named because asyncio sends at once (TCP_NODELAY) only on sockets that say they are TCP: without
    # it every answer on a kept connection waits 40 ms for the client's acknowledgement.
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(BACKLOG)
    except (OSError, OverflowError) as exc:
        made.close()
        reason = getattr(exc, "strerror", None) or exc
        raise InvalidConfigError(f"cannot listen on {host} port {port}: {reason}; --port 0 takes a free one") from None
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
