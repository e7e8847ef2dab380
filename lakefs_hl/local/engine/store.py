"""What every noun of the engine stands on: the disk, the trees, and the rows of repositories and branches.

Rules of the room: rows are always read inside a transaction, so nobody sees another process's past; what is named by a
hash never changes and may be kept. Errors of disk and tree become errors of the public tree here, and only here.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Generic, NamedTuple, TypeVar

import msgspec

from lakefs_hl.local.disk import errors as disk
from lakefs_hl.local.disk.blobs import Blobs
from lakefs_hl.local.disk.database import Database
from lakefs_hl.local.disk.nodes import NodeStore
from lakefs_hl.local.disk.rows import Reader, Writer
from lakefs_hl.local.disk.tables import (
    branches,
    history,
    imports,
    meta,
    pulls,
    repositories,
    sequence,
    settings,
    staging,
    tags,
)
from lakefs_hl.local.disk.tables import nodes as node_rows
from lakefs_hl.local.disk.tables.branches import Row as Head
from lakefs_hl.local.engine import idempotency, records
from lakefs_hl.local.engine.records import CommitRecord, RepositoryRecord
from lakefs_hl.local.tree import Cache, Nodes, Shape, Tree, TreeCorruptError
from lakefs_hl.spec import errors
from lakefs_hl.spec.errors import ForbiddenException, NotFoundException

T = TypeVar("T")
R = TypeVar("R", bound=Reader)
#: Commits and repositories kept in memory, each.
KEPT: Final = 4096
#: Rows removed in one transaction, at most.
CHUNK: Final = 5000
#: Keys of `meta` that name what is still to be removed.
_DEAD: Final = "dead token "
_DELETED: Final = "deleted repository "


class Repo(NamedTuple):
    """A repository's row."""

    id: int
    name: str
    record: RepositoryRecord


class _Transaction(Generic[R]):
    """The `with` block of a transaction, whose errors are those of the public tree."""

    __slots__ = ("_block",)

    def __init__(self, block: object) -> None:
        self._block = block

    def __enter__(self) -> R:
        try:
            entered: R = self._block.__enter__()  # type: ignore[attr-defined]
        except disk.DiskError as error:
            raise translated(error) from error
        return entered

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._block.__exit__(kind, error, trace)  # type: ignore[attr-defined]
        except disk.DiskError as found:
            raise translated(found) from found
        if isinstance(error, _OURS):
            raise translated(error) from error


class Store:
    """The lake's parts, shared by all nouns.

    Args:
        database: Rows.
        shape: Where trees are cut.

    Attributes:
        import_roots: Folders below which imported files may be read; None: wherever they are.
    """

    def __init__(self, database: Database, shape: Shape) -> None:
        self.database = database
        self.blobs: Blobs = Blobs(database)
        self.shape = shape
        self.cache: Cache = Cache()
        self._commits: dict[bytes, CommitRecord] = {}
        self._records: dict[bytes, RepositoryRecord] = {}
        self.import_roots: tuple[Path, ...] | None = None
        self._dead = False  # whether there is something to purge; a hint, `purge(look=True)` finds all
        with self.reading() as reader:
            nodes = self.nodes(reader)
            #: The tree that holds nothing: of a first commit, and of one that removed everything.
            self.empty: bytes = self.tree(nodes).empty()
            known = node_rows.exists(reader, self.empty)
        if not known:
            with self.writing() as writer:
                nodes.flush(writer)

    # ------------------------------------------------------------------------------------------------- transactions

    def reading(self) -> _Transaction[Reader]:
        """One read transaction."""
        return _Transaction(self.database.read())

    def writing(self, *, durable: bool = True) -> _Transaction[Writer]:
        """One write transaction of its own."""
        return _Transaction(self.database.write(durable=durable))

    def submit(self, work: Callable[[Writer], T]) -> T:
        """Runs a short piece of writing together with others'; it may run twice, so it only writes."""
        try:
            return self.database.submit(work)
        except _OURS as error:
            raise translated(error) from error

    def effect(self, work: Callable[[Writer], T]) -> T:
        """Runs the writing that is an operation's effect: as `submit`, and once only under an idempotency key.

        Args:
            work: Gives what the operation will return, exactly: the answer is written in the same transaction.

        Raises:
            RepeatedRequest: The request was executed before.
        """
        keyed = idempotency.current()
        if keyed is None:
            return self.submit(work)
        return self.submit(lambda writer: keyed.note(writer, work(writer)))

    # -------------------------------------------------------------------------------------------------------- trees

    def nodes(self, reader: Reader) -> NodeStore:
        """The nodes of one operation."""
        return NodeStore(reader)

    def tree(self, nodes: Nodes) -> Tree:
        """Trees over an operation's nodes."""
        return Tree(nodes, self.shape, self.cache, records.same)

    # --------------------------------------------------------------------------------------------------------- rows

    def repo(self, reader: Reader, name: str) -> Repo:
        """A repository.

        Raises:
            NotFoundException: There is none.
        """
        row = repositories.find(reader, name)
        if row is None:
            raise NotFoundException("repository not found")
        record = self._records.get(row.value)
        if record is None:
            if len(self._records) >= KEPT:
                self._records.clear()
            record = self._records[row.value] = records.read_repository(row.value)
        return Repo(row.id, name, record)

    def writable(self, reader: Reader, name: str, force: bool | None = False) -> Repo:
        """A repository that is to be changed.

        Raises:
            NotFoundException: There is none.
            ForbiddenException: It is read-only, and that was not to be overridden.
        """
        repo = self.repo(reader, name)
        if repo.record.read_only and not force:
            raise ForbiddenException("read-only repository")
        return repo

    def find_head(self, reader: Reader, repo: int, branch: str) -> Head | None:
        """A branch, or None."""
        return branches.find(reader, repo, branch)

    def head(self, reader: Reader, repo: int, branch: str) -> Head:
        """A branch.

        Raises:
            NotFoundException: There is none.
        """
        found = branches.find(reader, repo, branch)
        if found is None:
            raise NotFoundException("branch not found")
        return found

    def commit(self, reader: Reader, repo: int, commit: bytes) -> CommitRecord:
        """A commit that is known to be there.

        Raises:
            LakeCorruptError: It is not.
        """
        found = self._commits.get(commit)
        if found is not None:
            return found
        data = history.get(reader, repo, commit)
        if data is None:
            raise errors.LakeCorruptError(
                f"commit {commit.hex()} is missing; run `lakefs-hl fsck`, and restore from a copy"
            )
        if records.commit_id(data) != commit:
            raise errors.LakeCorruptError(
                f"commit {commit.hex()} is not what its id says; run `lakefs-hl fsck`, and restore from a copy"
            )
        if len(self._commits) >= KEPT:
            self._commits.clear()
        found = self._commits[commit] = records.read_commit(data)
        return found

    def root(self, reader: Reader, repo: int, commit: bytes) -> bytes:
        """The tree of a commit."""
        root = self.commit(reader, repo, commit).root
        return self.empty if root is None else root

    def add_commit(self, writer: Writer, repo: int, record: CommitRecord) -> bytes:
        """Writes a commit; gives its id."""
        data = records.encode(record)
        name = records.commit_id(data)
        history.put(writer, repo, name, data)
        return name

    def set_head(self, writer: Writer, head: Head, commit: bytes) -> None:
        """Moves a branch."""
        branches.put(writer, head._replace(head=commit))

    def next_token(self, writer: Writer) -> int:
        """A staging token nobody has had."""
        return sequence.draw(writer, sequence.TOKEN)

    def seal(self, writer: Writer, head: Head) -> Head:
        """Gives a branch a new token, so that what is staged now stays as it is."""
        sealed = head._replace(token=self.next_token(writer), sealed=(*head.sealed, head.token))
        branches.put(writer, sealed)
        return sealed

    def renew(self, writer: Writer, head: Head) -> Head:
        """Gives a branch a new token and drops all that is staged."""
        renewed = head._replace(token=self.next_token(writer), sealed=())
        branches.put(writer, renewed)
        self.drop_tokens(writer, head.tokens)
        return renewed

    def drop_tokens(self, writer: Writer, tokens: Iterable[int]) -> None:
        """Removes what was staged under tokens that no branch names any more; what is much is left to `purge`."""
        for token in tokens:
            if staging.has_more(writer, token, CHUNK):
                meta.put(writer, f"{_DEAD}{token}", "")
                self._dead = True
            else:
                staging.delete_all(writer, token)

    def purge(self, *, look: bool = False) -> None:
        """Removes the rows of dead tokens and of deleted repositories, in pieces, so that nobody waits for long.

        What cannot be removed now stays for the next one: whoever asks has done what it was asked for already.

        Args:
            look: Whether to look for what others have left, too.
        """
        with suppress(errors.LakeError):
            self._purge(look)

    def _purge(self, look: bool) -> None:
        if look:
            with self.reading() as reader:
                self._dead = meta.first(reader, _DEAD) is not None or meta.first(reader, _DELETED) is not None
        while self._dead:
            self._dead = False
            with self.writing(durable=False) as writer:
                self._dead = self._purge_some(writer)

    def _purge_some(self, writer: Writer) -> bool:
        """Removes at most `CHUNK` rows; says whether there may be more."""
        key = meta.first(writer, _DEAD)
        if key is not None:
            if staging.delete_some(writer, int(key.removeprefix(_DEAD)), CHUNK) < CHUNK:
                meta.delete(writer, key)
            return True
        key = meta.first(writer, _DELETED)
        if key is None:
            return False
        repo = int(key.removeprefix(_DELETED))
        for table in (history, imports, pulls, tags):
            if table.delete_some(writer, repo, CHUNK) == CHUNK:
                return True
        meta.delete(writer, key)
        return True

    def delete_repo(self, writer: Writer, repo: Repo) -> None:
        """Removes a repository's names; its history is left to `purge`."""
        for branch in branches.of_repository(writer, repo.id):
            self.drop_tokens(writer, branch.tokens)
        branches.delete_all(writer, repo.id)
        settings.delete_all(writer, repo.id)
        repositories.delete(writer, repo.id)
        meta.put(writer, f"{_DELETED}{repo.id}", "")
        self._dead = True

    def setting(self, reader: Reader, repo: int, kind: str) -> bytes | None:
        """One setting of a repository, as it was stored."""
        return settings.get(reader, repo, kind)

    def set_setting(self, writer: Writer, repo: int, kind: str, value: bytes | None) -> None:
        """Stores or drops one setting of a repository."""
        settings.put(writer, repo, kind, value)


_RESOURCES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_OURS: Final = (disk.DiskError, TreeCorruptError, msgspec.DecodeError, UnicodeDecodeError)


def translated(error: BaseException) -> errors.LakeError:
    """An error of the rooms below, as one of the public tree."""
    if isinstance(error, disk.LockTimeout):
        return errors.LakeLockedError(str(error))
    if isinstance(error, (disk.NotALake, disk.UnknownFormat)):
        return errors.LakeFormatError(str(error))
    if isinstance(error, (disk.Damaged, TreeCorruptError)):
        return errors.LakeCorruptError(str(error))
    if isinstance(error, (msgspec.DecodeError, UnicodeDecodeError)):
        return errors.LakeCorruptError(f"a row of the database cannot be read ({error}); run `lakefs-hl fsck`")
    if isinstance(error, disk.ReadOnly):
        return errors.LakeReadOnlyError(str(error))
    lacking = _lacking(error)
    if lacking is None:
        return errors.LakeError(str(error))
    found = errors.LakeResourceError(str(error))
    found.errno = lacking
    return found


def _lacking(error: BaseException) -> int | None:
    """The errno of what the machine ran out of, if that is what an error tells."""
    if isinstance(error, disk.NoSpace):
        return errno.ENOSPC
    if isinstance(error, disk.NoMemory):
        return errno.ENOMEM
    cause = error.__cause__
    return cause.errno if isinstance(cause, OSError) and cause.errno in _RESOURCES else None


def now() -> int:
    """Unix time in nanoseconds."""
    return time.time_ns()


@contextmanager
def public() -> Iterator[None]:
    """Errors of the rooms below become those of the public tree."""
    try:
        yield
    except _OURS as error:
        raise translated(error) from error
