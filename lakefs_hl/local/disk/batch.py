"""Many jobs in one transaction and one sync, on one thread: each is undone alone, all are acknowledged together.

A batch is one job of the group (`group.py`), so whatever holds for a single write holds for it: who may lead, what an
interrupt leaves, what a failed sync means, and that others' jobs share its transaction. Inside of it `submit` and
`read` of the same thread take part: they run at once, in the open transaction.

Rules of the room: a job only writes, and what it waits for (a body, say) was there before. Nobody is kept from the lake
for longer than `HELD` and a job: what is left by then goes into a transaction of its own.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

import apsw

from lakefs_hl.local.disk.blocks import Lease
from lakefs_hl.local.disk.group import FATAL, again
from lakefs_hl.local.disk.rows import Writer, translate

if TYPE_CHECKING:
    from lakefs_hl.local.disk.database import Database

T = TypeVar("T")
#: What became of a job: what it returned, or why it failed.
Outcome: TypeAlias = "T | Exception"
#: How long a batch begins further jobs in a transaction, seconds.
HELD: Final = 0.05


class Batch:
    """Some jobs in the open transaction of a thread.

    Args:
        database: The lake's.
        writer: The transaction.
    """

    __slots__ = ("_database", "_lost", "_writer")

    def __init__(self, database: Database, writer: Writer) -> None:
        self._database = database
        self._writer = writer
        self._lost: Exception | None = None  # why all of the transaction is lost

    def run(self, jobs: Sequence[Callable[[], T]]) -> list[Outcome[T]]:
        """Runs jobs, as many as fit; gives the outcomes of these.

        Raises:
            DiskError: The transaction is lost, and none of them was done.
        """
        local = self._database.local
        lease = Lease(self._writer)
        before = local.lease
        until = time.monotonic() + HELD
        found: list[Outcome[T]] = []
        try:
            local.lease, local.batch = weakref.ref(lease), self
            for job in jobs:
                found.append(self._attempt(job))
                if time.monotonic() > until:
                    break
        finally:
            local.lease, local.batch = before, None
        return found

    def _attempt(self, job: Callable[[], T]) -> Outcome[T]:
        try:
            return job()
        except Exception as error:
            lost = self._lost
            if lost is not None:
                raise lost from lost.__cause__
            if not self._database.writing:  # a read met an error after which SQLite has undone everything
                raise
            return error

    def part(self, work: Callable[[Writer], T]) -> T:
        """Runs what is submitted inside of a job: its changes stay, or none of them and its error is raised."""
        writer = self._writer
        writer.execute("SAVEPOINT part")
        try:
            result = work(writer)
        except Exception as error:
            if isinstance(error, FATAL):
                self._lost = self._database.note(error)
                raise self._lost from error
            if not self._database.writing:  # SQLite has undone everything, as when the lake is being closed
                self._lost = translate(error, self._database.path) if isinstance(error, apsw.Error) else error
                raise self._lost from error.__cause__
            writer.execute("ROLLBACK TO part")
            writer.execute("RELEASE part")
            if isinstance(error, apsw.Error):
                raise translate(error, self._database.path) from error
            raise
        writer.execute("RELEASE part")
        return result


def run(database: Database, jobs: Sequence[Callable[[], T]], *, durable: bool = True) -> list[Outcome[T]]:
    """Runs jobs that write, in as few transactions as their time allows; returns when all of them are on the disk.

    Args:
        database: The lake's.
        jobs: Each returns something, and writes by `submit`. They run in this order, on one thread, and again if that
            was interrupted.
        durable: False for what need not be on the disk before the next durable write is.

    Returns:
        The outcome of each. If a transaction fails, that is the outcome of all that were in it or left.
    """
    outcomes: list[Outcome[T]] = []
    while len(outcomes) < len(jobs):
        rest = jobs[len(outcomes) :]
        try:
            outcomes += database.submit(partial(_begin, database, rest), durable=durable)
        except Exception as error:  # noqa: BLE001 - given to each job that it concerns
            outcomes += [error, *(again(error) for _ in rest[1:])]
    return outcomes


def _begin(database: Database, jobs: Sequence[Callable[[], T]], writer: Writer) -> list[Outcome[T]]:
    return Batch(database, writer).run(jobs)
