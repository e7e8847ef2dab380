"""A local file that is being written: under no name or a temporary one, until it is complete.

A part is finished, aborted or kept. Kept ones can be continued: their name has a hash of the path, the version and the
size of the object, so that the same download finds it again, and another version does not.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import stat
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Final, NamedTuple, Self, TypeAlias

from lakefs_hl._folders.directories import CONTINUE, CREATE, Directory
from lakefs_hl._folders.locks import try_lock

_BLOCK: Final = 1 << 20
#: Permissions of a file that is not complete, and all that a file can get (the umask takes some away).
_PRIVATE: Final = 0o600
_PERMISSIONS: Final = 0o777
_NAME_BYTES: Final = 200
#: How often a part is opened that others remove meanwhile.
_TRIES: Final = 5
#: What is after the last byte of a file whose ranges are written in any order: a mark, and how much is complete.
_SPREAD: Final = struct.Struct("<16sQ")
_MARK: Final = b"lakefs_hl ranges"
#: What an open says about something that is no regular file: a link, a directory, a FIFO, a socket.
_NO_FILE: Final = frozenset({errno.ELOOP, errno.EMLINK, errno.EISDIR, errno.ENXIO})
#: Opens the directory of a path anew, and creates it if needed.
Reopen: TypeAlias = Callable[[str], Directory]
_UNSUPPORTED: Final = frozenset({errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM})


def part_name(name: str, token: str) -> str:
    """Return the temporary name of a file. A name that is too long for it is cut."""
    kept = name.encode("utf-8", "surrogateescape")[:_NAME_BYTES].decode("utf-8", "ignore")
    return f".{kept}.{token}.part"


def version_token(path: str, version: str, size: int) -> str:
    """Return what the temporary name has of one version of an object."""
    return hashlib.sha256(f"{path}\0{version}\0{size}".encode("utf-8", "surrogatepass")).hexdigest()[:16]


class _Spread(NamedTuple):
    """The end of a file that ranges are written to in any order, after the place of its last byte.

    A file with it is longer than the object, so that holes in it are never taken for content.
    """

    mark: bytes
    filled: int

    @classmethod
    def read(cls, fd: int, size: int) -> Self:
        return cls(*_SPREAD.unpack(os.pread(fd, _SPREAD.size, size)))

    def write(self, fd: int, size: int) -> None:
        os.pwrite(fd, _SPREAD.pack(*self), size)


class Part:
    """A file that is being written. Leaving its `with` block without `finish()` removes it, or keeps what can continue.

    Attributes:
        path: Path of the file in the tree.
        fd: Its descriptor, for reading and writing.
        size: Number of bytes that are there: where writing goes on.
        can_continue: Whether a later call finds it again.
    """

    __slots__ = ("_directory", "_mode", "_name", "_reopen", "_temporary", "can_continue", "fd", "path", "size")

    def __init__(
        self,
        directory: Directory,
        path: str,
        temporary: str | None,
        fd: int,
        mode: int | None,
        *,
        size: int = 0,
        can_continue: bool = False,
        reopen: Reopen | None = None,
    ) -> None:
        self._directory = directory
        self._name = path.rpartition("/")[2]
        self._temporary = temporary
        self._mode = mode
        self._reopen = reopen
        self.path = path
        self.fd = fd
        self.size = size
        self.can_continue = can_continue

    def __del__(self) -> None:
        # an interrupt may come before its `with` block; with the descriptor its lock would stay
        self._close()

    def write(self, data: bytes | memoryview) -> None:
        """Write all of the data at the end."""
        try:
            done = os.write(self.fd, data)
            self.size += done
            if done != len(data):
                rest = memoryview(data)[done:]
                while rest:
                    done = os.write(self.fd, rest)
                    self.size += done
                    rest = rest[done:]
        except OSError as exc:
            raise self._explain(exc) from None

    def blocks(self) -> Iterator[bytes]:
        """Yield what is there already, to continue its checksum. Writing goes on after it."""
        os.lseek(self.fd, 0, os.SEEK_SET)
        while block := os.read(self.fd, _BLOCK):
            yield block

    def restart(self) -> None:
        """Remove what is there already."""
        os.ftruncate(self.fd, 0)
        os.lseek(self.fd, 0, os.SEEK_SET)
        self.size = 0

    def spread(self, size: int, filled: int) -> None:
        """Note how much is complete of a file whose ranges are written in any order, up to `collect`.

        Args:
            size: Size of the object.
            filled: Number of bytes that are complete, from its beginning.
        """
        _Spread(_MARK, filled).write(self.fd, size)

    def collect(self, filled: int) -> None:
        """Cut the file to what is complete."""
        os.ftruncate(self.fd, filled)
        self.size = filled

    def finish(self, mtime_ns: int | None = None, *, sync: bool = False) -> None:
        """Put the file in its place. An existing file is replaced at once; a link is replaced and not followed.

        Args:
            mtime_ns: Modification time that the file gets.
            sync: Whether to wait until the file is on the disk.

        Raises:
            OSError: It cannot be put there: the old file is unchanged, and the part is removed.
        """
        try:
            if mtime_ns is not None:
                self._directory.utime(self._temporary or self._name, self.fd, mtime_ns)
            if sync:
                os.fsync(self.fd)
            if self._temporary is None and not self._link():
                self._take_name(part_name(self._name, secrets.token_hex(8)))
            if self._temporary is not None:
                self._rename(self._temporary)
            if sync:
                self._directory.sync()
        except OSError as exc:
            self.can_continue = False
            self.abort()
            raise self._explain(exc) from None
        self._close()

    def _link(self) -> bool:
        """Give a file without a name its name. False if there is a file with that name."""
        try:
            try:
                self._directory.link_unnamed(self.fd, self._name)
            except FileNotFoundError:  # others removed the directory meanwhile
                if self._reopen is None:
                    raise
                self._directory = self._reopen(self.path)
                self._directory.link_unnamed(self.fd, self._name)
        except FileExistsError:
            self._mode = mode_to_keep(self._directory, self._name)
            return False
        return True

    def _take_name(self, temporary: str) -> None:
        self._directory.link_unnamed(self.fd, temporary)
        self._temporary = temporary

    def _rename(self, temporary: str) -> None:
        """Give a file with a temporary name its own. Errors of writing that are reported by closing come before."""
        if self._mode is not None:
            self._directory.chmod(self.fd, self._mode)
        if os.name == "nt":
            self._close()  # an open file has no other name there
        else:
            os.close(os.dup(self.fd))  # reports what a close would, and keeps the lock
        self._directory.rename(temporary, self._name)
        self._temporary = None

    def abort(self) -> None:
        """Remove what was written. The old file is unchanged."""
        temporary, self._temporary = self._temporary, None
        self._close()
        if temporary is not None:
            with suppress(FileNotFoundError):
                self._directory.unlink(temporary)

    def keep(self) -> None:
        """Leave what was written for a later call to continue, if one can."""
        if self.can_continue and self.size:
            self._temporary = None
        self.abort()

    def _close(self) -> None:
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def _explain(self, exc: OSError) -> OSError:
        """Return an error that names the file, not its temporary name."""
        target = f"{self._directory.path}{os.sep}{self._name}"
        if exc.errno in (errno.EISDIR, errno.ENOTEMPTY) or isinstance(exc, IsADirectoryError):
            said = "there is a directory in the place of the file; remove it, or choose another directory"
            return IsADirectoryError(errno.EISDIR, said, target)
        return type(exc)(exc.errno, exc.strerror, target)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        if self.fd >= 0:
            self.keep()


def mode_to_keep(directory: Directory, name: str) -> int | None:
    """Return the permissions of the file that will be replaced. None if there is none, or something else.

    Raises:
        IsADirectoryError: There is a directory.
    """
    try:
        mode = directory.lstat(name).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "this is a directory", f"{directory.path}{os.sep}{name}")
    return mode & _PERMISSIONS if stat.S_ISREG(mode) else None


def create_unnamed(directory: Directory, path: str, reopen: Reopen | None = None) -> Part:
    """Create a part without a name: nothing of it is left if the process ends.

    Args:
        directory: The directory.
        path: Path of the file in the tree.
        reopen: Opens the directory of a path anew, if it was removed before the file gets its name.

    Raises:
        OSError: The system or the file system has no such files.
    """
    return Part(directory, path, None, directory.open_unnamed(), None, reopen=reopen)


def create_named(directory: Directory, path: str, usual: int) -> Part:
    """Create a part under a temporary name, which only its owner can read until it is complete.

    Args:
        directory: The directory.
        path: Path of the file in the tree.
        usual: Permissions of a new file.
    """
    name = path.rpartition("/")[2]
    mode = mode_to_keep(directory, name)
    temporary = part_name(name, secrets.token_hex(8))
    fd = directory.open(temporary, CREATE, _PRIVATE)
    return Part(directory, path, temporary, fd, usual if mode is None else mode)


def continue_named(directory: Directory, path: str, usual: int, version: str, size: int) -> Part | None:
    """Open the part of one version of an object, which may have bytes already. None if another use of it writes to it.

    What an earlier call left is used only if it is a regular file of this user with one name, and not too long.

    Args:
        directory: The directory.
        path: Path of the file in the tree.
        usual: Permissions of a new file.
        version: The version, such as the ETag.
        size: Size of the object.
    """
    name = path.rpartition("/")[2]
    mode = mode_to_keep(directory, name)
    temporary = part_name(name, version_token(path, version, size))
    for _ in range(_TRIES):
        try:
            fd = directory.open(temporary, CONTINUE, _PRIVATE)
            found = os.fstat(fd)
            if not try_lock(fd):
                os.close(fd)
                return None
            if found.st_size == size + _SPREAD.size:
                found = _collect(fd, found, size)
            if _can_continue(found, size) and _is_at(directory, temporary, found):
                os.lseek(fd, 0, os.SEEK_END)
                kept = usual if mode is None else mode
                return Part(directory, path, temporary, fd, kept, size=found.st_size, can_continue=True)
            os.close(fd)
        except FileNotFoundError:
            raise
        except OSError as exc:
            if exc.errno not in _NO_FILE:
                raise
        with suppress(FileNotFoundError):
            directory.unlink(temporary)
    return None


def _collect(fd: int, found: os.stat_result, size: int) -> os.stat_result:
    """Drop all but what is complete of a file whose ranges were written in any order. Return what it is then."""
    end = _Spread.read(fd, size)
    if end.mark != _MARK or end.filled > size or not _is_ours(found):
        return found
    os.ftruncate(fd, end.filled)
    return os.fstat(fd)


def _is_ours(found: os.stat_result) -> bool:
    is_user = not hasattr(os, "geteuid") or found.st_uid == os.geteuid()
    return stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and is_user


def _can_continue(found: os.stat_result, size: int) -> bool:
    return _is_ours(found) and found.st_size <= size


def _is_at(directory: Directory, name: str, found: os.stat_result) -> bool:
    """Return whether a name still is that of a file: another process may have finished it, and given it its own."""
    try:
        now = directory.lstat(name)
    except FileNotFoundError:
        return False
    return (now.st_dev, now.st_ino) == (found.st_dev, found.st_ino)


class Abilities(NamedTuple):
    """What the file system of a directory can do.

    Attributes:
        unnamed: Whether files without a name can be created and named later.
        mode: Permissions of a new file. Reading the umask would change it for other threads meanwhile.
    """

    unnamed: bool
    mode: int


def abilities(directory: Directory) -> Abilities:
    """Find out what the file system of a directory can do, with a file that is removed again."""
    name = part_name("new", secrets.token_hex(8))
    unnamed = True
    try:
        fd = directory.open_unnamed()
    except OSError:
        unnamed = False
        fd = directory.open(name, CREATE, 0o666)
    try:
        mode = os.fstat(fd).st_mode & _PERMISSIONS
        if unnamed:
            try:
                directory.link_unnamed(fd, name)  # fails if /proc is missing
            except OSError:
                return Abilities(unnamed=False, mode=mode)
    finally:
        os.close(fd)
    directory.unlink(name)
    return Abilities(unnamed, mode)


def copy_content(source: int, target: int, length: int) -> int:
    """Copy the beginning of a file to another one, in the kernel if it can. Return the number of bytes.

    Args:
        source: Descriptor of the file to copy, at its beginning.
        target: Descriptor of the other one.
        length: Most bytes to copy.
    """
    done = 0
    copy = getattr(os, "copy_file_range", None)
    while copy is not None and done < length:
        try:
            count = copy(source, target, min(length - done, 1 << 30))
        except OSError as exc:
            if exc.errno not in _UNSUPPORTED:
                raise
            copy = None
            break
        if not count:
            return done
        done += count
    while done < length and (block := os.read(source, min(_BLOCK, length - done))):
        done += os.write(target, block)
    return done
