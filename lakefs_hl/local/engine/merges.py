"""Bringing changes from one line of history to another: merge, revert, cherry-pick.

All three are one three-way merge of trees: merge brings base → source, revert commit → parent, cherry-pick parent →
commit. The trees are merged without a lock, and the result is published if the branch is still where it was.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Final, NamedTuple, TypeVar

from lakefs_hl.local.disk.nodes import NodeStore
from lakefs_hl.local.disk.rows import Reader, Writer
from lakefs_hl.local.disk.tables import staging
from lakefs_hl.local.disk.tables.branches import Row as Head
from lakefs_hl.local.engine import views
from lakefs_hl.local.engine.commits import model
from lakefs_hl.local.engine.diffs import changes
from lakefs_hl.local.engine.history import committed, merge_base
from lakefs_hl.local.engine.idempotency import note
from lakefs_hl.local.engine.names import check_branch
from lakefs_hl.local.engine.records import CommitRecord
from lakefs_hl.local.engine.store import Repo, Store, now
from lakefs_hl.local.tree import Strategy, Tree
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import BadRequestException, ConflictException, MergeConflict, TooManyRequestsException

T = TypeVar("T")
TRIES: Final = 10
STRATEGY: Final = ".lakefs.merge.strategy"
_WINS: Final[dict[str, Strategy | None]] = {"": None, "dest-wins": "dest-wins", "source-wins": "source-wins"}
#: Conflicting paths that an error names, at most.
SHOWN: Final = 1000


class Draft(NamedTuple):
    """A commit that is ready but for its date: the head it was made for, its tree, and its nodes."""

    repo: Repo
    head: Head
    root: bytes | None
    nodes: NodeStore
    parents: list[bytes]
    message: str
    metadata: dict[str, str]


class _Clean(NamedTuple):
    """A branch without staged changes, and what works on its tree: `root`, which is None as its commit has it."""

    head: Head
    root: bytes | None
    tree: Tree
    nodes: NodeStore


class Merges:
    """The merges of a lake's repositories."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def merge(
        self,
        repository: str,
        source: str,
        branch: str,
        merge: models.Merge,
        *,
        who: str,
        on_publish: Callable[[Writer, str], None] | None = None,
    ) -> str:
        """Merges a reference into a branch; returns the merge commit's id.

        Args:
            repository: The repository.
            source: What is merged.
            branch: The destination.
            merge: How.
            who: The committer.
            on_publish: Called with the commit's id inside the transaction that publishes it. If it raises, nothing
                is merged.

        Raises:
            MergeConflict: Both sides changed the same paths, and no strategy was given.
            BadRequestException: The destination has staged changes, or there is nothing to merge.
            NotFoundException: One of them is not there.
        """
        strategy = merge.strategy or ""
        if strategy not in _WINS:
            raise BadRequestException("argument strategy: invalid value: validation error")
        store, where = self._store, f"update branch {branch}: "

        def draft(reader: Reader) -> Draft:
            repo = store.writable(reader, repository, merge.force)
            clean = self._clean(reader, repo, branch)
            commit = committed(store, reader, repo.id, source, f"{where}get commit by ref {source}: ")
            base = merge_base(store, reader, repo.id, clean.head.head, commit)
            before, theirs = store.commit(reader, repo.id, base).root, store.commit(reader, repo.id, commit).root
            if not (merge.allow_empty or merge.force) and _equal(clean.tree, before, theirs):
                raise BadRequestException(f"{where}no changes")
            root = self._merged(clean, where, before, theirs, strategy)
            metadata = {**(merge.metadata or {}), STRATEGY: strategy or "default"}
            parents = [clean.head.head] if merge.squash_merge else [clean.head.head, commit]
            message = merge.message or f"Merge '{source}' into '{branch}'"
            return Draft(repo, clean.head, root, clean.nodes, parents, message, metadata)

        def told(writer: Writer, commit: models.Commit) -> str:
            if on_publish is not None:
                on_publish(writer, commit.id)
            return commit.id

        return self._publish(draft, who, told)

    def base(self, repository: str, source: str, branch: str) -> models.MergeBase:
        """The commits that a merge would join, and their base; the first two the way round that lakeFS has them."""
        store = self._store
        with store.reading() as reader:
            repo = store.repo(reader, repository)
            right = committed(store, reader, repo.id, branch, f"get commit by ref {branch}: ")
            left = committed(store, reader, repo.id, source, f"get commit by branch {source}: ")
            base = merge_base(store, reader, repo.id, left, right)
        return models.MergeBase(right.hex(), left.hex(), base.hex())

    def revert(self, repository: str, branch: str, revert: models.Revert, *, who: str) -> models.Commit:
        """Undoes a commit by a new one.

        Raises:
            ConflictException: It is a merge and no parent was named, or later commits changed the same paths.
            BadRequestException: The branch has staged changes, or there is nothing to undo.
            NotFoundException: There is no such branch, or no such commit.
        """
        overrides = revert.commit_overrides or models.CommitOverrides()
        store, number, where = self._store, revert.parent_number, "update branch: "

        def draft(reader: Reader) -> Draft:
            repo = store.writable(reader, repository, revert.force)
            commit = committed(store, reader, repo.id, revert.ref, f"get commit from ref {revert.ref}: ")
            record = store.commit(reader, repo.id, commit)
            if len(record.parents) > 1 and not number:
                raise ConflictException("must specify 1-based parent number for reverting merge commit")
            if not 0 <= number <= len(record.parents):
                raise BadRequestException(f"given commit does not have the given parent number: parent {number}")
            clean = self._clean(reader, repo, branch)
            before = store.commit(reader, repo.id, record.parents[max(number, 1) - 1]).root if record.parents else None
            if not revert.allow_empty and _equal(clean.tree, record.root, before):
                raise BadRequestException(f"{where}no changes")
            root = self._merged(clean, where, record.root, before, "")
            if not revert.allow_empty and _equal(clean.tree, clean.root, root):
                raise BadRequestException(f"{where}no changes")
            message = overrides.message or f"Revert {revert.ref}"
            return Draft(repo, clean.head, root, clean.nodes, [clean.head.head], message, overrides.metadata or {})

        return self._publish(draft, who, lambda _, commit: commit)

    def cherry_pick(self, repository: str, branch: str, pick: models.CherryPick, *, who: str) -> models.Commit:
        """Applies the change of one commit as a new one.

        Raises:
            ConflictException: The branch changed the same paths.
            BadRequestException: The branch has staged changes, the commit changed nothing, or it is a merge and no
                parent was named.
            NotFoundException: There is no such branch, or no such commit.
        """
        overrides = pick.commit_overrides or models.CommitOverrides()
        store, where = self._store, "update branch: "

        def draft(reader: Reader) -> Draft:
            repo = store.writable(reader, repository, pick.force)
            commit = committed(store, reader, repo.id, pick.ref, f"get commit from ref {pick.ref}: ")
            record = store.commit(reader, repo.id, commit)
            if len(record.parents) > 1 and pick.parent_number is None:
                raise BadRequestException("must specify 1-based parent number for cherry-picking merge commit")
            number = 1 if pick.parent_number is None else pick.parent_number
            if not 1 <= number <= len(record.parents):
                raise BadRequestException(f"parent {number}: given commit does not have the given parent number")
            clean = self._clean(reader, repo, branch)
            before = store.commit(reader, repo.id, record.parents[number - 1]).root
            if _equal(clean.tree, before, record.root):
                raise BadRequestException(f"{where}no changes")
            root = self._merged(clean, where, before, record.root, "")
            metadata = {
                **(overrides.metadata or record.metadata),
                "cherry-pick-origin": commit.hex(),
                "cherry-pick-committer": record.committer,
            }
            message = overrides.message or record.message
            return Draft(repo, clean.head, root, clean.nodes, [clean.head.head], message, metadata)

        return self._publish(draft, who, lambda _, commit: commit)

    def _clean(self, reader: Reader, repo: Repo, branch: str) -> _Clean:
        """The branch to change, which must have nothing staged that would be a change."""
        check_branch(branch)
        head = self._store.head(reader, repo.id, branch)
        nodes = self._store.nodes(reader)
        tree = self._store.tree(nodes)
        clean = _Clean(head, self._store.commit(reader, repo.id, head.head).root, tree, nodes)
        self._must_be_clean(reader, clean)
        return clean

    def _must_be_clean(self, reader: Reader, clean: _Clean) -> bool:
        """Says whether there is anything staged at all."""
        found = staging.between(reader, clean.head.tokens, b"", views.END)
        first = next(found, None)
        if first is None:
            return False
        if next(changes(clean.tree, clean.root or self._store.empty, chain([first], found)), None) is not None:
            raise BadRequestException("uncommitted changes (dirty branch)")
        return True

    def _merged(
        self, clean: _Clean, where: str, base: bytes | None, theirs: bytes | None, strategy: str
    ) -> bytes | None:
        """Brings into a branch what leads from `base` to `theirs`. None is the first commit's tree, as in lakeFS."""
        if base == clean.root:
            return theirs
        empty = self._store.empty
        root, conflicts = clean.tree.merge(base or empty, clean.root or empty, theirs or empty, _WINS[strategy])
        if root is None:
            error = MergeConflict(f"{where}conflict found")
            error.conflicts = tuple(conflict.key.decode() for conflict in conflicts[:SHOWN])
            raise error
        return root

    def _publish(self, draft: Callable[[Reader], Draft], who: str, told: Callable[[Writer, models.Commit], T]) -> T:
        """Makes the commit of a draft, drafted anew if the branch moved meanwhile; gives what is told of it."""
        store = self._store
        for _ in range(TRIES):
            with store.reading() as reader:
                made = draft(reader)
            with store.writing() as writer:
                repo, head = made.repo, store.head(writer, made.repo.id, made.head.name)
                if head.head != made.head.head:
                    continue
                nodes = store.nodes(writer)
                clean = _Clean(head, store.commit(writer, repo.id, head.head).root, store.tree(nodes), nodes)
                if self._must_be_clean(writer, clean):
                    head = store.renew(writer, head)  # what is staged says what the old commit says, not the new
                made.nodes.flush(writer)
                generation = max(store.commit(writer, repo.id, one).generation for one in made.parents) + 1
                record = CommitRecord(made.parents, made.root, who, made.message, now(), made.metadata, generation)
                commit = store.add_commit(writer, repo.id, record)
                store.set_head(writer, head, commit)
                result = note(writer, told(writer, model(repo, commit, record)))
            store.purge()
            return result
        raise TooManyRequestsException("Too many attempts, try again later")


def _equal(tree: Tree, left: bytes | None, right: bytes | None) -> bool:
    """Whether two trees hold the same objects to lakeFS, whatever their records say of time and place.

    The first commit's tree, None, and one that came to hold nothing are two different things to it.
    """
    if left is None or right is None:
        return left is right
    return left == right or next(tree.diff(left, right), None) is None
