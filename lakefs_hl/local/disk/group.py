"""Group commit: many threads' jobs in one transaction and one sync.

Rules of the room: whoever finds nobody leading leads: it drains the line into one transaction, and when that is on the
disk wakes those it carried and names the first of those still waiting. No thread of our own, no waiting by the clock.
The main thread never comes here, so no signal does; whoever is interrupted all the same (`PyThreadState_SetAsyncExc`)
leaves the line and passes the lead on if it has it. A job is done only if it says so: nobody concludes it from having
been woken.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Generic, Protocol, TypeVar, cast

import apsw

from lakefs_hl.local.disk.errors import DiskError
from lakefs_hl.local.disk.rows import Writer, translate

T = TypeVar("T")

#: Jobs of one transaction at most.
BATCH: Final = 512
#: Errors after which a transaction is not to be gone on with.
FATAL: Final = (apsw.IOError, apsw.FullError, apsw.CorruptError, apsw.NoMemError)


class Ways(Protocol):
    """How a transaction is begun and ended."""

    path: str

    @property
    def writing(self) -> bool: ...
    def begin(self, *, durable: bool | Callable[[], bool] = True) -> Writer: ...
    def commit(self) -> None: ...
    def rollback(self) -> None: ...
    def leave(self) -> None: ...
    def tidy(self) -> None: ...
    def note(self, error: apsw.Error | OSError) -> DiskError: ...


class _Job(Generic[T]):
    """One piece of work on its way through a batch."""

    __slots__ = ("done", "durable", "error", "given_up", "leads", "result", "wake", "work")

    def __init__(self, work: Callable[[Writer], T], durable: bool) -> None:
        self.work: Callable[[Writer], T] | None = work
        self.durable = durable
        self.wake = threading.Lock()
        self.wake.acquire()
        self.done = False
        self.leads = False
        self.given_up = False  # its caller was interrupted and waits no more
        self.result: T | None = None
        self.error: Exception | None = None

    def outcome(self) -> T:
        """What the work returned, or its error raised; to be asked for once."""
        error, self.error = self.error, None
        if error is not None:
            try:
                raise error
            finally:
                del error  # its traceback names this frame
        return cast("T", self.result)

    def settle(self, error: Exception | None) -> None:
        """It is done: as it went, or with an error of the whole transaction."""
        if error is not None:
            self.result, self.error = None, error
        self.done = True

    def forget(self) -> None:
        """What it did has been undone."""
        self.result = self.error = None


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

    def submit(self, work: Callable[[Writer], T], *, durable: bool = True) -> T:
        """Runs `work` in a write transaction shared with whoever else is waiting; returns when it is on the disk.

        Args:
            work: Runs on this thread or another, inside a savepoint: if it raises, only it is undone. It may be run
                again if the thread that ran it was interrupted, so it must do nothing but write.
            durable: False for what need not be on the disk before the next durable write is.

        Raises:
            LockTimeout: Other writers kept the lake too long.
            ReadOnly: A sync has failed before, or now.
        """
        job = _Job(work, durable)
        try:
            self._stand_in_line(job)
            while not job.done:
                if not job.leads:
                    job.wake.acquire()  # released by the leader: the job is done, or is to lead, or is to stand again
                if job.leads:
                    self._lead(job)
                elif not job.done:
                    self._stand_in_line(job)
        except BaseException:
            self._hand_over(job, given_up=True)
            raise
        finally:
            job.work = None  # not kept alive by an error, whose frames name the job
        return job.outcome()

    def _stand_in_line(self, job: _Job[Any]) -> None:
        with self._guard:
            if job not in self._queue:
                self._queue.append(job)
            if not self._leading:
                self._leading = job.leads = True

    def _lead(self, own: _Job[Any]) -> None:
        """Carries one batch to the disk, then names the next leader."""
        batch: list[_Job[Any]] = []
        try:
            self._run(batch, own)
        finally:
            try:
                self._hand_over(own)
            finally:
                try:
                    self._wake(batch, own)
                finally:
                    self._wake(batch, own)  # whom an interruption of the first left out
        self._ways.tidy()

    def _wake(self, batch: list[_Job[Any]], own: _Job[Any]) -> None:
        """Lets those who were carried go on; once too often does no harm, they look whether they are done."""
        while batch:
            job = batch[-1]
            if job is not own and job.wake.locked():
                job.wake.release()
            batch.pop()

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
        committing = committed = False
        failed: Exception | None = None
        try:
            writer = ways.begin(durable=lambda: self._take(batch))
            for job in batch:
                self._attempt(writer, job, alone=len(batch) == 1)
            committing = True
            if ways.writing:
                ways.commit()
            committed = True
        except Exception as error:  # noqa: BLE001 - goes to everyone who waits, instead of one after the other
            failed = error
            ways.rollback()
            if not batch:  # it could not even begin: nobody who waits now would fare better
                self._take(batch)
        finally:
            # Interrupted: nothing has been rolled back yet, so a transaction that is over has been committed.
            committed = committed or (committing and failed is None and not ways.writing)
            try:
                ways.leave()  # also rolls back what is open still
            finally:
                self._settle(batch, own, failed, committed=committed)
                failed = None  # its traceback names this frame

    def _settle(self, batch: list[_Job[Any]], own: _Job[Any], failed: Exception | None, *, committed: bool) -> None:
        """Marks the jobs as done; after an interruption before the commit none is, and they stand in line again."""
        if failed is not None:
            for job in batch:
                job.settle(failed if job is own else again(failed))
        elif committed:
            for job in batch:
                job.settle(None)
        else:
            for job in batch:
                job.forget()

    def _take(self, batch: list[_Job[Any]]) -> bool:
        """Takes the jobs of a transaction, once it is our turn; says whether one of them is to be durable."""
        with self._guard:
            while self._queue and len(batch) < BATCH:
                batch.append(self._queue.popleft())
        return any(job.durable for job in batch)

    def _attempt(self, writer: Writer, job: _Job[Any], *, alone: bool) -> None:
        """One job: its changes stay, or none of them and the error is kept for its caller."""
        work = job.work
        if work is None:
            return  # its caller was interrupted, and waits for nothing
        if not alone:
            writer.execute("SAVEPOINT job")
        try:
            job.result = work(writer)
        except Exception as error:
            if isinstance(error, FATAL):
                raise self._ways.note(error) from error
            job.result = None
            job.error = translate(error, self._ways.path) if isinstance(error, apsw.Error) else error
            if alone:
                self._ways.rollback()
                return
            writer.execute("ROLLBACK TO job")
        finally:
            del work
        if not alone:
            writer.execute("RELEASE job")


def again(error: Exception) -> Exception:
    """The same error once more: each who is told gets one of their own, since raising one changes it."""
    fresh = type(error)(*error.args)
    fresh.__dict__.update(error.__dict__)
    fresh.__cause__ = error
    return fresh
