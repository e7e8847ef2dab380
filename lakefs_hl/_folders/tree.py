"""A directory that files are written to: never through a link, never outside of it, and never half a file.

Each directory on the way is opened from its parent (see `directories.py`), and a file is put in its place when it is
complete. On Linux a file has no name until then (`O_TMPFILE`), which also costs less than a temporary name.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Callable
from threading import Lock
from typing import Final, Self, TypeVar

from lakefs_hl._folders import names, parts
from lakefs_hl._folders.directories import BY_DESCRIPTOR, CREATE, READ, Directories, Directory
from lakefs_hl._folders.found import Found, from_stat
from lakefs_hl._folders.parts import Abilities, Part

#: What a file system says that has no files without a name, if another one is mounted in a tree that has.
_NO_UNNAMED: Final = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL})

#: What says that a directory is not empty, or gone, or was replaced by something else: it stays as it is.
_NOT_EMPTY: Final = frozenset({errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT, errno.ENOTDIR})

_T = TypeVar("_T")


class Tree:
    """A directory that files are written to. Thread-safe.

    Args:
        root: The directory. It is created if needed, and may itself be a link.
        by_descriptor: Whether to use descriptors of directories. Defaults to what the system has.

    Attributes:
        directories: The same directory, to walk and to read.

    Raises:
        OSError: It is no directory, or cannot be created.
    """

    def __init__(self, root: str | os.PathLike[str], *, by_descriptor: bool = BY_DESCRIPTOR) -> None:
        self.directories = Directories(root, make=True, by_descriptor=by_descriptor)
        self._lock = Lock()
        self._known: Abilities | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the directories that are open."""
        self.directories.close()

    # -- writing -------------------------------------------------------------------------------------------------------

    def write(self, path: str, data: bytes | memoryview, mtime_ns: int | None = None) -> None:
        """Write a whole file.

        Args:
            path: Its path, with `/` between its names. Its directories are created.
            data: Its content.
            mtime_ns: Modification time that it gets.

        Raises:
            ValueError: The path is no safe local path.
            OSError: It cannot be written: an old file is unchanged.
        """
        found = self._known or self._abilities()
        if found.unnamed:
            directory = self.directories.get(self._directory_of(path), make=True)
            if directory.write_new(path[path.rfind("/") + 1 :], data, mtime_ns):
                return
        with self.create(path) as part:
            part.write(data)
            part.finish(mtime_ns)

    def create(self, path: str) -> Part:
        """Start a file.

        Args:
            path: Its path, with `/` between its names. Its directories are created.

        Raises:
            ValueError: The path is no safe local path.
            OSError: A link or a file is in the place of a directory, or the file cannot be created.
        """
        found = self._known or self._abilities()
        if found.unnamed:
            try:
                return self._in_directory(path, self._create_unnamed)
            except OSError as exc:
                if exc.errno not in _NO_UNNAMED:
                    raise
        return self._in_directory(path, lambda directory, path: parts.create_named(directory, path, found.mode))

    def resume(self, path: str, version: str, size: int) -> Part:
        """Start or continue a file that a later call can continue if this one is interrupted.

        Check the whole file before `finish()`: `blocks()` of the part yields what is there already.

        Args:
            path: Its path, with `/` between its names. Its directories are created.
            version: What distinguishes the version of the object from others, such as its ETag.
            size: Size of the object.

        Raises:
            ValueError: The path is no safe local path.
            OSError: A link or a file is in the place of a directory, or the file cannot be created.
        """
        mode = (self._known or self._abilities()).mode
        found = self._in_directory(
            path, lambda directory, path: parts.continue_named(directory, path, mode, version, size)
        )
        if found is None:  # another process downloads the same: each to a file of its own
            return self._in_directory(path, lambda directory, path: parts.create_named(directory, path, mode))
        return found

    def adopt(self, path: str, version: str, size: int) -> Part:
        """Start or continue a file like `resume()`, with the content of a shorter file at the path as its beginning.

        The file itself is not changed before `finish()`.
        """
        part = self.resume(path, version, size)
        above, _, name = path.rpartition("/")
        if part.size:
            return part
        try:
            fd = self.directories.get(above).open(name, READ)
        except FileNotFoundError:
            return part
        except BaseException:
            part.abort()
            raise
        try:
            found = os.fstat(fd)
            if stat.S_ISREG(found.st_mode) and found.st_size <= size:
                part.size = parts.copy_content(fd, part.fd, found.st_size)
        except BaseException:
            part.abort()
            raise
        finally:
            os.close(fd)
        return part

    def _in_directory(self, path: str, start: Callable[[Directory, str], _T]) -> _T:
        """Start a file in its directory, again if others removed that after it was opened."""
        above = self._directory_of(path)
        directory = self.directories.get(above, make=True)
        try:
            return start(directory, path)
        except OSError:
            if not directory.is_removed():
                raise
            return start(self._reopen(path), path)

    def _create_unnamed(self, directory: Directory, path: str) -> Part:
        return parts.create_unnamed(directory, path, self._reopen)

    def _reopen(self, path: str) -> Directory:
        """Open the directory of a path anew."""
        above = path.rpartition("/")[0]
        self.directories.forget(above)
        return self.directories.get(above, make=True)

    @staticmethod
    def _directory_of(path: str) -> str:
        if (problem := names.problem(path)) is not None:
            msg = f"{path!r} is no safe local path: {problem}"
            raise ValueError(msg)
        return path.rpartition("/")[0]

    def _abilities(self) -> Abilities:
        with self._lock:
            if self._known is None:
                self._known = parts.abilities(self.directories.get())
            return self._known

    # -- what is there -------------------------------------------------------------------------------------------------

    def stat(self, path: str) -> Found | None:
        """Return the regular file at a path. None if there is none, or something else."""
        above = self._directory_of(path)
        try:
            found = self.directories.get(above).lstat(path.rpartition("/")[2])
        except (FileNotFoundError, NotADirectoryError):
            return None
        return from_stat(path, found) if stat.S_ISREG(found.st_mode) else None

    def folds_case(self) -> bool:
        """Return whether names that differ in case only are equal here. Creates a file for a moment."""
        directory = self.directories.get()
        name = parts.part_name("case", secrets.token_hex(8))
        os.close(directory.open(name, CREATE))
        try:
            directory.lstat(name.upper())
        except FileNotFoundError:
            return False
        finally:
            directory.unlink(name)
        return True

    # -- removing ------------------------------------------------------------------------------------------------------

    def remove(self, path: str) -> bool:
        """Remove a file, or a link but not what it leads to. Return whether there was one.

        Raises:
            ValueError: The path is no safe local path.
            OSError: There is a directory, or it cannot be removed.
        """
        above = self._directory_of(path)
        try:
            self.directories.get(above).unlink(path.rpartition("/")[2])
        except FileNotFoundError:
            return False
        return True

    def remove_empty(self, path: str) -> None:
        """Remove a directory if it is empty, and then those above it that are, up to the root, which stays.

        Args:
            path: The directory, without a slash at the end.
        """
        while path:
            self._directory_of(path)
            above, _, name = path.rpartition("/")
            self.directories.forget(path)
            try:
                self.directories.get(above).rmdir(name)
            except OSError as exc:
                if exc.errno not in _NOT_EMPTY:
                    raise
                return
            path = above
