"""Requests on a connection that is open already: written and read here, without urllib3's objects of each request.

urllib3 opens connections, through proxies and with TLS, and sends the first request on each. What it does for every
further one (a copy of two timeouts, a retry policy, three kinds of header objects and a response that decodes) takes
three times as long as to write the request and to read its response, and small objects are mostly that.

Rules of the room: whatever is unusual goes to urllib3, which then does what it always did.
"""

from __future__ import annotations

import errno
import logging
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from urllib3.exceptions import IncompleteRead

from lakefs_hl.spec.secret import reveal
from lakefs_hl.transport.exchange import Exchange
from lakefs_hl.transport.reply import Arrived, Reply
from lakefs_hl.transport.sockets import Plain, PlainPool

#: Most bytes of a response that are read at first: the whole of a small one.
_FIRST: Final = 16 << 10
#: Characters of a target that urllib3 would leave as they are.
_TARGET: Final = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-F]{2})*")
_NAME: Final = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_END: Final = re.compile(r"[\r\n\0]")
#: A server may close a connection when it has sent its response, as to a body that is too large: it can still be read.
_MAYBE_ANSWERED: Final = (errno.EPIPE, errno.EPROTOTYPE, errno.ECONNRESET)
_LOGGER: Final = logging.getLogger("urllib3.connectionpool")


class Answer:
    """A response whose body is still to be read; what `http.receive` needs of urllib3's."""

    __slots__ = ("_connection", "_exchange", "_pool", "_received", "_reply")

    def __init__(self, pool: PlainPool, connection: Plain, exchange: Exchange, reply: Arrived | Reply) -> None:
        self._pool, self._connection, self._exchange, self._reply = pool, connection, exchange, reply
        self._received = 0

    @property
    def status(self) -> int:
        """Return the status."""
        return self._reply.status

    @property
    def reason(self) -> str:
        """Return the reason."""
        return self._reply.reason

    def read(self, size: int | None = None) -> bytes:
        """Read the body, or up to so many bytes of it; b"" at its end.

        Raises:
            IncompleteRead: It is shorter than announced.
        """
        block = self._reply.read(size)
        self._count(len(block), size)
        return block

    def readinto(self, window: memoryview) -> int:
        """Read into memory, and return the number of bytes; 0 at the end of the body.

        Raises:
            IncompleteRead: The body is shorter than announced.
        """
        count = self._reply.readinto(window)
        self._count(count, len(window))
        return count

    def _count(self, count: int, size: int | None) -> None:
        self._received += count
        left = self._reply.length
        if left and size is not None and count < size:  # http.client leaves it at that
            raise IncompleteRead(self._received, left)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
        self.release_conn()

    def release_conn(self) -> None:
        """Give the connection back; it is closed if the body was not read to its end, or if more came behind it."""
        if not self._reply.isclosed():
            self._connection.close()
        self._reply.close()
        if self._exchange.is_out_of_step:
            self._connection.close()
        self._pool.put_back(self._connection)


def ask(
    pool: PlainPool,
    exchange: Exchange,
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes | Iterator[bytes] | None,
) -> Answer | None:
    """Send a request, if a connection is open, and read the head of its response.

    Args:
        pool: Connections to the server, without a proxy.
        exchange: The exchange of this thread.
        method: Method.
        target: Path and query.
        headers: All headers but Host, and Content-Length of bytes.
        body: Body.

    Returns:
        The response. None if nothing was sent: urllib3 has to do it.

    Raises:
        OSError, HTTPException, NewConnectionError: There is no response.
        UnusableConnectionError: The connection cannot be used any more, and nothing was sent.
    """
    if _LOGGER.isEnabledFor(logging.DEBUG):  # its log has every request
        return None
    connection = pool.take_open()
    if connection is None:
        return None
    try:
        head = _head(method, target, connection.host_header, headers, body)
        if head is None:
            pool.put_back(connection)
            return None
        reply = _exchange(connection, exchange, method, head, body)
    except BaseException:
        connection.close()
        pool.put_back(connection)
        raise
    return Answer(pool, connection, exchange, reply)


def _exchange(
    connection: Plain, exchange: Exchange, method: str, head: bytes, body: bytes | Iterator[bytes] | None
) -> Arrived | Reply:
    connection.own(exchange)
    try:
        exchange.send(connection, head, _never)
        exchange.headers_sent()
        for block in (body,) if isinstance(body, bytes) else body or ():
            if block:
                exchange.send(connection, block, _never)
        exchange.request_sent(connection)
    except OSError as exc:
        if exc.errno not in _MAYBE_ANSWERED:
            raise
    reply = _await_reply(connection, exchange, method)
    exchange.phase = "read"
    connection.note_use()
    return reply


def _await_reply(connection: Plain, exchange: Exchange, method: str) -> Arrived | Reply:
    exchange.await_head()
    buffer = bytearray(_FIRST)
    ahead = bytes(memoryview(buffer)[: exchange.receive(connection.sock, buffer)])
    whole = Arrived.of(ahead, exchange, method)
    if whole is not None:
        return whole
    reply = Reply(connection.sock, method=method, ahead=ahead)
    try:
        reply.begin()
    except BaseException:
        reply.close()
        raise
    if reply.will_close:
        connection.close()  # the response holds its socket
    return reply


def _never(_: Any) -> None:
    raise AssertionError  # only while connecting


def _head(
    method: str, target: str, host: bytes, headers: Mapping[str, str], body: bytes | Iterator[bytes] | None
) -> bytes | None:
    """Return request line and headers. None if urllib3 or http.client would change or refuse anything."""
    if not host or not _TARGET.fullmatch(target):
        return None
    lines = [f"{method} {reveal(target)} HTTP/1.1".encode("ascii"), b"Host: " + host]
    for name, value in headers.items():
        encoded = _encode_name(name)
        if encoded is None or (not value.isprintable() and _END.search(value)):
            return None
        lines.append(encoded + value.encode("latin-1"))
    if isinstance(body, bytes):
        lines.append(b"Content-Length: %d" % len(body))
    lines.append(b"\r\n")
    return b"\r\n".join(lines)


@lru_cache(256)
def _encode_name(name: str) -> bytes | None:
    encoded = name.encode("ascii", "replace")
    return encoded + b": " if _NAME.fullmatch(encoded) and encoded.lower() not in _FRAMING else None


#: Headers that decide how a request is framed and where it goes, but for the length of a file's slice.
_FRAMING: Final = frozenset({b"host", b"transfer-encoding", b"connection", b"expect", b"upgrade"})
