"""Kept transactions: list their branches, resume them, delete them.

The branch of a transaction is kept if its process died or its block failed. Its name has the transaction's ID and start
time. Its content shows the progress: no changes ("empty"), uncommitted changes ("staged"), a commit that its
destination does not have ("committed"), or one that it has ("merged"). The last is decided by the merge base, so that
later commits on the destination do not matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

import msgspec

from lakefs_hl.ops import branches, ephemeral, refs, transaction
from lakefs_hl.ops.effects import Op, gather
from lakefs_hl.ops.ephemeral import Name
from lakefs_hl.ops.retry import Session
from lakefs_hl.ops.transaction import Tx
from lakefs_hl.spec import errors, models
from lakefs_hl.spec.headers import COMMIT_OP_ID
from lakefs_hl.spec.limits import MAX_PAGE

#: Most branches in one page. Each costs up to three further requests.
MAX_ROWS: Final = 100
#: Maximum number of branches that are inspected concurrently.
MAX_CONCURRENT: Final = 16
#: Tolerated difference between the clock of a transaction and another clock.
CLOCK_SKEW_SECONDS: Final = 86_400.0


class Kept(msgspec.Struct, frozen=True):
    """A transaction's branch and what it contains.

    Attributes:
        name: The branch's name and its parts.
        head: The commit at its head.
        base: The merge base of the branch and its destination; "" if there is no such destination.
        state: "empty", "staged", "committed" or "merged".
        ended: Whether the transaction's block ended successfully, because its commit exists.
        message: Message of the branch's own commit. None if there is none.
        owner: Committer of that commit.
        metadata: Metadata of that commit.
        turn: What its ID ends with: see `transaction.Tx`.
    """

    name: Name
    head: str
    base: str
    state: str
    ended: bool = False
    message: str | None = None
    owner: str | None = None
    metadata: Mapping[str, str] = msgspec.field(default_factory=dict)  # not NOTHING, which cannot be pickled
    turn: str = ""

    def age(self, now: float) -> float | None:
        """Return the seconds since it began. None if its name has no time, or one in the future."""
        started = self.name.started
        return None if started is None or started > now + CLOCK_SKEW_SECONDS else max(0.0, now - started)


class KeptPage(msgspec.Struct, frozen=True):
    """One page of kept transactions."""

    pagination: models.Pagination
    results: list[Kept]


class Collected(msgspec.Struct, frozen=True):
    """Reasons why branches were deleted or kept, by branch name."""

    deleted: dict[str, str]
    kept: dict[str, str]


def page(session: Session, repository: str, after: str, amount: int) -> Op[KeptPage]:
    """Return one page of kept transactions."""
    found = yield from branches.page(
        session, repository, after, min(amount, MAX_ROWS), prefix=ephemeral.PREFIX, hidden=True
    )
    looks = (look(session, repository, name, row.commit_id) for row in found.results if (name := _name(row)))
    seen = yield from gather(looks, MAX_CONCURRENT)
    return KeptPage(found.pagination, [kept for kept in seen if kept is not None])


def _name(row: models.Ref) -> Name | None:
    return ephemeral.parse(row.id)


def look(session: Session, repository: str, name: Name, head: str) -> Op[Kept | None]:
    """Return what a transaction's branch contains. None if it does not exist."""
    try:
        staged = yield from branches.uncommitted_page(session, repository, name.branch, "", 1)
        commit = yield from refs.commit(session, repository, head)
    except errors.NotFoundException:
        return None
    base = yield from _base(session, repository, head, name.destination)
    turn = _turn_of(commit, f"{name.tx_id}-commit")
    ours = turn is not None
    if staged.results:
        state = "staged"
    elif base != head:
        state = "committed"
    else:
        state = "merged" if ours else "empty"
    if not ours and (base == head or not base):
        return Kept(name, head, base, state, ours)
    metadata = {key: value for key, value in commit.metadata.items() if key != COMMIT_OP_ID}
    return Kept(name, head, base, state, ours, commit.message, commit.committer, metadata, turn or "")


def _turn_of(commit: models.Commit, op_id: str) -> str | None:
    """Return what the ID of a commit ends with after this one. None if the commit has another ID."""
    found = commit.metadata.get(COMMIT_OP_ID, "")
    turn = found.removeprefix(op_id)
    return turn if found.startswith(op_id) and (not turn or turn.startswith("-")) else None


def _base(session: Session, repository: str, head: str, destination: str) -> Op[str]:
    """Return the merge base of the branch and its destination; "" if there is none."""
    try:
        found = yield from refs.merge_base(session, repository, head, destination)
    except errors.NotFoundException:
        return ""
    return found.base_commit_id


def resume(session: Session, tx: Tx, now: float) -> Op[None]:
    """Resume a transaction from its kept branch.

    If its block had not ended, it is OPEN afterwards. If it was committed, it is merged. If it was merged, it gets its
    tag, and its branch is deleted.

    Raises:
        TransactionStartError: Its branch does not exist, and it was not merged.
        TransactionMergeError: The merge was rejected. The branch is kept.
        TransactionOutcomeUnknown: The outcome of the merge is unknown.
        TransactionException: It was merged and could not be tagged.
    """
    plan, tx.resumed = tx.plan, True
    found = yield from _find(session, plan)
    if found is None:
        tx.merge_commit = yield from _merge_commit(session, tx, now)
        if tx.merge_commit is None:
            raise transaction.gone_error(tx)
        tx.state = "COMMITTED"
    else:
        tx.kept, tx.base, tx.state = True, found.base, "OPEN"
        tx.plan = msgspec.structs.replace(
            plan, message=plan.message or found.message or "", metadata=plan.metadata or found.metadata
        )
        if found.ended:
            tx.turn = f"-{found.head[:16]}" if found.state == "staged" else found.turn
    if found is not None and found.state == "merged":
        tx.merge_commit = yield from _merge_commit(session, tx, now)
        tx.state = "COMMITTED"
        if tx.merge_commit is None and plan.tag is not None:
            raise transaction.untaggable_error(tx)
    if tx.state == "COMMITTED":
        yield from transaction.clean_up(session, tx)
        tx.settled = True
    elif found is not None and found.state == "committed" and found.ended:
        yield from transaction.finish(session, tx, now, found.head)


def _find(session: Session, plan: transaction.Plan) -> Op[Kept | None]:
    """Return the branch of a transaction as it is now. None if it does not exist."""
    try:
        head = yield from branches.get(session, plan.repository, plan.branch)
    except errors.NotFoundException:
        return None
    name = Name(plan.branch, plan.destination, plan.tx_id)
    return (yield from look(session, plan.repository, name, head.commit_id))


def _merge_commit(session: Session, tx: Tx, now: float) -> Op[str | None]:
    """Return a transaction's merge commit from its destination's log. None if it does not exist."""
    plan, after = tx.plan, ""
    op_id, started = plan.trace(now).op_id, ephemeral.name_of(plan.destination, plan.tx_id).started
    while True:
        found = yield from refs.log_page(session, plan.repository, plan.destination, after, MAX_PAGE, first_parent=True)
        for commit in found.results:
            if _turn_of(commit, op_id) is not None:
                return commit.id
        too_old = (
            started is not None and found.results and found.results[-1].creation_date < started - CLOCK_SKEW_SECONDS
        )
        if too_old or not found.pagination.has_more:
            return None
        after = found.pagination.next_offset


def discard(session: Session, repository: str, branch: str) -> Op[None]:
    """Delete a transaction's branch. It need not exist."""
    try:
        yield from branches.delete(session, repository, branch)
    except errors.NotFoundException:
        return


def collect(session: Session, repository: str, now: float, older_than: float, *, dry_run: bool) -> Op[Collected]:
    """Delete the branches of transactions that were merged or began at least `older_than` seconds ago."""
    deleted, kept = dict[str, str](), dict[str, str]()
    after, more = "", True
    while more:
        found = yield from branches.page(session, repository, after, MAX_ROWS, prefix=ephemeral.PREFIX, hidden=True)
        one = partial(_collect_one, session, repository, now=now, older_than=older_than, dry_run=dry_run)
        ops = (one(name, row.commit_id) for row in found.results if (name := _name(row)))
        for branch, is_deletable, why in (yield from gather(ops, MAX_CONCURRENT)):
            if why:
                (deleted if is_deletable else kept)[branch] = why
        after, more = found.pagination.next_offset, found.pagination.has_more
    return Collected(deleted, kept)


def _collect_one(
    session: Session, repository: str, name: Name, head: str, *, now: float, older_than: float, dry_run: bool
) -> Op[tuple[str, bool, str]]:
    """Return a branch, whether it is deleted, and why; "" as the reason if it does not exist."""
    is_deletable, why = False, ""
    try:
        found = yield from look(session, repository, name, head)
        if found is None:
            return name.branch, False, ""
        is_deletable, why = _verdict(found, now, older_than)
        if is_deletable and not dry_run:
            yield from discard(session, repository, name.branch)
    except errors.LakeFSException as exc:
        return name.branch, False, f"{why or 'its content is unknown'}, but: {exc}"
    return name.branch, is_deletable, why


def _verdict(kept: Kept, now: float, older_than: float) -> tuple[bool, str]:
    """Return whether a branch can be deleted, and why."""
    if kept.state == "merged":
        return True, f"merged into {kept.name.destination!r}"
    what = {"empty": "no changes", "staged": "uncommitted changes", "committed": "not merged"}[kept.state]
    age = kept.age(now)
    if age is None:
        return False, f"{what}; its name has no start time"
    return age >= older_than, f"{what}; it began {age:,.0f} s ago"
