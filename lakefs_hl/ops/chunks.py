"""Content of an object in chunks, as pages of a listing: the driver fetches the next range while one is read.

Rules of the room: all ranges are of one version. An object that is read whole is hashed, and its last chunks are given
out only if the hash matches.
"""

from __future__ import annotations

import hashlib
from functools import partial
from typing import Final

import msgspec

from lakefs_hl.ops import multipart, objects, transfer
from lakefs_hl.ops.comparison import Comparison, is_etag, wrong
from lakefs_hl.ops.effects import Op, call_function
from lakefs_hl.ops.presign import MD5
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec.errors import IntegrityError
from lakefs_hl.spec.models import Pagination
from lakefs_hl.spec.uri import object_uri
from lakefs_hl.spec.wire import Hash

#: Least length of the first range and of the others in bytes, if the chunks are shorter. A chunk may be longer.
FIRST: Final = 256 << 10
SPAN: Final = 4 << 20
#: Largest buffer that is made before the size of the object is known.
LARGEST_FIRST: Final = 8 << 20
#: Buffers that are kept: of the chunks that are being taken, of the range that is fetched, and of the one between.
KEPT: Final = 3


class ChunkPage(msgspec.Struct, frozen=True):
    """The chunks of one range, as views: each is copied when it is taken."""

    pagination: Pagination
    results: list[memoryview]


class Chunks:
    """The chunks of an object, range after range. Ranges are read in order.

    Args:
        repository: Repository ID.
        ref: Reference.
        path: Path of the object.
        start: Offset of the first byte. Negative values count from the end.
        end: Offset after the last byte.
        size: Size of a chunk in bytes. The last one may be smaller.
        verify: Whether to compare a whole object with its checksum, as far as `comparison` can.
        pre_signed: Whether to use pre-signed URLs. None lets the server's capabilities decide.
    """

    def __init__(
        self,
        repository: str,
        ref: str,
        path: str,
        start: int,
        end: int | None,
        size: int,
        *,
        verify: bool,
        pre_signed: bool | None,
    ) -> None:
        self._place = repository, ref, path
        self._at, self._end = start, end
        self._size = size
        self._verifies = verify and not start and end is None
        self._hashed: Hash | None = hashlib.md5(usedforsecurity=False) if self._verifies else None
        self._pre_signed = pre_signed
        self._etag: str | None = None
        self._link: str | None = None
        self._pin: str | None = None
        self._started = False
        self._buffers: list[bytearray] = []

    def next_page(self, session: Session, after: str, _: int) -> Op[ChunkPage]:
        """Read the next range. `after` is where it begins; the state is here, as it is of one version."""
        del after
        if not self._started and (self._at < 0 or (self._end or 0) < 0):
            record = yield from objects.stat(session, *self._place)
            self._at, self._end, _ = slice(self._at, self._end).indices(record.size_bytes or 0)
            self._etag = record.checksum or None
        if self._end is not None and self._end <= self._at:
            yield from objects.stat(session, *self._place)  # nothing to read, but of an object that exists
            return ChunkPage(Pagination(False, "", 0, 0), [])
        content = yield from self._read(session)
        if self._verifies:
            yield from self._verify(session)
        more = self._at < (self._end or 0)
        chunks = [content[at : at + self._size] for at in range(0, len(content), self._size)]
        return ChunkPage(Pagination(more, str(self._at), len(chunks), 0), chunks)

    def _read(self, session: Session) -> Op[memoryview]:
        """Read whole chunks, or up to the end."""
        span = self._size * max(1, (SPAN if self._started else FIRST) // self._size)
        if not self._started and span > LARGEST_FIRST:
            head = yield from self._fill(session, self._buffer(self._cut(LARGEST_FIRST)))
            whole = self._buffer(len(head) + self._cut(span - len(head)))
            whole[: len(head)] = head
            yield from self._fill(session, whole[len(head) :])
            return whole
        return (yield from self._fill(session, self._buffer(self._cut(span))))

    def _buffer(self, length: int) -> memoryview:
        """Return a buffer, one whose chunks were all taken if there is such.

        malloc keeps what is freed: buffers of 4 MiB, each allocated by another thread, left 16 to 70 MiB behind.
        """
        found = next((kept for kept in self._buffers if len(kept) >= length and _is_free(kept)), None)
        if found is None:
            found = bytearray(length)
            self._buffers = [*self._buffers[1 - KEPT :], found]
        return memoryview(found)[:length]

    def _cut(self, length: int) -> int:
        return length if self._end is None else max(0, min(length, self._end - self._at))

    def _fill(self, session: Session, sink: memoryview) -> Op[memoryview]:
        """Fill a buffer from the position as far as the object goes, and return the part that was filled."""
        if self._started and not sink.nbytes:
            return sink
        part = yield from transfer.read_into(
            session,
            *self._place,
            self._at,
            sink,
            etag=self._etag,
            pre_signed=self._pre_signed,
            link=self._link,
            pin=self._pin,
            digest=self._hashed or False,
        )
        if self._hashed is not None and part.filled:
            self._hashed = part.hashed
        if self._hashed is not None and not self._started and is_etag(part.etag):  # only now that is known
            self._hashed = Comparison(session, self._place[0]).begin(part.etag, part.size)
            if self._hashed is not None:
                yield from call_function(partial(self._hashed.update, sink[: part.filled]))
        self._started = True
        self._at += part.filled
        self._etag, self._link, self._pin = part.etag or None, part.link, part.pin
        self._end = part.size if self._end is None else min(self._end, part.size)
        return sink[: part.filled]

    def _verify(self, session: Session) -> Op[None]:
        """Compare the hash at the end.

        Raises:
            IntegrityError: The content does not match its ETag.
        """
        hashed, promised = self._hashed, self._etag or ""
        if hashed is None or not (MD5.fullmatch(promised) or is_etag(promised)) or self._at < (self._end or 0):
            return
        found = hashed.hexdigest()
        known = yield from multipart.is_content(
            session, *self._place, self._at, found=found, etag=promised, pre_signed=self._pre_signed
        )
        if not known:
            msg = (
                f"reading {object_uri(*self._place)}: {wrong(promised, found)}; its last chunks are not given out. "
                f"verify=False reads it without the comparison"
            )
            raise IntegrityError(msg)


def _is_free(buffer: bytearray) -> bool:
    """Check that no view of a buffer is left: while there is one, its length cannot change."""
    try:
        buffer.append(0)
    except BufferError:
        return False
    buffer.pop()
    return True
