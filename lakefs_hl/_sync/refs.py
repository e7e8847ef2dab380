# Generated from lakefs_hl/aio/refs.py by tools/unasync.py: change that, not this.
"""Read-only references: commits, tags and ref expressions; and diffs between them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload

from lakefs_hl._handles import blame, versions
from lakefs_hl._handles import refs as calls
from lakefs_hl._handles.changes import Change
from lakefs_hl._handles.commits import CommitFields
from lakefs_hl._handles.handle import Handle
from lakefs_hl._handles.objects import ObjectOrPrefix, ObjectPath, Prefix, wrap
from lakefs_hl._handles.records import public
from lakefs_hl._handles.refs import Strategy
from lakefs_hl._sync.facades import CachedReads
from lakefs_hl._sync.listing import Listing
from lakefs_hl._sync.mapping import MappingReads
from lakefs_hl._sync.objects import ObjectInfo, ReadIOBase
from lakefs_hl._sync.pins import PinReads
from lakefs_hl.spec import models

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date, datetime

    from lakefs_hl._sync.client import Client
    from lakefs_hl.ops.blame import Blamed
    from lakefs_hl.ops.versions import Version


class Reference(ReadIOBase, PinReads, CachedReads, MappingReads):
    """Any version of a repository: a branch, a tag, a commit or a ref expression such as `main~2`.

    Examples:
        >>> ref = lakefs.repository("example").ref("main")
        >>> ref.commit_message()
        'Repository created'
    """

    __module__ = "lakefs_hl"

    def get_commit(self) -> Commit:
        """Return the commit that the reference points to now. Staged changes of a branch are not part of it.

        Reads from the returned commit are pinned: they do not change when the reference moves.

        Raises:
            NotFoundException: The repository or the reference does not exist.
        """
        return Commit._of(self, self._client._run(calls.commit, self))

    def _kind(self) -> object:
        return self._commit_kind() if type(self) is Reference else super()._kind()

    def metadata(self) -> dict[str, str]:
        """Return the metadata of the commit."""
        return self.get_commit()._own_metadata()

    def commit_message(self) -> str:
        """Return the message of the commit."""
        return self.get_commit().message

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

    def history(self, path: ObjectPath, max_amount: int | None = None) -> Listing[ObjectVersion]:
        r"""Iterate over the versions of an object, newest first, lazily.

        Versions exist per commit: two uploads without a commit between them are one version, and staged changes of a
        branch are none before they are committed (`stat_object` returns the staged object). A deletion is a version
        without an object. Of merged branches, only the versions that became part of this reference are listed, each
        with the commit that made it. A path that never existed has no versions.

        Args:
            path: Path of the object.
            max_amount: Maximum number of versions. Defaults to all.

        Raises:
            NotFoundException: The repository or the reference does not exist (raised by the first step of the
                iteration).

        Examples:
            >>> branch = lakefs.repository("example").branch("main")
            >>> for content in (b"v1", b"v2"):
            ...     _ = branch.upload(content, "config.json")
            ...     _ = branch.commit_changes(content.decode())
            >>> [version.commit.message for version in branch.history("config.json").to_list()]
            ['v2', 'v1']
        """
        return self._client._list(partial(ObjectVersion._of, self), versions.history, self, path, max_amount)

    def blame(self, path: ObjectOrPrefix = "", max_amount: int | None = None) -> Listing[BlameEntry]:
        r"""Iterate over objects, each with the commit that changed it last, ordered by path, lazily.

        It is the commit of the newest version in `history`: of merged branches, the one that made the change, not the
        merge. Uncommitted changes of a branch are not considered. All objects are those of one commit, the one that the
        reference points to when the first of them is asked for.

        Args:
            path: Path of an object, or a prefix, which ends with `/`. Defaults to all objects.
            max_amount: Maximum number of objects. Defaults to all.

        Raises:
            NotFoundException: The repository or the reference does not exist (raised by the first step of the
                iteration).
            ObjectNotFoundException: There is no such object (raised likewise).

        Examples:
            >>> branch = lakefs.repository("example").branch("main")
            >>> for name in ("a.csv", "b.csv"):
            ...     _ = branch.upload(b"1,2", f"data/{name}")
            ...     _ = branch.commit_changes(f"add {name}")
            >>> [(entry.path, entry.commit.message) for entry in branch.blame("data/")]
            [('data/a.csv', 'add a.csv'), ('data/b.csv', 'add b.csv')]
        """
        return self._client._list(partial(BlameEntry._of, self), blame.listing, self, path, max_amount)

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

    def merge_into(
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
        record = self._client._run(
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

    __module__ = "lakefs_hl"

    def __init__(self, repository_id: str, record: models.Commit, client: Client | None = None) -> None:
        self._record = self._check_record(record)
        super().__init__(repository_id, record.id, client)

    @classmethod
    def _of(cls, place: Handle, record: models.Commit) -> Commit:
        return cls(place._repository_id, record, place._given)

    def get_commit(self) -> Commit:
        """Return the commit itself. Sends no request."""
        return self

    def pin(self) -> Commit:
        """Return the commit itself. Sends no request."""
        return self

    def metadata(self) -> dict[str, str]:
        """Return the metadata of the commit. Sends no request."""
        return self._own_metadata()

    def commit_message(self) -> str:
        """Return the message of the commit. Sends no request."""
        return self._record.message


class Tag(Reference):
    """A tag: a name for a commit. It never moves.

    Examples:
        >>> tag = lakefs.repository("example").tag("v1").create("main")
        >>> tag.commit_message()
        'Repository created'
        >>> tag.delete()
    """

    __module__ = "lakefs_hl"

    def create(self, source_ref: str | Handle, *, exist_ok: bool = False) -> Tag:
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
        self._client._run(calls.create_tag, self, source_ref, exist_ok)
        return self

    @overload
    def exists(self) -> bool: ...
    @overload
    def exists(self, path: ObjectPath) -> bool: ...
    def exists(self, path: ObjectPath | None = None) -> bool:
        """Return whether the tag exists, or whether an object exists at it.

        Args:
            path: Path of an object. Defaults to the tag itself.

        Raises:
            NotFoundException: The repository does not exist; or, if a path is given, the tag does not exist.

        Examples:
            >>> lakefs.repository("example").tag("v1").exists()
            False
        """
        return self._client._run(calls.tag_exists, self, path)

    def delete(self) -> None:
        """Delete the tag. The commit is kept.

        Raises:
            NotFoundException: The tag does not exist.
        """
        self._client._run(calls.delete_tag, self)


class ObjectVersion(NamedTuple):
    """One version of an object, as `history` lists it. `Branch.restore` brings it back.

    Attributes:
        commit: The commit that made it.
        info: The object at that commit. None if the commit deleted it.
    """

    commit: Commit
    info: ObjectInfo | None

    @property
    def is_deleted(self) -> bool:
        """Whether the commit deleted the object."""
        return self.info is None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields of the commit and of the object as plain values. Sends no request."""
        return versions.as_dict(self)

    @classmethod
    def _of(cls, place: Handle, version: Version) -> ObjectVersion:
        commit = Commit._of(place, version.commit)
        return cls(commit, None if version.stats is None else wrap(ObjectInfo, commit, version.stats))


public(ObjectVersion, "lakefs_hl")


class BlameEntry(NamedTuple):
    """An object with the commit that changed it last, as `blame` lists it.

    Attributes:
        path: Path of the object.
        commit: The commit. None if no commit of the log made the object what it is.
        info: The object, at the commit that was read.
    """

    path: str
    commit: Commit | None
    info: ObjectInfo

    def to_dict(self) -> dict[str, Any]:
        """Return the path, the fields of the commit and the size of the object as plain values. Sends no request."""
        return blame.as_dict(self.path, self.commit, self.info)

    @classmethod
    def _of(cls, place: Handle, row: Blamed) -> BlameEntry:
        commit = None if row.commit is None else Commit._of(place, row.commit)
        at = Reference(place._repository_id, row.ref, place._given)
        return cls(row.path, commit, wrap(ObjectInfo, at, row.stats))


public(BlameEntry, "lakefs_hl")
