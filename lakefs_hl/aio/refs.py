"""Read-only references: commits, tags and ref expressions; and diffs between them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal, overload

from lakefs_hl._handles import refs as calls
from lakefs_hl._handles.changes import Change
from lakefs_hl._handles.commits import CommitFields
from lakefs_hl._handles.handle import Handle
from lakefs_hl._handles.objects import ObjectOrPrefix, ObjectPath, Prefix
from lakefs_hl._handles.refs import Strategy
from lakefs_hl.aio.listing import Listing
from lakefs_hl.aio.objects import ReadIOBase
from lakefs_hl.spec import models

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date, datetime

    from lakefs_hl.aio.client import Client


class Reference(ReadIOBase):
    """Any version of a repository: a branch, a tag, a commit or a ref expression such as `main~2`.

    Examples:
        >>> ref = lakefs.repository("example").ref("main")
        >>> await ref.commit_message()
        'Repository created'
    """

    __module__ = "lakefs_hl.aio"

    async def get_commit(self) -> Commit:
        """Return the commit that the reference points to now. Staged changes of a branch are not part of it.

        Reads from the returned commit are pinned: they do not change when the reference moves.

        Raises:
            NotFoundException: The repository or the reference does not exist.
        """
        return Commit._of(self, await self._client._run(calls.commit, self))

    pin = get_commit

    def _kind(self) -> object:
        return self._commit_kind() if type(self) is Reference else super()._kind()

    async def metadata(self) -> dict[str, str]:
        """Return the metadata of the commit."""
        return (await self.get_commit())._own_metadata()

    async def commit_message(self) -> str:
        """Return the message of the commit."""
        return (await self.get_commit()).message

    def log(
        self,
        max_amount: int | None = None,
        *,
        after: str | Handle = "",
        objects: ObjectPath | Iterable[ObjectPath] = (),
        prefixes: Prefix | Iterable[Prefix] = (),
        since: datetime | date | str | None = None,
        stop_at: str | Handle | None = None,
        first_parent: bool = False,
    ) -> Listing[Commit]:
        """Iterate over the commit and its ancestors, newest first, lazily.

        Args:
            max_amount: Maximum number of commits. Defaults to all.
            after: Start after this commit.
            objects: List only commits that changed one of these paths, URIs or objects. Merge commits never match.
            prefixes: List only commits that changed an object under one of these prefixes.
            since: List only commits made at or after this time: an aware datetime, or a date or ISO 8601 text such as
                "2026-01-31", which is in UTC unless it has an offset.
            stop_at: Last commit to list.
            first_parent: Follow only the first parent of merge commits.
        """
        return self._client._list(
            partial(Commit._of, self),
            calls.log,
            self,
            max_amount,
            after,
            objects,
            prefixes,
            since,
            stop_at,
            first_parent,
        )

    def diff(
        self,
        other_ref: str | Handle,
        max_amount: int | None = None,
        after: ObjectOrPrefix = "",
        prefix: Prefix = "",
        delimiter: str = "/",
        *,
        type: Literal["three_dot", "two_dot"] = "three_dot",
        recursive: bool = False,
    ) -> Listing[Change]:
        """Iterate over the changes that merging `other_ref` into this reference would apply, ordered by path, lazily.

        Args:
            other_ref: A reference of this repository, by name or as a handle.
            max_amount: Maximum number of changes. Defaults to all.
            after: List only changes after this path.
            prefix: List only changes under this prefix.
            delimiter: Group changes by the part of the path up to this delimiter, as type `prefix_changed`. ""
                groups nothing.
            type: "three_dot" compares `other_ref` with the merge base, "two_dot" with this reference.
            recursive: Same as `delimiter=""`.
        """
        return self._client._list(
            Change._of, calls.diff, self, other_ref, max_amount, after, prefix, delimiter, type, recursive
        )

    async def merge_into(
        self,
        destination_branch_id: str | Handle,
        *,
        message: str | None = None,
        metadata: Mapping[str, str] | None = None,
        strategy: Strategy | None = None,
        squash: bool = False,
        allow_empty: bool = False,
        force: bool = False,
    ) -> Commit:
        """Merge this reference into a branch.

        Args:
            destination_branch_id: Destination branch of this repository, by name or as a handle.
            message: Message of the merge commit. Defaults to one of lakeFS that names both sides.
            metadata: Metadata of the merge commit.
            strategy: Which side wins where both changed a path. None makes that an error.
            squash: Make the merge commit without the source as a parent.
            allow_empty: Merge even if there is nothing to merge.
            force: Merge into a read-only repository.

        Returns:
            The merge commit.

        Raises:
            MergeConflict: Both sides changed the same paths, which are in `conflicts`.
            BadRequestException: There is nothing to merge, or the destination has uncommitted changes.
            AmbiguousOutcomeError: The outcome is unknown; or, if `maybe_applied` is True, it was merged, and the merge
                commit could not be looked up. Its ID is `result_id`.
            ValueError: The destination is a branch of another repository or lake.
        """
        record = await self._client._run(
            calls.merge, self, destination_branch_id, message, metadata, strategy, squash, allow_empty, force
        )
        return Commit._of(self, record)


class Commit(CommitFields, Reference):
    """A commit with its fields loaded, as `log`, `commit_changes` and others return it.

    Attributes:
        message: Commit message.
        committer: User who made the commit.
        creation_date: Time of the commit: an aware datetime in UTC, in whole seconds.
        parents: IDs of the parents.
    """

    __module__ = "lakefs_hl.aio"

    def __init__(self, repository_id: str, record: models.Commit, client: Client | None = None) -> None:
        self._record = self._check_record(record)
        super().__init__(repository_id, record.id, client)

    @classmethod
    def _of(cls, place: Handle, record: models.Commit) -> Commit:
        return cls(place._repository_id, record, place._given)

    async def get_commit(self) -> Commit:
        """Return the commit itself. Sends no request."""
        return self

    pin = get_commit

    async def metadata(self) -> dict[str, str]:
        """Return the metadata of the commit. Sends no request."""
        return self._own_metadata()

    async def commit_message(self) -> str:
        """Return the message of the commit. Sends no request."""
        return self._record.message


class Tag(Reference):
    """A tag: a name for a commit. It never moves.

    Examples:
        >>> tag = await lakefs.repository("example").tag("v1").create("main")
        >>> await tag.commit_message()
        'Repository created'
        >>> await tag.delete()
    """

    __module__ = "lakefs_hl.aio"

    async def create(self, source_ref: str | Handle, *, exist_ok: bool = False) -> Tag:
        """Create the tag on the commit that a reference points to now.

        Args:
            source_ref: A reference of this repository, by name or as a handle.
            exist_ok: Accept an existing tag of this name if it points to the same commit.

        Returns:
            The tag itself.

        Raises:
            ConflictException: A tag, branch or commit of this name exists.
            NotFoundException: The repository or the reference does not exist.
        """
        await self._client._run(calls.create_tag, self, source_ref, exist_ok)
        return self

    @overload
    async def exists(self) -> bool: ...
    @overload
    async def exists(self, path: ObjectPath) -> bool: ...
    async def exists(self, path: ObjectPath | None = None) -> bool:
        """Return whether the tag exists, or whether an object exists at it.

        Args:
            path: Path of an object. Defaults to the tag itself.

        Raises:
            NotFoundException: The repository does not exist; or, if a path is given, the tag does not exist.

        Examples:
            >>> await lakefs.repository("example").tag("v1").exists()
            False
        """
        return await self._client._run(calls.tag_exists, self, path)

    async def delete(self) -> None:
        """Delete the tag. The commit is kept.

        Raises:
            NotFoundException: The tag does not exist.
        """
        await self._client._run(calls.delete_tag, self)
