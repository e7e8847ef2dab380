"""Local files of a transfer, by their paths."""

from __future__ import annotations

import errno
import os
import stat
from typing import Any

from lakefs_hl._folders import names
from lakefs_hl._folders.directories import ClosedDirectoryError, Directories
from lakefs_hl._folders.found import Found, from_stat
from lakefs_hl._folders.walk import LINK, LINK_AWAY


def stat_file(files: Directories, path: str) -> Found | None:
    """Return the regular file at a path below a directory. None if there is none, or something else."""
    above, _, name = path.rpartition("/")
    try:
        found = files.get(above).lstat(name)
    except (FileNotFoundError, NotADirectoryError, ClosedDirectoryError):
        return None
    return from_stat(path, found) if stat.S_ISREG(found.st_mode) else None


def look(files: Directories, path: str) -> Found | str | None:
    """Return the regular file at a path, as a walk would yield it; why there is none; None if there is nothing at all.

    Args:
        files: The directory.
        path: Any path, such as that of an object.

    Raises:
        OSError: A directory on the way cannot be read.
    """
    if not _can_exist(path):
        return None
    above, _, name = path.rpartition("/")
    try:
        found = files.get(above).lstat(name)
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        return LINK if _has_link(files, above) else None
    except ClosedDirectoryError as exc:
        return str(exc.strerror)
    except OSError as exc:
        if exc.errno == errno.ENAMETOOLONG:
            return None
        raise
    if stat.S_ISLNK(found.st_mode):
        if not files.follow_symlinks:
            return LINK
        try:
            target = files.locate(path)
            if target is None:
                return LINK_AWAY
            found = target[0].lstat(target[1])
        except (FileNotFoundError, NotADirectoryError):
            return LINK_AWAY
    return from_stat(path, found) if stat.S_ISREG(found.st_mode) else "it is no regular file"


def _can_exist(path: str) -> bool:
    """Return whether a path may be that of a file below a directory, and leads to no other place."""
    if names.WINDOWS:
        return names.problem(path) is None
    return "\0" not in path and not any(name in ("", ".", "..") for name in path.split("/"))


def _has_link(files: Directories, path: str) -> bool:
    """Return whether a link is in the place of a directory or of one above it."""
    above, _, name = path.rpartition("/")
    try:
        return stat.S_ISLNK(files.get(above).lstat(name).st_mode)
    except NotADirectoryError:
        return _has_link(files, above)
    except FileNotFoundError:
        return False


def lake_directories(client: Any, directory: str) -> frozenset[tuple[int, int]]:
    """Return the device and the inode of each lake that this process has open, which no transfer enters.

    A deletion there would destroy a lake, and closing a file of its database drops the locks of this process.

    Args:
        client: The client of the transfer.
        directory: The local directory of the transfer.

    Raises:
        ValueError: The directory is that of such a lake, or in it.
    """
    found, root = set[tuple[int, int]](), os.path.realpath(directory)
    for path in client._lakes_here():
        try:
            seen = os.stat(path)
        except OSError:  # it was removed
            continue
        lake = os.path.realpath(path)
        if root == lake or root.startswith(f"{lake}{os.sep}"):
            msg = (
                f"{directory!r} is the directory of the lake local:{path}, which this process has open, or in it; "
                "choose another directory"
            )
            raise ValueError(msg)
        found.add((seen.st_dev, seen.st_ino))
    return frozenset(found)
