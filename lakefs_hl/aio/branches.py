"""Branches, awaitable."""

from __future__ import annotations

import time
import uuid
from functools import partial
from typing import TYPE_CHECKING

from lakefs_hl import arguments
from lakefs_hl import branches as blocking
from lakefs_hl.aio.refs import Commit, Reference
from lakefs_hl.aio.transactions import BranchTransaction
from lakefs_hl.aio.twins import twin
from lakefs_hl.aio.writes import WriteIOBase
from lakefs_hl.handles import Change, Handle, OnEmpty, Strategy, optional_reference_name, reference_name
from lakefs_hl.ops import branches as ops
from lakefs_hl.spec import models

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from datetime import date as day
    from datetime import datetime


@twin(blocking.Branch)
class Branch(Reference, WriteIOBase):
    r"""A branch: reads see what is staged, writes stage, a commit makes history of it."""

    async def create(
        self, source_reference_id: str | Handle, *, exist_ok: bool = False, hidden: bool = False
    ) -> Branch:
        client = self._client
        op = ops.create(
            client._session,
            self._repository_id,
            self._id,
            reference_name(source_reference_id, "source_reference_id", self),
            hidden=arguments.flag(hidden, "hidden"),
            exist_ok=arguments.flag(exist_ok, "exist_ok"),
        )
        await client._run(op)
        return self

    async def head(self) -> Reference:
        client = self._client
        ref = await client._run(ops.get(client._session, self._repository_id, self._id))
        return Reference(self._repository_id, ref.commit_id, self._given)

    async def commit_changes(
        self,
        message: str,
        metadata: Mapping[str, str] | None = None,
        *,
        allow_empty: bool = False,
        date: datetime | day | str | None = None,
        force: bool = False,
    ) -> Commit:
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
        return Commit._of(self, await client._run(op))

    commit = commit_changes

    def list_uncommitted(
        self, max_amount: int | None = None, after: str = "", prefix: str = "", *, delimiter: str = ""
    ) -> AsyncIterator[Change]:
        client = self._client
        page = partial(
            ops.uncommitted_page,
            client._session,
            self._repository_id,
            self._id,
            prefix=arguments.path(prefix, self, "prefix"),
            delimiter=arguments.text(delimiter, "delimiter"),
        )
        return client._pages(page, arguments.path(after, self, "after"), arguments.amount(max_amount), Change._staged)

    async def reset(self, path: str | None = None) -> None:
        client = self._client
        if path is None:
            op = ops.reset(client._session, self._repository_id, self._id)
        else:
            op = ops.reset_path(client._session, self._repository_id, self._id, arguments.path(path, self))
        await client._run(op)

    async def hard_reset(self, reference_id: str | Handle) -> None:
        client = self._client
        ref = reference_name(reference_id, "reference_id", self)
        await client._run(ops.hard_reset(client._session, self._repository_id, self._id, ref))

    async def revert(
        self,
        reference_id: str | Handle,
        parent_number: int = 0,
        *,
        allow_empty: bool = False,
        message: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Commit:
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
        return Commit._of(self, await client._run(op))

    async def reverse(self, reference_id: str | Handle) -> Commit:
        return await self.revert(reference_id)

    async def cherry_pick(self, reference_id: str | Handle, parent_number: int | None = None) -> Commit:
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
        return Commit._of(self, await client._run(op))

    async def delete(self) -> None:
        client = self._client
        await client._run(ops.delete(client._session, self._repository_id, self._id))

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
