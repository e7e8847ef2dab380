"""Framing: where the body of a response ends, by its headers or by its chunks.

Rules of the room: no HTTP library and no socket, so every transport uses it. A response whose end is in doubt is
refused: what follows it would be taken for the next one, the content of another object.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator, Mapping
from typing import Final

from lakefs_hl.transport.limits import Limits

#: Statuses whose responses have no body.
BODILESS: Final = frozenset({204, 304})
#: Ends of lines, and blank lines.
ENDS: Final = (b"\r\n", b"\n")
#: Bytes of the line that ends a chunk, at most.
CHUNK_END: Final = 3
_HEX: Final = re.compile(rb"[0-9a-fA-F]{1,16}")
_LENGTH: Final = re.compile(r"[0-9]{1,40}")


class MalformedReply(http.client.HTTPException):
    """The response breaks HTTP or is larger than any of lakeFS's; the message continues "host:port …"."""


class BrokenReply(MalformedReply):
    """It is not known where the response ends: something on the way is broken. Another attempt may succeed."""


def too_many_lines(limits: Limits) -> MalformedReply:
    """Return the error of a head or trailers with too many lines."""
    return MalformedReply(f"sends more than {limits.head_lines:,} header lines")


def head_too_large(limits: Limits) -> MalformedReply:
    """Return the error of a head or trailers with too many bytes."""
    return MalformedReply(f"sends more than {limits.head_bytes >> 10:,} KiB of headers")


def line_too_long(most: int) -> MalformedReply:
    """Return the error of a line around chunks that is too long."""
    if most == CHUNK_END:
        return _chunk_too_long()
    return MalformedReply(f"sends chunks with more than {most:,} bytes around them")


def is_chunked(headers: Mapping[str, str]) -> bool:
    """Return whether a body comes in chunks.

    Raises:
        MalformedReply: It comes with another transfer coding, which was not asked for.
    """
    coding = headers.get("transfer-encoding", "").lower()
    if coding not in ("", "chunked", "identity"):
        msg = f"sends a body with transfer coding {coding[:40]!r}, which was not asked for"
        raise MalformedReply(msg)
    return coding == "chunked"


def body_length(headers: Mapping[str, str]) -> int | None:
    """Return the length of a body that headers announce. None if they announce none.

    The same length may be there several times (RFC 9110, section 8.6).

    Raises:
        BrokenReply: They announce several, or what is not a number.
    """
    text = headers.get("content-length")
    if text is None:
        return None
    if not _LENGTH.fullmatch(text):
        lengths = {one.strip() for one in text.split(",")}
        wrong = [one for one in lengths if not _LENGTH.fullmatch(one)]
        if wrong:
            msg = f"sends {min(wrong)[:40]!r} as the length of a body"
            raise BrokenReply(msg)
        if len(lengths) > 1:
            msg = f"sends {len(lengths)} different lengths of one body"
            raise BrokenReply(msg)
        text = lengths.pop()
    return int(text)


def chunk_size(line: bytes) -> int:
    """Return the size in the line before a chunk; 0 is the last one.

    Raises:
        BrokenReply: There is none.
    """
    size = _HEX.fullmatch(line.partition(b";")[0].strip())
    if size is None:
        msg = "sends a chunk without its length"
        raise BrokenReply(msg)
    return int(size[0], 16)


def check_chunk_end(line: bytes) -> None:
    """Check the line behind a chunk.

    Raises:
        BrokenReply: The chunk goes on.
    """
    if line not in ENDS:
        raise _chunk_too_long()


def _chunk_too_long() -> BrokenReply:
    return BrokenReply("sends a chunk that is longer than announced")


class Chunks:
    """A chunked body that arrives in pieces of any size.

    Args:
        limits: Limits of the lines around chunks, and of trailers, of which none is used.

    Attributes:
        is_over: Whether its end has arrived.
        has_surplus: Whether anything has arrived behind its end.
    """

    def __init__(self, limits: Limits) -> None:
        self.is_over: bool = False
        self.has_surplus: bool = False
        self._limits = limits
        self._left = 0
        self._line = b""
        self._take, self._most = self._take_size, limits.chunk_line
        self._trailers = self._trailer_bytes = 0

    def feed(self, block: memoryview) -> Iterator[memoryview]:
        """Take bytes as they arrived, and iterate over those of the body.

        Raises:
            MalformedReply: They are not chunks, or exceed a limit.
        """
        while block and not self.is_over:
            if self._left:
                piece = block[: self._left]
                self._left -= len(piece)
                block = block[len(piece) :]
                yield piece
                continue
            start = bytes(block[: self._most + 1 - len(self._line)])
            end = start.find(b"\n") + 1 or len(start)
            self._line += start[:end]
            block = block[end:]
            if self._line.endswith(b"\n"):
                line, self._line = self._line, b""
                self._take(line)
            elif len(self._line) > self._most:
                raise self._too_long()
        if block:
            self.has_surplus = True

    def _too_long(self) -> MalformedReply:
        if self._take == self._take_trailer:
            return head_too_large(self._limits)
        return line_too_long(self._most)

    def _take_size(self, line: bytes) -> None:
        self._left = chunk_size(line)
        if self._left:
            self._take, self._most = self._take_end, CHUNK_END
        else:
            self._take, self._most = self._take_trailer, self._limits.head_bytes

    def _take_end(self, line: bytes) -> None:
        check_chunk_end(line)
        self._take, self._most = self._take_size, self._limits.chunk_line

    def _take_trailer(self, line: bytes) -> None:
        if line in ENDS:
            self.is_over = True
            return
        self._trailers += 1
        self._trailer_bytes += len(line)
        if self._trailers > self._limits.head_lines:
            raise too_many_lines(self._limits)
        if self._trailer_bytes > self._limits.head_bytes:
            raise head_too_large(self._limits)
