"""lakectl's file: found, read and checked. `config.entries` has what is in it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any, Final, NamedTuple

from lakefs_hl.spec.errors import InvalidConfigError

MAX_BYTES: Final = 64 << 10


class Content(NamedTuple):
    """The content of a file.

    Attributes:
        entries: Its top-level names, in lower case, and their values.
        exposed: Why others may read or change it, and what to do; "" if they may not.
    """

    entries: dict[str, Any]
    exposed: str


def load(path: Path, *, named: bool) -> Content | None:
    """Read a file.

    Args:
        path: Path of the file.
        named: Whether the configuration names it, so that it must exist.

    Returns:
        Its content; None if it does not exist and need not.

    Raises:
        InvalidConfigError: It cannot be read, is not a regular file, is writable by everybody, or is not YAML.
    """
    try:
        kind = path.stat()
        if not stat.S_ISREG(kind.st_mode):
            raise InvalidConfigError(f"{path} cannot be read: it is {kind_of_file(kind.st_mode)}, and must be a file")
        # Not blocking: it may have been replaced by a FIFO since `stat`.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
        with os.fdopen(os.open(path, flags), "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                raise InvalidConfigError(f"{path} cannot be read: it is {kind_of_file(mode)}, and must be a file")
            if os.name == "posix" and mode & stat.S_IWOTH:
                raise InvalidConfigError(f"{path} may be changed by anybody on this machine: chmod 600 {path}")
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        if named:
            raise InvalidConfigError(f"there is no file {path}, which LAKECTL_CONFIG_FILE or profile= names") from None
        return None
    except OSError as exc:
        raise InvalidConfigError(f"{path} cannot be read: {exc.strerror}") from None
    if len(content) > MAX_BYTES:
        raise InvalidConfigError(f"{path} is larger than {MAX_BYTES >> 10} KiB: this is no lakectl configuration")
    from lakefs_hl.config.entries import parse  # yaml is loaded only if there is a file

    return Content(parse(content, str(path)), _exposure(path, mode) if os.name == "posix" else "")


def kind_of_file(mode: int) -> str:
    """Return the kind of something that is not a regular file, in words."""
    kinds = {
        stat.S_IFDIR: "a directory",
        stat.S_IFIFO: "a FIFO",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
        stat.S_IFSOCK: "a socket",
    }
    return kinds.get(stat.S_IFMT(mode), "not a regular file")


def _exposure(path: Path, mode: int) -> str:
    others = "anybody on this machine" if mode & stat.S_IROTH else "its group"
    verb = "be read" if mode & (stat.S_IROTH | stat.S_IRGRP) else "be changed"
    if mode & (stat.S_IROTH | stat.S_IRGRP | stat.S_IWGRP):
        return f"{path} holds credentials and may {verb} by {others} (mode {stat.S_IMODE(mode):03o}): chmod 600 {path}"
    return ""
