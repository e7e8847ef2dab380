"""Blobs: the bytes of objects under their sha256; small ones in the database, large ones as files.

Rules of the room: a file is whole, synced and in its place (and its folder synced) before any row can name it. A
blob never changes; a file may be replaced by one of equal content. No user's name becomes a file's name.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final, NamedTuple, Protocol

from lakefs_hl.local.disk import fs
from lakefs_hl.local.disk.database import Database, Reader, Writer
from lakefs_hl.local.disk.errors import Damaged, DiskError, ReadOnly, scarcity
from lakefs_hl.local.disk.layout import OBJECTS, TEMPORARY
from lakefs_hl.local.disk.tables import blobs

#: Largest blob that lies in the database, bytes.
INLINE: Final = 16 << 10
#: What a folder or a file system answers that takes no writes.
_UNWRITABLE: Final = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
#: From this size on, sha256 and md5 are computed on threads of their own, bytes.
PARALLEL: Final = 4 << 20
#: A temporary file of nobody is removed when it is older than this, seconds.
ABANDONED: Final = 3600.0


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


class BlobRef(NamedTuple):
    """What is known of a blob once it is kept.

    Attributes:
        sha256: Its name, 32 bytes.
        md5: 16 bytes.
        size: Bytes.
        data: Its content if it goes into the database; None if its file is in place.
    """

    sha256: bytes
    md5: bytes
    size: int
    data: bytes | None


class Held:
    """An open blob: bytes, or a file that stays open until released.

    The file is opened and owned by one call into C: an interrupt may land between any two lines, and a bare number of a
    descriptor would be lost with what it names.

    Attributes:
        data: The content of a small one.
        length: Bytes.
    """

    __slots__ = ("_file", "data", "length")

    def __init__(self, data: bytes | None, file: io.FileIO | None, length: int) -> None:
        self.data: bytes | None = data
        self._file = file
        self.length: int = length

    @property
    def fd(self) -> int:
        """The file of a large one, else -1."""
        return -1 if self._file is None or self._file.closed else self._file.fileno()

    def release(self) -> None:
        """Closes the file; once is enough, more does no harm."""
        file = getattr(self, "_file", None)  # an interrupt may have come before it was set
        if file is not None:
            file.close()

    def __del__(self) -> None:
        self.release()


class Blobs:
    """The blobs of one lake.

    Args:
        database: Where small ones lie; its folder has the files of the large ones.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._objects = os.path.join(database.folder, OBJECTS)
        self._temporary = os.path.join(self._objects, TEMPORARY)
        self._synced: set[str] = set()  # folders whose names are durable
        try:
            if not os.path.isdir(self._temporary):  # some ways of copying leave empty folders out
                fs.make_folder(self._objects, "lake")
                fs.make_folder(self._temporary, "lake")
            self.sweep()
        except OSError as error:
            message = f"{self._temporary}: cannot be used: {error}"
            if error.errno not in _UNWRITABLE:
                raise scarcity(error.errno, message) or DiskError(message) from error

    def put(self, body: bytes | Span) -> BlobRef:
        """Keeps a body: a large one is durable on return; a small one once `record`ed in a transaction.

        Raises:
            NoSpace: The disk is full.
            ReadOnly: The file could not be synced, or the folder cannot be written.
            OSError: The body could not be read.
        """
        length = len(body) if isinstance(body, bytes) else body.length
        if length <= INLINE:
            data = body if isinstance(body, bytes) else b"".join(blocks(body))
            return BlobRef(hashlib.sha256(data).digest(), _md5(data).digest(), length, data)
        sha256, md5 = self._database.apart(lambda: self._keep(body, length))
        return BlobRef(sha256, md5, length, None)

    def _keep(self, body: bytes | Span, length: int) -> tuple[bytes, bytes]:
        """Makes a file of a body; gives sha256 and md5. No signal comes here: what is opened is closed."""
        self._database.must_write()
        if self._database.failed:
            self._database.run(lambda _writer: None)  # verifies the lake
        try:
            return self._put_file(body, length)
        except fs.SyncFailed as error:
            self._database.trust.fail(str(error))
            folder = self._database.folder
            raise ReadOnly(f"{folder}: {error}; nothing was kept, and the lake is read-only for now") from error
        except (fs.WriteFailed, FileExistsError, FileNotFoundError) as error:
            folder = self._database.folder
            if error.errno in _UNWRITABLE:
                raise ReadOnly(f"{folder}: the lake cannot be written: {error}; nothing was kept") from error
            message = f"{folder}: {error.strerror}: {length} bytes could not be written; nothing was kept"
            raise scarcity(error.errno, message) or DiskError(message) from error

    def _put_file(self, body: bytes | Span, length: int) -> tuple[bytes, bytes]:
        """Copies a body to the disk and puts it in its place; gives sha256 and md5."""
        fd, path = self.temporary()
        try:
            try:
                sha256, md5 = _copy(body, length, fd, self._database)
                if self._database.sync:
                    fs.fsync(fd, "blob")
            finally:
                fs.close(fd)
            self._place(path, sha256)
        except BaseException:
            fs.unlink(path, "blob")
            raise
        return sha256, md5

    def record(self, writer: Writer, blob: BlobRef) -> None:
        """Puts a small blob into the database; a large one is in its place already."""
        if blob.data is not None:
            blobs.put(writer, blob.sha256, blob.data)

    def open(self, reader: Reader, sha256: bytes, size: int) -> Held:
        """Opens a blob for reading; a file stays readable until released, whatever happens to the lake.

        Args:
            reader: The transaction in which the name was found.
            sha256: Its name.
            size: Its size as noted with the name, bytes.

        Raises:
            Damaged: It is missing, or its size is not that.
        """
        if size <= INLINE:
            data = blobs.get(reader, sha256)
            if data is None or len(data) != size:
                raise _missing(sha256, size, None if data is None else len(data))
            if hashlib.sha256(data).digest() != sha256:
                raise Damaged(f"blob {sha256.hex()} is not what its hash says; run `lakefs-hl fsck`")
            return Held(data, None, size)
        try:
            held = Held(None, io.FileIO(self.path(sha256)), size)
        except FileNotFoundError as error:
            raise _missing(sha256, size, None) from error
        except OSError as error:
            message = f"blob {sha256.hex()} cannot be opened: {error}"
            kind = Damaged if isinstance(error, IsADirectoryError) else DiskError
            raise scarcity(error.errno, message) or kind(message) from error
        found = os.fstat(held.fd).st_size
        if os.path.islink(self.path(sha256)):
            held.release()
            raise Damaged(f"blob {sha256.hex()} cannot be opened: in its place is a link; run `lakefs-hl fsck`")
        if found != size:
            held.release()
            raise _missing(sha256, size, found)
        return held

    def path(self, sha256: bytes) -> str:
        """Where the file of a large blob lies."""
        name = sha256.hex()
        return os.path.join(self._objects, name[:2], name)

    def temporary(self) -> tuple[int, str]:
        """A new file on the lake's disk, locked until it is closed: so that leftovers of the dead can be told."""
        path = os.path.join(self._temporary, os.urandom(16).hex())
        fd = fs.create(path, "blob")
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return fd, path

    def sweep(self, older: float = ABANDONED) -> int:
        """Removes temporary files whose writers are dead.

        Args:
            older: Age from which a file may go, seconds: younger ones may be about to be locked.

        Returns:
            How many were removed.
        """
        removed = 0
        for entry in os.scandir(self._temporary):
            try:
                young = time.time() - entry.stat(follow_symlinks=False).st_mtime < older
                fd = -1 if young else os.open(entry.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            except FileNotFoundError:
                continue  # its writer has just put it in its place
            if fd >= 0:
                removed += self._remove_if_dead(fd, entry.path)
        return removed

    def _remove_if_dead(self, fd: int, path: str) -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fs.unlink(path, "blob")
        except BlockingIOError:
            return False  # its writer lives
        finally:
            fs.close(fd)
        return True

    def _place(self, path: str, sha256: bytes) -> None:
        """Renames a synced file to its name, and makes the name durable."""
        target = self.path(sha256)
        folder = os.path.dirname(target)
        try:
            fs.rename(path, target, "blob")
        except FileNotFoundError:
            self._synced.discard(folder)
            fs.make_folder(folder, "blob")
            fs.rename(path, target, "blob")
        if self._database.sync:
            if folder not in self._synced:  # whoever made it, and whether or not they have come so far
                there = [os.path.join(self._objects, name) for name in os.listdir(self._objects)]
                fs.fsync_folder(self._objects, "blob.parent")
                self._synced.update(there)
            fs.fsync_folder(folder, "blob")


def _md5(data: bytes = b"") -> hashlib._Hash:
    return hashlib.md5(data, usedforsecurity=False)


def _missing(sha256: bytes, size: int, found: int | None) -> Damaged:
    what = "is missing" if found is None else f"has {found} bytes"
    return Damaged(f"blob {sha256.hex()} of {size} bytes {what}; run `lakefs-hl fsck`, and restore it from a copy")


def blocks(body: bytes | Span) -> Iterator[bytes | memoryview]:
    """The body in pieces.

    Raises:
        EOFError: The file is shorter than it was said to be.
    """
    if isinstance(body, bytes):
        view = memoryview(body)
        for start in range(0, len(view), fs.BLOCK):
            yield view[start : start + fs.BLOCK]
        return
    at, end = body.offset, body.offset + body.length
    while at < end:
        piece = fs.read(body.fd, at, min(fs.BLOCK, end - at))
        at += len(piece)
        if body.check is not None and (not piece or at >= end):
            body.check()
        if not piece:
            raise EOFError(f"the body ended after {at - body.offset} of {body.length} bytes: did the file change?")
        yield piece


def _copy(body: bytes | Span, length: int, fd: int, database: Database) -> tuple[bytes, bytes]:
    """Writes the body to a file; gives sha256 and md5 of what was written."""
    hashes = (hashlib.sha256(), _md5())
    lines: list[_Line] = []
    try:
        if length >= PARALLEL:
            with suppress(RuntimeError):  # no thread can be started: from Python 3.12 on, at the interpreter's exit
                lines.extend(_Line(one) for one in hashes)
        for piece in blocks(body):
            if database.closing:
                raise DiskError(f"{database.folder}: this lake is being closed; nothing was kept")
            for line in lines:
                line.put(piece)
            for one in hashes[len(lines) :]:
                one.update(piece)
            fs.write(fd, piece, "blob")
    finally:
        for line in lines:
            line.end()
        for line in lines:
            line.join()
    return hashes[0].digest(), hashes[1].digest()


class _Line(threading.Thread):
    """Hashes pieces on a thread of its own, a few behind the writer at most.

    A `queue.Queue` takes its lock in Python code: an interrupt of the writer there would stop both for ever.
    """

    def __init__(self, hash_: hashlib._Hash) -> None:
        super().__init__(name="lake-hash", daemon=True)
        self._pieces: queue.SimpleQueue[bytes | memoryview | None] = queue.SimpleQueue()
        self._room: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(4):
            self._room.put(None)
        self._hash = hash_
        self.start()

    def put(self, piece: bytes | memoryview) -> None:
        """Hash a piece; waits while there are too many."""
        self._room.get()
        self._pieces.put(piece)

    def end(self) -> None:
        """End the thread when it has hashed all pieces."""
        self._pieces.put(None)

    def run(self) -> None:
        while (piece := self._pieces.get()) is not None:
            self._hash.update(piece)
            self._room.put(None)
