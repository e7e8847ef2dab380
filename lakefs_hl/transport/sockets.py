"""urllib3's connections, watched: where an exchange is, how much it sent, and how another thread ends it.

Everything hooks into what urllib3 and http.client document: `ConnectionCls` and the methods that it calls. No private
attribute is touched.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeAlias

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NewConnectionError
from urllib3.response import HTTPResponse  # noqa: TC002 - loaded by the others anyway
from urllib3.util.ssl_ import resolve_cert_reqs

from lakefs_hl.spec.wire import Phase, Response, RetryClass
from lakefs_hl.transport.scope import Scope

#: A kept-alive socket that was idle longer is not used for what must not be repeated: the server may be closing it.
IDLE: Final = 2.0
Guard: TypeAlias = Callable[[str], None]


class Exchange:
    """One exchange on its way; belongs to the thread that makes it.

    Attributes:
        scope: Lets another thread end it.
        careful: Whether it must not be sent on a socket that may be closing.
        silence: Longest silence of the server, seconds.
        guard: Told the peer's address before anything is sent; may raise.
        secret: Whether its URL is pre-signed, and so in no log.
        phase: Where it is.
        sent: Body bytes handed to the network.
        received: Body bytes that came.
        answer: Status and headers, once they came.
    """

    __slots__ = (
        "_at_body",
        "_connecting",
        "answer",
        "careful",
        "guard",
        "phase",
        "received",
        "scope",
        "secret",
        "sent",
        "silence",
    )

    def __init__(
        self, retry: RetryClass, silence: float, scope: Scope | None, guard: Guard | None, *, secret: bool = False
    ) -> None:
        self.scope = scope
        self.careful = retry in "DE"
        self.silence = silence
        self.guard = guard
        self.secret = secret
        self.phase: Phase = "connect"
        self.sent = 0
        self.received = 0
        self.answer: Response | None = None
        self._at_body = False
        self._connecting = False

    def connect(self, connection: HTTPConnection, connect: Callable[[], None]) -> None:
        """Connects, and looks at who is there before anything is said."""
        self.phase, self._connecting = "connect", True
        if self.scope is not None:
            self.scope.check()
        connect()
        if self.scope is not None:
            self.scope.check()
        self._connecting = False
        sock: socket.socket | None = connection.sock
        if sock is not None and self.guard is not None:
            self.guard(str(sock.getpeername()[0]))

    def send(self, connection: HTTPConnection, data: Any, fallback: Callable[[Any], None]) -> None:
        """Sends in pieces: each may take as long as the server may be silent, and each is counted."""
        if connection.sock is None:
            connection.connect()
        sock: socket.socket | None = connection.sock
        if self._connecting or sock is None or not isinstance(data, bytes | bytearray | memoryview):
            fallback(data)
            return
        self.phase = "send"
        sock.settimeout(self.silence)
        left = memoryview(data)
        while left:
            count = sock.send(left)
            left = left[count:]
            if self._at_body:
                self.sent += count

    def headers_sent(self) -> None:
        """What is sent from here on is the body."""
        self._at_body = True


_here = threading.local()


def _current() -> Exchange | None:
    return getattr(_here, "exchange", None)


def begin(exchange: Exchange) -> None:
    """Names the exchange that this thread makes; connections ask for it."""
    _here.exchange = exchange


def end() -> None:
    """This thread makes none any more."""
    _here.exchange = None


class _Discreet(logging.Filter):
    """Keeps pre-signed URLs of our own exchanges out of urllib3's debug log; leaves everybody else's lines alone."""

    def filter(self, record: logging.LogRecord) -> bool:
        exchange = _current()
        if exchange is not None and exchange.secret and isinstance(record.args, tuple):
            record.args = tuple(one.partition("?")[0] if isinstance(one, str) else one for one in record.args)
        return True


logging.getLogger("urllib3.connectionpool").addFilter(_Discreet())


class Plain(HTTPConnection):
    """A connection to an http:// endpoint; tells the exchange of its thread what it does."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._owner: Exchange | None = None
        self._owning = threading.Lock()
        self._spoiled = False
        self._used = time.monotonic()

    @property
    def is_connected(self) -> bool:
        """False makes the pool connect anew: after a shutdown, and when it was idle too long for a careful exchange."""
        exchange = _current()
        idle = exchange is not None and exchange.careful and time.monotonic() - self._used > IDLE
        return not self._spoiled and not idle and super().is_connected

    def connect(self) -> None:
        """Connects; the exchange looks at the peer before anything is said."""
        exchange = _current()
        self._spoiled = False
        if exchange is None:
            super().connect()
        else:
            exchange.connect(self, super().connect)

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Sends the request; from here on the exchange's scope can shut the connection down."""
        exchange = _current()
        if exchange is not None:
            self._own(exchange)
        super().request(*args, **kwargs)
        if exchange is not None:
            exchange.phase = "wait"

    def endheaders(self, *args: Any, **kwargs: Any) -> None:
        """Sends the headers."""
        super().endheaders(*args, **kwargs)
        exchange = _current()
        if exchange is not None:
            exchange.headers_sent()

    def send(self, data: Any) -> None:
        """Sends a piece."""
        exchange = _current()
        if exchange is None:
            super().send(data)
        else:
            exchange.send(self, data, super().send)

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # urllib3 narrows it the same way
        """Waits for the head of the answer."""
        response = super().getresponse()
        exchange = _current()
        if exchange is not None:
            exchange.phase = "read"
        self._used = time.monotonic()
        return response

    def _own(self, exchange: Exchange) -> None:
        with self._owning:
            if self._spoiled:
                raise NewConnectionError(self, "the connection was shut down by a cancelled exchange")
            self._owner = exchange
        if exchange.scope is not None:
            exchange.scope.attach(partial(self._shut, exchange))

    def _shut(self, exchange: Exchange) -> None:
        """Ends the exchange under way; one that has the connection since is left alone."""
        with self._owning:
            sock: socket.socket | None = self.sock
            if self._owner is not exchange or sock is None:
                return
            self._spoiled = True
            with contextlib.suppress(OSError):  # closed meanwhile: what we wanted
                # not SSLSocket.shutdown, which would turn a reader in another thread to plain text
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


class Secure(Plain, HTTPSConnection):
    """A connection to an https:// endpoint."""

    def connect(self) -> None:
        """Connects; whoever turned verification off was warned by name, once, and not again by urllib3."""
        super().connect()
        if resolve_cert_reqs(self.cert_reqs) == ssl.CERT_NONE:
            self.is_verified = True


class PlainPool(HTTPConnectionPool):
    """Connections to one http:// endpoint."""

    ConnectionCls = Plain


class SecurePool(HTTPSConnectionPool):
    """Connections to one https:// endpoint."""

    ConnectionCls = Secure
