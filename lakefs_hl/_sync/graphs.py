# Generated from lakefs_hl/aio/graphs.py by tools/unasync.py: change that, not this.
"""Graphs of commits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lakefs_hl._handles import facades
from lakefs_hl._handles.repositories import RepositoryHandle

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lakefs_hl._handles.handle import Handle
    from lakefs_hl.facades.graph import CommitGraph


class Graphs(RepositoryHandle):
    """The part of a repository that shows its history."""

    __module__ = "lakefs_hl"

    def graph(self, refs: str | Handle | Iterable[str | Handle] | None = None, max_amount: int = 50) -> CommitGraph:
        """Return the newest commits as a graph, with the branches and tags that point to them.

        A notebook shows it as a drawing, and `print` as text. It is not updated.

        Args:
            refs: References whose commits are shown, by name or as handles. Defaults to all branches and tags, at most
                100 of each.
            max_amount: Maximum number of commits.

        Raises:
            NotFoundException: The repository or a reference does not exist.
            ValueError: `max_amount` is less than 1, or `refs` is empty.

        Examples:
            >>> repo = lakefs.repository("example").get_or_create()
            >>> graph = repo.graph()
            >>> [graph.labels[commit.id] for commit in graph.commits]
            [('main',)]
        """
        module: Any = facades.load(__name__, "graph")
        found: CommitGraph = module.graph(self, refs, max_amount)
        return found
