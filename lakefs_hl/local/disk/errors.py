"""What the disk may say went wrong.

Rules of the room: plain exceptions with a message that names the file; the engine turns them into the public tree.
"""

from __future__ import annotations

import errno as codes


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


class Scarcity(DiskError, OSError):
    """The machine has no room, no memory, no descriptors or no threads left: nothing of the operation was kept.

    Attributes:
        errno: Which: of each class its most common one, unless the system said another.
    """

    errno: int | None = None


class NoSpace(Scarcity):
    """The disk is full; nothing of the operation was kept."""

    errno = codes.ENOSPC


class NoMemory(Scarcity):
    """No memory is left; nothing of the operation was kept."""

    errno = codes.ENOMEM


class NoThread(Scarcity):
    """No thread can be started; nothing of the operation was kept."""

    errno = codes.EAGAIN


class NoDescriptor(Scarcity):
    """No file can be opened: there are too many open; nothing of the operation was kept."""

    errno = codes.EMFILE


_KINDS: dict[int, type[Scarcity]] = {
    codes.ENOSPC: NoSpace,
    codes.EDQUOT: NoSpace,
    codes.EFBIG: NoSpace,
    codes.ENOMEM: NoMemory,
    codes.EAGAIN: NoThread,
    codes.EMFILE: NoDescriptor,
    codes.ENFILE: NoDescriptor,
}


def scarcity(number: int | None, message: str) -> Scarcity | None:
    """The error for what the machine ran out of; None if that is not what a number of the system tells."""
    kind = _KINDS.get(number or 0)
    if kind is None:
        return None
    found = kind(message)
    found.errno = number
    return found
