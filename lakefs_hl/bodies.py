"""Any data as a body that can be sent twice: bytes, or a slice of an open file.

Rules of the room: what is no bytes and no regular file is spooled, in memory to 8 MiB, then to a temporary file. No
file object of the caller is closed here.
"""

from __future__ import annotations

import io
import os
import stat
import tempfile
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any, Final, TypeAlias, cast

from lakefs_hl.spec.wire import FileSlice

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: What `upload` takes.
Data: TypeAlias = "bytes | bytearray | memoryview | str | os.PathLike[str] | IO[bytes] | IO[str] | Iterable[bytes]"

#: How much of a body is kept in memory before it goes to a temporary file.
SPOOL: Final = 8 << 20
BLOCK: Final = 1 << 20


@contextmanager
def replayable(data: Data) -> Iterator[bytes | FileSlice]:
    """Gives any data as a body that can be sent again: bytes, or a slice of an open file.

    A `str` is its UTF-8; a path names a local file; a file object is read from where it stands to its end, and stands
    there afterwards; an iterable gives blocks of bytes.

    Raises:
        TypeError: The data is none of these.
        FileNotFoundError: A path names no file.
    """
    if isinstance(data, bytes):
        yield data
    elif isinstance(data, str):
        yield data.encode()
    elif isinstance(data, bytearray | memoryview):
        yield bytes(data)
    elif isinstance(data, os.PathLike):
        with open(data, "rb") as file:  # noqa: PTH123 - any os.PathLike
            yield _slice(file.fileno(), 0)
    elif isinstance(data, io.BytesIO):
        yield data.read()
    elif hasattr(data, "read"):
        with _file(data) as body:
            yield body
    elif hasattr(data, "__iter__"):
        with tempfile.SpooledTemporaryFile(SPOOL) as spool:
            for block in cast("Iterable[object]", data):
                if not isinstance(block, bytes | bytearray | memoryview):
                    msg = f"an iterable body must give bytes, not {type(block).__name__}: {block!r:.80}"
                    raise TypeError(msg)
                spool.write(block)
            with body_of(spool) as body:
                yield body
    else:
        msg = f"data must be bytes, str, a path, a file object or an iterable of bytes, not {type(data).__name__}"
        raise TypeError(msg)


@contextmanager
def _file(file: Any) -> Iterator[bytes | FileSlice]:
    """A file object from where it stands; a regular binary file is read by position, without its buffer."""
    fd = _regular(file)
    if fd is not None:
        if file.writable():
            file.flush()
        body = _slice(fd, file.tell())
        yield body
        file.seek(body.offset + body.length)
        return
    with tempfile.SpooledTemporaryFile(SPOOL) as spool:
        while block := file.read(BLOCK):
            spool.write(block.encode() if isinstance(block, str) else block)
        with body_of(spool) as body_:
            yield body_


def _regular(file: Any) -> int | None:
    if not isinstance(file, io.RawIOBase | io.BufferedReader | io.BufferedRandom) and not (
        isinstance(getattr(file, "file", None), io.BufferedRandom) and not isinstance(file, io.TextIOBase)
    ):
        return None
    with suppress(OSError, AttributeError, ValueError):  # no descriptor: a reader of an archive, a pipe object
        fd: int = file.fileno()
        if stat.S_ISREG(os.fstat(fd).st_mode) and file.seekable():
            return fd
    return None


def _slice(fd: int, offset: int) -> FileSlice:
    return FileSlice(fd, offset, max(0, os.fstat(fd).st_size - offset))


@contextmanager
def body_of(spool: tempfile.SpooledTemporaryFile[bytes]) -> Iterator[bytes | FileSlice]:
    """Gives what was spooled as a body: bytes while they are few, else a slice of the temporary file."""
    spool.flush()
    size = spool.seek(0, os.SEEK_END)
    if size <= SPOOL:
        spool.seek(0)
        yield spool.read()
    else:
        yield FileSlice(spool.fileno(), 0, size)
