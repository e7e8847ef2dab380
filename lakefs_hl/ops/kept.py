"""Transactions that were left behind: what is on their branches, going on with them, clearing them away.

A transaction's branch outlives it when its process died or its block failed. Its name tells which transaction it is and
when that began; what is on it tells how far it came: nothing ("empty"), staged changes ("staged"), a commit that its
destination lacks ("committed"), or one that its destination has ("merged"). The last is asked for by the merge base,
so that it does not matter how much happened on the destination since.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

import msgspec

from lakefs_hl.ops import branches, ephemeral, logged, refs, transaction
from lakefs_hl.ops.effects import Op, gather
from lakefs_hl.ops.ephemeral import Name
from lakefs_hl.ops.paging import PAGE
from lakefs_hl.ops.retry import Session
from lakefs_hl.ops.transaction import Tx
from lakefs_hl.spec import errors, models

#: Branches of one page: each costs up to three requests more.
ROWS: Final = 100
#: How many of them are looked at side by side.
SIDE_BY_SIDE: Final = 16
#: How far apart a transaction's clock and another may be, seconds.
CLOCKS: Final = 86_400.0


class Kept(msgspec.Struct, frozen=True):
    """A transaction's branch and what is on it.

    Attributes:
        name: The branch's name and its parts.
        head: The commit at its head.
        base: The commit at which it parts from its destination; "" if there is no such destination.
        state: "empty", "staged", "committed" or "merged".
        ended: Whether the transaction's block had ended well: the commit that follows it is there.
        message: The message of the commit on it; None if it has none of its own.
        owner: Who made that commit.
        metadata: The commit's.
    """

    name: Name
    head: str
    base: str
    state: str
    ended: bool = False
    message: str | None = None
    owner: str | None = None
    metadata: Mapping[str, str] = msgspec.field(default_factory=dict)  # not NOTHING, which cannot be pickled

    def age(self, now: float) -> float | None:
        """Seconds since it began; None if its name does not tell, or tells of a time to come, which is no id's."""
        started = self.name.started
        return None if started is None or started > now + CLOCKS else max(0.0, now - started)


class KeptPage(msgspec.Struct, frozen=True):
    """One page of them."""

    pagination: models.Pagination
    results: list[Kept]


class Collected(msgspec.Struct, frozen=True):
    """What became of each branch, and why: by the branch's name."""

    deleted: dict[str, str]
    kept: dict[str, str]


def page(session: Session, repository: str, after: str, amount: int) -> Op[KeptPage]:
    """One page of the transactions' branches, with what is on them."""
    found = yield from branches.page(
        session, repository, after, min(amount, ROWS), prefix=ephemeral.PREFIX, hidden=True
    )
    looks = (look(session, repository, name, row.commit_id) for row in found.results if (name := _name(row)))
    seen = yield from gather(looks, SIDE_BY_SIDE)
    return KeptPage(found.pagination, [kept for kept in seen if kept is not None])


def _name(row: models.Ref) -> Name | None:
    return ephemeral.parse(row.id)


def look(session: Session, repository: str, name: Name, head: str) -> Op[Kept | None]:
    """What is on a transaction's branch; None if it is gone."""
    try:
        staged = yield from branches.uncommitted_page(session, repository, name.branch, "", 1)
        commit = yield from refs.commit(session, repository, head)
    except errors.NotFoundException:
        return None
    base = yield from _base(session, repository, head, name.destination)
    ours = commit.metadata.get(logged.OP_ID) == f"{name.tx_id}-commit"
    if staged.results:
        state = "staged"
    elif base != head:
        state = "committed"
    else:
        state = "merged" if ours else "empty"
    if not ours and (base == head or not base):
        return Kept(name, head, base, state, ours)
    metadata = {key: value for key, value in commit.metadata.items() if key != logged.OP_ID}
    return Kept(name, head, base, state, ours, commit.message, commit.committer, metadata)


def _base(session: Session, repository: str, head: str, destination: str) -> Op[str]:
    """The commit at which the branch and its destination part; "" if they share none."""
    try:
        found = yield from refs.merge_base(session, repository, head, destination)
    except errors.NotFoundException:
        return ""
    return found.base_commit_id


def resume(session: Session, tx: Tx, now: float) -> Op[None]:
    """Resume a transaction from where it was left.

    One whose block had not ended is OPEN afterwards. One that was committed is merged; one that was merged gets its
    tag, and its branch is deleted.

    Raises:
        TransactionStartError: Its branch is gone, and it was not merged.
        TransactionMergeError: The merge was refused; the branch is kept.
        TransactionOutcomeUnknown: Nobody knows whether it was merged.
        TransactionException: It was merged, and could not be tagged.
    """
    plan, tx.resumed = tx.plan, True
    found = yield from _find(session, plan)
    if found is None:
        tx.merge_commit = yield from _merge_commit(session, tx, now)
        if tx.merge_commit is None:
            raise transaction.gone(tx)
        tx.state = "COMMITTED"
    else:
        tx.kept, tx.base, tx.state = True, found.base, "OPEN"
        tx.plan = msgspec.structs.replace(
            plan, message=plan.message or found.message or "", metadata=plan.metadata or found.metadata
        )
    if found is not None and found.state == "merged":
        tx.merge_commit = yield from _merge_commit(session, tx, now)
        tx.state = "COMMITTED"
        if tx.merge_commit is None and plan.tag is not None:
            raise transaction.untaggable(tx)
    if tx.state == "COMMITTED":
        yield from transaction.tidy_up(session, tx)
        tx.settled = True
    elif found is not None and found.state == "committed" and found.ended:
        yield from transaction.finish(session, tx, now, found.head)


def _find(session: Session, plan: transaction.Plan) -> Op[Kept | None]:
    """The branch of a transaction as it is now; None if it is gone."""
    try:
        head = yield from branches.get(session, plan.repository, plan.branch)
    except errors.NotFoundException:
        return None
    name = Name(plan.branch, plan.destination, plan.tx_id)
    return (yield from look(session, plan.repository, name, head.commit_id))


def _merge_commit(session: Session, tx: Tx, now: float) -> Op[str | None]:
    """The merge commit of a transaction, from its destination's log; None if somebody else merged it, or nobody."""
    plan, after = tx.plan, ""
    op_id, started = plan.trace(now).op_id, ephemeral.name_of(plan.destination, plan.tx_id).started
    while True:
        found = yield from refs.log_page(session, plan.repository, plan.destination, after, PAGE, first_parent=True)
        for commit in found.results:
            if commit.metadata.get(logged.OP_ID) == op_id:
                return commit.id
        too_old = started is not None and found.results and found.results[-1].creation_date < started - CLOCKS
        if too_old or not found.pagination.has_more:
            return None
        after = found.pagination.next_offset


def discard(session: Session, repository: str, branch: str) -> Op[None]:
    """Delete a transaction's branch; one that is gone is no error."""
    try:
        yield from branches.delete(session, repository, branch)
    except errors.NotFoundException:
        return


def collect(session: Session, repository: str, now: float, older_than: float, *, dry_run: bool) -> Op[Collected]:
    """Delete the branches of transactions that were merged or began at least `older_than` seconds ago."""
    deleted, kept = dict[str, str](), dict[str, str]()
    after, more = "", True
    while more:
        found = yield from branches.page(session, repository, after, ROWS, prefix=ephemeral.PREFIX, hidden=True)
        one = partial(_collect_one, session, repository, now=now, older_than=older_than, dry_run=dry_run)
        ops = (one(name, row.commit_id) for row in found.results if (name := _name(row)))
        for branch, goes, why in (yield from gather(ops, SIDE_BY_SIDE)):
            if why:
                (deleted if goes else kept)[branch] = why
        after, more = found.pagination.next_offset, found.pagination.has_more
    return Collected(deleted, kept)


def _collect_one(
    session: Session, repository: str, name: Name, head: str, *, now: float, older_than: float, dry_run: bool
) -> Op[tuple[str, bool, str]]:
    """A branch, whether it goes, and why; no reason at all if it was gone already."""
    goes, why = False, ""
    try:
        found = yield from look(session, repository, name, head)
        if found is None:
            return name.branch, False, ""
        goes, why = _verdict(found, now, older_than)
        if goes and not dry_run:
            yield from discard(session, repository, name.branch)
    except errors.LakeFSException as exc:
        return name.branch, False, f"{why or 'what is on it is not known'}, but: {exc}"
    return name.branch, goes, why


def _verdict(kept: Kept, now: float, older_than: float) -> tuple[bool, str]:
    """Whether a branch may go, and why."""
    if kept.state == "merged":
        return True, f"merged into {kept.name.destination!r}"
    what = {"empty": "nothing is on it that its destination lacks", "staged": "uncommitted", "committed": "not merged"}[
        kept.state
    ]
    age = kept.age(now)
    if age is None:
        return False, f"{what}; its name does not tell when it began"
    return age >= older_than, f"{what}; it began {age:,.0f} s ago"
