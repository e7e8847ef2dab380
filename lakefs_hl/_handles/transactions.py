"""Transactions, and transactions that were left behind: state, arguments and calls."""

from __future__ import annotations

import os
import sys
import time
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, NamedTuple, NoReturn, Protocol, cast
from weakref import WeakSet

from lakefs_hl._handles.branches import ON_EMPTY
from lakefs_hl._handles.handle import Handle, optional_reference_name
from lakefs_hl._handles.listings import OBJECT, TIME, Columns
from lakefs_hl._handles.options import Optioned
from lakefs_hl._handles.records import public
from lakefs_hl._handles.refs import STRATEGIES, Strategy
from lakefs_hl.ops import ephemeral
from lakefs_hl.ops import kept as kept_ops
from lakefs_hl.ops import transaction as ops
from lakefs_hl.ops.branches import OnEmpty as OnEmpty
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import arguments, callers
from lakefs_hl.spec.uri import object_uri

#: How often the settling of an interrupted transaction is started in process when it is interrupted itself.
SETTLING_TRIES: Final = 20


#: Fields of the rows of `transactions`.
TRANSACTIONS: Final = Columns(
    "transactions",
    {
        "id": OBJECT,
        "branch": OBJECT,
        "repository_id": OBJECT,
        "source_branch_id": OBJECT,
        "started": TIME,
        "age": "timedelta64[s]",
        "state": OBJECT,
        "message": OBJECT,
        "owner": OBJECT,
    },
)


class CollectReport(NamedTuple):
    """Result of collecting the branches of transactions.

    Attributes:
        deleted: The branches that were deleted (with `dry_run`, that would be), each with the reason.
        kept: The branches that were kept, each with the reason.
        dry_run: Whether nothing was deleted.
    """

    deleted: dict[str, str]
    kept: dict[str, str]
    dry_run: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return self._asdict()


public(CollectReport)


class Writer(Protocol):
    """A file that is open for writing."""

    name: str

    @property
    def closed(self) -> bool: ...

    def discard(self) -> None:
        """Close the file and publish nothing."""


class TransactionFields:
    """The state of a transaction."""

    _tx: ops.Tx
    #: Files opened for writing. One that was garbage-collected is no longer here but in `_lost`.
    _writers: WeakSet[Any]
    #: Names of files that were garbage-collected while open: nothing of them was written. A file that was discarded, or
    #: left by a failed `with` block, is not among them.
    _lost: list[str]
    _id: str

    def _adopt(self, tx: ops.Tx) -> None:
        """Take over the state of a transaction. Reads and writes go to its branch."""
        self._tx, self._id = tx, tx.plan.branch
        self._writers, self._lost = WeakSet(), []

    def _discard_open_files(self) -> list[str]:
        """Discard the files that are open for writing. Returns their names, and those of the lost ones."""
        left: list[Writer] = [writer for writer in list(self._writers) if not writer.closed]
        for writer in left:
            writer.discard()
        return sorted({*(writer.name for writer in left), *self._lost})

    @property
    def source_branch_id(self) -> str:
        """The branch that the transaction started from and is merged into."""
        return self._tx.plan.destination

    @property
    def state(self) -> str:
        """NEW, OPEN, and in the end COMMITTED, ABORTED or UNKNOWN."""
        return self._tx.state

    @property
    def merge_commit_id(self) -> str | None:
        """ID of the merge commit. None before the end, or if nothing had changed."""
        return self._tx.merge_commit

    @property
    def leaked_branch(self) -> str | None:
        """The ephemeral branch, if it could not be deleted after a successful merge."""
        return self._tx.leaked_branch

    def __reduce__(self) -> NoReturn:
        msg = "a transaction stays in its process; hand the others tx.handle(), which reads and writes on its branch"
        raise TypeError(msg)

    def __repr__(self) -> str:
        if "_tx" not in self.__dict__:  # its arguments were refused
            return f"<{type(self).__name__}>"
        return f"<{type(self).__name__} {self._tx.plan.uri} {self._tx.state}>"


class HandleFields(Handle):
    """The fields of a handle for workers."""

    _name: ephemeral.Name

    def _check(self) -> None:
        """Check that the branch is that of a transaction.

        Raises:
            ValueError: It is not.
        """
        name = ephemeral.parse(self._id)
        if name is None:
            msg = (
                f"branch_id must be the branch of a transaction, not {self._id!r}: tx.handle() returns the handle of "
                "an open transaction; repository.branch(name) returns a branch"
            )
            raise ValueError(msg)
        self._name = name

    @property
    def transaction_id(self) -> str:
        """ID of the transaction, as `KeptTransaction.id` has it: 32 hex digits."""
        return self._name.tx_id

    @property
    def source_branch_id(self) -> str:
        """The branch that the transaction started from and is merged into."""
        return self._name.destination


class KeptFields(Optioned):
    """The fields of a transaction that was left behind."""

    def __init__(self, repository_id: str, record: kept_ops.Kept, seen: float, client: Any = None) -> None:
        self._repository_id = repository_id
        self._record = record
        self._seen = seen
        self._given = client

    @property
    def id(self) -> str:
        """ID of the transaction: a UUID of version 7, as 32 hex digits."""
        return self._record.name.tx_id

    @property
    def branch(self) -> str:
        """Name of its branch."""
        return self._record.name.branch

    @property
    def repository_id(self) -> str:
        """Name of the repository."""
        return self._repository_id

    @property
    def source_branch_id(self) -> str:
        """The branch that the transaction started from and is to be merged into."""
        return self._record.name.destination

    @property
    def started(self) -> datetime | None:
        """Start time, by the clock of its machine. None if an earlier release made it: its ID holds no time."""
        started = self._record.name.started
        return None if started is None else datetime.fromtimestamp(started, UTC)

    @property
    def age(self) -> timedelta | None:
        """Age when it was listed. None if the start time is not known."""
        age = self._record.age(self._seen)
        return None if age is None else timedelta(seconds=age)

    @property
    def state(self) -> Literal["empty", "staged", "committed", "merged"]:
        """State of its branch: no changes, staged changes, a commit that is not merged, or one that is."""
        return cast('Literal["empty", "staged", "committed", "merged"]', self._record.state)

    @property
    def message(self) -> str | None:
        """Message of its commit. None before it is committed."""
        return self._record.message

    @property
    def owner(self) -> str | None:
        """User who committed it. None before it is committed."""
        return self._record.owner

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, with `started` as an aware datetime and `age` as a timedelta."""
        return {name: getattr(self, name) for name in TRANSACTIONS.types}

    def _key(self) -> tuple[Any, ...]:
        return self._repository_id, self.branch, self._given

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, KeptFields) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash((type(self), self._key()))

    def __repr__(self) -> str:
        age = self.age
        old = "" if age is None else f", {timedelta(seconds=int(age.total_seconds()))} old"
        return f"<{type(self).__name__} {object_uri(self._repository_id, self.branch)} {self.state}{old}>"


# -- arguments ---------------------------------------------------------------------------------------------------------


def plan(
    place: Handle,
    commit_message: str,
    metadata: Mapping[str, str] | None,
    tag: object,
    strategy: Strategy | None,
    on_empty: OnEmpty,
    *,
    delete_on_error: bool,
    retries: int,
    source_ref: object = None,
    tx_id: str | None = None,
) -> ops.Tx:
    """Return the state of a new transaction, or of one that was left behind if `tx_id` is given.

    `place` is the branch that it starts from.
    """
    return ops.Tx(
        ops.Plan(
            repository=place._repository_id,
            destination=place._id,
            tx_id=tx_id or new_id(),
            message=arguments.text(commit_message, "commit_message"),
            metadata=arguments.optional_metadata(metadata) or {},
            tag=optional_reference_name(tag, "tag", place),
            strategy=arguments.optional_choice(strategy, "strategy", STRATEGIES),
            delete_on_error=arguments.flag(delete_on_error, "delete_on_error"),
            on_empty=arguments.choice(on_empty, "on_empty", ON_EMPTY),
            retries=arguments.integer(retries, "retries", least=0),
            source=optional_reference_name(source_ref, "source_ref", place),
        )
    )


def new_id() -> str:
    """Return a UUID of version 7, as 32 hex digits: it holds the start time."""
    if sys.version_info >= (3, 14):
        return uuid.uuid7().hex
    return ephemeral.make_id(time.time_ns(), os.urandom(ephemeral.RANDOM_BYTES))


def warn_of_leak(tx: ops.Tx) -> None:
    """Warn if the branch of a successful transaction could not be deleted."""
    if tx.leaked_branch is not None:
        callers.warn(f"{tx.outcome}; branch {tx.leaked_branch!r} is left over: {tx.cleanup_error}", RuntimeWarning)


# -- calls -------------------------------------------------------------------------------------------------------------


def begin(session: Session, tx: ops.Tx) -> Op[None]:
    """Create the ephemeral branch."""
    return ops.begin(session, tx)


def end(session: Session, tx: ops.Tx, failed: BaseException | None, left_open: Iterable[str]) -> Op[None]:
    """Commit and merge; or, if the block failed or left files open, keep the branch."""
    if failed is None and not left_open:
        return ops.finish(session, tx, time.time())
    return ops.abandon(session, tx)


def end_error(tx: ops.Tx, failed: BaseException | None, left_open: list[str], form: str) -> BaseException | None:
    """Return the error to raise after a block that failed or left files open. None if there is none.

    An interruption propagates unchanged, with a note. `form` is the statement that closes a file.
    """
    if failed is None:
        return ops.unclosed_error(tx, left_open, form) if left_open else None
    if isinstance(failed, Exception):
        return ops.block_error(tx, failed)
    ops.note(tx, failed)
    return None


def settlement_tries(session: Session, tx: ops.Tx) -> range:
    """Return how often to try to settle an interrupted transaction.

    Over a network a second interruption ends it. In process settling takes less than a millisecond, and the first
    interruption is raised in any case, so that a further one only starts it again.
    """
    if not session.remote:
        return range(SETTLING_TRIES)
    return range(int(not (tx.settled or tx.unwound)))


def settle(session: Session, tx: ops.Tx) -> Op[None]:
    """Settle an interrupted transaction: merged, aborted or unknown."""
    return ops.settle(session, tx, time.time())


def resolve(session: Session, tx: ops.Tx) -> Op[str]:
    """Find out whether the merge happened. Returns the state."""
    return ops.resolve(session, tx, time.time())


def resume(session: Session, tx: ops.Tx) -> Op[None]:
    """Resume a transaction that was left behind."""
    return kept_ops.resume(session, tx, time.time())


def discard(session: Session, at: KeptFields) -> Op[None]:
    """Delete the branch of a transaction that was left behind."""
    return kept_ops.discard(session, at._repository_id, at.branch)
