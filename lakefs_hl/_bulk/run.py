"""One transfer while it runs: what became of its objects, for the report and for progress."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from lakefs_hl._bulk.caller import Caller
from lakefs_hl._bulk.visits import Visits
from lakefs_hl._handles.transfers import Tally, TransferReport
from lakefs_hl._progress import Progress
from lakefs_hl.ops.pace import Pace
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import arguments

ON_ERROR: Final = ("raise", "return")
#: Largest object that is received in memory and written at once, in bytes; a larger one goes into an open file. In
#: process 2,048 requests go together, over a network at most as many as there are connections.
SMALL: Final = 256 << 10
SMALL_IN_PROCESS: Final = 32 << 10
#: Bytes of one object between two events of progress.
TOLD: Final = 1 << 20


class Run:
    """Counts the outcomes of objects and reports them to the caller's progress. Used on the thread of the transfer.

    Args:
        caller: Who waits for the transfer.
        progress: Takes events, or shows a bar.
        cut: Length of the prefix of a transfer of a directory: the paths of its events are relative to it. None for
            other transfers, which enter no directories.

    Attributes:
        tally: The counts.
        began: Whether any object was next, so that an interrupted transfer may have left something.
    """

    def __init__(self, caller: Caller, progress: Progress, cut: int | None = None) -> None:
        self.caller = caller
        self.progress = progress
        self.tally = Tally()
        self._cut = cut or 0
        self._told = not progress.silent
        self._visits = Visits(progress) if self._told and cut is not None else None
        self.began = False
        self._since = time.monotonic()

    def start(self, path: str, size: int | None = None) -> None:
        """Note that an object is next. Raises `Abandoned` if the caller no longer waits."""
        self.caller.check()
        self.began = True
        if self._told:
            if self._visits is not None:
                self._visits.begin(path[self._cut :])
            self.progress.start(path[self._cut :], size)

    def on_move(self, path: str, size: int) -> Callable[[int], None] | None:
        """Return what takes how many bytes of a large object have moved, on any thread. None without a listener.

        Args:
            path: Path of the object.
            size: Its size in bytes.
        """
        if not self._told or size <= TOLD:
            return None
        advance, path, last = self.progress.advance, path[self._cut :], 0

        def move(done: int) -> None:
            nonlocal last
            if done - last >= TOLD or done < last:
                last = done
                advance(path, done, size)

        return move

    def complete(self, path: str, size: int) -> None:
        """Count an object that was transferred."""
        self.tally.transfer(size)
        if self._told:
            self.progress.complete(path[self._cut :], size)
            self._end(path)

    def skip(self, path: str, size: int | None = None, reason: str = "", *, began: bool = False) -> None:
        """Count an object that is left as it is. `began` is True if it was next before that was known."""
        self.tally.skip(path, reason)
        if self._told:
            self.progress.skip(path[self._cut :], size)
            if began:
                self._end(path)

    def fail(self, path: str, error: Exception, local_path: str | None = None, *, began: bool = False) -> None:
        """Count an object that failed. `began` is True if it was next before."""
        self.tally.fail(path, error, local_path)
        if self._told:
            self.progress.fail(path[self._cut :], error)
            if began:
                self._end(path)

    def _end(self, path: str) -> None:
        if self._visits is not None:
            self._visits.end(path[self._cut :])

    def leave(self) -> None:
        """Note that no object is next any more."""
        if self._visits is not None:
            self._visits.close()

    def delete(self, path: str) -> None:
        """Count an object or a file that was deleted."""
        self.tally.delete()
        if self._told:
            self.progress.delete(path[self._cut :])

    def report(self, commit_id: str | None = None) -> TransferReport:
        """Return the report."""
        return self.tally.report(time.monotonic() - self._since, commit_id)


def max_workers_of(value: object) -> int | None:
    """Return the maximum number of objects at a time; None for what the server takes.

    Raises:
        TypeError: It is not an integer.
        ValueError: It is less than 1.
    """
    return arguments.optional_integer(value, "max_workers", least=1)


def pace_of(session: Session, max_workers: int | None) -> Pace:
    """Return the limit of a Gather."""
    return session.width.within(max_workers)
