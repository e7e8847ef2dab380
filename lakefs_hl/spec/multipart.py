"""Checksums of objects that were written in parts.

S3 gives such an object the MD5 of the MD5s of its parts, "-" and their number. lakeFS keeps that of uploads that it
signs, and of imported objects. Of those through its S3 gateway it keeps what is before the "-"
(`HandleCompleteMultipartUpload` in its `pkg/gateway/operations/postobject.go`), and that looks like an MD5 of content.
The length of the parts is kept nowhere, so the usual ones are tried. A match cannot be a coincidence.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from lakefs_hl.spec.wire import Hash

#: The shortest part of a multipart upload that is not the last one.
SHORTEST_PART: Final = 5 << 20
#: Lengths of the parts of usual S3 clients in bytes: boto3 and the AWS CLI use 8 MiB, rclone 5, Arrow and object_store
#: 10, mc 16, s3fs 50, Hadoop 64 or 100. The others are what people set.
PART_SIZES: Final = tuple(count << 20 for count in (5, 8, 10, 16, 20, 25, 32, 50, 64, 100, 128))
#: Length of the parts that this package sends in bytes, unless the object would have too many of them.
PART_BYTES: Final = 16 << 20
_MIB: Final = 1 << 20
#: Most lengths of parts that are tried for one object: the content is hashed once for each.
_MOST_TRIED: Final = 3

_ETAG: Final = re.compile(r"[0-9a-f]{32}(?:-([0-9]{1,5}))?")
#: The most parts that an upload may have.
MOST_PARTS: Final = 10_000


def combined_etag(md5s: Iterable[bytes]) -> str:
    """Return the ETag that S3 gives an object in parts: the MD5 of their MD5s, "-" and their number.

    Args:
        md5s: MD5 of each part, in their order.
    """
    digests = list(md5s)
    return f"{_md5(b''.join(digests)).hexdigest()}-{len(digests)}"


def is_one_part(checksum: str, md5: str) -> bool:
    """Return whether a checksum is that of an upload in one part, by the MD5 of the content."""
    return _md5(bytes.fromhex(md5)).hexdigest() == checksum


def part_size(length: int) -> int:
    """Return the length of the parts of an object that this package sends, in bytes: it grows with the object.

    Args:
        length: Bytes of the object.
    """
    size = PART_BYTES
    while size * MOST_PARTS < length:
        size *= 2
    return size


def part_sizes(checksum: str, size: int) -> list[int]:
    """Return the lengths of parts that content may have been uploaded in, in bytes, the most likely ones first.

    Args:
        checksum: What the server has: an ETag of S3, which ends with the number of parts, or the beginning of one.
        size: Length of the content in bytes.
    """
    found = _ETAG.fullmatch(checksum)
    if found is None:
        return []
    if found[1] is None:
        return [each for each in PART_SIZES if each < size]
    count = int(found[1])
    if not 0 < count <= size:
        return []
    if count == 1:
        return [size]
    least, most = -(-size // count), (size - 1) // (count - 1)
    whole = range(max(-(-least // _MIB) * _MIB, SHORTEST_PART), most + 1, _MIB)
    # the number of many parts leaves one whole number of MiB, and that of few leaves several: then the usual ones;
    # for more than 10,000 parts, SDKs in Go take a length that is no whole number of MiB
    usual = whole if len(whole) == 1 else PART_SIZES
    tried = dict.fromkeys((part_size(size), *usual, size // MOST_PARTS + 1))
    return [each for each in tried if least <= each <= most][:_MOST_TRIED]


class PartHashes:
    """Checksums of content as an upload in parts of each usual length, and its MD5.

    Args:
        size: Length of the content in bytes.
        checksum: An ETag that says how many parts there are. Defaults to any number.
    """

    def __init__(self, size: int, checksum: str = "0" * 32) -> None:
        self._whole = _md5()
        self._parts = [_Parts(length) for length in part_sizes(checksum, size)]

    def update(self, block: memoryview) -> None:
        """Hash the next bytes."""
        self._whole.update(block)
        for parts in self._parts:
            parts.update(block)

    def match(self, checksum: str, md5: str) -> bool:
        """Return whether the content has this MD5, and the checksum is that of an upload of it in parts."""
        if self._whole.hexdigest() != md5:
            return False
        digest = checksum.partition("-")[0]
        return is_one_part(checksum, md5) or any(parts.hexdigest() == digest for parts in self._parts)


class EtagHash:
    """The checksum of content as an upload in parts, used as an object of hashlib.

    Args:
        checksum: The ETag that is expected: of several lengths of parts, the one that gives it counts.
        sizes: The lengths of parts that are tried, in bytes.
    """

    __slots__ = ("_checksum", "_parts")

    def __init__(self, checksum: str, sizes: Sequence[int]) -> None:
        self._checksum = checksum
        self._parts = [_Parts(length) for length in sizes]

    def update(self, block: Any, /) -> None:
        """Hash the next bytes."""
        view = memoryview(block).cast("B")  # parts have bytes, whatever the items of a buffer are
        for parts in self._parts:
            parts.update(view)

    def start(self, hashed: Hash, count: int) -> bool:
        """Go on after the first bytes, which were hashed already. Return whether all of them are of the first part.

        Args:
            hashed: Their MD5. It stays as it is.
            count: Their number.
        """
        fits = True
        for parts in self._parts:
            fits = parts.start(hashed, count) and fits
        return fits

    def copy(self) -> Self:
        """Return a hash that goes on from here by itself."""
        made = type(self)(self._checksum, ())
        made._parts = [parts.copy() for parts in self._parts]
        return made

    def hexdigest(self) -> str:
        """Return the ETag: the one that is expected, if a length gives it, else that of the first length."""
        found = [parts.etag() for parts in self._parts]
        return self._checksum if self._checksum in found else found[0]


class _Parts:
    """The checksum of an upload in parts of one length."""

    __slots__ = ("_all", "_count", "_left", "_length", "_part")

    def __init__(self, length: int) -> None:
        self._length = self._left = length
        self._count = 0
        self._part: Hash = _md5()
        self._all: Hash = _md5()

    def start(self, hashed: Hash, count: int) -> bool:
        self._part, self._left = hashed.copy(), self._length - count
        if not self._left:
            self._end_part()
        return self._left >= 0

    def update(self, block: memoryview) -> None:
        at = 0
        while at < len(block):
            piece = block[at : at + self._left]
            self._part.update(piece)
            at += len(piece)
            self._left -= len(piece)
            if not self._left:
                self._end_part()

    def _end_part(self) -> None:
        self._all.update(bytes.fromhex(self._part.hexdigest()))
        self._part, self._left = _md5(), self._length
        self._count += 1

    def copy(self) -> _Parts:
        made = _Parts(self._length)
        made._left, made._count = self._left, self._count
        made._part, made._all = self._part.copy(), self._all.copy()
        return made

    def hexdigest(self) -> str:
        return self.etag().partition("-")[0]

    def etag(self) -> str:
        found, count = self._all.copy(), self._count
        if self._left < self._length:
            found.update(bytes.fromhex(self._part.hexdigest()))
            count += 1
        return f"{found.hexdigest()}-{count}"


def _md5(content: bytes = b"") -> hashlib._Hash:
    return hashlib.md5(content, usedforsecurity=False)


def is_upload_of(checksum: str, md5: str, content: bytes) -> bool:
    """Return whether a checksum is that of content that was uploaded in parts.

    Args:
        checksum: What the server has, in 32 hexadecimal digits.
        md5: MD5 of the content.
        content: The content.
    """
    if is_one_part(checksum, md5):
        return True
    if len(content) <= SHORTEST_PART:
        return False
    hashes = PartHashes(len(content))
    hashes.update(memoryview(content))
    return hashes.match(checksum, md5)
