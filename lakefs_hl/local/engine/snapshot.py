"""What an operation works on: a snapshot of the lake to read, a transaction to change it.

Rules of the room: everything that a snapshot answers is of one moment, and the repository's row is read once, when it
begins. A transaction is handed to a function that only writes (`Lake.write`): it may be run on another thread, and
again if it was interrupted. The head of a branch is moved by `publish.py` alone.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from lakefs_hl.local.disk.errors import DiskError
from lakefs_hl.local.disk.nodes import NodeStore
from lakefs_hl.local.disk.rows import Reader, Writer
from lakefs_hl.local.disk.tables import branches, history, settings
from lakefs_hl.local.disk.tables.branches import Row as Head
from lakefs_hl.local.engine import records
from lakefs_hl.local.engine.failures import BELOW, translated
from lakefs_hl.local.engine.records import CommitRecord, RepositoryRecord
from lakefs_hl.local.tree import Tree
from lakefs_hl.spec.errors import ForbiddenException, LakeCorruptError, NotFoundException

if TYPE_CHECKING:
    from lakefs_hl.local.engine.idempotency import KeyedRequest
    from lakefs_hl.local.engine.lake import Lake

T = TypeVar("T")

__all__ = ["Head", "Reading", "Repo", "Snapshot", "Transaction"]


class Repo(NamedTuple):
    """A repository's row."""

    id: int
    name: str
    record: RepositoryRecord


class Snapshot:
    """The lake at one moment, and one repository of it.

    Args:
        lake: The lake.
        reader: The transaction on the disk.
        repository: Name of the repository; None for what is of no repository.

    Attributes:
        repo: The repository.

    Raises:
        NotFoundException: There is no such repository.
    """

    __slots__ = ("_nodes", "_tree", "lake", "reader", "repo")

    repo: Repo

    def __init__(self, lake: Lake, reader: Reader, repository: str | None = None) -> None:
        self.lake = lake
        self.reader = reader
        self._nodes: NodeStore | None = None
        self._tree: Tree | None = None
        if repository is not None:
            self.repo = lake.repo(reader, repository)

    @property
    def nodes(self) -> NodeStore:
        """The nodes of this operation: what it makes dies with it unless it is flushed."""
        if self._nodes is None:
            self._nodes = NodeStore(self.reader)
        return self._nodes

    @property
    def tree(self) -> Tree:
        """Trees over the nodes of this operation."""
        if self._tree is None:
            self._tree = self.lake.tree(self.nodes)
        return self._tree

    def must_be_writable(self, force: bool | None = False) -> None:
        """Refuses to change a read-only repository, unless that is to be overridden.

        Raises:
            ForbiddenException: It is read-only.
        """
        if self.repo.record.read_only and not force:
            raise ForbiddenException("read-only repository")

    def find_head(self, branch: str) -> Head | None:
        """A branch, or None."""
        return branches.find(self.reader, self.repo.id, branch)

    def head(self, branch: str) -> Head:
        """A branch.

        Raises:
            NotFoundException: There is none.
        """
        found = branches.find(self.reader, self.repo.id, branch)
        if found is None:
            raise NotFoundException("branch not found")
        return found

    def commit(self, commit: bytes) -> CommitRecord:
        """A commit that is known to be there.

        Raises:
            LakeCorruptError: It is not.
        """
        found = self.lake.commits.get(commit)
        if found is not None:
            return found
        data = history.get(self.reader, self.repo.id, commit)
        if data is None:
            raise LakeCorruptError(f"commit {commit.hex()} is missing; run `lakefs-hl fsck`, and restore from a copy")
        if records.commit_id(data) != commit:
            raise LakeCorruptError(
                f"commit {commit.hex()} is not what its id says; run `lakefs-hl fsck`, and restore from a copy"
            )
        return self.lake.commits.add(commit, records.read_commit(data))

    def root(self, commit: bytes) -> bytes:
        """The tree of a commit."""
        root = self.commit(commit).root
        return self.lake.empty if root is None else root

    def setting(self, kind: str) -> bytes | None:
        """One setting of the repository, as it was stored."""
        return settings.get(self.reader, self.repo.id, kind)


class Transaction(Snapshot):
    """A snapshot that may change the lake.

    Attributes:
        writer: The transaction on the disk.
        keyed: The request under way, if it has an idempotency key.
    """

    __slots__ = ("keyed", "writer")

    def __init__(self, lake: Lake, writer: Writer, repository: str | None, keyed: KeyedRequest | None) -> None:
        self.writer = writer
        self.keyed = keyed
        super().__init__(lake, writer, repository)

    def add_commit(self, record: CommitRecord) -> bytes:
        """Writes a commit; gives its id."""
        data = records.write_commit(record)
        name = records.commit_id(data)
        history.put(self.writer, self.repo.id, name, data)
        return name

    def set_setting(self, kind: str, value: bytes | None) -> None:
        """Stores or drops one setting of the repository."""
        settings.put(self.writer, self.repo.id, kind, value)

    def note(self, result: T) -> T:
        """Ends an operation's effect: writes down its answer if the request has an idempotency key.

        Args:
            result: What the operation will return, exactly.

        Raises:
            RepeatedRequest: The request was executed before.
        """
        return result if self.keyed is None else self.keyed.note(self.writer, result)

    def must_be_first(self) -> None:
        """Ends a transaction that is no effect yet, but would be seen: for a repetition it is not to happen.

        Raises:
            RepeatedRequest: The request under way was executed before.
        """
        if self.keyed is not None:
            self.keyed.must_be_first(self.writer)


class Reading:
    """The `with` block of a snapshot, whose errors are those of the public tree."""

    __slots__ = ("_block", "_lake", "_repository")

    def __init__(self, lake: Lake, repository: str | None) -> None:
        self._lake = lake
        self._repository = repository

    def __enter__(self) -> Snapshot:
        self._block = block = self._lake.database.read()
        try:
            return Snapshot(self._lake, block.__enter__(), self._repository)
        except BaseException as error:  # an interruption on the way, too
            self.__exit__(type(error), error, error.__traceback__)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._block.__exit__(kind, error, trace)
        except DiskError as found:
            raise translated(found) from found
        if isinstance(error, BELOW):
            raise translated(error) from error
