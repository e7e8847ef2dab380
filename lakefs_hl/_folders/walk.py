"""The files below a directory, in byte order of their whole paths (UTF-8): the order of a listing of a lake.

Directories are sorted with a slash at the end of their name, which gives that order; code points have the order of
their bytes. A directory is read whole when it is entered, and a file is looked at when it is yielded.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from lakefs_hl._folders import reading
from lakefs_hl._folders.choice import Choice, Level
from lakefs_hl._folders.directories import ClosedDirectoryError, Directories, Directory
from lakefs_hl._folders.found import Found as Found
from lakefs_hl._folders.found import from_stat

#: Called with the path and the reason of what is skipped: links, FIFOs, sockets, devices, names that are not UTF-8.
OnSkip: TypeAlias = Callable[[str, str], object]
#: Called with the path and the error of a directory that cannot be read.
OnError: TypeAlias = Callable[[str, OSError], object]

LINK: Final = "it is a symbolic link, and links are not followed"
LINK_AWAY: Final = "it is a symbolic link that leads out of the directory, or to nothing"
LINK_IN_CIRCLE: Final = "it is a symbolic link to a directory that contains it"
NOT_TEXT: Final = "its name is not valid UTF-8"
_KINDS: Final = {stat.S_IFIFO: "FIFO", stat.S_IFSOCK: "socket", stat.S_IFCHR: "device", stat.S_IFBLK: "device"}


def walk(
    source: Directories,
    choice: Choice | None = None,
    *,
    on_skip: OnSkip | None = None,
    on_error: OnError | None = None,
) -> Iterator[Found]:
    """Yield the regular files below a directory that are chosen, in byte order of their paths.

    A file or a directory that vanishes meanwhile is left out. The memory that is used depends on the depth and on the
    largest directories on one path, not on the number of files.

    Args:
        source: The directory. Its `follow_symlinks` decides what becomes of links.
        choice: What is chosen. Defaults to everything.
        on_skip: Called for what is chosen and is no regular file, or has a name that is not text.
        on_error: Called for a directory that cannot be read, instead of raising the error.

    Raises:
        OSError: A directory cannot be read.
    """
    walker = _Walker(source, on_skip or _say_nothing, on_error)
    level = None
    if choice is not None and not choice.takes_all:
        level = choice.top(lambda path: reading.read_if_regular(source, path))
    walker.enter("", level)
    while walker.stack:
        frame = walker.stack[-1]
        directory = walker.open(frame)
        if directory is None:
            walker.stack.pop()
            continue
        prefix, level, links = frame.prefix, frame.level, frame.links
        for name in frame.names:
            if name[-1] == "/":
                below = level.enter(name[:-1]) if level is not None else None
                if (level is None or below is not None) and walker.enter(prefix + name, below):
                    break
            elif level is None or level.takes(name):
                try:
                    found = walker.follow(prefix + name) if name in links else directory.lstat(name)
                except (FileNotFoundError, NotADirectoryError, ClosedDirectoryError):
                    continue
                if stat.S_ISREG(found.st_mode):
                    yield from_stat(prefix + name, found)
        else:
            walker.stack.pop()


def _say_nothing(path: str, reason: str) -> None:
    """Take what is skipped."""


class _Frame:
    """A directory that was entered.

    Attributes:
        prefix: Its path with a slash at the end. Empty for the root.
        level: What is chosen in it. None for everything.
        names: The names in it that are still to come, in order; those of directories with a slash at the end.
        links: Those names that are links to files.
        identity: Its device and inode. None if links are not followed.
    """

    __slots__ = ("identity", "level", "links", "names", "prefix")

    def __init__(self, prefix: str, level: Level | None, identity: tuple[int, int] | None) -> None:
        self.prefix = prefix
        self.level = level
        self.identity = identity
        self.names: Iterator[str] = iter(())
        self.links = set[str]()


class _Walker:
    """The directories that a walk is in, from the root to the one that it is at.

    Attributes:
        stack: One frame for each. They hold names and no descriptors, so that the depth is not limited by these.
    """

    def __init__(self, source: Directories, on_skip: OnSkip, on_error: OnError | None) -> None:
        self._source = source
        self._on_skip = on_skip
        self._on_error = on_error
        self.stack = list[_Frame]()

    def open(self, frame: _Frame) -> Directory | None:
        """Return the directory of a frame. None if it vanished meanwhile."""
        try:
            return self._source.get(frame.prefix[:-1])
        except (FileNotFoundError, NotADirectoryError):
            return None

    def enter(self, prefix: str, level: Level | None) -> bool:
        """Read a directory and put it on the stack. Return whether that was done."""
        try:
            directory = self._source.get(prefix[:-1])
            identity = directory.identity() if self._source.follow_symlinks else None
            if identity is not None and any(identity == frame.identity for frame in self.stack):
                self._on_skip(prefix[:-1], LINK_IN_CIRCLE)
                return False
            frame = _Frame(prefix, level, identity)
            frame.names = iter(self._names(directory, frame))
        except (FileNotFoundError, NotADirectoryError):
            if not prefix:
                raise
            return False
        except ClosedDirectoryError as exc:
            self._on_skip(prefix[:-1], str(exc.strerror))
            return False
        except OSError as exc:
            if self._on_error is None:
                raise
            self._on_error(prefix[:-1], exc)
            return False
        self.stack.append(frame)
        return True

    def _names(self, directory: Directory, frame: _Frame) -> list[str]:
        """Return the names of files and directories in order, and report what else there is."""
        names = list[str]()
        for entry in directory.entries():
            name = entry.name
            if not name.isascii() and not _is_text(name):
                self._skip(frame, name, NOT_TEXT)
            elif entry.is_file(follow_symlinks=False):
                names.append(name)
            elif entry.is_dir(follow_symlinks=False):
                names.append(f"{name}/")
            else:
                self._add_other(frame, directory, name, names)
        names.sort()
        return names

    def _add_other(self, frame: _Frame, directory: Directory, name: str, names: list[str]) -> None:
        """Follow a link if links are followed. Report it otherwise, and whatever else is no file and no directory."""
        try:
            mode = directory.lstat(name).st_mode
            if stat.S_ISLNK(mode) and self._source.follow_symlinks:
                target = self._source.locate(frame.prefix + name)
                mode = target[0].lstat(target[1]).st_mode if target is not None else mode
        except (FileNotFoundError, NotADirectoryError):
            return
        except ClosedDirectoryError as exc:
            self._skip(frame, name, str(exc.strerror))
            return
        if stat.S_ISREG(mode):
            names.append(name)
            frame.links.add(name)
        elif stat.S_ISDIR(mode):
            names.append(f"{name}/")
        elif stat.S_ISLNK(mode):
            self._skip(frame, name, LINK_AWAY if self._source.follow_symlinks else LINK)
        else:
            self._skip(frame, name, f"it is a {_KINDS.get(stat.S_IFMT(mode), 'special file')}")

    def _skip(self, frame: _Frame, name: str, reason: str) -> None:
        if frame.level is None or frame.level.takes(name):
            shown = os.fsencode(name).decode("utf-8", "backslashreplace") if reason is NOT_TEXT else name
            self._on_skip(frame.prefix + shown, reason)

    def follow(self, path: str) -> os.stat_result:
        """Return the attributes of the file that a link leads to.

        Raises:
            FileNotFoundError: It leads nowhere any more, or out of the root.
        """
        target = self._source.locate(path)
        if target is None:
            raise FileNotFoundError(path)
        return target[0].lstat(target[1])


def _is_text(name: str) -> bool:
    """Return whether a name is text: bytes that are not UTF-8 come as lone surrogates."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
