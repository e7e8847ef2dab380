"""What is written to a file: in memory up to 8 MiB, then in a temporary file.

Not `tempfile.SpooledTemporaryFile`: its `write` costs several times what the write to memory costs. Here a writer calls
`put` itself, which is a method in C, and compares `room`.
"""

from __future__ import annotations

import io
import sys
import tempfile
from typing import TYPE_CHECKING, BinaryIO, cast

from lakefs_hl._files.bodies import SPOOL, body_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Buffer

    from lakefs_hl.spec.wire import FileSlice


class Spool:
    """Bytes that are written, and read once as a body.

    Attributes:
        closed: Whether the content was dropped.
        broken: Whether bytes were lost: a write failed, or was interrupted. The content is worth nothing then.
        put: Writes bytes at the position and returns their number. Call `make_room` when it has used up `room`.
        room: Number of bytes that can be written before `make_room` is needed.
    """

    __slots__ = ("__dict__", "closed")  # a TextIOWrapper looks `closed` up at every write

    def __init__(self) -> None:
        self.closed = self.broken = False
        self._file: io.BytesIO | BinaryIO = io.BytesIO()
        self.put: Callable[[Buffer], int] = self._file.write
        self.room = SPOOL

    def write(self, data: Buffer) -> int:
        """Write bytes at the position and return their number. A TextIOWrapper calls this with what it gathered.

        It has forgotten them by then: if this is interrupted, they are lost.
        """
        self.broken = True
        count = self.put(data)
        self.broken = False
        self.room -= count
        if self.room < 0:
            self.make_room()
        return count

    def make_room(self) -> None:
        """Move the content to a temporary file if the position is above the limit, and count `room` again."""
        at = self._file.tell()
        if not isinstance(self._file, io.BytesIO):
            self.room = sys.maxsize
        elif at <= SPOOL:
            self.room = SPOOL - at
        else:
            self._move(at)

    def _move(self, at: int) -> None:
        try:
            file = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 - lives as long as the spool
            try:
                with cast("io.BytesIO", self._file).getbuffer() as content:
                    file.write(content)
                file.seek(at)
            except BaseException:
                file.close()
                raise
        except OSError:
            self.broken = True
            raise
        # No call in between: an interrupt would come there, and `put` would go on writing to memory that is not read.
        write = file.write
        self._file, self.put, self.room = file, write, sys.maxsize

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the position and return it."""
        at = self._file.seek(offset, whence)
        if isinstance(self._file, io.BytesIO):
            self.room = SPOOL - at  # negative beyond the limit: the next write there moves the content
        return at

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()

    def truncate(self, size: int) -> int:
        """Cut off what is above a size. The position stays."""
        if size > SPOOL and isinstance(self._file, io.BytesIO):
            self._move(self._file.tell())
        return self._file.truncate(size)

    def body(self) -> bytes | FileSlice:
        """Return the content as a body."""
        return body_of(self._file)

    def release(self) -> None:
        """Drop the content. A second call does nothing."""
        self.closed = True
        self._file.close()

    # -- what a TextIOWrapper calls of the file that it wraps ----------------------------------------------------------

    def readable(self) -> bool:
        """Return False."""
        return False

    def writable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def flush(self) -> None:
        """Do nothing: `body` flushes."""

    def close(self) -> None:
        """Do nothing: the finaliser of a TextIOWrapper calls this, and `release` ends a spool."""
