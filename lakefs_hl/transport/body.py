"""What a response brings: an object's data as it is stored, everything else bounded, and decoded if a proxy encoded it.

Rules of the room: object data is never decoded, so its length and checksum mean what lakeFS says; a sink is filled by a
200 or 206 only.
"""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Iterator, Mapping
from typing import Final

from urllib3 import BaseHTTPResponse  # noqa: TC002 - loaded by the others anyway

from lakefs_hl.spec.wire import Endpoint, FileSlice, Request, Response, TransportError
from lakefs_hl.transport.exchange import Exchange
from lakefs_hl.transport.inproc import BLOCK, blocks, too_long, write_at

#: Window bits that make zlib read each coding; deflate is zlib's format by the standard and raw by habit.
_WINDOWS: Final = {"gzip": (31,), "x-gzip": (31,), "deflate": (15, -15)}


class OwnFileError(Exception):
    """The request's own file could not be read: no fault of the network, and urllib3 must not take it for one."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


def from_file(body: FileSlice, hashed: hashlib._Hash | None) -> Iterator[bytes]:
    """The blocks of a file to send."""
    try:
        for block in blocks(body):
            if hashed is not None:
                hashed.update(block)
            yield block
    except (OSError, EOFError) as exc:
        raise OwnFileError(exc) from None


def is_data(endpoint: Endpoint) -> bool:
    """Whether the operation answers with the content of an object, and not with a record."""
    return endpoint.method == "GET" and endpoint.timeouts.deadline == float("inf")


def receive(request: Request, answer: BaseHTTPResponse, exchange: Exchange, hashed: hashlib._Hash | None) -> Response:
    """Read a response to its end."""
    status = answer.status
    response = Response(
        status, {name.lower(): value for name, value in answer.headers.itermerged()}, reason=answer.reason or ""
    )
    exchange.answer = response
    coding = response.headers.get("content-encoding", "").strip().lower()
    if coding == "identity":
        coding = ""
    reads = not request.body and hashed is not None and status < 300
    if status >= 300:
        response.body = _beginning(answer, exchange, coding)
    else:
        data = is_data(request.endpoint)
        if data and coding and request.url is None:
            raise _changed_on_the_way(coding)
        if request.sink is not None and status in (200, 206):
            response.filled = _fill(request.sink, answer, exchange, response.headers, hashed if reads else None)
        else:
            response.body = _content(answer, exchange, response.headers, None if data else exchange.limits.record)
            if coding and not data and response.body:
                response.body = _decoded(response.body, coding, exchange.limits.record)
                response.headers = _without_coding(response.headers)
            if reads and hashed is not None:
                hashed.update(response.body)
    answer.release_conn()
    if hashed is not None:
        response.md5 = hashed.hexdigest()
    return response


def _beginning(answer: BaseHTTPResponse, exchange: Exchange, coding: str) -> bytes:
    """What a refusal says, as far as anybody reads; the rest is not waited for."""
    most = exchange.limits.error_body
    body = answer.read(most)
    if len(body) >= most:
        answer.close()
    for bits in _WINDOWS.get(coding, ()):
        try:
            return zlib.decompressobj(bits).decompress(body, most)
        except zlib.error:  # not that format: what came is all there is to show
            continue
    return body


def _content(answer: BaseHTTPResponse, exchange: Exchange, told: Mapping[str, str], cap: int | None) -> bytes:
    """The whole body; a record has at most `cap` bytes, an object's data any number."""
    promised = told.get("content-length", "")
    length = int(promised) if promised.isascii() and promised.isdecimal() else None
    if cap is not None and length is not None and length > cap:
        raise _too_large(cap)
    if length is not None and length <= BLOCK:
        body = answer.read()
        exchange.received = len(body)
        return body
    gathered = io.BytesIO()  # grows with what comes, not with what is promised
    while block := answer.read(BLOCK):
        exchange.received += len(block)
        if cap is not None and exchange.received > cap:
            raise _too_large(cap)
        gathered.write(block)
    return gathered.getvalue()


def _decoded(body: bytes, coding: str, cap: int) -> bytes:
    """A record that a proxy compressed although it was asked not to."""
    for bits in _WINDOWS.get(coding, ()):
        try:
            return _inflated(body, bits, cap)
        except zlib.error:
            continue
    if coding in _WINDOWS:
        msg = f"a record came with content-encoding {coding!r} and cannot be decoded: a proxy on the way damages it"
    else:
        msg = f"a record came with content-encoding {coding[:40]!r}, not asked for: a proxy on the way adds it"
    raise TransportError("read", msg, retry=False, kind="protocol")


def _inflated(body: bytes, bits: int, cap: int) -> bytes:
    gathered = bytearray()
    while body:
        member = zlib.decompressobj(bits)
        gathered += member.decompress(body, cap + 1 - len(gathered))
        if len(gathered) > cap:
            raise _too_large(cap)
        if not member.eof:
            msg = "incomplete"
            raise zlib.error(msg)
        body = member.unused_data
    return bytes(gathered)


def _without_coding(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in ("content-encoding", "content-length")}


def _changed_on_the_way(coding: str) -> TransportError:
    msg = (
        f"the object's data came with content-encoding {coding[:40]!r}, which lakeFS does not use: a proxy on the way "
        "changes the bytes; switch its compression off for the lakeFS API"
    )
    return TransportError("read", msg, retry=False)


def _fill(
    sink: memoryview | FileSlice,
    answer: BaseHTTPResponse,
    exchange: Exchange,
    told: Mapping[str, str],
    hashed: hashlib._Hash | None,
) -> int:
    room = sink.nbytes if isinstance(sink, memoryview) else sink.length
    promised = told.get("content-length", "")
    if promised.isdecimal() and int(promised) > room:
        raise too_long(room, int(promised))
    buffer = memoryview(bytearray(0 if isinstance(sink, memoryview) else min(BLOCK, room)))
    filled = 0
    while filled < room:
        into = sink[filled : filled + BLOCK] if isinstance(sink, memoryview) else buffer[: min(BLOCK, room - filled)]
        count = answer.readinto(into)
        if not count:
            break
        if hashed is not None:
            hashed.update(into[:count])
        if isinstance(sink, FileSlice):
            write_at(sink.fd, into[:count], sink.offset + filled)
        filled += count
        exchange.received = filled
    if filled == room and answer.read(1):
        raise too_long(room, None)
    return filled


def _too_large(cap: int) -> TransportError:
    msg = f"the answer is larger than {cap >> 20} MiB: no lakeFS record is"
    return TransportError("read", msg, retry=False, kind="protocol")
