# Generated from lakefs_hl/aio/branches.py by tools/unasync.py: change that, not this.
"""Branches."""

from __future__ import annotations

from typing import TYPE_CHECKING, overload

from lakefs_hl._handles import branches as calls
from lakefs_hl._handles import versions
from lakefs_hl._handles.changes import Change
from lakefs_hl._handles.expiry import EXPIRY_RETRIES
from lakefs_hl._handles.handle import Handle, optional_reference_name
from lakefs_hl._handles.objects import ObjectOrPrefix, ObjectPath, Prefix, wrap
from lakefs_hl._handles.refs import Strategy
from lakefs_hl._sync.listing import Listing
from lakefs_hl._sync.mapping import MappingWrites
from lakefs_hl._sync.objects import ObjectInfo
from lakefs_hl._sync.refs import Commit, ObjectVersion, Reference
from lakefs_hl._sync.transactions import BranchTransaction
from lakefs_hl._sync.writes import WriteIOBase
from lakefs_hl.ops.branches import OnEmpty

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date as day
    from datetime import datetime


class Branch(Reference, WriteIOBase, MappingWrites):
    r"""A branch. Reads include staged changes; writes are staged until they are committed.

    Examples:
        >>> branch = lakefs.repository("example").branch("dev").create("main")
        >>> _ = branch.upload(b"1,2\n", "data/t.csv")
        >>> branch.commit_changes("first data").message
        'first data'
    """

    __module__ = "lakefs_hl"

    def create(self, source_reference_id: str | Handle, *, exist_ok: bool = False, hidden: bool = False) -> Branch:
        """Create the branch on the commit that a reference points to now.

        Args:
            source_reference_id: A reference of this repository, by name or as a handle. Its staged changes are not part
                of the new branch.
            exist_ok: Accept an existing branch of this name.
            hidden: Leave the branch out of listings.

        Returns:
            The branch itself.

        Raises:
            ConflictException: A branch, tag or commit of this name exists.
            NotFoundException: The repository or the source does not exist.
        """
        self._client._run(calls.create, self, source_reference_id, exist_ok, hidden)
        return self

    @overload
    def exists(self) -> bool: ...
    @overload
    def exists(self, path: ObjectPath) -> bool: ...
    def exists(self, path: ObjectPath | None = None) -> bool:
        """Return whether the branch exists, or whether an object exists on it.

        Args:
            path: Path of an object. Defaults to the branch itself.

        Raises:
            NotFoundException: The repository does not exist; or, if a path is given, the branch does not exist.

        Examples:
            >>> branch = lakefs.repository("example").branch("main")
            >>> branch.exists(), branch.exists("missing.csv")
            (True, False)
        """
        return self._client._run(calls.exists, self, path)

    def head(self) -> Commit:
        """Return the last commit of the branch. Staged changes are not part of it. Sends one request.

        Raises:
            NotFoundException: The repository or the branch does not exist.
        """
        return Commit._of(self, self._client._run(calls.head, self))

    def commit_changes(
        self,
        message: str,
        metadata: Mapping[str, str] | None = None,
        *,
        allow_empty: bool = False,
        on_empty: OnEmpty = calls.ERROR,
        date: datetime | day | str | None = None,
        force: bool = False,
    ) -> Commit:
        """Commit all staged changes.

        Args:
            message: Commit message.
            metadata: Metadata of the commit.
            allow_empty: Commit even if there are no changes. Same as `on_empty="commit"`.
            on_empty: What to do if there are no changes: `error` (the default), `skip` (return the last commit of the
                branch) or `commit`.
            date: Time of the commit: an aware datetime, or a date or ISO 8601 text, which is in UTC unless it has an
                offset. Defaults to now. Fractions of a second are dropped.
            force: Commit to a read-only repository.

        Returns:
            The new commit; the last commit of the branch if there are no changes and `on_empty` is `skip`.

        Raises:
            BadRequestException: There are no changes.
            ForbiddenException: The branch is protected, or the repository is read-only.
            ValueError: `allow_empty` is True, and `on_empty` says something else.

        Examples:
            >>> branch = lakefs.repository("example").branch("main")
            >>> branch.commit_changes("nightly load", on_empty="skip").message
            'Repository created'
        """
        record = self._client._run(calls.commit, self, message, metadata, allow_empty, on_empty, date, force)
        return Commit._of(self, record)

    commit = commit_changes

    def list_uncommitted(
        self, max_amount: int | None = None, after: ObjectOrPrefix = "", prefix: Prefix = "", *, delimiter: str = ""
    ) -> Listing[Change]:
        """Iterate over the uncommitted changes, ordered by path, lazily.

        Args:
            max_amount: Maximum number of changes. Defaults to all.
            after: List only changes after this path.
            prefix: List only changes under this prefix.
            delimiter: Group changes by the part of the path up to this delimiter, as type `prefix_changed`.
        """
        return self._client._list(Change._of_staging, calls.uncommitted, self, max_amount, after, prefix, delimiter)

    def reset(self, path: ObjectOrPrefix | None = None) -> None:
        """Drop staged changes.

        Args:
            path: Drop only the changes of this object, or under this prefix: a common prefix, or a path that ends with
                `/`. Defaults to all. A path without staged changes is left unchanged.

        Raises:
            ObjectNotFoundException: There is no object with this path or prefix, neither staged nor committed.
        """
        self._client._run(calls.reset, self, path)

    def hard_reset(self, reference_id: str | Handle) -> None:
        """Move the branch to another commit. Staged changes are kept on top of it.

        Args:
            reference_id: A reference of this repository, by name or as a handle.
        """
        self._client._run(calls.hard_reset, self, reference_id)

    def revert(
        self,
        reference_id: str | Handle,
        parent_number: int = 0,
        *,
        allow_empty: bool = False,
        message: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Commit:
        """Revert a commit by a new commit.

        Args:
            reference_id: Commit to revert, by name or as a handle.
            parent_number: Of a merge commit: the parent to go back to, from 1. 0 for commits that are not merges.
            allow_empty: Commit even if the revert changes nothing.
            message: Message of the new commit. Defaults to "Revert …" of lakeFS.
            metadata: Metadata of the new commit.

        Returns:
            The new commit.

        Raises:
            ConflictException: Later commits changed the same paths, or `parent_number` is missing for a merge commit.
            BadRequestException: The branch has uncommitted changes, or there is nothing to revert.
        """
        record = self._client._run(calls.revert, self, reference_id, parent_number, allow_empty, message, metadata)
        return Commit._of(self, record)

    def reverse(self, reference_id: str | Handle) -> Commit:
        """Revert a commit by a new commit. Same as `revert`."""
        return self.revert(reference_id)

    def cherry_pick(self, reference_id: str | Handle, parent_number: int | None = None) -> Commit:
        """Apply the changes of one commit to this branch as a new commit.

        Args:
            reference_id: Commit to apply, by name or as a handle.
            parent_number: Of a merge commit: the parent to compare it with, from 1.

        Returns:
            The new commit.

        Raises:
            ConflictException: The branch changed the same paths.
            BadRequestException: The branch has uncommitted changes, or `parent_number` is missing for a merge commit.
        """
        return Commit._of(self, self._client._run(calls.cherry_pick, self, reference_id, parent_number))

    def restore(self, path: ObjectPath, version: ObjectVersion | str | Handle) -> ObjectInfo:
        r"""Stage an earlier version of an object, also of a deleted one. Content type and metadata are those it had.

        No content passes through this machine: an embedded lake shares it between the versions, a lakeFS server copies
        it in its object store.

        Args:
            path: Path of the object.
            version: A version of `history`; or a commit, a tag, a branch (its last commit) or a ref expression such as
                "main~2", by name or as a handle.

        Returns:
            The object on the branch, staged.

        Raises:
            ObjectNotFoundException: The object does not exist in this version.
            NotFoundException: The version does not exist.
            ValueError: The version is one of another object, repository or lake.

        Examples:
            >>> branch = lakefs.repository("example").branch("main")
            >>> for content in (b"v1", b"v2"):
            ...     _ = branch.upload(content, "config.json")
            ...     _ = branch.commit_changes(content.decode())
            >>> _, first = branch.history("config.json").to_list()
            >>> _ = branch.restore("config.json", first)
            >>> branch.download("config.json")
            b'v1'
        """
        return wrap(ObjectInfo, self, self._client._run(versions.restore, self, path, version))

    def delete(self) -> None:
        """Delete the branch and its staged changes. Commits that other references reach are kept.

        Raises:
            NotFoundException: The branch does not exist.
            ForbiddenException: It is the default branch.
        """
        self._client._run(calls.delete, self)

    def transaction(
        self,
        commit_message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        tag: str | Handle | None = None,
        strategy: Strategy | None = None,
        delete_on_error: bool = False,
        on_empty: OnEmpty = "skip",
        retries: int = 0,
        source_ref: str | Handle | None = None,
    ) -> BranchTransaction:
        r"""Prepare a transaction: an ephemeral branch, one commit and one merge. It is atomic.

        Args:
            commit_message: Message of the commit and the merge.
            metadata: Metadata of both.
            tag: A tag for the merge commit. The transaction does not start if it exists.
            strategy: Which side wins where both changed a path. None makes that an error.
            delete_on_error: Delete the ephemeral branch after a failure instead of keeping it.
            on_empty: What to do if there are no changes: `skip`, `error` or `commit`.
            retries: How many times to retry a merge that lost a race or found uncommitted changes on the destination.
                Conflicts are never retried.
            source_ref: Reference to start from. Defaults to the last commit of the branch.

        Examples:
            >>> branch = lakefs.repository("example").branch("main")
            >>> with branch.transaction("nightly load") as tx:
            ...     _ = tx.upload(b"a,b\n", "daily/t.csv")
        """
        return BranchTransaction(
            self._repository_id,
            self._id,
            self._given,
            commit_message=commit_message,
            metadata=metadata,
            tag=tag,
            strategy=strategy,
            delete_on_error=delete_on_error,
            on_empty=on_empty,
            retries=retries,
            source_ref=optional_reference_name(source_ref, "source_ref", self),
        )

    def _transaction(self, message: str) -> BranchTransaction:
        return self.transaction(message, delete_on_error=True, retries=EXPIRY_RETRIES)
