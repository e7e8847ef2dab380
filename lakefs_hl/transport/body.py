"""Bodies: what a request sends, and where the body of a response goes.

Rules of the room: no HTTP library and no socket, so every transport uses it. Object data is never decoded, so its
length and checksum mean what lakeFS says. A sink is filled by a 200 or 206 only. Everything but object data has a size
limit, and is decoded if a proxy encoded it.

A transport sends what `BodyReader` reads: block after block, or as many bytes as a callback asks for. It gives what it
receives to `receiver(...)` in pieces of any size, or reads straight into a sink's `window()`.
"""

from __future__ import annotations

import hashlib
import io
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Final, Protocol

from lakefs_hl.spec import wire
from lakefs_hl.spec.headers import CONTENT_ENCODING
from lakefs_hl.spec.wire import Endpoint, FileSlice, Request, Response, TransportError
from lakefs_hl.transport.hashing import DEPTH, BackgroundHash, Hash, background, settle
from lakefs_hl.transport.limits import Limits

#: Bytes that move at once.
BLOCK: Final = 1 << 20
#: Longest content that is allocated before it is received, in bytes.
ALLOCATED: Final = 1 << 30
#: Bytes that are copied at once inside of the system.
COPIED: Final = 8 << 20
#: Window bits that make zlib read each coding; deflate is zlib's format by the standard, and raw in practice.
_WINDOWS: Final = {"gzip": (31,), "x-gzip": (31,), "deflate": (15, -15)}


def md5(request: Request) -> wire.Hash | None:
    """Return what hashes the bytes that move, if the request asks for it."""
    digest = request.digest
    if not isinstance(digest, bool):
        return digest.copy()
    return hashlib.md5(usedforsecurity=False) if digest else None


def is_data(endpoint: Endpoint) -> bool:
    """Return whether the operation returns the content of an object, not a record."""
    return endpoint.method == "GET" and endpoint.timeouts.deadline == float("inf")


# -- sending -----------------------------------------------------------------------------------------------------------


class OwnFileError(Exception):
    """The request's own file cannot be read or written. HTTP libraries must not take that for a network failure."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class BodyReader:
    """Reads a request's body once, from its start, and hashes what it reads.

    Args:
        body: Bytes, or a slice of a file, which is read at its offsets: the file's position does not move.
        hashed: Updated with each block.
    """

    __slots__ = ("_body", "_hashed", "_position", "length")

    def __init__(self, body: bytes | FileSlice, hashed: Hash | None = None) -> None:
        self._body, self._hashed = body, hashed
        self._position = 0
        self.length: Final = body.length if isinstance(body, FileSlice) else len(body)

    def read(self, size: int) -> bytes:
        """Return the next bytes, at most `size` of them; b"" at the end.

        Raises:
            OwnFileError: The file cannot be read, or is shorter than its slice.
            IntegrityError: The file has changed since it was measured.
        """
        body, position = self._body, self._position
        if position == self.length:
            return b""
        if isinstance(body, bytes):
            block = body[position : position + size]
        else:
            try:
                block = _read_slice(body, position, size)
            except (OSError, EOFError) as exc:
                raise OwnFileError(exc) from None
        self._position += len(block)
        if self._hashed is not None:
            self._hashed.update(block)
        return block

    def __iter__(self) -> Iterator[bytes]:
        while block := self.read(BLOCK):
            yield block


def blocks(body: bytes | FileSlice) -> Iterator[bytes]:
    """Iterate over a body in pieces of at most 1 MiB; bytes are one piece.

    Raises:
        IntegrityError: The file has changed since it was measured.
        EOFError: The file is shorter than its slice.
    """
    if isinstance(body, bytes):
        yield body
        return
    position = 0
    while position < body.length:
        block = _read_slice(body, position, BLOCK)
        position += len(block)
        yield block


def _read_slice(body: FileSlice, position: int, size: int) -> bytes:
    block = os.pread(body.fd, min(size, body.length - position), body.offset + position)
    position += len(block)
    if body.check is not None and (not block or position >= body.length):
        body.check()
    if not block:
        raise _too_short(body, position)
    if body.on_move is not None:
        body.on_move(body.offset + position)
    return block


def whole(body: bytes | FileSlice) -> bytes:
    """Return all of a body.

    Raises:
        IntegrityError: The file has changed since it was measured.
        EOFError: The file is shorter than its slice.
    """
    if isinstance(body, bytes):
        return body
    found = os.pread(body.fd, body.length, body.offset)
    if len(found) != body.length:
        return b"".join(blocks(body))
    if body.check is not None:
        body.check()
    return found


def _too_short(body: FileSlice, found: int) -> EOFError:
    return EOFError(f"the file is shorter than expected: {found} of {body.length} bytes")


# -- sinks -------------------------------------------------------------------------------------------------------------


def fill(sink: memoryview | FileSlice, body: bytes | FileSlice) -> int:
    """Write a body to the start of a sink, and return its number of bytes.

    Raises:
        TransportError: The body is longer than the sink.
    """
    length = body.length if isinstance(body, FileSlice) else len(body)
    if length > room(sink):
        raise too_long(room(sink), length)
    if isinstance(sink, memoryview):
        if isinstance(body, bytes):
            sink[:length] = body
            return length
        return _read_into(sink[:length], body)
    filled = _copy_start(sink, body) if isinstance(body, FileSlice) else 0
    for block in blocks(_rest_of(body, filled)):
        write_at(sink.fd, block, sink.offset + filled)
        filled += len(block)
        _tell(sink, filled)
    return filled


def _tell(sink: memoryview | FileSlice, filled: int) -> None:
    """Report how much of a sink is filled."""
    if isinstance(sink, FileSlice) and sink.on_move is not None:
        sink.on_move(sink.offset + filled)


def _copy_start(sink: FileSlice, body: FileSlice) -> int:
    """Copy a large body inside of the system, which may only share it, but for its last block; return how much.

    0 where the system does not copy so: what is wrong then, reading and writing tell.
    """
    copy = getattr(os, "copy_file_range", None)
    end, filled = body.length - BLOCK, 0
    if copy is None or end < BLOCK:
        return 0
    try:
        while filled < end:
            size = min(COPIED, end - filled)
            count = copy(body.fd, sink.fd, size, body.offset + filled, sink.offset + filled)
            if not count:
                break
            filled += count
            _tell(sink, filled)
    except OSError:
        return filled
    return filled


def _rest_of(body: bytes | FileSlice, start: int) -> bytes | FileSlice:
    if not start or isinstance(body, bytes):
        return body
    return FileSlice(body.fd, body.offset + start, body.length - start, body.check, body.on_move)


def _read_into(sink: memoryview, body: FileSlice) -> int:
    filled = 0
    while filled < body.length:
        count = os.preadv(body.fd, [sink[filled:]], body.offset + filled)
        if not count:
            raise _too_short(body, filled)
        filled += count
    if body.check is not None:
        body.check()
    return filled


def room(sink: memoryview | FileSlice) -> int:
    """Return the number of bytes that a sink takes."""
    return sink.nbytes if isinstance(sink, memoryview) else sink.length


def write_at(fd: int, block: bytes | memoryview, offset: int) -> None:
    """Write all of a block at an offset."""
    view = memoryview(block)
    while view:
        count = os.pwrite(fd, view, offset)
        view, offset = view[count:], offset + count


def too_long(size: int, length: int | None) -> TransportError:
    """Return the error of a body that does not fit its sink: nothing of it is used."""
    sent = "more" if length is None else f"{length} bytes"
    return TransportError(
        "read",
        f"asked for at most {size} bytes, the response has {sent}: the server ignores ranges, or the object changed",
        retry=False,
        kind="protocol",
    )


# -- receiving ---------------------------------------------------------------------------------------------------------


class Receiver(Protocol):
    """Takes the body of one response.

    Attributes:
        received: Bytes taken so far, as they arrived.
        is_full: Whether further bytes are of no use: the transport stops reading, and closes the connection.
    """

    received: int

    @property
    def is_full(self) -> bool: ...

    def hash_beside(self) -> Hash | None:
        """Hash on another thread from here on, if there is much to hash; return what hashes, for `hashing.close`."""

    def feed(self, block: bytes | memoryview) -> None:
        """Take the next bytes.

        Raises:
            TransportError: They are more than was asked for, or than any record has.
            OwnFileError: The file of the sink cannot be written.
        """

    def finish(self) -> None:
        """Complete the response: the body ended as its framing says."""


def receiver(request: Request, response: Response, limits: Limits, hashed: Hash | None) -> Receiver:
    """Return what takes the body of a response.

    Args:
        request: What was asked.
        response: The response so far: status and lower-case headers. It is completed by `finish`.
        limits: Size limits.
        hashed: What hashes the bytes that move, if the request asks for it.

    Raises:
        TransportError: The headers announce a body that is too large, or encoded on its way.
    """
    if response.status >= 300:
        return ErrorBody(response, limits.error_body, hashed)
    reads = None if request.body else hashed
    data, coding = is_data(request.endpoint), _coding(response)
    if data and coding and request.url is None:
        raise _corruption_error(coding)
    if request.sink is not None and response.status in (200, 206):
        return SinkBody(response, request.sink, reads, hashed)
    if data and BLOCK < (_length(response) or 0) <= ALLOCATED:
        with suppress(MemoryError):  # a limit of the process's address space: what arrives may be less
            return MemoryBody(response, reads, hashed)
    return WholeBody(response, None if data else limits.record, coding, reads, hashed)


class ErrorBody:
    """The body of an error: only its beginning is kept, and the rest is not waited for."""

    received: int

    def __init__(self, response: Response, limit: int, hashed: Hash | None) -> None:
        self._response, self._hashed = response, hashed
        self._body = b""
        self.limit: Final = limit
        self.received = 0

    @property
    def is_full(self) -> bool:
        return len(self._body) >= self.limit

    def hash_beside(self) -> Hash | None:
        return self._hashed

    def feed(self, block: bytes | memoryview) -> None:
        self.received += len(block)
        self._body += block[: self.limit - len(self._body)]

    def finish(self) -> None:
        self._response.body = self._decode()
        _finish(self._response, self._hashed)

    def _decode(self) -> bytes:
        for bits in _WINDOWS.get(_coding(self._response), ()):
            try:
                return zlib.decompressobj(bits).decompress(self._body, self.limit)
            except zlib.error:  # not that format: the bytes as they are is all there is to show
                continue
        return self._body


class SinkBody:
    """A body that fills a sink, in place or from pieces."""

    received: int

    def __init__(
        self, response: Response, sink: memoryview | FileSlice, reads: Hash | None, hashed: Hash | None
    ) -> None:
        self._response, self._sink, self._reads, self._hashed = response, sink, reads, hashed
        self._room = room(sink)
        self._length = _length(response)
        if self._length is not None and self._length > self._room:
            raise too_long(self._room, self._length)
        self._buffers = Buffers(self._room)
        self.received = 0

    @property
    def is_full(self) -> bool:
        return False  # one byte more is an error

    def hash_beside(self) -> Hash | None:
        if self._reads is not None:
            self._reads = self._hashed = background(self._reads, self._length or self._room)
            if isinstance(self._hashed, BackgroundHash):
                self._buffers = Buffers(self._room, DEPTH + 1)
        return self._hashed

    def window(self) -> memoryview:
        """Return where the next bytes may be read into; empty once the sink is full. `advance` takes what was read."""
        if isinstance(self._sink, memoryview):
            return self._sink[self.received : self.received + BLOCK]
        return self._buffers.current(self._room - self.received)

    def advance(self, count: int) -> None:
        """Take bytes that were read into `window()`."""
        into = self.window()[:count]
        if self._reads is not None:
            self._reads.update(into)
        if isinstance(self._sink, FileSlice):
            self._buffers.turn()
            _put(self._sink, into, self.received)
        self.received += count

    def feed(self, block: bytes | memoryview) -> None:
        view = memoryview(block)
        if len(view) > self._room - self.received:
            raise too_long(self._room, None)
        if isinstance(self._sink, memoryview):
            self._sink[self.received : self.received + len(view)] = view
        else:
            _put(self._sink, view, self.received)
        if self._reads is not None:
            self._reads.update(view)
        self.received += len(view)

    def finish(self) -> None:
        self._response.filled = self.received
        _finish(self._response, self._hashed)


class MemoryBody(SinkBody):
    """A large content of known length that is kept in memory: it is received where it stays.

    Memory is allocated at once, but the system gives it only when it is filled: not by what a server announces.
    """

    def __init__(self, response: Response, reads: Hash | None, hashed: Hash | None) -> None:
        self._content = io.BytesIO(bytes(_length(response) or 0))  # which gives these bytes back, without a copy
        super().__init__(response, self._content.getbuffer(), reads, hashed)

    def finish(self) -> None:
        _finish(self._response, self._hashed)
        self._sink = memoryview(b"")  # while there is a view, `getvalue` makes a copy
        content = self._content.getvalue()
        self._response.body = content if self.received == len(content) else content[: self.received]


def _put(sink: FileSlice, block: memoryview, filled: int) -> None:
    """Write a block to a file, after so many bytes, and report it.

    Raises:
        OwnFileError: It cannot be written: no network failure.
    """
    try:
        write_at(sink.fd, block, sink.offset + filled)
        _tell(sink, filled + len(block))
    except OSError as exc:
        raise OwnFileError(exc) from None


class Buffers:
    """Memory of one block, whose parts are filled in turns, so that each stays as it is while it is hashed.

    Args:
        room: Most bytes that are read altogether.
        count: Number of parts.
    """

    __slots__ = ("_at", "_buffers", "_count", "_size")

    def __init__(self, room: int, count: int = 1) -> None:
        self._size, self._count = min(BLOCK // count, room), count
        self._buffers: list[memoryview] = []
        self._at = 0

    def current(self, room: int) -> memoryview:
        """Return memory of at most so many bytes, the same until `turn`."""
        if self._at == len(self._buffers):
            self._buffers.append(memoryview(bytearray(self._size)))
        return self._buffers[self._at][: min(self._size, room)]

    def turn(self) -> None:
        """Go on to the next memory."""
        self._at = (self._at + 1) % self._count


class WholeBody:
    """A body that is kept in memory: a record, or an object's data without a sink."""

    received: int

    __slots__ = (
        "_coding",
        "_first",
        "_gathered",
        "_hashed",
        "_limit",
        "_reads",
        "_response",
        "length",
        "received",
    )

    def __init__(
        self, response: Response, limit: int | None, coding: str, reads: Hash | None, hashed: Hash | None
    ) -> None:
        self._response, self._limit, self._coding, self._reads, self._hashed = response, limit, coding, reads, hashed
        self.length: Final = _length(response)
        if limit is not None and self.length is not None and self.length > limit:
            raise _too_large(limit)
        self._first: bytes = b""
        self._gathered: io.BytesIO | None = None  # grows with what arrives, not with what is announced
        self.received = 0

    @property
    def is_full(self) -> bool:
        return False

    def hash_beside(self) -> Hash | None:
        if self._reads is not None:
            self._reads = self._hashed = background(self._reads, self.length)
        return self._hashed

    def feed(self, block: bytes | memoryview) -> None:
        self.received += len(block)
        if self._limit is not None:
            if self.received > self._limit:
                raise _too_large(self._limit)
        elif self._reads is not None:
            self._reads.update(block)  # data is not decoded
        if self.received == len(block):
            self._first = bytes(block)  # mostly the only one: bytes are not copied
            return
        if self._gathered is None:
            self._gathered = io.BytesIO(self._first)
            self._gathered.seek(0, io.SEEK_END)
        self._gathered.write(block)

    def finish(self) -> None:
        response = self._response
        body = self._first if self._gathered is None else self._gathered.getvalue()
        if self._coding and self._limit is not None and body:
            body = _decompress(body, self._coding, self._limit)
            response.headers = _without_coding(response.headers)
        response.body = body
        if self._limit is not None and self._reads is not None:
            self._reads.update(body)
        if self._hashed is not None:
            _finish(response, self._hashed)


def _finish(response: Response, hashed: Hash | None) -> None:
    if hashed is not None:
        response.md5 = hashed.hexdigest()
        response.hashed = settle(hashed)


def _length(response: Response) -> int | None:
    """Return the length that a response announces."""
    length = response.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdecimal() else None


def _coding(response: Response) -> str:
    coding = response.headers.get(CONTENT_ENCODING)
    if coding is None:
        return ""
    coding = coding.strip().lower()
    return "" if coding == "identity" else coding


def _decompress(body: bytes, coding: str, limit: int) -> bytes:
    """Decode a record that a proxy compressed although it was asked not to."""
    for bits in _WINDOWS.get(coding, ()):
        try:
            return _inflate(body, bits, limit)
        except zlib.error:
            continue
    if coding in _WINDOWS:
        msg = f"a record came with content-encoding {coding!r} and cannot be decoded: a proxy on the way damages it"
    else:
        msg = f"a record came with content-encoding {coding[:40]!r}, not asked for: a proxy on the way adds it"
    raise TransportError("read", msg, retry=False, kind="protocol")


def _inflate(body: bytes, bits: int, limit: int) -> bytes:
    gathered = bytearray()
    while body:
        member = zlib.decompressobj(bits)
        gathered += member.decompress(body, limit + 1 - len(gathered))
        if len(gathered) > limit:
            raise _too_large(limit)
        if not member.eof:
            msg = "incomplete"
            raise zlib.error(msg)
        body = member.unused_data
    return bytes(gathered)


def _without_coding(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in (CONTENT_ENCODING, "content-length")}


def _corruption_error(coding: str) -> TransportError:
    msg = (
        f"the object's data came with content-encoding {coding[:40]!r}, which lakeFS does not use: a proxy on the way "
        "changes the bytes; switch its compression off for the lakeFS API"
    )
    return TransportError("read", msg, retry=False)


def _too_large(limit: int) -> TransportError:
    msg = f"the response is larger than {limit >> 20} MiB: no lakeFS record is"
    return TransportError("read", msg, retry=False, kind="protocol")
