"""Whether content that was read is that of an object, as far as the object's checksum shows it.

The checksum of an object that was written at once is the MD5 of its content. Of one that was written in parts it is
that of the MD5s of its parts, whose length no server tells: `spec.multipart.part_sizes` knows the likely ones. If one
of them gives the checksum, the content is verified. If none does, the parts have another length, or the store encrypts
with a key, or the content is damaged. Nothing tells which, so the content is read again: what was damaged on its way is
not damaged in the same way twice. Content that was received twice alike is taken, and the session does not compare such
objects of that repository any more.
"""

from __future__ import annotations

import hashlib

from lakefs_hl.ops.presign import MD5
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec.multipart import EtagHash, part_sizes
from lakefs_hl.spec.wire import Hash


def is_etag(checksum: str) -> bool:
    """Return whether a checksum says how many parts the object was written in."""
    return "-" in checksum


def hash_for(checksum: str, size: int) -> Hash | None:
    """Return what hashes content from its start, to be compared. None if no content can be compared with the checksum.

    Args:
        checksum: The object's.
        size: Size of the object in bytes.
    """
    if MD5.fullmatch(checksum):
        return hashlib.md5(usedforsecurity=False)
    sizes = part_sizes(checksum, size) if is_etag(checksum) else []
    return EtagHash(checksum, sizes) if sizes else None


class Comparison:
    """What is received of one object, compared with its checksum, as often as it is read.

    Args:
        session: The client's session.
        repository: Repository ID.
    """

    __slots__ = ("_known", "_repository", "_seen")

    def __init__(self, session: Session, repository: str) -> None:
        self._known, self._repository = session.incomparable, repository
        self._seen = set[str]()

    def begin(self, checksum: str, size: int) -> Hash | None:
        """Return what `hash_for` does. None also if such objects of the repository could not be compared before."""
        if is_etag(checksum) and self._key(checksum, size) in self._known:
            return None
        return hash_for(checksum, size)

    def go_on(self, hashed: Hash, count: int, checksum: str, size: int) -> Hash | None:
        """Return what `begin` does, after the first bytes.

        Args:
            hashed: Their MD5: the checksum was not known.
            count: Their number.
            checksum: The object's.
            size: Size of the object in bytes.
        """
        if not is_etag(checksum):
            return hashed
        made = self.begin(checksum, size)
        return made if isinstance(made, EtagHash) and made.start(hashed, count) else None

    def note_encryption(self, checksum: str, size: int) -> None:
        """Compare no such object: the store encrypts with a key, and makes the checksums of parts of other digits."""
        if is_etag(checksum):
            self._known.add(self._key(checksum, size))

    def takes(self, checksum: str, size: int, found: str) -> bool:
        """Return whether content is taken: it has the checksum, or was read twice alike and was written in parts.

        Args:
            checksum: The object's.
            size: Size of the object in bytes.
            found: Digits of the hash of the content that was received.
        """
        if found == checksum:
            return True
        if not is_etag(checksum):
            return False
        if found not in self._seen:
            self._seen.add(found)
            return False
        self._known.add(self._key(checksum, size))
        return True

    def _key(self, checksum: str, size: int) -> tuple[str, int]:
        """Return what objects of a kind have in common: the most likely length, 0 of those in one part or of none."""
        sizes = part_sizes(checksum, size)
        return self._repository, sizes[0] if len(sizes) and not checksum.endswith("-1") else 0


def kind(found: str) -> str:
    """Return what the digits of a hash are, for messages."""
    return "checksum" if is_etag(found) else "MD5"


def wrong(checksum: str, found: str) -> str:
    """Return what is wrong with content that is not taken, for messages."""
    return f"the content has {kind(found)} {found}, the object has {checksum}"
