"""Bringing changes from one line of history to another: merge, revert, cherry-pick.

All three are one three-way merge of trees: merge brings base → source, revert commit → parent, cherry-pick parent →
commit. The trees are merged without a lock, and the result is published if the branch is still where it was.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, TypeVar

from lakefs_hl.local.disk.nodes import NodeStore
from lakefs_hl.local.engine import picks
from lakefs_hl.local.engine.clock import now
from lakefs_hl.local.engine.commits import model
from lakefs_hl.local.engine.history import committed, merge_base
from lakefs_hl.local.engine.lake import Lake
from lakefs_hl.local.engine.names import check_branch
from lakefs_hl.local.engine.publish import must_be_clean, must_stand, publish, retry
from lakefs_hl.local.engine.records import CommitRecord
from lakefs_hl.local.engine.snapshot import Head, Snapshot, Transaction
from lakefs_hl.local.tree import Strategy, Tree
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import BadRequestException, ConflictException, MergeConflict

T = TypeVar("T")
STRATEGY: Final = ".lakefs.merge.strategy"
_WINS: Final[dict[str, Strategy | None]] = {"": None, "dest-wins": "dest-wins", "source-wins": "source-wins"}
#: Conflicting paths that an error names, at most.
SHOWN: Final = 1000


class _Draft(NamedTuple):
    """A commit that is ready but for its date: the branch it was made for, its tree, and its nodes.

    Attributes:
        head, root, nodes, parents, message, metadata: As they are named.
        squashed: The source of a squash merge: no parent, and of a lower generation all the same, as in lakeFS.
        picked: The commit whose metadata a cherry-pick takes.
    """

    head: Head
    root: bytes | None
    nodes: NodeStore
    parents: list[bytes]
    message: str
    metadata: dict[str, str]
    squashed: bytes | None = None
    picked: bytes | None = None


class _Clean(NamedTuple):
    """A branch without staged changes, and its tree, which is None as the first commit has it."""

    head: Head
    root: bytes | None


class Merges:
    """The merges of a lake's repositories."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def merge(
        self,
        repository: str,
        source: str,
        branch: str,
        merge: models.Merge,
        *,
        who: str,
        on_publish: Callable[[Transaction, str], None] | None = None,
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
        where = f"update branch {branch}: "

        def draft(snapshot: Snapshot) -> _Draft:
            snapshot.must_be_writable(merge.force)
            clean = _clean(snapshot, branch)
            commit = committed(snapshot, source, f"{where}get commit by ref {source}: ")
            base = merge_base(snapshot, clean.head.head, commit)
            before, theirs = snapshot.commit(base).root, snapshot.commit(commit).root
            if not (merge.allow_empty or merge.force) and _equal(snapshot.tree, before, theirs):
                raise BadRequestException(f"{where}no changes")
            root = _merged(snapshot, clean, where, before, theirs, strategy)
            metadata = {**(merge.metadata or {}), STRATEGY: strategy or "default"}
            parents = [clean.head.head] if merge.squash_merge else [clean.head.head, commit]
            message = merge.message or f"Merge '{source}' into '{branch}'"
            return _Draft(clean.head, root, snapshot.nodes, parents, message, metadata, squashed=commit)

        def told(transaction: Transaction, commit: models.Commit) -> str:
            if on_publish is not None:
                on_publish(transaction, commit.id)
            return commit.id

        return self._publish(repository, draft, who, told)

    def base(self, repository: str, source: str, branch: str) -> models.MergeBase:
        """The commits that a merge would join, and their base; the first two the way round that lakeFS has them."""
        with self._lake.read(repository) as snapshot:
            right = committed(snapshot, branch, f"get commit by ref {branch}: ")
            left = committed(snapshot, source, f"get commit by branch {source}: ")
            base = merge_base(snapshot, left, right)
        return models.MergeBase(right.hex(), left.hex(), base.hex())

    def revert(self, repository: str, branch: str, revert: models.Revert, *, who: str) -> models.Commit:
        """Undoes a commit by a new one.

        Raises:
            ConflictException: It is a merge and no parent was named, or later commits changed the same paths.
            BadRequestException: The branch has staged changes, or there is nothing to undo.
            NotFoundException: There is no such branch, or no such commit.
        """
        overrides = revert.commit_overrides or models.CommitOverrides()
        number, where = revert.parent_number, "update branch: "

        def draft(snapshot: Snapshot) -> _Draft:
            snapshot.must_be_writable(revert.force)
            commit = committed(snapshot, revert.ref, f"get commit from ref {revert.ref}: ")
            record = snapshot.commit(commit)
            if len(record.parents) > 1 and not number:
                raise ConflictException("must specify 1-based parent number for reverting merge commit")
            if not 0 <= number <= len(record.parents):
                raise BadRequestException(f"given commit does not have the given parent number: parent {number}")
            clean = _clean(snapshot, branch)
            before = snapshot.commit(record.parents[max(number, 1) - 1]).root if record.parents else None
            if not revert.allow_empty and _equal(snapshot.tree, record.root, before):
                raise BadRequestException(f"{where}no changes")
            root = _merged(snapshot, clean, where, record.root, before, "")
            if not revert.allow_empty and _equal(snapshot.tree, clean.root, root):
                raise BadRequestException(f"{where}no changes")
            message = overrides.message or f"Revert {revert.ref}"
            return _Draft(clean.head, root, snapshot.nodes, [clean.head.head], message, overrides.metadata or {})

        return self._publish(repository, draft, who, lambda _, commit: commit)

    def cherry_pick(self, repository: str, branch: str, pick: models.CherryPick, *, who: str) -> models.Commit:
        """Applies the change of one commit as a new one.

        Raises:
            ConflictException: The branch changed the same paths.
            BadRequestException: The branch has staged changes, the commit changed nothing, or it is a merge and no
                parent was named.
            NotFoundException: There is no such branch, or no such commit.
        """
        overrides = pick.commit_overrides or models.CommitOverrides()
        where = "update branch: "

        def draft(snapshot: Snapshot) -> _Draft:
            snapshot.must_be_writable(pick.force)
            commit = committed(snapshot, pick.ref, f"get commit from ref {pick.ref}: ")
            record = snapshot.commit(commit)
            if len(record.parents) > 1 and pick.parent_number is None:
                raise BadRequestException("must specify 1-based parent number for cherry-picking merge commit")
            number = 1 if pick.parent_number is None else pick.parent_number
            if not 1 <= number <= len(record.parents):
                raise BadRequestException(f"parent {number}: given commit does not have the given parent number")
            clean = _clean(snapshot, branch)
            before = snapshot.commit(record.parents[number - 1]).root
            if _equal(snapshot.tree, before, record.root):
                raise BadRequestException(f"{where}no changes")
            root = _merged(snapshot, clean, where, before, record.root, "")
            metadata = {**(overrides.metadata or record.metadata), **picks.metadata(commit.hex(), record.committer)}
            message = overrides.message or record.message
            picked = commit if record.metadata and not overrides.metadata else None
            return _Draft(clean.head, root, snapshot.nodes, [clean.head.head], message, metadata, picked=picked)

        return self._publish(repository, draft, who, lambda _, commit: commit)

    def _publish(
        self,
        repository: str,
        draft: Callable[[Snapshot], _Draft],
        who: str,
        told: Callable[[Transaction, models.Commit], T],
    ) -> T:
        """Makes the commit of a draft, drafted anew if the branch moved meanwhile; gives what is told of it."""
        lake = self._lake

        def attempt() -> T:
            with lake.read(repository) as snapshot:
                made = draft(snapshot)

            def work(transaction: Transaction) -> T:
                head = must_stand(transaction, made.head)
                # What is staged says what the old commit says, and not what the new one will: it goes.
                taken = head.tokens if must_be_clean(transaction, head) else []
                made.nodes.flush(transaction.writer)
                if made.picked is not None:
                    picks.note(transaction, made.picked)
                before = made.parents if made.squashed is None else [*made.parents, made.squashed]
                generation = max(transaction.commit(one).generation for one in before) + 1
                record = CommitRecord(made.parents, made.root, who, made.message, now(), made.metadata, generation)
                commit = publish(transaction, head, record, taken=taken)
                return transaction.note(told(transaction, model(transaction.repo, commit, record)))

            return lake.write(repository, work)

        result = retry(attempt)
        lake.purge.run()
        return result


def _clean(snapshot: Snapshot, branch: str) -> _Clean:
    """The branch to change, which must have nothing staged that would be a change."""
    check_branch(branch)
    head = snapshot.head(branch)
    must_be_clean(snapshot, head)
    return _Clean(head, snapshot.commit(head.head).root)


def _merged(
    snapshot: Snapshot, clean: _Clean, where: str, base: bytes | None, theirs: bytes | None, strategy: str
) -> bytes | None:
    """Brings into a branch what leads from `base` to `theirs`. None is the first commit's tree, as in lakeFS."""
    if base == clean.root:
        return theirs
    empty = snapshot.lake.empty
    root, conflicts = snapshot.tree.merge(base or empty, clean.root or empty, theirs or empty, _WINS[strategy])
    if root is None:
        error = MergeConflict(f"{where}conflict found")
        error.conflicts = tuple(conflict.key.decode() for conflict in conflicts[:SHOWN])
        raise error
    return root


def _equal(tree: Tree, left: bytes | None, right: bytes | None) -> bool:
    """Whether two trees hold the same objects to lakeFS, whatever their records say of time and place.

    The first commit's tree, None, and one that came to hold nothing are two different things to it.
    """
    if left is None or right is None:
        return left is right
    return left == right or next(tree.diff(left, right), None) is None
