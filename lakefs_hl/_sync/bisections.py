# Generated from lakefs_hl/aio/bisections.py by tools/unasync.py: change that, not this.
"""Bisection: the commit that broke something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lakefs_hl._handles import facades
from lakefs_hl._handles.handle import reference_name
from lakefs_hl._handles.repositories import RepositoryHandle
from lakefs_hl._sync import lazy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lakefs_hl._handles.handle import Handle
    from lakefs_hl._sync.refs import Commit
    from lakefs_hl.facades._sync.bisection import Bisection


class Bisections(RepositoryHandle):
    """The part of a repository that searches its history."""

    __module__ = "lakefs_hl"

    def bisect(
        self,
        good: str | Handle,
        bad: str | Handle,
        test: Callable[[Commit], lazy.Verdict],
        *,
        first_parent: bool = False,
        verify: bool = True,
        verdicts: Mapping[str, bool | None] | None = None,
    ) -> Bisection:
        r"""Find the first bad commit between a good one and a bad one, by a test of few of them, as `git bisect` does.

        Candidates are the commits that `bad` reaches and `good` does not, those of merged branches too. Each test
        halves them: 1,000 commits need about 10 tests, and 2 to verify the ends.

        Args:
            good: A commit that passes the test: a reference of this repository, by name or as a handle.
            bad: A later commit that fails it, likewise. Of a branch, the last commit.
            test: Takes a `Commit`, which is read-only, and returns True if it is good, False if it is bad, and None if
                it cannot be tested and is to be skipped. What it raises ends the search, with a note that names the
                commit.
            first_parent: Follow only the first parents of merge commits: the result may be the merge that brought the
                change.
            verify: Test `good` and `bad` first, so that a wrong test does not name an innocent commit.
            verdicts: What is known already, by commit ID, as `Bisection.verdicts` has it. These are not tested again.

        Returns:
            The first bad commit with all tests. If skipped commits hide it, all those that it may be.

        Raises:
            NotFoundException: The repository or a reference does not exist.
            ValueError: `good` is not an ancestor of `bad`, or the test says that `good` is bad or `bad` is good.
            TypeError: The test returned something else.

        Examples:
            >>> repo = lakefs.repository("example")
            >>> for number in range(1, 6):
            ...     _ = repo.branch("main").upload(b"%d" % number, "rows.txt")
            ...     _ = repo.branch("main").commit_changes(f"load {number}")
            >>> def is_good(commit):
            ...     return int(commit.download("rows.txt")) < 4
            >>> repo.bisect("main~4", "main", is_good).first_bad.message
            'load 4'
        """
        module: Any = facades.load(__name__, "bisection")
        ends = (reference_name(good, "good", self), reference_name(bad, "bad", self))
        found: Bisection = module.bisect(self, *ends, test, first_parent, verify, verdicts)
        return found
