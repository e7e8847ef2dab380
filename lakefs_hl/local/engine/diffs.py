"""Differences: between two references, and between a branch and what is staged on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import tee
from typing import TypeAlias

from lakefs_hl.local.disk.rows import Reader
from lakefs_hl.local.disk.tables import staging
from lakefs_hl.local.engine import records, views
from lakefs_hl.local.engine.history import committed, merge_base, resolve
from lakefs_hl.local.engine.names import after_key, check_branch, delimiter_key, prefix_key
from lakefs_hl.local.engine.pages import page_of
from lakefs_hl.local.engine.store import Repo, Store
from lakefs_hl.local.tree import Tree
from lakefs_hl.spec import models
from lakefs_hl.spec.headers import OCTET_STREAM

#: A path, what happened to it, and its entries before and after, encoded.
Found: TypeAlias = "tuple[bytes, str, bytes | None, bytes | None]"
#: What is found from a key on, in order.
Search: TypeAlias = Callable[[bytes], Iterator[Found]]


class Diffs:
    """The differences between versions of a lake's repositories."""

    def __init__(self, store: Store) -> None:
        self._store = store

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
        with self._store.reading() as reader:
            repo = self._store.repo(reader, repository)
            tree = self._store.tree(self._store.nodes(reader))
            of_type = self._two_dot if type == "two_dot" else self._three_dot
            return page.of(of_type(reader, tree, repo, left, right, page.end))

    def _two_dot(self, reader: Reader, tree: Tree, repo: Repo, left: str, right: str, end: bytes) -> Search:
        store = self._store
        one = store.root(reader, repo.id, committed(store, reader, repo.id, left))
        other = resolve(store, reader, repo.id, right)
        root = store.root(reader, repo.id, other.commit)
        if other.staging and other.branch is not None:  # nodes made for this are never kept
            root = tree.apply(root, list(staging.between(reader, other.branch.tokens, b"", views.END)))

        def search(start: bytes) -> Iterator[Found]:
            for key, old, new in tree.diff(one, root, start=start, end=end):
                yield key, _kind(old, new), old, new

        return search

    def _three_dot(self, reader: Reader, tree: Tree, repo: Repo, left: str, right: str, end: bytes) -> Search:
        store = self._store
        theirs = committed(store, reader, repo.id, right, f"get commit by ref {right}: ")
        ours = committed(store, reader, repo.id, left, f"get commit by branch {left}: ")
        base = store.root(reader, repo.id, merge_base(store, reader, repo.id, ours, theirs))
        root, mine = store.root(reader, repo.id, theirs), store.root(reader, repo.id, ours)

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
        with self._store.reading() as reader:
            repo = self._store.repo(reader, repository)
            check_branch(branch)
            head = self._store.head(reader, repo.id, branch)
            tree = self._store.tree(self._store.nodes(reader))
            root = self._store.root(reader, repo.id, head.head)
            return page.of(lambda start: changes(tree, root, staging.between(reader, head.tokens, start, page.end)))


def changes(tree: Tree, root: bytes, edits: Iterable[tuple[bytes, bytes | None]]) -> Iterator[Found]:
    """Those of some staged edits, in order of keys, that change a tree."""
    edits, ahead = tee(edits)
    for (key, new), old in zip(edits, tree.find(root, (key for key, _ in ahead)), strict=True):
        if not equal(old, new):
            yield key, _kind(old, new), old, new


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
        self.start = views.first_after(self.prefix, after_key(after), self.delimiter)
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
