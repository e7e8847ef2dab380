"""Any data as a body that can be sent twice: bytes, or a slice of an open file.

Rules of the room: only a regular file that is read by its own descriptor is measured; everything else is read to its
end into a spool, in memory to 8 MiB, then in a temporary file. What an object reports about itself (`fileno()`,
`len()`, a size of 0) is not relied on. File objects of the caller are not closed here.
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

from lakefs_hl._folders.found import change_of, from_stat, is_same
from lakefs_hl.spec import callers
from lakefs_hl.spec.errors import IntegrityError
from lakefs_hl.spec.wire import FileSlice

if TYPE_CHECKING:
    from typing_extensions import Buffer

#: What `upload` takes.
Data: TypeAlias = (
    "Buffer | str | os.PathLike[str] | IO[bytes] | IO[str] | Iterable[Buffer] | Iterable[str] | "
    "Callable[[], Iterable[Buffer] | Iterable[str]]"
)

#: Largest body that is kept in memory, in bytes. A larger one goes to a temporary file.
SPOOL: Final = 8 << 20
BLOCK: Final = 1 << 20
#: A text longer than the longest path of a file, in characters, is not looked up in the file system.
_LONGEST_PATH: Final = 4096
#: Formats of the items of a buffer (see the module `struct`). Z is a complex number.
_NUMBER: Final = re.compile(r"[@=<>!]?(?:[?bBchHiIlLqQnNefdg]|Z[fdg])")
#: The type of `tempfile.NamedTemporaryFile`. Where it has another name, such a file is copied like any other stream.
TEMPORARY: Final = getattr(tempfile, "_TemporaryFileWrapper", None)


class Abandoned(Exception):
    """The caller no longer waits for the body."""


def _return_false() -> bool:
    return False


@contextmanager
def replayable(data: Data, stopped: Callable[[], bool] = _return_false) -> Iterator[bytes | FileSlice]:
    """Yield any data as a body that can be sent again: bytes, or a slice of an open file.

    A `str` is encoded as UTF-8. Of a buffer of numbers, the memory in C order is sent. A path names a local file. A
    file object is read from its position to its end, and its position is then at the end. An iterable yields blocks of
    bytes or of text. A callable is called, and what it returns is read and closed. If the upload fails, a regular file
    and a `BytesIO` are back at their old position.

    Args:
        data: The data.
        stopped: Called between two blocks. True ends reading.

    Raises:
        TypeError: The data is none of these, or contains something other than bytes or text.
        UnicodeEncodeError: A text has a lone surrogate.
        BlockingIOError: A non-blocking stream has no data.
        OSError: A file cannot be read; `FileNotFoundError` and `IsADirectoryError` name the path.
    """
    if isinstance(data, bytes):
        yield data if type(data) is bytes else bytes.__getitem__(data, slice(None))  # no method of a subclass
    elif isinstance(data, str):
        yield encode(data)
    elif isinstance(data, bytearray | memoryview):
        yield _copy(data)
    elif _is_path(data):
        with _open(data) as file:
            measured = _measure(file.fileno(), 0, os.fspath(data))
            with nullcontext(measured) if measured is not None else _spool_blocks(_read(file, stopped)) as body:
                yield body
    elif type(data) is io.BytesIO:
        at = data.tell()
        try:
            yield data.read()
        except BaseException:
            data.seek(at)
            raise
    elif hasattr(data, "read"):
        with _replay_file(data, stopped) as body:
            yield body
    elif is_factory(data):
        with _made_by(data) as made, replayable(made, stopped) as body:
            yield body
    else:
        content = _buffer_bytes(data)
        with nullcontext(content) if content is not None else _spool_blocks(_iterate(data, stopped)) as body:
            yield body


def is_factory(data: object) -> TypeGuard[Callable[[], Any]]:
    """Return whether the data is a callable that makes it, and nothing that can be read itself."""
    return callable(data) and not isinstance(data, Iterable | AsyncIterable) and not hasattr(data, "read")


def check_made(made: object) -> None:
    """Refuse what a callable returned if it is another callable.

    Raises:
        TypeError: It is one.
    """
    if is_factory(made):
        msg = f"the callable that was passed as data returned another one, {made!r:.80}; it must return the data"
        raise TypeError(msg)


@contextmanager
def _made_by(factory: Callable[[], Any]) -> Iterator[Any]:
    """Yield what a callable makes, and close it in the end: nothing else refers to it."""
    made = factory()
    if hasattr(made, "__await__"):
        getattr(made, "close", _return_false)()  # else the interpreter warns of a coroutine that was never awaited
        msg = f"{factory!r:.80} is asynchronous: its data can be uploaded with lakefs_hl.aio only"
        raise TypeError(msg)
    try:
        check_made(made)
        yield made
    finally:
        getattr(made, "close", _return_false)()


def encode(text: str) -> bytes:
    """Return a text in UTF-8.

    Raises:
        UnicodeEncodeError: It has a lone surrogate, as a text that was read with `errors="surrogateescape"` may.
    """
    try:
        return str.encode(text)
    except UnicodeEncodeError as exc:
        reason = (
            f"{exc.reason}, and a text is uploaded in UTF-8; encode it yourself and upload the bytes, such as "
            "text.encode(errors='surrogateescape')"
        )
        raise UnicodeEncodeError(exc.encoding, exc.object, exc.start, exc.end, reason) from None


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
            f"{source} returned None: it is non-blocking and has no data now, which is not its end; nothing was sent. "
            "Make it blocking (os.set_blocking(fd, True)), or collect its bytes and pass those",
        )
    if hasattr(block, "__await__"):
        getattr(block, "close", _return_false)()  # else the interpreter warns of a coroutine that was never awaited
        msg = (
            f"{source} returned a {type(block).__name__}: an asynchronous file can be uploaded with lakefs_hl.aio only"
        )
        raise TypeError(msg)
    content = _buffer_bytes(block, source)
    if content is not None:
        return content
    msg = f"{source} must return bytes or str, not {type(block).__name__}: {block!r:.80}"
    raise TypeError(msg)


def stream_block(block: object, kind: type | None, source: str) -> tuple[bytes, type]:
    """Return what a stream or an iterable returned as bytes, and its type, `str` or `bytes`, the same for all blocks.

    Raises:
        TypeError: It is neither, or differs from the blocks before.
        UnicodeEncodeError: It is a text with a lone surrogate.
        BlockingIOError: It is None.
    """
    found = str if isinstance(block, str) else bytes
    content = encode(block) if isinstance(block, str) else block_of(block, source)
    if kind not in (None, found):
        msg = f"{source} returned both bytes and str; it must return one of them"
        raise TypeError(msg)
    return content, found


def source_of(data: object) -> str:
    """Return the name of a stream for messages."""
    name = getattr(data, "name", None)
    return f"read() of {type(data).__name__}{f' {name!r}' if isinstance(name, str | bytes | int) else ''}"


def body_of(spool: tempfile.SpooledTemporaryFile[bytes] | IO[bytes]) -> bytes | FileSlice:
    """Return the content of a spool as a body: bytes up to the size of the spool, else a slice of its file."""
    spool.flush()
    size = spool.seek(0, os.SEEK_END)
    if size > SPOOL:
        return FileSlice(spool.fileno(), 0, size)
    spool.seek(0)
    return spool.read()


# -- regular files -----------------------------------------------------------------------------------------------------


@contextmanager
def _replay_file(file: Any, stopped: Callable[[], bool]) -> Iterator[bytes | FileSlice]:
    """Yield the rest of a file object as a body."""
    exact = _plain_file(file)
    if exact is not None:
        if exact.writable():
            exact.flush()
        measured = _measure(exact.fileno(), exact.tell(), exact.name)
        if measured is not None:
            yield measured
            exact.seek(measured.offset + measured.length)
            return
    with _spool_blocks(_read(file, stopped)) as body:
        yield body


def _plain_file(file: Any) -> io.FileIO | io.BufferedReader | io.BufferedRandom | None:
    """Return the file if it is regular and read by its own descriptor. None if anything may change what is read.

    Exact types only: a `BufferedReader` over a decompressor has the descriptor of the compressed file, and a subclass
    may override `read`.
    """
    if TEMPORARY is not None and type(file) is TEMPORARY:
        file = file.file
    raw = file.raw if type(file) in (io.BufferedReader, io.BufferedRandom) else file
    if type(raw) is not io.FileIO or not raw.readable() or not stat.S_ISREG(os.fstat(raw.fileno()).st_mode):
        return None
    return cast("io.FileIO | io.BufferedReader | io.BufferedRandom", file)


def _measure(fd: int, offset: int, name: object) -> FileSlice | None:
    """Return the rest of a regular file by its size. None if only reading finds its end."""
    before = os.fstat(fd)
    size = before.st_size
    # The size of pipes and devices is not that of their content. Files in /proc report 0, those in sysfs 4096, and FUSE
    # reports anything. A size counts if there is a last byte at its end and nothing follows.
    if not stat.S_ISREG(before.st_mode) or size <= offset or len(os.pread(fd, 2, size - 1)) != 1:
        return None

    return FileSlice(fd, offset, size - offset, change_check(fd, name))


def change_check(fd: int, name: object) -> Callable[[], None]:
    """Return what checks that an open file is what it is now.

    Args:
        fd: Its descriptor.
        name: Its name, for messages.

    Raises:
        IntegrityError: By the check: the file has changed.
    """
    before = from_stat("", os.fstat(fd))

    def check() -> None:
        after = from_stat("", os.fstat(fd))
        if not is_same(before, after):
            raise IntegrityError(
                f"the file {name!r} changed while it was uploaded: {change_of(before, after)}; nothing was stored. "
                "Upload it when nothing writes to it anymore, or upload a copy"
            )

    return check


# -- everything else is read to its end --------------------------------------------------------------------------------


def _is_path(data: object) -> TypeGuard[os.PathLike[str]]:
    """Return whether the data names a file. An open file that also has a path is a file object."""
    return isinstance(data, os.PathLike) and not isinstance(data, io.IOBase)


def _open(path: os.PathLike[str]) -> io.FileIO:
    try:
        return io.FileIO(os.fspath(path))  # for a path object the error would show its repr
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
    if getattr(data, "ndim", 1) != 1:
        msg = (
            f"data is a {type(data).__name__} of {data.ndim} dimensions, whose iteration gives names or rows, not "  # type: ignore[attr-defined]
            "its content; convert it first, such as by to_csv() or to_parquet()"
        )
        raise TypeError(msg)
    kind = None
    for block in data:
        content, kind = stream_block(block, kind, "an iterable body")
        yield content
        if stopped():
            raise Abandoned


@contextmanager
def _spool_blocks(blocks: Iterator[bytes]) -> Iterator[bytes | FileSlice]:
    with tempfile.SpooledTemporaryFile(SPOOL) as spool:
        for block in blocks:
            spool.write(block)
        yield body_of(spool)


def _copy(data: Buffer) -> bytes:
    """Return the bytes of a buffer, in order, whatever its shape and format.

    Raises:
        TypeError: It holds references to Python objects.
    """
    view = memoryview(data)
    if "O" in view.format:
        msg = "a buffer of Python objects has no bytes to upload: it holds addresses"
        raise TypeError(msg)
    return view.tobytes()


def _buffer_bytes(data: object, name: str = "data") -> bytes | None:
    """Return the memory of an array of numbers in C order, in the byte order of its items; None if it is not a buffer.

    Raises:
        TypeError: Its items are not numbers, such as padded text and records; or it is a single number.
    """
    try:
        view = memoryview(cast("Any", data))
    except (TypeError, ValueError, BufferError):
        return None
    is_array = view.ndim and getattr(data, "ndim", 1)  # a `datetime64` of numpy is a buffer of bytes, of one dimension
    if is_array and _NUMBER.fullmatch(view.format):
        return view.tobytes()
    what = f"of items in the format {view.format!r}, not of bytes or numbers" if is_array else "with a single item"
    msg = f"{name} is a {type(data).__name__} {what}; pass its .tobytes() to store it as it is in memory"
    raise TypeError(msg)


# -- a frequent mistake ------------------------------------------------------------------------------------------------


def warn_of_file_name(data: object) -> None:
    """Warn if a text to upload names a local file: the content of the file was probably meant."""
    if not isinstance(data, str) or not 0 < len(data) <= _LONGEST_PATH or not data.isprintable():
        return
    if os.path.isfile(data):  # noqa: PTH113 - one system call, for every short text
        msg = (
            f"the text {str.__str__(data)!r} is uploaded, and there is a file of that name; to upload the file, give "
            f"pathlib.Path({str.__str__(data)!r}); to upload a text that is a file's name, give its bytes"
        )
        callers.warn(msg)
