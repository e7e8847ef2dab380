"""Writing: files that collect what is written and publish it at `close()`."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Any, Final, cast

from lakefs_hl._files import unclosed
from lakefs_hl._files.place import Place
from lakefs_hl._files.spool import Spool
from lakefs_hl._handles.calls import new_op_id
from lakefs_hl.ops import objects, upload
from lakefs_hl.spec.errors import ObjectExistsException
from lakefs_hl.spec.uri import object_uri
from lakefs_hl.spec.wire import FileSlice

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self
    from weakref import WeakSet

    from typing_extensions import Buffer

    from lakefs_hl.ops.effects import Op
    from lakefs_hl.ops.retry import Session
    from lakefs_hl.spec.models import ObjectStats


#: Bytes of text that are gathered before they go to the spool.
_CHUNK: Final = 1 << 16


class ObjectWriter(io.BufferedIOBase):
    """A binary file for writing. Collects what is written, in memory up to 8 MiB and then in a temporary file.

    `close()` publishes the content, and only a `close()` in your code: one that comes from the garbage collector, of
    this file or of a wrapper around it, publishes nothing and warns.
    """

    __slots__ = ("_spool",)  # what every write uses is found faster there than in the dictionary, which it has too

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
        self._publish: Callable[[Session, bytes | FileSlice], Op[ObjectStats]] | None = None
        self._spool = Spool()
        self._entered: tuple[BaseException | None] | None = None
        self._spared = False
        self._watch = unclosed.watch(self)
        self._opened = opened or unclosed.find_open_call()
        self._place = place
        self._path = path
        self._shown_mode = "xb" if create_only else "wb"
        self.name: str = object_uri(place._repository_id, place._id, path)
        self.mode = self._shown_mode
        writers: WeakSet[ObjectWriter] | None = getattr(place, "_writers", None)
        if writers is not None:
            writers.add(self)  # of a transaction, which fails if a file is open at its end
        client = place._client
        if create_only and client._run_here(objects.exists, place._repository_id, place._id, path):
            self.discard()
            error = ObjectExistsException(f"{self.name} exists already; mode 'w' replaces it")
            error.filename = self.name
            raise error

        def publish(session: Session, body: bytes | FileSlice) -> Op[ObjectStats]:
            return upload.upload(
                session,
                place._repository_id,
                place._id,
                path,
                body,
                content_type=content_type,
                metadata=metadata,
                create_only=create_only,
                pre_signed=pre_signed,
                op_id=new_op_id(),
            )

        self._publish = publish

    def writable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True: nothing is sent before `close()`."""
        return True

    def write(self, data: Buffer, /) -> int:
        """Write bytes and return their number."""
        # Called a million times for a million lines: nothing is checked here that a failure would not tell anyway.
        spool = self._spool
        try:
            count = spool.put(data)
            spool.room = room = spool.room - count
            if room < 0:
                spool.make_room()
        except OSError:
            self.discard()  # the disk is full, say: half of it must not be published by a later close()
            raise
        except (TypeError, ValueError, BufferError):
            return self._write_odd(data)
        return count

    def _write_odd(self, data: object) -> int:
        """Write data that the spool refuses, or raise an error that says why."""
        self._check_open()
        if isinstance(data, str):
            msg = f"{self.name} is open for bytes, not str; open it with mode 'w' to write text"
            raise TypeError(msg) from None
        return self._spool.write(memoryview(cast("Buffer", data)).cast("B"))

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move the position within what was written."""
        self._check_open()
        return self._spool.seek(offset, whence)

    def tell(self) -> int:
        """Return the position."""
        self._check_open()
        return self._spool.tell()

    def truncate(self, size: int | None = None, /) -> int:
        """Truncate what was written, and return its size in bytes."""
        self._check_open()
        at = self._spool.tell()
        size = at if size is None else size
        self._spool.truncate(size)
        return size

    def discard(self) -> None:
        """Close the file and publish nothing."""
        self._publish = self._entered = None
        self.close()

    def close(self) -> None:
        """Publish what was written, once. A second call does nothing, even if the first one failed.

        Inside the file's own `with` block it does nothing while an exception propagates: a wrapper such as
        TextIOWrapper closes the file it wraps when its block fails, and `__exit__` of this file decides. It also does
        nothing there when the finaliser of a wrapper calls it. Outside of a block such a finaliser ends the file
        unpublished.
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
                self._place._client._run_here(publish, self._spool.body())
        finally:
            self._spool.release()
            super().close()

    def __enter__(self) -> Self:
        # What was being handled when the block began: an exception that is raised inside the block differs from it.
        self._check_open()
        self._entered = (sys.exception(),)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Publish, unless an exception propagates. GeneratorExit, which no caller sees, gives a warning."""
        self._entered = None
        try:
            if kind is GeneratorExit:  # a generator was closed or dropped, for example after `break`
                self._lose("not finished", "Its block is in a generator: run that to its end, or write outside of it")
        finally:
            if kind is not None:
                self.discard()
            self.close()

    def __del__(self) -> None:
        """Discard unpublished data; only `close()` publishes."""
        if not self.closed:
            try:
                self._lose()  # an error if warnings are errors
            finally:
                # Not closed: in a cycle, wrappers around this file are finalised in any order, and flush into it.
                self._spool.release()
                self._spool = Spool()

    def _dealloc_warn(self, source: object, /) -> None:
        """Note a finaliser of a TextIOWrapper or BufferedWriter around this file, which calls `close()` next.

        CPython calls this on the inner file so that a FileIO can warn: `_io_TextIOWrapper_close_impl` in
        Modules/_io/textio.c, `_io__Buffered_close_impl` in Modules/_io/bufferedio.c. Nothing else distinguishes the
        `close()` that follows from one of the caller. The file stays open for what the wrapper flushes.
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
    """A text file for writing. `write` takes `str` and also `bytes`."""

    __slots__ = ("_put",)  # what every write uses is found faster there than in the dictionary, which it has too

    # The text goes through another TextIOWrapper, straight into the spool. Its type is exact: every write to a subclass
    # looks `closed` up in Python (CHECK_CLOSED in Modules/_io/textio.c), which takes longer than the write.

    def __init__(self, writer: ObjectWriter, encoding: str, errors: str | None, newline: str | None) -> None:
        super().__init__(writer, encoding, errors, newline)
        self._text = io.TextIOWrapper(cast("Any", writer._spool), encoding, errors, newline)
        self._text._CHUNK_SIZE = _CHUNK  # type: ignore[attr-defined]  # set by CPython's own tests too
        self._put = self._text.write
        self._writer = writer
        self._detached = False

    def write(self, text: str | Buffer, /) -> int:
        """Write text, or bytes as they are, and return the number of characters or bytes."""
        try:
            return self._put(text)  # type: ignore[arg-type]  # anything but text is a TypeError
        except TypeError:
            if isinstance(text, str):
                raise
        except BaseException:
            self._discard_broken()
            raise
        self.flush()
        return self._writer.write(text)

    def flush(self) -> None:
        """Encode what was written. Nothing is published before `close()`."""
        try:
            self._text.flush()
        except BaseException:
            self._discard_broken()
            raise

    def seek(self, cookie: int, whence: int = io.SEEK_SET, /) -> int:
        """Move the position within what was written."""
        self.flush()
        return self._text.seek(cookie, whence)

    def tell(self) -> int:
        """Return the position."""
        self.flush()
        return self._text.tell()

    def truncate(self, pos: int | None = None, /) -> int:
        """Truncate what was written, and return its size in bytes."""
        self.flush()
        return self._text.truncate(pos)

    def reconfigure(self, **options: Any) -> None:
        """Change the encoding, errors, newline and buffering of what is written from now on."""
        super().reconfigure(**options)
        self._text.reconfigure(**options)

    def detach(self) -> ObjectWriter:  # type: ignore[override]
        """Return the binary file, which the caller has to close from now on."""
        super().detach()  # flushes
        self._text.detach()
        self._detached = True
        return self._writer

    def discard(self) -> None:
        """Close the file and publish nothing."""
        self._writer.discard()

    def close(self) -> None:
        """Publish what was written, once. A second call does nothing, even if the first one failed."""
        if self.closed:
            return
        try:
            self._text.flush()
        except BaseException:
            self._writer.discard()  # the end of the text is missing
            raise
        self._writer.close()

    def _discard_broken(self) -> None:
        """Discard a file whose spool has lost something: the disk is full, say, or the write was interrupted."""
        if self._writer._spool.broken:
            self._writer.discard()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Publish, unless an exception propagates."""
        if kind is None:
            self.close()
        else:
            self._writer.__exit__(kind, None, None)

    def __del__(self) -> None:
        """Discard unpublished data; only `close()` publishes."""
        writer = getattr(self, "_writer", None)
        if writer is not None and not writer.closed and not self._detached:
            try:
                writer._lose()
            finally:
                writer.discard()
