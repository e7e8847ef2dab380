"""Commits: making history of what is staged, and reading it back.

Up to `SMALL` changes are committed in one write transaction. More are sealed first (the branch gets a new token, so
writers go on), applied without a lock, and published if the branch is still as it was; if its head moved, or something
was reset or deleted meanwhile, they are applied anew.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

from lakefs_hl.local.disk.tables import history, nodes, staging
from lakefs_hl.local.engine import picks, records, tokens, views
from lakefs_hl.local.engine.bulk import BulkNodes, apply
from lakefs_hl.local.engine.clock import now
from lakefs_hl.local.engine.history import committed, walk
from lakefs_hl.local.engine.lake import Lake
from lakefs_hl.local.engine.names import check_branch, path_key, prefix_key
from lakefs_hl.local.engine.publish import must_stand, publish, retry
from lakefs_hl.local.engine.records import CommitRecord
from lakefs_hl.local.engine.settings import protected
from lakefs_hl.local.engine.snapshot import Head, Repo, Snapshot, Transaction
from lakefs_hl.local.tree import Tree
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import (
    BadRequestException,
    ForbiddenException,
    NotFoundException,
)
from lakefs_hl.spec.limits import MAX_PAGE

#: Changes that are applied under the write lock, at most.
SMALL: Final = 5000
#: The years 1 to 9999, in Unix seconds.
EARLIEST: Final = -62_135_596_800
LATEST: Final = 253_402_300_799
_METARANGE: Final = re.compile(r"[0-9a-f]{64}")


class Commits:
    """The commits of a lake's repositories."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def get(self, repository: str, ref: str) -> models.Commit:
        """The commit that a reference means.

        Raises:
            NotFoundException: There is none.
        """
        with self._lake.read(repository) as snapshot:
            try:
                commit = committed(snapshot, ref)
            except NotFoundException:
                raise NotFoundException("commit not found") from None
            return picks.shown(snapshot, model(snapshot.repo, commit, snapshot.commit(commit)))

    def commit(
        self, repository: str, branch: str, creation: models.CommitCreation, *, who: str, source_metarange: str = ""
    ) -> models.Commit:
        """Makes history of all that is staged.

        Raises:
            BadRequestException: Nothing changed.
            ForbiddenException: The branch is protected, or the repository read-only.
            NotFoundException: There is no such branch or repository.
        """
        if creation.date is not None and not EARLIEST <= creation.date <= LATEST:
            raise BadRequestException(
                f"argument date: {creation.date} seconds: invalid value: validation error: dates are those of the "
                "years 1 to 9999"
            )
        draft = _Draft(repository, branch, creation, who)

        def work(transaction: Transaction) -> models.Commit | Head:
            head = self._check(transaction, branch, creation.force)
            if source_metarange:
                return draft.publish(transaction, head, self._adopt(transaction, head, source_metarange), head.tokens)
            if staging.count(transaction.reader, head.tokens, SMALL + 1) <= SMALL:
                return self._commit_small(transaction, head, draft)
            transaction.must_be_first()
            return tokens.seal(transaction, head)

        made = self._lake.write(repository, work)
        if isinstance(made, models.Commit):
            return made
        made = self._commit_sealed(made, draft)
        self._lake.purge.run()
        return made

    def _check(self, transaction: Transaction, branch: str, force: bool | None) -> Head:
        transaction.must_be_writable(force)
        check_branch(branch)
        head = transaction.head(branch)
        if protected(transaction, branch):
            raise ForbiddenException("cannot commit to protected branch")
        return head

    def has_tree(self, repository: str, metarange: str) -> bool:
        """Whether a commit of a repository has a tree. Looks at every commit until one has it.

        Raises:
            NotFoundException: There is no such repository.
        """
        if _METARANGE.fullmatch(metarange) is None:
            return False
        root = bytes.fromhex(metarange)
        with self._lake.read(repository) as snapshot:
            rows = history.of_repository(snapshot.reader, snapshot.repo.id)
            return any(records.read_commit(data).root == root for data in rows)

    def _adopt(self, transaction: Transaction, head: Head, metarange: str) -> bytes:
        """The tree that a commit is to have instead of what is staged."""
        if any(staging.has_more(transaction.reader, token, 0) for token in head.tokens):
            raise BadRequestException("cannot use source MetaRange on a branch with uncommitted changes")
        root = bytes.fromhex(metarange) if _METARANGE.fullmatch(metarange) else b""
        if not nodes.exists(transaction.reader, root):
            raise NotFoundException(f"metarange {metarange}: not found")
        return root

    def _commit_small(self, transaction: Transaction, head: Head, draft: _Draft) -> models.Commit:
        tree, root = transaction.tree, transaction.root(head.head)
        edits = edits_of(tree, root, staging.between(transaction.reader, head.tokens, b"", views.END))
        if edits:
            root = tree.apply(root, edits)
            transaction.nodes.flush(transaction.writer)
        elif not draft.creation.allow_empty:
            raise BadRequestException("commit: no changes")
        return draft.publish(transaction, head, root, head.tokens)

    def _commit_sealed(self, sealed: Head, draft: _Draft) -> models.Commit:
        """Applies sealed changes without a lock; takes the branch's state again if it moved or was reset meanwhile."""
        lake, mine = self._lake, set(sealed.sealed)

        def attempt() -> models.Commit | None:
            nodes = BulkNodes(lake)
            tree = lake.tree(nodes)
            with lake.read(draft.repository) as snapshot:
                seen = snapshot.head(draft.branch)
                before = snapshot.root(seen.head)
            taken = [token for token in reversed(seen.sealed) if token in mine]
            allowed = draft.creation.allow_empty
            if not taken and not allowed:
                return None  # it was reset, or is in another's commit
            root = apply(tree, before, self._sealed_edits(tree, before, taken))
            nodes.flush()

            def work(transaction: Transaction) -> models.Commit | None:
                if root != before or allowed:
                    return draft.publish(transaction, seen, root, taken)
                tokens.drop_sealed(transaction, must_stand(transaction, seen, taken), taken)
                return None

            return lake.write(draft.repository, work)

        made = retry(attempt)
        if made is None:
            raise BadRequestException("commit: no changes")
        return made

    def _sealed_edits(self, tree: Tree, root: bytes, tokens: list[int]) -> Iterator[tuple[bytes, bytes | None]]:
        """What is sealed and changes a tree; read in pieces, so that neither memory nor the log grows with it all."""
        start = b""
        while tokens:
            with self._lake.read() as snapshot:
                piece = list(islice(staging.between(snapshot.reader, tokens, start, views.END), SMALL))
            if not piece:
                return
            yield from edits_of(tree, root, iter(piece))
            start = piece[-1][0] + b"\0"

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
        with self._lake.read(repository) as snapshot:
            repo = snapshot.repo
            start = _named(snapshot, ref, "ref")
            stop = _named(snapshot, stop_at, "stop_at") if stop_at else None
            begin = _named(snapshot, after, "from ref") if after else None
            rows: list[models.Commit] = []
            wanted = amount if limit else amount + 1
            for commit, record in walk(snapshot, start, first_parent=first_parent):
                if since is not None and date_of(repo, record) < since * 1e9:
                    break
                shown = not ranges or _touches(snapshot, record, ranges)
                if begin is None:
                    if shown:
                        rows.append(picks.shown(snapshot, model(repo, commit, record)))
                    if len(rows) >= wanted:
                        break
                elif commit == begin:
                    begin = None
                if commit == stop and shown:  # a commit that is filtered out stops nothing, as in lakeFS
                    break
        more = len(rows) > amount
        rows = rows[:amount]
        return models.CommitPage(models.Pagination(more, rows[-1].id if more else "", len(rows), MAX_PAGE), rows)


class _Draft(NamedTuple):
    """A commit of staged changes that is to be made."""

    repository: str
    branch: str
    creation: models.CommitCreation
    who: str

    def publish(self, transaction: Transaction, seen: Head, root: bytes, taken: Collection[int]) -> models.Commit:
        """Makes the commit with the changes staged under `taken`, and drops these."""
        creation = self.creation
        date = now() if creation.date is None else creation.date * 10**9
        generation = transaction.commit(seen.head).generation + 1
        metadata = creation.metadata or {}
        record = CommitRecord([seen.head], root, self.who, creation.message, date, metadata, generation)
        made = publish(transaction, seen, record, taken=taken)
        return transaction.note(model(transaction.repo, made, record))


def _named(snapshot: Snapshot, ref: str, what: str) -> bytes:
    told = "ref: invalid value: validation error: should point to a commit"
    return committed(snapshot, ref, f"{what}: ", told)


def _touches(snapshot: Snapshot, record: CommitRecord, ranges: list[tuple[bytes, bytes]]) -> bool:
    """Whether a commit of one parent changed anything in some ranges of paths."""
    if len(record.parents) != 1:
        return False
    before = snapshot.root(record.parents[0])
    root = snapshot.lake.empty if record.root is None else record.root
    return any(next(snapshot.tree.diff(before, root, start=low, end=high), None) for low, high in ranges)


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
