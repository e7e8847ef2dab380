"""Every file operation of the lake, each behind a named failpoint.

Rules of the room: no other module of the lake writes, syncs, renames or removes a file. A point's name is
`<what>.<operation>`, such as `blob.fsync`; `hook` is called with it just before the operation. The product leaves
`hook` alone; tests set it, to raise what a disk may raise or to end the process there.
"""

from __future__ import annotations

import fcntl
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from lakefs_hl.local.disk.errors import scarcity

Hook = Callable[[str], None]

#: Called with the name of each point that is reached. Tests replace it.
hook: Hook | None = None

#: Bytes moved at a time.
BLOCK: Final = 1 << 20
_FULLFSYNC: Final[int | None] = getattr(fcntl, "F_FULLFSYNC", None) if sys.platform == "darwin" else None


class SyncFailed(OSError):
    """The kernel could not promise that bytes are on the disk; trying again would prove nothing."""


class WriteFailed(OSError):
    """The lake's disk would not take something: as opposed to a body that could not be read."""


@contextmanager
def _changing(path: str = "") -> Iterator[None]:
    """Tells errors of the lake's own files from those of other files; a name there or not there is no error of disk."""
    try:
        yield
    except (FileExistsError, FileNotFoundError):
        raise
    except OSError as error:
        raise WriteFailed(error.errno, error.strerror, path or None) from error


def reach(point: str) -> None:
    """Passes a failpoint."""
    if hook is not None:
        hook(point)


def make_folder(path: str, what: str) -> bool:
    """Makes one folder, for its owner only; says whether it was new."""
    try:
        with _changing(path):
            reach(f"{what}.mkdir")
            os.mkdir(path, 0o700)
    except FileExistsError:
        return False
    return True


def create(path: str, what: str) -> int:
    """Makes a new file for its owner only and opens it for reading and writing.

    Raises:
        FileExistsError: If there is something at the path.
    """
    with _changing(path):
        reach(f"{what}.create")
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def close(fd: int) -> None:
    """Closes a descriptor."""
    os.close(fd)


def write(fd: int, data: bytes | memoryview, what: str) -> None:
    """Writes all of `data` at the file's position."""
    view = memoryview(data)
    with _changing():
        reach(f"{what}.write")
        while view:
            view = view[os.write(fd, view) :]


def overwrite(fd: int, data: bytes, offset: int, what: str) -> None:
    """Writes all of `data` at an offset."""
    view = memoryview(data)
    with _changing():
        reach(f"{what}.write")
        while view:
            done = os.pwrite(fd, view, offset)
            view, offset = view[done:], offset + done


def copy_range(source: int, offset: int, fd: int, at: int, length: int, what: str) -> int:
    """Copies up to `length` bytes between files inside of the system, which may only share them.

    Returns:
        How many; 0 at the source's end, and where the system does not copy so: what is wrong then, `read` and `write`
        tell.
    """
    copy = getattr(os, "copy_file_range", None)
    if copy is None:
        return 0
    reach(f"{what}.write")
    try:
        return int(copy(source, fd, length, offset, at))
    except OSError:
        return 0


def read_into(fd: int, buffer: memoryview, offset: int) -> int:
    """Fills a buffer from an offset; returns how many bytes there were, fewer only at the file's end."""
    found = 0
    while found < len(buffer):
        count = os.preadv(fd, [buffer[found:]], offset + found)
        if not count:
            break
        found += count
    return found


def read(fd: int, offset: int, length: int) -> bytes:
    """Reads up to `length` bytes at an offset; fewer only at the file's end."""
    data = os.pread(fd, length, offset)
    while len(data) < length:
        more = os.pread(fd, length - len(data), offset + len(data))
        if not more:
            break
        data += more
    return data


def fsync(fd: int, what: str) -> None:
    """Makes a file's bytes durable.

    Raises:
        SyncFailed: The bytes may be lost, whatever a second call would say.
        WriteFailed: Something was scarce: memory, room.
    """
    try:
        reach(f"{what}.fsync")
        if _FULLFSYNC is not None:
            fcntl.fcntl(fd, _FULLFSYNC)
        else:
            os.fsync(fd)
    except OSError as error:
        raise _sync_error(error, f"{what}: fsync failed") from error


def rename(source: str, target: str, what: str) -> None:
    """Puts a file in its place, at once and whole."""
    with _changing(target):
        reach(f"{what}.rename")
        os.rename(source, target)


def fsync_folder(path: str, what: str) -> None:
    """Makes a folder's names durable.

    Raises:
        SyncFailed: The names may be lost.
        WriteFailed: Something was scarce: descriptors, memory, room.
    """
    try:
        reach(f"{what}.fsync_folder")
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise _sync_error(error, f"{path}: fsync of the folder failed") from error
    try:
        os.fsync(fd)
    except OSError as error:
        raise _sync_error(error, f"{path}: fsync of the folder failed") from error
    finally:
        os.close(fd)


def can_sync_all() -> bool:
    """Whether a sync of a whole file system can be relied on: Linux tells of its errors from 5.8 on."""
    if not sys.platform.startswith("linux"):
        return False
    found = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return found is not None and (int(found[1]), int(found[2])) >= (5, 8)


def open_folder(path: str) -> int:
    """Opens a folder, to sync its file system; it is told of the errors of writes that begin after this."""
    with _changing(path):
        return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def sync_all(folder: int, what: str) -> None:
    """Makes all files and names of an open folder's file system durable.

    Raises:
        SyncFailed: Some bytes may be lost: of whichever file of the file system.
        WriteFailed: Something was scarce: memory, room.
    """
    import ctypes  # who never keeps many files at once needs none of it

    try:
        reach(f"{what}.sync_all")
        if ctypes.CDLL(None, use_errno=True).syncfs(folder):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    except OSError as error:
        raise _sync_error(error, f"{what}: sync of the file system failed") from error


def _sync_error(error: OSError, what: str) -> OSError:
    """What a sync that did not happen means: what was merely scarce is not lost, since nothing relies on it yet."""
    kind = SyncFailed if scarcity(error.errno, what) is None else WriteFailed
    return kind(error.errno, f"{what}: {error.strerror}")


def unlink(path: str, what: str) -> None:
    """Removes a file; one that is gone already is as good."""
    reach(f"{what}.unlink")
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def remove_folder(path: str, what: str) -> None:
    """Removes an empty folder."""
    reach(f"{what}.rmdir")
    os.rmdir(path)


def remove_drafts(path: str, what: str) -> None:
    """Removes what processes that were killed in `write_durably` have left. The caller has the lock of all writers."""
    folder, name = os.path.split(path)
    draft = re.compile(rf"{re.escape(name)}\.[0-9]+\.[0-9a-f]{{8}}")
    for found in os.listdir(folder):
        if draft.fullmatch(found):
            unlink(os.path.join(folder, found), what)


def write_durably(path: str, data: bytes, what: str, *, sync: bool = True) -> None:
    """Writes a small file whole, readable by its owner only: under another name, synced, then put in its place.

    Args:
        path: Where; a file that is there is replaced.
        data: All of it.
        what: Begins the names of the failpoints.
        sync: False for a file that need not outlive the machine.
    """
    draft = f"{path}.{os.getpid()}.{os.urandom(4).hex()}"
    fd = create(draft, what)
    try:
        try:
            write(fd, data, what)
            if sync:
                fsync(fd, what)
        finally:
            close(fd)
        rename(draft, path, what)
    except BaseException:
        unlink(draft, what)
        raise
    if sync:
        fsync_folder(os.path.dirname(path), what)
