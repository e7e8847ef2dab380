"""Journals of large files that are uploaded in parts: what a store has of each, until the upload is completed.

A journal is a file below the cache directory, of JSON lines: what the upload is, then each part when it is sent. Only
its owner may read it. It holds neither credentials nor URLs. It is locked while its upload runs: of two equal calls
at once, the second keeps none. Nothing depends on it: without it, an interrupted upload starts anew.
"""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from lakefs_hl._folders.found import Found
from lakefs_hl._folders.locks import try_lock
from lakefs_hl.ops.parts import Expired, Part, Upload
from lakefs_hl.spec.errors import InvalidConfigError

_VERSION: Final = 1
_FLAGS: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
#: An upload is aborted by the next one after so long, in seconds: lakeFS takes an address for a day.
_MOST_SECONDS: Final = 7 * 24 * 3600
#: Journals are removed after so long, in seconds, whatever became of their uploads.
_LAST_SECONDS: Final = 4 * _MOST_SECONDS
#: Most other uploads that one call aborts.
_MOST_EXPIRED: Final = 8
_MOST_BYTES: Final = 4 << 20


class _Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """First line of a journal.

    Attributes:
        key: Endpoint, repository, branch and path.
        file: Size, times of the content and of the attributes in nanoseconds, inode and device of the file.
        part_size: Length of a part in bytes.
        upload_id: ID that the store gave the upload.
        address: Physical address of the object.
        version: Form of the file.
    """

    key: tuple[str, ...]
    file: tuple[int, ...]
    part_size: int
    upload_id: str
    address: str
    version: int = _VERSION


_head: Final = msgspec.json.Decoder(_Head)
_part: Final = msgspec.json.Decoder(tuple[int, str, bool, bool])


class UploadJournal:
    """The journal of the upload of one file.

    Args:
        directory: Returns the cache directory.
        key: Endpoint, repository, branch and path.

    Attributes:
        found: The file, as it was when it was opened.
        outdated: What an earlier call has left of another content, after `load`.
        expired: Other uploads to the same endpoint that are not continued any more, after `load`.
    """

    outdated: Upload | None
    expired: list[Expired]

    def __init__(self, directory: Callable[[], Path], *key: str) -> None:
        self._directory, self._key = directory, key
        self._path = Path()
        self._fd = -1
        self._failed = False
        self.found: Found | None = None
        self.outdated = None
        self.expired = []

    @property
    def _identity(self) -> tuple[int, ...]:
        found = self.found
        if found is None:
            return ()
        # a program may set the time of the content back after it has changed it, and not that of the attributes
        return (found.size, found.mtime_ns, found.ctime_ns, found.inode, found.device)

    def load(self, part_size: int) -> Upload | None:
        """Open the journal, and return what an earlier call has left of the same content. None if there is nothing.

        Args:
            part_size: Length of a part in bytes.
        """
        try:
            self._open()
        except (OSError, InvalidConfigError):  # a cache that cannot be used: nothing is kept
            self.close()
        if self._fd < 0:
            return None
        head, found = _read(self._fd)
        if head is None or found is None or head.key != self._key:
            return None
        if (head.file, head.part_size) == (self._identity, part_size) and head.file:
            return found
        self.outdated = found
        return None

    def _open(self) -> None:
        folder = self._directory() / "uploads"
        folder.mkdir(mode=0o700, exist_ok=True)
        self._path = folder / _name(self._key)
        self._look_at_old(folder)
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | _FLAGS, 0o600)
        if not try_lock(self._fd):
            self.close()  # the same upload is running

    def _look_at_old(self, folder: Path) -> None:
        """Note other uploads that have expired, and remove journals that are of no use any more."""
        for path in folder.iterdir():
            if path == self._path or len(self.expired) == _MOST_EXPIRED:
                continue
            with suppress(OSError):  # another call has removed it
                age = time.time() - path.stat().st_mtime
                if age <= _MOST_SECONDS:
                    continue
                head, found = _read_unused(path)
                if head is None or found is None or len(head.key) != len(self._key) or age > _LAST_SECONDS:
                    path.unlink()
                elif head.key[0] == self._key[0]:
                    _, repository, branch, name = head.key
                    self.expired.append(Expired(repository, branch, name, found))

    def forget(self, expired: Expired) -> None:
        """Keep nothing of another upload any more."""
        name = _name((self._key[0], expired.repository, expired.branch, expired.path))
        with suppress(OSError):  # another call has removed it
            (self._path.parent / name).unlink()

    def begin(self, upload: Upload) -> None:
        """Keep that an upload was begun, in place of an earlier one."""
        if self._fd < 0:
            return
        head = _Head(self._key, self._identity, upload.part_size, upload.upload_id, upload.address)
        try:
            os.ftruncate(self._fd, 0)
        except OSError:
            self._failed = True
        self._write(msgspec.json.encode(head))

    def add(self, part: Part) -> None:
        """Keep that the store has a part."""
        self._write(msgspec.json.encode(msgspec.structs.astuple(part)))

    def _write(self, line: bytes) -> None:
        """Append a line by one call, so that those of several threads do not mix.

        After a failure nothing more is kept. The file stays open: another thread may be about to write to its number.
        """
        if self._fd < 0 or self._failed:
            return
        try:
            whole = os.write(self._fd, line + b"\n") == len(line) + 1
        except OSError:  # a full disk, for one
            whole = False
        if not whole:
            self._failed = True

    def end(self) -> None:
        """Keep nothing any more: the upload was completed or aborted."""
        if self._fd < 0:
            return
        with suppress(OSError):  # Windows removes no file that is open: an empty one says nothing
            os.ftruncate(self._fd, 0)
            self._path.unlink()
        self.close()

    def close(self) -> None:
        """Let the same upload run again. What the journal says stays."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)


def _name(key: tuple[str, ...]) -> str:
    """Return the name of the file of a journal."""
    return f"{hashlib.sha256(msgspec.json.encode(key)).hexdigest()[:32]}.jsonl"


def _read(fd: int) -> tuple[_Head | None, Upload | None]:
    """Return what a journal says. A line that was cut off, or is none of ours, ends it."""
    os.lseek(fd, 0, os.SEEK_SET)
    first, *lines = os.read(fd, _MOST_BYTES).split(b"\n")
    try:
        head = _head.decode(first)
    except msgspec.DecodeError:
        return None, None
    if head.version != _VERSION:
        return None, None
    found = Upload(head.upload_id, head.address, head.part_size, {})
    with suppress(msgspec.DecodeError):
        for line in lines:
            part = Part(*_part.decode(line))
            found.parts[part.number] = part
    return head, found


def _read_unused(path: Path) -> tuple[_Head | None, Upload | None]:
    """Return what a journal says whose upload is not running.

    Raises:
        OSError: It is running, or the file cannot be read.
    """
    fd = os.open(path, os.O_RDWR | _FLAGS)
    try:
        if not try_lock(fd):
            raise BlockingIOError(errno.EAGAIN, "the upload is running", str(path))
        return _read(fd)
    finally:
        os.close(fd)
