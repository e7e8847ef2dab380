"""What the disk may say went wrong.

Rules of the room: plain exceptions with a message that names the file; the engine turns them into the public tree.
"""

from __future__ import annotations


class DiskError(Exception):
    """Anything below that is not a bug of the caller."""


class LockTimeout(DiskError, TimeoutError):
    """Another writer kept the lake for longer than we were told to wait."""


class NotALake(DiskError):
    """The folder holds something else, belongs to someone else, or lies where a lake cannot."""


class UnknownFormat(DiskError):
    """A lake, but of a format (or under an SQLite) that this version does not work with."""


class Damaged(DiskError):
    """Something that must be there is missing, or is not what its hash says."""


class ReadOnly(DiskError):
    """A sync failed earlier: what the disk holds is no longer certain, so nothing more is written."""


class NoSpace(DiskError, OSError):
    """The disk is full; nothing of the operation was kept."""


class NoMemory(DiskError):
    """SQLite was given no memory; nothing of the operation was kept."""
