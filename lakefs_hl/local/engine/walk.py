"""The files below a folder, in the order of the keys that they get, with one look at each.

What lakeFS's own walk of a local folder does (`pkg/block/local/walker.go`) holds here: hidden files and folders are
left out, links to folders are not followed, a link that leads nowhere or to itself is left out, and so is what is no
regular file (a socket, a pipe). A file that vanishes between the listing of its folder and the look at it, or a folder
that cannot be read, ends the walk with an error that names it. One thing differs: a link to a file is taken as that
file, which lakeFS leaves out.

Rules of the room: reads names and status, never content. Memory does not grow with the number of folders, and with that
of the files in one folder by their names and little more. No folder is open while its files are handed out.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from heapq import merge
from itertools import islice
from stat import S_ISREG
from typing import Final, TypeAlias

import msgspec

from lakefs_hl.local.engine import places
from lakefs_hl.local.engine.places import Roots

#: A name below the source, the file's size in bytes, and its modification time in nanoseconds.
Found: TypeAlias = "tuple[str, int, int]"

#: How many entries of one folder are kept as objects; more are packed, some at a time, until their turn comes.
RUN: Final = 50_000
#: How many entries are unpacked at a time.
_BLOCK: Final = 500
#: Entries looked at between two questions whether the walk is to end.
_ASKED: Final = 1024
#: A folder that was listed may be a link by now.
_BELOW: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
#: In place of the size of what is a folder.
_FOLDER: Final = -1
#: A link that answers one of these leads to no file, and never will without another's doing.
_NOWHERE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG})

_pack: Final = msgspec.msgpack.Encoder().encode
_unpack: Final = msgspec.msgpack.Decoder(list[tuple[str, int, int]]).decode


def files(source: str, lake: str, check: Callable[[], None], roots: Roots = None) -> Iterator[Found]:
    """Yields the files below a folder, in the byte order of their names relative to it.

    Args:
        source: The folder; absolute.
        lake: The folder of the lake, links resolved; a link to a file in it is refused.
        check: Called often; what it raises ends the walk.
        roots: Directories that are not left, by links neither; None for any.

    Raises:
        OSError: A folder or file cannot be read, or has vanished.
        ValueError: A name is no UTF-8, or a link leads into the lake.
    """
    root = source.rstrip("/") + "/"
    stack = [("", _listing(root, lake, check, roots, top=True))]
    while stack:
        above, rest = stack[-1]
        for name, size, mtime in rest:
            if size == _FOLDER:
                stack.append((above + name, _listing(root + above + name, lake, check, roots)))
                break
            yield above + name, size, mtime
        else:
            stack.pop()


def _listing(folder: str, lake: str, check: Callable[[], None], roots: Roots, *, top: bool = False) -> Iterator[Found]:
    """What lies in a folder, in order; a folder's name ends in a slash."""
    runs: list[list[bytes]] = []
    found: list[Found] = []
    fd = places.open_folder(folder, roots) if top or roots is not None else os.open(folder[:-1], _BELOW)
    try:  # names relative to an open folder are found without going down its path each time
        with os.scandir(fd) as listed:
            while some := list(islice(listed, _ASKED)):
                check()
                found += _looks(some, folder, lake, roots)
                if len(found) >= RUN:
                    runs.append(_run(found))
                    found = []
    finally:
        os.close(fd)
    found.sort()  # by code points, which is the order of their bytes in UTF-8
    if not runs:
        return iter(found)
    return merge(*map(_items, runs), found)


def _run(found: list[Found]) -> list[bytes]:
    """Entries, in order, packed: their objects would take ten times the room."""
    found.sort()
    return [_pack(found[at : at + _BLOCK]) for at in range(0, len(found), _BLOCK)][::-1]


def _items(blocks: list[bytes]) -> Iterator[Found]:
    while blocks:
        yield from _unpack(blocks.pop())


def _looks(entries: list[os.DirEntry[str]], folder: str, lake: str, roots: Roots) -> list[Found]:
    """Looks at some entries of a folder, once at each file."""
    found: list[Found] = []
    for one in entries:
        name = one.name
        if name.startswith("."):
            continue
        if one.is_dir(follow_symlinks=False):
            size, mtime, shown = _FOLDER, 0, name + "/"
        else:
            try:
                status = one.stat()
            except OSError as error:
                if one.is_symlink() and error.errno in _NOWHERE:
                    continue
                raise OSError(error.errno, error.strerror, folder + name) from error
            if not S_ISREG(status.st_mode):
                continue
            if one.is_symlink():
                _check_target(folder + name, lake, roots)
            size, mtime, shown = status.st_size, status.st_mtime_ns, name
        if not name.isascii():
            _check_text(folder + name)
        found.append((shown, size, mtime))
    return found


def _check_text(path: str) -> None:
    try:
        path.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{path!r}: the name is not valid UTF-8; rename the file") from None


def _check_target(link: str, lake: str, roots: Roots) -> None:
    """Refuses a link into the lake: to close one of its files in this process would drop its locks; and one out."""
    target = os.path.realpath(link)
    if target.startswith(lake.rstrip("/") + "/"):
        raise ValueError(f"{link}: links to a file of the lake itself; import without it")
    places.check_below(target, roots)
