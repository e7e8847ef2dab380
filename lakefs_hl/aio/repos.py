"""Repositories, awaitable."""

from __future__ import annotations

import time
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from lakefs_hl import arguments
from lakefs_hl import repos as blocking
from lakefs_hl.aio.branches import Branch
from lakefs_hl.aio.client import Client, OfDefault, client_of
from lakefs_hl.aio.refs import Reference, Tag
from lakefs_hl.aio.transactions import KeptTransaction
from lakefs_hl.aio.twins import twin
from lakefs_hl.handles import RepositoryHandle
from lakefs_hl.ops import branches, kept, tags
from lakefs_hl.ops import repositories as ops
from lakefs_hl.transactions import CollectReport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from lakefs_hl.spec import models


@twin(blocking.Repository)
class Repository(RepositoryHandle):
    """A repository; making the handle makes no request."""

    _package = "lakefs_hl.aio"
    _of_default = OfDefault

    def __init__(self, repository_id: str, client: Client | None = None) -> None:
        super().__init__(repository_id, arguments.client(client, Client))

    @property
    def _client(self) -> Client:
        return client_of(self._given)

    async def create(
        self,
        storage_namespace: str | None = None,
        default_branch_id: str = "main",
        include_samples: bool = False,
        *,
        read_only: bool = False,
        exist_ok: bool = False,
    ) -> Repository:
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
        await client._run(op)
        return self

    async def get_or_create(
        self,
        storage_namespace: str | None = None,
        default_branch_id: str = arguments.DEFAULT_BRANCH,
        include_samples: bool = False,
    ) -> Repository:
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
        found, created = await client._run(op)
        if not created:
            self._warn_of(found, namespace, None if default_branch_id is arguments.DEFAULT_BRANCH else branch)
        return self

    async def exists(self) -> bool:
        client = self._client
        return await client._run(ops.exists(client._session, self._id))

    @property
    async def properties(self) -> models.Repository:
        client = self._client
        return await client._run(ops.get(client._session, self._id))

    async def delete(self, *, force: bool = False) -> None:
        client = self._client
        await client._run(ops.delete(client._session, self._id, force=arguments.flag(force, "force")))

    def branch(self, branch_id: str) -> Branch:
        return Branch(self._id, arguments.in_repository(branch_id, "branch_id", self._id), self._given)

    def commit(self, commit_id: str) -> Reference:
        return Reference(self._id, arguments.in_repository(commit_id, "commit_id", self._id), self._given)

    def tag(self, tag_id: str) -> Tag:
        return Tag(self._id, arguments.in_repository(tag_id, "tag_id", self._id), self._given)

    def ref(self, reference_id: str) -> Reference:
        return Reference(self._id, arguments.in_repository(reference_id, "reference_id", self._id), self._given)

    def list_branches(
        self, max_amount: int | None = None, after: str = "", prefix: str = "", *, hidden: bool = False
    ) -> AsyncIterator[Branch]:
        client = self._client
        page = partial(
            branches.page,
            client._session,
            self._id,
            prefix=arguments.text(prefix, "prefix"),
            hidden=arguments.flag(hidden, "hidden"),
        )
        after = arguments.optional_in_repository(after, "after", self._id)
        return client._pages(page, after, arguments.amount(max_amount), lambda row: self.branch(row.id))

    branches = list_branches

    def list_tags(self, max_amount: int | None = None, after: str = "", prefix: str = "") -> AsyncIterator[Tag]:
        client = self._client
        page = partial(tags.page, client._session, self._id, prefix=arguments.text(prefix, "prefix"))
        after = arguments.optional_in_repository(after, "after", self._id)
        return client._pages(page, after, arguments.amount(max_amount), lambda row: self.tag(row.id))

    tags = list_tags

    def transactions(self, max_amount: int | None = None, after: str = "") -> AsyncIterator[KeptTransaction]:
        client, seen = self._client, time.time()
        page = partial(kept.page, client._session, self._id)
        after = arguments.optional_in_repository(after, "after", self._id)
        rows = arguments.amount(max_amount)
        return client._pages(page, after, rows, lambda row: KeptTransaction(self._id, row, seen, self._given))

    async def collect_transactions(
        self, older_than: timedelta = timedelta(hours=24), *, dry_run: bool = False
    ) -> CollectReport:
        age, dry = arguments.age(older_than, "older_than"), arguments.flag(dry_run, "dry_run")
        client = self._client
        op = kept.collect(client._session, self._id, time.time(), age, dry_run=dry)
        found = await client._run(op)
        return CollectReport(found.deleted, found.kept, dry)

    async def metadata(self) -> dict[str, str]:
        client = self._client
        return await client._run(ops.metadata(client._session, self._id))

    async def set_metadata(self, metadata: Mapping[str, str]) -> None:
        client = self._client
        await client._run(ops.set_metadata(client._session, self._id, arguments.metadata(metadata)))

    async def delete_metadata(self, keys: str | Iterable[str]) -> None:
        client = self._client
        await client._run(ops.delete_metadata(client._session, self._id, arguments.texts(keys, "keys")))


def list_repositories(
    prefix: str = "", after: str = "", max_amount: int | None = None, *, search: str = "", client: Client | None = None
) -> AsyncIterator[Repository]:
    """Lists repositories by name, lazily; public as `lakefs_hl.aio.repositories`; see the blocking twin."""
    client = arguments.client(client, Client)
    asked = client_of(client)
    prefix, search = arguments.text(prefix, "prefix"), arguments.text(search, "search")
    page = partial(ops.page, asked._session, prefix=prefix, search=search)
    after = arguments.text(after, "after") and arguments.repository_name(after, "after")
    return asked._pages(page, after, arguments.amount(max_amount), lambda row: Repository(row.id, client))
