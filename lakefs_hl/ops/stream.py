"""Content of an object passed to a function, range by range, or written to a file: it need not fit in memory.

Rules of the room: all ranges are of one version. A function gets the bytes of a range when it is complete, a file gets
the first range and then the rest in one response.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final, Protocol

from lakefs_hl.ops import multipart, objects, transfer
from lakefs_hl.ops.comparison import Comparison, is_etag, wrong
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.presign import MD5
from lakefs_hl.ops.retry import Session
from lakefs_hl.ops.upload import EXTRA_TRANSFERS
from lakefs_hl.spec.errors import IntegrityError
from lakefs_hl.spec.uri import object_uri
from lakefs_hl.spec.wire import FileSlice, Hash

#: Length of the first range and of the others, in bytes. A small object costs one request and little memory.
FIRST: Final = 256 << 10
SPAN: Final = 8 << 20


class Target(Protocol):
    """Where an object is written to, from its first byte that is asked for."""

    def sink(self, at: int, length: int | None) -> memoryview | FileSlice:
        """Return what is filled with the next bytes.

        Args:
            at: Number of bytes before them.
            length: Most bytes to read. None if it is unknown how many there are.
        """

    def take(self, sink: memoryview | FileSlice, filled: int) -> None:
        """Take the bytes that a sink was filled with."""


class ToFunction:
    """Passes ranges to a function.

    Args:
        write: Called with the bytes of each range, which are valid during the call.
    """

    def __init__(self, write: Callable[[memoryview], object]) -> None:
        self._write = write
        self._buffer = bytearray(FIRST)

    def sink(self, at: int, length: int | None) -> memoryview:
        """Return memory of at most `length` bytes."""
        if at and length is not None and len(self._buffer) == FIRST:
            self._buffer = bytearray(min(SPAN, length))
        return memoryview(self._buffer)[:length]

    def take(self, sink: memoryview | FileSlice, filled: int) -> None:
        """Pass the bytes on."""
        if isinstance(sink, memoryview):
            self._write(sink[:filled])


class ToFile:
    """Writes to a file.

    Args:
        fd: Its descriptor. Its position does not move.
        on_move: Called from time to time while bytes are written. What it raises ends the transfer.
    """

    def __init__(self, fd: int, on_move: Callable[[int], None] | None = None) -> None:
        self._fd, self._on_move = fd, on_move

    def sink(self, at: int, length: int | None) -> FileSlice:
        """Return all of the file that is not written, once its length is known."""
        return FileSlice(self._fd, at, FIRST if length is None else length, None, self._on_move)

    def take(self, sink: memoryview | FileSlice, filled: int) -> None:
        """Do nothing: the bytes are in the file."""


def copy_to(
    session: Session,
    repository: str,
    ref: str,
    path: str,
    target: Target,
    *,
    start: int | None = None,
    end: int | None = None,
    etag: str | None = None,
    verify: bool = True,
    pre_signed: bool | None = None,
    restart: Callable[[], None] | None = None,
) -> Op[int]:
    """Write an object, or its bytes from `start` to before `end`, to a target. Returns the number of bytes.

    Args:
        session: The client's.
        repository: Repository ID.
        ref: Reference.
        path: Path of the object.
        target: Where to write it.
        start: Offset of the first byte. Negative values count from the end.
        end: Offset after the last byte.
        etag: ETag of the version to read. Defaults to the current one.
        verify: Whether to compare a whole object with its checksum, as far as `comparison` can.
        pre_signed: Whether to use pre-signed URLs. None lets the server's capabilities decide.
        restart: Drops what was written. With it, a whole object that does not match is read again, twice.

    Raises:
        IntegrityError: The content did not match its checksum.
        ObjectChangedError: The object was replaced meanwhile.
    """
    first = start or 0
    if first < 0 or (end or 0) < 0:
        record = yield from objects.stat(session, repository, ref, path)
        first, end, _ = slice(start, end).indices(record.size_bytes or 0)
        etag = etag or record.checksum or None
    if end is not None and end <= first:
        yield from objects.stat(session, repository, ref, path)  # nothing to read, but of an object that exists
        return 0
    compared = Comparison(session, repository) if verify and not first and end is None else None
    again = compared is not None and restart is not None
    for left in range(EXTRA_TRANSFERS if again else 0, -1, -1):
        count, error = yield from _copy(
            session, (repository, ref, path), target, first, end, etag, pre_signed, compared, again=again
        )
        if error is None:
            return count
        if restart is None or not left:
            break
        restart()
    uri = object_uri(repository, ref, path)
    raise IntegrityError(f"reading {uri}: {error}; verify=False reads it without the comparison")


def _copy(
    session: Session,
    place: tuple[str, str, str],
    target: Target,
    first: int,
    end: int | None,
    etag: str | None,
    pre_signed: bool | None,
    compared: Comparison | None,
    *,
    again: bool,
) -> Op[tuple[int, str | None]]:
    """Write each range to the target. Returns the number of bytes and what is wrong with them.

    If it is in parts, it may be read again to be compared, unless the caller does that (`again`).
    """
    at, link, pin = first, None, None
    hashed: Hash | None = hashlib.md5(usedforsecurity=False) if compared is not None else None
    while True:
        sink = target.sink(at - first, None if end is None else end - at)
        part = yield from transfer.read_into(
            session, *place, at, sink, etag=etag, pre_signed=pre_signed, link=link, pin=pin, digest=hashed or False
        )
        hashed = part.hashed if part.filled else hashed
        target.take(sink, part.filled)
        if at == first and compared is not None and hashed is not None:  # only now the kind of the checksum is known
            hashed = compared.go_on(hashed, part.filled, part.etag, part.size)
        if part.encrypted and compared is not None:
            compared.note_encryption(part.etag, part.size)
        at, etag, link, pin = at + part.filled, part.etag or None, part.link, part.pin
        end = part.size if end is None else min(end, part.size)
        if at >= end:
            break
    promised = etag or ""
    if compared is None or not (MD5.fullmatch(promised) or is_etag(promised)):
        return at - first, None
    if hashed is None:
        return at - first, None if is_etag(promised) else "the content was not hashed while it was received"
    found = hashed.hexdigest()
    if again and is_etag(promised):
        known = compared.begin(promised, at) is None or compared.takes(promised, at, found)
    else:
        known = yield from multipart.is_content(session, *place, at, found=found, etag=promised, pre_signed=pre_signed)
    return at - first, None if known else wrong(promised, found)
