# Generated from lakefs_hl/aio/pull_requests.py by tools/unasync.py: change that, not this.
"""Pull requests."""

from __future__ import annotations

from typing import Literal

from lakefs_hl._handles import pull_requests as calls
from lakefs_hl._handles import reviews
from lakefs_hl._handles.handle import own_client
from lakefs_hl._handles.pull_requests import PullRequestFields
from lakefs_hl._handles.reviews import Review
from lakefs_hl._sync.client import Client
from lakefs_hl._sync.lazy import LazyRecord
from lakefs_hl._sync.of_default import OfDefault, client_of
from lakefs_hl._sync.refs import Commit
from lakefs_hl.spec import models


class PullRequest(PullRequestFields, LazyRecord[models.PullRequest]):
    """A pull request: a proposal to merge one branch into another.

    `Repository.create_pull_request` and `Repository.pull_requests` return it with its fields loaded. `refresh()` looks
    them up again.

    Args:
        repository_id: Name of the repository.
        pull_request_id: ID of the pull request.
        client: Client to use. Defaults to the default client at the time of each call.
    """

    __module__ = "lakefs_hl"
    _package = "lakefs_hl"
    _of_default = OfDefault

    def __init__(self, repository_id: str, pull_request_id: str, client: Client | None = None) -> None:
        super().__init__(repository_id, pull_request_id, "pull_request_id", own_client(client, Client))

    @property
    def _client(self) -> Client:
        return client_of(self._given)

    def refresh(self) -> PullRequest:
        """Look up the fields.

        Returns:
            The pull request itself.

        Raises:
            NotFoundException: The repository or the pull request does not exist.
            UnsupportedOperationException: The server has no pull requests.
        """
        return self._keep(self._client._run(calls.get, self))

    def update(
        self,
        *,
        title: str | None = None,
        description: str | None = None,
        status: Literal["open", "closed"] | None = None,
    ) -> PullRequest:
        """Change the title, the description or the status. None leaves a field unchanged.

        Args:
            title: New title.
            description: New description.
            status: `closed` closes the pull request without merging it, `open` reopens it.

        Returns:
            The pull request itself.

        Raises:
            BadRequestException: The status of a merged pull request was to be changed.
            NotFoundException: The repository or the pull request does not exist.
            UnsupportedOperationException: The server has no pull requests.
            AmbiguousOutcomeError: The outcome is unknown, and another user has changed the same fields.
            ValueError: Nothing to change was given, or another status.
        """
        update = calls.Update(self, title, description, status)
        self._client._run(update.op)
        return self._apply(update.fields)

    def close(self) -> PullRequest:
        """Close the pull request without merging it. Same as `update(status="closed")`."""
        return self.update(status="closed")

    def approve(self, notes: str = "") -> Review:
        """Record that you approve the pull request, with what its source branch has now.

        lakeFS has no reviews. They are kept in the metadata of the repository, for all clients of this package: they
        record what was decided, and enforce nothing. Users with the permission to change that metadata can change them.
        To enforce a rule, use branch protection and a hook of lakeFS. Reviews are never replaced; of several reviews of
        one user, the last one counts.

        Args:
            notes: What you want to say, at most 4,096 bytes in UTF-8.

        Returns:
            The review.

        Raises:
            BadRequestException: The pull request is not open.
            NotFoundException: The repository, the pull request or its source branch does not exist.
            UnsupportedOperationException: The server has no pull requests, or does not report the user.
            ValueError: The notes are too long.

        Examples:
            >>> repo = lakefs.repository("example")
            >>> dev = repo.branch("dev").create("main")
            >>> _ = dev.upload(b"1,2", "a.csv", commit_message="first table")
            >>> proposal = repo.create_pull_request("dev", "main", "First table")
            >>> proposal.approve("looks right").approved
            True
            >>> proposal.merge(require_approvals=1).message[:5]
            'Merge'
        """
        return self._review(True, notes)

    def _review(self, approved: bool, notes: str) -> Review:
        note = self._client._run(reviews.add, self, approved, notes)
        return Review._of(note, note.source_commit)

    def reject(self, notes: str = "") -> Review:
        """Record that you do not approve the pull request. It stays open: `close()` closes it. See `approve`.

        Args:
            notes: What you want to say, at most 4,096 bytes in UTF-8.

        Returns:
            The review.

        Raises:
            BadRequestException: The pull request is not open.
            NotFoundException: The repository, the pull request or its source branch does not exist.
            UnsupportedOperationException: The server has no pull requests, or does not report the user.
            ValueError: The notes are too long.
        """
        return self._review(False, notes)

    def reviews(self) -> list[Review]:
        """Return the reviews that `approve` and `reject` recorded, oldest first.

        Raises:
            NotFoundException: The repository or the pull request does not exist.
            UnsupportedOperationException: The server has no pull requests.
            ValueError: Another program has written something else into the metadata.
        """
        return reviews.reviews_of(self._client._run(reviews.read, self))

    def merge(self, *, require_approvals: int = 0) -> Commit:
        """Merge the source branch into the destination branch.

        lakeFS sets the message and the metadata, and offers no strategy here. To choose them, use
        `Reference.merge_into` and `close()`.

        Args:
            require_approvals: Merge only if at least this number of users approve what the source branch has now, by
                their last reviews. The author may be one of them. This is checked before the merge is sent: what is
                committed to the source branch at the same moment is merged without a review.

        Returns:
            The merge commit.

        Raises:
            MergeConflict: Both sides changed the same paths, which are in `conflicts`.
            BadRequestException: The pull request is not open, there is nothing to merge, the destination has
                uncommitted changes, or there are too few approvals.
            NotFoundException: The repository or the pull request does not exist.
            UnsupportedOperationException: The server has no pull requests.
            AmbiguousOutcomeError: The outcome is unknown; or, if `maybe_applied` is True, it was merged, and the merge
                commit could not be looked up. Its ID is `result_id`.
        """
        made = self._client._run(calls.merge, self, require_approvals)
        self._apply({"status": "merged", "merged_commit_id": made.id})
        return Commit(self._repository_id, made, self._given)
