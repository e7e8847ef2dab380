"""Whether a local file and an object are equal, and which of two different ones is newer.

Content decides, never a time: equal are those with the same size and MD5. An ETag that is no MD5 proves nothing, so
files of the same size and time count as equal. If the times differ and the ETag is that of an object in several parts
of a usual length, the content decides.
"""

from __future__ import annotations

import hashlib
import os
from typing import Final, Literal, TypeAlias

from lakefs_hl._folders.found import Found
from lakefs_hl.ops.presign import MD5
from lakefs_hl.spec.headers import CLIENT_MTIME
from lakefs_hl.spec.models import ObjectStats
from lakefs_hl.spec.multipart import PartHashes, is_one_part, part_sizes
from lakefs_hl.spec.wire import Hash

#: What comparing a file with an object has shown: "unknown" asks for the MD5 of the file.
Verdict: TypeAlias = Literal["equal", "different", "unknown"]
_BLOCK: Final = 1 << 20
_NANO: Final = 1_000_000_000


def compare(found: Found, record: ObjectStats, md5: str | None) -> Verdict:
    """Compare a file with an object.

    Args:
        found: The file.
        record: The object.
        md5: MD5 of the file, if it is known.
    """
    if found.size != (record.size_bytes or 0):
        return "different"
    if MD5.fullmatch(record.checksum):
        if md5 is None:
            return "unknown"
        return "equal" if record.checksum == md5 or is_one_part(record.checksum, md5) else "different"
    if seconds_of(found) == modified_seconds(record):
        return "equal"
    return "unknown" if part_sizes(record.checksum, found.size) else "different"


def seconds_of(found: Found) -> int:
    """Return the modification time of a file, in Unix seconds."""
    return found.mtime_ns // _NANO


def is_newer(found: Found, modified: int) -> bool:
    """Return whether a local file was changed after an object.

    Objects have whole seconds, and a file that was downloaded has exactly that time. So a file of the same second with
    a fraction was written here: it counts as newer, because a local file has no other version.

    Args:
        found: The file.
        modified: Modification time of the object, in Unix seconds.
    """
    return found.mtime_ns > modified * _NANO


def modified_seconds(record: ObjectStats) -> int:
    """Return the modification time of an object, in Unix seconds: of the file that it was uploaded from, if known."""
    told = (record.metadata or {}).get(CLIENT_MTIME, "")
    return int(told) if told.isdecimal() and len(told) < 12 else record.mtime


def mtime_ns(record: ObjectStats) -> int:
    """Return the modification time that a file gets which an object is written to, in nanoseconds."""
    return modified_seconds(record) * _NANO


def mtime_metadata(found: Found) -> dict[str, str]:
    """Return the metadata that tells the modification time of the file, as lakectl writes it."""
    return {CLIENT_MTIME: str(seconds_of(found))}


def is_upload_in_parts(fd: int, checksum: str, md5: str) -> bool:
    """Return whether a checksum is that of an open file that was uploaded in parts.

    Args:
        fd: The file. It is read from its beginning, and its position is at the beginning afterwards.
        checksum: What the server has.
        md5: MD5 of the file.
    """
    size = os.fstat(fd).st_size
    if checksum == md5 or not part_sizes(checksum, size):
        return checksum != md5 and is_one_part(checksum, md5)
    if is_one_part(checksum, md5):
        return True
    hashes = PartHashes(size, checksum)
    os.lseek(fd, 0, os.SEEK_SET)
    while block := os.read(fd, _BLOCK):
        hashes.update(memoryview(block))
    os.lseek(fd, 0, os.SEEK_SET)
    return hashes.match(checksum, md5)


def md5_of_file(fd: int) -> str:
    """Return the MD5 of an open file, from its beginning. Its position is at the beginning afterwards."""
    return hash_file(fd, hashlib.md5(usedforsecurity=False)).hexdigest()


def hash_file(fd: int, hashed: Hash) -> Hash:
    """Hash an open file, from its beginning, and return the hash. Its position is at the beginning afterwards."""
    os.lseek(fd, 0, os.SEEK_SET)
    while block := os.read(fd, _BLOCK):
        hashed.update(block)
    os.lseek(fd, 0, os.SEEK_SET)
    return hashed


def hash_range(hashed: Hash, fd: int, start: int, end: int) -> None:
    """Hash a range of an open file. Its position does not move.

    Raises:
        EOFError: The file is shorter.
    """
    while start < end:
        block = os.pread(fd, min(_BLOCK, end - start), start)
        if not block:
            msg = f"the file is shorter than expected: {start} of {end} bytes"
            raise EOFError(msg)
        hashed.update(block)
        start += len(block)
