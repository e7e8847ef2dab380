"""Bringing changes from one line of history to another: merge, revert, cherry-pick.

All three are one three-way merge of trees: merge brings base → source, revert brings commit → parent, cherry-pick brings
parent → commit. The trees are merged without a lock, and the result is published if the branch is still where it was.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from lakefs_hl.local.disk.nodes import NodeStore
from lakefs_hl.local.disk.rows import Reader
from lakefs_hl.local.engine import views
from lakefs_hl.local.engine.commits import edits_of, model
from lakefs_hl.local.engine.history import committed, merge_base
from lakefs_hl.local.engine.records import CommitRecord
from lakefs_hl.local.engine.store import Head, Repo, Store, now
from lakefs_hl.local.tree import Tree
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import (
    BadRequestException,
    ConflictException,
    MergeConflict,
    NotFoundException,
    TooManyRequestsException,
)

TRIES: Final = 10
STRATEGY: Final = ".lakefs.merge.strategy"
_STRATEGIES: Final = ("", "dest-wins", "source-wins")


class Draft(NamedTuple):
    """A commit that is ready but for its date: the head it was made for, its tree, and its nodes."""

    head: Head
    root: bytes
    nodes: NodeStore
    parents: list[bytes]
    message: str
    metadata: dict[str, str]


class Merges:
    """The merges of a lake's repositories."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def merge(self, repository: str, source: str, branch: str, merge: models.Merge, *, who: str) -> str:
        """Merges a reference into a branch; returns the merge commit's id.

        Raises:
            MergeConflict: Both sides changed the same paths, and no strategy was given.
            BadRequestException: The destination has staged changes, or there is nothing to merge.
            NotFoundException: One of them is not there.
        """
        strategy = merge.strategy or ""
        if strategy not in _STRATEGIES:
            raise BadRequestException("argument strategy: invalid value: validation error")

        def draft(reader: Reader) -> tuple[Repo, Draft]:
            repo, head, tree, nodes = self._begin(reader, repository, branch, merge.force)
            commit = self._source(reader, repo, branch, source)
            base = self._root(reader, repo, merge_base(self._store, reader, repo.id, commit, head.commit))
            theirs, ours = self._root(reader, repo, commit), self._root(reader, repo, head.commit)
            if not (merge.allow_empty or merge.force) and next(tree.diff(base, theirs), None) is None:
                raise BadRequestException(f"update branch {branch}: no changes")
            root = self._merged(tree, branch, base, ours, theirs, strategy)
            metadata = {**(merge.metadata or {}), STRATEGY: strategy or "default"}
            parents = [head.commit] if merge.squash_merge else [head.commit, commit]
            message = merge.message or f"Merge '{source}' into '{branch}'"
            return repo, Draft(head, root, nodes, parents, message, metadata)

        return self._publish(draft, who)[0].hex()

    def base(self, repository: str, source: str, branch: str) -> models.MergeBase:
        """The commits that a merge would join, and their base; the first two the way round that lakeFS has them."""
        with self._store.reading() as reader:
            repo = self._store.repo(reader, repository)
            left = committed(self._store, reader, repo.id, source)
            right = committed(self._store, reader, repo.id, branch)
            base = merge_base(self._store, reader, repo.id, left, right)
        return models.MergeBase(right.hex(), left.hex(), base.hex())

    def revert(self, repository: str, branch: str, revert: models.Revert, *, who: str) -> models.Commit:
        """Undoes a commit by a new one.

        Raises:
            ConflictException: It is a merge and no parent was named, or later commits changed the same paths.
            BadRequestException: The branch has staged changes, or there is nothing to undo.
        """
        overrides = revert.commit_overrides or models.CommitOverrides()

        def draft(reader: Reader) -> tuple[Repo, Draft]:
            repo, commit = self._commit(reader, repository, revert.ref, revert.force)
            record = self._store.commit(reader, repo.id, commit)
            parent = _parent(record, revert.parent_number, commit, ConflictException)
            _, head, tree, nodes = self._begin(reader, repository, branch, revert.force)
            before, after = self._root(reader, repo, parent), self._root(reader, repo, commit)
            ours = self._root(reader, repo, head.commit)
            root = self._merged(tree, branch, after, ours, before, "")
            if not revert.allow_empty and next(tree.diff(ours, root), None) is None:
                raise BadRequestException(f"update branch {branch}: no changes")
            message = overrides.message or f"Revert {revert.ref}"
            return repo, Draft(head, root, nodes, [head.commit], message, overrides.metadata or {})

        return model(*self._publish(draft, who))

    def cherry_pick(self, repository: str, branch: str, pick: models.CherryPick, *, who: str) -> models.Commit:
        """Applies the change of one commit as a new one.

        Raises:
            ConflictException: The branch changed the same paths.
            BadRequestException: The branch has staged changes, the commit changed nothing, or it is a merge and no
                parent was named.
        """
        overrides = pick.commit_overrides or models.CommitOverrides()

        def draft(reader: Reader) -> tuple[Repo, Draft]:
            repo, commit = self._commit(reader, repository, pick.ref, pick.force)
            record = self._store.commit(reader, repo.id, commit)
            if not record.parents:
                raise BadRequestException("given commit does not have the given parent number")
            number = 0 if pick.parent_number is None else pick.parent_number
            if pick.parent_number is not None and number < 1:
                raise BadRequestException("given commit does not have the given parent number")
            parent = _parent(record, number, commit, BadRequestException)
            _, head, tree, nodes = self._begin(reader, repository, branch, pick.force)
            before, after = self._root(reader, repo, parent), self._root(reader, repo, commit)
            if next(tree.diff(before, after), None) is None:
                raise BadRequestException(f"update branch {branch}: no changes")
            root = self._merged(tree, branch, before, self._root(reader, repo, head.commit), after, "")
            kept = record.metadata if overrides.metadata is None else overrides.metadata
            metadata = {**kept, "cherry-pick-origin": commit.hex(), "cherry-pick-committer": record.committer}
            message = overrides.message or record.message
            return repo, Draft(head, root, nodes, [head.commit], message, metadata)

        return model(*self._publish(draft, who))

    def _begin(
        self, reader: Reader, repository: str, branch: str, force: bool | None
    ) -> tuple[Repo, Head, Tree, NodeStore]:
        """The branch to change, which must have nothing staged."""
        repo = self._store.writable(reader, repository, force)
        head = self._store.head(reader, repo.id, branch)
        nodes = self._store.nodes(reader)
        tree = self._store.tree(nodes)
        staged = views.staged(reader, head.tokens, b"", views.END)
        if edits_of(tree, self._root(reader, repo, head.commit), staged):
            raise BadRequestException("uncommitted changes (dirty branch)")
        return repo, head, tree, nodes

    def _source(self, reader: Reader, repo: Repo, branch: str, source: str) -> bytes:
        try:
            return committed(self._store, reader, repo.id, source)
        except NotFoundException as exc:
            raise NotFoundException(f"update branch {branch}: get commit by ref {source}: {exc}") from None

    def _commit(self, reader: Reader, repository: str, ref: str, force: bool | None) -> tuple[Repo, bytes]:
        repo = self._store.writable(reader, repository, force)
        return repo, committed(self._store, reader, repo.id, ref)

    def _root(self, reader: Reader, repo: Repo, commit: bytes) -> bytes:
        return self._store.root(reader, repo.id, commit)

    def _merged(self, tree: Tree, branch: str, base: bytes, ours: bytes, theirs: bytes, strategy: str) -> bytes:
        wins = "dest-wins" if strategy == "dest-wins" else "source-wins" if strategy else None
        root, conflicts = tree.merge(base, ours, theirs, wins)
        if root is None:
            error = MergeConflict(f"update branch {branch}: conflict found")
            error.conflicts = tuple(conflict[0].decode() for conflict in conflicts)
            raise error
        return root

    def _publish(self, draft: Callable[[Reader], tuple[Repo, Draft]], who: str) -> tuple[bytes, CommitRecord]:
        """Makes the commit of a draft, drafted anew if the branch moved or got staged changes meanwhile."""
        store = self._store
        for _ in range(TRIES):
            with store.reading() as reader:
                repo, made = draft(reader)
            with store.writing() as writer:
                seen = store.head(writer, repo.id, made.head.name)
                if seen != made.head or self._soiled(writer, repo, made):
                    continue
                made.nodes.flush(writer)
                generation = max(store.commit(writer, repo.id, one).generation for one in made.parents) + 1
                record = CommitRecord(made.parents, made.root, who, made.message, now(), made.metadata, generation)
                commit = store.add_commit(writer, repo.id, record)
                writer.execute(
                    "UPDATE branch SET head = ? WHERE repository = ? AND name = ?", (commit, repo.id, seen.name)
                )
                return commit, record
        raise TooManyRequestsException("Too many attempts, try again later")

    def _soiled(self, reader: Reader, repo: Repo, made: Draft) -> bool:
        """Whether something was staged since the draft found nothing of weight."""
        tree = self._store.tree(self._store.nodes(reader))
        staged = views.staged(reader, made.head.tokens, b"", views.END)
        return bool(edits_of(tree, self._root(reader, repo, made.head.commit), staged))


def _parent(
    record: CommitRecord, number: int, commit: bytes, unnamed: type[ConflictException | BadRequestException]
) -> bytes:
    """The parent to compare with; of the first commit that is itself."""
    if number < 0 or number > max(len(record.parents), 0):
        raise BadRequestException("given commit does not have the given parent number")
    if len(record.parents) > 1 and not number:
        raise unnamed("must specify 1-based parent number for a merge commit")
    if not record.parents:
        return commit
    return record.parents[max(number, 1) - 1]
