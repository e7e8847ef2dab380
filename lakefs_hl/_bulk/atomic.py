"""A transfer as one commit: a transaction around it. If the transfer fails, it is kept for what can resume it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import TracebackType
from typing import Self

from lakefs_hl._bulk.caller import Abandoned
from lakefs_hl._bulk.places import BulkPlace, is_in_transaction
from lakefs_hl._handles import transactions as calls
from lakefs_hl.ops import kept as kept_ops
from lakefs_hl.ops import refs
from lakefs_hl.ops.transaction import Tx, note
from lakefs_hl.spec.errors import TransactionStartError


def refuse_commit_message(place: object, message: str | None) -> None:
    """Check that a transfer to this place can be a commit of its own.

    Raises:
        ValueError: The message is empty, or the place is a transaction, whose own commit has everything.
    """
    if message is None:
        return
    if not message.strip():
        msg = "commit_message must not be empty: it is the message of the commit. Leave it out to commit later"
        raise ValueError(msg)
    if is_in_transaction(place):
        msg = "commit_message: this is a transaction, whose own commit has everything that it writes; leave it out"
        raise ValueError(msg)


class Atomic:
    """A transaction whose `with` block transfers objects.

    Args:
        place: The branch that gets the commit.
        message: Message of the commit.
        metadata: Metadata of the commit.
        remember: Called with the ID of the transaction before its branch exists, and with None once it is gone. Without
            it nothing could resume the transaction, so a failure deletes its branch.
        kept: ID of the transaction to resume. It is not resumed if the destination has other objects under the prefix
            since: those are not on its branch, so the transfer would not compare with them.
        prefix: Prefix of the objects that the transfer compares with.

    Attributes:
        commit_id: The commit, after the block. None if nothing changed or the transfer failed.
        resumed: Whether its branch has what an earlier call has written.
        advice: What to do after a failure.
    """

    def __init__(
        self,
        place: BulkPlace,
        message: str,
        metadata: Mapping[str, str],
        remember: Callable[[str | None], None] | None = None,
        kept: str | None = None,
        prefix: str = "",
    ) -> None:
        self._place = place
        self._message, self._metadata = message, metadata
        self._remember = remember
        self._kept = kept
        self._prefix = prefix
        self._failed = False
        self.commit_id: str | None = None
        self.resumed = False
        self.advice = ""

    @property
    def branch(self) -> str:
        """The branch to write to."""
        return self._tx.plan.branch

    def fail(self) -> None:
        """Note that an object failed: nothing is committed."""
        self._failed = True

    def __enter__(self) -> Self:
        if self._kept is not None and self._resume(self._kept):
            return self
        tx = self._tx = self._plan(None)
        self._note(tx.plan.tx_id)  # before the branch exists: there is no moment at which it could be lost
        try:
            self._place._client._run_here(calls.begin, tx)
        except Exception:
            if not tx.kept:
                self._note(None)
            raise
        except BaseException:  # even if the branch was created: nothing is on it, so it is deleted
            self._settle()
            if not tx.kept:
                self._note(None)
            raise
        return self

    def _note(self, tx_id: str | None) -> None:
        if self._remember is not None:
            self._remember(tx_id)

    def _plan(self, tx_id: str | None) -> Tx:
        return calls.plan(
            self._place,
            self._message,
            self._metadata,
            None,
            None,
            "skip",
            delete_on_error=self._remember is None,
            retries=0,
            tx_id=tx_id,
        )

    def _resume(self, kept: str) -> bool:
        """Return whether the transaction of an earlier call is open again. If it was committed, it is merged."""
        tx = self._tx = self._plan(kept)
        try:
            self._place._client._run_here(calls.resume, tx)
        except TransactionStartError:  # its branch was deleted
            self._note(None)
            return False
        if tx.state == "OPEN" and self._is_behind(tx):
            self._place._client._run_here(kept_ops.discard, self._place._repository_id, tx.plan.branch)
            self._note(None)
            return False
        if tx.state == "OPEN":
            self.resumed = True
            return True
        self.commit_id = tx.merge_commit
        self._note(None)
        return False

    def _is_behind(self, tx: Tx) -> bool:
        """Return whether the destination has changed under the prefix since the transaction was begun."""
        changes = partial(refs.diff_page, prefix=self._prefix, type="two_dot")
        place = self._place
        page = place._client._run_here(changes, place._repository_id, tx.base, place._id, "", 1)
        return bool(page.results)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tx, run = self._tx, self._place._client._run_here
        if error is not None and (isinstance(error, Abandoned) or not isinstance(error, Exception)):
            self._settle()
            note(tx, error)
            return
        try:
            if error is not None or self._failed:
                run(calls.end, tx, error or RuntimeError(), ())
                if error is not None:
                    error.add_note(f"{tx.outcome}{self._hint()}")
                self.advice = f"{tx.outcome}{self._hint()}"
            else:
                run(calls.end, tx, None, ())
                self.commit_id = tx.merge_commit or self.commit_id
                calls.warn_of_leak(tx)
        except Exception:
            raise
        except BaseException as interruption:
            self._settle()
            note(tx, interruption)
            raise
        finally:
            if tx.settled and (tx.state == "COMMITTED" or not tx.kept):
                self._note(None)

    def _hint(self) -> str:
        return ": the same call goes on from there" if self._tx.kept and self._remember is not None else ""

    def _settle(self) -> None:
        """Bring an interrupted transaction to its end."""
        client = self._place._client
        for _ in calls.settlement_tries(client._session, self._tx):
            try:
                client._run_here(calls.settle, self._tx)
            except BaseException:
                if client._session.remote:
                    raise
            else:
                return
