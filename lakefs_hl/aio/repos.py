"""Repositories, awaitable."""

from __future__ import annotations

import warnings
from functools import partial
from typing import TYPE_CHECKING

from lakefs_hl import repos as blocking
from lakefs_hl.aio.branches import Branch
from lakefs_hl.aio.client import default_client
from lakefs_hl.aio.refs import Reference, Tag
from lakefs_hl.aio.twins import twin
from lakefs_hl.handles import RepositoryHandle
from lakefs_hl.ops import branches, tags
from lakefs_hl.ops import repositories as ops

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from lakefs_hl.aio.client import Client
    from lakefs_hl.spec import models


@twin(blocking.Repository)
class Repository(RepositoryHandle):
    """A repository; making the handle makes no request."""

    def __init__(self, repository_id: str, client: Client | None = None) -> None:
        super().__init__(repository_id, client)

    @property
    def _client(self) -> Client:
        return default_client() if self._given is None else self._given

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
            storage_namespace,
            default_branch_id,
            include_samples=include_samples,
            read_only=read_only,
            exist_ok=exist_ok,
        )
        await client._run(op)
        return self

    async def get_or_create(
        self,
        storage_namespace: str | None = None,
        default_branch_id: str = "main",
        include_samples: bool = False,
    ) -> Repository:
        client = self._client
        op = ops.get_or_create(
            client._session, self._id, storage_namespace, default_branch_id, include_samples=include_samples
        )
        found, created = await client._run(op)
        asked = storage_namespace and storage_namespace.rstrip("/")
        if not created and asked and asked != found.storage_namespace.rstrip("/"):
            warnings.warn(
                f"{self.uri} exists with the storage namespace {found.storage_namespace!r}, "
                f"not {storage_namespace!r}; it is used as it is",
                stacklevel=2,
            )
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
        await client._run(ops.delete(client._session, self._id, force=force))

    def branch(self, branch_id: str) -> Branch:
        return Branch(self._id, branch_id, self._given)

    def commit(self, commit_id: str) -> Reference:
        return Reference(self._id, commit_id, self._given)

    def tag(self, tag_id: str) -> Tag:
        return Tag(self._id, tag_id, self._given)

    def ref(self, reference_id: str) -> Reference:
        return Reference(self._id, reference_id, self._given)

    def list_branches(
        self, max_amount: int | None = None, after: str = "", prefix: str = "", *, hidden: bool = False
    ) -> AsyncIterator[Branch]:
        client = self._client
        page = partial(branches.page, client._session, self._id, prefix=prefix, hidden=hidden)
        return client._pages(page, after, max_amount, lambda row: self.branch(row.id))

    branches = list_branches

    def list_tags(self, max_amount: int | None = None, after: str = "", prefix: str = "") -> AsyncIterator[Tag]:
        client = self._client
        page = partial(tags.page, client._session, self._id, prefix=prefix)
        return client._pages(page, after, max_amount, lambda row: self.tag(row.id))

    tags = list_tags

    async def metadata(self) -> dict[str, str]:
        client = self._client
        return await client._run(ops.metadata(client._session, self._id))

    async def set_metadata(self, metadata: Mapping[str, str]) -> None:
        client = self._client
        await client._run(ops.set_metadata(client._session, self._id, dict(metadata)))

    async def delete_metadata(self, keys: str | Iterable[str]) -> None:
        client = self._client
        await client._run(
            ops.delete_metadata(client._session, self._id, [keys] if isinstance(keys, str) else list(keys))
        )


def list_repositories(
    prefix: str = "", after: str = "", max_amount: int | None = None, *, search: str = "", client: Client | None = None
) -> AsyncIterator[Repository]:
    """Lists repositories by name, lazily; public as `lakefs_hl.aio.repositories`; see the blocking twin."""
    asked = default_client() if client is None else client
    page = partial(ops.page, asked._session, prefix=prefix, search=search)
    return asked._pages(page, after, max_amount, lambda row: Repository(row.id, client))
