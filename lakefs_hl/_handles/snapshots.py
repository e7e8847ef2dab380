"""Snapshots: arguments and calls."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import partial
from typing import Final

from lakefs_hl._handles.calls import Pages, new_op_id
from lakefs_hl._handles.handle import optional_reference_name, optional_start, reference_name
from lakefs_hl._handles.repositories import TAGS, RepositoryHandle
from lakefs_hl._handles.transactions import new_id
from lakefs_hl.ops import snapshots as ops
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import arguments, callers, models

#: Fields of the rows of `snapshots`.
SNAPSHOTS: Final = TAGS._replace(rows="snapshots")


class Creation:
    """A snapshot to be created.

    Args:
        at: The repository.
        name: Name of the tag. None means one that has the time.
        ref: Reference to take it of. None means the default branch.
        message: Message of the snapshot.

    Attributes:
        name: Name of the tag.
    """

    def __init__(self, at: RepositoryHandle, name: object, ref: object, message: object) -> None:
        made = time.time()
        moment = datetime.fromtimestamp(made, UTC)
        new = f"snapshot-{moment:%Y%m%dT%H%M%SZ}-{new_op_id()[:6]}"
        self.name: str = new if name is None else reference_name(name, "name", at)
        self._plan = ops.Plan(
            at._id,
            self.name,
            optional_reference_name(ref, "ref", at),
            arguments.optional_text(message, "message"),
            new_id(),
            made,
        )

    def op(self, session: Session) -> Op[str]:
        """Create the snapshot. Returns what is left over; "" if nothing is."""
        return ops.create(session, self._plan)

    def check(self, left_over: str) -> None:
        """Warn of what is left over."""
        if left_over:
            callers.warn(f"snapshot {self.name!r} was created; {left_over}", RuntimeWarning)


def listing(session: Session, at: RepositoryHandle, max_amount: object, after: object) -> Pages[models.Ref]:
    """List snapshots."""
    page = partial(ops.page, session, at._id)
    return Pages(page, optional_start(after, "after", at), arguments.amount(max_amount), SNAPSHOTS)


def restore(
    session: Session, at: RepositoryHandle, name: object, branch: object, message: object, force: object
) -> Op[models.Commit]:
    """Restore a snapshot."""
    return ops.restore(
        session,
        at._id,
        reference_name(name, "name", at),
        optional_reference_name(branch, "branch", at),
        arguments.optional_text(message, "message"),
        force=arguments.flag(force, "force"),
        tx_id=new_id(),
        now=time.time(),
    )
