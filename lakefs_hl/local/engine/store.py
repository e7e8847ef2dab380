"""What every noun of the engine stands on: the disk, the trees, and the rows of repositories and branches.

Rules of the room: rows are always read inside a transaction, so nobody sees another process's past; what is named by a
hash never changes and may be kept. Errors of disk and tree become errors of the public tree here, and only here.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Generic, NamedTuple, TypeVar, cast

import msgspec

from lakefs_hl.local.disk import errors as disk
from lakefs_hl.local.disk.blobs import Blobs
from lakefs_hl.local.disk.database import Database
from lakefs_hl.local.disk.nodes import NodeStore
from lakefs_hl.local.disk.rows import Reader, Writer
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


class Head(NamedTuple):
    """A branch's row: its commit, the token of what is staged now, and sealed tokens, oldest first."""

    name: str
    commit: bytes
    token: int
    sealed: list[int]

    @property
    def tokens(self) -> list[int]:
        """All tokens, newest first."""
        return [self.token, *reversed(self.sealed)]


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
            known = reader.row("SELECT 1 FROM node WHERE hash = ?", (self.empty,))
        if known is None:
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
        row = reader.execute("SELECT id, value FROM repository WHERE name = ?", (name,)).fetchone()
        if row is None:
            raise NotFoundException("repository not found")
        record = self._records.get(row[1])
        if record is None:
            if len(self._records) >= KEPT:
                self._records.clear()
            record = self._records[row[1]] = records.read_repository(row[1])
        return Repo(row[0], name, record)

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
        row = reader.execute(
            "SELECT head, token, sealed FROM branch WHERE repository = ? AND name = ?", (repo, branch)
        ).fetchone()
        if row is None:
            return None
        return Head(branch, row[0], row[1], [] if row[2] == b"\x90" else records.read_tokens(row[2]))

    def head(self, reader: Reader, repo: int, branch: str) -> Head:
        """A branch.

        Raises:
            NotFoundException: There is none.
        """
        found = self.find_head(reader, repo, branch)
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
        row = reader.execute("SELECT data FROM history WHERE repository = ? AND id = ?", (repo, commit)).fetchone()
        if row is None:
            raise errors.LakeCorruptError(
                f"commit {commit.hex()} is missing; run `lakefs-hl fsck`, and restore from a copy"
            )
        if records.commit_id(row[0]) != commit:
            raise errors.LakeCorruptError(
                f"commit {commit.hex()} is not what its id says; run `lakefs-hl fsck`, and restore from a copy"
            )
        if len(self._commits) >= KEPT:
            self._commits.clear()
        found = self._commits[commit] = records.read_commit(row[0])
        return found

    def root(self, reader: Reader, repo: int, commit: bytes) -> bytes:
        """The tree of a commit."""
        root = self.commit(reader, repo, commit).root
        return self.empty if root is None else root

    def add_commit(self, writer: Writer, repo: int, record: CommitRecord) -> bytes:
        """Writes a commit; gives its id."""
        data = records.encode(record)
        name = records.commit_id(data)
        writer.execute("INSERT OR IGNORE INTO history(repository, id, data) VALUES(?, ?, ?)", (repo, name, data))
        return name

    def set_head(self, writer: Writer, repo: int, branch: str, commit: bytes) -> None:
        """Moves a branch."""
        writer.execute("UPDATE branch SET head = ? WHERE repository = ? AND name = ?", (commit, repo, branch))

    def next_token(self, writer: Writer) -> int:
        """A staging token nobody has had."""
        row = writer.row(
            "INSERT INTO sequence(name, value) VALUES('token', 1) "
            "ON CONFLICT(name) DO UPDATE SET value = value + 1 RETURNING value"
        )
        token: int = row[0] if row else 0
        return token

    def seal(self, writer: Writer, repo: int, head: Head) -> Head:
        """Gives a branch a new token, so that what is staged now stays as it is."""
        token, sealed = self.next_token(writer), [*head.sealed, head.token]
        writer.execute(
            "UPDATE branch SET token = ?, sealed = ? WHERE repository = ? AND name = ?",
            (token, records.encode(sealed), repo, head.name),
        )
        return Head(head.name, head.commit, token, sealed)

    def renew(self, writer: Writer, repo: int, head: Head) -> None:
        """Gives a branch a new token and drops all that is staged."""
        writer.execute(
            "UPDATE branch SET token = ?, sealed = x'90' WHERE repository = ? AND name = ?",
            (self.next_token(writer), repo, head.name),
        )
        self.drop_tokens(writer, head.tokens)

    def drop_tokens(self, writer: Writer, tokens: list[int]) -> None:
        """Removes what was staged under tokens that no branch names any more; what is much is left to `purge`."""
        for token in tokens:
            if writer.row("SELECT 1 FROM staging WHERE token = ? LIMIT 1 OFFSET ?", (token, CHUNK)) is None:
                writer.execute("DELETE FROM staging WHERE token = ?", (token,))
            else:
                writer.execute("INSERT OR IGNORE INTO meta(key, value) VALUES(?, '')", (f"{_DEAD}{token}",))
                self._dead = True

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
                sql = (
                    "SELECT 1 FROM meta WHERE key > ?1 AND key < ?1 || x'7f' OR key > ?2 AND key < ?2 || x'7f' LIMIT 1"
                )
                self._dead = reader.row(sql, (_DEAD, _DELETED)) is not None
        while self._dead:
            self._dead = False
            with self.writing(durable=False) as writer:
                self._dead = self._purge_some(writer)

    def _purge_some(self, writer: Writer) -> bool:
        """Removes at most `CHUNK` rows; says whether there may be more."""
        sql = "SELECT key FROM meta WHERE key > ?1 AND key < ?1 || x'7f' LIMIT 1"
        row = writer.row(sql, (_DEAD,))
        if row is not None:
            token = int(row[0].removeprefix(_DEAD))
            writer.execute(
                "DELETE FROM staging WHERE token = ?1 AND path IN (SELECT path FROM staging WHERE token = ?1 LIMIT ?2)",
                (token, CHUNK),
            )
            if writer.changes < CHUNK:
                writer.execute("DELETE FROM meta WHERE key = ?", row)
            return True
        row = writer.row(sql, (_DELETED,))
        if row is None:
            return False
        repo = int(row[0].removeprefix(_DELETED))
        for table, key in (("history", "id"), ("import", "id"), ("tag", "name")):
            writer.execute(
                f'DELETE FROM "{table}" WHERE repository = ?1 AND "{key}" IN '  # noqa: S608 - our own names
                f'(SELECT "{key}" FROM "{table}" WHERE repository = ?1 LIMIT ?2)',
                (repo, CHUNK),
            )
            if writer.changes == CHUNK:
                return True
        writer.execute("DELETE FROM meta WHERE key = ?", row)
        return True

    def delete_repo(self, writer: Writer, repo: Repo) -> None:
        """Removes a repository's names; its history is left to `purge`."""
        for token, sealed in rows(writer, "SELECT token, sealed FROM branch WHERE repository = ?", (repo.id,)):
            self.drop_tokens(writer, [token, *records.read_tokens(sealed)])
        for table in ("branch", "setting"):
            writer.execute(f"DELETE FROM {table} WHERE repository = ?", (repo.id,))  # noqa: S608 - our own names
        writer.execute("DELETE FROM repository WHERE id = ?", (repo.id,))
        writer.execute("INSERT INTO meta(key, value) VALUES(?, '')", (f"{_DELETED}{repo.id}",))
        self._dead = True

    def setting(self, reader: Reader, repo: int, kind: str) -> bytes | None:
        """One setting of a repository, as it was stored."""
        row = reader.execute("SELECT value FROM setting WHERE repository = ? AND kind = ?", (repo, kind)).fetchone()
        return None if row is None else row[0]

    def set_setting(self, writer: Writer, repo: int, kind: str, value: bytes | None) -> None:
        """Stores or drops one setting of a repository."""
        if value is None:
            writer.execute("DELETE FROM setting WHERE repository = ? AND kind = ?", (repo, kind))
        else:
            writer.execute(
                "INSERT OR REPLACE INTO setting(repository, kind, value) VALUES(?, ?, ?)", (repo, kind, value)
            )


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


def rows(reader: Reader, sql: str, args: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """All rows of a question."""
    return cast("list[tuple[Any, ...]]", reader.execute(sql, args).fetchall())


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


def put_entry(writer: Writer, token: int, key: bytes, value: bytes | None) -> None:
    """Stages an entry, or the deletion of one."""
    sealed = records.seal_staged(token, key, value)
    writer.execute("INSERT OR REPLACE INTO staging(token, path, value) VALUES(?, ?, ?)", (token, key, sealed))
