"""Checksums of objects that were written through lakeFS's S3 gateway in parts.

S3 gives such an object the MD5 of the MD5s of its parts, "-" and their number. lakeFS keeps what is before the "-"
(`HandleCompleteMultipartUpload` in its `pkg/gateway/operations/postobject.go`), and that looks like an MD5 of content.
The length of the parts is kept nowhere, so the usual ones are tried. A match cannot be a coincidence.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Final

#: The shortest part of a multipart upload that is not the last one.
SHORTEST_PART: Final = 5 << 20
#: Lengths of the parts of usual S3 clients in bytes: boto3 and the AWS CLI use 8 MiB, rclone 5, Arrow and object_store
#: 10, mc 16, s3fs 50, Hadoop 64 or 100. The others are what people set.
PART_SIZES: Final = tuple(count << 20 for count in (5, 8, 10, 16, 20, 25, 32, 50, 64, 100, 128))


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


def part_sizes(checksum: str, size: int) -> list[int]:
    """Return the usual lengths of parts that content may have been uploaded in, in bytes.

    Args:
        checksum: What the server has: an ETag of S3, which ends with the number of parts, or the beginning of one.
        size: Length of the content in bytes.
    """
    found = _ETAG.fullmatch(checksum)
    if found is None:
        return []
    return [each for each in PART_SIZES if each < size and found[1] in (None, str(-(-size // each)))]


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


class _Parts:
    """The checksum of an upload in parts of one length."""

    def __init__(self, length: int) -> None:
        self._length = self._left = length
        self._part, self._all = _md5(), _md5()

    def update(self, block: memoryview) -> None:
        at = 0
        while at < len(block):
            piece = block[at : at + self._left]
            self._part.update(piece)
            at += len(piece)
            self._left -= len(piece)
            if not self._left:
                self._all.update(self._part.digest())
                self._part, self._left = _md5(), self._length

    def hexdigest(self) -> str:
        found = self._all.copy()
        if self._left < self._length:
            found.update(self._part.digest())
        return found.hexdigest()


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
