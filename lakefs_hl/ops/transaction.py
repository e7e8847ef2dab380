"""Transactions: an ephemeral branch, one commit, one merge. All changes are applied, or none.

0 pin the destination's head → 1 create a hidden branch `tx-<destination>-<32 hex>` from it → 2 the user writes →
3 commit → 4 merge the commit's ID: **the only commit point** → 5 tag the merge commit → 6 delete the branch.

States: NEW, OPEN, then COMMITTED, ABORTED or UNKNOWN. After a successful merge the state stays COMMITTED, and later
failures are reported but undo nothing. After an earlier failure the branch is kept and named, unless `delete_on_error`
is set or the branch has no changes. An interruption is raised as itself, with a note about the outcome. It can arrive
between any two lines, so a driver of these ops runs `settle` until the transaction has ended.

In process a call has ended when it returns or raises. What the log does not have by then was not applied, so only a
transaction over a network can be UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final, NoReturn, TypeVar

import msgspec

from lakefs_hl.ops import branches, ephemeral, logged, refs, tags
from lakefs_hl.ops.effects import Op, sleep
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import endpoints, errors, models
from lakefs_hl.spec.headers import COMMIT_OP_ID
from lakefs_hl.spec.kinds import ErrorKind
from lakefs_hl.spec.wire import NOTHING

E = TypeVar("E", bound=errors.TransactionException)
#: Temporary reasons to reject a merge: uncommitted changes of others, a lost race.
_TEMPORARY: Final = frozenset(
    {ErrorKind.DIRTY_BRANCH, ErrorKind.LOST_RACE, ErrorKind.BRANCH_LOCKED, ErrorKind.RATE_LIMITED}
)
#: Deadline of the clean-up after a failure.
CLEANUP_SECONDS: Final = 5.0
#: The part of it for each of the two requests that check whether the branch has changes.
CHECK_SECONDS: Final = 1.5


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a transaction is to do.

    Attributes:
        repository: Repository ID.
        destination: Branch that the transaction is merged into.
        tx_id: Unique ID, 32 hex digits.
        message: Message of the commit and of the merge.
        metadata: Metadata of both.
        tag: Tag to create at the merge commit.
        strategy: Which side wins where both changed a path. None makes that a conflict.
        delete_on_error: Whether a failure deletes the ephemeral branch.
        on_empty: What to do if there are no changes: "skip", "error" or "commit".
        retries: How many times to retry a merge that lost a race or found uncommitted changes on the destination.
        source: Reference to start from. Defaults to the destination's head.
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
        """Name of the ephemeral branch."""
        return ephemeral.name_of(self.destination, self.tx_id).branch

    @property
    def uri(self) -> str:
        """URI of the destination."""
        return f"lakefs://{self.repository}/{self.destination}"

    def trace(self, now: float) -> logged.Trace:
        """Return where the merge can be found in the log."""
        about = endpoints.MERGE_INTO_BRANCH.describe(self.repository, self.branch, self.destination)
        return logged.Trace(self.repository, self.destination, f"{self.tx_id}-merge", now, about)


class Tx:
    """Progress of a transaction.

    Attributes:
        plan: What it is to do.
        state: NEW, OPEN, COMMITTED, ABORTED or UNKNOWN.
        base: The commit that it started from.
        merge_commit: Its merge commit. None before the merge, or if there were no changes.
        kept: Whether the ephemeral branch exists, or may exist.
        leaked_branch: The branch that could not be deleted after a successful transaction.
        cleanup_error: Why it could not be deleted.
        empty: Whether the ephemeral branch has no changes. None if that was not checked.
        resumed: Whether it continues a kept branch, so that entering it creates none.
        shared: Whether there is a handle of it, so that others may write to its branch.
        settled: Whether it has ended and its branch was kept or deleted as planned.
        unwound: Whether an interruption was thrown into its op, which cleaned up as far as time allowed.
        turn: What the IDs of the commit and the merge end with: "", and in another turn of a transaction that was
            committed before, `-` and its head then. A server answers a known ID by what it did before.
        noted: Whether the interruption that ended it has a note.
        untagged: Why the merge commit could not be tagged.
    """

    __slots__ = (
        "base",
        "cleanup_error",
        "empty",
        "kept",
        "leaked_branch",
        "merge_commit",
        "noted",
        "plan",
        "resumed",
        "settled",
        "shared",
        "state",
        "turn",
        "untagged",
        "unwound",
    )

    def __init__(self, plan: Plan) -> None:
        self.plan: Plan = plan
        self.state: str = "NEW"
        self.base: str = ""
        self.merge_commit: str | None = None
        self.kept: bool = False
        self.leaked_branch: str | None = None
        self.cleanup_error: str = ""
        self.untagged: str = ""
        self.empty: bool | None = None
        self.resumed: bool = False
        self.settled: bool = False
        self.shared: bool = False
        self.turn: str = ""
        self.unwound: bool = False
        self.noted: bool = False

    @property
    def outcome(self) -> str:
        """Outcome of the transaction, in a sentence."""
        branch = self.plan.branch
        rest = f"branch {branch!r} is kept" if self.kept else f"branch {branch!r} was deleted"
        if self.state == "COMMITTED":
            at = f" as commit {self.merge_commit}" if self.merge_commit else ""
            tagged = f", but it could not be tagged {self.plan.tag!r}: {self.untagged}" if self.untagged else ""
            return f"{self.plan.uri} has the transaction{at}{tagged}"
        if self.state == "UNKNOWN":
            return (
                f"outcome unknown: {self.plan.uri} may have the transaction; {rest}: resolve() searches again for a "
                f"commit with {COMMIT_OP_ID}={self.plan.tx_id}-merge{self.turn}"
            )
        return f"{self.plan.uri} is unchanged; {rest}" + (f" ({self.cleanup_error})" if self.cleanup_error else "")


# -- begin ------------------------------------------------------------------------------------------------------------


def begin(session: Session, tx: Tx) -> Op[None]:
    """Create the ephemeral branch, unless the transaction could not succeed.

    Raises:
        NotFoundException: The repository or the destination does not exist.
        BadRequestException: The destination is a tag or a commit, which are immutable.
        TransactionStartError: The destination has uncommitted changes, the tag exists, or the branch could not be
            created.
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
        _fail_start(tx, f"it has uncommitted changes ({staged.results[0].path!r} is one): commit or reset them first")
    if plan.tag is not None and (taken := (yield from _tag_commit(session, plan))):
        _fail_start(tx, f"tag {plan.tag!r} exists already, at {taken}")
    tx.base = head.commit_id
    if plan.source is not None:
        start = yield from refs.commit(session, plan.repository, plan.source)
        tx.base = start.id
    tx.kept = True  # from here on it may exist
    try:
        yield from create_hidden(session, plan.repository, plan.branch, tx.base)
    except errors.LakeFSException as exc:
        tx.state, tx.kept = "ABORTED", exc.maybe_applied is None
        error = errors.TransactionStartError(f"{about}: {exc}")
        raise _fill(tx, error, exc) from exc
    except GeneratorExit:
        raise
    except BaseException:
        tx.state, tx.unwound = "ABORTED", True
        yield from attempt_cleanup(_delete_branch(with_deadline(session, CLEANUP_SECONDS), tx))
        raise
    tx.state = "OPEN"


def create_hidden(session: Session, repository: str, branch: str, commit: str) -> Op[None]:
    """Create a hidden branch; a visible one on a server without hidden branches."""
    try:
        yield from branches.create(session, repository, branch, commit, hidden=True)
    except errors.BadRequestException as exc:
        if exc.kind is not ErrorKind.UNKNOWN_PROPERTY:
            raise
    else:
        return
    yield from branches.create(session, repository, branch, commit)


def _fail_start(tx: Tx, why: str) -> NoReturn:
    tx.state = "ABORTED"
    raise _fill(tx, errors.TransactionStartError(f"starting a transaction on {tx.plan.uri}: {why}"), None)


def _tag_commit(session: Session, plan: Plan) -> Op[str | None]:
    """Return the commit of an existing tag with the planned name."""
    try:
        found = yield from tags.get(session, plan.repository, plan.tag or "")
    except errors.NotFoundException:
        return None
    return found.commit_id


# -- end --------------------------------------------------------------------------------------------------------------


def finish(session: Session, tx: Tx, now: float, source: str | None = None) -> Op[None]:
    """Commit, merge, tag and clean up. Whatever is raised, `tx.state` has the outcome.

    Args:
        session: The client's session.
        tx: The transaction.
        now: Current time in Unix seconds.
        source: The commit to merge, if it exists already.

    Raises:
        TransactionCommitError: The branch could not be committed. The destination is unchanged.
        TransactionMergeError: The merge was rejected. The destination is unchanged.
        TransactionOutcomeUnknown: The outcome of the merge is unknown. `resolve` looks for it again.
        TransactionException: The merge succeeded, and only the tag is missing (`state` is COMMITTED).
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
        yield from clean_up(session, tx)
        tx.settled = True
    except (errors.LakeFSException, GeneratorExit):
        raise
    except BaseException as exc:
        tx.unwound = True
        yield from attempt_cleanup(settle(session, tx, now))
        note(tx, exc)
        raise


def _commit(session: Session, tx: Tx, now: float) -> Op[str | None]:
    """Commit the changes and return the commit. None if there are none and that is to be skipped."""
    plan, op_id = tx.plan, f"{tx.plan.tx_id}-commit{tx.turn}"
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
            no_changes = exc
        head = yield from branches.get(session, plan.repository, plan.branch)
        if head.commit_id != tx.base:  # a process with the handle has committed: merge that
            return head.commit_id
        if plan.on_empty == "skip":
            return None
        tx.empty = True
        if plan.on_empty == "error":
            raise no_changes
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
    """Merge: the commit point."""
    plan = tx.plan
    try:
        if plan.tag is not None and (taken := (yield from _tag_commit(session, plan))):
            msg = f"tag {plan.tag!r} was created meanwhile, at {taken}"
            raise errors.ConflictException(msg)
        merge = models.Merge(
            plan.message, dict(plan.metadata), plan.strategy, allow_empty=True if plan.on_empty == "commit" else None
        )
        tx.state = "UNKNOWN"
        tx.merge_commit = yield from _merge_with_retries(session, tx, source, merge, now)
        tx.state = "COMMITTED"
    except errors.LakeFSException as exc:
        yield from _settle_failed_merge(session, tx, exc, now)


def _merge_with_retries(session: Session, tx: Tx, source: str, merge: models.Merge, now: float) -> Op[str]:
    """Merge, with the planned retries if the merge is rejected for a temporary reason."""
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
            if tries == plan.retries or exc.maybe_applied is not False or not _is_temporary(exc):
                raise
            reason = str(exc)
        tries += 1
        yield from sleep(session.policy.backoff(tries, busy=True), 0.0, reason, endpoints.MERGE_INTO_BRANCH.operation)


def _trace(tx: Tx, now: float) -> logged.Trace:
    """Return where the merge can be found: above the head that the destination had when the transaction began."""
    trace = tx.plan.trace(now)
    since = tx.base if tx.plan.source is None else ""
    return msgspec.structs.replace(trace, since=since, op_id=trace.op_id + tx.turn)


def _is_temporary(exc: errors.ServerException) -> bool:
    """Return whether a merge was rejected for a temporary reason: a lost race, or uncommitted changes of others."""
    return exc.kind in _TEMPORARY


def _look(session: Session, tx: Tx, now: float) -> Op[None]:
    """Search for the merge once. In process, a merge that is not found was not applied."""
    found = yield from logged.search(session, _trace(tx, now), 0.0)
    if found is not None:
        tx.state, tx.merge_commit = "COMMITTED", found.id
    elif not session.remote:
        tx.state = "ABORTED"


def attempt_cleanup(op: Op[None]) -> Op[None]:
    """Run what an interruption leaves time for, without replacing the interruption by an error."""
    try:
        yield from op
    except GeneratorExit:
        raise
    except BaseException:  # noqa: BLE001 - the first interruption is raised by the caller
        return


def _settle_failed_merge(session: Session, tx: Tx, failed: errors.LakeFSException, now: float) -> Op[None]:
    """Settle what a failed merge means for the transaction, and raise it."""
    plan = tx.plan
    if failed.maybe_applied is None:
        tx.state = "UNKNOWN"
        if not session.remote:
            yield from attempt_cleanup(_look(session, tx, now))
        if tx.state == "COMMITTED":
            return
    if tx.state == "UNKNOWN" and failed.maybe_applied is None:
        lost = errors.TransactionOutcomeUnknown(f"transaction on {plan.uri}: {failed}; {tx.outcome}")
        raise _fill(tx, lost, failed) from failed
    is_empty = isinstance(failed, errors.BadRequestException) and failed.kind is ErrorKind.NO_CHANGES
    if is_empty and plan.on_empty == "skip":
        tx.state = "COMMITTED"  # the commit on the branch changes nothing
        return
    error = errors.TransactionMergeError(f"merging transaction into {plan.uri}: {failed}")
    error.conflicts = failed.conflicts if isinstance(failed, errors.MergeConflict) else ()
    yield from _abort(session, tx, error, failed)


def clean_up(session: Session, tx: Tx) -> Op[None]:
    """Create the tag and delete the branch. The transaction stays committed whatever fails here."""
    plan, tx.untagged = tx.plan, ""
    cause: errors.LakeFSException | None = None
    if plan.tag is not None and tx.merge_commit is not None:
        try:
            yield from tags.create(session, plan.repository, plan.tag, tx.merge_commit, exist_ok=True)
        except errors.LakeFSException as exc:
            cause, tx.untagged = exc, str(exc)
    late = (yield from _late_changes(session, tx)) if tx.shared and tx.kept else ""
    if late:
        tx.cleanup_error = late
    else:
        yield from _delete_branch(session, tx)
    tx.leaked_branch = plan.branch if tx.kept else None
    if cause is not None:
        error = errors.TransactionException(tx.outcome)
        error.maybe_applied = True
        raise _fill(tx, error, None) from cause


def abandon(session: Session, tx: Tx) -> Op[None]:
    """End a transaction whose block failed. Its branch is kept if it has changes."""
    if tx.state != "OPEN":
        raise state_error(tx, "abandoned")
    tx.state = "ABORTED"
    yield from _release_branch(session, tx)
    tx.settled = True


def settle(session: Session, tx: Tx, now: float) -> Op[None]:
    """End a transaction that was interrupted. Does nothing if it has ended."""
    if tx.settled or (tx.state == "NEW" and not tx.kept):
        return
    session = with_deadline(session, CLEANUP_SECONDS)
    if tx.state == "UNKNOWN":
        yield from _look(session, tx, now)
    elif tx.state in ("NEW", "OPEN"):
        tx.state = "ABORTED"
    if tx.state == "COMMITTED":
        with suppress(errors.TransactionException):  # a missing tag: `outcome` says so
            yield from clean_up(session, tx)
    elif tx.state == "ABORTED":
        yield from _release_branch(session, tx)
    tx.settled = True


def note(tx: Tx, interruption: BaseException) -> None:
    """Add a note about the outcome of the transaction to an interruption, once."""
    if not tx.noted and tx.state not in ("NEW", "OPEN"):
        tx.noted = True
        interruption.add_note(f"transaction on {tx.plan.uri} interrupted: {tx.outcome}")


def resolve(session: Session, tx: Tx, now: float) -> Op[str]:
    """Search again for a merge whose outcome is unknown, complete the transaction, and return its state."""
    if tx.state != "UNKNOWN":
        return tx.state
    found = yield from logged.search(session, _trace(tx, now), session.policy.search_final)
    if found is not None:
        tx.state, tx.merge_commit = "COMMITTED", found.id
        yield from clean_up(session, tx)
        tx.settled = True
    return tx.state


def block_error(tx: Tx, cause: Exception) -> errors.TransactionException:
    """Build the exception of a transaction whose block failed."""
    what = f"{type(cause).__name__}: {cause}" if str(cause) else type(cause).__name__
    return _fill(tx, errors.TransactionException(f"transaction failed: {what}; {tx.outcome}"), None)


def unclosed_error(tx: Tx, names: Sequence[str], form: str) -> errors.TransactionException:
    """Build the exception of a transaction whose block left files open. `form` is "with" or "async with"."""
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    msg = (
        f"nothing was merged: files opened for writing in the transaction are not closed: {shown}. Close files inside "
        f"the block, as in `{form} tx.open(path, 'w') as file: ...`, or discard() them; {tx.outcome}"
    )
    return _fill(tx, errors.TransactionException(msg), None)


def gone_error(tx: Tx) -> errors.TransactionStartError:
    """Build the exception of a kept transaction that cannot be resumed."""
    tx.state = "ABORTED"
    msg = (
        f"resuming transaction {tx.plan.branch!r}: its branch does not exist, and {tx.plan.uri} has no commit with "
        f"{COMMIT_OP_ID}={tx.plan.tx_id}-merge: it was discarded"
    )
    return _fill(tx, errors.TransactionStartError(msg), None)


def untaggable_error(tx: Tx) -> errors.TransactionException:
    """Build the exception of a kept transaction that others have merged, so that it has no commit to tag."""
    msg = (
        f"{tx.outcome}, but it cannot be tagged {tx.plan.tag!r}: no commit of its log has "
        f"{COMMIT_OP_ID}={tx.plan.tx_id}-merge. Create the tag yourself, and resume without one"
    )
    return _fill(tx, errors.TransactionException(msg), None)


def state_error(tx: Tx, verb: str) -> errors.TransactionStateError:
    """Build the exception of a transaction that is in the wrong state."""
    hint = "enter it first" if tx.state == "NEW" else "a transaction can be used once: create another"
    if tx.resumed:
        hint = "resume() has finished it"
    msg = f"a transaction on {tx.plan.uri} that is {tx.state} cannot be {verb}: {hint}"
    return _fill(tx, errors.TransactionStateError(msg), None)


def _abort(session: Session, tx: Tx, error: errors.TransactionException, cause: errors.LakeFSException) -> Op[None]:
    """Delete or keep the branch as planned, then raise."""
    tx.state = "ABORTED"
    if tx.empty is None and not isinstance(cause, errors.ServerException):
        tx.empty = False  # do not spend time on requests to a server that does not respond
    yield from _release_branch(session, tx)
    tx.settled = True
    error.args = (f"{error}; {tx.outcome}",)
    raise _fill(tx, error, cause) from cause


def _release_branch(session: Session, tx: Tx) -> Op[None]:
    """Delete the branch of a failed transaction, if that was planned or if it has no changes."""
    wanted, seconds = tx.plan.delete_on_error, CLEANUP_SECONDS
    if tx.kept and not wanted and tx.empty is None:
        tx.empty = yield from _is_empty(with_deadline(session, CHECK_SECONDS), tx)
        seconds -= 2 * CHECK_SECONDS
    if tx.kept and (wanted or tx.empty):
        yield from _delete_branch(with_deadline(session, seconds), tx)


def _is_empty(session: Session, tx: Tx) -> Op[bool | None]:
    """Return whether nothing was written to or committed on the branch. None if that is unknown."""
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


def _late_changes(session: Session, tx: Tx) -> Op[str]:
    """Return why the branch of a committed transaction is kept: a worker was late, and its work is not merged."""
    try:
        staged = yield from branches.uncommitted_page(session, tx.plan.repository, tx.plan.branch, "", 1)
    except errors.NotFoundException:
        return ""
    except errors.LakeFSException as exc:
        return f"it is unknown whether workers wrote to it after the commit: {exc}"
    if not staged.results:
        return ""
    return (
        f"workers wrote to it after the commit ({staged.results[0].path!r} is one), which is not part of the "
        "transaction: wait for all workers in the block; merge this branch, or delete it"
    )


def _delete_branch(session: Session, tx: Tx) -> Op[None]:
    """Delete the ephemeral branch. A failure is recorded."""
    try:
        yield from branches.delete(session, tx.plan.repository, tx.plan.branch)
    except errors.NotFoundException:
        tx.kept = False
    except errors.LakeFSException as exc:
        tx.kept, tx.cleanup_error = True, f"it could not be deleted: {exc}"
    else:
        tx.kept = False


def with_deadline(session: Session, seconds: float) -> Session:
    """Return a session with a short deadline, for a clean-up that must not keep the user waiting."""
    return session.copy(msgspec.structs.replace(session.policy, deadline=seconds))


def _fill(tx: Tx, error: E, cause: errors.LakeFSException | None) -> E:
    error.branch, error.state = tx.plan.branch, tx.state
    if cause is not None:
        error.attempts, error.op_id = cause.attempts, cause.op_id
        error.maybe_applied = None if tx.state == "UNKNOWN" else False
    return error
