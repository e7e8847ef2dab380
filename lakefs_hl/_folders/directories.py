"""Directories by descriptor: opened from their parent one name at a time, so that no symbolic link is followed.

A path that is checked and then opened may be another one by then: someone replaces a directory by a link in between.
With `openat` there is nothing in between. Where the system has no such calls (Windows), each directory on the way is
checked by its path before it is used, which leaves that gap open: see `Plain`.
"""

from __future__ import annotations

import errno
import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Final

#: Whether the system has the calls that take a descriptor of a directory.
BY_DESCRIPTOR: Final = (
    {os.open, os.stat, os.mkdir, os.rename, os.unlink, os.rmdir} <= os.supports_dir_fd
    and os.scandir in os.supports_fd
    and hasattr(os, "O_DIRECTORY")
    and hasattr(os, "O_NOFOLLOW")
)
#: Directories that are kept open. Most systems let a process have 1,024 files open, and macOS 256.
MAX_OPEN: Final = 48

_CLOEXEC: Final = getattr(os, "O_CLOEXEC", 0)
_BINARY: Final = getattr(os, "O_BINARY", 0)
_NOFOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)
_NONBLOCK: Final = getattr(os, "O_NONBLOCK", 0)
#: Creates a file without a name. Only Linux can do that.
_TMPFILE: Final[int | None] = getattr(os, "O_TMPFILE", None)
#: Flags of a file without a name.
_UNNAMED: Final = os.O_RDWR | (_TMPFILE or 0) | getattr(os, "O_CLOEXEC", 0)
_OPEN_DIRECTORY: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | _NOFOLLOW | _CLOEXEC
#: How a file is opened to be read: at once, also if it turned into a FIFO, and not through a link.
READ: Final = os.O_RDONLY | _NOFOLLOW | _NONBLOCK | _CLOEXEC | _BINARY
#: How a new file is made: never one that exists, and not through a link.
CREATE: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _CLOEXEC | _BINARY
#: How a file is opened to be continued.
CONTINUE: Final = os.O_RDWR | os.O_CREAT | _NOFOLLOW | _NONBLOCK | _CLOEXEC | _BINARY
#: What an open without following says about a link: Linux and macOS, FreeBSD.
_LINK_ERRORS: Final = frozenset({errno.ELOOP, getattr(errno, "EMLINK", errno.ELOOP)})


class ClosedDirectoryError(OSError):
    """A directory that nothing is read from or written to."""


class Directory(ABC):
    """A directory that is open: what can be done with the names in it, which have no slash. Errors have whole paths.

    Attributes:
        path: Its path, for messages.
    """

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path

    @abstractmethod
    def open(self, name: str, flags: int, mode: int = 0o600) -> int:
        """Open a file and return its descriptor. A link is an error."""

    def open_unnamed(self, mode: int = 0o666) -> int:
        """Create a file without a name, and return its descriptor. An error where the system has no such files."""
        raise OSError(errno.EOPNOTSUPP, "there are no files without a name", self.path)

    def link_unnamed(self, fd: int, name: str) -> None:
        """Name a file that has none. An existing name is an error."""
        raise OSError(errno.EOPNOTSUPP, "there are no files without a name", self._join(name))

    def write_new(self, name: str, data: bytes | memoryview, mtime_ns: int | None) -> bool:
        """Write a new file, which has no name before it is complete. Return False if it cannot be done at once.

        Then nothing was changed: a file has the name, an error occurred, or the system has no such files.
        """
        return False

    @abstractmethod
    def lstat(self, name: str) -> os.stat_result:
        """Return the attributes of a name, those of a link itself."""

    @abstractmethod
    def entries(self) -> Iterator[os.DirEntry[str]]:
        """Yield what is in the directory, in no order."""

    @abstractmethod
    def child(self, name: str, *, make: bool) -> Directory:
        """Open a directory in this one, and create it if needed. A link is an error."""

    @abstractmethod
    def rename(self, name: str, to: str) -> None:
        """Put a file in the place of another one."""

    @abstractmethod
    def unlink(self, name: str) -> None:
        """Remove a file or a link."""

    @abstractmethod
    def rmdir(self, name: str) -> None:
        """Remove an empty directory."""

    @abstractmethod
    def identity(self) -> tuple[int, int]:
        """Return the device and the inode of the directory."""

    @abstractmethod
    def is_removed(self) -> bool:
        """Return whether the directory was removed after it was opened."""

    def chmod(self, fd: int, mode: int) -> None:
        """Set the permissions of an open file, where files have any."""
        if hasattr(os, "fchmod"):
            os.fchmod(fd, mode)

    def utime(self, name: str, fd: int, mtime_ns: int) -> None:
        """Set the modification time of an open file."""
        os.utime(fd, ns=(mtime_ns, mtime_ns))

    @abstractmethod
    def sync(self) -> None:
        """Wait until the names in the directory are on the disk."""

    def _join(self, name: str) -> str:
        return f"{self.path}{os.sep}{name}" if self.path else name

    def _explain(self, exc: OSError, name: str) -> OSError:
        """Return an error with the whole path, as the system knows only the name."""
        said = exc.strerror
        if exc.errno in _LINK_ERRORS:
            said = "this is a symbolic link, and links are not followed"
        return type(exc)(exc.errno, said, self._join(name))

    def _not_a_directory(self, name: str) -> NotADirectoryError:
        return NotADirectoryError(
            errno.ENOTDIR,
            "a symbolic link or a file is in the place of a directory, and links are not followed; remove it, or "
            "choose another directory",
            self._join(name),
        )


class Descriptor(Directory):
    """A directory by its descriptor, which is closed with the last reference to this object.

    A directory that leaves the cache while another thread writes to it stays open for that long.
    """

    __slots__ = ("fd",)

    def __init__(self, path: str, fd: int) -> None:
        super().__init__(path)
        self.fd = fd

    def __del__(self) -> None:
        with suppress(OSError):  # an error of closing a directory means nothing
            os.close(self.fd)

    def open(self, name: str, flags: int, mode: int = 0o600) -> int:
        try:
            return os.open(name, flags, mode, dir_fd=self.fd)
        except OSError as exc:
            raise self._explain(exc, name) from None

    def open_unnamed(self, mode: int = 0o666) -> int:
        if _TMPFILE is None:
            return super().open_unnamed(mode)
        return os.open(".", _UNNAMED, mode, dir_fd=self.fd)

    def link_unnamed(self, fd: int, name: str) -> None:
        os.link(f"/proc/self/fd/{fd}", name, dst_dir_fd=self.fd, follow_symlinks=True)

    def write_new(self, name: str, data: bytes | memoryview, mtime_ns: int | None) -> bool:
        if _TMPFILE is None:
            return False
        at, fd = self.fd, -1
        try:
            fd = os.open(".", _UNNAMED, 0o666, dir_fd=at)
            if os.write(fd, data) != len(data):
                return False
            if mtime_ns is not None:
                os.utime(fd, ns=(mtime_ns, mtime_ns))
            os.link(f"/proc/self/fd/{fd}", name, dst_dir_fd=at, follow_symlinks=True)
        except OSError:  # done again step by step, which finds out more
            return False
        finally:
            if fd >= 0:
                os.close(fd)
        return True

    def lstat(self, name: str) -> os.stat_result:
        try:
            return os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        except OSError as exc:
            raise self._explain(exc, name) from None

    def entries(self) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(self.fd) as found:
                yield from found
        except OSError as exc:
            raise type(exc)(exc.errno, exc.strerror, self.path) from None

    def child(self, name: str, *, make: bool) -> Descriptor:
        try:
            try:
                fd = os.open(name, _OPEN_DIRECTORY, dir_fd=self.fd)
            except FileNotFoundError:
                if not make:
                    raise
                with suppress(FileExistsError):  # another process was faster
                    os.mkdir(name, dir_fd=self.fd)
                fd = os.open(name, _OPEN_DIRECTORY, dir_fd=self.fd)
        except OSError as exc:
            if exc.errno == errno.ENOTDIR or exc.errno in _LINK_ERRORS:
                raise self._not_a_directory(name) from None
            raise self._explain(exc, name) from None
        return Descriptor(self._join(name), fd)

    def rename(self, name: str, to: str) -> None:
        try:
            os.replace(name, to, src_dir_fd=self.fd, dst_dir_fd=self.fd)
        except OSError as exc:
            raise self._explain(exc, to) from None

    def unlink(self, name: str) -> None:
        try:
            os.unlink(name, dir_fd=self.fd)
        except OSError as exc:
            raise self._explain(exc, name) from None

    def rmdir(self, name: str) -> None:
        try:
            os.rmdir(name, dir_fd=self.fd)
        except OSError as exc:
            raise self._explain(exc, name) from None

    def sync(self) -> None:
        os.fsync(self.fd)

    def is_removed(self) -> bool:
        return os.fstat(self.fd).st_nlink == 0

    def identity(self) -> tuple[int, int]:
        found = os.fstat(self.fd)
        return found.st_dev, found.st_ino


class Plain(Directory):
    """A directory by its path, for systems without calls that take a descriptor of a directory.

    It was checked when it was opened: it is no link (nor a junction) and really lies in the root. Another process that
    replaces it by a link afterwards can move later writes elsewhere. On Windows only an administrator, or an account in
    developer mode, may create symbolic links.
    """

    __slots__ = ("_root",)

    def __init__(self, path: str, root: str) -> None:
        super().__init__(path)
        self._root = root

    def open(self, name: str, flags: int, mode: int = 0o600) -> int:
        path = self._join(name)
        with suppress(FileNotFoundError):
            if _is_link(os.lstat(path)):
                raise OSError(errno.ELOOP, "this is a link, and links are not followed", path)
        return os.open(path, flags, mode)

    def lstat(self, name: str) -> os.stat_result:
        return os.lstat(self._join(name))

    def entries(self) -> Iterator[os.DirEntry[str]]:
        with os.scandir(self.path) as found:
            yield from found

    def child(self, name: str, *, make: bool) -> Plain:
        path = self._join(name)
        if make:
            with suppress(FileExistsError):
                os.mkdir(path)
        found = os.lstat(path)
        if _is_link(found) or not stat.S_ISDIR(found.st_mode) or not _lies_in(os.path.realpath(path), self._root):
            raise self._not_a_directory(name)
        return Plain(path, self._root)

    def rename(self, name: str, to: str) -> None:
        os.replace(self._join(name), self._join(to))

    def unlink(self, name: str) -> None:
        os.unlink(self._join(name))

    def rmdir(self, name: str) -> None:
        os.rmdir(self._join(name))

    def utime(self, name: str, fd: int, mtime_ns: int) -> None:
        os.utime(self._join(name), ns=(mtime_ns, mtime_ns))

    def sync(self) -> None:
        return  # Windows has no such call for a directory

    def is_removed(self) -> bool:
        return not os.path.isdir(self.path)

    def identity(self) -> tuple[int, int]:
        found = os.lstat(self.path)
        return found.st_dev, found.st_ino


def _notice_interrupt() -> None:
    """Let a pending Ctrl-C be raised here: CPython looks for it when a function begins, and drops it in a `__del__`."""


def _is_link(found: os.stat_result) -> bool:
    """Return whether attributes are those of a link, or of another reparse point of Windows, such as a junction."""
    return stat.S_ISLNK(found.st_mode) or bool(getattr(found, "st_reparse_tag", 0))


def _lies_in(path: str, root: str) -> bool:
    """Return whether a real path is that of a real root, or below it."""
    path, root = os.path.normcase(path), os.path.normcase(root)
    return path == root or path.startswith(root if root.endswith(os.sep) else root + os.sep)


class Directories:
    """A root and the directories below it, the latest of which are kept open. Thread-safe.

    Args:
        root: The root. It may itself be a link, or lie behind one.
        make: Whether to create it, with its parents.
        follow_symlinks: Whether to follow links that lead to a place inside the root.
        by_descriptor: Whether to use descriptors of directories.

    Attributes:
        root: The root, as it was given.
        follow_symlinks: Whether links are followed.
        closed: Device and inode of directories that are not entered, by whichever path: those of embedded lakes.

    Raises:
        OSError: The root does not exist, or is not a directory.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        make: bool = False,
        follow_symlinks: bool = False,
        by_descriptor: bool = BY_DESCRIPTOR,
    ) -> None:
        self.root = os.fspath(root)
        self.follow_symlinks = follow_symlinks
        if make:
            os.makedirs(self.root, exist_ok=True)
        self._real_root = os.path.realpath(self.root)
        if by_descriptor:
            fd = os.open(self.root, _OPEN_DIRECTORY & ~_NOFOLLOW)
            self._top: Directory = Descriptor(self.root, fd)
        else:
            if not Path(self.root).is_dir():
                raise NotADirectoryError(errno.ENOTDIR, "this is not a directory", self.root)
            self._top = Plain(os.path.abspath(self.root), self._real_root)
        self.closed: frozenset[tuple[int, int]] = frozenset()
        self._open: dict[str, Directory] = {}
        self._latest: tuple[str, Directory] = ("", self._top)  # mostly that of the next file too
        self._lock = Lock()

    def get(self, path: str = "", *, make: bool = False) -> Directory:
        """Return a directory by its path, without a slash at the end.

        Args:
            path: The path.
            make: Whether to create it, with its parents.

        Raises:
            FileNotFoundError: It does not exist, or has a name that is empty, `.` or `..`.
            NotADirectoryError: A link or a file is in the place of a directory.
            OSError: It cannot be opened.
        """
        if not path:
            return self._top
        latest = self._latest
        if latest[0] == path:
            return latest[1]
        with self._lock:
            found = self._open.pop(path, None)
            if found is None:
                found = self._walk_to(path, make=make)
            else:
                self._open[path] = found  # the latest is the last
            _notice_interrupt()
            self._latest = (path, found)
            return found

    def _walk_to(self, path: str, *, make: bool) -> Directory:
        """Open a directory from the nearest one above it that is open."""
        end = len(path)
        while (end := path.rfind("/", 0, end)) > 0 and path[:end] not in self._open:
            pass
        found = self._open[path[:end]] if end > 0 else self._top
        end = end if end > 0 else -1
        while end < len(path):
            start = end + 1
            end = path.find("/", start)
            end = len(path) if end < 0 else end
            found = self._enter(found, path[:end], path[start:end], make=make)
        return found

    def _enter(self, above: Directory, path: str, name: str, *, make: bool) -> Directory:
        if name in ("", ".", ".."):
            raise FileNotFoundError(errno.ENOENT, f"{name!r} is not the name of a directory", path)
        try:
            found = self._child(above, name, make=make)
        except NotADirectoryError:
            target = self._target(path)
            if target is None:
                raise
            found = self._top
            for part in target:
                found = self._child(found, part, make=False)
        self._open[path] = found
        if len(self._open) > MAX_OPEN:
            _notice_interrupt()
            del self._open[next(iter(self._open))]
        return found

    def _child(self, above: Directory, name: str, *, make: bool) -> Directory:
        found = above.child(name, make=make)
        if self.closed and found.identity() in self.closed:
            msg = "this is the directory of a lake that this process has open, which no transfer reads or writes"
            raise ClosedDirectoryError(errno.EPERM, msg, found.path)
        return found

    def _target(self, path: str) -> list[str] | None:
        """Return the real names of a path with links. None if it leads out of the root or links are not followed."""
        if not self.follow_symlinks:
            return None
        try:
            real = os.path.realpath(os.path.join(self._real_root, path), strict=True)
        except OSError:  # a link to nothing, or in a circle
            return None
        if not _lies_in(real, self._real_root):
            return None
        return [part for part in real[len(self._real_root) :].split(os.sep) if part]

    def locate(self, path: str) -> tuple[Directory, str] | None:
        """Return the directory and the name that a link really leads to. None if it leads out of the root or nowhere.

        The name is not followed any more: if it turns into a link meanwhile, that is an error when it is used.
        """
        target = self._target(path)
        if not target:
            return (self._top, ".") if target is not None else None
        *parents, name = target
        return self.get("/".join(parents)), name

    def forget(self, path: str) -> None:
        """Close a directory that was removed, and those below it."""
        with self._lock:
            for known in [one for one in self._open if one == path or one.startswith(f"{path}/")]:
                del self._open[known]
            self._latest = ("", self._top)

    def close(self) -> None:
        """Close all directories but the root, which is closed with the last reference to it."""
        with self._lock:
            _notice_interrupt()
            self._latest = ("", self._top)
            self._open.clear()
