# Generated from lakefs_hl/facades/aio/bisection.py by tools/unasync.py: change that, not this.
"""Bisection: the first bad commit between two, by a test of few of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lakefs_hl import _html
from lakefs_hl.facades import arguments, history
from lakefs_hl.facades._sync import threads

if TYPE_CHECKING:
    import lakefs_hl as lakefs


@dataclass(frozen=True, repr=False)
class Bisection:
    """Result of `Repository.bisect`.

    Attributes:
        first_bad: The first bad commit. None if commits that were skipped hide it.
        suspects: The commits that it may be, newest first: one, if it is known.
        good: The good commit that the search began with.
        bad: The bad commit that the search began with.
        verdicts: All verdicts by commit ID, in the order of the search: True for good, False for bad, None for skipped.
            Pass them to the next search, which does not test these commits again.
        tests: Number of tests that were made.
    """

    __module__ = "lakefs_hl"

    first_bad: lakefs.Commit | None
    suspects: tuple[lakefs.Commit, ...]
    good: lakefs.Commit
    bad: lakefs.Commit
    verdicts: Mapping[str, bool | None]
    tests: int

    def to_dict(self) -> dict[str, Any]:
        """Return the IDs of the commits, the verdicts and the number of tests as plain values."""
        return {
            "first_bad": None if self.first_bad is None else self.first_bad.id,
            "suspects": [commit.id for commit in self.suspects],
            "good": self.good.id,
            "bad": self.bad.id,
            "verdicts": dict(self.verdicts),
            "tests": self.tests,
        }

    def __repr__(self) -> str:
        found = f"{len(self.suspects)} suspects" if self.first_bad is None else f"first bad {self.first_bad!r}"
        return f"<Bisection after {self.tests} tests: {found}>"

    def _repr_html_(self) -> str:
        found = "the first bad commit" if self.first_bad is not None else f"{len(self.suspects):,} suspects"
        words = {True: "good", False: "bad", None: "skipped"}
        rows = [
            (commit.id[:12], words[self.verdicts.get(commit.id)], _html.cell(commit.message), commit.committer)
            for commit in self.suspects[: _html.SHOWN]
        ]
        return _html.listing(
            "Bisection", f"{found} after {self.tests:,} tests", ("commit", "verdict", "message", "committer"), rows
        )


class _Trials:
    """The tests, and their verdicts."""

    def __init__(self, repository: lakefs.Repository, test: Any, verdicts: Mapping[str, bool | None]) -> None:
        self.about = f"bisecting lakefs://{repository.id}"
        self._test = test
        self._given = verdicts
        self.verdicts = dict[str, bool | None]()
        self.made = 0

    def judge(self, commit: lakefs.Commit) -> bool | None:
        """Return whether a commit is good, None if it is to be skipped. Known verdicts are not asked for again."""
        if commit.id in self.verdicts:
            return self.verdicts[commit.id]
        verdict = self._given[commit.id] if commit.id in self._given else self._ask(commit)
        self.verdicts[commit.id] = verdict
        return verdict

    def _ask(self, commit: lakefs.Commit) -> bool | None:
        self.made += 1
        try:
            verdict = threads.ask(self._test, commit)
        except BaseException as exc:
            exc.add_note(f"{self.about}: while commit {commit.id} was tested, after verdicts={self.verdicts!r}")
            raise
        return history.checked_verdict(verdict, f"{self.about}: test({commit.id[:12]}) returned")


def bisect(
    repository: lakefs.Repository,
    good: str,
    bad: str,
    test: Any,
    first_parent: Any = False,
    verify: Any = True,
    verdicts: Any = None,
) -> Bisection:
    """Find the first bad commit; see `Repository.bisect`."""
    first_parent, verify = arguments.flag(first_parent, "first_parent"), arguments.flag(verify, "verify")
    if not callable(test):
        msg = f"test must be callable, not {type(test).__name__}: it takes a commit, and returns whether it is good"
        raise TypeError(msg)
    trials = _Trials(repository, test, history.checked_verdicts(verdicts))
    begin, end = repository.commit(good).get_commit(), repository.commit(bad).get_commit()
    search = history.Search(_between(begin, end, first_parent, trials.about), first_parent=first_parent)
    if verify:
        _verify(trials, begin, end)
    while (commit := search.next()) is not None:
        search.take(commit, trials.judge(commit))
    suspects = tuple(search.candidates())
    first_bad = suspects[0] if len(suspects) == 1 else None
    return Bisection(first_bad, suspects, begin, end, trials.verdicts, trials.made)


def _verify(trials: _Trials, good: lakefs.Commit, bad: lakefs.Commit) -> None:
    """Test both ends.

    Raises:
        ValueError: One is not what it was said to be.
    """
    if trials.judge(good) is False:
        msg = f"{trials.about}: the test says that good={good.id} is bad; give an earlier commit, or mend the test"
        raise ValueError(msg)
    if trials.judge(bad) is True:
        msg = f"{trials.about}: the test says that bad={bad.id} is good; give a later commit, or mend the test"
        raise ValueError(msg)


def _between(good: lakefs.Commit, bad: lakefs.Commit, first_parent: bool, about: str) -> list[lakefs.Commit]:
    """Return the commits that `bad` reaches and `good` does not, children before parents.

    Raises:
        ValueError: `good` is not an ancestor of `bad`.
    """
    if good.id == bad.id:
        msg = f"{about}: good and bad are the same commit, {good.id}"
        raise ValueError(msg)
    graph = history.Graph(good.id, bad.id, first_parent=first_parent)
    with bad.log(first_parent=first_parent) as newer, good.log() as older:
        _read(graph, newer, older)
    if not graph.is_reached:
        by = " by first parents" if first_parent else ""
        msg = (
            f"{about}: good={good.id} is not an ancestor{by} of bad={bad.id}; check that the two are not exchanged, or "
            "give an earlier commit as good"
        )
        raise ValueError(msg)
    found: list[lakefs.Commit] = graph.found()
    return found


def _read(graph: history.Graph, newer: lakefs.Listing[lakefs.Commit], older: lakefs.Listing[lakefs.Commit]) -> None:
    """Read the logs of the bad and of the good commit, as far as the graph needs them."""
    ended = False
    while graph.is_open:
        commit = next(newer, None)
        if commit is not None:
            graph.add(commit)
        elif ended or not graph.is_reached:
            return
        if graph.is_reached and graph.is_open and not ended:  # a branch that began before `good`, or ends there
            known = next(older, None)
            ended = known is None
            graph.exclude(None if known is None else known.id)
