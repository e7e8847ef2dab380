"""Files of this machine outside the lake: what a URI names, and opening one without leaving the allowed directories.

Rules of the room: a URI is read in one place, so that what is checked is what is opened. Where directories are named
(`--import-root`), a path is resolved first and then opened one directory at a time without following links: whoever
swaps a directory for a link between the two gets an error, and no file from elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import unquote_to_bytes

LOCAL: Final = "local://"
_FILE: Final = "file://"
_READ: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # to open a pipe would wait for its writer
_WALK: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY
#: Directories below which files may be read; None for everywhere, and none of them for nowhere.
Roots: TypeAlias = tuple[Path, ...] | None


def file_of(uri: str) -> str:
    """The path that a `local://` or `file://` URI names. The first is taken as it is, the second is percent-encoded.

    Raises:
        ValueError: It is another store's, not absolute, or cannot be a path.
    """
    if uri.startswith(LOCAL):
        path = uri.removeprefix(LOCAL)
    elif uri.startswith(_FILE):
        path = _decoded(uri)
    else:
        raise ValueError(f"{uri[:200]!r}: an embedded lake imports from local:///folder/ or file:///folder/ only")
    if not os.path.isabs(path):  # noqa: PTH117 - no path objects here: they are slow by the million
        raise ValueError(f"{uri[:200]!r}: the path must be absolute, as in local:///home/me/data/")
    if "\0" in path:
        raise ValueError(f"{uri[:200]!r}: a path has no NUL")
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        raise ValueError(f"{uri[:200]!r}: not valid Unicode") from None
    return path


def _decoded(uri: str) -> str:
    host, slash, path = uri.removeprefix(_FILE).partition("/")
    if host not in ("", "localhost"):
        raise ValueError(f"{uri[:200]!r}: names another machine; write file:///folder/")
    if set(path) & {"?", "#"}:
        raise ValueError(f"{uri[:200]!r}: write %3F for a question mark and %23 for a number sign in a path")
    try:
        return os.fsdecode(unquote_to_bytes(slash + path))
    except UnicodeEncodeError:
        raise ValueError(f"{uri[:200]!r}: not valid Unicode") from None


def resolved(roots: Iterable[Path]) -> tuple[Path, ...]:
    """Directories with their links followed, as `is_below` and `open_file` take them."""
    return tuple(Path(os.path.realpath(root)) for root in roots)


def is_below(path: str, roots: Roots) -> bool:
    """Whether a path, with links followed, lies below one of some directories or is one of them."""
    return roots is None or _root(os.path.realpath(path), roots) is not None


def check_below(path: str, roots: Roots) -> None:
    """Refuse a path, with links followed, that lies below none of some directories.

    Raises:
        PermissionError: It does.
    """
    if roots is not None and _root(os.path.realpath(path), roots) is None:
        raise _outside(path)


def open_file(path: str, roots: Roots, lake: str = "") -> int:
    """Open a file for reading. Whether it is a regular one has to be looked at.

    Args:
        path: The file.
        roots: Directories below which it has to be.
        lake: The folder of the lake, which may be in one of them: its files are not opened where there are roots.

    Raises:
        PermissionError: It lies below none of the directories, or in the lake.
        OSError: It cannot be opened.
    """
    return os.open(path, _READ) if roots is None else _open_below(path, roots, _READ, lake)


def look(path: str, roots: Roots, lake: str = "") -> os.stat_result:
    """What a path is, with links followed. Raises as `open_file` does."""
    if roots is None:
        return os.stat(path)  # noqa: PTH116 - no path objects here
    fd = _open_below(path, roots, _READ, lake)
    try:
        return os.fstat(fd)
    finally:
        os.close(fd)


def open_folder(path: str, roots: Roots) -> int:
    """Open a directory for listing. Raises as `open_file` does."""
    return os.open(path, _WALK) if roots is None else _open_below(path, roots, _WALK)


def _root(real: str, roots: tuple[Path, ...]) -> str | None:
    for root in map(str, roots):
        if real == root or real.startswith(root.rstrip("/") + "/"):
            return root
    return None


def _outside(path: str) -> PermissionError:
    return PermissionError(f"{path}: not below a directory that this server imports from (--import-root)")


def _open_below(path: str, roots: tuple[Path, ...], flags: int, lake: str = "") -> int:
    real = os.path.realpath(path)
    root = _root(real, roots)
    if root is None or (lake and is_below(real, (Path(os.path.realpath(lake)),))):
        raise _outside(path)
    parts = real[len(root) :].strip("/").split("/")
    at = os.open(root, _WALK)
    if parts == [""]:
        return at
    try:
        for part in parts[:-1]:
            below = os.open(part, _WALK | os.O_NOFOLLOW, dir_fd=at)
            os.close(at)
            at = below
        return os.open(parts[-1], flags | os.O_NOFOLLOW, dir_fd=at)
    finally:
        os.close(at)
