"""Read-only directories: what is in them, copies of files, and their removal. No link is ever followed."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

fcntl: Any
try:
    import fcntl
except ModuleNotFoundError:  # Windows has no clones
    fcntl = None

#: FICLONE of Linux: a copy that shares its blocks with the original until one of them is written to.
_CLONE: Final = 0x40049409
_CANNOT_CLONE: Final = frozenset({errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EPERM})
_READ: Final = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NONBLOCK", 0)  # to open a pipe would wait for its writer
)
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_BLOCK: Final = 1 << 20
#: Files that are synced one by one. More of them are synced with everything else.
_FEW: Final = 32
FILE_MODE: Final = 0o444
DIRECTORY_MODE: Final = 0o555
_WRITABLE: Final = 0o755


def walk(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the path and the state of everything below a directory but directories, with `/` between names."""
    pending = [("", str(root))]
    while pending:
        prefix, directory = pending.pop()
        with os.scandir(directory) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    pending.append((f"{prefix}{entry.name}/", entry.path))
                else:
                    yield prefix + entry.name, entry.stat(follow_symlinks=False)


def is_as(root: Path, files: dict[str, tuple[int, int]]) -> bool:
    """Return whether a directory has these files and no others, as far as their sizes and times tell.

    Args:
        root: The directory.
        files: Path of each file -> its size in bytes, and its modification time in nanoseconds.
    """
    count = 0
    try:
        for path, found in walk(root):
            if not stat.S_ISREG(found.st_mode) or files.get(path) != (found.st_size, found.st_mtime_ns):
                return False
            count += 1
    except OSError:  # it is gone, or cannot be read
        return False
    return count == len(files)


def seal(root: Path) -> None:
    """Make a directory and everything in it read-only."""
    for directory, _, names in os.walk(root, topdown=False):
        for name in names:
            path = Path(directory, name)
            if not path.is_symlink():
                path.chmod(FILE_MODE)
        Path(directory).chmod(DIRECTORY_MODE)


def unseal(root: Path) -> None:
    """Let files be created in a directory and in those below it. Files stay read-only."""
    root.chmod(_WRITABLE)
    for directory, names, _ in os.walk(root):
        for name in names:
            path = Path(directory, name)
            if not path.is_symlink():
                path.chmod(_WRITABLE)


def prune(root: Path, files: set[str]) -> None:
    """Remove everything from a directory but these files, and whatever is in their place."""
    directories = {
        "/".join(parts[:end]) for path in files if (parts := path.split("/")) for end in range(1, len(parts))
    }
    pending = [""]
    while pending:
        prefix = pending.pop()
        with os.scandir(root / prefix) as entries:
            for entry in list(entries):
                path = prefix + entry.name
                if entry.is_dir(follow_symlinks=False):
                    if path in directories:
                        pending.append(f"{path}/")
                    else:
                        shutil.rmtree(entry.path)
                elif path not in files or not entry.is_file(follow_symlinks=False):
                    Path(entry.path).unlink()


def remove(root: Path) -> None:
    """Remove a directory with everything in it. It may be gone already.

    Raises:
        OSError: Something cannot be removed.
    """
    if root.is_symlink():
        root.unlink(missing_ok=True)
        return
    try:
        unseal(root)
        shutil.rmtree(root)
    except FileNotFoundError:
        if root.is_dir():  # what was in it is removed by another process
            raise


def md5_of(path: Path) -> str:
    """Return the MD5 of a file. It is read from its beginning to its end.

    Raises:
        OSError: It is no regular file, or cannot be read.
    """
    fd = _open(path)
    try:
        hashed = hashlib.md5(usedforsecurity=False)
        while block := os.read(fd, _BLOCK):
            hashed.update(block)
        return hashed.hexdigest()
    finally:
        os.close(fd)


def is_intact(path: Path, md5: str) -> bool:
    """Return whether a file has the content of an MD5. No other checksum that was kept for it counts then.

    lakeFS has the MD5 of the MD5 for what its S3 gateway took in one part.
    """
    try:
        found = md5_of(path)
        if md5 in {found, hashlib.md5(bytes.fromhex(found), usedforsecurity=False).hexdigest()}:
            return True
    except OSError:  # it is gone, or something else is in its place
        return False
    touch(path)
    return False


def touch(path: Path) -> None:
    """Change the time of a file, so that checksums that were kept for it do not count any more."""
    with suppress(OSError):  # it is gone
        os.utime(path, follow_symlinks=False)


def _open(path: Path) -> int:
    fd = os.open(path, _READ)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return fd


def copy(source: Path, target: Path, seconds: int) -> None:
    """Copy a file to one that does not exist. It shares its blocks with the original where the file system can.

    Args:
        source: The file.
        target: The copy. Its directories are created.
        seconds: Modification time that it gets, in Unix seconds.

    Raises:
        OSError: It cannot be copied. There is no copy then.
    """
    fd = _open(source)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        made = os.open(target, _CREATE, FILE_MODE)
        try:
            if not _clone(fd, made):
                while block := os.read(fd, _BLOCK):
                    _write(made, block)
        except BaseException:
            os.close(made)
            target.unlink()
            raise
        os.close(made)
        os.utime(target, (seconds, seconds))
    finally:
        os.close(fd)


def _clone(source: int, target: int) -> bool:
    """Clone an open file, if that is possible."""
    if fcntl is None or sys.platform != "linux":
        return False
    try:
        fcntl.ioctl(target, _CLONE, source)
    except OSError as exc:
        if exc.errno in _CANNOT_CLONE:
            return False
        raise
    return True


def _write(fd: int, block: bytes) -> None:
    rest = memoryview(block)
    while rest:
        rest = rest[os.write(fd, rest) :]


def sync(root: Path, paths: list[str]) -> None:
    """Write files to the disk, so that a power failure does not leave parts of them.

    Args:
        root: A directory.
        paths: The files, relative to it.
    """
    if os.name == "nt":  # it syncs only what is open for writing
        return
    if len(paths) > _FEW:
        os.sync()
        return
    for path in paths:
        fd = os.open(root / path, _READ)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
