"""Objects as files, and data as bodies. By hand: `lakefs_hl.aio.fileio` has the awaitable ones."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

from lakefs_hl._files import copies, saving
from lakefs_hl._files.bodies import Data as Data
from lakefs_hl._files.bodies import replayable as replayable
from lakefs_hl._files.bodies import warn_of_file_name as warn_of_file_name
from lakefs_hl._files.opening import Plan, open_here
from lakefs_hl._files.opening import plan as plan
from lakefs_hl._files.saving import Target as Target
from lakefs_hl._files.writer import ObjectWriter as ObjectWriter
from lakefs_hl._files.writer import TextWriter as TextWriter
from lakefs_hl._handles.copies import Watcher
from lakefs_hl._handles.transfers import TransferReport
from lakefs_hl.spec.errors import LakeFSException
from lakefs_hl.spec.tracebacks import EXPLAINED, cut_traceback, is_explained
from lakefs_hl.transport.spans import operation_span

if TYPE_CHECKING:
    from lakefs_hl._bulk.caller import Caller

T = TypeVar("T")
#: An iterable that a bulk call reads.
Items: TypeAlias = Iterable[T]


def open_object(plan: Plan) -> io.TextIOWrapper | io.BufferedReader:
    """Open an object."""
    try:
        return cast("io.TextIOWrapper", open_here(plan))
    except LakeFSException as exc:
        cut_traceback(exc)
        raise


def copy(plan: copies.Plan, watcher: Watcher) -> TransferReport:
    """Copy an object or a prefix."""
    return copies.copy(plan, watcher)


def save(*arguments: Any) -> int:
    """Download an object to a file. Takes the arguments of `saving.plan`."""
    return saving.save(saving.plan(*arguments))


def transfer(work: Callable[[Caller], T], name: str) -> T:
    """Run a transfer on this thread, within a span of its name."""
    from lakefs_hl._bulk.caller import Here

    try:
        with operation_span(name):
            return work(Here())
    except EXPLAINED as exc:
        if is_explained(exc):
            cut_traceback(exc)
        raise


def as_plan(found: Any, client: Any) -> Any:
    """Return the report of a transfer, or the plan of one that was only planned."""
    from lakefs_hl._sync.plans import Plan

    if type(found) is not tuple:
        return found
    task, actions = found
    return Plan(task, actions, client)
