"""Objects as files: `readinto` below and the standard library above.

Rules of the room: a reader is a `RawIOBase` under a `BufferedReader` (and a `TextIOWrapper`); a writer fills a spool
and publishes at `close()` only. An exception inside a `with` block, a finaliser or the end of the interpreter publish
nothing.
"""

from __future__ import annotations

import hashlib
import io
import sys
import tempfile
import uuid
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from lakefs_hl import arguments, unclosed
from lakefs_hl.bodies import SPOOL, body_of
from lakefs_hl.modes import Text as Text
from lakefs_hl.modes import check_text
from lakefs_hl.modes import split_mode as split_mode
from lakefs_hl.ops import objects, transfer
from lakefs_hl.ops.presign import MD5
from lakefs_hl.ops.upload import EXTRA
from lakefs_hl.spec.errors import IntegrityError, LakeFSException, ObjectExistsException
from lakefs_hl.spec.uri import object_uri
from lakefs_hl.spec.wire import FileSlice

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self
    from weakref import WeakSet

    from typing_extensions import Buffer

    from lakefs_hl.client import Client
    from lakefs_hl.ops.effects import Op
    from lakefs_hl.spec.models import ObjectStats

#: The first window of a reader and the last: it doubles while the reading goes straight on.
WINDOW: Final = 256 << 10
WINDOW_MOST: Final = 8 << 20
#: How much of an object's end is read at once.
TAIL: Final = 64 << 10


class Place(Protocol):
    """Where a file is: a reference and the client to ask."""

    _repository_id: str
    _id: str

    @property
    def _client(self) -> Client: ...


def open_reader(
    place: Place, path: str, mode: str, text: Text, *, pre_signed: bool | None, buffering: int
) -> io.TextIOWrapper | io.BufferedReader:
    """Opens an object for reading."""
    _, is_text = split_mode(mode, writable=False)
    check_text(text, mode, is_text=is_text)
    if buffering == 0 and is_text:
        msg = "buffering=0 is for binary files only"
        raise ValueError(msg)
    try:
        raw = RawReader(place, path, pre_signed=pre_signed)
    except LakeFSException as exc:
        raise exc.with_traceback(None) from exc.__cause__
    if buffering == 0:
        return raw  # type: ignore[return-value]  # as the built-in open: a raw file on request
    buffered: Any = io.BufferedReader(raw, buffering if buffering > 1 else WINDOW)
    if not is_text:
        return cast("io.BufferedReader", buffered)
    return io.TextIOWrapper(buffered, text.encoding or "utf-8", text.errors, text.newline)


def open_writer(
    place: Place,
    path: str,
    mode: str,
    text: Text,
    *,
    pre_signed: bool | None,
    content_type: str | None,
    metadata: dict[str, str] | None,
    opened: unclosed.Opened | None = None,
) -> ObjectWriter | TextWriter:
    """Opens an object for writing; "x" fails at once if the object exists, and at `close()` if it does by then.

    `opened` is where the caller's code did so, if the stack does not tell.
    """
    action, is_text = split_mode(mode, writable=True)
    check_text(text, mode, is_text=is_text)
    writer = ObjectWriter(
        place,
        path,
        create_only=action == "x",
        pre_signed=pre_signed,
        content_type=content_type,
        metadata=metadata,
        opened=opened or unclosed.opened_here(),
    )
    writer._shown_mode = mode
    if not is_text:
        return writer
    try:
        return TextWriter(writer, text.encoding or "utf-8", text.errors, text.newline)
    except (LookupError, ValueError):  # no such encoding, no such newline
        writer.discard()
        raise


class RawReader(io.RawIOBase):
    """Ranges of one version of one object; the first answer fixes its ETag and size.

    Small reads are served from a window that doubles while the reading goes straight on and starts anew after a seek; a
    read as large as the window goes straight into the caller's buffer. In process a window costs a copy and saves
    nothing but calls, so it stays small.

    While an object is read from its beginning without a gap it is hashed, and its end is handed out only if the whole
    is what its ETag says, where that is an MD5. One that fits the first window is fetched anew, twice, before that is
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
        for left in range(EXTRA, -1, -1):
            try:
                self._fetch_window(0)
                break
            except IntegrityError:
                if not left:
                    raise
                self._hashed, self._hashed_to, self._link = _md5(), 0, None

    @property
    def size(self) -> int:
        """The object's size in bytes."""
        return self._size

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """Where the next read starts; costs nothing."""
        self._check_open()
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Moves; never makes a request."""
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
        """Fills the buffer as far as it can in one go; 0 at the end, without a request."""
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
        """The rest of the object, in one request at most."""
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
        """Forgets the window."""
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
        """Size and start: it grows while the reading goes straight on; after a seek it begins anew.

        One near the end begins somewhat before: whoever looks there (ZIP, Parquet) looks further back next.
        """
        if self._place._client._in_process:
            return WINDOW, self._position
        if self._position == self._end:
            return min(WINDOW_MOST, 2 * self._span), self._position
        return WINDOW, min(self._position, max(0, self._size - TAIL))

    def _fetch_window(self, start: int) -> None:
        length = self._span if self._etag is None else min(self._span, self._size - start)
        window = memoryview(bytearray(length))
        count = self._fetch(window, start)
        self._window, self._window_at = window[:count], start

    def _fetch(self, sink: memoryview, start: int) -> int:
        client, place = self._place._client, self._place
        part = client._run(
            transfer.read_into(
                client._session,
                place._repository_id,
                place._id,
                self._path,
                start,
                sink,
                etag=self._etag,
                pre_signed=self._pre_signed,
                link=self._link,
            )
        )
        self._etag, self._size, self._link = part.etag, part.size, part.link
        self._end = start + part.filled
        if start <= self._hashed_to < self._end:
            self._verify(sink[self._hashed_to - start : part.filled])
        return part.filled

    def _verify(self, content: memoryview) -> None:
        """Hashes what goes on from what was hashed; compares at the end of the object.

        Raises:
            IntegrityError: The content is not what its ETag says.
        """
        self._hashed.update(content)
        self._hashed_to = self._end
        promised, found = (self._etag or "").strip('"'), self._hashed.hexdigest()
        if self._hashed_to == self._size and MD5.fullmatch(promised) and promised != found:
            raise IntegrityError(
                f"reading {self.name}: the {self._size} bytes that came have the MD5 {found}, and the lake promised "
                f"{promised}; read it again, and if that fails the same way, the object is damaged"
            )


def _md5() -> hashlib._Hash:
    return hashlib.md5(usedforsecurity=False)


class ObjectWriter(io.BufferedIOBase):
    """Collects what is written, in memory to 8 MiB and then in a temporary file, and publishes it at `close()`.

    Only a `close()` of the caller's code counts: one that comes from a finaliser, of this file or of a wrapper around
    it, publishes nothing and warns. In a transaction it is noted in `place._lost`, and in `place._writers` as long as
    the file is open.
    """

    def __init__(
        self,
        place: Place,
        path: str,
        *,
        create_only: bool = False,
        pre_signed: bool | None = None,
        content_type: str | None = None,
        metadata: dict[str, str] | None = None,
        opened: unclosed.Opened | None = None,
    ) -> None:
        super().__init__()
        self._publish: Callable[[bytes | FileSlice], Op[ObjectStats]] | None = None
        self._spool = tempfile.SpooledTemporaryFile(SPOOL)  # noqa: SIM115 - lives as long as the writer
        self._entered: tuple[BaseException | None] | None = None
        self._spared = False
        self._watch = unclosed.watch(self)
        self._opened = opened or unclosed.opened_here()
        self._place = place
        self._path = path
        self._shown_mode = "xb" if create_only else "wb"
        self.name = object_uri(place._repository_id, place._id, path)
        self.mode = self._shown_mode
        writers: WeakSet[ObjectWriter] | None = getattr(place, "_writers", None)
        if writers is not None:
            writers.add(self)  # a transaction's: it tells of files that are open at its end
        client = place._client
        if create_only and client._run(objects.exists(client._session, place._repository_id, place._id, path)):
            self.discard()
            error = ObjectExistsException(f"{self.name} exists already; mode 'w' replaces it")
            error.filename = self.name
            raise error

        def publish(body: bytes | FileSlice) -> Op[ObjectStats]:
            return transfer.upload(
                client._session,
                place._repository_id,
                place._id,
                path,
                body,
                content_type=content_type,
                metadata=metadata,
                create_only=create_only,
                pre_signed=pre_signed,
                op_id=uuid.uuid4().hex,
            )

        self._publish = publish

    def writable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True: nothing is sent before `close()`."""
        return True

    def write(self, data: Buffer, /) -> int:
        """Takes bytes; returns how many."""
        self._check_open()
        if isinstance(data, str):
            msg = f"{self.name} is open for bytes, not str; open it with mode 'w' to write text"
            raise TypeError(msg)
        try:
            return self._spool.write(memoryview(data).cast("B"))
        except OSError:
            self.discard()  # the disk is full, say: half of it must not be published by a later close()
            raise

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Moves within what was written."""
        self._check_open()
        return self._spool.seek(offset, whence)

    def tell(self) -> int:
        """Where the next write goes."""
        self._check_open()
        return self._spool.tell()

    def truncate(self, size: int | None = None, /) -> int:
        """Cuts what was written."""
        self._check_open()
        at = self._spool.tell()
        size = at if size is None else size
        self._spool.truncate(size)
        return size

    def discard(self) -> None:
        """Closes the file and publishes nothing."""
        self._publish = self._entered = None
        self.close()

    def close(self) -> None:
        """Publishes what was written, once; a second call does nothing, whatever became of the first.

        Inside its own `with` block, while an exception is on its way, it does nothing: a wrapper such as TextIOWrapper
        closes what it wraps on its way out of a failed block, and the end of our block knows better. Nor does it when
        the finaliser of a wrapper calls it there. Outside of a block such a finaliser ends the file, unpublished.
        """
        if self.closed or (self._entered is not None and sys.exception() is not self._entered[0]):
            return
        by_finaliser = self._publish is not None and (
            self._spared or self._watch.unreachable or (unclosed.in_finaliser() and not self._opened.in_finaliser)
        )
        self._spared = False
        if by_finaliser and self._entered is not None:
            return
        try:
            if by_finaliser:
                self._lose()
            publish, self._publish = self._publish, None
            if publish is not None:
                self._place._client._run(publish(body_of(self._spool)))
        finally:
            self._spool.close()
            super().close()

    def __enter__(self) -> Self:
        """Itself; notes what was being handled when the block began."""
        self._check_open()
        self._entered = (sys.exception(),)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Publishes, unless an exception is on its way; a warning tells of the one that nobody sees."""
        self._entered = None
        try:
            if kind is GeneratorExit:  # not seen by anybody: a generator that was closed or dropped, after `break` say
                self._lose("not finished", "Its block is in a generator: run that to its end, or write outside of it")
        finally:
            if kind is not None:
                self.discard()
            self.close()

    def __del__(self) -> None:
        """Publishes nothing: only `close()` does."""
        if not self.closed:
            try:
                self._lose()  # an error if warnings are errors
            finally:
                # Not closed: in a cycle, wrappers around this file are finalised in any order, and flush into it.
                self._spool.close()
                self._spool = cast("Any", io.BytesIO())

    def _dealloc_warn(self, source: object, /) -> None:
        """Called by the finaliser of a TextIOWrapper or BufferedWriter around this file, just before its `close()`.

        CPython tells the inner file so that a FileIO can warn: `_io_TextIOWrapper_close_impl` in
        Modules/_io/textio.c, `_io__Buffered_close_impl` in Modules/_io/bufferedio.c. It is the only sign by which the
        `close()` that follows differs from one of the caller. The file stays open for what the wrapper flushes.
        """
        if self._entered is not None:
            self._spared = True
        else:
            self._lose()

    def _lose(self, how: str = "never closed", advice: str = "") -> None:
        """Discard what was written and warn. A second call does nothing."""
        publish, self._publish = self._publish, None
        if publish is None:
            return
        lost: list[str] | None = getattr(self._place, "_lost", None)
        if lost is not None:
            lost.append(self.name)
        what = "branch" if lost is None else "tx"
        form = f"{self._opened.form} {what}.open({self._path!r}, {self._shown_mode!r}) as file:"
        unclosed.warn(self.name, how, advice or f"Write `{form}`, which closes it", self._opened)

    def _check_open(self) -> None:
        if self.closed:
            msg = f"I/O operation on closed file {self.name}"
            raise ValueError(msg)


class TextWriter(io.TextIOWrapper):
    """A text file for writing that takes `str` and, as in the seed's example, `bytes`."""

    def __init__(self, writer: ObjectWriter, encoding: str, errors: str | None, newline: str | None) -> None:
        super().__init__(writer, encoding, errors, newline)
        self._writer = writer
        self._detached = False

    def write(self, text: str | Buffer, /) -> int:
        """Takes characters, or bytes as they are; returns how many."""
        if isinstance(text, str):
            return super().write(text)
        self.flush()
        return self._writer.write(text)

    def detach(self) -> ObjectWriter:  # type: ignore[override]
        """Gives the binary file, which from now on is the caller's to close."""
        super().detach()
        self._detached = True
        return self._writer

    def discard(self) -> None:
        """Closes the file and publishes nothing."""
        self._writer.discard()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Publishes, unless an exception is on its way."""
        if kind is None:
            self.close()
        else:
            self._writer.__exit__(kind, None, None)

    def __del__(self) -> None:
        """Publishes nothing: only `close()` does."""
        writer = getattr(self, "_writer", None)
        if writer is not None and not writer.closed and not self._detached:
            try:
                writer._lose()
            finally:
                writer.discard()
