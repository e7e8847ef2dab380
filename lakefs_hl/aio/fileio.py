"""Objects as awaitable files, and data as bodies. By hand: `lakefs_hl._sync.fileio` has the blocking ones."""

from __future__ import annotations

from typing import Any

from lakefs_hl._files import saving
from lakefs_hl._files.asynchronous import Data as Data
from lakefs_hl._files.asynchronous import replayable as replayable
from lakefs_hl._files.asynchronous import save_in_thread
from lakefs_hl._files.awaitable import Opening as Opening
from lakefs_hl._files.awaitable import Writing as Writing
from lakefs_hl._files.bodies import warn_of_file_name as warn_of_file_name
from lakefs_hl._files.opening import Plan
from lakefs_hl._files.opening import plan as plan
from lakefs_hl._files.saving import Target as Target


def open_object(plan: Plan) -> Opening[Any]:
    """Return a file to be opened when it is awaited or entered."""
    return Opening(plan) if plan.action == "r" else Writing(plan)


async def save(*arguments: Any) -> int:
    """Download an object to a file, off the loop. Takes the arguments of `saving.plan`."""
    return await save_in_thread(saving.plan(*arguments))
