"""Differences: between two references, and between a branch and what is staged on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import tee
from typing import TypeAlias

from lakefs_hl.local.disk.tables import staging
from lakefs_hl.local.engine import records, views
from lakefs_hl.local.engine.history import committed, merge_base, resolve
from lakefs_hl.local.engine.lake import Lake
from lakefs_hl.local.engine.names import after_key, check_branch, delimiter_key, prefix_key
from lakefs_hl.local.engine.pages import page_of
from lakefs_hl.local.engine.snapshot import Snapshot
from lakefs_hl.local.tree import Tree
from lakefs_hl.spec import models
from lakefs_hl.spec.headers import OCTET_STREAM

#: A path, what happened to it, and its entries before and after, encoded.
Found: TypeAlias = "tuple[bytes, str, bytes | None, bytes | None]"
#: What is found from a key on, in order.
Search: TypeAlias = Callable[[bytes], Iterator[Found]]


class Diffs:
    """The differences between versions of a lake's repositories."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def refs(
        self,
        repository: str,
        left: str,
        right: str,
        *,
        type: str = "three_dot",
        after: str = "",
        amount: int = 100,
        prefix: str = "",
        delimiter: str = "",
        right_stats: bool = False,
    ) -> models.DiffPage:
        """One page of what leads from `left` (or its base with `right`) to `right`.

        Raises:
            NotFoundException: One of them is not there.
            BadRequestException: One of them is staged changes where only commits can be.
        """
        page = _Page(prefix, after, delimiter, amount, stats=right_stats)
        with self._lake.read(repository) as snapshot:
            of_type = self._two_dot if type == "two_dot" else self._three_dot
            return page.of(of_type(snapshot, left, right, page.end))

    def _two_dot(self, snapshot: Snapshot, left: str, right: str, end: bytes) -> Search:
        tree = snapshot.tree
        one = snapshot.root(committed(snapshot, left))
        other = resolve(snapshot, right)
        root = snapshot.root(other.commit)
        tokens = other.branch.tokens if other.staging and other.branch is not None else []

        def search(start: bytes) -> Iterator[Found]:
            found = ((key, _kind(old, new), old, new) for key, old, new in tree.diff(one, root, start=start, end=end))
            if not tokens:
                return found
            return _overlaid(tree, one, found, staging.between(snapshot.reader, tokens, start, end))

        return search

    def _three_dot(self, snapshot: Snapshot, left: str, right: str, end: bytes) -> Search:
        tree = snapshot.tree
        theirs = committed(snapshot, right, f"get commit by ref {right}: ")
        ours = committed(snapshot, left, f"get commit by branch {left}: ")
        base = snapshot.root(merge_base(snapshot, ours, theirs))
        root, mine = snapshot.root(theirs), snapshot.root(ours)

        def search(start: bytes) -> Iterator[Found]:
            for key, old, new in tree.diff(base, root, start=start, end=end):
                here = old if mine == base else tree.get(mine, key)
                if not equal(here, new):
                    yield key, _kind(old, new) if equal(here, old) else "conflict", old, new

        return search

    def branch(
        self,
        repository: str,
        branch: str,
        *,
        after: str = "",
        amount: int = 100,
        prefix: str = "",
        delimiter: str = "",
    ) -> models.DiffPage:
        """One page of what is staged on a branch and differs from its commit.

        Raises:
            NotFoundException: There is no such branch.
        """
        page = _Page(prefix, after, delimiter, amount, removed_size=False)
        with self._lake.read(repository) as snapshot:
            check_branch(branch)
            head, reader, tree = snapshot.head(branch), snapshot.reader, snapshot.tree
            root = snapshot.root(head.head)
            return page.of(lambda start: changes(tree, root, staging.between(reader, head.tokens, start, page.end)))


def changes(tree: Tree, root: bytes, edits: Iterable[tuple[bytes, bytes | None]]) -> Iterator[Found]:
    """Those of some staged edits, in order of keys, that change a tree."""
    edits, ahead = tee(edits)
    for (key, new), old in zip(edits, tree.find(root, (key for key, _ in ahead)), strict=True):
        if not equal(old, new):
            yield key, _kind(old, new), old, new


def _overlaid(
    tree: Tree, root: bytes, found: Iterator[Found], edits: Iterable[tuple[bytes, bytes | None]]
) -> Iterator[Found]:
    """Lay staged edits over differences from a tree; both are read as far as the result is."""
    edits, ahead = tee(edits)
    olds = tree.find(root, (key for key, _ in ahead))
    last = next(found, None)
    for (key, new), old in zip(edits, olds, strict=True):
        while last is not None and last[0] < key:
            yield last
            last = next(found, None)
        if last is not None and last[0] == key:
            last = next(found, None)
        if not equal(old, new):
            yield key, _kind(old, new), old, new
    if last is not None:
        yield last
        yield from found


def equal(left: bytes | None, right: bytes | None) -> bool:
    """Whether two entries, or the lack of one, are the same to lakeFS."""
    return left == right or (left is not None and right is not None and records.same(left, right))


def _kind(old: bytes | None, new: bytes | None) -> str:
    return "added" if old is None else "removed" if new is None else "changed"


class _Page:
    """A page of differences that is wanted."""

    def __init__(
        self,
        prefix: str,
        after: str,
        delimiter: str,
        amount: int,
        *,
        stats: bool = False,
        removed_size: bool = True,
    ) -> None:
        self.prefix = prefix_key(prefix)
        self.delimiter = delimiter_key(delimiter)
        self.start = views.first_after(self.prefix, after_key(after), self.delimiter, inside=views.END)
        self.end = self.prefix + views.END
        self.amount = amount
        self.stats = stats
        self.removed_size = removed_size

    def of(self, search: Search) -> models.DiffPage:
        """Cuts the page; what is folded into one prefix is passed by, not read."""
        rows: list[models.Diff] = []
        found = search(self.start)
        while len(rows) <= self.amount and (one := next(found, None)) is not None:
            key = one[0]
            cut = key.find(self.delimiter, len(self.prefix)) if self.delimiter else -1
            if cut < 0:
                rows.append(self.model(*one))
                continue
            folded = key[: cut + len(self.delimiter)]
            rows.append(models.Diff("prefix_changed", folded.decode("utf-8", "replace"), "common_prefix"))
            found = search(folded + views.END)
        pagination, kept = page_of(rows, self.amount, lambda one: one.path)
        return models.DiffPage(pagination, kept)

    def model(self, key: bytes, kind: str, old: bytes | None, new: bytes | None) -> models.Diff:
        """One difference in lakeFS's words; of what was removed it tells what there was."""
        entry = records.read_entry((old if new is None else new) or b"")
        size = entry.size if new is not None or self.removed_size else 0
        right = None
        if self.stats:
            etag = entry.etag.hex() if isinstance(entry.etag, bytes) else entry.etag
            right = models.RightStats(etag, entry.mtime, entry.content_type or OCTET_STREAM, entry.metadata or {})
        return models.Diff(kind, key.decode(), "object", size, right)
