"""What `open` returns: readers over fsspec's caches, of one version; and writers that publish at a clean close."""

from __future__ import annotations

import io
import sys
import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from fsspec.caching import caches
from fsspec.spec import AbstractBufferedFile

from lakefs_hl.exceptions import ObjectChangedError
from lakefs_hl.filesystem.ends import is_unwinding
from lakefs_hl.filesystem.names import translated
from lakefs_hl.types import ObjectWriter, TextWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import TracebackType
    from typing import Self

    from typing_extensions import Buffer

    from lakefs_hl import Branch
    from lakefs_hl.filesystem.hints import Version
    from lakefs_hl.filesystem.system import LakeFSFileSystem

#: Bytes that are looked at once for the end of a line.
_LINES: Final = 64 << 10


class LakeFSFile(AbstractBufferedFile):  # type: ignore[misc]
    """An object, open for reading: a buffered file of fsspec whose ranges are all of one version of the object.

    The first bytes are fetched when it is opened, so that a small object costs one request. Without `block_size` and
    `cache_type` reads ahead grow with sequential reading, up to 8 MiB, and stay small after a seek.

    A file of a version that the same file system had open a moment ago fetches nothing before it is read. It reads the
    version of then if its size or checksum was asked for first, else the version of now.
    """

    def __init__(
        self,
        fs: LakeFSFileSystem,
        path: str,
        raw: Any,
        *,
        version: Version | None = None,
        block_size: int | str | None = None,
        cache_type: str | None = None,
        cache_options: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self._ranges = Ranges(fs, path, raw, version)
        self._lines, self._lines_at = b"", 0
        self.loc: int = 0
        self._details: dict[str, Any] | None = None
        if version is not None:
            super().__init__(fs, path, "rb", block_size, cache_type="none", size=0, **kwargs)
            del self.size, self.cache  # they come with the first read
            return
        kind = cache_type or ("none" if block_size in (None, "default") else "readahead")
        super().__init__(
            fs,
            path,
            "rb",
            block_size,
            cache_type=kind,
            cache_options=dict(cache_options or {}),
            size=self._ranges.size(),
            **kwargs,
        )
        self.cache.fetcher = self._ranges.fetch  # not a method of this file: it is closed when the last user drops it

    @cached_property
    def size(self) -> int:
        """Size of the object in bytes."""
        return self._ranges.size()

    @cached_property
    def cache(self) -> Any:
        """The cache of fsspec."""
        return caches["none"](self.blocksize, self._ranges.fetch, self.size)

    @property
    def details(self) -> dict[str, Any]:
        """The object as `info` has it.

        Raises:
            ObjectChangedError: The object was replaced since the file was opened.
        """
        if self._details is None:
            expected, found = self.checksum, self.fs.info(self.path)
            if found.get("checksum") != expected:
                raise ObjectChangedError(f"{self.full_name} was replaced since it was opened; open it again")
            self._details = found
        return dict(self._details)

    @property
    def checksum(self) -> str:
        """ETag of the version that is read, without its quotes."""
        return self._ranges.checksum()

    def read(self, length: int | None = -1) -> bytes:
        """Read bytes, at most `length` of them, or all that are left."""
        if not self.closed:
            self._ranges.begin(self.loc)
        found: bytes = super().read(length)
        return found

    def _fetch_range(self, start: int, end: int) -> bytes:
        return self._ranges.fetch(start, end)

    def readline(self, size: int | None = -1) -> bytes:
        """Read the rest of the line, with its end, or at most `size` bytes of it."""
        left = sys.maxsize if size is None or size < 0 else size
        parts = list[bytes]()
        while left > 0:
            at = self.loc - self._lines_at
            if not 0 <= at < len(self._lines):
                self._lines, self._lines_at, at = self._peek(), self.loc, 0
                if not self._lines:
                    break
            end = self._lines.find(b"\n", at, at + left)
            part = self._lines[at : min(at + left, len(self._lines)) if end < 0 else end + 1]
            parts.append(part)
            self.loc += len(part)
            left -= len(part)
            if end >= 0:
                break
        return b"".join(parts)

    def _peek(self) -> bytes:
        at = self.loc
        found: bytes = self.read(_LINES)
        self.loc = at
        return found

    def close(self) -> None:
        """Close the file. Sends no request."""
        self._close(is_dropped=False)

    def _close(self, *, is_dropped: bool) -> None:
        ranges: Ranges | None = self.__dict__.get("_ranges")
        if ranges is None or "kwargs" not in self.__dict__:  # opening it failed
            return
        self.__dict__.setdefault("cache", None)
        super().close()
        ranges.close(is_dropped=is_dropped)

    def __del__(self) -> None:
        """Close the file. Libraries drop files like that and go on with another one."""
        if not self.closed:
            self._close(is_dropped=True)

    def __reduce__(self) -> tuple[Any, ...]:
        cache = self.cache.name if self.cache else None
        return _reopen, (self.fs, self.path, self.blocksize, cache, self.loc, self.checksum, self.kwargs)


class Ranges:
    """What a file fetches: ranges of one version. It outlives the file in the caches of fsspec that fetch in threads.

    Args:
        fs: The file system, whose hints the version belongs to.
        name: Name of the object.
        raw: The raw file.
        version: The version, if the raw file has fetched nothing yet.
    """

    def __init__(self, fs: LakeFSFileSystem, name: str, raw: Any, version: Version | None) -> None:
        self._fs, self._name, self._raw = fs, name, raw
        self._lock = threading.Lock()  # some caches of fsspec fetch in a thread
        self._has_begun = version is None
        self._version: Version | None = version or fs.note_version(name, self.checksum(), raw.size)

    def size(self) -> int:
        """Return the size in bytes. It decides which version is read."""
        self._has_begun = True
        return int(self._raw.size)

    def checksum(self) -> str:
        """Return the ETag without its quotes. It decides which version is read."""
        self._has_begun = True
        return str(self._raw.etag or "").strip('"')

    def begin(self, position: int) -> None:
        """Fetch the first bytes, at a position, of the version of now, if nothing has decided the version yet."""
        if self._has_begun:
            return
        with self._lock:
            version = self._version
            if not self._has_begun and version is not None and not version.is_told:
                try:
                    self._raw.begin(position)
                except FileNotFoundError:
                    self._fs.forget_version(self._name)
                    raise
                self._version = self._fs.note_version(self._name, self.checksum(), self._raw.size)
            self._has_begun = True

    def fetch(self, start: int, end: int) -> bytes:
        """Return the bytes of a range, as far as the object has them.

        Raises:
            ObjectChangedError: The object was replaced since its version was decided.
        """
        end = min(end, self.size())
        if end <= start:
            return b""
        with self._lock:
            try:
                found = self._read(start, end)
            except (ObjectChangedError, FileNotFoundError):
                self._fs.forget_version(self._name)
                raise
            if self._version is not None:
                self._version.confirm()
            return found

    def _read(self, start: int, end: int) -> bytes:
        self._raw.seek(start)
        first = self._raw.read(end - start)
        if len(first) == end - start or not first:
            return bytes(first)
        parts, have = [first], len(first)
        while have < end - start:
            part = self._raw.read(end - start - have)
            if not part:
                break
            parts.append(part)
            have += len(part)
        return b"".join(parts)

    def close(self, *, is_dropped: bool) -> None:
        """Close the raw file.

        Args:
            is_dropped: Whether the last user dropped the file, in place of closing it.
        """
        version, self._version = self._version, None
        if version is not None:
            self._fs.release_version(self._name, version, is_dropped=is_dropped)
        self._raw.close()


def _reopen(
    fs: LakeFSFileSystem,
    path: str,
    block_size: int,
    cache_type: str | None,
    loc: int,
    checksum: str,
    options: dict[str, Any],
) -> LakeFSFile:
    """Open an unpickled file where it was read, if it is still the same version."""
    file: LakeFSFile = fs.open(path, "rb", block_size=block_size, cache_type=cache_type, **options)
    if file.checksum != checksum:
        file.close()
        raise ObjectChangedError(f"{file.full_name} was replaced since it was opened; open it again")
    file.seek(loc)
    return file


class LakeFSWriter(ObjectWriter):
    """An object, open for writing. `close()` publishes it, unless an exception leaves the `with` block.

    What is written is kept in memory up to 8 MiB, then in a temporary file. Nothing is sent before the end. With
    `autocommit=False`, as in `fs.transaction`, `close()` keeps it, and `commit()` publishes it or `discard()` drops it.
    """

    def __init__(
        self, fs: LakeFSFileSystem, name: str, branch: Branch, path: str, *, autocommit: bool = True, **options: Any
    ) -> None:
        self._known = sys.exception()
        self._kept: Any = None
        super().__init__(branch, path, **options)
        self.fs, self.path, self.autocommit = fs, name, autocommit
        self._send = self._publish
        if not autocommit:
            self._publish = self._keep

    @property
    def full_name(self) -> str:
        """The URL of the object."""
        return self.fs.unstrip_protocol(self.path)

    def flush(self, force: bool = False) -> None:
        """Do nothing: nothing is sent before `close()`."""
        self._check_open()

    def close(self) -> None:
        """Publish what was written, once. See `ends` for what it does while an exception leaves a block."""
        if self.closed:
            return
        if self._publish is not None and self._entered is None and is_unwinding(self._known):
            _note(self.name)
            super().discard()
            return
        published = self._publish is not None and self.autocommit
        try:
            with translated:
                super().close()
        finally:
            if published:
                self.fs.invalidate_cache(self.path)

    def commit(self) -> None:
        """Publish what `close()` kept. A second call does nothing.

        Raises:
            ValueError: The file is still open.
        """
        if not self.closed:
            raise ValueError(f"{self.name} is still open; close it before the transaction ends")
        kept, self._kept = self._kept, None
        if kept is None or self._send is None:
            return
        try:
            with translated:
                self._place._client._run_here(self._send, kept.body())
        finally:
            kept.release()
            self.fs.invalidate_cache(self.path)

    def discard(self) -> None:
        """Close the file and drop what was written."""
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.release()
        super().discard()

    def _lose(self, how: str = "never closed", advice: str = "") -> None:
        super()._lose(
            how, advice or f"Write `with fs.open({self.path!r}, {self._shown_mode!r}) as file:`, which closes it"
        )

    def _keep(self, session: Any, body: Any) -> Generator[Any, Any, Any]:
        """Keep what was written in place of sending it: `close()` of the base runs this as it would run the upload."""
        self._kept, self._spool = self._spool, type(self._spool)()
        yield from ()


def _note(name: str) -> None:
    error = sys.exception()
    if error is not None:
        error.add_note(f"{name} was being written when this left a `with` block: nothing of it was published")


class LakeFSTextWriter(TextWriter):
    """An object, open for writing text. `close()` publishes it, unless an exception leaves the `with` block."""

    def __init__(self, writer: LakeFSWriter, encoding: str, errors: str | None, newline: str | None) -> None:
        super().__init__(writer, encoding, errors, newline)
        self.fs, self.path = writer.fs, writer.path

    def commit(self) -> None:
        """Publish what `close()` kept, as `commit` of the binary file."""
        writer = self._writer
        if isinstance(writer, LakeFSWriter):
            writer.commit()


class CompressedWriter(io.BufferedIOBase):
    """A compressor of fsspec around a writer. It publishes when it is closed cleanly, which compressors do not."""

    def __init__(self, writer: LakeFSWriter, compress: Callable[..., Any]) -> None:
        super().__init__()
        self._writer = writer
        self._known = sys.exception()
        self._lost = False
        self._compressor = compress(writer, mode="wb")
        self.fs, self.path, self.name, self.mode = writer.fs, writer.path, writer.name, "wb"

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, data: Buffer, /) -> int:
        """Compress bytes and return their number."""
        self._compressor.write(data)
        return memoryview(data).nbytes

    def flush(self) -> None:
        """Do nothing: compressors write at their end, and nothing is sent before that."""

    def close(self) -> None:
        """Publish what was written, once."""
        if self.closed:
            return
        if self._lost or is_unwinding(self._known):
            if not self._lost:
                _note(self.name)
            self.discard()
            return
        try:
            self._compressor.close()
        except BaseException:
            self.discard()
            raise
        super().close()
        self._writer.close()

    def discard(self) -> None:
        """Close the file and publish nothing."""
        self._writer._publish = None
        try:
            if not self._writer.closed:
                self._compressor.close()  # into the writer, which drops it: no finaliser writes to a closed file
        finally:
            self._writer.discard()
            super().close()

    def commit(self) -> None:
        """Publish what `close()` kept, as `commit` of the writer."""
        self._writer.commit()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Publish, unless an exception propagates."""
        if kind is not None:
            self.discard()
        self.close()

    def __del__(self) -> None:
        """Drop what was not closed. The writer warns."""
        if not self.closed:
            try:
                self._writer._lose()
            finally:
                self.discard()

    def _dealloc_warn(self, source: object, /) -> None:
        """Note that the finaliser of a TextIOWrapper around this file calls `close()` next: see `ObjectWriter`."""
        self._lost = True
        self._writer._lose()
