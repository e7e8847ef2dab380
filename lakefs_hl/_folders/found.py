"""A regular file, with the attributes by which it is recognised, and by which a change is noticed."""

from __future__ import annotations

import os

import msgspec


class Found(msgspec.Struct, frozen=True, gc=False):
    """A regular file, mostly below a directory.

    Attributes:
        path: Relative path, with `/` between its parts.
        size: Number of bytes.
        mtime_ns: Time of the last change of its content, in nanoseconds since 1970.
        inode: Number of the file on its device.
        device: Number of the device.
        ctime_ns: Time of the last change of its attributes. On Windows the time of its creation.
        links: Number of its names.
    """

    path: str
    size: int
    mtime_ns: int
    inode: int
    device: int
    ctime_ns: int
    links: int = 1


def from_stat(path: str, found: os.stat_result) -> Found:
    """Return the record of a file."""
    return Found(path, found.st_size, found.st_mtime_ns, found.st_ino, found.st_dev, found.st_ctime_ns, found.st_nlink)


def is_same(one: Found, other: Found) -> bool:
    """Return whether two looks at a file saw the same content.

    A program may set the time of the content back after it has changed the content. No program can set back the time
    of the attributes, which that changes too, as does a name that is added or removed: another file may have replaced
    one that is open.
    """
    return (
        one.size == other.size
        and one.mtime_ns == other.mtime_ns
        and (one.ctime_ns == other.ctime_ns or one.links != other.links)
        and one.inode == other.inode
        and one.device == other.device
    )


def change_of(before: Found, after: Found) -> str:
    """Return what has happened to a file between two looks at it, for messages."""
    if (before.device, before.inode) != (after.device, after.inode):
        return "it was replaced by another file"
    if before.size != after.size:
        return f"it had {before.size} bytes, and now has {after.size}"
    if before.mtime_ns != after.mtime_ns:
        return "it was modified"
    return "its attributes were modified, and maybe its content before its time was set back"
