"""Repositories: where branches, tags and commits live."""

from __future__ import annotations

import time
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from lakefs_hl import arguments
from lakefs_hl.branches import Branch
from lakefs_hl.client import Client, OfDefault, client_of
from lakefs_hl.handles import RepositoryHandle
from lakefs_hl.ops import branches, kept, tags
from lakefs_hl.ops import repositories as ops
from lakefs_hl.refs import Reference, Tag
from lakefs_hl.transactions import CollectReport, KeptTransaction

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lakefs_hl.spec import models


class Repository(RepositoryHandle):
    """A repository; making the handle makes no request.

    Args:
        repository_id: The name: 3 to 63 lower-case letters, digits and dashes.
        client: Whom to ask; None means the default client of the moment of each call.

    Examples:
        >>> repo = lakefs.repository("example").get_or_create()
        >>> [branch.id for branch in repo.list_branches()]
        ['main']
    """

    _of_default = OfDefault

    def __init__(self, repository_id: str, client: Client | None = None) -> None:
        super().__init__(repository_id, arguments.client(client, Client))

    @property
    def _client(self) -> Client:
        return client_of(self._given)

    def create(
        self,
        storage_namespace: str | None = None,
        default_branch_id: str = "main",
        include_samples: bool = False,
        *,
        read_only: bool = False,
        exist_ok: bool = False,
    ) -> Repository:
        """Creates the repository and returns it.

        Args:
            storage_namespace: Where its objects go, such as `s3://bucket/path`; by default the server's own prefix and
                the repository's name.
            default_branch_id: The first branch.
            include_samples: Commit a small set of sample files.
            read_only: Make a repository that refuses changes.
            exist_ok: A repository of this name is no error.

        Raises:
            ConflictException: There is a repository of this name.
            BadRequestException: The name or the namespace is not allowed, or the namespace is in use.
        """
        client = self._client
        op = ops.create(
            client._session,
            self._id,
            arguments.optional_text(storage_namespace, "storage_namespace"),
            arguments.in_repository(default_branch_id, "default_branch_id", self._id),
            include_samples=arguments.flag(include_samples, "include_samples"),
            read_only=arguments.flag(read_only, "read_only"),
            exist_ok=arguments.flag(exist_ok, "exist_ok"),
        )
        client._run(op)
        return self

    def get_or_create(
        self,
        storage_namespace: str | None = None,
        default_branch_id: str = arguments.DEFAULT_BRANCH,
        include_samples: bool = False,
    ) -> Repository:
        """Creates the repository unless it is there, and returns it; two who do so at once both succeed.

        Args:
            storage_namespace: As for `create`; a warning says if the repository that is there uses another one.
            default_branch_id: As for `create`; a warning says if the repository that is there has another one.
            include_samples: As for `create`.
        """
        client = self._client
        namespace = arguments.optional_text(storage_namespace, "storage_namespace")
        branch = arguments.in_repository(default_branch_id, "default_branch_id", self._id)
        op = ops.get_or_create(
            client._session,
            self._id,
            namespace,
            branch,
            include_samples=arguments.flag(include_samples, "include_samples"),
        )
        found, created = client._run(op)
        if not created:
            self._warn_of(found, namespace, None if default_branch_id is arguments.DEFAULT_BRANCH else branch)
        return self

    def exists(self) -> bool:
        """Says whether there is such a repository."""
        client = self._client
        return client._run(ops.exists(client._session, self._id))

    @property
    def properties(self) -> models.Repository:
        """What the server knows of the repository; asked each time."""
        client = self._client
        return client._run(ops.get(client._session, self._id))

    def delete(self, *, force: bool = False) -> None:
        """Deletes the repository, if it holds nothing.

        Args:
            force: Delete it with all that it holds.

        Raises:
            RepositoryNotEmptyError: It holds objects, commits or tags, and `force` was not given.
            NotFoundException: There is no such repository.
        """
        client = self._client
        client._run(ops.delete(client._session, self._id, force=arguments.flag(force, "force")))

    def branch(self, branch_id: str) -> Branch:
        """Returns a branch, by its name or URI; makes no request."""
        return Branch(self._id, arguments.in_repository(branch_id, "branch_id", self._id), self._given)

    def commit(self, commit_id: str) -> Reference:
        """Returns a commit by its id or the beginning of it; makes no request. It has no methods that write."""
        return Reference(self._id, arguments.in_repository(commit_id, "commit_id", self._id), self._given)

    def tag(self, tag_id: str) -> Tag:
        """Returns a tag; makes no request."""
        return Tag(self._id, arguments.in_repository(tag_id, "tag_id", self._id), self._given)

    def ref(self, reference_id: str) -> Reference:
        """Returns a reference by any expression, such as `main~2`; makes no request."""
        return Reference(self._id, arguments.in_repository(reference_id, "reference_id", self._id), self._given)

    def list_branches(
        self, max_amount: int | None = None, after: str = "", prefix: str = "", *, hidden: bool = False
    ) -> Iterator[Branch]:
        """Lists branches by name, lazily.

        Args:
            max_amount: How many to list at most; None means all.
            after: List what comes after this name.
            prefix: List what begins with this.
            hidden: List hidden ones too, those of open transactions among them.
        """
        client = self._client
        page = partial(
            branches.page,
            client._session,
            self._id,
            prefix=arguments.text(prefix, "prefix"),
            hidden=arguments.flag(hidden, "hidden"),
        )
        after = arguments.optional_in_repository(after, "after", self._id)
        return (self.branch(row.id) for row in client._pages(page, after, arguments.amount(max_amount)))

    branches = list_branches

    def list_tags(self, max_amount: int | None = None, after: str = "", prefix: str = "") -> Iterator[Tag]:
        """Lists tags by name, lazily.

        Args:
            max_amount: How many to list at most; None means all.
            after: List what comes after this name.
            prefix: List what begins with this.
        """
        client = self._client
        page = partial(tags.page, client._session, self._id, prefix=arguments.text(prefix, "prefix"))
        after = arguments.optional_in_repository(after, "after", self._id)
        return (self.tag(row.id) for row in client._pages(page, after, arguments.amount(max_amount)))

    tags = list_tags

    def transactions(self, max_amount: int | None = None, after: str = "") -> Iterator[KeptTransaction]:
        """List the transactions that were left behind, ordered by the names of their branches, lazily.

        Transactions that are still at work are among them; only their age tells them apart.

        Args:
            max_amount: How many to list at most; None means all.
            after: List what comes after this branch.
        """
        client, seen = self._client, time.time()
        page = partial(kept.page, client._session, self._id)
        after = arguments.optional_in_repository(after, "after", self._id)
        rows = client._pages(page, after, arguments.amount(max_amount))
        return (KeptTransaction(self._id, row, seen, self._given) for row in rows)

    def collect_transactions(
        self, older_than: timedelta = timedelta(hours=24), *, dry_run: bool = False
    ) -> CollectReport:
        """Delete the branches of transactions that were merged or began long ago.

        One that is not merged and is younger than `older_than` is never deleted, nor one whose id does not tell its
        age (an earlier release made it). Ages go by the clock of the machine that began the transaction.

        Args:
            older_than: Minimum age of a transaction that is not merged. Defaults to 24 hours.
            dry_run: Delete nothing; report what would be deleted.

        Returns:
            The branches that were deleted and those that were kept, each with the reason.

        Raises:
            ValueError: `older_than` is negative.
        """
        age, dry = arguments.age(older_than, "older_than"), arguments.flag(dry_run, "dry_run")
        client = self._client
        op = kept.collect(client._session, self._id, time.time(), age, dry_run=dry)
        found = client._run(op)
        return CollectReport(found.deleted, found.kept, dry)

    def metadata(self) -> dict[str, str]:
        """Returns the repository's metadata."""
        client = self._client
        return client._run(ops.metadata(client._session, self._id))

    def set_metadata(self, metadata: Mapping[str, str]) -> None:
        """Sets some keys of the repository's metadata; the others stay."""
        client = self._client
        client._run(ops.set_metadata(client._session, self._id, arguments.metadata(metadata)))

    def delete_metadata(self, keys: str | Iterable[str]) -> None:
        """Drops some keys of the repository's metadata; one that is not there is no error."""
        client = self._client
        client._run(ops.delete_metadata(client._session, self._id, arguments.texts(keys, "keys")))


def list_repositories(
    prefix: str = "", after: str = "", max_amount: int | None = None, *, search: str = "", client: Client | None = None
) -> Iterator[Repository]:
    """Lists repositories by name, lazily; public as `lakefs_hl.repositories`.

    Args:
        prefix: List what begins with this.
        after: List what comes after this name.
        max_amount: How many to list at most; None means all.
        search: List what has this in its name.
        client: Whom to ask; None means the default client.
    """
    client = arguments.client(client, Client)
    asked = client_of(client)
    prefix, search = arguments.text(prefix, "prefix"), arguments.text(search, "search")
    page = partial(ops.page, asked._session, prefix=prefix, search=search)
    after = arguments.text(after, "after") and arguments.repository_name(after, "after")
    return (Repository(row.id, client) for row in asked._pages(page, after, arguments.amount(max_amount)))
