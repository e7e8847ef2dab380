"""Partitions: the objects of a prefix, split into ranges of about the same size, in one listing.

The listing is summed up in bins: ranges of paths that follow each other. Whenever there are too many of them, small
neighbours are joined, so that memory grows with the number of partitions and not with that of the objects. A partition
is a run of bins. So each object is in exactly one of them, whatever its size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, Literal, NamedTuple, TypeAlias

from lakefs_hl.ops import objects
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import models
from lakefs_hl.spec.limits import MAX_PAGE

#: What is to be about the same in all partitions.
Measure: TypeAlias = Literal["bytes", "objects"]
#: Most bins: some, and some for each partition.
BINS: Final = 1024
BINS_PER_PARTITION: Final = 64
#: The share of all bins that the size and the number of objects of a joined bin come to.
SHARE: Final = 8


class Range(NamedTuple):
    """Objects that follow each other.

    Attributes:
        after: Path before the first one; "" for the beginning.
        last: Path of the last one.
        object_count: Number of objects.
        total_bytes: The sum of their sizes in bytes.
    """

    after: str
    last: str
    object_count: int
    total_bytes: int


class Bins:
    """Ranges that are joined when there are too many.

    Args:
        most: Number of partitions.
        by: What is to be about the same in all of them.
    """

    def __init__(self, most: int, by: Measure) -> None:
        self._most = most
        self._limit = BINS + BINS_PER_PARTITION * most
        self._by_bytes = by == "bytes"
        self._last = ""
        self._ranges = list[Range]()

    def add(self, rows: Iterable[models.ObjectStats]) -> None:
        """Add objects, in the order of their paths."""
        for row in rows:
            self._ranges.append(Range(self._last, row.path, 1, row.size_bytes or 0))
            self._last = row.path
        if len(self._ranges) > self._limit:
            self._ranges = list(self._join())

    def _weight(self, found: Range) -> int:
        """Return the weight of a range. An object counts a byte more than it has: empty ones are spread too."""
        return found.total_bytes + found.object_count if self._by_bytes else found.object_count

    def _join(self) -> Iterator[Range]:
        heaviest = SHARE * sum(map(self._weight, self._ranges)) // self._limit
        largest = SHARE * sum(found.object_count for found in self._ranges) // self._limit
        joined = self._ranges[0]
        for found in self._ranges[1:]:
            both = _join(joined, found)
            if self._weight(both) <= heaviest and both.object_count <= largest:
                joined = both
            else:
                yield joined
                joined = found
        yield joined

    def split(self) -> list[Range]:
        """Return the partitions: as many as there are to be, or one for each object if there are fewer of these."""
        found, left = list[Range](), self._ranges
        rest, at = sum(map(self._weight, left)), 0
        for parts in range(min(self._most, len(left)), 0, -1):
            taken, at = left[at], at + 1
            while at <= len(left) - parts:  # the others need one each
                both = _join(taken, left[at])
                short = rest - parts * self._weight(taken)  # both times the number of partitions that are left
                over = parts * self._weight(both) - rest
                if over > max(0, short):
                    break
                taken, at = both, at + 1
            rest -= self._weight(taken)
            found.append(taken)
        return found


def _join(one: Range, other: Range) -> Range:
    return Range(one.after, other.last, one.object_count + other.object_count, one.total_bytes + other.total_bytes)


def split(session: Session, repository: str, commit: str, most: int, prefix: str, by: Measure) -> Op[list[Range]]:
    """Split the objects of a commit.

    Args:
        session: The client's session.
        repository: Repository ID.
        commit: ID of the commit.
        most: Maximum number of ranges.
        prefix: Consider only objects with this prefix.
        by: What is to be about the same in all ranges.

    Raises:
        NotFoundException: The repository or the commit does not exist.
    """
    bins = Bins(most, by)
    after, more = "", True
    while more:
        page = yield from objects.list_page(session, repository, commit, after, MAX_PAGE, prefix=prefix)
        bins.add(page.results)
        after, more = page.pagination.next_offset, page.pagination.has_more
    return bins.split()
