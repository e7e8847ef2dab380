"""The store of a local directory: `file://`."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from typing import BinaryIO, Final
from urllib.parse import quote, unquote

from lakefs_hl.facades.backends import (
    SUFFIXES,
    Name,
    candidates,
    encoded_name,
    exists_error,
    missing_error,
    slice_of,
    walk,
)
from lakefs_hl.facades.paths import as_prefix, check_path
from lakefs_hl.facades.records import Content, Entry, Outcome, Put, Range

#: Names of files that are being written.
_TEMPORARY: Final = re.compile(r"\.lakefs-hl-[0-9a-f]{16}\.tmp")
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # O_NONBLOCK: a pipe would wait for a writer
_BLOCK: Final = 8 << 20


class Directory:
    """The files of a local directory. Links in it are neither followed nor listed, nor are lakes that are open.

    The encoding of a file is in its suffix: `a.gz` is `a` in gzip, unless there is a file `a`. A file appears under its
    name when it is complete. User metadata and media types are not stored.

    Args:
        root: The directory. It is created by the first write.
    """

    default_encoding: str | None = None
    read_only = False
    has_suffixes = True
    width = 8

    def __init__(self, root: str) -> None:
        self.root = os.path.realpath(root)

    @classmethod
    def of(cls, url: str, prefix: str = "") -> Directory:
        """Return the store of a URL.

        Raises:
            ValueError: It names a host, or no directory.
        """
        path = unquote(url[len("file://") :])
        if path.startswith("localhost/"):
            path = path[len("localhost") :]
        if not path or "\0" in path:
            msg = f"the URL of a local directory is file:///path/to/directory, not {url!r:.80}"
            raise ValueError(msg)
        if prefix:
            path = os.path.join(path, *_segments(as_prefix(prefix)[:-1]))
        return cls(path)

    @property
    def url(self) -> str:
        """The URL of the directory."""
        return f"file://{quote(os.fsencode(self.root)).rstrip('/')}/"

    @property
    def place(self) -> str:
        """The URL with its characters as they are, so that a name in the prefix and one in a path are equal."""
        return f"file://{self.root.rstrip('/')}/"

    def check_exists(self) -> None:
        """Check that the directory exists, before all of it is transferred.

        Raises:
            FileNotFoundError: It does not exist.
            NotADirectoryError: It is a file.
        """
        if not stat.S_ISDIR(os.stat(self.root).st_mode):
            msg = "a transfer takes a directory, and this is a file; give its directory, and its name in paths"
            raise NotADirectoryError(errno.ENOTDIR, msg, self.root)

    # -- directories ---------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _parent(self, path: str, *, create: bool = False) -> Iterator[tuple[int, str]]:
        """Open the directory of a path, link by link, and give its descriptor and the last part of the path."""
        *parents, name = _segments(path)
        lakes = _lakes(self.root)
        if create:
            os.makedirs(self.root, exist_ok=True)
        fd = os.open(self.root, _DIRECTORY)
        try:
            for part in parents:
                fd = _enter(fd, part, create=create)
                if lakes:
                    _check_is_no_lake(fd, lakes)
            yield fd, name
        finally:
            os.close(fd)

    def _resolve(self, fd: int, name: str) -> tuple[str, str | None, os.stat_result] | None:
        """Return the real name of an object, its encoding and its status. None if there is none."""
        for real, encoding in candidates(name):
            if (found := _status(fd, real)) is not None and stat.S_ISREG(found.st_mode):
                return real, encoding, found
        return None

    # -- reading -------------------------------------------------------------------------------------------------------

    def read(self, asked: Range) -> Content:
        """Read an object or a part of it."""
        try:
            with self._open(asked.path) as (file, entry):
                start, end = slice_of(asked, entry.size)
                file.seek(start)
                data = file.read(end - start)
        except (OSError, ValueError) as exc:
            return Content(asked.path, None, None, (asked.start, asked.end), exc)
        if len(data) != end - start:
            changed = OSError(errno.EIO, "the file became shorter while it was read", self.url + asked.path)
            return Content(asked.path, None, None, (asked.start, asked.end), changed)
        return Content(asked.path, data, entry, (asked.start, asked.end))

    def save(self, path: str, file: BinaryIO) -> Entry:
        """Write the content of an object into a file."""
        file.seek(0)
        file.truncate()
        with self._open(path) as (source, entry):
            while block := source.read(_BLOCK):
                file.write(block)
            return entry

    @contextlib.contextmanager
    def _open(self, path: str) -> Iterator[tuple[BinaryIO, Entry]]:
        try:
            with self._parent(path) as (fd, name), _lock(fd, fcntl.LOCK_SH):
                found = self._resolve(fd, name)
                if found is None:
                    raise missing_error(self.url, path)
                opened = os.open(found[0], _FILE, dir_fd=fd)
        except (FileNotFoundError, NotADirectoryError) as exc:
            raise missing_error(self.url, path) from exc
        with os.fdopen(opened, "rb") as file:
            yield file, _entry(path, os.fstat(opened), found[1])

    def stat(self, path: str) -> Entry | None:
        """Look up an object."""
        try:
            with self._parent(path) as (fd, name), _lock(fd, fcntl.LOCK_SH):
                found = self._resolve(fd, name)
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None
        return None if found is None else _entry(path, found[2], found[1])

    def walk(self, prefix: str, *, flat: bool, after: str) -> Iterator[Entry]:
        """Yield the objects in byte order of their paths."""
        return walk(self._names, self._list_entry, prefix, flat=flat, after=after)

    def _names(self, directory: str) -> list[Name]:
        lakes = _lakes(self.root)
        try:
            with self._parent(f"{directory}.") as (fd, _), os.scandir(fd) as rows:
                return [
                    Name(row.name, row.is_dir(follow_symlinks=False))
                    for row in rows
                    if (row.is_dir(follow_symlinks=False) and not (lakes and _is_lake(row, lakes)))
                    or (row.is_file(follow_symlinks=False) and not _TEMPORARY.fullmatch(row.name))
                ]
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return []

    def _list_entry(self, path: str, real: str, encoding: str | None) -> Entry | None:
        found = _status_at(os.path.join(self.root, real))
        return None if found is None else _entry(path, found, encoding)

    # -- writing -------------------------------------------------------------------------------------------------------

    def write(self, put: Put, *, durable: bool = False) -> Outcome:
        """Write an object."""
        try:
            with self._parent(put.path, create=True) as (fd, name):
                target = encoded_name(name, put.encoding)
                with _temporary(fd, put.data, durable=durable) as (temporary, size), _lock(fd):
                    left = self._publish(fd, temporary, target, put)
                if durable:
                    os.fsync(fd)
        except (OSError, ValueError) as exc:
            return Outcome(put.path, 0, exc)
        return Outcome(put.path, size, left=left)

    def _publish(self, fd: int, temporary: str, target: str, put: Put) -> str | None:
        """Give a file its name, and remove the object in another encoding. Returns what is left of `Put.keeps`."""
        parent, _, name = put.path.rpartition("/")
        found = self._resolve(fd, name)
        if found is not None and found[0] != target and _status(fd, target) is not None:
            msg = f"writing in {put.encoding or 'no encoding'}: its file {target!r} is that of another object"
            raise FileExistsError(errno.EEXIST, msg, self.url + put.path)
        if not put.keeps:  # else `a.br` may be an object of its own, whose `a` is still to come
            self._check_is_found(fd, target, name, put)
        os.replace(temporary, target, src_dir_fd=fd, dst_dir_fd=fd)
        if found is None or found[0] == target:
            return None
        if put.keeps and found[0] != name:
            return f"{parent}/{found[0]}" if parent else found[0]
        with contextlib.suppress(FileNotFoundError):
            os.unlink(found[0], dir_fd=fd)
        return None

    def _check_is_found(self, fd: int, target: str, name: str, put: Put) -> None:
        """Refuse a file that would be found instead of another object: `a.gz`, if `a` is in brotli."""
        for suffix in SUFFIXES.values():
            base = target.removesuffix(suffix)
            if base in ("", name, target):
                continue
            found = self._resolve(fd, base)
            if found is not None and found[1] is not None and found[0] != target:
                names = [each for each, _ in candidates(base)]
                if names.index(target) < names.index(found[0]):
                    msg = f"writing {target!r}: it would be read as {base!r}, which is an object in {found[1]}"
                    raise FileExistsError(errno.EEXIST, msg, self.url + put.path)

    def create(self, path: str) -> Outcome:
        """Create an empty file."""
        try:
            with self._parent(path, create=True) as (fd, name):
                with _lock(fd):
                    if self._resolve(fd, name) is not None:
                        raise exists_error(self.url, path)
                    made = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666, dir_fd=fd)
                os.close(made)
        except (OSError, ValueError) as exc:
            return Outcome(path, 0, exc)
        return Outcome(path)

    def delete(self, path: str) -> Outcome:
        """Delete an object."""
        try:
            with self._parent(path) as (fd, name), _lock(fd):
                found = self._resolve(fd, name)
                if found is not None:
                    os.unlink(found[0], dir_fd=fd)
        except (FileNotFoundError, NotADirectoryError):
            return Outcome(path)
        except (OSError, ValueError) as exc:
            return Outcome(path, 0, exc)
        return Outcome(path)

    def copy(self, source: str, target: str) -> Outcome:
        """Copy an object."""
        try:
            with self._open(source) as (file, entry):
                return self.write(Put(target, file, encoding=entry.encoding or ""))
        except (OSError, ValueError) as exc:
            return Outcome(target, 0, exc)

    def close(self) -> None:
        """Do nothing: nothing stays open."""


def _lakes(root: str) -> dict[tuple[int, int], str]:
    """Return the lakes that this process has open, by device and inode.

    What is written or deleted there would destroy a lake, and closing a file of its database drops the locks of this
    process.

    Raises:
        PermissionError: The directory is that of such a lake, or in it.
    """
    found = dict[tuple[int, int], str]()
    for path in import_module("lakefs_hl").Client._lakes_here():
        with contextlib.suppress(OSError):  # it was removed
            seen = os.stat(path)
            found[seen.st_dev, seen.st_ino] = path
            lake = os.path.realpath(path)
            if root == lake or root.startswith(f"{lake}{os.sep}"):
                break
    else:
        return found
    raise _lake_error(path)


def _check_is_no_lake(fd: int, lakes: dict[tuple[int, int], str]) -> None:
    seen = os.fstat(fd)
    if (path := lakes.get((seen.st_dev, seen.st_ino))) is not None:
        raise _lake_error(path)


def _is_lake(row: os.DirEntry[str], lakes: dict[tuple[int, int], str]) -> bool:
    seen = row.stat(follow_symlinks=False)
    return (seen.st_dev, seen.st_ino) in lakes


def _lake_error(path: str) -> PermissionError:
    msg = f"this is the directory of the lake local:{path}, which this process has open, or in it; choose another one"
    return PermissionError(errno.EPERM, msg)


def _segments(path: str) -> list[str]:
    """Return the parts of a path.

    Raises:
        ValueError: It would lead out of the directory, or no file can have it.
    """
    parts = check_path(path).split("/")
    *parents, last = parts
    if "\0" in path or ".." in parts or "" in parts or "." in parents or _TEMPORARY.fullmatch(last):
        msg = f"no file can have the path {path!r:.200}: its parts must be names, not '..', '.' or nothing"
        raise ValueError(msg)
    return parts


def _enter(fd: int, part: str, *, create: bool) -> int:
    """Open a directory in another, under the descriptor of that one."""
    try:
        inner = os.open(part, _DIRECTORY, dir_fd=fd)
    except FileNotFoundError:
        if not create:
            raise
        with contextlib.suppress(FileExistsError):
            os.mkdir(part, dir_fd=fd)
        inner = os.open(part, _DIRECTORY, dir_fd=fd)
    os.dup2(inner, fd, inheritable=False)
    os.close(inner)
    return fd


def _status(fd: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=fd, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _status_at(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _entry(path: str, found: os.stat_result, encoding: str | None) -> Entry:
    etag = f"{found.st_mtime_ns}-{found.st_size}-{found.st_ino}"
    return Entry(path, found.st_size, encoding, modified=datetime.fromtimestamp(found.st_mtime, UTC), etag=etag)


@contextlib.contextmanager
def _temporary(fd: int, data: bytes | BinaryIO, *, durable: bool) -> Iterator[tuple[str, int]]:
    """Write a file beside its destination, and give its name and size. It is removed unless it gets another name."""
    temporary = f".lakefs-hl-{secrets.token_hex(8)}.tmp"
    opened = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666, dir_fd=fd)
    try:
        with os.fdopen(opened, "wb", buffering=0) as file:
            size = _write(file, data)
            if durable:
                os.fsync(file.fileno())
        yield temporary, size
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=fd)
        raise


@contextlib.contextmanager
def _lock(fd: int, mode: int = fcntl.LOCK_EX) -> Iterator[None]:
    """Hold a directory while names in it change: `a` and `a.gz` are one object, for threads and processes.

    Nothing may wait meanwhile that lets other greenlets run, as `os.close` does.
    """
    with contextlib.suppress(OSError):  # a file system without locks
        fcntl.flock(fd, mode)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_UN)


def _write(file: BinaryIO, data: bytes | BinaryIO) -> int:
    if isinstance(data, bytes):
        return _write_all(file, data)
    data.seek(0)
    size = 0
    while block := data.read(_BLOCK):
        size += _write_all(file, block)
    return size


def _write_all(file: BinaryIO, data: bytes) -> int:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
    return len(data)
