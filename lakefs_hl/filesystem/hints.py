"""Hints for `open`: what this instance looked up, and the versions of objects that it had open a moment ago.

A hint is never the result of `info`, `exists`, `ls` or `find`. The first response of a file that was opened by one has
to agree with it: see `files`.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from datetime import datetime
from typing import Any, Final, NamedTuple
from weakref import WeakValueDictionary

from lakefs_hl.filesystem.listings import keep

#: How long after the last response about it a version may be opened again without a request, in seconds.
RECENT_SECONDS: Final = 3.0


class Found(NamedTuple):
    """An object, as a look-up or a listing had it.

    Attributes:
        checksum: Its checksum.
        size: Its size in bytes.
        modified: When it was written.
    """

    checksum: str
    size: int
    modified: datetime


class Version:
    """A version of an object that files read.

    Attributes:
        checksum: Its ETag, without quotes.
        size: Its size in bytes.
        modified: When it was written. None if no look-up had it.
        is_told: Whether `size` or `modified` of the file system returned it: files of it read no other one then.
        seen: When a response had it last, on the monotonic clock; infinite for objects of commits.
    """

    __slots__ = ("__weakref__", "checksum", "is_told", "modified", "seen", "size")

    def __init__(self, checksum: str, size: int, modified: datetime | None, seen: float) -> None:
        self.checksum, self.size, self.modified = checksum, size, modified
        self.is_told = False
        self.seen = seen

    def is_recent(self) -> bool:
        """Return whether a response had it in the last seconds."""
        return time.monotonic() - self.seen < RECENT_SECONDS

    def confirm(self) -> None:
        """Note that a response had it now."""
        self.seen = max(self.seen, time.monotonic())


class Hints:
    """The hints of one instance, by names of objects. It has no lock, because finalisers call it, and forks copy it."""

    def __init__(self) -> None:
        self._found: OrderedDict[str, Found] = OrderedDict()
        self._open: WeakValueDictionary[str, Version] = WeakValueDictionary()
        self._dropped: OrderedDict[str, Version] = OrderedDict()

    def put(self, row: dict[str, Any]) -> None:
        """Note an object that was looked up or listed. A new read begins with that.

        Args:
            row: What `info` has of it.
        """
        name, found = row["name"], Found(row["checksum"], row["size"], row["modified"])
        keep(self._found, name, found)
        self._dropped.pop(name, None)
        known = self._open.get(name)
        if known is not None and known.checksum != found.checksum:
            self._open.pop(name, None)

    def size(self, name: str) -> int | None:
        """Return the size that an object had when it was looked up last, as far as it is known."""
        found = self._found.get(name)
        return None if found is None else found.size

    def note(self, name: str, checksum: str, size: int, *, is_fixed: bool) -> Version:
        """Note the version that the first response of a file had.

        Args:
            name: Name of the object.
            checksum: Its ETag, without quotes.
            size: Its size in bytes.
            is_fixed: Whether the object never changes, because it is in a commit.
        """
        found, known = self._found.get(name), self._open.get(name)
        if known is not None and known.checksum == checksum:
            known.confirm()
            return known
        modified = found.modified if found is not None and found.checksum == checksum else None
        version = Version(checksum, size, modified, float("inf") if is_fixed else time.monotonic())
        self._dropped.pop(name, None)
        if checksum:
            self._open[name] = version
        return version

    def again(self, name: str) -> Version | None:
        """Return the version to open without a request, for an object that was opened a moment ago. None if none is."""
        version = self._open.get(name) or self._dropped.get(name)
        if version is None or not version.is_recent():
            return None
        self._open[name] = version
        return version

    def open_now(self, name: str) -> Version | None:
        """Return the version that a file of this instance reads, which was confirmed a moment ago. None if none is."""
        version = self._open.get(name)
        return version if version is not None and version.is_recent() else None

    def drop(self, name: str, version: Version) -> None:
        """Note that a file was dropped without being closed: a library may go on with another file."""
        if self._open.get(name) is version:
            keep(self._dropped, name, version)

    def close(self, name: str) -> None:
        """Note that a file was closed: the next one is opened anew, unless another one is still open."""
        self._dropped.pop(name, None)

    def forget(self, name: str) -> None:
        """Forget an object that turned out to be another one."""
        self._found.pop(name, None)
        self._open.pop(name, None)
        self._dropped.pop(name, None)

    def clear(self) -> None:
        """Forget everything."""
        self._found.clear()
        self._open.clear()
        self._dropped.clear()
