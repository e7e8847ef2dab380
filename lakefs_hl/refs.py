"""References that cannot be written: expressions, commits, tags; and what differs between two of them."""

from __future__ import annotations

import time
import uuid
from functools import partial
from typing import TYPE_CHECKING, Literal

from lakefs_hl import arguments
from lakefs_hl.handles import (
    DIFF_TYPES,
    STRATEGIES,
    Change,
    CommitFields,
    Handle,
    Strategy,
    optional_reference_name,
    reference_name,
)
from lakefs_hl.objects import ReadIOBase
from lakefs_hl.ops import refs as ops
from lakefs_hl.ops import tags
from lakefs_hl.spec import models

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import date, datetime

    from lakefs_hl.client import Client


class Reference(ReadIOBase):
    """Any version of a repository that can be read: a branch, tag, commit or expression such as `main~2`.

    Examples:
        >>> ref = lakefs.repository("example").ref("main")
        >>> ref.commit_message()
        'Repository created'
    """

    def get_commit(self) -> Commit:
        """Returns the commit that the reference points to now; of a branch, what is staged is not part of it.

        What is read from the commit never changes, whatever becomes of the reference: it is pinned.

        Raises:
            NotFoundException: There is no such repository or reference.
        """
        client = self._client
        record = client._run(ops.commit(client._session, self._repository_id, self._id))
        return Commit._of(self, record)

    pin = get_commit

    def _kind(self) -> object:
        return self._commit_kind() if type(self) is Reference else super()._kind()

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
        objects: str | Iterable[str] = (),
        prefixes: str | Iterable[str] = (),
        since: datetime | date | str | None = None,
        stop_at: str | Handle | None = None,
        first_parent: bool = False,
    ) -> Iterator[Commit]:
        """Lists the commit and its ancestors, newest first, lazily.

        Args:
            max_amount: How many to list at most; None means all.
            after: Start after this commit.
            objects: Only commits that changed this path or URI, or one of these; merges never match.
            prefixes: Only commits that changed something under this prefix, or one of these.
            since: Only commits made at or after this moment: an aware datetime, or a date or ISO 8601 text such as
                "2026-01-31", which is UTC unless it has an offset.
            stop_at: The last commit to list.
            first_parent: Follow the first parent of merges only.
        """
        client = self._client
        after = arguments.optional_in_repository(after, "after", self._repository_id)
        page = partial(
            ops.log_page,
            client._session,
            self._repository_id,
            self._id,
            objects=arguments.paths(objects, self, "objects"),
            prefixes=arguments.paths(prefixes, self, "prefixes"),
            since=None if since is None else arguments.moment(since, "since"),
            stop_at=optional_reference_name(stop_at, "stop_at", self),
            first_parent=arguments.flag(first_parent, "first_parent"),
        )
        return map(partial(Commit._of, self), client._pages(page, after, arguments.amount(max_amount)))

    def diff(
        self,
        other_ref: str | Handle,
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
            other_ref: A name, or a reference or branch of this repository.
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
            reference_name(other_ref, "other_ref", self),
            prefix=arguments.path(prefix, self, "prefix"),
            delimiter=arguments.delimiter(delimiter, recursive),
            type=arguments.choice(type, "type", DIFF_TYPES),
        )
        return map(Change._of, client._pages(page, arguments.path(after, self, "after"), arguments.amount(max_amount)))

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
    ) -> Reference:
        """Merges this reference into a branch and returns the merge commit.

        Args:
            destination_branch_id: The branch to change, by name or as an object; of this repository.
            message: Of the merge commit; lakeFS's default names both sides.
            metadata: Of the merge commit.
            strategy: Whose change wins where both sides changed a path; None makes that an error.
            squash: Leave out the link to the source's history.
            allow_empty: Merge even if there is nothing to merge.
            force: Merge into a read-only repository too.

        Raises:
            MergeConflict: Both sides changed the same paths; they are in `conflicts`.
            BadRequestException: Nothing to merge, or the destination has uncommitted changes.
            ValueError: The destination is a branch of another repository or lake.
        """
        client = self._client
        destination = reference_name(destination_branch_id, "destination_branch_id", self)
        merge = models.Merge(
            arguments.optional_text(message, "message"),
            arguments.optional_metadata(metadata),
            arguments.optional_choice(strategy, "strategy", STRATEGIES),
            arguments.flag(force, "force") or None,
            arguments.flag(allow_empty, "allow_empty") or None,
            arguments.flag(squash, "squash") or None,
        )
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


class Commit(CommitFields, Reference):
    """A commit, pinned to its id, with its fields loaded; made by `log`, `commit_changes` and friends.

    Attributes:
        message: The message.
        committer: Who made it.
        creation_date: When; aware, UTC, whole seconds.
        parents: The ids of its parents.
    """

    def __init__(self, repository_id: str, record: models.Commit, client: Client | None = None) -> None:
        self._record = self._checked(record)
        super().__init__(repository_id, record.id, client)

    @classmethod
    def _of(cls, place: Handle, record: models.Commit) -> Commit:
        return cls(place._repository_id, record, place._given)

    def get_commit(self) -> Commit:
        """Returns itself: a commit never changes."""
        return self

    pin = get_commit

    def metadata(self) -> dict[str, str]:
        """Returns the metadata."""
        return self._own_metadata()

    def commit_message(self) -> str:
        """Returns the message."""
        return self._record.message


class Tag(Reference):
    """A name for a commit that never moves.

    Examples:
        >>> tag = lakefs.repository("example").tag("v1").create("main")
        >>> tag.commit_message()
        'Repository created'
        >>> tag.delete()
    """

    def create(self, source_ref: str | Handle, *, exist_ok: bool = False) -> Tag:
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
            tags.create(
                client._session,
                self._repository_id,
                self._id,
                reference_name(source_ref, "source_ref", self),
                exist_ok=arguments.flag(exist_ok, "exist_ok"),
            )
        )
        return self

    def delete(self) -> None:
        """Deletes the tag; the commit stays.

        Raises:
            NotFoundException: There is no such tag.
        """
        client = self._client
        client._run(tags.delete(client._session, self._repository_id, self._id))
