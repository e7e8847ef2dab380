"""Downloads to a local file or to a binary file object.

Rules of the room: a local file appears under its name when it is complete, and a failure leaves nothing behind. A file
object of the caller is written from its position and never closed.
"""

from __future__ import annotations

import errno
import inspect
import io
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeGuard, cast

from lakefs_hl._files.bodies import TEMPORARY, Abandoned
from lakefs_hl._files.place import Place
from lakefs_hl._handles import paths
from lakefs_hl._handles.handle import Handle
from lakefs_hl.ops import stream
from lakefs_hl.spec import arguments
from lakefs_hl.spec.errors import LakeFSException


class BinaryFile(Protocol):
    """A binary file object that is open for writing."""

    def write(self, data: bytes, /) -> object:
        """Write bytes."""


#: Where `download` writes.
Target: TypeAlias = str | os.PathLike[str] | BinaryFile


class Saving(NamedTuple):
    """A download to a file, with its arguments checked."""

    place: Place
    path: str
    target: Any
    start: int | None
    end: int | None
    verify: bool
    pre_signed: bool | None


def plan(
    place: Place, path: object, target: object, start: object, end: object, verify: object, pre_signed: object
) -> Saving:
    """Check the arguments of a download to a file.

    Raises:
        TypeError: An argument has the wrong type, or the file takes text or is asynchronous.
        ValueError: The local path is empty.
        OSError: The local path is a directory, has no parent directory or is not that of a regular file.
    """
    found = Saving(
        place,
        paths.path(path, cast("Handle", place)),
        target,
        arguments.optional_integer(start, "start"),
        arguments.optional_integer(end, "end"),
        arguments.flag(verify, "verify"),
        arguments.optional_flag(pre_signed, "pre_signed"),
    )
    if not _is_local_path(target):
        _check_file(target)
    elif not isinstance(os.fspath(target), str):
        msg = f"file must be a local path of text, and {target!r:.80} is one of bytes: os.fsdecode(path) is its text"
        raise TypeError(msg)
    elif not os.fspath(target):
        msg = "file must be a local path or a binary file object, and it is an empty text"
        raise ValueError(msg)
    return found


def save(plan: Saving, stopped: Callable[[], bool] = lambda: False) -> int:
    """Download an object to a file on this thread.

    Args:
        plan: What to download and where to.
        stopped: Asked after each range; True ends the download.

    Returns:
        Number of bytes written.
    """
    if not _is_local_path(plan.target):
        return _copy_to_object(plan, plan.target, stopped)
    target = os.fspath(plan.target)
    with _replacement(target) as file:
        count = _copy_to_file(plan, file, target, stopped)
        if stopped():
            raise Abandoned
    return count


def _copy_to_file(plan: Saving, file: io.FileIO, name: str, stopped: Callable[[], bool]) -> int:
    def check(_: int) -> None:
        if stopped():
            raise Abandoned

    try:
        return _copy(plan, stream.ToFile(file.fileno(), check), lambda: _clear(file))
    except OSError as exc:
        if exc.filename is None and not isinstance(exc, LakeFSException):
            exc.filename = name  # the error of a full disk names no file
        raise


def _copy_to_object(plan: Saving, file: Any, stopped: Callable[[], bool]) -> int:
    def write(content: memoryview) -> None:
        if stopped():
            raise Abandoned
        _write(file, content)

    return _copy(plan, stream.ToFunction(write))


def _copy(plan: Saving, target: stream.Target, restart: Callable[[], None] | None = None) -> int:
    place = plan.place
    return place._client._run_here(
        stream.copy_to,
        place._repository_id,
        place._id,
        plan.path,
        target,
        start=plan.start,
        end=plan.end,
        verify=plan.verify,
        pre_signed=plan.pre_signed,
        restart=restart,
    )


# -- file objects ------------------------------------------------------------------------------------------------------


def _check_file(file: object) -> None:
    write = getattr(file, "write", None)
    if isinstance(_unwrap(file), io.TextIOBase):
        msg = f"file must be a binary file, and {file!r:.80} takes text; open it with 'wb'"
        raise TypeError(msg)
    if inspect.iscoroutinefunction(write):
        raise _asynchronous(file)
    if not callable(write):
        msg = f"file must be a local path or a binary file object, not {type(file).__name__}: {file!r:.80}"
        raise TypeError(msg)


def _unwrap(file: Any) -> object:
    """Return the file that `tempfile.NamedTemporaryFile` wraps; any other file as it is."""
    return file.file if type(file) is TEMPORARY else file


def _asynchronous(file: object) -> TypeError:
    return TypeError(f"file must be a local path or a blocking binary file, and {type(file).__name__} is asynchronous")


def _write(file: Any, content: memoryview) -> None:
    """Write all of a block. A raw file may write a part of it, also one that `tempfile` wraps."""
    is_raw = isinstance(_unwrap(file), io.RawIOBase)
    while content:
        # Objects that only look like files may expect bytes, or keep what they get; the block is overwritten later.
        count = file.write(content if isinstance(file, io.IOBase) else bytes(content))
        if count is None and is_raw:
            raise BlockingIOError(
                errno.EAGAIN, f"{file!r:.80} is non-blocking and takes no data now; make it blocking, or give a path"
            )
        if hasattr(count, "__await__"):
            getattr(count, "close", bool)()  # else the interpreter warns of a coroutine that was never awaited
            raise _asynchronous(file)
        if is_raw and not (isinstance(count, int) and 0 < count <= len(content)):
            msg = f"write() of {file!r:.80} got {len(content)} bytes and returned {count!r}, not how many it wrote"
            raise OSError(errno.EIO, msg)
        content = content[count:] if is_raw else content[:0]


# -- local files -------------------------------------------------------------------------------------------------------


def _is_local_path(target: object) -> TypeGuard[str | os.PathLike[str]]:
    """Return whether it names a file. An open file that also knows its path is the file."""
    return isinstance(target, str | os.PathLike) and not isinstance(target, io.IOBase)


@contextmanager
def _replacement(target: str) -> Iterator[io.FileIO]:
    """Give a temporary file in the directory of the target, and rename it over the target at the end.

    After an exception the temporary file is removed and the target is unchanged. A symbolic link stays a link.
    """
    mode = _mode_of(target)
    target = os.path.realpath(target)
    temporary = os.path.join(os.path.dirname(target), f".{secrets.token_hex(8)}.part")  # noqa: PTH118, PTH120
    try:
        # Not `tempfile`: its files are readable by their owner only, and the umask is to decide.
        fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o666)
    except (FileNotFoundError, NotADirectoryError) as exc:
        msg = "the directory to download to does not exist; create it first"
        raise type(exc)(exc.errno, msg, os.path.dirname(target)) from None  # noqa: PTH120
    except OSError as exc:
        exc.filename = target  # not the temporary name, which the caller does not know
        raise
    try:
        with io.FileIO(fd, "r+") as file:
            if mode is not None:
                os.chmod(temporary, mode)  # noqa: PTH101
            yield file
        os.replace(temporary, target)  # noqa: PTH105
    except BaseException:
        os.unlink(temporary)  # noqa: PTH108
        raise


def _mode_of(target: str) -> int | None:
    """Return the permissions of the file to replace. None if there is none.

    Raises:
        OSError: There is something else than a regular file.
    """
    try:
        found = os.stat(target)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        found = None
    if target.endswith(os.sep) or (found is not None and stat.S_ISDIR(found.st_mode)):
        msg = "download writes one file, and this is a directory; give the path of a file in it"
        raise IsADirectoryError(errno.EISDIR, msg, target)
    if found is None:
        return None
    if not stat.S_ISREG(found.st_mode):
        msg = "download replaces regular files only; open this with 'wb' and give the file object"
        raise OSError(errno.EINVAL, msg, target)
    return stat.S_IMODE(found.st_mode)


def _clear(file: io.FileIO) -> None:
    file.seek(0)
    file.truncate()
