"""Three-way merge: bring into one tree what another changed since their common base.

Leaves that differ from the base, on either side, are gathered into regions of keys. A region that only the source
changed is grafted: its leaves are put in place by reference, and none is read. Only a region that both changed is
compared entry by entry, so cost follows the changes.

Two traps, each of which loses changes without a word:

- Ranges that merely touch belong to one region: if one side deletes the key at which two leaves meet, they become one.
- Edits before a grafted region may move cuts into it, and the edit and the graft would be two answers for the same
  leaves. `apply` reports each region that is crossed so, and that region is merged entry by entry, in the same pass.
  (Where a region ends is no matter: cuts depend on what is before them.)

Rules of the room: counts are not known after a graft; who needs a summary makes a diff.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from lakefs_hl.local.tree.diff import LEFT, Same, changed_leaves, diff
from lakefs_hl.local.tree.read import Reader
from lakefs_hl.local.tree.write import Edit, Grafts, apply

Strategy = Literal["dest-wins", "source-wins"]


class Conflict(NamedTuple):
    """A key that both sides changed, differently. None: the key is not there."""

    key: bytes
    base: bytes | None
    dest: bytes | None
    source: bytes | None


class _Region:
    """Touching ranges of changed leaves, low < key <= high, in which no other leaf of the three trees was changed."""

    def __init__(self, low: bytes) -> None:
        self.low = low
        self.high = low
        self.by_dest = False
        self.removed: list[tuple[bytes, bytes]] = []  # last key and digest of the base's leaves that the source dropped
        self.added: list[tuple[bytes, bytes]] = []  # of the source's leaves in their place

    def by_source(self) -> bool:
        return bool(self.removed or self.added)

    def grafts(self) -> list[Edit]:
        """Return the edits of level 1 that put the source's leaves in place."""
        return sorted({**dict.fromkeys(key for key, _ in self.removed), **dict(self.added)}.items())


def _regions(reader: Reader, base: bytes, dest: bytes, source: bytes) -> Iterator[_Region]:
    """Yield the regions in key order."""
    changes = [(low, high, False, side, digest) for low, high, side, digest in changed_leaves(reader, base, dest)]
    changes += [(low, high, True, side, digest) for low, high, side, digest in changed_leaves(reader, base, source)]
    changes.sort()
    region: _Region | None = None
    for low, high, from_source, side, digest in changes:
        if region is None or low > region.high:  # equal: they touch, and belong together
            if region is not None:
                yield region
            region = _Region(low)
        region.high = max(region.high, high)
        if not from_source:
            region.by_dest = True
        else:
            (region.removed if side == LEFT else region.added).append((high, digest))
    if region is not None:
        yield region


class _Merge:
    def __init__(
        self, reader: Reader, roots: tuple[bytes, bytes, bytes], same: Same, strategy: Strategy | None
    ) -> None:
        self.reader = reader
        self.base, self.dest, self.source = roots
        self.same = same
        self.strategy = strategy
        self.grafted: dict[bytes, _Region] = {}  # by where they begin
        self.conflicts: list[Conflict] = []

    def run(self) -> tuple[bytes | None, list[Conflict]]:
        can_graft = bool(self.reader.load(self.dest).keys)
        edits: list[Edit] = []
        for region in _regions(self.reader, self.base, self.dest, self.source):
            if not region.by_source():
                continue
            if can_graft and not region.by_dest:
                self.grafted[region.low] = region
            else:
                edits += self.compare(region)
        if self.conflicts:
            return None, self.conflicts
        leaves = {low: region.grafts() for low, region in self.grafted.items()}
        return apply(self.reader, self.dest, edits, Grafts(leaves, lambda low: self.compare(self.grafted[low]))), []

    def compare(self, region: _Region) -> list[Edit]:
        """Merge a region entry by entry."""
        start, end = region.low + b"\0", region.high + b"\0"
        edits: list[Edit] = []
        by_dest: dict[bytes, bytes | None] = {}
        if region.by_dest:
            changes = diff(self.reader, self.base, self.dest, self.same, start=start, end=end)
            by_dest = {key: value for key, _, value in changes}
        for key, old, new in diff(self.reader, self.base, self.source, self.same, start=start, end=end):
            if key in by_dest:
                ours = by_dest[key]
                if ours is new or (ours is not None and new is not None and (ours == new or self.same(ours, new))):
                    continue
                if self.strategy is None:
                    self.conflicts.append(Conflict(key, old, ours, new))
                    continue
                if self.strategy == "dest-wins":
                    continue
            edits.append((key, new))
        return edits


def merge(
    reader: Reader, base: bytes, dest: bytes, source: bytes, *, same: Same, strategy: Strategy | None
) -> tuple[bytes | None, list[Conflict]]:
    """Return the merged root, or None and the conflicts in key order."""
    if strategy not in (None, "dest-wins", "source-wins"):
        raise ValueError(f"a merge strategy is 'dest-wins', 'source-wins' or None; got {strategy!r}")
    if source in (base, dest):
        return dest, []
    if base == dest:
        return source, []
    return _Merge(reader, (base, dest, source), same, strategy).run()
