"""A large local file while its object is fetched: what is there of it, its hash, and what becomes of it."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable

from lakefs_hl._bulk import comparing
from lakefs_hl._folders.parts import Part
from lakefs_hl.ops.presign import MD5


class Partial:
    """A large file that is fetched in parts, or in ranges at the same time.

    Args:
        part: The file.
        size: Size of the object in bytes.
        checksum: Its ETag.
        mtime_ns: Modification time that the file gets, in nanoseconds.
        verify: Whether to compare the content with the checksum.
        watch: Raises if the file that is there must not be replaced after all.
        on_move: Takes how many bytes are there, while it is fetched.

    Attributes:
        fd: Its descriptor.
        filled: Number of bytes that are there.
        on_move: Takes how many are there, while it is fetched.
    """

    def __init__(
        self,
        part: Part,
        size: int,
        checksum: str,
        mtime_ns: int,
        *,
        verify: bool = True,
        watch: Callable[[], None] | None = None,
        on_move: Callable[[int], None] | None = None,
    ) -> None:
        self._part, self._verify, self._watch = part, verify, watch
        self._size, self._checksum, self._mtime_ns = size, checksum, mtime_ns
        self.on_move = on_move
        self.fd = part.fd
        self.filled = part.size
        self._lock = threading.Lock()
        self._landed = dict[int, int]()
        self._follows = False
        self._hashed: hashlib._Hash | None = None

    def hash_start(self) -> hashlib._Hash | None:
        """Return the hash of what is there already. None if nothing is verified by its MD5."""
        if not self._verify or not MD5.fullmatch(self._checksum):
            return None
        return comparing.hash_file(self.fd)

    def spread(self, hashed: hashlib._Hash | None) -> None:
        """Prepare for ranges in any order. `hashed` is the hash of what is complete, if it goes on."""
        self._hashed = None if hashed is None else hashed.copy()
        self._landed, self._follows = {}, False
        self._part.spread(self._size, self.filled)

    def land(self, start: int, end: int) -> None:
        """Take a range that was written. What is complete from the beginning is hashed. Thread-safe.

        One thread hashes at a time, and it goes on with what others bring meanwhile.
        """
        with self._lock:
            self._landed[start] = end
            if self._follows:
                return
            self._follows = True
        while True:
            with self._lock:
                at = self.filled
                while at in self._landed:
                    at = self._landed.pop(at)
                if at == self.filled:
                    self._follows = False
                    return
            if self._hashed is not None:
                comparing.hash_range(self._hashed, self.fd, self.filled, at)
            self._part.spread(self._size, at)
            self.filled = at
            if self.on_move is not None:
                self.on_move(at)

    def collect(self) -> str | None:
        """End the writing of ranges, if all are there. Return the MD5 of the file, if it was hashed.

        Else the file stays as it is until it is continued: a range that was cancelled may still be written to it.
        """
        if self.filled < self._size:
            return None
        self._part.collect(self.filled)
        return None if self._hashed is None else self._hashed.hexdigest()

    def check(self, md5: str | None) -> str | None:
        """Return what is wrong with the whole content. It is read and hashed unless its MD5 is known."""
        size = os.fstat(self.fd).st_size
        if size != self._size:
            return f"received {size} bytes, and the object has {self._size}"
        if not self._verify or not MD5.fullmatch(self._checksum):
            return None
        found = md5 or comparing.md5_of_file(self.fd)
        if found == self._checksum or comparing.is_upload_in_parts(self.fd, self._checksum, found):
            return None
        return f"the content has MD5 {found}, the object has {self._checksum}"

    def restart(self) -> None:
        """Drop the content."""
        self._part.restart()
        self.filled = 0

    def finish(self) -> None:
        """Give the file its name and its time."""
        if self._watch is not None:
            self._watch()
        self._part.finish(self._mtime_ns)

    def close(self) -> None:
        """Close the file. One without its name is kept, for a later call to continue."""
        if self._part.fd >= 0:
            self._part.size = min(self.filled or os.fstat(self._part.fd).st_size, self._size)
            self._part.keep()
