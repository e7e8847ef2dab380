"""Objects as files, and data as bodies. By hand: `lakefs_hl.aio.fileio` has the awaitable ones."""

from __future__ import annotations

import io
from typing import Any, cast

from lakefs_hl._files import saving
from lakefs_hl._files.bodies import Data as Data
from lakefs_hl._files.bodies import replayable as replayable
from lakefs_hl._files.bodies import warn_of_file_name as warn_of_file_name
from lakefs_hl._files.opening import Plan, open_here
from lakefs_hl._files.opening import plan as plan
from lakefs_hl._files.saving import Target as Target
from lakefs_hl._files.writer import ObjectWriter as ObjectWriter
from lakefs_hl._files.writer import TextWriter as TextWriter
from lakefs_hl.spec.errors import LakeFSException
from lakefs_hl.spec.tracebacks import cut_traceback


def open_object(plan: Plan) -> io.TextIOWrapper | io.BufferedReader:
    """Open an object."""
    try:
        return cast("io.TextIOWrapper", open_here(plan))
    except LakeFSException as exc:
        cut_traceback(exc)
        raise


def save(*arguments: Any) -> int:
    """Download an object to a file. Takes the arguments of `saving.plan`."""
    return saving.save(saving.plan(*arguments))
