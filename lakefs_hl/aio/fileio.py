"""Objects as awaitable files, and data as bodies. By hand: `lakefs_hl._sync.fileio` has the blocking ones."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from lakefs_hl._files import copies, saving
from lakefs_hl._files.asynchronous import Data as Data
from lakefs_hl._files.asynchronous import replayable as replayable
from lakefs_hl._files.asynchronous import run_in_thread, save_in_thread
from lakefs_hl._files.awaitable import Opening as Opening
from lakefs_hl._files.awaitable import Writing as Writing
from lakefs_hl._files.bodies import warn_of_file_name as warn_of_file_name
from lakefs_hl._files.opening import Plan
from lakefs_hl._files.opening import plan as plan
from lakefs_hl._files.saving import Target as Target
from lakefs_hl._handles.copies import Watcher
from lakefs_hl._handles.transfers import TransferReport
from lakefs_hl.spec.tracebacks import EXPLAINED, cut_traceback, is_explained
from lakefs_hl.transport.spans import operation_span

if TYPE_CHECKING:
    from lakefs_hl._bulk.caller import Caller

T = TypeVar("T")
#: An iterable that a bulk call reads.
Items: TypeAlias = Iterable[T] | AsyncIterable[T]


def open_object(plan: Plan) -> Opening[Any]:
    """Return a file to be opened when it is awaited or entered."""
    return Opening(plan) if plan.action == "r" else Writing(plan)


async def copy(plan: copies.Plan, watcher: Watcher) -> TransferReport:
    """Copy an object or a prefix, off the loop. A cancelled copy ends after the current batch."""
    return await run_in_thread(copies.copy, plan, watcher)


async def save(*arguments: Any) -> int:
    """Download an object to a file, off the loop. Takes the arguments of `saving.plan`."""
    return await save_in_thread(saving.plan(*arguments))


async def transfer(work: Callable[[Caller], T], name: str) -> T:
    """Run a transfer on a thread of the executor, within a span of its name."""
    from lakefs_hl._bulk.asynchronous import run

    try:
        with operation_span(name):
            return await run(work)
    except EXPLAINED as exc:
        if is_explained(exc):
            cut_traceback(exc)
        raise


def as_plan(found: Any, client: Any) -> Any:
    """Return the report of a transfer, or the plan of one that was only planned."""
    from lakefs_hl.aio.plans import Plan

    if type(found) is not tuple:
        return found
    task, actions = found
    return Plan(task, actions, client)
