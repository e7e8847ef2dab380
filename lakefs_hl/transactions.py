"""Transactions: writes that reach a branch all together or not at all."""

from __future__ import annotations

import time
import uuid
import warnings
from typing import TYPE_CHECKING, NoReturn
from weakref import WeakSet

from lakefs_hl import arguments
from lakefs_hl.client import default_client
from lakefs_hl.handles import ON_EMPTY, STRATEGIES, Handle, OnEmpty, Strategy, optional_reference_name
from lakefs_hl.ops import transaction as ops
from lakefs_hl.writes import WriteIOBase

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from lakefs_hl.client import Client
    from lakefs_hl.fileio import ObjectWriter


class TransactionFields:
    """What is known of a transaction, in both colours."""

    _tx: ops.Tx
    #: Files that were opened for writing. One that was garbage-collected is no longer here, but in `_lost`.
    _writers: WeakSet[ObjectWriter]
    #: Names of the files that the collector ended: opened for writing in this transaction, never closed by the caller,
    #: and so not written. A file that was discarded, or left by a failed `with` block, is not among them.
    _lost: list[str]

    def _left_open(self) -> list[str]:
        """Discards the files that are still open for writing: they could be published only after the end."""
        left = [writer for writer in list(self._writers) if not writer.closed]
        for writer in left:
            writer.discard()
        return sorted(writer.name for writer in left)

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
    source_ref: str | Handle | None,
) -> ops.Tx:
    """Makes the state of a transaction that is still to begin; `place` is the branch it starts from."""
    plan = ops.Plan(
        repository=place._repository_id,
        destination=place._id,
        tx_id=uuid.uuid4().hex,
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


def told(tx: ops.Tx, left_open: Sequence[str] = ()) -> None:
    """Warns, after a transaction that went well, of files it went without and of a branch that could not be deleted."""
    if left_open:
        warnings.warn(
            f"{tx.fate}, without {', '.join(left_open)}: opened for writing and not closed. "
            "Close files inside the block, as in `with tx.open(path, 'w') as file`",
            RuntimeWarning,
            stacklevel=3,
        )
    if tx.leaked_branch is not None:
        warnings.warn(
            f"{tx.fate}; branch {tx.leaked_branch!r} is left over: {tx.trouble}", RuntimeWarning, stacklevel=3
        )


class BranchTransaction(TransactionFields, WriteIOBase):
    r"""Reads and writes on an ephemeral branch; leaving the `with` block commits and merges it, all or nothing.

    If the block raises, or the commit or merge is refused, the branch it came from is unchanged and the ephemeral
    branch is kept and named, so that no work is lost. Readers of the branch never see half of it.

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
        TransactionException: The block raised an `Exception`, which is the cause; KeyboardInterrupt and the like pass
            as themselves, with a note.

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
        client._run(ops.begin(client._session, self._tx))
        return self

    def __exit__(
        self, type: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Commits and merges, or reports what was left where."""
        client, tx, left_open = self._asked(), self._tx, self._left_open()
        if value is None:
            client._run(ops.finish(client._session, tx, time.time()))
            told(tx, left_open)
            return
        client._run(ops.abandon(client._session, tx))
        if isinstance(value, Exception):
            raise ops.broken(tx, value) from value
        value.add_note(f"transaction interrupted: {tx.fate}")

    def resolve(self) -> str:
        """After `TransactionOutcomeUnknown`: looks whether the merge has happened, and finishes; returns the state."""
        client = self._asked()
        state = client._run(ops.resolve(client._session, self._tx, time.time()))
        told(self._tx)
        return state
