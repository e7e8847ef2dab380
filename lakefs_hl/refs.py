"""References that cannot be written: expressions, commits, tags; and what differs between two of them."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime
from functools import partial
from html import escape
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, cast

from lakefs_hl.objects import ReadIOBase
from lakefs_hl.ops import refs as ops
from lakefs_hl.ops import tags
from lakefs_hl.spec import models

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lakefs_hl.client import Client

Strategy: TypeAlias = Literal["dest-wins", "source-wins"]


class Change(NamedTuple):
    """One difference between two versions.

    Attributes:
        type: What happened to the path.
        path: The object's path, or the prefix.
        path_type: Whether it is one object or a prefix of several.
        size_bytes: The size after the change, of a removed object before it; None where the lake does not say.
    """

    type: Literal["added", "removed", "changed", "conflict", "prefix_changed"]
    path: str
    path_type: Literal["common_prefix", "object"]
    size_bytes: int | None

    @classmethod
    def _of(cls, record: models.Diff) -> Change:
        return cls(cast("Any", record.type), record.path, cast("Any", record.path_type), record.size_bytes)


def reference_name(reference: str | ReadIOBase) -> str:
    """Returns the name of a reference that is given as a name or as an object.

    Raises:
        TypeError: It is neither.
    """
    if isinstance(reference, ReadIOBase):
        return reference.id
    if not isinstance(reference, str) or not reference:
        msg = f"a reference must be a name or a reference object, not {reference!r}"
        raise TypeError(msg)
    return reference


class Reference(ReadIOBase):
    """Any version of a repository that can be read: a branch, tag, commit or expression such as `main~2`.

    Example:
        >>> ref = lakefs.repository("example").ref("main")
        >>> ref.commit_message()
        'Repository created'
    """

    def get_commit(self) -> Commit:
        """Returns the commit that the reference points to now.

        Raises:
            NotFoundException: There is no such repository or reference.
        """
        client = self._client
        record = client._run(ops.commit(client._session, self._repository_id, self._id))
        return Commit._of(self, record)

    pin = get_commit

    def metadata(self) -> dict[str, str]:
        """Returns the metadata of the commit."""
        return self.get_commit().metadata()

    def commit_message(self) -> str:
        """Returns the message of the commit."""
        return self.get_commit().message

    def log(
        self,
        max_amount: int | None = None,
        *,
        after: str = "",
        objects: Sequence[str] = (),
        prefixes: Sequence[str] = (),
        since: datetime | None = None,
        stop_at: str | ReadIOBase | None = None,
        first_parent: bool = False,
    ) -> Iterator[Commit]:
        """Lists the commit and its ancestors, newest first, lazily.

        Args:
            max_amount: How many to list at most; None means all.
            after: Start after this commit.
            objects: Only commits that changed one of these paths; merges never match.
            prefixes: Only commits that changed something under one of these prefixes.
            since: Only commits made at or after this moment (an aware datetime).
            stop_at: The last commit to list.
            first_parent: Follow the first parent of merges only.
        """
        client = self._client
        page = partial(
            ops.log_page,
            client._session,
            self._repository_id,
            self._id,
            objects=tuple(objects),
            prefixes=tuple(prefixes),
            since=None if since is None else _moment(since),
            stop_at=None if stop_at is None else reference_name(stop_at),
            first_parent=first_parent,
        )
        return map(partial(Commit._of, self), client._pages(page, after, max_amount))

    def diff(
        self,
        other_ref: str | ReadIOBase,
        max_amount: int | None = None,
        after: str = "",
        prefix: str = "",
        delimiter: str = "/",
        *,
        type: Literal["three_dot", "two_dot"] = "three_dot",
        recursive: bool = False,
    ) -> Iterator[Change]:
        """Lists what merging `other_ref` into this reference would bring, in byte order, lazily.

        Args:
            other_ref: A name, or a reference or branch.
            max_amount: How many to list at most; None means all.
            after: List what comes after this path.
            prefix: List what begins with this.
            delimiter: Fold what follows it into `prefix_changed`; "" folds nothing.
            type: "three_dot" compares with the merge base, "two_dot" the two versions themselves.
            recursive: The same as `delimiter=""`.
        """
        client = self._client
        page = partial(
            ops.diff_page,
            client._session,
            self._repository_id,
            self._id,
            reference_name(other_ref),
            prefix=prefix,
            delimiter="" if recursive else delimiter,
            type=type,
        )
        return map(Change._of, client._pages(page, after, max_amount))

    def merge_into(
        self,
        destination_branch_id: str | ReadIOBase,
        *,
        message: str | None = None,
        metadata: Mapping[str, str] | None = None,
        strategy: Strategy | None = None,
        squash: bool = False,
        allow_empty: bool = False,
        force: bool = False,
    ) -> Reference:
        """Merges this reference into a branch and returns the merge commit.

        Args:
            destination_branch_id: The branch to change, by name or as an object.
            message: Of the merge commit; lakeFS's default names both sides.
            metadata: Of the merge commit.
            strategy: Whose change wins where both sides changed a path; None makes that an error.
            squash: Leave out the link to the source's history.
            allow_empty: Merge even if there is nothing to merge.
            force: Merge into a read-only repository too.

        Raises:
            MergeConflict: Both sides changed the same paths; they are in `conflicts`.
            BadRequestException: Nothing to merge, or the destination has uncommitted changes.
        """
        client = self._client
        merge = models.Merge(
            message,
            None if metadata is None else dict(metadata),
            strategy,
            force or None,
            allow_empty or None,
            squash or None,
        )
        destination = reference_name(destination_branch_id)
        made = client._run(
            ops.merge(
                client._session,
                self._repository_id,
                self._id,
                destination,
                merge,
                op_id=uuid.uuid4().hex,
                now=time.time(),
            )
        )
        return Reference(self._repository_id, made, self._given)


def _moment(value: datetime) -> str:
    if value.tzinfo is None:
        msg = f"since must be an aware datetime, such as datetime.now(UTC); {value!r} has no time zone"
        raise ValueError(msg)
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Commit(Reference):
    """A commit, pinned to its id, with its fields loaded; made by `log`, `commit_changes` and friends.

    Attributes:
        message: The message.
        committer: Who made it.
        creation_date: When; aware, UTC, whole seconds.
        parents: The ids of its parents.
    """

    def __init__(self, repository_id: str, record: models.Commit, client: Client | None = None) -> None:
        super().__init__(repository_id, record.id, client)
        self._record = record

    @classmethod
    def _of(cls, place: ReadIOBase, record: models.Commit) -> Commit:
        return cls(place._repository_id, record, place._given)

    @property
    def message(self) -> str:
        """The message."""
        return self._record.message

    @property
    def committer(self) -> str:
        """Who made it."""
        return self._record.committer

    @property
    def creation_date(self) -> datetime:
        """When it was made; aware, UTC, whole seconds."""
        return datetime.fromtimestamp(self._record.creation_date, UTC)

    @property
    def parents(self) -> list[str]:
        """The ids of its parents; a merge has two, the first commit none."""
        return list(self._record.parents)

    @property
    def meta_range_id(self) -> str:
        """LakeFS's id of the whole content; equal ids mean equal content."""
        return self._record.meta_range_id

    def get_commit(self) -> Commit:
        """Returns itself: a commit never changes."""
        return self

    pin = get_commit

    def metadata(self) -> dict[str, str]:
        """Returns the metadata."""
        return dict(self._record.metadata)

    def commit_message(self) -> str:
        """Returns the message."""
        return self._record.message

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles the commit and its fields."""
        return Commit, (self._repository_id, self._record, self._given)

    def __repr__(self) -> str:
        """The short id and the first line of the message."""
        first = self.message.partition("\n")[0]
        when = f"{self.creation_date:%Y-%m-%d %H:%M}"
        return f"<Commit {self.id[:12]} {first!r:.60} by {self.committer or 'nobody'} at {when}>"

    def _repr_html_(self) -> str:
        rows = {
            "commit": self.id,
            "message": self.message,
            "committer": self.committer,
            "date": f"{self.creation_date:%Y-%m-%d %H:%M:%S} UTC",
            **self.metadata(),
        }
        cells = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows.items())
        return f"<table>{cells}</table>"


class Tag(Reference):
    """A name for a commit that never moves.

    Example:
        >>> tag = lakefs.repository("example").tag("v1").create("main")
        >>> tag.commit_message()
        'Repository created'
        >>> tag.delete()
    """

    def create(self, source_ref: str | ReadIOBase, *, exist_ok: bool = False) -> Tag:
        """Creates the tag on the commit that a reference points to now, and returns the tag.

        Args:
            source_ref: A name, or a reference or branch.
            exist_ok: A tag of this name is no error if it is on the same commit.

        Raises:
            ConflictException: There is a tag, branch or commit of this name.
            NotFoundException: There is no such repository or reference.
        """
        client = self._client
        client._run(
            tags.create(client._session, self._repository_id, self._id, reference_name(source_ref), exist_ok=exist_ok)
        )
        return self

    def delete(self) -> None:
        """Deletes the tag; the commit stays.

        Raises:
            NotFoundException: There is no such tag.
        """
        client = self._client
        client._run(tags.delete(client._session, self._repository_id, self._id))
