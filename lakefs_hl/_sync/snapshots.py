# Generated from lakefs_hl/aio/snapshots.py by tools/unasync.py: change that, not this.
"""Snapshots of everything that a branch has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakefs_hl._handles import snapshots as calls
from lakefs_hl._handles.repositories import RepositoryHandle
from lakefs_hl._sync.refs import Commit, Tag

if TYPE_CHECKING:
    from lakefs_hl._handles.handle import Handle
    from lakefs_hl._sync.client import Client
    from lakefs_hl._sync.listing import Listing


class Snapshots(RepositoryHandle):
    """The part of a repository that is about snapshots."""

    __module__ = "lakefs_hl"

    @property
    def _client(self) -> Client:
        raise NotImplementedError  # a repository has a client

    def tag(self, tag_id: str | Handle) -> Tag:
        """Return a tag."""
        raise NotImplementedError  # a repository has tags

    def create_snapshot(
        self, name: str | Handle | None = None, *, ref: str | Handle | None = None, message: str | None = None
    ) -> Tag:
        r"""Create a snapshot: a tag of everything that a branch has, with its uncommitted changes.

        The branch itself is not changed: what is uncommitted stays so. No data is copied. The uncommitted changes are
        committed on a hidden branch, and the tag points to that commit; without any, it points to the last commit of
        the branch. What others write while the call runs may be part of the snapshot or not.

        A snapshot is deleted as its tag is, by `Tag.delete`.

        Args:
            name: Name of the tag. Defaults to "snapshot-" with the time and a random suffix.
            ref: Branch, or a tag, commit or ref expression, by name or as a handle. Defaults to the default branch.
            message: Message of the commit that the tag points to. If it is given, there is such a commit also without
                uncommitted changes.

        Returns:
            The tag.

        Raises:
            ConflictException: A tag, branch or commit of this name exists.
            NotFoundException: The repository or the reference does not exist.

        Examples:
            >>> repo = lakefs.repository("example")
            >>> _ = repo.branch("main").upload(b"draft", "report.txt")
            >>> tag = repo.create_snapshot("before-cleaning")
            >>> tag.download("report.txt")
            b'draft'
            >>> [change.type for change in repo.branch("main").list_uncommitted()]
            ['added']
        """
        creation = calls.Creation(self, name, ref, message)
        creation.check(self._client._run(creation.op))
        return self.tag(creation.name)

    def snapshots(self, max_amount: int | None = None, after: str | Handle = "") -> Listing[Tag]:
        """Iterate over the snapshots by name, lazily. Other tags are not among them.

        Args:
            max_amount: Maximum number of snapshots. Defaults to all.
            after: List only snapshots after this name.
        """
        return self._client._list(lambda row: self.tag(row.id), calls.listing, self, max_amount, after)

    def restore_snapshot(
        self,
        name: str | Handle,
        *,
        branch: str | Handle | None = None,
        message: str | None = None,
        force: bool = False,
    ) -> Commit:
        r"""Give a branch exactly the content of a snapshot, by one commit: objects, types, metadata and deletions.

        No data is copied. The history of the branch is kept, and the changes since the snapshot are in it. On a
        protected branch, the commit is made elsewhere and merged.

        Args:
            name: Name of the snapshot. Any tag can be restored.
            branch: Branch to restore, by name or as a handle. Defaults to the one that the snapshot was taken of; to
                the default branch, if that no longer exists.
            message: Message of the commit. Defaults to one that names the snapshot.
            force: Discard uncommitted changes of the branch instead of raising.

        Returns:
            The commit; the last commit of the branch, if nothing differed.

        Raises:
            BadRequestException: The branch has uncommitted changes, and `force` is False.
            NotFoundException: The repository, the snapshot or the branch does not exist.

        Examples:
            >>> repo = lakefs.repository("example")
            >>> _ = repo.create_snapshot("empty")
            >>> branch = repo.branch("main")
            >>> _ = branch.upload(b"1", "a.csv")
            >>> _ = branch.commit_changes("load")
            >>> repo.restore_snapshot("empty").message
            "Restore snapshot 'empty'"
            >>> branch.exists("a.csv")
            False
        """
        return Commit._of(self.tag(name), self._client._run(calls.restore, self, name, branch, message, force))
