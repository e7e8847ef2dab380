"""Parts of multipart uploads: files in a folder of the upload, until it is completed, aborted or too old.

Rules of the room: a part is whole and synced before it has its name, and its name is synced before it is acknowledged.
The last bytes of its file are its MD5, so that content and checksum are replaced together. No client's name becomes a
file's name: an upload has the name that the lake drew, and a part its number.
"""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from lakefs_hl.local.disk import fs
from lakefs_hl.local.disk.copying import Body, Joined, Span, blocks, md5
from lakefs_hl.local.disk.database import Database
from lakefs_hl.local.disk.errors import Damaged

#: Name of the folder in that of the lake.
NAME: Final = "parts"
#: An upload is removed when nothing was put for so long.
MOST_SECONDS: Final = 7 * 24 * 3600
_UPLOAD: Final = re.compile(r"[0-9a-f]{32}")
_NOTE: Final = "note"
_MD5_BYTES: Final = 16


class NoSuchUpload(LookupError):
    """There is no such upload: it was completed, aborted or too old, or never begun."""


class Replaced(LookupError):
    """A part is no longer the one that was found: another one was put in its place."""


class Part(NamedTuple):
    """A part that was put.

    Attributes:
        number: From 1.
        md5: 16 bytes.
        size: Bytes.
    """

    number: int
    md5: bytes
    size: int


class _File(NamedTuple):
    """The content of an open file of a part; see `copying.Span`."""

    fd: int
    length: int
    offset: int = 0
    check: None = None
    on_move: None = None


class Parts:
    """The multipart uploads of one lake that are under way.

    Args:
        database: Its folder has them.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._folder = os.path.join(database.folder, NAME)

    def begin(self, note: bytes) -> str:
        """Begins an upload.

        Args:
            note: What is to be known of it.

        Returns:
            Its name.
        """
        self.sweep()
        upload = os.urandom(16).hex()
        if fs.make_folder(self._folder, "part") and self._database.sync:
            fs.fsync_folder(self._database.folder, "part")
        fs.make_folder(self._of(upload), "part")
        fs.write_durably(os.path.join(self._of(upload), _NOTE), note, "part", sync=self._database.sync)
        if self._database.sync:
            fs.fsync_folder(self._folder, "part")
        return upload

    def note(self, upload: str) -> bytes:
        """What is known of an upload.

        Raises:
            NoSuchUpload: It is not under way.
        """
        try:
            with open(os.path.join(self._of(upload), _NOTE), "rb") as file:
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            raise NoSuchUpload(upload) from None

    def put(self, upload: str, number: int, body: Body) -> bytes:
        """Keeps a part, in the place of an earlier one of the same number; it is on the disk when this returns.

        Returns:
            Its MD5.

        Raises:
            NoSuchUpload: The upload is not under way.
        """
        self.note(upload)
        folder, hashed = self._of(upload), md5()
        draft = os.path.join(folder, f"{number}.{os.urandom(8).hex()}")
        try:
            fd = fs.create(draft, "part")
            try:
                for piece in blocks(body):
                    hashed.update(piece)
                    fs.write(fd, piece, "part")
                fs.write(fd, hashed.digest(), "part")
                if self._database.sync:
                    fs.fsync(fd, "part")
            finally:
                fs.close(fd)
            fs.rename(draft, os.path.join(folder, str(number)), "part")
            if self._database.sync:
                fs.fsync_folder(folder, "part")
        except FileNotFoundError:  # completed or aborted meanwhile
            raise NoSuchUpload(upload) from None
        except BaseException:
            fs.unlink(draft, "part")
            raise
        return hashed.digest()

    def find(self, upload: str, number: int) -> Part | None:
        """A part, or None if it was not put."""
        try:
            with open(os.path.join(self._of(upload), str(number)), "rb") as file:
                part = _read(file.fileno(), number)
        except FileNotFoundError:
            return None
        if part is None:
            raise Damaged(f"part {number} of the upload {upload} is cut off; abort the upload, and begin a new one")
        return part

    def join(self, upload: str, parts: Sequence[Part]) -> Joined:
        """The parts as one body.

        Reading it raises FileNotFoundError if the upload ends meanwhile, and Replaced if a part is put again.
        """
        folder = self._of(upload)

        def spans() -> Iterator[Span]:
            for part in parts:
                with open(os.path.join(folder, str(part.number)), "rb", buffering=0) as file:
                    if _read(file.fileno(), part.number) != part:
                        raise Replaced(part.number)
                    yield _File(file.fileno(), part.size)

        return Joined(sum(part.size for part in parts), spans)

    def drop(self, upload: str) -> None:
        """Removes an upload and its parts.

        Raises:
            NoSuchUpload: It is not under way.
        """
        self.note(upload)
        self._remove(self._of(upload))

    def sweep(self, older: float = MOST_SECONDS) -> int:
        """Removes uploads for which nothing was put for long; says how many.

        Args:
            older: For how long, seconds.
        """
        removed = 0
        try:
            entries = list(os.scandir(self._folder))
        except FileNotFoundError:  # none was ever begun
            return 0
        for entry in entries:
            try:
                is_old = time.time() - entry.stat(follow_symlinks=False).st_mtime > older
            except FileNotFoundError:
                continue
            if is_old and _UPLOAD.fullmatch(entry.name):
                self._remove(entry.path)
                removed += 1
        return removed

    def _of(self, upload: str) -> str:
        """The folder of an upload.

        Raises:
            NoSuchUpload: The lake draws no such name.
        """
        if _UPLOAD.fullmatch(upload) is None:
            raise NoSuchUpload(upload)
        return os.path.join(self._folder, upload)

    @staticmethod
    def _remove(folder: str) -> None:
        """Removes a folder: its note first, so that nobody puts anything into half of an upload."""
        fs.unlink(os.path.join(folder, _NOTE), "part")
        while True:
            try:
                for name in os.listdir(folder):
                    fs.unlink(os.path.join(folder, name), "part")
                fs.remove_folder(folder, "part")
            except FileNotFoundError:
                return
            except OSError as error:
                if error.errno != errno.ENOTEMPTY:  # a part that was being put
                    raise
            else:
                return


def _read(fd: int, number: int) -> Part | None:
    """What the open file of a part says. None if it is cut off."""
    size = os.fstat(fd).st_size - _MD5_BYTES
    digest = fs.read(fd, size, _MD5_BYTES) if size >= 0 else b""
    return Part(number, digest, size) if len(digest) == _MD5_BYTES else None
