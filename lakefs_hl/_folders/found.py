"""A regular file below a directory, with the attributes by which it is recognised."""

from __future__ import annotations

import os

import msgspec


class Found(msgspec.Struct, frozen=True, gc=False):
    """A regular file below a directory.

    Attributes:
        path: Relative path, with `/` between its parts.
        size: Number of bytes.
        mtime_ns: Time of the last change of its content, in nanoseconds since 1970.
        inode: Number of the file on its device.
        device: Number of the device.
        ctime_ns: Time of the last change of its attributes. On Windows the time of its creation.
    """

    path: str
    size: int
    mtime_ns: int
    inode: int
    device: int
    ctime_ns: int


def from_stat(path: str, found: os.stat_result) -> Found:
    """Return the record of a file."""
    return Found(path, found.st_size, found.st_mtime_ns, found.st_ino, found.st_dev, found.st_ctime_ns)
