"""A bound in time and size on request headers, which the server's own protocol does not have.

Whoever opens a connection and says little, or says nothing but headers, is sent away: neither may hold memory or a
connection for long.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lakefs_hl.local.serve.joined import Joined

SECONDS: Final = 10.0  # from the first byte of a request, or from connecting, to the end of its headers
MAX_HEADERS: Final = 64 * 1024  # bytes of request line and headers together
_LATE: Final = (408, b"Request Timeout")
_LARGE: Final = (431, b"Request Header Fields Too Large")


class Guarded(HttpToolsProtocol):
    """uvicorn's protocol with a guard at the door."""

    _timer: asyncio.TimerHandle | None = None
    _reading = True
    _read = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as its base has it
        """A request is expected soon."""
        super().connection_made(cast("Any", Joined(transport, self.loop)))
        self._timer = self.loop.call_later(SECONDS, self._refuse, *_LATE)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is expected any more."""
        self._rest()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Counts what comes before the end of the headers."""
        if self._reading:
            self._read += len(data)
        super().data_received(data)
        if self._reading and self._read > MAX_HEADERS:
            self._refuse(*_LARGE)

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._reading = True
        if self._timer is None:
            self._timer = self.loop.call_later(SECONDS, self._refuse, *_LATE)

    def on_headers_complete(self) -> None:
        """The headers are there: the guard rests until the next request."""
        self._reading = False
        self._read = 0
        self._rest()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body is there: what comes now is the next request."""
        super().on_message_complete()
        self._reading = True

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
            head = b"HTTP/1.1 %d %s\r\nconnection: close\r\ncontent-length: 0\r\n\r\n" % (status, reason)
            transport.write(head)
        transport.close()
