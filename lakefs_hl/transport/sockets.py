"""urllib3's connections: each reports to the exchange of its thread, which limits every wait.

Rules of the room: hooks are those that urllib3 and http.client document, `ConnectionCls`, `QueueCls`, `response_class`
and the methods that they call. No private attribute is touched.
"""

from __future__ import annotations

import http.client
import logging
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Mapping
from functools import partial
from queue import Empty, Full, SimpleQueue
from typing import Any, Final

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NewConnectionError
from urllib3.response import HTTPResponse  # noqa: TC002 - loaded by the others anyway
from urllib3.util.ssl_ import resolve_cert_reqs

from lakefs_hl.spec.secret import reveal
from lakefs_hl.transport.exchange import Exchange, current, has_input, shut
from lakefs_hl.transport.reply import Reply

#: A kept-alive socket that was idle longer is not used for a request that is unsafe to repeat: it may be closing.
IDLE_SECONDS: Final = 2.0


class _Discreet(logging.Filter):
    """Keeps pre-signed URLs of our own exchanges out of urllib3's debug log; lines of others stay as they are."""

    def filter(self, record: logging.LogRecord) -> bool:
        exchange = current()
        if exchange is not None and exchange.secret and isinstance(record.args, tuple):
            record.args = tuple(one.partition("?")[0] if isinstance(one, str) else one for one in record.args)
        return True


logging.getLogger("urllib3.connectionpool").addFilter(_Discreet())


class Plain(HTTPConnection):
    """A connection to an http:// endpoint; reports what it does to the exchange of its thread."""

    response_class: type[Reply] = Reply
    _sock: socket.socket | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._owner: Exchange | None = None
        self._owning = threading.Lock()
        self._spoiled = False
        self._used = time.monotonic()
        self._host_header = b""
        self._has_responded = False

    def __del__(self) -> None:
        # an interrupt can come when it was taken from its pool and nothing else refers to it yet
        if self._sock is not None:
            self._sock.close()

    @property
    def host_header(self) -> bytes:
        """Return the value of the header Host in the last request; b"" before the first."""
        return self._host_header

    @property
    def sock(self) -> Any:
        """Return the socket; while connecting, first the plain one and then the TLS layer on it."""
        return self._sock

    @sock.setter
    def sock(self, value: Any) -> None:
        self._sock = value
        exchange = current()
        if value is not None and exchange is not None:
            exchange.on_connect(value)

    @property
    def is_connected(self) -> bool:
        """Return False to make the pool reconnect.

        After a shutdown, when idle too long for a careful exchange, and if anything has arrived that no request asked
        for, with the last response or later.
        """
        exchange, last = current(), self._owner
        if self._sock is None or self._spoiled or (last is not None and last.is_out_of_step):
            return False
        if exchange is not None and exchange.careful and time.monotonic() - self._used > IDLE_SECONDS:
            return False
        return not has_input(self._sock)

    def connect(self) -> None:
        """Connect; the exchange checks the peer's address before anything is sent."""
        exchange = current()
        self._spoiled = self._has_responded = False
        if exchange is None:
            super().connect()
        else:
            exchange.connect(self, super().connect)

    def set_tunnel(
        self, host: str, port: int | None = None, headers: Mapping[str, str] | None = None, scheme: str = "http"
    ) -> None:
        """Set the server behind the proxy. http.client formats these headers, in which a `Secret` would hide itself."""
        plain = None if headers is None else {name: reveal(value) for name, value in headers.items()}
        super().set_tunnel(host, port, plain, scheme)

    def request(self, *args: Any, **kwargs: Any) -> None:
        """Send the request; from here on the exchange's scope can shut the connection down."""
        exchange = current()
        if exchange is not None:
            self.own(exchange)
        super().request(*args, **kwargs)
        if exchange is not None:
            exchange.request_sent(self)

    def putheader(self, header: Any, *values: Any) -> None:
        """Add a header. urllib3 looks for its mark of a header to leave out before, which there is none of here."""
        http.client.HTTPConnection.putheader(self, header, *values)
        if header == "Host":  # written by http.client, which knows ports, brackets and encodings
            self._host_header = values[0] if isinstance(values[0], bytes) else values[0].encode("ascii")

    def endheaders(self, *args: Any, **kwargs: Any) -> None:
        """Send the headers."""
        super().endheaders(*args, **kwargs)
        exchange = current()
        if exchange is not None:
            exchange.headers_sent()

    def send(self, data: Any) -> None:
        """Send a piece of the request."""
        exchange = current()
        if exchange is None:
            super().send(data)
        else:
            exchange.send(self, data, super().send)

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # urllib3 narrows it the same way
        """Wait for the head of the response."""
        response = super().getresponse()
        exchange = current()
        if exchange is not None:
            exchange.phase = "read"
        self.note_use()
        return response

    def note_use(self) -> None:
        """Note that a response has begun."""
        self._used = time.monotonic()
        self._has_responded = True

    def own(self, exchange: Exchange) -> None:
        """Let the exchange's scope shut this connection down, until another exchange has it.

        Raises:
            NewConnectionError: It was shut down already.
        """
        with self._owning:
            if self._spoiled:
                raise NewConnectionError(self, "the connection was shut down by a cancelled exchange")
            self._owner = exchange
            exchange.is_kept = self._has_responded
        if exchange.scope is not None:
            exchange.scope.attach(partial(self._shut, exchange))

    def _shut(self, exchange: Exchange) -> None:
        """End the exchange under way, unless another one has the connection by now."""
        with self._owning:
            sock = self.sock
            if self._owner is not exchange or sock is None:
                return
            self._spoiled = True
            shut(sock)


class Secure(Plain, HTTPSConnection):
    """A connection to an https:// endpoint."""

    def connect(self) -> None:
        """Connect without urllib3's warning: our own has named the setting that turned verification off."""
        super().connect()
        if resolve_cert_reqs(self.cert_reqs) == ssl.CERT_NONE:
            self.is_verified = True


class Slots:
    """The exchanges that use a connection of a pool, at most `width` of them.

    Not a semaphore, for two reasons: an interrupt may leave its lock taken for ever (`workers` says how), and one that
    comes just after it was acquired loses the slot. An exchange that is removed from a set was in it or not.

    Attributes:
        users: The exchanges that have a slot. An exchange gives it back by `users.discard`, and then calls `notify`.
    """

    def __init__(self, width: int) -> None:
        self.users: set[Any] = set()
        self._width = width
        self._waiting: set[Any] = set()
        self._lock = threading.RLock()
        self._freed: SimpleQueue[None] = SimpleQueue()

    def take(self, user: Any) -> bool:
        """Take a slot; return False if none is free."""
        with self._lock:
            if len(self.users) >= self._width:
                return False
            self.users.add(user)
            return True

    def wait(self, user: Any, seconds: float) -> bool:
        """Take a slot, or wait until one is free or for so many seconds; return whether it was taken."""
        try:
            self._waiting.add(user)
            if self.take(user):
                return True
            self._freed.get(timeout=max(0.0, seconds))
        except Empty:
            return False
        finally:
            self._waiting.discard(user)
        return self.take(user)

    def notify(self) -> None:
        """Wake one exchange that waits."""
        if self._waiting:
            self._freed.put(None)


class Stack:
    """What urllib3 calls of a `queue.LifoQueue`, without its lock: an interrupt may leave that taken for ever.

    It never waits: `Slots` have limited the exchanges before.
    """

    def __init__(self, maxsize: int) -> None:
        self._maxsize = maxsize
        self._items: deque[Any] = deque()

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Return the last item.

        Raises:
            Empty: There is none.
        """
        try:
            return self._items.pop()
        except IndexError:
            raise Empty from None

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Add an item.

        Raises:
            Full: There is no room.
        """
        if len(self._items) >= self._maxsize:
            raise Full
        self._items.append(item)

    def qsize(self) -> int:
        """Return the number of items."""
        return len(self._items)


class PlainPool(HTTPConnectionPool):
    """Connections to one http:// endpoint.

    Attributes:
        slots: One per connection that may be in use. Not the pool's own `block=True`: urllib3 empties its pools at the
            interpreter's exit, before older `atexit` handlers run, and a call from one of these would hang.
    """

    ConnectionCls: type[Plain] = Plain
    QueueCls: Any = Stack

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.slots: Slots = Slots(kwargs["maxsize"])

    def take_open(self) -> Plain | None:
        """Return the connection that was used last, if it is open. None otherwise."""
        kept: Stack | None = self.pool  # type: ignore[assignment]  # as `QueueCls` says; None once it is closed
        if kept is None:
            return None
        try:
            connection: Plain | None = kept.get()
        except Empty:
            return None
        if connection is not None and connection.is_connected:
            return connection
        kept.put(connection)
        return None

    def put_back(self, connection: Plain) -> None:
        """Keep a connection for the next request."""
        kept: Stack | None = self.pool  # type: ignore[assignment]
        try:
            if kept is not None:
                kept.put(connection)
                return
        except Full:
            pass
        connection.close()


class SecurePool(PlainPool, HTTPSConnectionPool):
    """Connections to one https:// endpoint."""

    scheme: str = "https"
    ConnectionCls: type[Secure] = Secure
