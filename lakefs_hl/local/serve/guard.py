"""Bounds in time, size and number on what a client may make the server wait for or hold.

uvicorn's own protocol has none of them. Whoever says little, says nothing but headers, drips a body, or does not read
its response is sent away: none of them may hold memory or a connection for long.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any, Final, NamedTuple, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lakefs_hl.local.serve.connections import Connections
from lakefs_hl.local.serve.joined import Joined

SECONDS: Final = 10.0  # from the first byte of a request, or from connecting, to the end of its headers
MAX_HEADERS: Final = 64 * 1024  # bytes of request line and headers together
MAX_FIELDS: Final = 100  # header fields of one request
#: Requests that may wait behind the one that is answered; clients that send several at once are rare.
MAX_PIPELINE: Final = 16
#: A client that sends or takes fewer bytes a second than this over `WINDOW_SECONDS` is too slow.
RATE: Final = 1024
WINDOW_SECONDS: Final = 15.0
#: What a client may still send after an early refusal, so that it gets to read the refusal.
LINGER_SECONDS: Final = 2.0
LINGER_BYTES: Final = 8 << 20
_RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time
_VERSION: Final = (400, b"Bad Request")
_LATE: Final = (408, b"Request Timeout")
_LARGE: Final = (431, b"Request Header Fields Too Large")
_FULL: Final = (503, b"Service Unavailable")


class _Mark(NamedTuple):
    """When a client began to be waited for, and the bytes that it had sent and taken by then."""

    time: float
    moved: int


class Guarded(HttpToolsProtocol):
    """uvicorn's protocol with a guard.

    Args:
        connections: All connections of the server.
        settings: What uvicorn's protocol takes.

    Attributes:
        target: The target of the current request line.
    """

    def __init__(self, connections: Connections, **settings: Any) -> None:
        super().__init__(**settings)
        self.access_log = False  # a target may be a pre-signed URL, and so a secret
        self._connections = connections
        self._timer: asyncio.TimerHandle | None = None
        self._reading = True
        self._read = 0  # bytes since the end of the last request
        self._received = 0  # bytes of bodies
        self._lingering: asyncio.TimerHandle | None = None
        self._drained = 0
        self._mark: _Mark | None = None
        self._joined: Joined = cast("Any", None)

    @property
    def target(self) -> bytes:
        """The target of the request line, as it was sent."""
        return self.url

    def trust(self) -> None:
        """The current request has valid credentials: this connection is not given up for another one."""
        self._connections.trust(self)

    # ------------------------------------------------------------------------------------------- asyncio and uvicorn

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as its base has it
        """A request is expected soon."""
        self._joined = Joined(transport, self.loop, self._linger)
        super().connection_made(cast("Any", self._joined))
        self._timer = self.loop.call_later(SECONDS, self._refuse, *_LATE)
        if not self._connections.add(self):
            self._refuse(*_FULL)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is expected any more."""
        self._rest()
        self._unset_keepalive_if_required()
        if self._lingering is not None:
            self._lingering.cancel()
        self._connections.discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Counts what comes before the end of the headers."""
        if self._lingering is not None:
            self._drained += len(data)
            if self._drained > LINGER_BYTES:
                self.drop()
            return
        if self._joined.is_closing():
            return
        if self._reading:
            self._read += len(data)
            if self._timer is None:  # not at the first letter of a request: line ends before it count too
                self._timer = self.loop.call_later(SECONDS, self._refuse, *_LATE)
        super().data_received(data)
        if self._reading and self._read > MAX_HEADERS:
            self._refuse(*_LARGE)

    def eof_received(self) -> bool | None:  # type: ignore[override] # its base returns nothing
        """The client sends no more. If it has sent a whole request, it may still wait for the response."""
        self._joined.flush()
        cycle = self.cycle
        whole = cycle is not None and not cycle.response_complete and not cycle.more_body and self._reading
        if not whole or self._lingering is not None or not self._joined.can_write_eof():
            return None
        cycle.keep_alive = False
        return True

    def send_400_response(self, msg: str) -> None:
        """What the client sends is no HTTP; the request that it is part of has not been sent whole."""
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if cycle.response_started:  # never into the middle of another answer
                self.drop()
                return
            cycle.disconnected = True
            cycle.message_event.set()
        super().send_400_response(msg)

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        cast("dict[str, Any]", self.scope)["lakefs_hl"] = self
        self._reading = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header field."""
        super().on_header(name, value)
        if len(self.headers) > MAX_FIELDS:
            self._refuse(*_LARGE)

    def on_headers_complete(self) -> None:
        """The headers are there: the guard rests until the next request."""
        self._reading = False
        self._read = 0
        self._rest()
        if self._joined.is_closing():
            return
        if self.parser.get_http_version() not in ("1.0", "1.1"):
            self._refuse(*_VERSION)
            return
        if len(self.pipeline) >= MAX_PIPELINE:
            self.drop()
            return
        super().on_headers_complete()
        self._connections.begin(self)

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._received += len(body)
        if self.cycle is not None:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The body is there: what comes now is the next request."""
        self._reading = True
        if self.cycle is not None:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """The request was answered."""
        if not self.pipeline:
            self._connections.rest(self)
        super().on_response_complete()

    # ------------------------------------------------------------------------------------------------ slow, or too many

    def is_stalled(self, now: float) -> bool:
        """Whether the client is too slow in sending or taking what is expected of it."""
        cycle = self.cycle
        waiting = self._joined.waiting()
        busy = cycle is not None and not cycle.response_complete
        sends = busy and cycle.more_body and not self.flow.read_paused
        if not (sends or waiting):
            self._mark = None
            return False
        moved = self._received + self._joined.written - waiting
        mark = self._mark
        if mark is None:
            self._mark = _Mark(now, moved)
            return False
        if now - mark.time < WINDOW_SECONDS:
            return False
        self._mark = _Mark(now, moved)
        return moved - mark.moved < RATE * (now - mark.time)

    def refuse_stalled(self) -> None:
        """Ends the connection; the client is told if no response has begun."""
        cycle = self.cycle
        if cycle is None or cycle.response_started or self._joined.is_closing():
            self.drop()
            return
        cycle.response_started = cycle.response_complete = cycle.disconnected = (
            True  # whatever the API says now is late
        )
        self._refuse(*_LATE)
        cycle.message_event.set()

    def is_waiting(self) -> bool:
        """Whether the server can do nothing but wait for this client."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            return True
        return bool(cycle.more_body or self._joined.waiting())

    def drop(self) -> None:
        """Ends the connection at once, and what the client does not take with it."""
        self._rest()
        if self._joined.waiting():  # otherwise the kernel would keep it, and the connection, for minutes
            self._joined.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._joined.abort()

    def _linger(self) -> bool:
        """Reads on for a moment where a request was refused before all of it was there."""
        cycle = self.cycle
        transport = self._joined
        if self._lingering is not None or cycle is None or not cycle.more_body or self._reading:
            return False
        if transport.can_write_eof():
            transport.write_eof()
        self.flow.resume_reading()
        self._lingering = self.loop.call_later(LINGER_SECONDS, self.drop)
        return True

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse(self, status: int, reason: bytes) -> None:
        self._rest()
        transport = cast("Any", self.transport)
        if transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:  # never into the middle of another answer
            retry = b"retry-after: 1\r\n" if status == 503 else b""
            head = b"HTTP/1.1 %d %s\r\n%sconnection: close\r\ncontent-length: 0\r\n\r\n" % (status, reason, retry)
            transport.write(head)
        transport.close()
