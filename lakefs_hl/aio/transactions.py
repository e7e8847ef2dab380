"""Transactions, awaitable."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from lakefs_hl import arguments
from lakefs_hl import transactions as blocking
from lakefs_hl.aio.client import OfDefault, client_of
from lakefs_hl.aio.twins import twin
from lakefs_hl.aio.writes import WriteIOBase
from lakefs_hl.handles import Handle, OnEmpty, Strategy
from lakefs_hl.ops import kept as kept_ops
from lakefs_hl.ops import transaction as ops
from lakefs_hl.transactions import KeptFields, TransactionFields, planned, told

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
        tx = planned(
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
        self._adopt(tx)

    @classmethod
    def _resumed(cls, tx: ops.Tx, client: Client | None) -> Self:
        """A transaction that was begun earlier."""
        made = cls.__new__(cls)
        WriteIOBase.__init__(made, tx.plan.repository, tx.plan.branch, client)
        made._adopt(tx)
        return made

    @property
    def _client(self) -> Client:
        if self._tx.state != "OPEN":
            raise ops.state_error(self._tx, "read or written")
        return self._asked()

    def _asked(self) -> Client:
        return client_of(self._given)

    def handle(self) -> WriteIOBase:
        return WriteIOBase(self._repository_id, self._id, self._given)

    async def __aenter__(self) -> Self:
        """Creates the ephemeral branch."""
        client = self._asked()
        if self._tx.resumed and self._tx.state == "OPEN":
            return self
        try:
            await client._run(ops.begin(client._session, self._tx))
        except Exception:
            raise
        except BaseException:  # nobody has the branch, so it goes
            await self._settle()
            raise
        return self

    async def __aexit__(
        self, type: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Commits and merges, or reports what was left where."""
        try:
            await self._end(value)
        except Exception:
            raise
        except BaseException as interruption:
            await self._settle()
            ops.note(self._tx, interruption)
            raise
        told(self._tx)

    async def _end(self, failed: BaseException | None) -> None:
        client, tx, left_open = self._asked(), self._tx, self._left_open()
        if failed is None and not left_open:
            await client._run(ops.finish(client._session, tx, time.time()))
            return
        await client._run(ops.abandon(client._session, tx))
        if failed is None:
            raise ops.unclosed(tx, left_open, "async with")
        if isinstance(failed, Exception):
            raise ops.broken(tx, failed) from failed
        ops.note(tx, failed)

    async def _settle(self) -> None:
        """Brings an interrupted transaction to its end, unless its op has been at that already."""
        client, tx = self._asked(), self._tx
        if not (tx.settled or tx.unwound) or not client._session.where:
            await client._run(ops.settle(client._session, tx, time.time()))

    async def resolve(self) -> str:
        client = self._asked()
        state = await client._run(ops.resolve(client._session, self._tx, time.time()))
        told(self._tx)
        return state


@twin(blocking.KeptTransaction)
class KeptTransaction(KeptFields):
    """A transaction that was left behind, as `Repository.transactions` lists it."""

    _of_default = OfDefault

    async def resume(
        self,
        commit_message: str = "",
        *,
        metadata: Mapping[str, str] | None = None,
        tag: str | None = None,
        strategy: Strategy | None = None,
        delete_on_error: bool = False,
        on_empty: OnEmpty = "skip",
        retries: int = 0,
    ) -> BranchTransaction:
        tx = self._planned(
            commit_message, metadata, tag, strategy, on_empty, delete_on_error=delete_on_error, retries=retries
        )
        client = self._asked()
        await client._run(kept_ops.resume(client._session, tx, time.time()))
        told(tx)
        return BranchTransaction._resumed(tx, self._given)

    async def discard(self) -> None:
        client = self._asked()
        await client._run(kept_ops.discard(client._session, self._repository_id, self.branch))

    def _asked(self) -> Client:
        return client_of(self._given)
