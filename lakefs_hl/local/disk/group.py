"""Group commit: many threads' jobs in one transaction and one sync.

Rules of the room: whoever finds nobody leading leads: it drains the line into one transaction, and when that is on the
disk wakes those it carried and names the first of those still waiting. No thread of our own, no waiting by the clock.
Ctrl-C may land between any two lines: whoever is interrupted leaves the line and passes the lead on if it has it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final, Generic, Protocol, TypeVar, cast

import apsw

from lakefs_hl.local.disk.errors import DiskError
from lakefs_hl.local.disk.rows import Writer, translate

T = TypeVar("T")

#: Jobs of one transaction at most.
BATCH: Final = 512


class Ways(Protocol):
    """How a transaction is begun and ended."""

    path: str

    @property
    def writing(self) -> bool: ...
    def begin(self, *, durable: bool = True) -> Writer: ...
    def commit(self) -> None: ...
    def rollback(self) -> None: ...
    def leave(self) -> None: ...
    def tidy(self) -> None: ...
    def note(self, error: apsw.Error | OSError) -> DiskError: ...


class _Job(Generic[T]):
    """One piece of work on its way through a batch."""

    __slots__ = ("done", "error", "given_up", "leads", "result", "wake", "work")

    def __init__(self, work: Callable[[Writer], T]) -> None:
        self.work = work
        self.wake = threading.Lock()
        self.wake.acquire()
        self.done = False
        self.leads = False
        self.given_up = False  # its caller was interrupted and waits no more
        self.result: T | None = None
        self.error: Exception | None = None

    def outcome(self) -> T:
        """What the work returned, or its error raised."""
        if self.error is not None:
            raise self.error
        return cast("T", self.result)


class Group:
    """The line of jobs that wait to be written.

    Args:
        ways: Whose transactions they share.
    """

    def __init__(self, ways: Ways) -> None:
        self._ways = ways
        self._guard = threading.Lock()
        self._queue: deque[_Job[Any]] = deque()
        self._leading = False

    def submit(self, work: Callable[[Writer], T]) -> T:
        """Runs `work` in a write transaction shared with whoever else is waiting; returns when it is on the disk.

        Args:
            work: Runs on this thread or another, inside a savepoint: if it raises, only it is undone. It may be run
                again if the thread that ran it was interrupted, so it must do nothing but write.

        Raises:
            LockTimeout: Other writers kept the lake too long.
            ReadOnly: A sync has failed before, or now.
        """
        job = _Job(work)
        try:
            with self._guard:
                self._queue.append(job)
                if not self._leading:
                    self._leading = job.leads = True
            if not job.leads:
                job.wake.acquire()  # released by the leader: the job is done, or is to lead
            if job.leads:
                self._lead(job)
        except BaseException:
            self._hand_over(job, given_up=True)
            raise
        return job.outcome()

    def _lead(self, own: _Job[Any]) -> None:
        """Carries one batch to the disk, then names the next leader."""
        batch: list[_Job[Any]] = []
        try:
            self._run(batch, own)
        finally:
            self._hand_over(own)
            for job in batch:
                if job is not own:
                    job.wake.release()
        self._ways.tidy()

    def _hand_over(self, job: _Job[Any], *, given_up: bool = False) -> None:
        """The job has been done or given up: it leaves the line, and the lead, if it had it, goes to the next."""
        with self._guard:
            job.given_up = given_up
            if job in self._queue:
                self._queue.remove(job)
            if not job.leads:
                return
            job.leads = False
            if self._queue:
                self._queue[0].leads = True
                self._queue[0].wake.release()
            else:
                self._leading = False

    def _run(self, batch: list[_Job[Any]], own: _Job[Any]) -> None:
        """One transaction with as many of the waiting jobs as fit."""
        ways = self._ways
        committing = False
        try:
            writer = ways.begin()
            self._take(batch)
            for job in batch:
                self._attempt(writer, job, alone=len(batch) == 1)
            committing = True
            if ways.writing:
                ways.commit()
        except Exception as error:  # noqa: BLE001 - goes to everyone who waits, instead of one after the other
            ways.rollback()
            if not batch:  # it could not even begin: nobody who waits now would fare better
                self._take(batch)
            _settle(batch, own, error)
        except BaseException:
            # Interrupted between two lines. If the commit had gone through, everyone is told so; else the others
            # go back in the line, in their order.
            if not committing or ways.writing:
                ways.rollback()
                with self._guard:
                    self._queue.extendleft(job for job in reversed(batch) if job is not own and not job.given_up)
                batch.clear()
            _settle(batch, own, None)
            raise
        else:
            _settle(batch, own, None)
        finally:
            ways.leave()

    def _take(self, batch: list[_Job[Any]]) -> None:
        with self._guard:
            while self._queue and len(batch) < BATCH:
                batch.append(self._queue.popleft())

    def _attempt(self, writer: Writer, job: _Job[Any], *, alone: bool) -> None:
        """One job: its changes stay, or none of them and the error is kept for its caller."""
        job.error = None
        if not alone:
            writer.execute("SAVEPOINT job")
        try:
            job.result = job.work(writer)
        except Exception as error:
            if isinstance(error, (apsw.IOError, apsw.FullError, apsw.CorruptError, apsw.NoMemError)):
                raise self._ways.note(error) from error
            job.error = translate(error, self._ways.path) if isinstance(error, apsw.Error) else error
            if alone:
                self._ways.rollback()
                return
            writer.execute("ROLLBACK TO job")
        if not alone:
            writer.execute("RELEASE job")


def _settle(batch: Iterable[_Job[Any]], own: _Job[Any], error: Exception | None) -> None:
    """Marks every job as done; each caller gets an error object of its own."""
    for job in batch:
        if error is not None:
            job.error = error if job is own else _copy(error)
        job.done = True


def _copy(error: Exception) -> Exception:
    fresh = type(error)(*error.args)
    fresh.__cause__ = error
    return fresh
