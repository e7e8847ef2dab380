# Generated from lakefs_hl/aio/repos.py by tools/unasync.py: change that, not this.
"""Repositories."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from lakefs_hl._handles import lookups, pull_requests, runs
from lakefs_hl._handles import repositories as calls
from lakefs_hl._handles.handle import Handle, own_client, reference_name
from lakefs_hl._handles.repositories import RepositoryInfo
from lakefs_hl._handles.transactions import CollectReport
from lakefs_hl._sync.bisections import Bisections
from lakefs_hl._sync.branches import Branch
from lakefs_hl._sync.client import Client
from lakefs_hl._sync.credentials import S3Credentials
from lakefs_hl._sync.graphs import Graphs
from lakefs_hl._sync.lazy import LazyRepository
from lakefs_hl._sync.lifecycles import Lifecycles
from lakefs_hl._sync.listing import Listing
from lakefs_hl._sync.of_default import OfDefault, client_of
from lakefs_hl._sync.protections import Protections
from lakefs_hl._sync.pull_requests import PullRequest
from lakefs_hl._sync.refs import Reference, Tag
from lakefs_hl._sync.reviewers import Reviewers
from lakefs_hl._sync.runs import Run
from lakefs_hl._sync.snapshots import Snapshots
from lakefs_hl._sync.transactions import KeptTransaction
from lakefs_hl.spec import arguments

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lakefs_hl.spec import models


class Repository(Snapshots, Protections, Lifecycles, Bisections, Graphs, Reviewers, S3Credentials, LazyRepository):
    """A repository. The constructor sends no request.

    `repo["name"]` and `repo["creation_date"]` answer as dictionaries of S3 clients do; see `RepositoryInfo`.

    Args:
        repository_id: Name of the repository: 3 to 63 lower-case letters, digits and dashes.
        client: Client to use. Defaults to the default client at the time of each call.

    Examples:
        >>> repo = lakefs.repository("example").get_or_create()
        >>> [branch.id for branch in repo.list_branches()]
        ['main']
    """

    __module__ = "lakefs_hl"
    _package = "lakefs_hl"
    _of_default = OfDefault

    def __init__(self, repository_id: str, client: Client | None = None) -> None:
        super().__init__(repository_id, own_client(client, Client))

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
        metadata: Mapping[str, str] | None = None,
    ) -> Repository:
        """Create the repository.

        Args:
            storage_namespace: Location of its objects, such as `s3://bucket/path`. Defaults to the prefix that the
                server proposes and the name of the repository.
            default_branch_id: Name of the first branch.
            include_samples: Commit a small set of sample files.
            read_only: Create a repository that refuses changes.
            exist_ok: Accept an existing repository of this name.
            metadata: Keys of its metadata, such as `owner` and `org`. They are set by a request of its own, also on an
                existing repository. If that fails, the error says that the repository exists.

        Returns:
            The repository itself.

        Raises:
            ConflictException: A repository of this name exists.
            BadRequestException: The name or the namespace is invalid, or the namespace is in use.
        """
        given = storage_namespace, default_branch_id, include_samples, read_only, exist_ok, metadata
        self._client._run(calls.create, self, *given)
        return self

    def get_or_create(
        self,
        storage_namespace: str | None = None,
        default_branch_id: str = arguments.DEFAULT_BRANCH,
        include_samples: bool = False,
    ) -> Repository:
        """Create the repository if it does not exist. Safe to call concurrently.

        Args:
            storage_namespace: As for `create`. An existing repository with another one gives a warning.
            default_branch_id: As for `create`. An existing repository with another one gives a warning.
            include_samples: As for `create`.

        Returns:
            The repository itself.
        """
        call = calls.GetOrCreate(self, storage_namespace, default_branch_id, include_samples)
        call.check(*self._client._run(call.op))
        return self

    def exists(self) -> bool:
        """Return whether the repository exists."""
        return self._client._run(calls.exists, self)

    @property
    def properties(self) -> models.Repository:
        """Record of the repository on the server. Each access sends a request."""
        return self._client._run(calls.get, self)

    def info(self) -> RepositoryInfo:
        """Look up the repository and its metadata.

        Owner, organization and cluster are from its metadata, because lakeFS has none of them.

        Raises:
            NotFoundException: The repository does not exist.

        Examples:
            >>> repo = lakefs.repository("example")
            >>> repo.set_metadata({"owner": "ada", "region": "eu-north"})
            >>> info = repo.info()
            >>> info.default_branch, info["owner_id"], info["region"]
            ('main', 'ada', 'eu-north')
            >>> info.owner, info.org, str(info.provider)
            ('ada', None, 'local')
        """
        client = self._client
        return client._run(calls.info, self, client._options.profile)

    def delete(self, *, force: bool = False) -> None:
        """Delete the repository, if it is empty.

        Args:
            force: Delete it with its content.

        Raises:
            RepositoryNotEmptyError: It has objects, commits or tags, and `force` was not given.
            NotFoundException: The repository does not exist.
        """
        self._client._run(calls.delete, self, force)

    def branch(self, branch_id: str | Handle) -> Branch:
        """Return a branch, by its name, its URI or a handle. Sends no request."""
        return Branch(self._id, reference_name(branch_id, "branch_id", self), self._given)

    def commit(self, commit_id: str | Handle) -> Reference:
        """Return a read-only reference to a commit, by its ID, a unique prefix of it or a handle. Sends no request."""
        return Reference(self._id, reference_name(commit_id, "commit_id", self), self._given)

    def tag(self, tag_id: str | Handle) -> Tag:
        """Return a tag, by its name, its URI or a handle. Sends no request."""
        return Tag(self._id, reference_name(tag_id, "tag_id", self), self._given)

    def ref(self, reference_id: str | Handle) -> Reference:
        """Return a read-only reference, by a name, a URI, a handle or a ref expression. Sends no request."""
        return Reference(self._id, reference_name(reference_id, "reference_id", self), self._given)

    def list_branches(
        self, max_amount: int | None = None, after: str | Handle = "", prefix: str = "", *, hidden: bool = False
    ) -> Listing[Branch]:
        """Iterate over the branches by name, lazily.

        Args:
            max_amount: Maximum number of branches. Defaults to all.
            after: List only branches after this name.
            prefix: List only branches whose name starts with this.
            hidden: Include hidden branches, such as those of open transactions.
        """
        return self._client._list(
            lambda row: self.branch(row.id), calls.list_branches, self, max_amount, after, prefix, hidden
        )

    branches = list_branches

    def list_tags(self, max_amount: int | None = None, after: str | Handle = "", prefix: str = "") -> Listing[Tag]:
        """Iterate over the tags by name, lazily.

        Args:
            max_amount: Maximum number of tags. Defaults to all.
            after: List only tags after this name.
            prefix: List only tags whose name starts with this.
        """
        return self._client._list(lambda row: self.tag(row.id), calls.list_tags, self, max_amount, after, prefix)

    tags = list_tags

    def transactions(self, max_amount: int | None = None, after: str | Handle = "") -> Listing[KeptTransaction]:
        """Iterate over the transactions that were left behind, by the names of their branches, lazily.

        Transactions that are still running are among them. Only their age distinguishes them.

        Args:
            max_amount: Maximum number of transactions. Defaults to all.
            after: List only those after this branch.
        """
        seen = time.time()
        return self._client._list(
            lambda row: KeptTransaction(self._id, row, seen, self._given),
            calls.list_transactions,
            self,
            max_amount,
            after,
        )

    def collect_transactions(
        self, older_than: timedelta = timedelta(hours=24), *, dry_run: bool = False
    ) -> CollectReport:
        """Delete the branches of transactions that were merged or began long ago.

        A transaction that was not merged and is younger than `older_than` is never deleted, nor is one without a known
        age (made by an earlier release). Ages are by the clock of the machine that began the transaction.

        Args:
            older_than: Minimum age of a transaction that was not merged. Defaults to 24 hours.
            dry_run: Delete nothing; report what would be deleted.

        Returns:
            The branches that were deleted and those that were kept, each with the reason.

        Raises:
            ValueError: `older_than` is negative.
        """
        found = self._client._run(calls.collect_transactions, self, older_than, dry_run)
        return CollectReport(found.deleted, found.kept, bool(dry_run))

    def create_pull_request(
        self,
        source_branch_id: str | Handle,
        destination_branch_id: str | Handle,
        title: str,
        description: str = "",
    ) -> PullRequest:
        """Create a pull request: a proposal to merge one branch into another.

        Args:
            source_branch_id: Branch to merge, by name or as a handle.
            destination_branch_id: Branch to merge into, by name or as a handle.
            title: Title.
            description: Description.

        Returns:
            The pull request, with its fields loaded.

        Raises:
            NotFoundException: The repository or a branch does not exist.
            BadRequestException: The two branches are the same.
            UnsupportedOperationException: The server has no pull requests.
            AmbiguousOutcomeError: The outcome is unknown; or, if `maybe_applied` is True, it was created, and could not
                be looked up. Its ID is `result_id`.
        """
        record = self._client._run(
            pull_requests.create, self, source_branch_id, destination_branch_id, title, description
        )
        return PullRequest(self._id, record.id, self._given)._keep(record)

    def pull_request(self, pull_request_id: str) -> PullRequest:
        """Return a pull request, by its ID. Sends no request."""
        return PullRequest(self._id, pull_request_id, self._given)

    def pull_requests(
        self, max_amount: int | None = None, after: str = "", *, status: Literal["open", "closed", "all"] = "all"
    ) -> Listing[PullRequest]:
        """Iterate over the pull requests, newest first, lazily.

        Args:
            max_amount: Maximum number of pull requests. Defaults to all.
            after: List only pull requests after this ID.
            status: List only `open` or only `closed` ones. Merged ones are among the closed. `all` lists both.

        Raises:
            UnsupportedOperationException: The server has no pull requests (raised by the first step of the iteration).
        """
        return self._client._list(
            lambda row: lookups.wrap(PullRequest, self._id, row.id, self._given, (row, pull_requests.NOT_LISTED)),
            pull_requests.listing,
            self,
            max_amount,
            after,
            status,
        )

    def run(self, run_id: str) -> Run:
        """Return a run of the repository's actions, by its ID. Sends no request."""
        return Run(self._id, run_id, self._given)

    def runs(
        self,
        max_amount: int | None = None,
        after: str = "",
        *,
        branch: str | Handle | None = None,
        commit: str | Handle | None = None,
    ) -> Listing[Run]:
        """Iterate over the runs of the repository's actions, newest first, lazily.

        Runs that started within one second are listed in any order.

        Args:
            max_amount: Maximum number of runs. Defaults to all.
            after: List only runs after this ID.
            branch: List only runs of events on this branch.
            commit: List only runs of events of this commit, by its full ID or as a handle.

        Raises:
            ValueError: Both a branch and a commit were given, or `commit` is not a commit.

        Examples:
            >>> repo = lakefs.repository("example")
            >>> [run.status for run in repo.runs(branch="main")]
            []
        """
        return self._client._list(
            lambda row: lookups.wrap(Run, self._id, row.run_id, self._given, (row, frozenset())),
            runs.listing,
            self,
            max_amount,
            after,
            branch,
            commit,
        )

    def metadata(self) -> dict[str, str]:
        """Return the metadata of the repository."""
        return self._client._run(calls.metadata, self)

    def set_metadata(self, metadata: Mapping[str, str]) -> None:
        """Set keys of the repository's metadata. Other keys are kept."""
        self._client._run(calls.set_metadata, self, metadata)

    def delete_metadata(self, keys: str | Iterable[str]) -> None:
        """Delete keys of the repository's metadata. A key that does not exist is not an error."""
        self._client._run(calls.delete_metadata, self, keys)


def list_repositories(
    prefix: str = "",
    after: str = "",
    max_amount: int | None = None,
    *,
    search: str = "",
    owner: str | None = None,
    org: str | None = None,
    cluster: str | None = None,
    client: Client | None = None,
) -> Listing[Repository]:
    """Iterate over the repositories by name, lazily; see `repositories`."""
    client = own_client(client, Client)
    used = client_of(client)
    return used._list(
        lambda row: calls.wrap(Repository, row, client),
        calls.listing,
        prefix,
        after,
        max_amount,
        search,
        {"owner": owner, "org": org, "cluster": cluster},
        used._options.profile,
    )
