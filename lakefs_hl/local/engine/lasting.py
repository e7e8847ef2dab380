"""Which writes have to be on the disk when they are acknowledged, and which with the commit that takes them.

A transaction's own branch, `tx-<source>-<32 hex digits>` and hidden, promises nothing before its commit: after a loss
of power it may lack writes, as it lacks those that were never made. The commit is durable and brings all of the log
with it, also what other processes have written. That holds for requests of this machine's processes, which a loss of
power ends too. A client on another machine lives on, and would commit what is no longer all there: whatever is asked
over HTTP is durable at once.

Rules of the room: the name only says that it is worth a try; `must_last` looks at the branch itself, in the
transaction.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import Final

from lakefs_hl.local.engine.snapshot import Head, Transaction

_NAME: Final = re.compile(r"tx-.+-[0-9a-f]{32}", re.DOTALL)


class MustLast(Exception):
    """What was to be written later than acknowledged is on a branch that promises more: it is to be written anew."""


#: Whether the request under way on this thread comes from this process itself.
local: Final[ContextVar[bool]] = ContextVar("lakefs_hl_local_request", default=False)


def may_wait(branch: str) -> bool:
    """Whether writes to a branch may be acknowledged before they are on the disk, by its name."""
    return branch.startswith("tx-") and _NAME.fullmatch(branch) is not None


def must_last(transaction: Transaction, head: Head) -> None:
    """Refuses to write to a branch in a transaction that is not durable, unless it is a hidden one.

    Raises:
        MustLast: It is not.
    """
    if not transaction.writer.durable and not (head.hidden and may_wait(head.name)):
        raise MustLast(head.name)
