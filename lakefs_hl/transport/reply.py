"""Responses: heads, interim responses and chunks, read within limits and time limits of our own.

http.client stops at 100 header lines, takes any 1xx but 100 for the final response, and reads trailers without a limit.
It documents `response_class`; the class here reads the head itself and passes on bodies without their framing.
Headers are on the exchange. http.client and urllib3 get the length of the body only, which is all they need: their
objects of headers cost a third as much as sending the request and reading the response.
"""

from __future__ import annotations

import http.client
import io
import re
import socket
from typing import Any, Final, cast

from lakefs_hl.transport.exchange import Exchange, current
from lakefs_hl.transport.limits import Limits

_SWITCHING: Final = 101
_BODILESS: Final = frozenset({204, 304})
_NAME: Final = re.compile(r"[!-9;-~]+")
_HEX: Final = re.compile(rb"[0-9a-fA-F]{1,16}")
_ENDS: Final = (b"\r\n", b"\n")


class MalformedReply(http.client.HTTPException):
    """The response breaks HTTP or is larger than any of lakeFS's; the message continues "host:port …"."""


class _Wire(io.RawIOBase):
    """A socket as a raw stream, whose reads wait as long as the exchange allows."""

    def __init__(self, sock: socket.socket, exchange: Exchange) -> None:
        self._sock, self._exchange = sock, exchange
        # http.client closes the socket under a response that ends with the connection: this keeps it open until then
        self._hold = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        return self._exchange.receive(self._sock, buffer)

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._hold.close()


class _Source:
    """What http.client takes for a socket, to make a file of it."""

    def __init__(self, sock: socket.socket, exchange: Exchange) -> None:
        self._sock, self._exchange = sock, exchange

    def makefile(self, mode: str) -> io.BufferedReader:
        wire: io.BufferedReader = io.BufferedReader(cast("io.RawIOBase", _Wire(self._sock, self._exchange)))
        return self._tunnel(wire) if self._exchange.is_connecting else wire

    def _tunnel(self, wire: io.BufferedReader) -> io.BufferedReader:
        """Read a proxy's response to CONNECT, of which http.client then gets the status line only.

        It would read such a head with limits of its own, without a time limit, and not past an interim response.
        """
        with wire:
            _, status, reason, _ = _final_head(wire, self._exchange)
        self._exchange.on_tunnel(self._sock)
        line = f"HTTP/1.1 {status} {reason}\r\n\r\n".encode("latin-1")
        return io.BufferedReader(cast("io.RawIOBase", io.BytesIO(line)))


class _Chunks(io.RawIOBase):
    """A chunked body without its framing."""

    def __init__(self, wire: io.BufferedReader, exchange: Exchange) -> None:
        self._wire, self._exchange = wire, exchange
        self._left = 0
        self._begun = self._over = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        if not self._left and not self._over:
            self._next()
        if self._over:
            return 0
        count = self._wire.readinto1(memoryview(buffer)[: self._left])
        if not count:
            raise http.client.IncompleteRead(b"", self._left)
        self._left -= count
        self._exchange.payload(count)
        return count

    def _next(self) -> None:
        limits = self._exchange.limits
        if self._begun and self._line(3) not in _ENDS:
            msg = "sends a chunk that is longer than announced"
            raise MalformedReply(msg)
        self._begun = True
        line = self._line(limits.chunk_line)
        size = _HEX.fullmatch(line.partition(b";")[0].strip())
        if size is None:
            msg = "sends a chunk without its length"
            raise MalformedReply(msg)
        self._left = int(size[0], 16)
        if not self._left:
            read_headers(self._wire, limits, limits.head_bytes)  # trailers: none of them is used
            self._over = True

    def _line(self, most: int) -> bytes:
        line = self._wire.readline(most + 1)
        if not line.endswith(b"\n"):
            if len(line) <= most:
                raise http.client.IncompleteRead(b"")
            msg = f"sends chunks with more than {most:,} bytes around them"
            raise MalformedReply(msg)
        return line

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._wire.close()


class Reply(http.client.HTTPResponse):
    """A response to the exchange that this thread makes."""

    code: int
    status: int
    reason: str
    version: int
    msg: http.client.HTTPMessage
    will_close: bool
    fp: io.BufferedReader

    def __init__(
        self, sock: socket.socket, debuglevel: int = 0, method: str | None = None, url: str | None = None
    ) -> None:
        self._exchange = current()
        self._asked = method
        self._begun = False
        source = sock if self._exchange is None else cast("Any", _Source(sock, self._exchange))
        super().__init__(source, debuglevel, method, url)

    def begin(self) -> None:
        """Read the heads of interim responses and that of the final one."""
        exchange = self._exchange
        if exchange is None:
            super().begin()
            return
        if self._begun:
            return
        wire = self.fp
        version, status, reason, headers = _final_head(wire, exchange)
        self.code, self.status, self.reason, self.version = status, status, reason, version
        exchange.headers = headers
        self._begun = True
        self._frame(wire, headers, exchange)
        self.headers = self.msg = http.client.HTTPMessage()
        if self.length is not None:
            self.msg.set_raw("content-length", str(self.length))

    def _frame(self, wire: io.BufferedReader, headers: dict[str, str], exchange: Exchange) -> None:
        """Determine where the body ends."""
        coding = headers.get("transfer-encoding", "").lower()
        if coding not in ("", "chunked", "identity"):
            msg = f"sends a body with transfer coding {coding[:40]!r}, which was not asked for"
            raise MalformedReply(msg)
        chunked = coding == "chunked"
        self.chunked = False  # http.client never sees the framing
        self.length = None if chunked else _length(headers)
        if self.status in _BODILESS or self.status < 200 or self._asked == "HEAD":
            self.length, chunked = 0, False
        connection = headers.get("connection", "").lower()
        keeps = "close" not in connection if self.version == 11 else "keep-alive" in connection
        self.will_close = not keeps or (self.length is None and not chunked)
        if chunked:
            self.fp = io.BufferedReader(_Chunks(wire, exchange))
        exchange.await_body(chunked=chunked)


def _final_head(wire: io.BufferedReader, exchange: Exchange) -> tuple[int, int, str, dict[str, str]]:
    """Read heads up to the first that is not of an interim response."""
    for _ in range(exchange.limits.interim + 1):
        exchange.await_head()
        head = read_head(wire, exchange.limits)
        if head[1] >= 200 or head[1] == _SWITCHING:
            return head
    msg = f"sent more than {exchange.limits.interim} interim (1xx) responses"
    raise MalformedReply(msg)


def read_head(fp: io.BufferedReader, limits: Limits) -> tuple[int, int, str, dict[str, str]]:
    """Read one head.

    Args:
        fp: The stream, at the start of a status line.
        limits: Limits of lines and bytes.

    Returns:
        Protocol version (10 or 11), status, reason and headers: names in lower case, values of one name joined.

    Raises:
        HTTPException: It is not a head, is incomplete, or exceeds a limit.
    """
    line = fp.readline(limits.head_bytes + 1)
    if not line:
        msg = "the connection was closed without a response"
        raise http.client.RemoteDisconnected(msg)
    if len(line) > limits.head_bytes:
        raise _head_too_large(limits)
    text = line.decode("latin-1")
    version, status, reason = (*text.split(None, 2), "", "", "")[:3]
    if not version.startswith("HTTP/") or not (status.isascii() and status.isdecimal() and 100 <= int(status) <= 999):
        raise http.client.BadStatusLine(text)
    if not version.startswith(("HTTP/1.", "HTTP/0.9")):
        raise http.client.UnknownProtocol(version)
    headers = read_headers(fp, limits, limits.head_bytes - len(line))
    return 10 if version in ("HTTP/1.0", "HTTP/0.9") else 11, int(status), reason.strip(), headers


def read_headers(fp: io.BufferedReader, limits: Limits, room: int) -> dict[str, str]:
    """Read header lines up to the blank one, at most `room` bytes. A line that is not a header is skipped."""
    found: list[tuple[str, str]] = []
    for _ in range(limits.head_lines + 1):
        line = fp.readline(room + 1)
        room -= len(line)
        if room < 0:
            raise _head_too_large(limits)
        if line in _ENDS:
            break
        if not line.endswith(b"\n"):
            msg = "the connection was closed within the headers"
            raise http.client.RemoteDisconnected(msg)
        text = line.decode("latin-1")
        if text[0] in " \t":  # obsolete line folding (RFC 9112, section 5.2)
            if found:
                name, value = found[-1]
                found[-1] = name, f"{value} {text.strip()}"
            continue
        name, colon, value = text.partition(":")
        if colon and _NAME.fullmatch(name):
            found.append((name.lower(), value.strip()))
    else:
        msg = f"sends more than {limits.head_lines:,} header lines"
        raise MalformedReply(msg)
    headers = dict(found)
    if len(headers) < len(found):
        headers = dict[str, str]()
        for name, value in found:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _head_too_large(limits: Limits) -> MalformedReply:
    return MalformedReply(f"sends more than {limits.head_bytes >> 10:,} KiB of headers")


def _length(headers: dict[str, str]) -> int | None:
    lengths = {one.strip() for one in headers.get("content-length", "").split(",")}
    if len(lengths) > 1:
        msg = f"sends {len(lengths)} different lengths of one body"
        raise MalformedReply(msg)
    value = lengths.pop()
    return int(value) if value.isascii() and value.isdecimal() else None
