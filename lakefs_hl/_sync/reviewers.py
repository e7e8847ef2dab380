# Generated from lakefs_hl/aio/reviewers.py by tools/unasync.py: change that, not this.
"""Reviewers of a repository: who may be asked to approve its datasets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakefs_hl._handles import reviewers as calls
from lakefs_hl._handles.repositories import RepositoryHandle

if TYPE_CHECKING:
    from lakefs_hl._sync.client import Client


class Reviewers(RepositoryHandle):
    """The part of a repository that is about its reviewers."""

    __module__ = "lakefs_hl"

    @property
    def _client(self) -> Client:
        raise NotImplementedError  # a repository has a client

    def reviewers(self) -> list[str]:
        """Return the IDs of the reviewers, in order.

        Raises:
            NotFoundException: The repository does not exist.
        """
        return self._client._run(calls.reviewers, self)

    def add_reviewer(self, reviewer_id: str) -> None:
        """Add a reviewer, whom `Dataset.request_approval` can ask. One that exists is left as it is.

        lakeFS has no reviewers. They are keys of the repository's metadata, `lakefs_hl.reviewer.<id>`, and anyone who
        may change the metadata may change them. Several can be added at the same time.

        Args:
            reviewer_id: ID of the user, as `health_check().user` returns it to that user. It need not exist yet.

        Raises:
            NotFoundException: The repository does not exist.
            ForbiddenException: The repository is read-only, or the credentials lack the permission.
            ValueError: The ID is empty, has control characters or spaces at its ends, or is longer than 255 characters.

        Examples:
            >>> repo = lakefs.repository("example")
            >>> repo.add_reviewer("ada@example.com")
            >>> repo.reviewers()
            ['ada@example.com']
            >>> repo.remove_reviewer("ada@example.com")
        """
        self._client._run(calls.add, self, reviewer_id)

    def remove_reviewer(self, reviewer_id: str) -> None:
        """Remove a reviewer. What they have decided stays; what waits for their decision can no longer be acted on.

        Args:
            reviewer_id: ID of the user.

        Raises:
            NotFoundException: There is no such reviewer, or the repository does not exist.
            ForbiddenException: The repository is read-only, or the credentials lack the permission.
        """
        self._client._run(calls.remove, self, reviewer_id)
