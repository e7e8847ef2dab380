# Generated from lakefs_hl/facades/aio/graph.py by tools/unasync.py: change that, not this.
"""The commits of a repository, read for a graph."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from lakefs_hl import exceptions
from lakefs_hl.facades import arguments
from lakefs_hl.facades.graph import CommitGraph, newest

if TYPE_CHECKING:
    import lakefs_hl as lakefs

#: Branches, and tags, that are read if the caller names none.
MOST_REFS: Final = 100
#: Kind of a reference, "" if the caller named it; and the reference.
_Found: TypeAlias = "tuple[str, lakefs.Reference]"


def graph(repository: lakefs.Repository, refs: Any, max_amount: Any) -> CommitGraph:
    """Return the graph of a repository; see `Repository.graph`."""
    most = arguments.integer(max_amount, "max_amount", least=1)
    notes = list[str]()
    heads = _all(repository, notes) if refs is None else _from_names(repository, refs)
    reading = _Reading(most)
    labels = dict[str, list[tuple[str, str]]]()
    for kind, ref in heads:
        head = _head(kind, ref)
        if head is not None:
            reading.read(head)
            labels.setdefault(head.id, []).append((kind, ref.id))
    commits = newest(reading.commits, labels, most)
    drawn = {commit.id for commit in commits}
    if any(parent not in drawn for commit in commits for parent in commit.parents) or not drawn.issuperset(labels):
        notes.insert(0, f"older ones are not shown: max_amount={most:,}")
    shown = {name: found for name, found in labels.items() if name in drawn}
    return CommitGraph(repository.uri, commits, shown, now=datetime.now(UTC), note="; ".join(notes))


class _Reading:
    """The commits that were read, of all references."""

    def __init__(self, most: int) -> None:
        self.commits: dict[str, lakefs.Commit] = {}
        self._most = most

    def read(self, head: lakefs.Commit) -> None:
        """Read the log of a commit, as far as it is not known."""
        if head.id in self.commits:
            return
        pending = {head.id}
        with head.log(max_amount=self._most) as log:
            while pending and (commit := next(log, None)) is not None:
                self.commits.setdefault(commit.id, commit)
                pending.discard(commit.id)
                pending.update(parent for parent in commit.parents if parent not in self.commits)


def _head(kind: str, ref: lakefs.Reference) -> lakefs.Commit | None:
    """Return the commit of a reference. None if it was deleted since it was listed."""
    try:
        return ref.get_commit()
    except exceptions.NotFoundException:
        if not kind:  # the caller named it
            raise
        return None


def _from_names(repository: lakefs.Repository, refs: Any) -> list[_Found]:
    """Return the references that the caller names.

    Raises:
        TypeError: It is neither a reference nor an iterable of them.
        ValueError: There are none.
    """
    given = [refs] if isinstance(refs, str) or hasattr(refs, "get_commit") else refs
    if not isinstance(given, Iterable):
        msg = f"refs must be a reference or several, by name or as handles, not {type(refs).__name__}: {refs!r:.80}"
        raise TypeError(msg)
    found = [("", repository.ref(each)) for each in given]
    if not found:
        msg = "refs must not be empty; None means all branches and tags"
        raise ValueError(msg)
    return found


def _all(repository: lakefs.Repository, notes: list[str]) -> list[_Found]:
    """Return the branches and the tags, the default branch first. What is left out is noted."""
    branches = repository.list_branches(max_amount=MOST_REFS + 1).to_list()
    tags = repository.list_tags(max_amount=MOST_REFS + 1).to_list()
    for found, rows in (("branches", branches), ("tags", tags)):
        if len(rows) > MOST_REFS:
            notes.append(f"only the first {MOST_REFS} {found} were read: name others in refs")
    default = repository.info().default_branch
    first = sorted(branches[:MOST_REFS], key=lambda branch: branch.id != default)
    kinds: list[_Found] = [("branch", branch) for branch in first]
    return kinds + [("tag", tag) for tag in tags[:MOST_REFS]]
