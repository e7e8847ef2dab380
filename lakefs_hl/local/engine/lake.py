"""The parts of a lake that all nouns share: the disk, the trees, what is kept in memory, and how one reads and writes.

Rules of the room: rows are always read inside a transaction, so nobody sees another process's past; what is named by a
hash never changes and may be kept in memory. Writing is done by functions that are handed over, never in a `with`
block: the main thread, where an interrupt may land between any two lines, need not be the one that runs them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

from lakefs_hl.local.disk import batch
from lakefs_hl.local.disk.blobs import Blobs
from lakefs_hl.local.disk.database import Database
from lakefs_hl.local.disk.nodes import NodeStore
from lakefs_hl.local.disk.parts import Parts
from lakefs_hl.local.disk.rows import Reader, Writer
from lakefs_hl.local.disk.tables import nodes as node_rows
from lakefs_hl.local.disk.tables import repositories
from lakefs_hl.local.disk.tables.repositories import Row
from lakefs_hl.local.engine import idempotency, lasting, records
from lakefs_hl.local.engine.failures import BELOW, translated
from lakefs_hl.local.engine.purge import Purge
from lakefs_hl.local.engine.records import CommitRecord
from lakefs_hl.local.engine.snapshot import Reading, Repo, Transaction
from lakefs_hl.local.tree import Cache, Nodes, Shape, Tree
from lakefs_hl.spec.errors import NotFoundException

T = TypeVar("T")
#: Commits and repositories kept in memory, each.
KEPT: Final = 4096


class KeptCommits:
    """Commits in memory, by their ids."""

    __slots__ = ("_known", "get")

    get: Callable[[bytes], CommitRecord | None]

    def __init__(self) -> None:
        self._known: dict[bytes, CommitRecord] = {}
        self.get = self._known.get

    def add(self, commit: bytes, record: CommitRecord) -> CommitRecord:
        """Keeps a commit; gives it back."""
        if len(self._known) >= KEPT:
            self._known.clear()
        self._known[commit] = record
        return record


class Lake:
    """The lake's parts.

    Args:
        database: Rows.
        shape: Where trees are cut.

    Attributes:
        blobs: The contents of objects.
        parts: Those of multipart uploads that are under way.
        cache: Nodes in memory.
        commits: Commits in memory.
        purge: Removes what deletions have left.
        empty: The tree that holds nothing: of a first commit, and of one that removed everything.
        import_roots: Folders below which imported files may be read; None: wherever they are.
    """

    def __init__(self, database: Database, shape: Shape) -> None:
        self.database = database
        self.shape = shape
        self.blobs: Blobs = Blobs(database)
        self.parts: Parts = Parts(database)
        self.cache: Cache = Cache()
        self.commits: KeptCommits = KeptCommits()
        self.purge: Purge = Purge(self)
        self.import_roots: tuple[Path, ...] | None = None
        self._repos: dict[Row, Repo] = {}
        with self.read() as snapshot:
            nodes = snapshot.nodes
            self.empty: bytes = snapshot.tree.empty()
            known = node_rows.exists(snapshot.reader, self.empty)
        if not known:
            self.write(None, lambda transaction: nodes.flush(transaction.writer))

    def read(self, repository: str | None = None) -> Reading:
        """A snapshot, for a `with` block.

        Args:
            repository: Name of the repository that it is of; None for what is of no repository.

        Raises:
            NotFoundException: There is no such repository.
        """
        return Reading(self, repository)

    def write(
        self,
        repository: str | None,
        work: Callable[[Transaction], T],
        *,
        durable: bool = True,
        patience: float | None = None,
    ) -> T:
        """Runs `work` in a write transaction of its own; returns when it is on the disk.

        For what takes long, or ends an operation: `work` calls `Transaction.note` with the operation's result.

        Args:
            repository: Name of the repository that is changed, if it is one.
            work: Does nothing but write. It may be run on another thread, and again if it was interrupted.
            durable: False for rows that nothing refers to yet: they become durable with the next durable write.
            patience: Seconds to wait for other writers, if not as long as others do.
        """
        keyed = idempotency.current()

        def run(writer: Writer) -> T:
            return work(Transaction(self, writer, repository, keyed))

        try:
            return self.database.run(run, durable=durable, patience=patience)
        except BELOW as error:
            raise translated(error) from error

    def submit(self, work: Callable[[Writer], T], *, durable: bool = True) -> T:
        """Runs a short piece of writing together with others'; it may run twice, so it only writes."""
        try:
            return self.database.submit(work, durable=durable)
        except BELOW as error:
            raise translated(error) from error

    def batch(self, jobs: Sequence[Callable[[], T]], *, durable: bool = True) -> list[T | Exception]:
        """Runs many jobs, whose effects share a transaction, and gives the outcome of each; see `disk/batch.py`.

        Args:
            jobs: Each calls a method of the engine that has one effect (`effect`). It may be run twice.
            durable: False if all of them write to branches that promise nothing yet; one that does not is run anew.
        """
        outcomes = batch.run(self.database, jobs, durable=durable)
        for index, found in enumerate(outcomes):
            if isinstance(found, BELOW):
                outcomes[index] = error = translated(found)
                error.__cause__ = found
        if not durable:
            late = [index for index, found in enumerate(outcomes) if isinstance(found, lasting.MustLast)]
            for index, found in zip(late, self.batch([jobs[index] for index in late]), strict=True):
                outcomes[index] = found
        return outcomes

    def effect(self, repository: str | None, work: Callable[[Transaction], T], *, branch: str = "") -> T:
        """Runs the writing that is an operation's effect: as `submit`, and once only under an idempotency key.

        Args:
            repository: Name of the repository that is changed, if it is one.
            work: Gives what the operation will return, exactly: the answer is written in the same transaction.
            branch: The branch that is staged to, if that is all; `work` calls `lasting.must_last` with it.

        Raises:
            NotFoundException: There is no such repository.
            RepeatedRequest: The request was executed before.
        """
        keyed = idempotency.current()

        def run(writer: Writer) -> T:
            found = work(Transaction(self, writer, repository, keyed))
            return found if keyed is None else keyed.note(writer, found)

        if lasting.may_wait(branch) and lasting.local.get():
            with suppress(lasting.MustLast):
                return self.submit(run, durable=False)
        return self.submit(run)

    def tree(self, nodes: Nodes) -> Tree:
        """Trees over some nodes."""
        return Tree(nodes, self.shape, self.cache, records.same)

    def repo(self, reader: Reader, name: str) -> Repo:
        """A repository.

        Raises:
            NotFoundException: There is none.
        """
        row = repositories.find(reader, name)
        if row is None:
            raise NotFoundException("repository not found")
        found = self._repos.get(row)
        if found is None:
            if len(self._repos) >= KEPT:
                self._repos.clear()
            found = self._repos[row] = Repo(row.id, name, records.read_repository(row.value))
        return found

    def node_store(self, reader: Reader) -> NodeStore:
        """The nodes of one operation."""
        return NodeStore(reader)
