# Generated from lakefs_hl/aio/transactions.py by tools/unasync.py: change that, not this.
"""Transactions: writes that reach a branch atomically; and those that were left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakefs_hl._handles import transactions as calls
from lakefs_hl._handles.handle import Handle
from lakefs_hl._handles.refs import Strategy
from lakefs_hl._handles.transactions import HandleFields, KeptFields, TransactionFields
from lakefs_hl._sync.client import Client
from lakefs_hl._sync.of_default import OfDefault, client_of
from lakefs_hl._sync.writes import WriteIOBase
from lakefs_hl.ops.branches import OnEmpty
from lakefs_hl.ops.transaction import Tx, note, state_error

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self


class BranchTransaction(TransactionFields, WriteIOBase):
    r"""A transaction on an ephemeral branch. Leaving the `with` block commits and merges it atomically.

    If the block raises, or the commit or the merge is refused, the source branch is not changed, and the ephemeral
    branch is kept and named in the error, so that no work is lost; `Repository.transactions` lists it. An ephemeral
    branch without changes is deleted. A file that was opened for writing and not closed is a failure too. Readers of
    the source branch never see a part of the transaction.

    Args:
        repository_id: Name of the repository.
        source_branch_id: The branch to start from and to merge into.
        client: Client to use. Defaults to the default client at the time of each call.
        commit_message: Message of the commit and the merge.
        metadata: Metadata of both.
        tag: A tag for the merge commit.
        strategy: Which side wins where both changed a path. None makes that an error.
        delete_on_error: Delete the ephemeral branch after a failure.
        on_empty: What to do if there are no changes: `skip`, `error` or `commit`.
        retries: How many times to retry a merge that lost a race or found uncommitted changes on the destination.
            Conflicts are never retried.
        source_ref: Reference to start from. Defaults to the last commit of the branch.

    Raises:
        TransactionException: The block raised an `Exception`, which is the cause, or left files open.
            `KeyboardInterrupt` and the like pass as themselves, with a note.

    Examples:
        >>> branch = lakefs.repository("example").branch("main")
        >>> with branch.transaction("two tables or none") as tx:
        ...     _ = tx.upload(b"1\n", "a.csv")
        ...     _ = tx.upload(b"2\n", "b.csv")
        >>> tx.state
        'COMMITTED'
    """

    __module__ = "lakefs_hl"
    _reference_argument = "source_branch_id"

    def __init__(
        self,
        repository_id: str,
        source_branch_id: str | Handle,
        client: Client | None = None,
        *,
        commit_message: str = "",
        metadata: Mapping[str, str] | None = None,
        tag: str | Handle | None = None,
        strategy: Strategy | None = None,
        delete_on_error: bool = False,
        on_empty: OnEmpty = "skip",
        retries: int = 0,
        source_ref: str | Handle | None = None,
    ) -> None:
        super().__init__(repository_id, source_branch_id, client)
        self._adopt(
            calls.plan(
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
        )

    @classmethod
    def _resume(cls, tx: Tx, client: Client | None) -> Self:
        """Return a transaction that began earlier."""
        made = cls.__new__(cls)
        WriteIOBase.__init__(made, tx.plan.repository, tx.plan.branch, client)
        made._adopt(tx)
        return made

    @property
    def _client(self) -> Client:
        if self._tx.state != "OPEN":
            raise state_error(self._tx, "read or written")
        return client_of(self._given)

    def handle(self) -> TransactionHandle:
        """Return a small picklable handle that reads and writes in the transaction, for workers. Sends no request.

        See `TransactionHandle`. The handle of a transaction that was resumed is equal to that from before.
        """
        self._tx.shared = True
        return TransactionHandle(self._repository_id, self._id, self._given)

    def __enter__(self) -> Self:
        """Create the ephemeral branch.

        Raises:
            NotFoundException: The repository or the branch does not exist.
            TransactionStartError: The branch has uncommitted changes, the tag exists, or the ephemeral branch cannot be
                created.
            TransactionStateError: The transaction was entered before.
        """
        if self._tx.resumed and self._tx.state == "OPEN":
            return self
        try:
            client_of(self._given)._run(calls.begin, self._tx)
        except Exception:
            raise
        except BaseException:  # even if the branch was created: the block does not run, so it is deleted
            self._settle()
            raise
        return self

    def __exit__(
        self, type: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Commit and merge, or report what was kept."""
        tx = self._tx
        try:
            left_open = self._discard_open_files()
            client_of(self._given)._run(calls.end, tx, value, left_open)
            error = calls.end_error(tx, value, left_open, "with")
        except Exception:
            raise
        except BaseException as interruption:
            self._settle()
            note(tx, interruption)
            raise
        if error is not None:
            raise error from value
        calls.warn_of_leak(tx)

    def _settle(self) -> None:
        """Bring an interrupted transaction to its end."""
        client = client_of(self._given)
        for _ in calls.settlement_tries(client._session, self._tx):
            try:
                client._run(calls.settle, self._tx)
            except BaseException:
                if client._session.remote:
                    raise
            else:
                return

    def resolve(self) -> str:
        """Find out after `TransactionOutcomeUnknown` whether the merge happened, and finish the transaction.

        Returns:
            The state: COMMITTED, ABORTED or UNKNOWN.
        """
        state = client_of(self._given)._run(calls.resolve, self._tx)
        calls.warn_of_leak(self._tx)
        return state


class TransactionHandle(HandleFields, WriteIOBase):
    r"""Reads and writes of an open transaction, for workers in other threads, processes or on other machines.

    It is small and picklable, and holds no secret: a worker uses its own credentials; see `Client`. It cannot end the
    transaction: the process that opened it commits and merges all that the workers wrote, once, at the end of its
    block. Wait for all workers in the block: what one writes at the moment when the transaction is committed may be
    left out of it. If it is found before the branch is deleted, the branch is kept as `leaked_branch`, with a
    `RuntimeWarning`. Once the transaction has ended, calls raise `NotFoundException`.

    Files that a worker opens for writing are its own to close. The transaction does not know of them.

    Args:
        repository_id: Name of the repository.
        branch_id: Branch of the transaction, as `KeptTransaction.branch` has it.
        client: Client to use. Defaults to the default client at the time of each call.

    Raises:
        ValueError: It is not the branch of a transaction.

    Examples:
        >>> branch = lakefs.repository("example").branch("main")
        >>> with branch.transaction("rows of many workers") as tx:
        ...     handle = tx.handle()
        ...     _ = handle.upload(b"1\n", "rows/1.csv")
        >>> handle.source_branch_id
        'main'
    """

    __module__ = "lakefs_hl"
    _reference_argument = "branch_id"

    def __init__(self, repository_id: str, branch_id: str | Handle, client: Client | None = None) -> None:
        super().__init__(repository_id, branch_id, client)
        self._check()


class KeptTransaction(KeptFields):
    """A transaction that was left behind, as `Repository.transactions` lists it.

    Its process died or was interrupted, or its block failed. Its fields are as of the time of the listing.

    Examples:
        >>> tx = branch.transaction("load").__enter__()  # and then the process dies
        >>> (kept,) = repo.transactions().to_list()
        >>> kept.state
        'empty'
        >>> with kept.resume("load") as tx:
        ...     _ = tx.upload(b"1", "a.csv")
        >>> tx.state
        'COMMITTED'
    """

    __module__ = "lakefs_hl"
    _of_default = OfDefault

    def resume(
        self,
        commit_message: str = "",
        *,
        metadata: Mapping[str, str] | None = None,
        tag: str | Handle | None = None,
        strategy: Strategy | None = None,
        delete_on_error: bool = False,
        on_empty: OnEmpty = "skip",
        retries: int = 0,
    ) -> BranchTransaction:
        """Resume the transaction.

        If its block had not ended, it is OPEN again: use it in a `with` block, which commits and merges at its
        end. If its block had ended, its commit is merged now, unless that was done before: it is COMMITTED.

        Do not resume a transaction that another process is still running.

        Args:
            commit_message: Message of the commit and the merge. Defaults to that of its commit, if there is one.
            metadata: Metadata of both. Defaults to that of its commit, if there is one.
            tag: A tag for the merge commit.
            strategy: Which side wins where both changed a path. None makes that an error.
            delete_on_error: Delete the ephemeral branch after a failure.
            on_empty: What to do if there are no changes: `skip`, `error` or `commit`.
            retries: How many times to retry a merge that lost a race or found uncommitted changes on the destination.

        Returns:
            The transaction, OPEN or COMMITTED.

        Raises:
            TransactionStartError: Its branch does not exist, and it was not merged.
            TransactionMergeError: The merge was refused. The branch is kept.
            TransactionOutcomeUnknown: The merge was sent and no response was received. The branch is kept.
            TransactionException: It was merged and could not be tagged.
        """
        tx = calls.plan(
            WriteIOBase(self._repository_id, self.source_branch_id, self._given),
            commit_message,
            metadata,
            tag,
            strategy,
            on_empty,
            delete_on_error=delete_on_error,
            retries=retries,
            tx_id=self.id,
        )
        client_of(self._given)._run(calls.resume, tx)
        calls.warn_of_leak(tx)
        return BranchTransaction._resume(tx, self._given)

    def discard(self) -> None:
        """Delete its branch and everything on it. A branch that does not exist is not an error."""
        client_of(self._given)._run(calls.discard, self)
