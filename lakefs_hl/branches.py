"""Branches: references that move."""

from __future__ import annotations

import time
import uuid
from functools import partial
from typing import TYPE_CHECKING

from lakefs_hl import arguments
from lakefs_hl.handles import Change, Handle, OnEmpty, Strategy, optional_reference_name, reference_name
from lakefs_hl.ops import branches as ops
from lakefs_hl.refs import Commit, Reference
from lakefs_hl.spec import models
from lakefs_hl.transactions import BranchTransaction
from lakefs_hl.writes import WriteIOBase

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date as day
    from datetime import datetime


class Branch(Reference, WriteIOBase):
    r"""A branch: reads see what is staged, writes stage, a commit makes history of it.

    Examples:
        >>> branch = lakefs.repository("example").branch("dev").create("main")
        >>> _ = branch.upload(b"1,2\n", "data/t.csv")
        >>> branch.commit_changes("first data").message
        'first data'
    """

    def create(self, source_reference_id: str | Handle, *, exist_ok: bool = False, hidden: bool = False) -> Branch:
        """Creates the branch on the commit that a reference points to now, and returns the branch.

        Args:
            source_reference_id: A name, or a reference or branch of this repository. Its staged changes stay where they
                are.
            exist_ok: A branch of this name is no error.
            hidden: Leave it out of listings.

        Raises:
            ConflictException: There is a branch, tag or commit of this name.
            NotFoundException: There is no such repository or source.
        """
        client = self._client
        op = ops.create(
            client._session,
            self._repository_id,
            self._id,
            reference_name(source_reference_id, "source_reference_id", self),
            hidden=arguments.flag(hidden, "hidden"),
            exist_ok=arguments.flag(exist_ok, "exist_ok"),
        )
        client._run(op)
        return self

    def head(self) -> Reference:
        """Returns the last commit, pinned to its id; staged changes are not part of it."""
        client = self._client
        ref = client._run(ops.get(client._session, self._repository_id, self._id))
        return Reference(self._repository_id, ref.commit_id, self._given)

    def commit_changes(
        self,
        message: str,
        metadata: Mapping[str, str] | None = None,
        *,
        allow_empty: bool = False,
        date: datetime | day | str | None = None,
        force: bool = False,
    ) -> Commit:
        """Makes history of all staged changes and returns the commit.

        Args:
            message: The message.
            metadata: Any strings.
            allow_empty: Commit even if nothing changed.
            date: When it shall have been made: an aware datetime, or a date or ISO 8601 text, which is UTC unless it
                has an offset; now by default. Fractions of a second are dropped. An embedded lake keeps dates of the
                years 1685 to 2254.
            force: Commit to a read-only repository too.

        Raises:
            BadRequestException: Nothing changed.
            ForbiddenException: The branch is protected, or the repository read-only.
        """
        client = self._client
        creation = models.CommitCreation(
            arguments.text(message, "message"),
            arguments.optional_metadata(metadata),
            arguments.unix_seconds(date, "date"),
            arguments.flag(allow_empty, "allow_empty") or None,
            arguments.flag(force, "force") or None,
        )
        op = ops.commit(
            client._session, self._repository_id, self._id, creation, op_id=uuid.uuid4().hex, now=time.time()
        )
        return Commit._of(self, client._run(op))

    commit = commit_changes

    def list_uncommitted(
        self, max_amount: int | None = None, after: str = "", prefix: str = "", *, delimiter: str = ""
    ) -> Iterator[Change]:
        """Lists what is staged and differs from the last commit, in byte order, lazily.

        Args:
            max_amount: How many to list at most; None means all.
            after: List what comes after this path.
            prefix: List what begins with this.
            delimiter: Fold what follows it into `prefix_changed`.
        """
        client = self._client
        page = partial(
            ops.uncommitted_page,
            client._session,
            self._repository_id,
            self._id,
            prefix=arguments.path(prefix, self, "prefix"),
            delimiter=arguments.text(delimiter, "delimiter"),
        )
        return map(
            Change._staged, client._pages(page, arguments.path(after, self, "after"), arguments.amount(max_amount))
        )

    def reset(self, path: str | None = None) -> None:
        """Drops staged changes.

        Args:
            path: Only those of this object, or under this prefix if it ends with `/`; None means all. A path without
                staged changes is left as it is.

        Raises:
            ObjectNotFoundException: There is no object of this path, or none under this prefix, staged or committed.
        """
        client = self._client
        if path is None:
            op = ops.reset(client._session, self._repository_id, self._id)
        else:
            op = ops.reset_path(client._session, self._repository_id, self._id, arguments.path(path, self))
        client._run(op)

    def hard_reset(self, reference_id: str | Handle) -> None:
        """Moves the branch to another commit; staged changes stay and lie on top of it.

        Args:
            reference_id: A name, or a reference or branch.
        """
        client = self._client
        ref = reference_name(reference_id, "reference_id", self)
        client._run(ops.hard_reset(client._session, self._repository_id, self._id, ref))

    def revert(
        self,
        reference_id: str | Handle,
        parent_number: int = 0,
        *,
        allow_empty: bool = False,
        message: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Commit:
        """Undoes a commit by a new commit, and returns the new one.

        Args:
            reference_id: The commit to undo: a name, or a reference.
            parent_number: For a merge: which parent to go back to, from 1. 0 means that it is no merge.
            allow_empty: Commit even if that changes nothing.
            message: Instead of lakeFS's "Revert …".
            metadata: Of the new commit.

        Raises:
            ConflictException: Later commits changed the same paths, or a merge was given without its parent number.
            BadRequestException: The branch has staged changes, or there is nothing to undo.
        """
        client = self._client
        op = ops.revert(
            client._session,
            self._repository_id,
            self._id,
            reference_name(reference_id, "reference_id", self),
            arguments.integer(parent_number, "parent_number", least=0),
            allow_empty=arguments.flag(allow_empty, "allow_empty"),
            message=arguments.optional_text(message, "message"),
            metadata=arguments.optional_metadata(metadata),
            op_id=uuid.uuid4().hex,
            now=time.time(),
        )
        return Commit._of(self, client._run(op))

    def reverse(self, reference_id: str | Handle) -> Commit:
        """Undoes a commit by a new commit: the seed's name of `revert`."""
        return self.revert(reference_id)

    def cherry_pick(self, reference_id: str | Handle, parent_number: int | None = None) -> Commit:
        """Applies the change of one commit to this branch as a new commit, and returns it.

        Args:
            reference_id: The commit to apply: a name, or a reference.
            parent_number: For a merge: which parent it is compared with, from 1.

        Raises:
            ConflictException: The branch changed the same paths.
            BadRequestException: The branch has staged changes, or a merge was given without its parent number.
        """
        client = self._client
        op = ops.cherry_pick(
            client._session,
            self._repository_id,
            self._id,
            reference_name(reference_id, "reference_id", self),
            arguments.optional_integer(parent_number, "parent_number", least=0),
            op_id=uuid.uuid4().hex,
            now=time.time(),
        )
        return Commit._of(self, client._run(op))

    def delete(self) -> None:
        """Deletes the branch and what is staged on it; commits that others reach stay.

        Raises:
            NotFoundException: There is no such branch.
            ForbiddenException: It is the default branch.
        """
        client = self._client
        client._run(ops.delete(client._session, self._repository_id, self._id))

    def transaction(
        self,
        commit_message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        tag: str | None = None,
        strategy: Strategy | None = None,
        delete_on_error: bool = False,
        on_empty: OnEmpty = "skip",
        retries: int = 0,
        source_ref: str | Handle | None = None,
    ) -> BranchTransaction:
        r"""Prepares a transaction: an ephemeral branch, one commit, one merge; all of it or nothing.

        Args:
            commit_message: Of the commit and the merge.
            metadata: Of both.
            tag: A tag for the merge commit; that the name is free is checked first.
            strategy: Whose change wins where both sides changed a path; None makes that an error.
            delete_on_error: Delete the ephemeral branch after a failure, instead of keeping and naming it.
            on_empty: What to do if nothing changed.
            retries: How often a merge is tried again that was refused because somebody else was at the branch.
            source_ref: Where to start from; by default the branch's last commit.

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
