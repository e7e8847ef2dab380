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

from lakefs_hl.spec.wire import Response
from lakefs_hl.transport.exchange import Exchange, current
from lakefs_hl.transport.framing import (
    BODILESS,
    CHUNK_END,
    ENDS,
    BrokenReply,
    MalformedReply,
    body_length,
    check_chunk_end,
    chunk_size,
    head_too_large,
    is_chunked,
    line_too_long,
    too_many_lines,
)
from lakefs_hl.transport.limits import Limits

_SWITCHING: Final = 101
_NAME: Final = re.compile(r"[!-9;-~]+")
#: A header line; what is none is skipped.
_FIELD: Final = re.compile(r"^([!-9;-~]+):([^\n]*)", re.MULTILINE)


class _Wire(io.RawIOBase):
    """A socket as a raw stream, whose reads wait as long as the exchange allows; first what was read already."""

    def __init__(self, sock: socket.socket, exchange: Exchange, ahead: bytes) -> None:
        self._sock, self._exchange, self._ahead = sock, exchange, ahead
        # http.client closes the socket under a response that ends with the connection: this keeps it open until then
        self._hold = sock.makefile("rb", buffering=0)
        self._is_over = False

    def readable(self) -> bool:
        return True

    def end(self) -> None:
        """Read nothing more from the socket."""
        self._is_over = True

    def note_surplus(self) -> None:
        """Note that there are bytes behind the response, which belong to no request."""
        self._exchange.has_surplus = True

    def readinto(self, buffer: Any, /) -> int:
        if not self._ahead:
            if self._is_over:
                return 0
            return self._exchange.receive(self._sock, buffer)
        window = memoryview(buffer)[: len(self._ahead)]
        window[:] = self._ahead[: len(window)]
        self._ahead = self._ahead[len(window) :]
        return len(window)

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._hold.close()


class _Buffered(io.BufferedReader):
    """A buffer over a `_Wire`. What is in it behind the response would be lost without a trace when it is closed.

    If that is the first part of something, the rest arrives later and would begin the next response.
    """

    raw: _Wire

    def close(self) -> None:
        if not self.closed:
            self.raw.end()
            if self.peek(1):
                self.raw.note_surplus()
        super().close()


class _Source:
    """What http.client takes for a socket, to make a file of it."""

    def __init__(self, sock: socket.socket, exchange: Exchange, ahead: bytes) -> None:
        self._sock, self._exchange, self._ahead = sock, exchange, ahead

    def makefile(self, mode: str) -> io.BufferedReader:
        raw = _Wire(self._sock, self._exchange, self._ahead)
        wire: io.BufferedReader = _Buffered(cast("io.RawIOBase", raw))
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
        if self._begun:
            check_chunk_end(self._line(CHUNK_END))
        self._begun = True
        self._left = chunk_size(self._line(limits.chunk_line))
        if not self._left:
            read_headers(self._wire, limits, limits.head_bytes)  # trailers: none of them is used
            self._over = True

    def _line(self, most: int) -> bytes:
        line = self._wire.readline(most + 1)
        if not line.endswith(b"\n"):
            if len(line) <= most:
                raise http.client.IncompleteRead(b"")
            raise line_too_long(most)
        return line

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._wire.close()


class Arrived:
    """A response that arrived as a whole, as small ones do: there is nothing left to wait for.

    It has what `reuse` needs of a `Reply`, whose four layers of streams take longer to make than such a response takes
    to read.

    Attributes:
        status: The status.
        reason: The reason.
        length: Number of bytes that are still to arrive.
    """

    status: int
    reason: str

    __slots__ = ("_body", "reason", "status")
    length: Final = 0
    will_close: Final = False

    def __init__(self, status: int, reason: str, body: bytes) -> None:
        self.status, self.reason, self._body = status, reason, body

    @classmethod
    def of(cls, data: bytes, exchange: Exchange, method: str) -> Arrived | None:
        """Return the response if `data` is all of it and the connection stays open. None takes a `Reply`.

        Raises:
            HTTPException: It begins with a head that is none, or exceeds a limit.
        """
        if b"\r\n\r\n" not in data or method == "HEAD":
            return None
        stream = io.BytesIO(data)
        version, status, reason, headers = read_head(stream, exchange.limits)
        stays = version == 11 and headers.get("connection", "keep-alive").lower() == "keep-alive"
        if status < 200 or not stays or "transfer-encoding" in headers:
            return None
        body = stream.read()
        if (0 if status in BODILESS else body_length(headers)) != len(body):
            return None
        exchange.headers = headers
        return cls(status, reason, body)

    def read(self, size: int | None = None) -> bytes:
        """Read the body, or up to so many bytes of it; b"" at its end."""
        body = self._body
        size = len(body) if size is None else size
        self._body = body[size:]
        return body[:size]

    def readinto(self, window: memoryview) -> int:
        """Read into memory, and return the number of bytes; 0 at the end of the body."""
        block = self.read(len(window))
        window[: len(block)] = block
        return len(block)

    def isclosed(self) -> bool:
        """Return whether the connection is at the end of the response."""
        return True

    def close(self) -> None:
        """Do nothing: it holds no stream."""


class Reply(http.client.HTTPResponse):
    """A response to the exchange that this thread makes.

    Args:
        sock: The socket.
        debuglevel: As in http.client.
        method: Method of the request.
        url: Unused.
        ahead: What was read of the response already.
    """

    code: int
    status: int
    reason: str
    version: int
    msg: http.client.HTTPMessage
    will_close: bool
    fp: io.BufferedReader

    def __init__(
        self,
        sock: socket.socket,
        debuglevel: int = 0,
        method: str | None = None,
        url: str | None = None,
        *,
        ahead: bytes = b"",
    ) -> None:
        self._exchange = current()
        self._asked = method
        self._begun = False
        self._awaited = bool(ahead)
        source = sock if self._exchange is None else cast("Any", _Source(sock, self._exchange, ahead))
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
        version, status, reason, headers = _final_head(wire, exchange, awaited=self._awaited)
        self.code, self.status, self.reason, self.version = status, status, reason, version
        exchange.headers = headers
        self._begun = True
        self._frame(wire, headers, exchange)
        self.headers = self.msg = http.client.HTTPMessage()
        if self.length is not None:
            self.msg.set_raw("content-length", str(self.length))

    def _frame(self, wire: io.BufferedReader, headers: dict[str, str], exchange: Exchange) -> None:
        """Determine where the body ends."""
        chunked, length = is_chunked(headers), body_length(headers)
        self.chunked = False  # http.client never sees the framing
        self.length = None if chunked else length
        if self.status in BODILESS or self.status < 200 or self._asked == "HEAD":
            self.length, chunked = 0, False
        connection = headers.get("connection", "").lower()
        keeps = "close" not in connection if self.version == 11 else "keep-alive" in connection
        self.will_close = not keeps or (self.length is None and not chunked)
        if chunked:
            self.fp = io.BufferedReader(_Chunks(wire, exchange))
        exchange.await_body(chunked=chunked)


def _final_head(
    wire: io.BufferedReader, exchange: Exchange, *, awaited: bool = False
) -> tuple[int, int, str, dict[str, str]]:
    """Read heads up to the first that is not of an interim response; `awaited`: the first has begun to arrive."""
    for number in range(exchange.limits.interim + 1):
        if number or not awaited:
            exchange.await_head()
        if number:
            exchange.early = None  # an interim response may come while the request is sent
        head = read_head(wire, exchange.limits)
        if head[1] == _SWITCHING:
            raise _protocol_switch()
        if head[1] >= 200:
            return head
    msg = f"sent more than {exchange.limits.interim} interim (1xx) responses"
    raise MalformedReply(msg)


def read_head(fp: io.BufferedIOBase, limits: Limits) -> tuple[int, int, str, dict[str, str]]:
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
        raise head_too_large(limits)
    text = line.decode("latin-1")
    version, status, reason = (*text.split(None, 2), "", "", "")[:3]
    if not version.startswith("HTTP/") or not (status.isascii() and status.isdecimal() and 100 <= int(status) <= 999):
        raise http.client.BadStatusLine(text)
    if not version.startswith(("HTTP/1.", "HTTP/0.9")):
        raise http.client.UnknownProtocol(version)
    headers = read_headers(fp, limits, limits.head_bytes - len(line))
    return 10 if version in ("HTTP/1.0", "HTTP/0.9") else 11, int(status), reason.strip(), headers


def read_headers(fp: io.BufferedIOBase, limits: Limits, room: int) -> dict[str, str]:
    """Read header lines up to the blank one, at most `room` bytes. A line that is not a header is skipped."""
    lines = list[str]()
    for _ in range(limits.head_lines + 1):
        line = fp.readline(room + 1)
        room -= len(line)
        if room < 0:
            raise head_too_large(limits)
        if line in ENDS:
            break
        if not line.endswith(b"\n"):
            msg = "the connection was closed within the headers"
            raise http.client.RemoteDisconnected(msg)
        lines.append(line.decode("latin-1"))
    else:
        raise too_many_lines(limits)
    return _headers_of(lines)


def final_head_of(lines: list[bytes], limits: Limits) -> tuple[int, str, dict[str, str]] | None:
    """Return the first head in lines that is not of an interim response.

    Args:
        lines: Lines of heads with their ends.
        limits: Limits of each head.

    Returns:
        Status, reason and headers. None if it is incomplete.

    Raises:
        HTTPException: It is not a head, or exceeds a limit.
    """
    start = 0
    for _ in range(limits.interim + 1):
        end = _index_of_blank(lines, start)
        if end is None:
            return None
        first = lines[start].decode("latin-1").split(None, 2)
        if len(first) < 2 or not first[0].startswith("HTTP/1.") or not first[1].isdecimal():
            raise http.client.BadStatusLine(" ".join(first))
        status = int(first[1])
        if status == _SWITCHING:
            raise _protocol_switch()
        if status >= 200:
            break
        start = end + 1
    else:
        msg = f"sent more than {limits.interim} interim (1xx) responses"
        raise MalformedReply(msg)
    head = b"".join(lines[start + 1 : end])
    headers = parse_headers(head.decode("latin-1"), limits, len(lines[start]) + len(head))
    is_chunked(headers)
    body_length(headers)
    return status, first[2].strip() if len(first) > 2 else "", headers


def _protocol_switch() -> BrokenReply:
    return BrokenReply("switches to another protocol, which was not asked for")


def _index_of_blank(lines: list[bytes], start: int) -> int | None:
    """Return the index of the line that ends a head. None if it has not arrived yet."""
    return next((index for index in range(start, len(lines)) if lines[index] in ENDS), None)


def parse_headers(text: str, limits: Limits, size: int) -> dict[str, str]:
    """Return the headers in a text that was read before, within the same limits.

    Args:
        text: Header lines with their ends.
        limits: Limits of lines and bytes.
        size: Number of bytes of the whole head.

    Raises:
        MalformedReply: They exceed a limit.
    """
    if text.count("\n") > limits.head_lines:
        raise too_many_lines(limits)
    if size > limits.head_bytes:
        raise head_too_large(limits)
    found = _FIELD.findall(text)
    headers = {name.lower(): value.strip() for name, value in found}
    if len(headers) < len(found) or "\n " in text or "\n\t" in text:  # repeated names, or folded lines
        return _headers_of(text.splitlines(keepends=True))
    return headers


def _headers_of(lines: list[str]) -> dict[str, str]:
    found: list[tuple[str, str]] = []
    for text in lines:
        if text[0] in " \t":  # obsolete line folding (RFC 9112, section 5.2)
            if found:
                found[-1] = found[-1][0], f"{found[-1][1]} {text.strip()}"
            continue
        name, colon, value = text.partition(":")
        if colon and _NAME.fullmatch(name):
            found.append((name.lower(), value.strip()))
    headers = dict(found)
    if len(headers) < len(found):
        headers = dict[str, str]()
        for name, value in found:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def is_short(response: Response, received: int) -> bool:
    """Return whether a body is shorter than announced. libcurl takes a length beyond its integers for none."""
    if response.status in BODILESS or is_chunked(response.headers):
        return False
    length = body_length(response.headers)
    return length is not None and received < length
