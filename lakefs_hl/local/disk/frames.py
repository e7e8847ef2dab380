"""The frames of a log: which of them hold, and writing them anew after a sync has failed.

Rules of the room: only while SQLite's write lock is held, so that nobody adds frames meanwhile; what is written is what
was there, so readers notice nothing. (The log has no locks that closing a descriptor could drop: the database has.)
"""

from __future__ import annotations

import os
import struct
from typing import Final

from lakefs_hl.local.disk import fs

_HEADER: Final = 32
_FRAME: Final = 24


def whole(path: str) -> int:
    """How many frames of a log hold, up to the last one that ends a transaction."""
    with open(path, "rb") as file:
        header = file.read(_HEADER)
        if len(header) < _HEADER:
            return 0
        magic, _, size = struct.unpack(">III", header[:12])
        if magic & ~1 != 0x377F0682:
            return 0
        order = ">" if magic & 1 else "<"
        sums = _sum(order, header[:24], (0, 0))
        if sums != struct.unpack(">II", header[24:]):
            return 0
        count = good = 0
        while len(frame := file.read(_FRAME + size)) == _FRAME + size:
            if frame[8:16] != header[16:24]:
                break
            sums = _sum(order, frame[_FRAME:], _sum(order, frame[:8], sums))
            if sums != struct.unpack(">II", frame[16:_FRAME]):
                break
            count += 1
            if struct.unpack(">I", frame[4:8])[0]:
                good = count
        return good


def _sum(order: str, data: bytes, sums: tuple[int, int]) -> tuple[int, int]:
    first, second = sums
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for word in words:
        first = (first + word + second) & 0xFFFFFFFF
        second = (second + next(words) + first) & 0xFFFFFFFF
    return first, second


def rewrite(path: str) -> None:
    """Writes and syncs a log as it is, then reads it back from the disk.

    Raises:
        OSError: It cannot be written, or is not what was written.
    """
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        at = 0
        while data := fs.read(fd, at, fs.BLOCK):
            fs.overwrite(fd, data, at, "log")
            at += len(data)
        fs.fsync(fd, "log")
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)  # read what the disk has, not what memory has
    finally:
        fs.close(fd)
