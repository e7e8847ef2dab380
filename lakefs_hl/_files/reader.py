"""Reading: ranges of one version of an object as a raw file, for the buffers of the standard library above it."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, Final

from lakefs_hl._files.place import Place
from lakefs_hl.ops import multipart, transfer
from lakefs_hl.ops.comparison import hash_for, is_etag, kind
from lakefs_hl.ops.presign import MD5
from lakefs_hl.ops.upload import EXTRA_TRANSFERS
from lakefs_hl.spec import arguments
from lakefs_hl.spec.errors import IntegrityError
from lakefs_hl.spec.multipart import SHORTEST_PART, is_one_part
from lakefs_hl.spec.uri import object_uri
from lakefs_hl.spec.wire import Hash

if TYPE_CHECKING:
    from typing_extensions import Buffer

#: The first window of a reader and the largest, in bytes. It doubles while reading is sequential.
WINDOW: Final = 256 << 10
LARGEST_WINDOW: Final = 8 << 20
#: By how much windows grow when a reader jumps again to a place nearby: a request costs more than the bytes between.
GROWTH: Final = 8
#: How far from what was fetched such a place may be, in bytes.
NEARBY: Final = 1 << 20
#: In an object of at most so many bytes any place is nearby. At most so many bytes of windows are kept.
SMALL_OBJECT: Final = 16 << 20
#: How many bytes before the end of an object a window near the end starts.
TAIL: Final = 64 << 10
#: Suffixes of formats that are read from a footer.
FOOTERS: Final = (".parquet", ".orc", ".feather", ".arrow", ".zip", ".npz")


class RawReader(io.RawIOBase):
    """Ranges of one version of one object. The first response fixes its ETag and size.

    Small reads are served from windows. They double while reading is sequential, and start again small after a seek.
    From the second seek to a place nearby they grow too, and are kept: columns of a table are read like that, by
    several threads out of order. A read as large as the next window goes directly into the caller's buffer. In process
    a window costs a copy and saves only calls, so it stays small.

    An object that is read from its start without a gap is hashed, and its end is returned only if the hash matches the
    ETag, as far as `ops.comparison` can tell. An object that fits into the first window is fetched again, twice, before
    a mismatch is an error.

    Args:
        place: The reference.
        path: Path of the object.
        pre_signed: Whether to use a pre-signed URL.
        expected_size: Size that the object is thought to have. If it is known and the format has its footer at the end,
            the footer is fetched first, because its readers begin there.
        version: ETag and size of a version that the caller had a moment ago. Nothing is fetched then before `begin` or
            a read. If the size is asked for first, it is this one, and other versions are an `ObjectChangedError`.
    """

    def __init__(
        self,
        place: Place,
        path: str,
        *,
        pre_signed: bool | None = None,
        expected_size: int | None = None,
        version: tuple[str, int] | None = None,
    ) -> None:
        super().__init__()
        self._place = place
        self._path = path
        self._pre_signed = pre_signed
        self._position = 0
        self._windows: list[tuple[int, memoryview]] = []
        self._end = 0
        self._span = WINDOW
        self._has_jumped = False
        self._etag: str | None = None
        self._link: str | None = None
        self._pin: str | None = None
        self._size = 0
        self._begin_hash()
        self.name = object_uri(place._repository_id, place._id, path)
        self.mode = "rb"
        self._has_begun = version is None
        if version is not None:
            self._etag, self._size = version
            return
        if self._begin_at_footer(expected_size or 0):
            return
        self._begin_at_start()

    def _begin_at_start(self) -> None:
        for left in range(EXTRA_TRANSFERS, -1, -1):
            try:
                self._fetch_window(0, WINDOW)
                break
            except IntegrityError:
                if not left:
                    raise
                self._begin_hash()
                self._link = None

    def _begin_at_footer(self, expected_size: int) -> bool:
        """Fetch the footer first. Returns False if there is none, or the object is not as large as was expected."""
        start = expected_size - TAIL
        if expected_size <= WINDOW or not self._path.endswith(FOOTERS):
            return False
        found = self._begin_at(start, TAIL) and self._end == self._size
        if not found:
            self._forget()
        return found

    def _begin_at(self, start: int, length: int) -> bool:
        """Fetch the first window at a position. Returns whether the object has bytes there."""
        self._fetch_window(start, length)
        return len(self._windows[-1][1]) > 0

    def _forget(self) -> None:
        """Forget the version: another one is read from its start."""
        self._windows.clear()
        self._end = 0
        self._etag = self._link = None
        self._begin_hash()

    def _begin_hash(self) -> None:
        """Hash from the start. While it is not known what the checksum is, it may be an MD5."""
        self._hashed: Hash | None = hashlib.md5(usedforsecurity=False)
        self._hashed_to, self._compared = 0, False

    def begin(self, position: int) -> None:
        """Fetch the first window, at a position, of the version of now, if nothing was fetched yet.

        It does nothing if the size was asked for: then the version is decided.
        """
        self._check_open()
        if self._has_begun:
            return
        before, self._etag = (self._etag, self._size), None
        start = min(position, max(0, self._size - TAIL))
        try:
            if not start or not self._begin_at(start, WINDOW):
                self._forget()
                self._begin_at_start()
        except BaseException:
            self._etag, self._size = before  # the next read begins again
            raise
        self._has_begun = True

    @property
    def size(self) -> int:
        """Size of the object in bytes. Decides which version is read, if nothing was fetched yet."""
        self._has_begun = True
        return self._size

    @property
    def etag(self) -> str | None:
        """ETag of the version that is read. Decides it, as `size` does."""
        self._has_begun = True
        return self._etag

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
        position = (0, self._position, self.size if whence == io.SEEK_END else 0)[whence] + offset
        if position < 0:
            msg = f"negative seek position {position} in {self.name}"
            raise ValueError(msg)
        self._position = position
        return position

    def readinto(self, buffer: Buffer, /) -> int:
        """Read bytes into a buffer and return their number. At the end it returns 0 and sends no request."""
        self.begin(self._position)
        view = memoryview(buffer).cast("B")
        left = self._size - self._position
        if left <= 0 or not view.nbytes:
            return 0
        count = self._from_window(view)
        if not count:
            start, length = self._next_window()
            if min(view.nbytes, left) >= length:
                count = self._fetch(view[:left], self._position)
            else:
                self._fetch_window(start, length)
                count = self._from_window(view)
        self._position += count
        return count

    def readall(self) -> bytes:
        """Return the rest of the object. Sends one request at most."""
        self.begin(self._position)
        left = self._size - self._position
        if left <= 0:
            return b""
        content = io.BytesIO(bytes(left))  # which gives these bytes back, without a copy
        with content.getbuffer() as view:
            count = self._from_window(view)
            if not count and left <= TAIL:
                count = self.readinto(view)
            else:
                if count < left:
                    count += self._fetch(view[count:], self._position + count)
                self._position += count
        return content.getvalue() if count == left else content.getvalue()[:count]

    def close(self) -> None:
        """Close the file and free its windows."""
        self._windows.clear()
        super().close()

    def _check_open(self) -> None:
        if self.closed:
            msg = f"I/O operation on closed file {self.name}"
            raise ValueError(msg)

    def _from_window(self, view: memoryview) -> int:
        for start, window in self._windows:
            at, end = self._position - start, start + len(window)
            if not 0 <= at < len(window):
                continue
            if start <= self._position <= self._hashed_to < end:  # a window that was fetched out of order
                last, self._end = self._end, end
                self._verify(window[self._hashed_to - start :])
                self._end = last
            count = min(view.nbytes, len(window) - at)
            view[:count] = window[at : at + count]
            return count
        return 0

    def _next_window(self) -> tuple[int, int]:
        """Return start and size of the next window.

        A window near the end starts earlier: the readers of formats with a footer (ZIP, Parquet) seek backwards next.
        """
        is_sequential = self._position == self._end
        if is_sequential or self._place._client._in_process:
            self._windows.clear()
            self._span = WINDOW if self._place._client._in_process else min(LARGEST_WINDOW, 2 * self._span)
            return self._position, self._span
        before = max((end for end in map(_end_of, self._windows) if end <= self._position), default=None)
        behind = min((start for start, _ in self._windows if start > self._position), default=None)
        gaps = [abs(self._position - edge) for edge in (before, behind) if edge is not None]
        is_nearby = self._size <= SMALL_OBJECT or min(gaps, default=NEARBY + 1) <= NEARBY
        has_jumped, self._has_jumped = self._has_jumped, True
        if not (has_jumped and is_nearby):
            self._span = WINDOW
            return min(self._position, max(0, self._size - TAIL)), self._span
        self._span = min(LARGEST_WINDOW, GROWTH * self._span)
        limit = self._size if behind is None else behind
        start = self._position if before is None or limit - before > self._span else before
        return start, min(self._span, limit - start)

    def _fetch_window(self, start: int, length: int) -> None:
        if self._etag is not None:
            length = min(length, self._size - start)
        window = memoryview(bytearray(length))
        count = self._fetch(window, start)
        self._windows.append((start, window[:count]))
        while sum(len(kept) for _, kept in self._windows) > SMALL_OBJECT:
            del self._windows[0]

    def _fetch(self, sink: memoryview, start: int) -> int:
        self._choose_hash()
        place, goes_on = self._place, start == self._hashed_to
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
            pin=self._pin,
            digest=(self._hashed or False) if goes_on else False,
        )
        self._etag, self._size, self._link, self._pin = part.etag, part.size, part.link, part.pin
        self._end = start + part.filled
        goes_on = not self._choose_hash() and goes_on
        if goes_on and part.hashed is not None:
            self._hashed = part.hashed
            self._verify(sink[:0])
        elif start <= self._hashed_to < self._end:
            self._verify(sink[self._hashed_to - start : part.filled])
        return part.filled

    def _choose_hash(self) -> bool:
        """Choose what hashes the content, once its checksum is known. Return whether that has changed."""
        etag = self._etag
        if self._compared or etag is None:
            return False
        self._compared = True
        if not is_etag(etag):
            return False
        self._hashed = hash_for(etag, self._size)
        return True

    def _verify(self, content: memoryview) -> None:
        """Hash the next bytes, and compare the hash at the end of the object.

        Raises:
            IntegrityError: The content does not match its ETag.
        """
        hashed, etag = self._hashed, (self._etag or "").strip('"')
        self._hashed_to = self._end
        if hashed is None:
            return
        hashed.update(content)
        if self._hashed_to != self._size or not (MD5.fullmatch(etag) or is_etag(etag)):
            return
        found = hashed.hexdigest()
        if found != etag and not self._is_in_parts(found, etag):
            raise IntegrityError(
                f"reading {self.name}: the {self._size} bytes received have the {kind(found)} {found}, and the ETag is "
                f"{etag}; read it again, and if that fails the same way, the object is damaged"
            )

    def _is_in_parts(self, found: str, etag: str) -> bool:
        """Return whether what was read is what was uploaded in parts. It is read again unless it was one part."""
        if not is_etag(etag) and (self._size <= SHORTEST_PART or is_one_part(etag, found)):
            return is_one_part(etag, found)
        place = self._place
        return place._client._run_here(
            multipart.is_content,
            place._repository_id,
            place._id,
            self._path,
            self._size,
            found=found,
            etag=etag,
            pre_signed=self._pre_signed,
        )


def _end_of(window: tuple[int, memoryview]) -> int:
    return window[0] + len(window[1])
