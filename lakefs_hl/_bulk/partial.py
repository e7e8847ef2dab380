"""A large local file while its object is fetched: what is there of it, its hash, and what becomes of it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from lakefs_hl._bulk import comparing
from lakefs_hl._folders.parts import Part
from lakefs_hl.ops.comparison import Comparison, is_etag, wrong
from lakefs_hl.spec.wire import Hash


class Partial:
    """A large file that is fetched in parts, or in ranges at the same time.

    Args:
        part: The file.
        size: Size of the object in bytes.
        checksum: Its ETag.
        mtime_ns: Modification time that the file gets, in nanoseconds.
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
        watch: Callable[[], None] | None = None,
        on_move: Callable[[int], None] | None = None,
    ) -> None:
        self._part, self._watch = part, watch
        self._size, self._checksum, self._mtime_ns = size, checksum, mtime_ns
        self.on_move = on_move
        self.fd = part.fd
        self.filled = part.size
        self._lock = threading.Lock()
        self._landed = dict[int, int]()
        self._follows = False
        self._hashed: Hash | None = None

    def hash_start(self, compared: Comparison | None) -> Hash | None:
        """Return the hash of what is there already. None if nothing is compared."""
        empty = None if compared is None else compared.begin(self._checksum, self._size)
        return None if empty is None else comparing.hash_file(self.fd, empty)

    def spread(self, hashed: Hash | None) -> None:
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
        """End the writing of ranges, if all are there. Return the digits of the file's hash, if it was hashed.

        Else the file stays as it is until it is continued: a range that was cancelled may still be written to it.
        """
        if self.filled < self._size:
            return None
        self._part.collect(self.filled)
        return None if self._hashed is None else self._hashed.hexdigest()

    def check(self, found: str | None, compared: Comparison | None) -> str | None:
        """Return what is wrong with the whole content. None if nothing is.

        Args:
            found: The digits of its hash. The file is read and hashed if they are not known.
            compared: What compares it. None if only its length counts.
        """
        size = os.fstat(self.fd).st_size
        if size != self._size:
            return f"received {size} bytes, and the object has {self._size}"
        empty = None if compared is None else compared.begin(self._checksum, self._size)
        if compared is None or empty is None:
            return None
        found = found or comparing.hash_file(self.fd, empty).hexdigest()
        if compared.takes(self._checksum, self._size, found):
            return None
        if not is_etag(self._checksum) and comparing.is_upload_in_parts(self.fd, self._checksum, found):
            return None
        return wrong(self._checksum, found)

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
