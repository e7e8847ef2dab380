"""References that cannot be written, awaitable."""

from __future__ import annotations

import time
import uuid
from functools import partial
from typing import TYPE_CHECKING, Literal

from lakefs_hl import arguments
from lakefs_hl import refs as blocking
from lakefs_hl.aio.objects import ReadIOBase
from lakefs_hl.aio.twins import twin
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
from lakefs_hl.ops import refs as ops
from lakefs_hl.ops import tags
from lakefs_hl.spec import models

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping
    from datetime import date, datetime

    from lakefs_hl.aio.client import Client


@twin(blocking.Reference)
class Reference(ReadIOBase):
    """Any version of a repository that can be read: a branch, tag, commit or expression such as `main~2`."""

    async def get_commit(self) -> Commit:
        client = self._client
        record = await client._run(ops.commit(client._session, self._repository_id, self._id))
        return Commit._of(self, record)

    pin = get_commit

    def _kind(self) -> object:
        return self._commit_kind() if type(self) is Reference else super()._kind()

    async def metadata(self) -> dict[str, str]:
        return (await self.get_commit())._own_metadata()

    async def commit_message(self) -> str:
        return (await self.get_commit()).message

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
    ) -> AsyncIterator[Commit]:
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
        return client._pages(page, after, arguments.amount(max_amount), partial(Commit._of, self))

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
    ) -> AsyncIterator[Change]:
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
        return client._pages(page, arguments.path(after, self, "after"), arguments.amount(max_amount), Change._of)

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
    ) -> Reference:
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
        made = await client._run(
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


@twin(blocking.Commit)
class Commit(CommitFields, Reference):
    """A commit, pinned to its id, with its fields loaded; made by `log`, `commit_changes` and friends."""

    def __init__(self, repository_id: str, record: models.Commit, client: Client | None = None) -> None:
        self._record = self._checked(record)
        super().__init__(repository_id, record.id, client)

    @classmethod
    def _of(cls, place: Handle, record: models.Commit) -> Commit:
        return cls(place._repository_id, record, place._given)

    async def get_commit(self) -> Commit:
        return self

    pin = get_commit

    async def metadata(self) -> dict[str, str]:
        return self._own_metadata()

    async def commit_message(self) -> str:
        return self._record.message


@twin(blocking.Tag)
class Tag(Reference):
    """A name for a commit that never moves."""

    async def create(self, source_ref: str | Handle, *, exist_ok: bool = False) -> Tag:
        client = self._client
        await client._run(
            tags.create(
                client._session,
                self._repository_id,
                self._id,
                reference_name(source_ref, "source_ref", self),
                exist_ok=arguments.flag(exist_ok, "exist_ok"),
            )
        )
        return self

    async def delete(self) -> None:
        client = self._client
        await client._run(tags.delete(client._session, self._repository_id, self._id))
