"""What an import registers: files of this machine as entries, in the order of the keys that they get.

An entry has the file's place, size and modification time, which are checked when it is read. Its ETag is made of these
three, in a form that nobody takes for an MD5; the MD5 takes its place if the lake is to hash what it imports, at the
price of reading every byte. Either way an entry of an unchanged file at the same place is the same entry.

Rules of the room: reads only; says of a file that cannot be imported which one it is. Which files a folder has, says
`walk`.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from heapq import merge
from operator import itemgetter
from typing import Final, NamedTuple, TypeAlias

from xxhash import xxh3_64_hexdigest

from lakefs_hl.local.engine import places, records, walk
from lakefs_hl.local.engine.names import path_key
from lakefs_hl.local.engine.places import LOCAL, Roots
from lakefs_hl.spec.errors import BadRequestException
from lakefs_hl.spec.limits import MAX_PATH_BYTES
from lakefs_hl.spec.models import ImportLocation

#: A key and its encoded entry.
Item: TypeAlias = "tuple[bytes, bytes]"

_BLOCK: Final = 1 << 20


def under(destination: str) -> str:
    """The prefix below which the files of a folder go."""
    return destination if not destination or destination.endswith("/") else destination + "/"


class Manner(NamedTuple):
    """How an import reads.

    Attributes:
        lake: The folder of the lake, links resolved: nothing in it is imported.
        check: Called often, also within a file and a folder; what it raises ends the reading.
        hashing: Whether the ETag of a file is its MD5.
        roots: Directories that are not left; None for any.
    """

    lake: str
    check: Callable[[], None]
    hashing: bool = False
    roots: Roots = None


def entries(locations: Iterable[ImportLocation], manner: Manner) -> Iterator[Item]:
    """Yields the keys and encoded entries of all locations, in the order of the keys; of equal ones the last's.

    Args:
        locations: What is imported, and where to.
        manner: How.

    Raises:
        OSError: A file or folder cannot be read.
        ValueError: A URI names none, or a file's name cannot be a path of a lake.
    """
    folders: list[tuple[int, ImportLocation]] = []
    objects: list[tuple[bytes, int, str]] = []
    for number, location in enumerate(locations):
        if location.type == "object":
            file = places.file_of(location.path)
            objects.append((_key(location.destination, file), -number, file))
        else:
            folders.append((-number, location))
    if not objects and len(folders) == 1:
        return _folder(folders[0][1], manner)
    objects.sort()
    streams: list[Iterator[tuple[bytes, int, bytes]]] = [_numbered(*folder, manner) for folder in folders]
    streams.append((key, number, _object(file, manner)) for key, number, file in objects)
    return _last(merge(*streams, key=itemgetter(0, 1)))


def _last(items: Iterable[tuple[bytes, int, bytes]]) -> Iterator[Item]:
    """Of equal keys the first: the numbers are negative, so it is the last location's."""
    before = None
    for key, _, value in items:
        if key != before:
            before = key
            yield key, value


def _numbered(number: int, location: ImportLocation, manner: Manner) -> Iterator[tuple[bytes, int, bytes]]:
    for key, value in _folder(location, manner):
        yield key, number, value


def _folder(location: ImportLocation, manner: Manner) -> Iterator[Item]:
    source = os.path.abspath(places.file_of(location.path)).rstrip("/") + "/"  # noqa: PTH100 - links stay links
    prefix, at = under(location.destination), LOCAL + source
    for name, size, mtime in walk.files(source, manner.lake, manner.check, manner.roots):
        key = (prefix + name).encode()
        if len(key) > MAX_PATH_BYTES:
            _key(prefix + name, source + name)
        yield key, _entry(at + name, size, mtime, manner)


def _object(file: str, manner: Manner) -> bytes:
    manner.check()
    path = os.path.abspath(file)  # noqa: PTH100 - links stay links
    status = places.look(path, manner.roots, manner.lake)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(f"{path}: is no regular file")
    return _entry(LOCAL + path, status.st_size, status.st_mtime_ns, manner)


def _key(path: str, file: str) -> bytes:
    try:
        return path_key(path)
    except BadRequestException as error:
        raise ValueError(f"{file!r}: {error}") from None


def _entry(address: str, size: int, mtime: int, manner: Manner) -> bytes:
    """The entry of a file: what `records.write_entry` makes of one with a stamp."""
    if manner.hashing:
        etag: bytes | str = _md5(address.removeprefix(LOCAL), size, mtime, manner)
    else:  # stands for a version of a file that nobody has read; the end says to clients that it is no MD5
        etag = xxh3_64_hexdigest(f"{address}\0{size}\0{mtime}".encode()) + "-0"
    return records.encode((address, size, etag, mtime // 10**9, None, None, records.stamp_of(mtime)))


def _md5(path: str, size: int, mtime: int, manner: Manner) -> bytes:
    """Reads a file for its MD5; it must not change meanwhile."""
    digest = hashlib.md5(usedforsecurity=False)
    fd = places.open_file(path, manner.roots, manner.lake)
    try:
        while block := os.read(fd, _BLOCK):
            digest.update(block)
            manner.check()
        after = os.fstat(fd)
    finally:
        os.close(fd)
    if (size, mtime) != (after.st_size, after.st_mtime_ns) or not stat.S_ISREG(after.st_mode):
        raise OSError(f"{path}: changed while it was read; import it again when nobody writes to it")
    return digest.digest()
