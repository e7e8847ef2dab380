"""What an import reads: files of this machine, in the order of the keys that they get.

Rules of the room: reads only; says of a file that cannot be imported which one it is. Hidden files and folders are left
out, as lakeFS does, links to folders are not followed, and what is no regular file (a socket, a pipe) is passed by.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote, urlsplit

from lakefs_hl.local.engine import records
from lakefs_hl.local.engine.names import path_key
from lakefs_hl.local.engine.records import Entry
from lakefs_hl.spec.errors import BadRequestException
from lakefs_hl.spec.models import ImportLocation

LOCAL: Final = "local://"
_FILE: Final = "file://"
_BLOCK: Final = 1 << 20


def file_of(uri: str) -> str:
    """The path that a `local://` or `file://` URI names.

    Raises:
        ValueError: It is another store's, or not absolute.
    """
    if uri.startswith(LOCAL):
        path = uri.removeprefix(LOCAL)
    elif uri.startswith(_FILE):
        path = unquote(urlsplit(uri).path)
    else:
        raise ValueError(f"{uri!r}: an embedded lake imports from local:///folder/ or file:///folder/ only")
    if not os.path.isabs(path):  # noqa: PTH117 - no path objects here: they are slow by the million
        raise ValueError(f"{uri!r}: the path must be absolute, as in local:///home/me/data/")
    return path


def under(destination: str) -> str:
    """The prefix below which the files of a folder go."""
    return destination if not destination or destination.endswith("/") else destination + "/"


def entries(location: ImportLocation) -> Iterator[tuple[bytes, bytes]]:
    """Yields the keys and encoded entries of a location, in the order of the keys.

    Raises:
        OSError: A file or folder cannot be read.
        ValueError: The URI names none, or a file's name cannot be a path of a lake.
    """
    source = file_of(location.path)
    if location.type == "object":
        yield _key(location.destination, source), _entry(source)
        return
    prefix = under(location.destination)
    for relative, path in _files(source, ""):
        yield _key(prefix + relative, path), _entry(path)


def _key(path: str, file: str) -> bytes:
    try:
        return path_key(path)
    except BadRequestException as error:
        raise ValueError(f"{file!r}: {error}") from None


def _files(folder: str, above: str) -> Iterator[tuple[str, str]]:
    """Yields relative names and paths below a folder, in byte order of the relative names."""
    found: list[tuple[bytes, os.DirEntry[str], bool]] = []
    with os.scandir(folder) as listed:
        for one in listed:
            if one.name.startswith("."):
                continue
            if one.is_dir(follow_symlinks=False):
                found.append((os.fsencode(one.name) + b"/", one, True))
            elif one.is_file():
                found.append((os.fsencode(one.name), one, False))
    found.sort(key=lambda item: item[0])
    for _, one, is_folder in found:
        if is_folder:
            yield from _files(one.path, f"{above}{one.name}/")
        else:
            yield above + one.name, one.path


def _entry(path: str) -> bytes:
    """Reads a file for its MD5; it must not change meanwhile."""
    digest = hashlib.md5(usedforsecurity=False)
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # to open a pipe would wait for its writer
    try:
        before = os.fstat(fd)
        if not stat.S_ISREG(before.st_mode):
            raise OSError(f"{path}: is no regular file")
        while block := os.read(fd, _BLOCK):
            digest.update(block)
        after = os.fstat(fd)
    finally:
        os.close(fd)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise OSError(f"{path}: changed while it was read; import it again when nobody writes to it")
    mtime = after.st_mtime_ns
    address = LOCAL + os.path.abspath(path)  # noqa: PTH100 - links stay links
    entry = Entry(address, after.st_size, digest.digest(), mtime // 10**9, None, None, mtime)
    return records.write_entry(entry)
