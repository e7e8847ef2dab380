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
import time
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from lakefs_hl.local.disk import filing, fs
from lakefs_hl.local.disk.copying import PARALLEL, Check, md5
from lakefs_hl.local.disk.copying import Body as Body
from lakefs_hl.local.disk.copying import blocks as blocks
from lakefs_hl.local.disk.database import Database, Reader, Writer
from lakefs_hl.local.disk.errors import Damaged, DiskError, ReadOnly, scarcity
from lakefs_hl.local.disk.layout import OBJECTS, TEMPORARY
from lakefs_hl.local.disk.tables import blobs, checksums

#: Largest blob that lies in the database, bytes.
INLINE: Final = 16 << 10
#: What a folder or a file system answers that takes no writes.
_UNWRITABLE: Final = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
#: A temporary file of nobody is removed when it is older than this, seconds.
ABANDONED: Final = 3600.0


class BlobRef(msgspec.Struct, frozen=True, gc=False):
    """What is known of a blob once it is kept.

    Attributes:
        sha256: Its name, 32 bytes.
        md5: 16 bytes.
        size: Bytes.
        data: Its content if it goes into the database; None if its file is in place.
        xxh3: 16 bytes if its file is in place.
    """

    sha256: bytes
    md5: bytes
    size: int
    data: bytes | None
    xxh3: bytes = b""


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

    Attributes:
        database: The same.
        objects: The folder of the large ones.
    """

    def __init__(self, database: Database) -> None:
        self.database: Database = database
        self.objects: str = os.path.join(database.folder, OBJECTS)
        self._temporary = os.path.join(self.objects, TEMPORARY)
        self._synced: set[str] = set()  # folders whose names are durable
        try:
            if not os.path.isdir(self._temporary):  # some ways of copying leave empty folders out
                fs.make_folder(self.objects, "lake")
                fs.make_folder(self._temporary, "lake")
            self.sweep()
        except OSError as error:
            message = f"{self._temporary}: cannot be used: {error}"
            if error.errno not in _UNWRITABLE:
                raise scarcity(error.errno, message) or DiskError(message) from error

    def put(self, body: Body) -> BlobRef:
        """Keeps a body: a large one is durable on return; a small one once `record`ed in a transaction.

        Raises:
            NoSpace: The disk is full.
            ReadOnly: The file could not be synced, or the folder cannot be written.
            OSError: The body could not be read.
        """
        if _length(body) <= INLINE:
            return _small(body)
        (found,) = self.put_many([body])
        if isinstance(found, Exception):
            try:
                raise found
            finally:
                del found  # its traceback names this frame
        return found

    def put_many(self, bodies: Sequence[Body]) -> list[BlobRef | Exception]:
        """Keeps bodies as `put` does, with the syncs of all large ones together; gives what became of each."""
        found: list[BlobRef | Exception] = []
        large: list[int] = []
        for index, body in enumerate(bodies):
            if _length(body) > INLINE:
                large.append(index)
                found.append(BlobRef(b"", b"", 0, None))  # until it is kept
                continue
            try:
                found.append(_small(body))
            except Exception as error:  # noqa: BLE001 - the outcome of this body
                found.append(error)
        if large:
            for index, kept in zip(large, self._keep([bodies[index] for index in large]), strict=True):
                if isinstance(kept, Exception):
                    found[index] = kept
                else:
                    found[index] = BlobRef(kept.sha256, kept.md5, _length(bodies[index]), None, kept.xxh3)
        return found

    def _keep(self, bodies: list[Body]) -> list[filing.Kept]:
        """Makes files of bodies, where no signal comes: what is opened is closed."""

        def work() -> list[filing.Kept]:
            self.database.must_write()
            if self.database.failed:
                self.database.run(lambda _writer: None)  # verifies the lake
            return filing.keep(self, bodies)

        kept = self.database.apart(work)
        return [
            self._told(one, body) if isinstance(one, Exception) else one for one, body in zip(kept, bodies, strict=True)
        ]

    def _told(self, error: Exception, body: Body) -> Exception:
        """Why a body was not kept, in our words if it is the lake's doing; a failed sync ends writing."""
        folder = self.database.folder
        found: DiskError
        if isinstance(error, fs.SyncFailed):
            self.database.trust.fail(str(error))
            found = ReadOnly(f"{folder}: {error}; nothing was kept, and the lake is read-only for now")
        elif not isinstance(error, (fs.WriteFailed, FileExistsError, FileNotFoundError)):
            return error
        elif error.errno in _UNWRITABLE:
            found = ReadOnly(f"{folder}: the lake cannot be written: {error}; nothing was kept")
        else:
            message = f"{folder}: {error.strerror}: {_length(body)} bytes could not be written; nothing was kept"
            found = scarcity(error.errno, message) or DiskError(message)
        found.__cause__ = error
        return found

    def record(self, writer: Writer, blob: BlobRef) -> None:
        """Puts a small blob into the database; a large one is in its place already, and its checksums go there."""
        if blob.data is not None:
            blobs.put(writer, blob.sha256, blob.data)
        elif blob.xxh3:
            checksums.put(writer, blob.sha256, checksums.Row(blob.md5, blob.xxh3))

    def record_many(self, writer: Writer, kept: Sequence[BlobRef]) -> None:
        """As `record`, for many."""
        blobs.put_many(writer, sorted((one.sha256, one.data) for one in kept if one.data is not None))
        for one in kept:
            if one.data is None:
                self.record(writer, one)

    def read_small(self, reader: Reader, names: Iterable[bytes]) -> dict[bytes, bytes]:
        """The contents of small blobs by their names. What is missing or damaged is left out: `open` says why."""
        found, digest = blobs.get_many(reader, sorted(names)), hashlib.sha256
        return {name: data for name, data in found.items() if digest(data).digest() == name}

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

    def check(self, reader: Reader, sha256: bytes, md5: bytes | str, held: Held) -> Check | None:
        """Begins to hold an open file against its fast checksum.

        Args:
            reader: The transaction in which the name was found.
            sha256: Its name.
            md5: What its content is said to have.
            held: The file.

        Returns:
            What to wait for. None if that proves nothing, or cannot be done: whoever wants to know hashes the content.
        """
        if held.data is not None or held.length < PARALLEL:
            return None
        row = checksums.find(reader, sha256)
        if row is None or row.md5 != md5:
            return None
        words = f"blob {sha256.hex()} is not what its checksum says; run `lakefs-hl fsck`, and restore it from a copy"
        try:
            return Check(held.fd, held.length, row.xxh3, words)
        except RuntimeError:  # no thread can be started
            return None

    def path(self, sha256: bytes) -> str:
        """Where the file of a large blob lies."""
        name = sha256.hex()
        return os.path.join(self.objects, name[:2], name)

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

    def rename(self, path: str, sha256: bytes) -> str:
        """Gives a synced file its name; gives the folder, whose names are not durable yet."""
        target = self.path(sha256)
        folder = os.path.dirname(target)
        try:
            fs.rename(path, target, "blob")
        except FileNotFoundError:
            self._synced.discard(folder)
            fs.make_folder(folder, "blob")
            fs.rename(path, target, "blob")
        return folder

    def sync_folder(self, folder: str) -> None:
        """Makes the names in a folder durable, and its own."""
        if folder not in self._synced:  # whoever made it, and whether or not they have come so far
            there = [os.path.join(self.objects, name) for name in os.listdir(self.objects)]
            fs.fsync_folder(self.objects, "blob.parent")
            self._synced.update(there)
        fs.fsync_folder(folder, "blob")


def _length(body: Body) -> int:
    return len(body) if isinstance(body, bytes) else body.length


def _small(body: Body) -> BlobRef:
    data = body if isinstance(body, bytes) else b"".join(blocks(body))
    return BlobRef(hashlib.sha256(data).digest(), md5(data).digest(), len(data), data)


def _missing(sha256: bytes, size: int, found: int | None) -> Damaged:
    what = "is missing" if found is None else f"has {found} bytes"
    return Damaged(f"blob {sha256.hex()} of {size} bytes {what}; run `lakefs-hl fsck`, and restore it from a copy")
