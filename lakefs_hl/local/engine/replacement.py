"""One tree in place of parts of another: what an import does to what lies under its destinations.

Rules of the room: nothing here grows with the number of objects. Only the destinations that are prefixes are kept;
which single objects there are is seen in the made tree itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from lakefs_hl.local.engine import views
from lakefs_hl.local.tree import Tree

Edit: TypeAlias = "tuple[bytes, bytes | None]"


def edits(tree: Tree, root: bytes, made: bytes, prefixes: Iterable[str]) -> Iterator[Edit]:
    """Yields, in order, what makes `root` hold all of `made`, and nothing else under some prefixes."""
    at = b""
    for prefix in _outermost(prefixes):
        yield from _single(tree, root, made, at, prefix)
        at = prefix + views.END
        for key, _, new in tree.diff(root, made, start=prefix, end=at):
            yield key, new
    yield from _single(tree, root, made, at, views.END)


def is_all(prefixes: Iterable[str]) -> bool:
    """Whether everything is under one of some prefixes."""
    return "" in prefixes


def _outermost(prefixes: Iterable[str]) -> list[bytes]:
    """Prefixes in order, without those that begin with another one."""
    found: list[bytes] = []
    for prefix in sorted({one.encode() for one in prefixes}):
        if not found or not prefix.startswith(found[-1]):
            found.append(prefix)
    return found


def _single(tree: Tree, root: bytes, made: bytes, start: bytes, end: bytes) -> Iterator[Edit]:
    """What is made between two keys is put beside what is there."""
    for keys, values in tree.scan(made, start, end):
        for key, old, new in zip(keys, tree.find(root, keys), values, strict=True):
            if old != new:
                yield key, new
