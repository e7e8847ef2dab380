"""Copying a body into a file of the lake, hashing beside it.

A large body is hashed on threads of their own, one for each slow hash, which read what has been written: so what is
hashed is what was stored, a copy inside of the system needs no buffer, and the file is synced while they are at it.

Rules of the room: a body that is a file is not used up to its end before it is known to be what was measured.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol, TypeAlias

from xxhash import xxh3_128

from lakefs_hl.local.disk import fs
from lakefs_hl.local.disk.errors import Damaged, DiskError
from lakefs_hl.local.disk.queues import SimpleQueue

if TYPE_CHECKING:
    from lakefs_hl.local.disk.database import Database

#: From this size on, hashes are computed on threads of their own, bytes.
PARALLEL: Final = 4 << 20
#: Bytes that are copied at a time inside of the system.
STEP: Final = 8 << 20


class Span(Protocol):
    """`length` bytes at `offset` of an open file."""

    @property
    def fd(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def length(self) -> int: ...
    @property
    def check(self) -> Callable[[], None] | None:
        """Raises if the file is no longer what was measured; called before its last bytes are used."""

    @property
    def on_move(self) -> Callable[[int], None] | None:
        """Called with the offset up to which the file was read."""


class Joined(NamedTuple):
    """Spans of files, one after the other, as one body.

    Attributes:
        length: Bytes of all of them.
        spans: Opens them in their order, each until the next is asked for.
    """

    length: int
    spans: Callable[[], Iterator[Span]]


#: What can be copied into a file of the lake.
Body: TypeAlias = "bytes | Span | Joined"


class Hashed(NamedTuple):
    """What was stored.

    Attributes:
        sha256, md5, xxh3: Of the content.
        synced: Whether it is on the disk already.
    """

    sha256: bytes
    md5: bytes
    xxh3: bytes
    synced: bool


class _Hash(Protocol):
    def update(self, data: bytes | memoryview, /) -> None: ...


def md5(data: bytes = b"") -> hashlib._Hash:
    """MD5, which proves nothing and is what clients compare."""
    return hashlib.md5(data, usedforsecurity=False)


def blocks(body: Body) -> Iterator[bytes | memoryview]:
    """The body in pieces.

    Raises:
        EOFError: The file is shorter than it was said to be.
    """
    if isinstance(body, bytes):
        view = memoryview(body)
        for start in range(0, len(view), fs.BLOCK):
            yield view[start : start + fs.BLOCK]
        return
    if isinstance(body, Joined):
        for span in body.spans():
            yield from blocks(span)
        return
    at, end = body.offset, body.offset + body.length
    while at < end:
        piece = fs.read(body.fd, at, min(fs.BLOCK, end - at))
        at += len(piece)
        if body.check is not None and (not piece or at >= end):
            body.check()
        if not piece:
            raise _too_short(body, at - body.offset)
        if body.on_move is not None:
            body.on_move(at)
        yield piece


def _too_short(body: Span, found: int) -> EOFError:
    return EOFError(f"the body ended after {found} of {body.length} bytes: did the file change?")


def copy(body: Body, fd: int, database: Database) -> Hashed:
    """Writes a body to a new file; gives the hashes of what was written.

    Raises:
        DiskError: The lake is being closed.
        SyncFailed: The file could not be synced.
        WriteFailed: It could not be written.
        OSError: The body could not be read.
    """
    sha256, fast, slow = hashlib.sha256(), xxh3_128(), md5()
    length = len(body) if isinstance(body, bytes) else body.length
    lines: list[_Line] = []
    synced = False
    try:
        if length >= PARALLEL:
            view = memoryview(body) if isinstance(body, bytes) else None
            with suppress(RuntimeError):  # no thread can be started: from Python 3.12 on, at the interpreter's exit
                lines.append(_Line(database, (slow,), fd, view))
                lines.append(_Line(database, (sha256, fast), fd, view))
        if len(lines) == 2:
            _write(body, length, fd, lines, database)
            if database.sync:
                fs.fsync(fd, "blob")
                synced = True
        else:
            for piece in blocks(body):
                _must_be_open(database)
                for one in (sha256, fast, slow):
                    one.update(piece)
                fs.write(fd, piece, "blob")
    except BaseException:
        for line in lines:
            line.stopped = True
        raise
    finally:
        for line in lines:
            line.end()
    for line in lines:
        if line.error is not None:
            raise line.error
    return Hashed(sha256.digest(), slow.digest(), fast.digest(), synced)


def _must_be_open(database: Database) -> None:
    if database.closing:
        raise DiskError(f"{database.folder}: this lake is being closed; nothing was kept")


def _write(body: Body, length: int, fd: int, lines: list[_Line], database: Database) -> None:
    """Writes a large body, and says how far it is. Its last bytes are hashed when it is known to be unchanged."""
    if isinstance(body, bytes):
        for line in lines:
            line.reach(length)
        for piece in blocks(body):
            _must_be_open(database)
            fs.write(fd, piece, "blob")
        return
    at = 0
    for span in body.spans() if isinstance(body, Joined) else (body,):
        _append(span, at, fd, lines, database)
        at += span.length


def _append(body: Span, at: int, fd: int, lines: list[_Line], database: Database) -> None:
    """Writes a span at an offset of a file, behind what is there, and says how far it is."""
    done, length = 0, body.length
    while done < length:
        _must_be_open(database)
        count = fs.copy_range(body.fd, body.offset + done, fd, at + done, min(STEP, length - done), "blob")
        if not count:
            piece = fs.read(body.fd, body.offset + done, min(fs.BLOCK, length - done))
            fs.overwrite(fd, piece, at + done, "blob")
            count = len(piece)
        done += count
        if body.check is not None and (not count or done >= length):
            body.check()
        if not count:
            raise _too_short(body, done)
        if body.on_move is not None:
            body.on_move(body.offset + done)
        for line in lines:
            line.reach(at + done)


class _Line(threading.Thread):
    """Hashes what has been written so far, on a thread of its own.

    A `queue.Queue` takes its lock in Python code: an interrupt of the writer there would stop both for ever.
    """

    def __init__(self, database: Database, hashes: tuple[_Hash, ...], fd: int, view: memoryview | None) -> None:
        super().__init__(name="lake-hash", daemon=True)
        self._database, self._hashes, self._fd, self._view = database, hashes, fd, view
        self._reached: SimpleQueue[int | None] = SimpleQueue()
        self.stopped = False
        self.error: Exception | None = None
        self.start()

    def reach(self, end: int) -> None:
        """Say that there are bytes up to here."""
        self._reached.put(end)

    def end(self) -> None:
        """Wait until all of them are hashed."""
        self._reached.put(None)
        self.join()

    def run(self) -> None:
        try:
            self._run()
        except Exception as error:  # noqa: BLE001 - raised by the thread that writes
            self.error = error

    def _run(self) -> None:
        buffer = memoryview(bytearray(fs.BLOCK)) if self._view is None else None
        at = 0
        while (end := self._reached.get()) is not None:
            while at < end and not self.stopped:
                _must_be_open(self._database)
                count = min(fs.BLOCK, end - at)
                if self._view is not None:
                    piece = self._view[at : at + count]
                elif buffer is not None:
                    piece = buffer[:count]
                    if fs.read_into(self._fd, piece, at) < count:
                        raise fs.WriteFailed(5, "what was written is not there")
                for one in self._hashes:
                    one.update(piece)
                at += count


class Check(threading.Thread):
    """Holds a file against its fast checksum, on a thread of its own, while it is being copied.

    Args:
        fd: The file, open until `end`.
        length: Its bytes.
        xxh3: Its checksum.
        words: What is said if it is another.

    Raises:
        RuntimeError: No thread can be started.
    """

    def __init__(self, fd: int, length: int, xxh3: bytes, words: str) -> None:
        super().__init__(name="lake-check", daemon=True)
        self._fd, self._length, self._xxh3, self._words = fd, length, xxh3, words
        self._over: SimpleQueue[bool] = SimpleQueue()
        self._stopped = False
        self.start()

    def hold(self) -> None:
        """Wait for the outcome; to be called once.

        Raises:
            Damaged: The file is not what was stored.
        """
        if not self._over.get():
            raise Damaged(self._words)

    def end(self) -> None:
        """End it, before the file is closed."""
        self._stopped = True
        self.join()

    def run(self) -> None:
        found, at, buffer = xxh3_128(), 0, memoryview(bytearray(fs.BLOCK))
        holds = False
        try:
            while at < self._length and not self._stopped:
                piece = buffer[: min(fs.BLOCK, self._length - at)]
                count = fs.read_into(self._fd, piece, at)
                found.update(piece[:count])
                at += count or self._length
            holds = found.digest() == self._xxh3
        except OSError:  # what cannot be read is not what was stored
            holds = False
        finally:
            self._over.put(holds)
