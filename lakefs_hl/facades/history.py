"""Commits as a graph, for bisection: which are candidates, and which one is tested next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any


def checked_verdict(value: Any, where: str) -> bool | None:
    """Return a verdict: True for good, False for bad, None to skip.

    Args:
        value: The verdict. A boolean of NumPy is taken too.
        where: Whose it is, for the message.

    Raises:
        TypeError: It is something else.
    """
    if value is None or value is True or value is False:
        found: bool | None = value
        return found
    if getattr(getattr(value, "dtype", None), "kind", None) == "b" and not getattr(value, "shape", None):
        return bool(value)
    msg = f"{where} {value!r:.80}: must be True (good), False (bad) or None (skip), not {type(value).__name__}"
    raise TypeError(msg)


def checked_verdicts(value: Any) -> dict[str, bool | None]:
    """Return verdicts by commit ID. None are none.

    Raises:
        TypeError: It is no such mapping.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        kind = type(value).__name__
        msg = f"verdicts must be a mapping of commit IDs to True, False or None, not {kind}: {value!r:.80}"
        raise TypeError(msg)
    return {str.__str__(key): checked_verdict(verdict, f"verdicts[{key!r:.20}] is") for key, verdict in value.items()}


class Graph:
    """The commits that a bad one reaches and a good one does not.

    Commits are added in the order of the log of the bad one, and excluded in that of the good one: in both, children
    come before their parents. So a commit is no ancestor of the good one as soon as one of its parents is known to be
    one, and the commit itself was not among those before it. Neither log has to be read to its end.

    Args:
        good: ID of the good commit.
        bad: ID of the bad commit.
        first_parent: Whether other parents than the first do not count.

    Attributes:
        is_reached: Whether the good commit is an ancestor of the bad one, as far as is known.
    """

    def __init__(self, good: str, bad: str, *, first_parent: bool) -> None:
        self._good = good
        self._first_parent = first_parent
        self._found = dict[str, Any]()
        self._excluded = {good}
        self._pending = {bad}
        self._has_root = False
        self._is_complete = False
        self.is_reached = False

    @property
    def is_open(self) -> bool:
        """Whether more commits are needed to know."""
        return bool(self._pending - {self._good}) or (self._has_root and not self._is_complete)

    def add(self, commit: Any) -> None:
        """Add the next commit of the log of the bad one."""
        if commit.id not in self._pending or commit.id in self._excluded:
            self._pending.discard(commit.id)
            return
        self._pending.discard(commit.id)
        self._found[commit.id] = commit
        parents = _parents(commit, self._first_parent)
        self.is_reached |= self._good in parents
        self._has_root |= not parents
        self._pending.update(parent for parent in parents if parent not in self._excluded)

    def exclude(self, commit: str | None) -> None:
        """Exclude the next commit of the log of the good one, by its ID; None at the end of the log."""
        if commit is None:
            self._is_complete = True
            return
        self._excluded.add(commit)
        self._pending.discard(commit)
        excluded = self._found.pop(commit, None)
        if excluded is not None and not excluded.parents:
            self._has_root = False

    def found(self) -> list[Any]:
        """Return the commits, children before parents."""
        return list(self._found.values())


class Search:
    """The commits that may be the first bad one.

    Args:
        commits: The bad commit and all others, children before parents.
        first_parent: Whether other parents than the first do not count.
    """

    def __init__(self, commits: Iterable[Any], *, first_parent: bool) -> None:
        found = list(commits)
        inside = {commit.id for commit in found}
        self._commits = {commit.id: commit for commit in reversed(found)}  # parents before children
        self._parents = {
            commit.id: [parent for parent in _parents(commit, first_parent) if parent in inside] for commit in found
        }
        self._skipped = set[str]()

    def candidates(self) -> list[Any]:
        """Return the commits that may be the first bad one, children before parents."""
        return list(reversed(self._commits.values()))

    def next(self) -> Any | None:
        """Return the commit whose test halves the candidates best. None if there is nothing to test."""
        best, most = None, 0
        for name, weight in self._weights():
            score = min(weight, len(self._commits) - weight)
            if score > most and name not in self._skipped:
                best, most = name, score
        return None if best is None else self._commits[best]

    def _weights(self) -> Iterator[tuple[str, int]]:
        """Yield each candidate with the number of candidates that it reaches.

        What a commit reaches is a set of bits, kept until its last child had its turn: a history without branches has
        one set at a time.
        """
        children = Counter(parent for name in self._commits for parent in self._parents[name])
        reached = dict[str, int]()
        for at, name in enumerate(self._commits):
            bits = 1 << at
            for parent in self._parents[name]:
                bits |= reached[parent]
                children[parent] -= 1
                if not children[parent]:
                    del reached[parent]
            if children[name]:
                reached[name] = bits
            yield name, bits.bit_count()

    def take(self, commit: Any, verdict: bool | None) -> None:
        """Take the verdict on a candidate: True for good, False for bad, None to skip it."""
        if verdict is None:
            self._skipped.add(commit.id)
            return
        reached = self._reach(commit.id)
        self._keep({name for name in self._commits if (name in reached) is not verdict})

    def _reach(self, name: str) -> set[str]:
        reached, left = {name}, [name]
        while left:
            for parent in self._parents[left.pop()]:
                if parent not in reached:
                    reached.add(parent)
                    left.append(parent)
        return reached

    def _keep(self, ids: set[str]) -> None:
        self._commits = {name: commit for name, commit in self._commits.items() if name in ids}
        self._parents = {name: [each for each in self._parents[name] if each in ids] for name in self._commits}


def _parents(commit: Any, first_parent: bool) -> list[str]:
    parents: list[str] = commit.parents
    return parents[:1] if first_parent else parents
