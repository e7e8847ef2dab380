"""Any data as a body that can be sent twice: bytes, or a slice of an open file.

Rules of the room: only a regular file that is read by its own descriptor is measured; everything else is read to its
end into a spool, in memory to 8 MiB, then in a temporary file. What an object says of itself (`fileno()`, `len()`, a
size of 0) is not believed. No file object of the caller is closed here.
"""

from __future__ import annotations

import errno
import io
import os
import re
import stat
import tempfile
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, nullcontext
from typing import IO, TYPE_CHECKING, Any, Final, TypeAlias, TypeGuard, cast

from lakefs_hl.spec import callers
from lakefs_hl.spec.errors import IntegrityError
from lakefs_hl.spec.wire import FileSlice

if TYPE_CHECKING:
    from typing_extensions import Buffer

#: What `upload` takes.
Data: TypeAlias = "Buffer | str | os.PathLike[str] | IO[bytes] | IO[str] | Iterable[Buffer] | Iterable[str]"

#: How much of a body is kept in memory before it goes to a temporary file.
SPOOL: Final = 8 << 20
BLOCK: Final = 1 << 20
#: A text longer than the longest path of a file, in characters, is not looked up in the file system.
_LONGEST_PATH: Final = 4096
#: Formats of the items of a buffer (see the module `struct`). Z is a complex number.
_NUMBER: Final = re.compile(r"[@=<>!]?(?:[?bBchHiIlLqQnNefdg]|Z[fdg])")
#: The type of `tempfile.NamedTemporaryFile`. Where it has another name, such a file is copied like any other stream.
_TEMPORARY: Final = getattr(tempfile, "_TemporaryFileWrapper", None)


class Abandoned(Exception):
    """The caller no longer waits for the body."""


def _never() -> bool:
    return False


@contextmanager
def replayable(data: Data, stopped: Callable[[], bool] = _never) -> Iterator[bytes | FileSlice]:
    """Give any data as a body that can be sent again: bytes, or a slice of an open file.

    A `str` is its UTF-8; a buffer of numbers is its memory in C order; a path names a local file; a file object is read
    from where it stands to its end, and stands there afterwards; an iterable gives blocks of bytes or of text. A
    regular file and a `BytesIO` stand where they stood if the upload fails.

    Args:
        data: What to send.
        stopped: Asked between two blocks; True ends the reading.

    Raises:
        TypeError: The data is none of these, or gives something else than bytes or text.
        BlockingIOError: A non-blocking stream has no data.
        OSError: A file cannot be read; `FileNotFoundError` and `IsADirectoryError` name the path.
    """
    if isinstance(data, bytes):
        yield data if type(data) is bytes else bytes.__getitem__(data, slice(None))  # no method of a subclass
    elif isinstance(data, str):
        yield str.encode(data)
    elif isinstance(data, bytearray | memoryview):
        yield _copy(data)
    elif _is_path(data):
        with _open(data) as file:
            measured = _measure(file.fileno(), 0, os.fspath(data))
            with nullcontext(measured) if measured is not None else _spooled(_read(file, stopped)) as body:
                yield body
    elif type(data) is io.BytesIO:
        at = data.tell()
        try:
            yield data.read()
        except BaseException:
            data.seek(at)
            raise
    elif hasattr(data, "read"):
        with _file(data, stopped) as body:
            yield body
    else:
        content = _buffer(data)
        with nullcontext(content) if content is not None else _spooled(_iterate(data, stopped)) as body:
            yield body


def block_of(block: object, source: str) -> bytes:
    """Return one block of a stream or an iterable as bytes.

    Raises:
        TypeError: It is something else.
        BlockingIOError: It is None.
    """
    if isinstance(block, bytes):
        return block
    if isinstance(block, bytearray | memoryview):
        return _copy(block)
    if block is None:
        raise BlockingIOError(
            errno.EAGAIN,
            f"{source} gave None: it is non-blocking and has no data now, which is not its end; nothing was sent. "
            "Make it blocking (os.set_blocking(fd, True)), or collect its bytes and pass those",
        )
    if hasattr(block, "__await__"):
        getattr(block, "close", _never)()  # else the interpreter warns of a coroutine that was never awaited
        msg = f"{source} gave a {type(block).__name__}: an asynchronous file can be uploaded with lakefs_hl.aio only"
        raise TypeError(msg)
    content = _buffer(block, source)
    if content is not None:
        return content
    msg = f"{source} must give bytes, not {type(block).__name__}: {block!r:.80}"
    raise TypeError(msg)


def stream_block(block: object, kind: type | None, source: str) -> tuple[bytes, type]:
    """Return what a stream or an iterable gave as bytes, and whether it was `str` or `bytes`: it gives one of them.

    Raises:
        TypeError: It is neither, or not what the stream gave before.
        BlockingIOError: It is None.
    """
    found = str if isinstance(block, str) else bytes
    content = str.encode(block) if isinstance(block, str) else block_of(block, source)
    if kind not in (None, found):
        msg = f"{source} gave bytes and str by turns; it must give one of them"
        raise TypeError(msg)
    return content, found


def source_of(data: object) -> str:
    """Return what to call a stream in an error."""
    name = getattr(data, "name", None)
    return f"read() of {type(data).__name__}{f' {name!r}' if isinstance(name, str | bytes | int) else ''}"


def body_of(spool: tempfile.SpooledTemporaryFile[bytes]) -> bytes | FileSlice:
    """Return what was spooled as a body: bytes while they are few, else a slice of the temporary file."""
    spool.flush()
    size = spool.seek(0, os.SEEK_END)
    if size > SPOOL:
        return FileSlice(spool.fileno(), 0, size)
    spool.seek(0)
    return spool.read()


# -- what is measured --------------------------------------------------------------------------------------------------


@contextmanager
def _file(file: Any, stopped: Callable[[], bool]) -> Iterator[bytes | FileSlice]:
    """A file object from where it stands."""
    exact = _exact(file)
    if exact is not None:
        if exact.writable():
            exact.flush()
        measured = _measure(exact.fileno(), exact.tell(), exact.name)
        if measured is not None:
            yield measured
            exact.seek(measured.offset + measured.length)
            return
    with _spooled(_read(file, stopped)) as body:
        yield body


def _exact(file: Any) -> io.FileIO | io.BufferedReader | io.BufferedRandom | None:
    """The file, if it is regular and reads by its own descriptor; None for anything that may change what it reads.

    Exact types only: a `BufferedReader` over a decompressor tells the descriptor of the compressed file, and a subclass
    may read as it likes.
    """
    if _TEMPORARY is not None and type(file) is _TEMPORARY:
        file = file.file
    raw = file.raw if type(file) in (io.BufferedReader, io.BufferedRandom) else file
    if type(raw) is not io.FileIO or not raw.readable() or not stat.S_ISREG(os.fstat(raw.fileno()).st_mode):
        return None
    return cast("io.FileIO | io.BufferedReader | io.BufferedRandom", file)


def _measure(fd: int, offset: int, name: object) -> FileSlice | None:
    """The rest of a regular file, by its size; None if it must be read to its end to know where that is."""
    before = os.fstat(fd)
    size = before.st_size
    # A pipe, a device; a file of /proc says 0, one of sysfs 4096, and those of FUSE what they like: a size is believed
    # if the last byte is where it says and nothing follows.
    if not stat.S_ISREG(before.st_mode) or size <= offset or len(os.pread(fd, 2, size - 1)) != 1:
        return None

    def check() -> None:
        after = os.fstat(fd)
        if (after.st_size, after.st_mtime_ns) != (size, before.st_mtime_ns):
            now = f"has {after.st_size} now" if after.st_size != size else "was modified since"
            raise IntegrityError(
                f"the file {name!r} changed while it was uploaded: it had {size} bytes and {now}; nothing was stored. "
                "Upload it when nothing writes to it any more, or upload a copy"
            )

    return FileSlice(fd, offset, size - offset, check)


# -- what is read to its end -------------------------------------------------------------------------------------------


def _is_path(data: object) -> TypeGuard[os.PathLike[str]]:
    """Whether it names a file; an open file that also knows its path is the file."""
    return isinstance(data, os.PathLike) and not isinstance(data, io.IOBase)


def _open(path: os.PathLike[str]) -> io.FileIO:
    try:
        return io.FileIO(os.fspath(path))  # of a path itself an error shows the object, not its text
    except IsADirectoryError:
        msg = "upload takes one file, and this is a directory; upload its files one by one"
        raise IsADirectoryError(errno.EISDIR, msg, os.fspath(path)) from None


def _read(file: Any, stopped: Callable[[], bool]) -> Iterator[bytes]:
    source, kind = source_of(file), None
    while True:
        content, kind = stream_block(file.read(BLOCK), kind, source)
        if not content:
            return
        yield content
        if stopped():
            raise Abandoned


def _iterate(data: object, stopped: Callable[[], bool]) -> Iterator[bytes]:
    if not isinstance(data, Iterable) or isinstance(data, Mapping | AbstractSet):
        hint = "; an asynchronous iterable can be uploaded with lakefs_hl.aio only"
        msg = (
            f"data must be bytes, str, a path, a file object or an iterable of bytes or str, not {type(data).__name__}"
            f"{hint if isinstance(data, AsyncIterable) else ''}"
        )
        raise TypeError(msg)
    kind = None
    for block in data:
        content, kind = stream_block(block, kind, "an iterable body")
        yield content
        if stopped():
            raise Abandoned


@contextmanager
def _spooled(blocks: Iterator[bytes]) -> Iterator[bytes | FileSlice]:
    with tempfile.SpooledTemporaryFile(SPOOL) as spool:
        for block in blocks:
            spool.write(block)
        yield body_of(spool)


def _copy(data: Buffer) -> bytes:
    """The bytes of a buffer as they are now, in order, whatever its shape and format.

    Raises:
        TypeError: It holds references to Python objects.
    """
    view = memoryview(data)
    if "O" in view.format:
        msg = "a buffer of Python objects has no bytes to upload: it holds addresses"
        raise TypeError(msg)
    return view.tobytes()


def _buffer(data: object, name: str = "data") -> bytes | None:
    """Return the memory of an array of numbers in C order, in the byte order of its items; None if it is no buffer.

    Raises:
        TypeError: Its items are no numbers, such as padded texts and records; or it is a single number.
    """
    try:
        view = memoryview(cast("Any", data))
    except (TypeError, ValueError, BufferError):
        return None
    is_array = view.ndim and getattr(data, "ndim", 1)  # a `datetime64` of numpy is a buffer of bytes, of one dimension
    if is_array and _NUMBER.fullmatch(view.format):
        return view.tobytes()
    what = f"of items in the format {view.format!r}, not of bytes or numbers" if is_array else "with a single item"
    msg = f"{name} is a {type(data).__name__} {what}; pass its .tobytes() to store it as it lies in memory"
    raise TypeError(msg)


# -- a mistake that is often made --------------------------------------------------------------------------------------


def warn_of_file_name(data: object) -> None:
    """Warn if a text to upload names a local file: the content of the file was probably meant."""
    if not isinstance(data, str) or not 0 < len(data) <= _LONGEST_PATH or not data.isprintable():
        return
    if os.path.isfile(data):  # noqa: PTH113 - one system call, on the way of every short text
        msg = (
            f"the text {str.__str__(data)!r} is uploaded, and there is a file of that name; to upload the file, give "
            f"pathlib.Path({str.__str__(data)!r}); to upload a text that is a file's name, give its bytes"
        )
        callers.warn(msg)
