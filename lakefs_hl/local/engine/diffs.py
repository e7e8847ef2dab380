"""Differences: between two references, and between a branch and what is staged on it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from lakefs_hl.local.disk.rows import Reader
from lakefs_hl.local.engine import records, views
from lakefs_hl.local.engine.history import committed, merge_base, resolve
from lakefs_hl.local.engine.names import prefix_key
from lakefs_hl.local.engine.pages import page_of
from lakefs_hl.local.engine.store import Repo, Store
from lakefs_hl.local.tree import Tree
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import BadRequestException

#: A path, what happened to it, and its entries before and after, encoded.
Found: TypeAlias = "tuple[bytes, str, bytes | None, bytes | None]"


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
        """One page of what leads from `left` (or its base with `right`) to `right`."""
        start, end = _range(prefix, after, delimiter)
        with self._store.reading() as reader:
            repo = self._store.repo(reader, repository)
            nodes = self._store.nodes(reader)
            tree = self._store.tree(nodes)
            if type == "two_dot":
                found = self._two_dot(reader, tree, repo, left, right, start, end)
            else:
                found = self._three_dot(reader, tree, repo, left, right, start, end)
            rows = _page(
                found, prefix_key(prefix), delimiter.encode(), amount + 1, removed_size=True, stats=right_stats
            )
        pagination, kept = page_of(rows, amount, lambda one: one.path)
        return models.DiffPage(pagination, kept)

    def _two_dot(
        self, reader: Reader, tree: Tree, repo: Repo, left: str, right: str, start: bytes, end: bytes
    ) -> Iterator[Found]:
        store = self._store
        one = store.root(reader, repo.id, committed(store, reader, repo.id, left))
        other = resolve(store, reader, repo.id, right)
        root = store.root(reader, repo.id, other.commit)
        if other.staging and other.branch is not None:  # nodes made for this are never kept
            root = tree.apply(root, list(views.staged(reader, other.branch.tokens, b"", views.END)))
        return ((key, _kind(old, new), old, new) for key, old, new in tree.diff(one, root, start=start, end=end))

    def _three_dot(
        self, reader: Reader, tree: Tree, repo: Repo, left: str, right: str, start: bytes, end: bytes
    ) -> Iterator[Found]:
        store = self._store
        ours = committed(store, reader, repo.id, left)
        theirs = committed(store, reader, repo.id, right)
        base = store.root(reader, repo.id, merge_base(store, reader, repo.id, ours, theirs))
        root, mine = store.root(reader, repo.id, theirs), store.root(reader, repo.id, ours)
        for key, old, new in tree.diff(base, root, start=start, end=end):
            here = old if mine == base else tree.get(mine, key)
            if _equal(here, new):
                continue
            yield key, _kind(old, new) if _equal(here, old) else "conflict", old, new

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
        """One page of what is staged on a branch and differs from its commit."""
        start, end = _range(prefix, after, delimiter)
        with self._store.reading() as reader:
            repo = self._store.repo(reader, repository)
            head = self._store.head(reader, repo.id, branch)
            tree = self._store.tree(self._store.nodes(reader))
            root = self._store.root(reader, repo.id, head.commit)
            found = changes(tree, root, views.staged(reader, head.tokens, start, end))
            rows = _page(found, prefix_key(prefix), delimiter.encode(), amount + 1, removed_size=False, stats=False)
        pagination, kept = page_of(rows, amount, lambda one: one.path)
        return models.DiffPage(pagination, kept)


def changes(tree: Tree, root: bytes, edits: Iterable[tuple[bytes, bytes | None]]) -> Iterator[Found]:
    """Those of some staged edits that change a tree."""
    for key, new in edits:
        old = tree.get(root, key)
        if not _equal(old, new):
            yield key, _kind(old, new), old, new


def _range(prefix: str, after: str, delimiter: str) -> tuple[bytes, bytes]:
    start = prefix_key(prefix)
    return views.first_after(start, after.encode(), delimiter.encode()), start + views.END


def _equal(left: bytes | None, right: bytes | None) -> bool:
    return left == right or (left is not None and right is not None and records.same(left, right))


def _kind(old: bytes | None, new: bytes | None) -> str:
    return "added" if old is None else "removed" if new is None else "changed"


def _page(
    found: Iterator[Found], prefix: bytes, delimiter: bytes, amount: int, *, removed_size: bool, stats: bool
) -> list[models.Diff]:
    rows, folded = list[models.Diff](), None
    for key, kind, old, new in found:
        if folded is not None and key.startswith(folded):
            continue
        if len(rows) >= amount:
            break
        cut = key.find(delimiter, len(prefix)) if delimiter else -1
        if cut >= 0:
            folded = key[: cut + len(delimiter)]
            rows.append(models.Diff("prefix_changed", folded.decode(), "common_prefix"))
        else:
            rows.append(_row(key, kind, old, new, removed_size=removed_size, stats=stats))
    return rows


def _row(
    key: bytes, kind: str, old: bytes | None, new: bytes | None, *, removed_size: bool, stats: bool
) -> models.Diff:
    value = old if new is None else new
    if value is None:
        raise BadRequestException("a difference between nothing and nothing")
    entry = records.read_entry(value)
    size = entry.size if new is not None or removed_size else 0
    right = None
    if stats:
        etag = entry.etag.hex() if isinstance(entry.etag, bytes) else entry.etag
        right = models.RightStats(etag, entry.mtime, entry.content_type or records.OCTETS, entry.metadata)
    return models.Diff(kind, key.decode(), "object", size, right)
