"""Reading the files that a walk found: without links, without waiting, and never two versions of a file in one.

A file is compared with what the walk saw after its bytes were read. If it is another one, it is read again from what it
is now; one that changes during that is an error.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from typing import Final, Self

from lakefs_hl._folders import names
from lakefs_hl._folders.directories import READ, Directories, Directory
from lakefs_hl._folders.found import Found, change_of, from_stat, is_same

#: Files up to this size are read as a whole.
SMALL: Final = 1 << 20
_BLOCK: Final = 1 << 20
#: How often a file is read that changes meanwhile.
_TRIES: Final = 3


class FileChangedError(OSError):
    """A file changed while it was read."""


def change_error(path: str, before: Found, after: Found) -> FileChangedError:
    """Return the error for a file that is not what it was."""
    what = change_of(before, after)
    return FileChangedError(
        errno.EBUSY, f"the file changed while it was read: {what}; try again when nothing writes to it", path
    )


def open_file(source: Directories, path: str) -> int:
    """Open a regular file for reading and return its descriptor.

    Args:
        source: The directory.
        path: Path of the file in it.

    Raises:
        OSError: It cannot be opened, or is no regular file.
    """
    directory, name = _place(source, path)
    fd = directory.open(name, READ)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise _not_regular(directory, name)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _not_regular(directory: Directory, name: str) -> OSError:
    return OSError(errno.EINVAL, "this is no regular file", f"{directory.path}{os.sep}{name}")


def _place(source: Directories, path: str) -> tuple[Directory, str]:
    """Return the directory and the name of a file, of the one that a link leads to if links are followed."""
    if source.follow_symlinks and (target := source.locate(path)) is not None:
        return target
    above, _, name = path.rpartition("/")
    return source.get(above), name


def read(source: Directories, found: Found) -> tuple[bytes, Found]:
    """Read a small file as a whole.

    Args:
        source: The directory.
        found: The file, as the walk saw it.

    Returns:
        Its bytes, and the file as it was when they were read.

    Raises:
        FileChangedError: It changed each time that it was read.
        OSError: It cannot be read.
    """
    directory, name = _place(source, found.path)
    fd = directory.open(name, READ)
    try:
        content = os.read(fd, found.size + 1)
        after = os.fstat(fd)
        if len(content) == found.size and is_same(from_stat(found.path, after), found):
            return content, found
        if not stat.S_ISREG(after.st_mode):
            raise _not_regular(directory, name)
        return _read_again(fd, from_stat(found.path, after), directory, name)
    finally:
        os.close(fd)


def _read_again(fd: int, before: Found, directory: Directory, name: str) -> tuple[bytes, Found]:
    """Read a file that is not what the walk saw, or is larger than one call reads."""
    after = before
    for _ in range(_TRIES):
        before = after
        os.lseek(fd, 0, os.SEEK_SET)
        content = b"".join(_blocks(fd, before.size))
        after = from_stat(before.path, os.fstat(fd))
        if is_same(before, after) and len(content) == after.size:
            return content, after
    raise change_error(f"{directory.path}{os.sep}{name}", before, after)


def _blocks(fd: int, size: int) -> Iterator[bytes]:
    """Yield the content of a file up to one byte after a size, which shows that it grew."""
    left = size + 1
    while left and (block := os.read(fd, min(left, _BLOCK))):
        left -= len(block)
        yield block


class Watched:
    """A large file that is open, and what it was when it was opened.

    Attributes:
        fd: Its descriptor.
        found: The file when it was opened.
    """

    def __init__(self, source: Directories, path: str) -> None:
        self.fd = open_file(source, path)
        self._path = os.path.join(source.root, path)
        self.found = from_stat(path, os.fstat(self.fd))

    def check(self) -> None:
        """Check that the file is what it was.

        Raises:
            FileChangedError: It is not.
        """
        after = from_stat(self.found.path, os.fstat(self.fd))
        if not is_same(self.found, after):
            raise change_error(self._path, self.found, after)

    def close(self) -> None:
        """Close the file."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()


def read_if_regular(source: Directories, path: str) -> bytes | None:
    """Return the content of a file. None if there is none, it is no regular file, or the path is not safe."""
    if names.problem(path) is not None:
        return None
    with suppress(FileNotFoundError, NotADirectoryError):
        above, _, name = path.rpartition("/")
        directory = source.get(above)
        if stat.S_ISREG(directory.lstat(name).st_mode):
            fd = directory.open(name, READ)
            try:
                return b"".join(_blocks(fd, os.fstat(fd).st_size))
            finally:
                os.close(fd)
    return None
