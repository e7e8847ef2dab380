"""Transactions, awaitable."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from weakref import WeakSet

from lakefs_hl import arguments
from lakefs_hl import transactions as blocking
from lakefs_hl.aio.client import default_client
from lakefs_hl.aio.twins import twin
from lakefs_hl.aio.writes import WriteIOBase
from lakefs_hl.handles import Handle, OnEmpty, Strategy
from lakefs_hl.ops import transaction as ops
from lakefs_hl.transactions import TransactionFields, planned, told

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

    from lakefs_hl.aio.client import Client


@twin(blocking.BranchTransaction)
class BranchTransaction(TransactionFields, WriteIOBase):
    """Reads and writes on an ephemeral branch; leaving the `async with` block commits and merges it, all or nothing."""

    def __init__(
        self,
        repository_id: str,
        source_branch_id: str,
        client: Client | None = None,
        *,
        commit_message: str = "",
        metadata: Mapping[str, str] | None = None,
        tag: str | None = None,
        strategy: Strategy | None = None,
        delete_on_error: bool = False,
        on_empty: OnEmpty = "skip",
        retries: int = 0,
        source_ref: str | Handle | None = None,
    ) -> None:
        source_branch_id = arguments.name(source_branch_id, "source_branch_id")
        super().__init__(repository_id, source_branch_id, client)
        self._tx = planned(
            self,
            commit_message,
            metadata,
            tag,
            strategy,
            on_empty,
            delete_on_error=delete_on_error,
            retries=retries,
            source_ref=source_ref,
        )
        self._id = self._tx.plan.branch
        self._writers = WeakSet()
        self._lost = []

    @property
    def _client(self) -> Client:
        if self._tx.state != "OPEN":
            raise ops.state_error(self._tx, "read or written")
        return self._asked()

    def _asked(self) -> Client:
        return default_client() if self._given is None else self._given

    def handle(self) -> WriteIOBase:
        return WriteIOBase(self._repository_id, self._id, self._given)

    async def __aenter__(self) -> Self:
        """Creates the ephemeral branch."""
        client = self._asked()
        await client._run(ops.begin(client._session, self._tx))
        return self

    async def __aexit__(
        self, type: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Commits and merges, or reports what was left where."""
        client, tx, left_open = self._asked(), self._tx, self._left_open()
        if value is None:
            await client._run(ops.finish(client._session, tx, time.time()))
            told(tx, left_open)
            return
        await client._run(ops.abandon(client._session, tx))
        if isinstance(value, Exception):
            raise ops.broken(tx, value) from value
        value.add_note(f"transaction interrupted: {tx.fate}")

    async def resolve(self) -> str:
        client = self._asked()
        state = await client._run(ops.resolve(client._session, self._tx, time.time()))
        told(self._tx)
        return state
