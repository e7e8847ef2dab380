"""Transactions: an ephemeral branch, one commit, one merge; all of it or nothing.

0 pin the destination's head → 1 a hidden branch `tx-<destination>-<32 hex>` from it → 2 the user writes → 3 commit →
4 merge the commit's id: **the only commit point** → 5 tag the merge commit → 6 delete the branch.

States: NEW, OPEN, then COMMITTED, ABORTED or UNKNOWN. Once a merge is known, COMMITTED is for ever and what fails after
it is told, never undone. On a failure before it the branch is kept and named, unless `delete_on_error` or unless there
is nothing on it. An interruption passes as itself, with a note of what became of the transaction. It can land between
any two lines, so whoever drives these ops runs `settle` until it has ended.

In process a call is over when it returns or raises, whatever it met: what the log does not have then will never be
there, so UNKNOWN is the state of a transaction over a network only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final, NoReturn, TypeVar

import msgspec

from lakefs_hl.ops import branches, ephemeral, logged, refs, tags
from lakefs_hl.ops.effects import Op, sleep
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import errors, models
from lakefs_hl.spec.kinds import ErrorKind
from lakefs_hl.spec.wire import NOTHING

E = TypeVar("E", bound=errors.TransactionException)
#: Refusals of a merge that pass: staged changes of somebody else, a race that was lost.
_PASSING: Final = frozenset(
    {ErrorKind.DIRTY_BRANCH, ErrorKind.LOST_RACE, ErrorKind.BRANCH_LOCKED, ErrorKind.RATE_LIMITED}
)
#: Clean-up after a failure ends after so many seconds.
HURRY: Final = 5.0
#: Of which each of the two requests that tell whether anything is on the branch may take so many.
LOOK: Final = 1.5


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a transaction is to do.

    Attributes:
        repository: Repository id.
        destination: The branch that is to have the changes.
        tx_id: 32 hex digits that nobody else has.
        message: Of the commit and of the merge.
        metadata: Of both.
        tag: A name for the merge commit.
        strategy: Whose change wins where both sides changed a path; None makes that an error.
        delete_on_error: Whether a failure deletes the ephemeral branch.
        on_empty: "skip", "error" or "commit": what to do if nothing changed.
        retries: How often a merge is tried again that was refused because somebody else was at the destination.
        source: Where to start from; None is the destination's head.
    """

    repository: str
    destination: str
    tx_id: str
    message: str
    metadata: Mapping[str, str] = NOTHING
    tag: str | None = None
    strategy: str | None = None
    delete_on_error: bool = False
    on_empty: str = "skip"
    retries: int = 0
    source: str | None = None

    @property
    def branch(self) -> str:
        """The ephemeral branch."""
        return ephemeral.name_of(self.destination, self.tx_id).branch

    @property
    def uri(self) -> str:
        """The destination."""
        return f"lakefs://{self.repository}/{self.destination}"

    def trace(self, now: float) -> logged.Trace:
        """Where the merge is found again."""
        about = f"merging transaction {self.branch!r} into {self.uri}"
        return logged.Trace(self.repository, self.destination, f"{self.tx_id}-merge", now, about)


class Tx:
    """How far a transaction is.

    Attributes:
        plan: What it is to do.
        state: NEW, OPEN, COMMITTED, ABORTED or UNKNOWN.
        base: The commit that it started from.
        merge_commit: The commit that it ended in; None while there is none, or when nothing had changed.
        kept: Whether the ephemeral branch is there, or may be.
        leaked_branch: The branch that could not be deleted after all went well.
        trouble: Why not.
        empty: Whether nothing is on the ephemeral branch; None if that was not looked at.
        resumed: Whether it goes on with a kept branch, so that entering it makes none.
        settled: Whether it has ended and its branch was seen to.
        unwound: Whether an interruption was thrown into its op, which tidied up as far as it came.
        noted: Whether the interruption that ended it carries a note.
        untagged: Why the merge commit could not be tagged.
    """

    __slots__ = (
        "base",
        "empty",
        "kept",
        "leaked_branch",
        "merge_commit",
        "noted",
        "plan",
        "resumed",
        "settled",
        "state",
        "trouble",
        "untagged",
        "unwound",
    )

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.state = "NEW"
        self.base = ""
        self.merge_commit: str | None = None
        self.kept = False
        self.leaked_branch: str | None = None
        self.trouble = self.untagged = ""
        self.empty: bool | None = None
        self.resumed = self.settled = self.unwound = self.noted = False

    @property
    def fate(self) -> str:
        """What became of it, in a sentence."""
        branch = self.plan.branch
        left = f"branch {branch!r} is kept" if self.kept else f"branch {branch!r} is deleted"
        if self.state == "COMMITTED":
            at = f" as commit {self.merge_commit}" if self.merge_commit else ""
            tagged = f", but it could not be tagged {self.plan.tag!r}: {self.untagged}" if self.untagged else ""
            return f"{self.plan.uri} has the transaction{at}{tagged}"
        if self.state == "UNKNOWN":
            return (
                f"outcome unknown: {self.plan.uri} may have the transaction; {left}: resolve() looks again, for a "
                f"commit with {logged.OP_ID}={self.plan.tx_id}-merge"
            )
        return f"{self.plan.uri} is unchanged; {left}" + (f" ({self.trouble})" if self.trouble else "")


# -- begin ------------------------------------------------------------------------------------------------------------


def begin(session: Session, tx: Tx) -> Op[None]:
    """Makes the ephemeral branch, unless the transaction could not end well.

    Raises:
        NotFoundException: There is no such repository or branch.
        BadRequestException: It is a tag or a commit, which no write changes.
        TransactionStartError: The destination has staged changes, the tag exists, or the branch could not be made.
        TransactionStateError: It was begun before.
    """
    plan = tx.plan
    if tx.state != "NEW":
        raise state_error(tx, "begun")
    about = f"starting a transaction on {plan.uri}"
    look = branches.get(session, plan.repository, plan.destination)
    head = yield from refs.write_to(session, plan.repository, plan.destination, about, look)
    staged = yield from branches.uncommitted_page(session, plan.repository, plan.destination, "", 1)
    if staged.results:
        _refuse(tx, f"it has uncommitted changes ({staged.results[0].path!r} is one): commit or reset them first")
    if plan.tag is not None and (taken := (yield from _tagged(session, plan))):
        _refuse(tx, f"tag {plan.tag!r} is there already, at {taken}")
    tx.base = head.commit_id
    if plan.source is not None:
        start = yield from refs.commit(session, plan.repository, plan.source)
        tx.base = start.id
    tx.kept = True  # from here on it may be there
    try:
        yield from _branch_off(session, tx)
    except errors.LakeFSException as exc:
        tx.state, tx.kept = "ABORTED", exc.maybe_applied is None
        error = errors.TransactionStartError(f"{about}: {exc}")
        raise _filled(tx, error, exc) from exc
    except GeneratorExit:
        raise
    except BaseException:
        tx.state, tx.unwound = "ABORTED", True
        yield from _unwinding(_drop(_hurried(session, HURRY), tx))
        raise
    tx.state = "OPEN"


def _branch_off(session: Session, tx: Tx) -> Op[None]:
    """Makes the branch; a server that does not know hidden ones gets a plain one."""
    plan = tx.plan
    try:
        yield from branches.create(session, plan.repository, plan.branch, tx.base, hidden=True)
    except errors.BadRequestException as exc:
        if exc.kind is not ErrorKind.UNKNOWN_PROPERTY:
            raise
    else:
        return
    yield from branches.create(session, plan.repository, plan.branch, tx.base)


def _refuse(tx: Tx, why: str) -> NoReturn:
    tx.state = "ABORTED"
    raise _filled(tx, errors.TransactionStartError(f"starting a transaction on {tx.plan.uri}: {why}"), None)


def _tagged(session: Session, plan: Plan) -> Op[str | None]:
    """The commit that the wanted tag is at already."""
    try:
        found = yield from tags.get(session, plan.repository, plan.tag or "")
    except errors.NotFoundException:
        return None
    return found.commit_id


# -- end --------------------------------------------------------------------------------------------------------------


def finish(session: Session, tx: Tx, now: float, source: str | None = None) -> Op[None]:
    """Commits, merges, tags, tidies up; whatever is raised, `tx.state` says what became of it.

    Args:
        session: The client's.
        tx: The transaction.
        now: Unix seconds.
        source: What to merge, if it is committed already.

    Raises:
        TransactionCommitError: The branch could not be committed; the destination is unchanged.
        TransactionMergeError: The merge was refused; the destination is unchanged.
        TransactionOutcomeUnknown: Nobody knows whether it was merged; `resolve` looks again.
        TransactionException: It was merged, and only the tag is missing (`state` is COMMITTED).
    """
    if tx.state != "OPEN":
        raise state_error(tx, "finished")
    try:
        if source is None:
            source = yield from _commit(session, tx, now)
        if source is None:
            tx.state = "COMMITTED"
        else:
            tx.empty = False
            yield from _merge(session, tx, source, now)
        yield from tidy_up(session, tx)
        tx.settled = True
    except (errors.LakeFSException, GeneratorExit):
        raise
    except BaseException as exc:
        tx.unwound = True
        yield from _unwinding(settle(session, tx, now))
        note(tx, exc)
        raise


def _commit(session: Session, tx: Tx, now: float) -> Op[str | None]:
    """Commits what was written; None if nothing was and that is to be skipped."""
    plan, op_id = tx.plan, f"{tx.plan.tx_id}-commit"
    creation = models.CommitCreation(plan.message, dict(plan.metadata) or None)
    try:
        try:
            made = yield from branches.commit(
                session, plan.repository, plan.branch, creation, op_id=op_id, now=now, since=tx.base
            )
            return made.id
        except errors.BadRequestException as exc:
            if exc.kind is not ErrorKind.NO_CHANGES:
                raise
            nothing = exc
        head = yield from branches.get(session, plan.repository, plan.branch)
        if head.commit_id != tx.base:  # somebody who has the handle committed: that is to be merged
            return head.commit_id
        if plan.on_empty == "skip":
            return None
        tx.empty = True
        if plan.on_empty == "error":
            raise nothing
        empty = msgspec.structs.replace(creation, allow_empty=True)
        made = yield from branches.commit(
            session, plan.repository, plan.branch, empty, op_id=op_id, now=now, since=tx.base
        )
        return made.id
    except errors.LakeFSException as exc:
        error = errors.TransactionCommitError(f"committing transaction on {plan.uri}: {exc}")
        yield from _abort(session, tx, error, exc)
    raise AssertionError  # _abort raises


def _merge(session: Session, tx: Tx, source: str, now: float) -> Op[None]:
    """The commit point."""
    plan = tx.plan
    try:
        if plan.tag is not None and (taken := (yield from _tagged(session, plan))):
            msg = f"tag {plan.tag!r} has come into being meanwhile, at {taken}"
            raise errors.ConflictException(msg)
        merge = models.Merge(
            plan.message, dict(plan.metadata), plan.strategy, allow_empty=True if plan.on_empty == "commit" else None
        )
        tx.state = "UNKNOWN"
        tx.merge_commit = yield from _merge_patiently(session, tx, source, merge, now)
        tx.state = "COMMITTED"
    except errors.LakeFSException as exc:
        yield from _unmerged(session, tx, exc, now)


def _merge_patiently(session: Session, tx: Tx, source: str, merge: models.Merge, now: float) -> Op[str]:
    """Merges; again, as often as is wanted, if it was refused for a reason that passes."""
    plan, trace = tx.plan, _trace(tx, now)
    op_id, since = trace.op_id, trace.since
    tries = 0
    while True:
        try:
            return (
                yield from refs.merge(
                    session, plan.repository, source, plan.destination, merge, op_id=op_id, now=now, since=since
                )
            )
        except errors.ServerException as exc:
            if tries == plan.retries or exc.maybe_applied is not False or not _passes(exc):
                raise
        tries += 1
        yield from sleep(session.policy.backoff(tries, busy=True))


def _trace(tx: Tx, now: float) -> logged.Trace:
    """Where the merge is found again: above the head that the destination had when the transaction began."""
    return msgspec.structs.replace(tx.plan.trace(now), since=tx.base if tx.plan.source is None else "")


def _passes(exc: errors.ServerException) -> bool:
    """Whether a refusal means that somebody else was faster, or has changes staged that he will commit."""
    return exc.kind in _PASSING


def _look(session: Session, tx: Tx, now: float) -> Op[None]:
    """One look whether the merge is there; in process it will never be if it is not there now."""
    found = yield from logged.search(session, _trace(tx, now), 0.0)
    if found is not None:
        tx.state, tx.merge_commit = "COMMITTED", found.id
    elif not session.where:
        tx.state = "ABORTED"


def _unwinding(op: Op[None]) -> Op[None]:
    """Runs what an interruption leaves time for; it must not take the interruption's place."""
    try:
        yield from op
    except GeneratorExit:
        raise
    except BaseException:  # noqa: BLE001 - the first interruption is raised by the caller
        return


def _unmerged(session: Session, tx: Tx, failed: errors.LakeFSException, now: float) -> Op[None]:
    """What a failed merge means."""
    plan = tx.plan
    if failed.maybe_applied is None:
        tx.state = "UNKNOWN"
        if not session.where:
            yield from _unwinding(_look(session, tx, now))
        if tx.state == "COMMITTED":
            return
    if tx.state == "UNKNOWN" and failed.maybe_applied is None:
        lost = errors.TransactionOutcomeUnknown(f"transaction on {plan.uri}: {failed}; {tx.fate}")
        raise _filled(tx, lost, failed) from failed
    nothing = isinstance(failed, errors.BadRequestException) and failed.kind is ErrorKind.NO_CHANGES
    if nothing and plan.on_empty == "skip":
        tx.state = "COMMITTED"  # what was committed on the branch comes to nothing
        return
    error = errors.TransactionMergeError(f"merging transaction into {plan.uri}: {failed}")
    error.conflicts = failed.conflicts if isinstance(failed, errors.MergeConflict) else ()
    yield from _abort(session, tx, error, failed)


def tidy_up(session: Session, tx: Tx) -> Op[None]:
    """Tags and deletes; the transaction is committed whatever happens here."""
    plan, tx.untagged = tx.plan, ""
    cause: errors.LakeFSException | None = None
    if plan.tag is not None and tx.merge_commit is not None:
        try:
            yield from tags.create(session, plan.repository, plan.tag, tx.merge_commit, exist_ok=True)
        except errors.LakeFSException as exc:
            cause, tx.untagged = exc, str(exc)
    yield from _drop(session, tx)
    tx.leaked_branch = plan.branch if tx.kept else None
    if cause is not None:
        error = errors.TransactionException(tx.fate)
        error.maybe_applied = True
        raise _filled(tx, error, None) from cause


def abandon(session: Session, tx: Tx) -> Op[None]:
    """Ends a transaction whose body failed; its branch is kept if there is something on it."""
    if tx.state != "OPEN":
        raise state_error(tx, "abandoned")
    tx.state = "ABORTED"
    yield from _leave(session, tx)
    tx.settled = True


def settle(session: Session, tx: Tx, now: float) -> Op[None]:
    """Brings a transaction that was interrupted to its end; does nothing to one that has ended."""
    if tx.settled or (tx.state == "NEW" and not tx.kept):
        return
    session = _hurried(session, HURRY)
    if tx.state == "UNKNOWN":
        yield from _look(session, tx, now)
    elif tx.state in ("NEW", "OPEN"):
        tx.state = "ABORTED"
    if tx.state == "COMMITTED":
        with suppress(errors.TransactionException):  # a missing tag: `fate` says so
            yield from tidy_up(session, tx)
    elif tx.state == "ABORTED":
        yield from _leave(session, tx)
    tx.settled = True


def note(tx: Tx, interruption: BaseException) -> None:
    """Says on an interruption what became of the transaction; once."""
    if not tx.noted and tx.state not in ("NEW", "OPEN"):
        tx.noted = True
        interruption.add_note(f"transaction on {tx.plan.uri} interrupted: {tx.fate}")


def resolve(session: Session, tx: Tx, now: float) -> Op[str]:
    """Looks again for a merge that nobody knew of, and finishes what is left to do; returns the state."""
    if tx.state != "UNKNOWN":
        return tx.state
    found = yield from logged.search(session, _trace(tx, now), session.policy.search_final)
    if found is not None:
        tx.state, tx.merge_commit = "COMMITTED", found.id
        yield from tidy_up(session, tx)
        tx.settled = True
    return tx.state


def broken(tx: Tx, cause: Exception) -> errors.TransactionException:
    """Builds the error of a transaction whose body failed."""
    what = f"{type(cause).__name__}: {cause}" if str(cause) else type(cause).__name__
    return _filled(tx, errors.TransactionException(f"transaction failed: {what}; {tx.fate}"), None)


def unclosed(tx: Tx, names: Sequence[str], form: str) -> errors.TransactionException:
    """Builds the error of a transaction whose body left files open; `form` is "with" or "async with"."""
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    msg = (
        f"nothing was merged without {shown}: opened for writing in the transaction and not closed. Close files inside "
        f"the block, as in `{form} tx.open(path, 'w') as file: ...`, or discard() them; {tx.fate}"
    )
    return _filled(tx, errors.TransactionException(msg), None)


def gone(tx: Tx) -> errors.TransactionStartError:
    """Builds the error of a kept transaction that cannot be resumed."""
    tx.state = "ABORTED"
    msg = (
        f"resuming transaction {tx.plan.branch!r}: its branch is gone, and {tx.plan.uri} has no commit with "
        f"{logged.OP_ID}={tx.plan.tx_id}-merge: it was discarded"
    )
    return _filled(tx, errors.TransactionStartError(msg), None)


def untaggable(tx: Tx) -> errors.TransactionException:
    """Builds the error of a kept transaction that somebody else has merged, so that there is no commit to tag."""
    msg = (
        f"{tx.fate}, but it cannot be tagged {tx.plan.tag!r}: no commit of its log has "
        f"{logged.OP_ID}={tx.plan.tx_id}-merge. Create the tag where you want it, and resume without one"
    )
    return _filled(tx, errors.TransactionException(msg), None)


def state_error(tx: Tx, verb: str) -> errors.TransactionStateError:
    """Builds the error of a transaction that is not where it should be."""
    hint = "enter it first" if tx.state == "NEW" else "a transaction is used once: make another"
    if tx.resumed:
        hint = "resume() has finished it, and nothing is left to do"
    msg = f"a transaction on {tx.plan.uri} that is {tx.state} cannot be {verb}: {hint}"
    return _filled(tx, errors.TransactionStateError(msg), None)


def _abort(session: Session, tx: Tx, error: errors.TransactionException, cause: errors.LakeFSException) -> Op[None]:
    """Raises, after the branch was left as it is, or deleted."""
    tx.state = "ABORTED"
    if tx.empty is None and not isinstance(cause, errors.ServerException):
        tx.empty = False  # no time is lost on asking a server that does not answer what it holds
    yield from _leave(session, tx)
    tx.settled = True
    error.args = (f"{error}; {tx.fate}",)
    raise _filled(tx, error, cause) from cause


def _leave(session: Session, tx: Tx) -> Op[None]:
    """Deletes the branch of a transaction that has failed, if that was asked for or if nothing is on it."""
    wanted, seconds = tx.plan.delete_on_error, HURRY
    if tx.kept and not wanted and tx.empty is None:
        tx.empty = yield from _is_empty(_hurried(session, LOOK), tx)
        seconds -= 2 * LOOK
    if tx.kept and (wanted or tx.empty):
        yield from _drop(_hurried(session, seconds), tx)


def _is_empty(session: Session, tx: Tx) -> Op[bool | None]:
    """Whether nothing was staged or committed on the branch; None if that could not be seen."""
    plan = tx.plan
    try:
        staged = yield from branches.uncommitted_page(session, plan.repository, plan.branch, "", 1)
        if staged.results:
            return False
        head = yield from branches.get(session, plan.repository, plan.branch)
    except errors.NotFoundException:
        tx.kept = False
        return None
    except errors.LakeFSException:
        return None
    return head.commit_id == tx.base


def _drop(session: Session, tx: Tx) -> Op[None]:
    """Deletes the ephemeral branch; a failure is noted."""
    try:
        yield from branches.delete(session, tx.plan.repository, tx.plan.branch)
    except errors.NotFoundException:
        tx.kept = False
    except errors.LakeFSException as exc:
        tx.kept, tx.trouble = True, f"it could not be deleted: {exc}"
    else:
        tx.kept = False


def _hurried(session: Session, seconds: float) -> Session:
    """The same session for what must not keep a user waiting."""
    return session.copy(msgspec.structs.replace(session.policy, deadline=seconds))


def _filled(tx: Tx, error: E, cause: errors.LakeFSException | None) -> E:
    error.branch, error.state = tx.plan.branch, tx.state
    if cause is not None:
        error.attempts, error.op_id = cause.attempts, cause.op_id
        error.maybe_applied = None if tx.state == "UNKNOWN" else False
    return error
