"""Commits: making history of what is staged, and reading it back.

Up to `SMALL` changes are committed in one write transaction. More are sealed first (the branch gets a new token, so
writers go on), applied without a lock, and published if the head is still where it was; if not, applied anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from lakefs_hl.local.disk.rows import Reader, Writer
from lakefs_hl.local.disk.tables import branches, staging
from lakefs_hl.local.disk.tables import nodes as node_rows
from lakefs_hl.local.disk.tables.branches import Row as Head
from lakefs_hl.local.engine import records, views
from lakefs_hl.local.engine.bulk import BulkNodes
from lakefs_hl.local.engine.history import committed, walk
from lakefs_hl.local.engine.idempotency import check, note
from lakefs_hl.local.engine.names import check_branch, path_key, prefix_key
from lakefs_hl.local.engine.records import CommitRecord
from lakefs_hl.local.engine.settings import protected
from lakefs_hl.local.engine.store import Repo, Store, now
from lakefs_hl.local.tree import Tree
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import (
    BadRequestException,
    ForbiddenException,
    NotFoundException,
    TooManyRequestsException,
)
from lakefs_hl.spec.limits import MAX_PAGE

#: Changes that are applied under the write lock, at most.
SMALL: Final = 5000
#: How often a large commit is applied anew because the branch moved.
TRIES: Final = 10
#: Dates are kept in 64 bits of nanoseconds: this many seconds before and after 1970.
LATEST: Final = 9 * 10**9
_METARANGE: Final = re.compile(r"[0-9a-f]{64}")


class Commits:
    """The commits of a lake's repositories."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, repository: str, ref: str) -> models.Commit:
        """The commit that a reference means.

        Raises:
            NotFoundException: There is none.
        """
        with self._store.reading() as reader:
            repo = self._store.repo(reader, repository)
            try:
                commit = committed(self._store, reader, repo.id, ref)
            except NotFoundException:
                raise NotFoundException("commit not found") from None
            return model(repo, commit, self._store.commit(reader, repo.id, commit))

    def commit(
        self, repository: str, branch: str, creation: models.CommitCreation, *, who: str, source_metarange: str = ""
    ) -> models.Commit:
        """Makes history of all that is staged.

        Raises:
            BadRequestException: Nothing changed.
            ForbiddenException: The branch is protected, or the repository read-only.
            NotFoundException: There is no such branch or repository.
        """
        if creation.date is not None and abs(creation.date) > LATEST:
            raise BadRequestException(
                f"argument date: {creation.date} seconds: invalid value: validation error: an embedded lake keeps "
                "dates of the years 1685 to 2254"
            )
        with self._store.writing() as writer:
            repo, head = self._check(writer, repository, branch, creation.force)
            if source_metarange:
                root = self._adopt(writer, head, source_metarange)
                return self._publish(writer, repo, head, root, creation, who, head.tokens)
            if self._count(writer, head) <= SMALL:
                return self._commit_small(writer, repo, head, creation, who)
            check(writer)
            head = self._store.seal(writer, head)
        made = self._commit_sealed(repo, head, creation, who)
        self._store.purge()
        return made

    def _check(self, reader: Reader, repository: str, branch: str, force: bool | None) -> tuple[Repo, Head]:
        repo = self._store.writable(reader, repository, force)
        check_branch(branch)
        head = self._store.head(reader, repo.id, branch)
        if protected(self._store, reader, repo.id, branch):
            raise ForbiddenException("cannot commit to protected branch")
        return repo, head

    def _adopt(self, reader: Reader, head: Head, metarange: str) -> bytes:
        """The tree that a commit is to have instead of what is staged."""
        if self._count(reader, head):
            raise BadRequestException("cannot use source MetaRange on a branch with uncommitted changes")
        root = bytes.fromhex(metarange) if _METARANGE.fullmatch(metarange) else b""
        if not node_rows.exists(reader, root):
            raise NotFoundException(f"metarange {metarange}: not found")
        return root

    def _count(self, reader: Reader, head: Head) -> int:
        """How much is staged; more than `SMALL` is not counted."""
        return staging.count(reader, head.tokens, SMALL + 1)

    def _commit_small(
        self, writer: Writer, repo: Repo, head: Head, creation: models.CommitCreation, who: str
    ) -> models.Commit:
        nodes = self._store.nodes(writer)
        tree = self._store.tree(nodes)
        root = self._store.root(writer, repo.id, head.head)
        edits = edits_of(tree, root, staging.between(writer, head.tokens, b"", views.END))
        if not edits and not creation.allow_empty:
            raise BadRequestException("commit: no changes")
        if edits:
            root = tree.apply(root, edits)
            nodes.flush(writer)
        return self._publish(writer, repo, head, root, creation, who, head.tokens)

    def _commit_sealed(self, repo: Repo, head: Head, creation: models.CommitCreation, who: str) -> models.Commit:
        """Applies sealed changes without a lock; publishes them if nothing moved meanwhile."""
        store, mine = self._store, list(reversed(head.sealed))
        for _ in range(TRIES):
            nodes = BulkNodes(store)
            tree = store.tree(nodes)
            with store.reading() as reader:
                before = store.root(reader, repo.id, head.head)
                edits = edits_of(tree, before, staging.between(reader, mine, b"", views.END))
            root = apply(tree, before, edits)
            nodes.flush()
            with store.writing() as writer:
                seen = store.head(writer, repo.id, head.name)
                left = [token for token in mine if token in seen.sealed]
                if not left:  # another commit has them, or they were reset
                    break
                if left != mine or seen.head != head.head:
                    mine, head = left, seen
                    continue
                if edits or creation.allow_empty:
                    return self._publish(writer, repo, seen, root, creation, who, mine)
                self._drop_sealed(writer, seen, mine)
                break
        else:
            raise TooManyRequestsException("Too many attempts, try again later")
        raise BadRequestException("commit: no changes")

    def _drop_sealed(self, writer: Writer, head: Head, tokens: list[int]) -> None:
        """Drops sealed changes that change nothing."""
        rest = tuple(token for token in head.sealed if token not in tokens)
        branches.put(writer, head._replace(sealed=rest))
        self._store.drop_tokens(writer, tokens)

    def _publish(
        self,
        writer: Writer,
        repo: Repo,
        head: Head,
        root: bytes,
        creation: models.CommitCreation,
        who: str,
        taken: list[int],
    ) -> models.Commit:
        """Writes the commit, moves the branch, drops what was committed: the staged changes under `taken`."""
        store = self._store
        date = now() if creation.date is None else creation.date * 10**9
        parent = store.commit(writer, repo.id, head.head)
        record = CommitRecord(
            [head.head], root, who, creation.message, date, creation.metadata or {}, parent.generation + 1
        )
        commit = store.add_commit(writer, repo.id, record)
        token = store.next_token(writer) if head.token in taken else head.token
        rest = tuple(one for one in head.sealed if one not in taken)
        branches.put(writer, head._replace(head=commit, token=token, sealed=rest))
        store.drop_tokens(writer, taken)
        return note(writer, model(repo, commit, record))

    def log(
        self,
        repository: str,
        ref: str,
        *,
        after: str = "",
        amount: int = 100,
        objects: Sequence[str] = (),
        prefixes: Sequence[str] = (),
        limit: bool = False,
        first_parent: bool = False,
        since: float | None = None,
        stop_at: str = "",
    ) -> models.CommitPage:
        """One page of a commit and its ancestors, newest first.

        Raises:
            NotFoundException: `ref`, `after` or `stop_at` is nothing.
        """
        ranges = [(key, key + b"\0") for key in map(path_key, objects)]
        ranges += [(key, key + views.END) for key in map(prefix_key, prefixes)]
        with self._store.reading() as reader:
            repo = self._store.repo(reader, repository)
            start = self._named(reader, repo, ref, "ref")
            stop = self._named(reader, repo, stop_at, "stop_at") if stop_at else None
            begin = self._named(reader, repo, after, "from ref") if after else None
            rows: list[models.Commit] = []
            wanted = amount if limit else amount + 1
            for commit, record in walk(self._store, reader, repo.id, start, first_parent=first_parent):
                if since is not None and date_of(repo, record) < since * 1e9:
                    break
                shown = not ranges or self._touches(reader, repo, record, ranges)
                if begin is None:
                    if shown:
                        rows.append(model(repo, commit, record))
                    if len(rows) >= wanted:
                        break
                elif commit == begin:
                    begin = None
                if commit == stop and shown:  # a commit that is filtered out stops nothing, as in lakeFS
                    break
        more = len(rows) > amount
        rows = rows[:amount]
        return models.CommitPage(models.Pagination(more, rows[-1].id if more else "", len(rows), MAX_PAGE), rows)

    def _named(self, reader: Reader, repo: Repo, ref: str, what: str) -> bytes:
        told = "ref: invalid value: validation error: should point to a commit"
        return committed(self._store, reader, repo.id, ref, f"{what}: ", told)

    def _touches(self, reader: Reader, repo: Repo, record: CommitRecord, ranges: list[tuple[bytes, bytes]]) -> bool:
        """Whether a commit of one parent changed anything in some ranges of paths."""
        if len(record.parents) != 1:
            return False
        store = self._store
        tree = store.tree(store.nodes(reader))
        before = store.root(reader, repo.id, record.parents[0])
        root = store.empty if record.root is None else record.root
        return any(next(tree.diff(before, root, start=low, end=high), None) for low, high in ranges)


def edits_of(tree: Tree, root: bytes, staged: Iterator[tuple[bytes, bytes | None]]) -> list[tuple[bytes, bytes | None]]:
    """Those of some staged changes that change a tree; an equal object written again keeps its old entry."""
    edits = list(staged)
    olds = tree.find(root, [key for key, _ in edits])
    same = records.same
    return [
        (key, new)
        for (key, new), old in zip(edits, olds, strict=True)
        if old != new and (old is None or new is None or not same(old, new))
    ]


def apply(tree: Tree, root: bytes, edits: Sequence[tuple[bytes, bytes | None]]) -> bytes:
    """Applies edits a piece at a time: very many new keys between two old ones would cost their number squared."""
    if root == tree.empty():
        return tree.apply(root, edits)
    for start in range(0, len(edits), SMALL):
        root = tree.apply(root, edits[start : start + SMALL])
    return root


def date_of(repo: Repo, record: CommitRecord) -> int:
    """When a commit was made, nanoseconds; the first was made with its repository."""
    return record.date if record.parents else repo.record.created * 10**9


def model(repo: Repo, commit: bytes, record: CommitRecord) -> models.Commit:
    """A commit in lakeFS's words."""
    return models.Commit(
        commit.hex(),
        [parent.hex() for parent in record.parents],
        record.committer,
        record.message,
        date_of(repo, record) // 10**9,
        "" if record.root is None else record.root.hex(),
        record.metadata,
        record.generation,
        1,
    )
