"""What a reader of a reference sees: a committed tree, and over it what is staged on the branch.

Rules of the room: everything here runs inside the caller's transaction, so a page is of one moment.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import islice
from operator import gt
from typing import Final, NamedTuple, TypeAlias

from lakefs_hl.local.disk.tables import staging
from lakefs_hl.local.engine.history import resolve
from lakefs_hl.local.engine.snapshot import Head, Snapshot

END: Final = b"\xff"
#: Keys and values, side by side, in order.
Slice: TypeAlias = "tuple[list[bytes], list[bytes]]"


class View(NamedTuple):
    """A committed tree and the staging tokens over it, newest first."""

    root: bytes
    tokens: list[int]


def view(snapshot: Snapshot, ref: str) -> View:
    """What a reference shows: a plain branch with its staged changes, all else without.

    Raises:
        NotFoundException: There is no such reference.
    """
    found = resolve(snapshot, ref)
    return View(snapshot.root(found.commit), found.branch.tokens if found.branch else [])


def for_many(snapshot: Snapshot, ref: str) -> View:
    """What a reference shows to many look-ups in one snapshot: without staging tokens under which there is nothing."""
    seen = view(snapshot, ref)
    return View(seen.root, [token for token in seen.tokens if staging.count(snapshot.reader, (token,), 1)])


def of_head(snapshot: Snapshot, head: Head) -> View:
    """What a branch shows."""
    return View(snapshot.root(head.head), head.tokens)


def lookup(snapshot: Snapshot, seen: View, key: bytes) -> bytes | None:
    """The entry of one path, encoded; None if there is none."""
    found = staging.find(snapshot.reader, seen.tokens, key)
    return snapshot.tree.get(seen.root, key) if found is None else found[0]


def lookup_many(snapshot: Snapshot, seen: View, keys: Sequence[bytes]) -> list[bytes | None]:
    """The entries of many paths, encoded; of paths in order, those in one leaf cost one way through the tree."""
    if seen.tokens or any(map(gt, keys, islice(keys, 1, None))):
        return [lookup(snapshot, seen, key) for key in keys]
    return list(snapshot.tree.find(seen.root, keys))


def slices(snapshot: Snapshot, seen: View, start: bytes, end: bytes) -> Iterator[Slice]:
    """All entries between two keys, in order, in pieces of about a leaf."""
    if not seen.tokens:
        yield from snapshot.tree.scan(seen.root, start, end)
        return
    changes = staging.between(snapshot.reader, seen.tokens, start, end)
    change = next(changes, None)
    for keys, values in snapshot.tree.scan(seen.root, start, end):
        if change is None or change[0] > keys[-1]:
            yield keys, values
            continue
        merged: dict[bytes, bytes | None] = dict(zip(keys, values, strict=True))
        while change is not None and change[0] <= keys[-1]:
            merged[change[0]] = change[1]
            change = next(changes, None)
        kept = sorted((key, value) for key, value in merged.items() if value is not None)
        if kept:
            yield [key for key, _ in kept], [value for _, value in kept]
    while change is not None:
        rest = list[tuple[bytes, bytes]]()
        while change is not None and len(rest) < 256:
            if change[1] is not None:
                rest.append((change[0], change[1]))
            change = next(changes, None)
        if rest:
            yield [key for key, _ in rest], [value for _, value in rest]


def first_after(prefix: bytes, after: bytes, delimiter: bytes, inside: bytes = b"") -> bytes:
    """Where a page begins: after a key; after a common prefix it is behind all that was folded into it.

    If `after` lies inside a common prefix, the page begins there, so it shows the common prefix if anything of it is
    left: that is what lakeFS does.

    Args:
        prefix: What all keys begin with.
        after: Where the page before ended, or any other text.
        delimiter: Folds keys.
        inside: Is added to an `after` inside a common prefix. A listing of objects includes `after` itself, one of
            differences passes by all that begins with it.
    """
    if not after:
        return prefix
    if delimiter and after.startswith(prefix):
        cut = after.find(delimiter, len(prefix))
        if cut >= 0:
            return after + (END if cut + len(delimiter) == len(after) else inside)
    return max(prefix, after + b"\0")


def listing(
    snapshot: Snapshot, seen: View, prefix: bytes, after: bytes, delimiter: bytes, amount: int
) -> list[tuple[bytes, bytes | None]]:
    """At most `amount` entries; what follows the delimiter is folded into its prefix, with None for a value."""
    start, end, found = first_after(prefix, after, delimiter), prefix + END, list[tuple[bytes, bytes | None]]()
    if not delimiter:
        for keys, values in slices(snapshot, seen, start, end):
            found += zip(keys, values, strict=True)
            if len(found) >= amount:
                break
        return found[:amount]
    while len(found) < amount:
        beyond = _fold(slices(snapshot, seen, start, end), found, prefix, delimiter, amount)
        if beyond is None:
            break
        start = beyond
    return found[:amount]


def _fold(
    pieces: Iterator[Slice], found: list[tuple[bytes, bytes | None]], prefix: bytes, delimiter: bytes, amount: int
) -> bytes | None:
    """Adds entries to a page; returns where to seek to if a folded prefix goes on behind its leaf."""
    for keys, values in pieces:
        at = 0
        while at < len(keys) and len(found) < amount:
            cut = keys[at].find(delimiter, len(prefix))
            if cut < 0:
                found.append((keys[at], values[at]))
                at += 1
                continue
            folded = keys[at][: cut + len(delimiter)]
            found.append((folded, None))
            at = bisect_left(keys, folded + END, at)
            if at == len(keys):
                return folded + END
        if len(found) >= amount:
            return None
    return None
