"""Transactions: writes that reach a branch all together or not at all; and those that were left behind."""

from __future__ import annotations

import os
import sys
import time
import uuid
import warnings
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, NoReturn, cast
from weakref import WeakSet

from lakefs_hl import arguments
from lakefs_hl.client import Client, OfDefault, client_of
from lakefs_hl.handles import ON_EMPTY, STRATEGIES, Handle, OnEmpty, Strategy, optional_reference_name
from lakefs_hl.ops import ephemeral
from lakefs_hl.ops import kept as kept_ops
from lakefs_hl.ops import transaction as ops
from lakefs_hl.options import Optioned
from lakefs_hl.spec.uri import object_uri
from lakefs_hl.writes import WriteIOBase

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Self

    from lakefs_hl.client import Client
    from lakefs_hl.fileio import ObjectWriter


#: How often the end of an interrupted transaction is begun again in process if it is itself interrupted.
SETTLING: Final = 20


class CollectReport(NamedTuple):
    """What became of the branches of transactions.

    Attributes:
        deleted: The branches that were deleted (with `dry_run`, that would be), each with the reason.
        kept: Those that stay, each with the reason.
        dry_run: Whether nothing was deleted.
    """

    deleted: dict[str, str]
    kept: dict[str, str]
    dry_run: bool


class TransactionFields:
    """What is known of a transaction, in both colours."""

    _tx: ops.Tx
    #: Files that were opened for writing. One that was garbage-collected is no longer here, but in `_lost`.
    _writers: WeakSet[ObjectWriter]
    #: Names of the files that the collector ended: opened for writing in this transaction, never closed by the caller,
    #: and so not written. A file that was discarded, or left by a failed `with` block, is not among them.
    _lost: list[str]
    _id: str

    def _adopt(self, tx: ops.Tx) -> None:
        """Take up a transaction: reads and writes go to its branch."""
        self._tx, self._id = tx, tx.plan.branch
        self._writers, self._lost = WeakSet(), []

    def _left_open(self) -> list[str]:
        """Discards the files that are still open for writing; names them, and those that were forgotten."""
        left = [writer for writer in list(self._writers) if not writer.closed]
        for writer in left:
            writer.discard()
        return sorted({*(writer.name for writer in left), *self._lost})

    @property
    def source_branch_id(self) -> str:
        """The branch that the transaction started from and is merged into."""
        return self._tx.plan.destination

    @property
    def state(self) -> str:
        """NEW, OPEN, then COMMITTED, ABORTED or UNKNOWN."""
        return self._tx.state

    @property
    def merge_commit_id(self) -> str | None:
        """The commit that the transaction ended in; None before its end, or when nothing had changed."""
        return self._tx.merge_commit

    @property
    def leaked_branch(self) -> str | None:
        """The ephemeral branch, if it could not be deleted after all went well."""
        return self._tx.leaked_branch

    def __reduce__(self) -> NoReturn:
        """Refuses: two processes cannot both end a transaction."""
        msg = "a transaction stays in its process; hand the others tx.handle(), which reads and writes on its branch"
        raise TypeError(msg)

    def __repr__(self) -> str:
        """Where to, and how far."""
        if "_tx" not in self.__dict__:  # its arguments were refused
            return f"<{type(self).__name__}>"
        return f"<{type(self).__name__} {self._tx.plan.uri} {self._tx.state}>"


def planned(
    place: Handle,
    commit_message: str,
    metadata: Mapping[str, str] | None,
    tag: str | None,
    strategy: Strategy | None,
    on_empty: OnEmpty,
    *,
    delete_on_error: bool,
    retries: int,
    source_ref: str | Handle | None = None,
    tx_id: str | None = None,
) -> ops.Tx:
    """Makes the state of a transaction that is still to begin, or of one that was kept if `tx_id` is given.

    `place` is the branch that it starts from.
    """
    plan = ops.Plan(
        repository=place._repository_id,
        destination=place._id,
        tx_id=tx_id or new_id(),
        message=arguments.text(commit_message, "commit_message"),
        metadata=arguments.optional_metadata(metadata) or {},
        tag=None if tag is None else arguments.in_repository(tag, "tag", place._repository_id),
        strategy=arguments.optional_choice(strategy, "strategy", STRATEGIES),
        delete_on_error=arguments.flag(delete_on_error, "delete_on_error"),
        on_empty=arguments.choice(on_empty, "on_empty", ON_EMPTY),
        retries=arguments.integer(retries, "retries", least=0),
        source=optional_reference_name(source_ref, "source_ref", place),
    )
    return ops.Tx(plan)


def new_id() -> str:
    """A UUID of version 7, as 32 hex digits: a transaction's name tells when it began."""
    if sys.version_info >= (3, 14):
        return uuid.uuid7().hex
    return ephemeral.make_id(time.time_ns(), os.urandom(ephemeral.DICE))


def told(tx: ops.Tx) -> None:
    """Warns, after a transaction that went well, of a branch that could not be deleted."""
    if tx.leaked_branch is not None:
        warnings.warn(
            f"{tx.fate}; branch {tx.leaked_branch!r} is left over: {tx.trouble}", RuntimeWarning, stacklevel=3
        )


class BranchTransaction(TransactionFields, WriteIOBase):
    r"""Reads and writes on an ephemeral branch; leaving the `with` block commits and merges it, all or nothing.

    If the block raises, or the commit or merge is refused, the branch it came from is unchanged and the ephemeral
    branch is kept and named, so that no work is lost; `Repository.transactions` lists it. One that nothing was written
    to is deleted. A file that was opened for writing and not closed is a failure too. Readers of the branch never see
    half of it.

    Args:
        repository_id: The repository's name.
        source_branch_id: The branch to start from and to merge into.
        client: Whom to ask; None means the default client.
        commit_message: Of the commit and the merge.
        metadata: Of both.
        tag: A tag for the merge commit.
        strategy: Whose change wins where both sides changed a path; None makes that an error.
        delete_on_error: Delete the ephemeral branch after a failure.
        on_empty: What to do if nothing changed: "skip" it, make it an "error", or "commit" all the same.
        retries: How often a merge is tried again that was refused because somebody else was at the branch: a lost race,
            or staged changes that are about to be committed. A conflict is no such reason.
        source_ref: Where to start from, a name or a reference; by default the branch's last commit.

    Raises:
        TransactionException: The block raised an `Exception`, which is the cause, or left files open; KeyboardInterrupt
            and the like pass as themselves, with a note.

    Examples:
        >>> branch = lakefs.repository("example").branch("main")
        >>> with branch.transaction("two tables or none") as tx:
        ...     _ = tx.upload(b"1\n", "a.csv")
        ...     _ = tx.upload(b"2\n", "b.csv")
        >>> tx.state
        'COMMITTED'
    """

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
        """Returns a small picklable handle that reads and writes on the ephemeral branch, for other processes."""
        return WriteIOBase(self._repository_id, self._id, self._given)

    def __enter__(self) -> Self:
        """Creates the ephemeral branch.

        Raises:
            NotFoundException: There is no such repository or branch.
            TransactionStartError: The branch has uncommitted changes, the tag exists, or no branch could be made.
            TransactionStateError: It was entered before.
        """
        client = self._asked()
        if self._tx.resumed and self._tx.state == "OPEN":
            return self
        try:
            client._run(ops.begin(client._session, self._tx))
        except Exception:
            raise
        except BaseException:  # it may have struck when all was done: nobody has the branch, so it goes
            self._settle()
            raise
        return self

    def __exit__(
        self, type: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Commits and merges, or reports what was left where."""
        try:
            self._end(value)
        except Exception:
            raise
        except BaseException as interruption:
            self._settle()
            ops.note(self._tx, interruption)
            raise
        told(self._tx)

    def _end(self, failed: BaseException | None) -> None:
        client, tx, left_open = self._asked(), self._tx, self._left_open()
        if failed is None and not left_open:
            client._run(ops.finish(client._session, tx, time.time()))
            return
        client._run(ops.abandon(client._session, tx))
        if failed is None:
            raise ops.unclosed(tx, left_open, "with")
        if isinstance(failed, Exception):
            raise ops.broken(tx, failed) from failed
        ops.note(tx, failed)

    def _settle(self) -> None:
        """Brings an interrupted transaction to its end; in process until that is done, else once.

        Over a network a second interruption has the last word; in process it would only be in the way of a look that
        takes less than a millisecond, and the first one is raised in any case.
        """
        client, tx = self._asked(), self._tx
        for _ in range(SETTLING if not client._session.where else int(not tx.unwound)):
            try:
                client._run(ops.settle(client._session, tx, time.time()))
                return
            except BaseException:
                if client._session.where:
                    raise

    def resolve(self) -> str:
        """After `TransactionOutcomeUnknown`: looks whether the merge has happened, and finishes; returns the state."""
        client = self._asked()
        state = client._run(ops.resolve(client._session, self._tx, time.time()))
        told(self._tx)
        return state


class KeptFields(Optioned):
    """A transaction that was left behind: its branch is there, and nobody is known to be at work on it."""

    def __init__(self, repository_id: str, record: kept_ops.Kept, seen: float, client: Any = None) -> None:
        self._repository_id = repository_id
        self._record = record
        self._seen = seen
        self._given = client

    @property
    def id(self) -> str:
        """The transaction's id, 32 hex digits; a UUID of version 7."""
        return self._record.name.tx_id

    @property
    def branch(self) -> str:
        """The name of its branch."""
        return self._record.name.branch

    @property
    def repository_id(self) -> str:
        """The repository's name."""
        return self._repository_id

    @property
    def source_branch_id(self) -> str:
        """The branch that the transaction started from and is to be merged into."""
        return self._record.name.destination

    @property
    def started(self) -> datetime | None:
        """When it began, by the clock of its machine; None if an earlier release made it, whose ids do not tell."""
        started = self._record.name.started
        return None if started is None else datetime.fromtimestamp(started, UTC)

    @property
    def age(self) -> timedelta | None:
        """How long ago it began when it was listed; None if that is not known."""
        age = self._record.age(self._seen)
        return None if age is None else timedelta(seconds=age)

    @property
    def state(self) -> Literal["empty", "staged", "committed", "merged"]:
        """What is on its branch: nothing, staged changes, a commit that is not merged, or one that is."""
        return cast('Literal["empty", "staged", "committed", "merged"]', self._record.state)

    @property
    def message(self) -> str | None:
        """The message of its commit; None before that."""
        return self._record.message

    @property
    def owner(self) -> str | None:
        """Who committed it; None before that."""
        return self._record.owner

    def _key(self) -> tuple[Any, ...]:
        return self._repository_id, self.branch, self._given

    def __eq__(self, other: object) -> bool:
        """Same transaction, same client."""
        return type(self) is type(other) and isinstance(other, KeptFields) and self._key() == other._key()

    def __hash__(self) -> int:
        """Of the same things that `==` compares."""
        return hash((type(self), self._key()))

    def __repr__(self) -> str:
        """Where, how far, how old."""
        age = self.age
        old = "" if age is None else f", {timedelta(seconds=int(age.total_seconds()))} old"
        return f"<{type(self).__name__} {object_uri(self._repository_id, self.branch)} {self.state}{old}>"

    def _planned(
        self,
        commit_message: str,
        metadata: Mapping[str, str] | None,
        tag: str | None,
        strategy: Strategy | None,
        on_empty: OnEmpty,
        *,
        delete_on_error: bool,
        retries: int,
    ) -> ops.Tx:
        return planned(
            Handle(self._repository_id, self.source_branch_id, self._given),
            commit_message,
            metadata,
            tag,
            strategy,
            on_empty,
            delete_on_error=delete_on_error,
            retries=retries,
            tx_id=self.id,
        )


class KeptTransaction(KeptFields):
    """A transaction that was left behind, as `Repository.transactions` lists it.

    Its process died or was interrupted, or its block failed. Its fields are as they were when it was listed.

    Examples:
        >>> tx = branch.transaction("load").__enter__()  # and then the process dies
        >>> (kept,) = repo.transactions()
        >>> kept.state
        'empty'
        >>> with kept.resume("load") as tx:
        ...     _ = tx.upload(b"1", "a.csv")
        >>> tx.state
        'COMMITTED'
    """

    _of_default = OfDefault

    def resume(
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
        """Resume the transaction.

        If its block had not ended, it is OPEN again: use it in a `with` block, which commits and merges at its end.
        If its block had ended, its commit is merged now, unless it had been merged: it is COMMITTED.

        Do not resume a transaction that is still at work in another process.

        Args:
            commit_message: Message of the commit and the merge. Defaults to that of its commit, if there is one.
            metadata: Metadata of both. Defaults to that of its commit, if there is one.
            tag: A tag for the merge commit.
            strategy: Whose change wins where both sides changed a path; None makes that an error.
            delete_on_error: Delete the ephemeral branch after a failure.
            on_empty: What to do if nothing changed: "skip" it, make it an "error", or "commit" all the same.
            retries: How often a merge is tried again that was refused because somebody else was at the branch.

        Returns:
            The transaction, OPEN or COMMITTED.

        Raises:
            TransactionStartError: Its branch is gone, and it was not merged.
            TransactionMergeError: The merge was refused; the branch is kept.
            TransactionOutcomeUnknown: The merge was sent and got no response; the branch is kept.
            TransactionException: It was merged, and could not be tagged.
        """
        tx = self._planned(
            commit_message, metadata, tag, strategy, on_empty, delete_on_error=delete_on_error, retries=retries
        )
        client = self._asked()
        client._run(kept_ops.resume(client._session, tx, time.time()))
        told(tx)
        return BranchTransaction._resumed(tx, self._given)

    def discard(self) -> None:
        """Delete its branch and everything on it; one that is gone is no error."""
        client = self._asked()
        client._run(kept_ops.discard(client._session, self._repository_id, self.branch))

    def _asked(self) -> Client:
        return client_of(self._given)
