"""Counts of a transfer that is shown: totals, rates and the time left."""

from __future__ import annotations

from math import ceil
from typing import Final

from lakefs_hl._handles.amounts import count_text, duration_text, size_text

#: Weight of the latest interval in a rate.
_SMOOTHING: Final = 0.3
#: How different the sizes of objects must have been for their number and their bytes to be distinguished.
_APART: Final = 0.05
#: Objects of this mean size and above, in bytes, are measured by their bytes: one takes long enough to be watched.
LARGE: Final = 1 << 20


class Meter:
    """What was done of a transfer. Not thread-safe.

    Attributes:
        objects: Number of objects that ended: transferred, skipped, failed or deleted.
        bytes: Number of bytes that were transferred.
        skipped: Number of objects that were skipped.
        failed: Number of objects that failed.
        total_objects: Number of objects to come in all. None if it is unknown.
        total_bytes: Number of bytes to come in all. None if it is unknown.
    """

    __slots__ = (
        "_byte_rate",
        "_object_rate",
        "_seen",
        "_sums",
        "bytes",
        "failed",
        "objects",
        "skipped",
        "started",
        "total_bytes",
        "total_objects",
    )

    def __init__(self, now: float) -> None:
        self.objects = self.bytes = self.skipped = self.failed = 0
        self.total_objects: int | None = None
        self.total_bytes: int | None = None
        self.started = now
        self._seen = (now, 0, 0)
        self._object_rate = self._byte_rate = 0.0
        #: Sums of n², n·b, b², n·t and b·t, where n objects and b bytes took t seconds.
        self._sums: tuple[float, ...] = (0.0,) * 5

    def is_empty(self) -> bool:
        """Return whether nothing was done, and nothing is known of what is to come."""
        return not self.objects and not self.bytes and self.total_objects is None and self.total_bytes is None

    def by_bytes(self) -> bool:
        """Return whether the progress of the transfer is best seen by its bytes."""
        if self.total_bytes is None:
            return False
        return self.total_objects == 1 or self.total_bytes >= LARGE * (self.total_objects or 1)

    def look(self, now: float) -> None:
        """Take the rates since the last look into account."""
        before, objects, size = self._seen
        seconds = now - before
        if seconds <= 0:
            return
        first = before == self.started
        n, b = max(self.objects - objects, 0), max(self.bytes - size, 0)
        for name, more in (("_object_rate", n), ("_byte_rate", b)):
            old, new = getattr(self, name), more / seconds
            setattr(self, name, new if first else old + _SMOOTHING * (new - old))
        latest = (n * n, n * b, b * b, n * seconds, b * seconds)
        self._sums = tuple((1 - _SMOOTHING) * old + new for old, new in zip(self._sums, latest, strict=True))
        self._seen = (now, self.objects, self.bytes)

    def seconds_left(self) -> float | None:
        """Return the time left in seconds. None if it is unknown."""
        pairs = []
        if self.total_objects is not None:
            pairs.append((self.total_objects - self.objects, self._object_rate))
        if self.total_bytes is not None:
            pairs.append((self.total_bytes - self.bytes, self._byte_rate))
        if not pairs:
            return None
        if len(pairs) == 2 and (costs := self._costs()) is not None:
            return sum(max(left, 0) * cost for (left, _), cost in zip(pairs, costs, strict=True))
        if any(left > 0 and rate <= 0 for left, rate in pairs):
            return None
        return max(left / rate if left > 0 else 0.0 for left, rate in pairs)

    def _costs(self) -> tuple[float, float] | None:
        """Return the seconds that an object and a byte have cost, by least squares. None if both are not known apart.

        A large file that comes first takes its time for its bytes, and tells little of the small ones that follow.
        """
        nn, nb, bb, nt, bt = self._sums
        apart = nn * bb - nb * nb
        if apart <= _APART * nn * bb:
            return None
        by_object, by_byte = (nt * bb - bt * nb) / apart, (bt * nn - nt * nb) / apart
        if by_object < 0:
            return 0.0, bt / bb
        return (nt / nn, 0.0) if by_byte < 0 else (by_object, by_byte)

    def note(self, now: float, *, by_bytes: bool) -> str:
        """Return what a bar does not show itself: the bytes of a bar of objects, the objects of a bar of bytes."""
        parts = []
        if by_bytes and self.total_objects != 1:
            of = "" if self.total_objects is None else f"/{max(self.total_objects, self.objects):,}"
            parts.append(f"{self.objects:,}{of} objects")
        elif not by_bytes and self.bytes:
            parts.append(f"{size_text(self.bytes)}, {size_text(self.bytes / max(now - self.started, 1e-6))}/s")
        return ", ".join(parts + self._others())

    def line(self, title: str, now: float, *, ended: bool) -> str:
        """Return everything in one line of text."""
        seconds = max(now - self.started, 1e-6)
        objects, size = self._object_rate, self._byte_rate
        if ended:
            objects, size = self.objects / seconds, self.bytes / seconds
        fraction = self._fraction()
        head = f"{title}: " + (f"{fraction:.0%} " if fraction is not None else "")
        if self.total_objects is None:
            head += count_text(self.objects, "object")
        else:
            head += f"{self.objects:,}/{count_text(max(self.total_objects, self.objects), 'object')}"
        parts = [f"{head} ({objects:,.0f}/s)", *self._others()]
        if self.bytes or self.total_bytes:
            of = "" if self.total_bytes is None else f"/{size_text(max(self.total_bytes, self.bytes))}"
            parts.append(f"{size_text(self.bytes)}{of} ({size_text(size)}/s)")
        left = self.seconds_left()
        if ended:
            parts.append(f"in {duration_text(seconds)}")
        elif left is not None:
            parts.append(f"{duration_text(ceil(left))} left")
        return ", ".join(parts)

    def _fraction(self) -> float | None:
        done, total = (self.bytes, self.total_bytes) if self.by_bytes() else (self.objects, self.total_objects)
        if total is None:
            return None
        return min(done / total, 1.0) if total else 1.0

    def _others(self) -> list[str]:
        pairs = ((self.skipped, "skipped"), (self.failed, "failed"))
        return [f"{number:,} {word}" for number, word in pairs if number]
