"""Imports, awaitable."""

from __future__ import annotations

import time
import uuid
from copy import copy
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from lakefs_hl import arguments
from lakefs_hl import imports as blocking
from lakefs_hl.aio.client import Client, OfDefault, client_of
from lakefs_hl.aio.refs import Commit
from lakefs_hl.aio.twins import twin
from lakefs_hl.handles import ImportFields
from lakefs_hl.ops import imports as ops
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import ImportFailedException, ProtocolException

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


POLL = timedelta(seconds=2)


class ImportResult(NamedTuple):
    """What an import made."""

    commit: Commit
    ingested_objects: int


@twin(blocking.ImportManager)
class ImportManager(ImportFields):
    """One import into a branch: `start()` and `wait()`, or both as `run()`."""

    _of_default = OfDefault

    def __init__(
        self,
        repository_id: str,
        reference_id: str,
        client: Client | None = None,
        *,
        sources: Iterable[tuple[str, str]] = (),
        commit_message: str = "",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(
            repository_id,
            reference_id,
            arguments.client(client, Client),
            sources=sources,
            commit_message=commit_message,
            metadata=metadata,
        )
        self._made: ImportResult | None = None
        self._failure: ImportFailedException | None = None

    @property
    def _client(self) -> Client:
        return client_of(self._given)

    def add(self, object_store_uri: str, destination: str) -> ImportManager:
        self._add(object_store_uri, destination)
        return self

    async def start(self) -> str:
        locations, client = self._to_start(), self._client
        op = ops.start(
            client._session,
            self._repository_id,
            self._id,
            locations,
            self._message,
            self._metadata,
            op_id=uuid.uuid4().hex,
            now=time.time(),
        )
        self._import_id, self._failure = await client._run(op), None
        return self._import_id

    async def status(self) -> models.ImportStatus:
        started, client = self._started(), self._client
        return await client._run(ops.status(client._session, self._repository_id, self._id, started))

    async def wait(self, poll_interval: timedelta | float = POLL) -> ImportResult:
        if self._import_id is None and self._failure is not None:
            raise copy(self._failure)
        if self._import_id is None and self._made is not None:
            return self._made
        started, client = self._started(), self._client
        pause = arguments.seconds(poll_interval, "poll_interval")
        op = ops.wait(client._session, self._repository_id, self._id, started, pause)
        try:
            record = await client._run(op)
        except ImportFailedException as exc:  # after any other error it may go on: wait() can be called again
            self._import_id, self._failure = None, exc
            raise
        self._import_id = None
        self._made = _result(self, record)
        return self._made

    async def run(self, poll_interval: timedelta | float | None = None) -> ImportResult:
        pause = POLL if poll_interval is None else arguments.seconds(poll_interval, "poll_interval")
        await self.start()
        return await self.wait(pause)

    def result(self) -> ImportResult:
        if self._made is None:
            msg = "no import was waited for to its end yet: call wait(), or run()"
            raise RuntimeError(msg)
        return self._made

    async def cancel(self) -> None:
        started, client = self._started(), self._client
        await client._run(ops.cancel(client._session, self._repository_id, self._id, started))


def _result(manager: ImportFields, record: models.ImportStatus) -> ImportResult:
    if record.commit is None:
        msg = "the server calls the import completed and names no commit; is it a lakeFS server?"
        raise ProtocolException(msg)
    commit = Commit(manager._repository_id, record.commit, manager._given)
    return ImportResult(commit, record.ingested_objects or 0)
