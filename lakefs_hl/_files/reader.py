"""Reading: ranges of one version of an object as a raw file, for the buffers of the standard library above it."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, Final

from lakefs_hl._files.place import Place
from lakefs_hl.ops import transfer
from lakefs_hl.ops.presign import MD5
from lakefs_hl.ops.upload import EXTRA_TRANSFERS
from lakefs_hl.spec import arguments
from lakefs_hl.spec.errors import IntegrityError
from lakefs_hl.spec.uri import object_uri

if TYPE_CHECKING:
    from typing_extensions import Buffer

#: The first window of a reader and the largest, in bytes. It doubles while reading is sequential.
WINDOW: Final = 256 << 10
LARGEST_WINDOW: Final = 8 << 20
#: How many bytes before the end of an object a window near the end starts.
TAIL: Final = 64 << 10


class RawReader(io.RawIOBase):
    """Ranges of one version of one object. The first response fixes its ETag and size.

    Small reads are served from a window. It doubles while reading is sequential and starts again small after a seek. A
    read as large as the window goes directly into the caller's buffer. In process a window costs a copy and saves
    only calls, so it stays small.

    An object that is read from its start without a gap is hashed, and its end is returned only if the hash matches the
    ETag, where that is an MD5. An object that fits into the first window is fetched again, twice, before a mismatch is
    an error.
    """

    def __init__(self, place: Place, path: str, *, pre_signed: bool | None = None) -> None:
        super().__init__()
        self._place = place
        self._path = path
        self._pre_signed = pre_signed
        self._position = 0
        self._window = memoryview(b"")
        self._window_at = self._end = 0
        self._span = WINDOW
        self._etag: str | None = None
        self._link: str | None = None
        self._size = 0
        self._hashed, self._hashed_to = _md5(), 0
        self.name = object_uri(place._repository_id, place._id, path)
        self.mode = "rb"
        for left in range(EXTRA_TRANSFERS, -1, -1):
            try:
                self._fetch_window(0)
                break
            except IntegrityError:
                if not left:
                    raise
                self._hashed, self._hashed_to, self._link = _md5(), 0, None

    @property
    def size(self) -> int:
        """Size of the object in bytes."""
        return self._size

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position. Sends no request."""
        self._check_open()
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move the position. Sends no request."""
        self._check_open()
        offset, whence = arguments.integer(offset, "offset"), arguments.integer(whence, "whence")
        if whence not in (io.SEEK_SET, io.SEEK_CUR, io.SEEK_END):
            msg = f"whence must be 0, 1 or 2, not {whence}"
            raise ValueError(msg)
        position = (0, self._position, self._size)[whence] + offset
        if position < 0:
            msg = f"negative seek position {position} in {self.name}"
            raise ValueError(msg)
        self._position = position
        return position

    def readinto(self, buffer: Buffer, /) -> int:
        """Read bytes into a buffer and return their number. At the end it returns 0 and sends no request."""
        self._check_open()
        view = memoryview(buffer).cast("B")
        left = self._size - self._position
        if left <= 0 or not view.nbytes:
            return 0
        count = self._from_window(view)
        if not count:
            self._span, start = self._next_window()
            if min(view.nbytes, left) >= self._span:
                count = self._fetch(view[:left], self._position)
            else:
                self._fetch_window(start)
                count = self._from_window(view)
        self._position += count
        return count

    def readall(self) -> bytes:
        """Return the rest of the object. Sends one request at most."""
        self._check_open()
        left = self._size - self._position
        if left <= 0:
            return b""
        content = bytearray(left)
        view = memoryview(content)
        count = self._from_window(view)
        if not count and left <= TAIL:
            count = self.readinto(view)
            return bytes(view[:count])
        if count < left:
            count += self._fetch(view[count:], self._position + count)
        self._position += count
        return bytes(view[:count])

    def close(self) -> None:
        """Close the file and free its window."""
        self._window = memoryview(b"")
        super().close()

    def _check_open(self) -> None:
        if self.closed:
            msg = f"I/O operation on closed file {self.name}"
            raise ValueError(msg)

    def _from_window(self, view: memoryview) -> int:
        at = self._position - self._window_at
        if at < 0 or at >= len(self._window):
            return 0
        count = min(view.nbytes, len(self._window) - at)
        view[:count] = self._window[at : at + count]
        return count

    def _next_window(self) -> tuple[int, int]:
        """Return size and start of the next window.

        A window near the end starts earlier: the readers of formats with a footer (ZIP, Parquet) seek backwards next.
        """
        if self._place._client._in_process:
            return WINDOW, self._position
        if self._position == self._end:
            return min(LARGEST_WINDOW, 2 * self._span), self._position
        return WINDOW, min(self._position, max(0, self._size - TAIL))

    def _fetch_window(self, start: int) -> None:
        length = self._span if self._etag is None else min(self._span, self._size - start)
        window = memoryview(bytearray(length))
        count = self._fetch(window, start)
        self._window, self._window_at = window[:count], start

    def _fetch(self, sink: memoryview, start: int) -> int:
        place = self._place
        part = place._client._run_here(
            transfer.read_into,
            place._repository_id,
            place._id,
            self._path,
            start,
            sink,
            etag=self._etag,
            pre_signed=self._pre_signed,
            link=self._link,
        )
        self._etag, self._size, self._link = part.etag, part.size, part.link
        self._end = start + part.filled
        if start <= self._hashed_to < self._end:
            self._verify(sink[self._hashed_to - start : part.filled])
        return part.filled

    def _verify(self, content: memoryview) -> None:
        """Hash the next bytes, and compare the hash at the end of the object.

        Raises:
            IntegrityError: The content does not match its ETag.
        """
        self._hashed.update(content)
        self._hashed_to = self._end
        promised, found = (self._etag or "").strip('"'), self._hashed.hexdigest()
        if self._hashed_to == self._size and MD5.fullmatch(promised) and promised != found:
            raise IntegrityError(
                f"reading {self.name}: the {self._size} bytes received have the MD5 {found}, and the ETag is "
                f"{promised}; read it again, and if that fails the same way, the object is damaged"
            )


def _md5() -> hashlib._Hash:
    return hashlib.md5(usedforsecurity=False)
