# ruff: noqa: S608 - what is put into statements is names of our own tables, numbers and question marks
"""The index of `lakefs.search`: what the default branches of repositories have, in SQLite with FTS5.

It is a cache. A file that is damaged or has another format is made anew. One that cannot be used (a full disk, a
directory that is read-only) is replaced by an index in memory for as long as the process lives.

A repository is indexed in a *generation*: rows that no search sees before the last transaction, which publishes them in
place of the generation before. So no lock is held while a server is asked, memory is bounded, and what a killed process
leaves is unseen and is removed later. Changes to a published generation are one transaction, which applies only if the
generation still has the commit that the changes begin at: another process may have been faster.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar, cast
from zlib import crc32

import apsw

from lakefs_hl.facades.queries import clean, expand

F = TypeVar("F", bound=Callable[..., Any])
#: Marks the file, in its header.
_APPLICATION: Final = 0x6C687378  # "lhsx"
#: Rises whenever rows mean something else, or texts are split in another way: an index of another number is made anew.
FORMAT: Final = 2
#: How long another process may write before this one uses an index in memory, in milliseconds.
_BUSY_MS: Final = 60_000
#: Age of an unpublished generation that no process writes to any more, in seconds.
_ABANDONED_SECONDS: Final = 900
#: How long another process may be silent that indexes a repository before this one does so too, in seconds.
PATIENCE_SECONDS: Final = 5.0
#: Matches of each kind that are compared. A query with more of them is too short to mean one.
CANDIDATES: Final = 2_000
#: Indexes in memory that a process keeps.
_KEPT: Final = 8
REPOSITORY, PATH, COMMIT, OF_REPOSITORY, OF_OBJECT, OF_COMMIT = range(6)
#: Kind of a hit -> its table of words, and the kinds of rows in it.
_TABLES: Final = {
    "repository": ("word_repository", (REPOSITORY,)),
    "path": ("word_path", (PATH,)),
    "commit": ("word_commit", (COMMIT,)),
    "metadata": ("word_metadata", (OF_REPOSITORY, OF_OBJECT, OF_COMMIT)),
}
_TABLE_OF: Final = {kind: table for table, kinds in _TABLES.values() for kind in kinds}
_SETTINGS: Final = f"""
PRAGMA busy_timeout = {_BUSY_MS};
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA cache_size = -32768;
PRAGMA trusted_schema = OFF;
PRAGMA cell_size_check = ON;
PRAGMA temp_store = MEMORY;
"""
_SCHEMA: Final = """
CREATE TABLE repository (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, identity TEXT NOT NULL, branch TEXT NOT NULL, head TEXT NOT NULL,
    info TEXT NOT NULL, published INTEGER NOT NULL, beat REAL NOT NULL
) STRICT;
CREATE UNIQUE INDEX repository_by_name ON repository (name) WHERE published = 1;
CREATE TABLE item (
    id INTEGER PRIMARY KEY, repository INTEGER NOT NULL, kind INTEGER NOT NULL, key TEXT NOT NULL, text TEXT,
    proof INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX item_by_key ON item (repository, kind, key);
""" + "".join(
    f"CREATE VIRTUAL TABLE {table} USING fts5(text, content='', contentless_delete=1, prefix='1 2 3', "
    'tokenize="unicode61 remove_diacritics 2");\n'
    for table, _ in _TABLES.values()
)
#: A text that is no UTF-8 is a `UnicodeDecodeError`: SQLite compares and returns it like any other.
_DAMAGE: Final = (
    apsw.CorruptError,
    apsw.NotADBError,
    apsw.FormatError,
    apsw.SQLError,
    apsw.ConstraintError,
    UnicodeDecodeError,
)
_LOG: Final = logging.getLogger("lakefs_hl")


class DamagedError(Exception):
    """The index is damaged, or of another format."""


class UnusableError(Exception):
    """The index cannot be read or written."""


class State(NamedTuple):
    """A repository, as it is indexed.

    Attributes:
        id: Number of its generation.
        name: Name of the repository.
        identity: Distinguishes it from another repository that had this name.
        branch: Its default branch.
        head: ID of the commit that is indexed. "" if the repository may not be read now.
        info: Its metadata, as a text.
    """

    id: int
    name: str
    identity: str
    branch: str
    head: str
    info: str


class Item(NamedTuple):
    """Something that is searched for.

    Attributes:
        kind: `PATH`, `COMMIT` and so on.
        key: The path, the ID of the commit, or the name of the repository.
        text: What is searched. None if it is the key.
    """

    kind: int
    key: str
    text: str | None = None


class Match(NamedTuple):
    """An item that was found.

    Attributes:
        repository: Name of the repository.
        branch: Its default branch.
        kind: `PATH`, `COMMIT` and so on.
        key: The path, the ID of the commit, or the name of the repository.
        text: What was searched.
    """

    repository: str
    branch: str
    kind: int
    key: str
    text: str


def _guard(method: F) -> F:
    """Hold the lock of the index, and raise what SQLite raises as one of the two exceptions of this module."""

    @functools.wraps(method)
    def call(self: Index, *args: Any, **kwargs: Any) -> Any:
        try:
            with self._lock:
                return method(self, *args, **kwargs)
        except _DAMAGE as exc:
            raise DamagedError(f"{type(exc).__name__}: {exc}") from exc
        except (apsw.Error, OSError) as exc:
            raise UnusableError(f"{type(exc).__name__}: {exc}") from exc

    return cast("F", call)


class Index:
    """An open index. Its methods may block, and may be called by any thread.

    Args:
        path: The file. None for an index in memory.
        clock: Returns the time in seconds.
    """

    def __init__(self, path: Path | None = None, *, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._clock = clock
        self._lock = threading.RLock()
        self._connection: Any = None

    @_guard
    def open(self, anew: bool = False) -> Index:
        """Open the index, and create it if there is none.

        Args:
            anew: Whether to remove what is in it.

        Raises:
            DamagedError: It is damaged, or of another format.
            UnusableError: It cannot be opened.
        """
        if self.path is None:
            connection = apsw.Connection(":memory:")
        else:
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
            os.close(os.open(self.path, flags, 0o600))  # SQLite gives its other files the mode of this one
            connection = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            connection.set_busy_timeout(_BUSY_MS)
            if anew:
                _empty(connection)
            connection.execute(_SETTINGS).fetchall()
            _prepare(connection)
        except BaseException:
            connection.close(True)
            raise
        self._connection = connection
        return self

    @_guard
    def close(self) -> None:
        """Close the index. One in memory stays as it is."""
        if self.path is not None and self._connection is not None:
            self._connection.close(True)

    @contextmanager
    def _write(self) -> Iterator[Any]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
            self._connection.execute("COMMIT")
        except BaseException:
            with suppress(apsw.Error):  # a full disk has ended the transaction already
                self._connection.execute("ROLLBACK")
            raise

    # -- repositories --------------------------------------------------------------------------------------------------

    @_guard
    def states(self) -> dict[str, State]:
        """Return the repositories that are indexed, by name."""
        select = "SELECT id, name, identity, branch, head, info FROM repository WHERE published = 1"
        return {
            row[1]: State(*_check_types(row, int, str, str, str, str, str)) for row in self._connection.execute(select)
        }

    @_guard
    def state(self, name: str) -> State | None:
        """Return a repository as it is indexed. None if it is not."""
        select = "SELECT id, name, identity, branch, head, info FROM repository WHERE name = ? AND published = 1"
        row = next(iter(self._connection.execute(select, (name,))), None)
        return None if row is None else State(*_check_types(row, int, str, str, str, str, str))

    @_guard
    def forbid(self, name: str) -> None:
        """Remove what is published of a repository, and note that it may not be read."""
        with self._write() as connection:
            _unpublish(connection, name)
            insert = "INSERT INTO repository VALUES (?, ?, '', '', '', '', 1, ?)"
            connection.execute(insert, (secrets.randbits(62), name, self._clock()))

    @_guard
    def begin(self, name: str, identity: str, branch: str, head: str, info: str) -> State | None:
        """Begin a generation of a repository, which no search sees before it is published.

        Returns None if another thread or process is writing one of the same commit, or has published it: wait for it.
        """
        with self._write() as connection:
            self._remove_abandoned(connection)
            select = "SELECT 1 FROM repository WHERE (name, identity, head) = (?, ?, ?) AND (published = 1 OR beat > ?)"
            if _value(connection, select, name, identity, head, self._clock() - PATIENCE_SECONDS):
                return None
            # a random number is not given twice, so that no process writes to a generation that is not its own
            state = State(secrets.randbits(62), name, identity, branch, head, info)
            connection.execute("INSERT INTO repository VALUES (?, ?, ?, ?, ?, ?, 0, ?)", (*state, self._clock()))
            return state

    @_guard
    def add(self, state: State, items: Sequence[Item]) -> bool:
        """Add new items to a generation that was begun. False if it was removed, because it seemed abandoned."""
        with self._write() as connection:
            connection.execute(
                "UPDATE repository SET beat = ? WHERE id = ? AND published = 0", (self._clock(), state.id)
            )
            if not connection.changes():
                return False
            _insert(connection, state.id, items)
            return True

    @_guard
    def publish(self, state: State) -> bool:
        """Replace what is published of a repository by a generation. False if the generation was removed."""
        with self._write() as connection:
            if not _value(connection, "SELECT 1 FROM repository WHERE id = ? AND published = 0", state.id):
                return False
            _unpublish(connection, state.name)
            connection.execute("UPDATE repository SET published = 1 WHERE id = ?", (state.id,))
            return True

    @_guard
    def discard(self, state: State) -> None:
        """Remove a generation."""
        with self._write() as connection:
            _remove(connection, state.id)

    @_guard
    def change(
        self, state: State, branch: str, head: str, info: str, removed: Iterable[tuple[int, str]], items: Sequence[Item]
    ) -> bool:
        """Change what is published of a repository. False, and nothing is changed, if it is not `state` any more.

        Args:
            state: What the changes were found with.
            branch: The default branch.
            head: ID of the commit that is indexed from now on.
            info: The metadata of the repository.
            removed: Kinds and keys to remove. Keys that do not exist are ignored.
            items: Items to add.
        """
        with self._write() as connection:
            update = (
                "UPDATE repository SET branch = ?, head = ?, info = ? WHERE id = ? AND head = ? AND info = ? "
                "AND published = 1"
            )
            connection.execute(update, (branch, head, info, state.id, state.head, state.info))
            if not connection.changes():
                return False
            _delete(connection, state.id, removed)
            _insert(connection, state.id, items)
            return True

    @_guard
    def remove(self, name: str) -> None:
        """Remove what is published of a repository."""
        with self._write() as connection:
            _unpublish(connection, name)

    def _remove_abandoned(self, connection: Any) -> None:
        before = self._clock() - _ABANDONED_SECONDS
        select = "SELECT id FROM repository WHERE published = 0 AND beat < ?"
        for (found,) in connection.execute(select, (before,)).fetchall():
            _remove(connection, found)

    # -- items ---------------------------------------------------------------------------------------------------------

    @_guard
    def known_commits(self, state: State, ids: Iterable[str]) -> set[str]:
        """Return those of some commits that are indexed."""
        select = "SELECT 1 FROM item WHERE repository = ? AND kind = ? AND key = ?"
        return {one for one in ids if _value(self._connection, select, state.id, COMMIT, one)}

    @_guard
    def keys(self, state: State, kinds: Sequence[int]) -> list[tuple[int, str]]:
        """Return the kinds and keys of items of some kinds."""
        select = f"SELECT kind, key FROM item WHERE repository = ? AND kind IN ({', '.join('?' * len(kinds))})"
        return list(self._connection.execute(select, (state.id, *kinds)))

    @_guard
    def find(
        self, text: str, match: str | None, kinds: Iterable[str], repositories: Iterable[str], limit: int
    ) -> list[Match]:
        """Return the items of repositories that match, in any order. Those whose key is the text come with them.

        Args:
            text: The text that was typed.
            match: Its words, as an expression of FTS5. None if it has none.
            kinds: Kinds of hits.
            repositories: Names of repositories.
            limit: Maximum number of items of each kind of hit, besides those whose key is the text.
        """
        connection, found = self._connection, dict[int, Match]()
        with _snapshot(connection):
            names = set(repositories)
            select = "SELECT id, name, branch FROM repository WHERE published = 1 AND head != ''"
            at = {row[0]: _check_types(row, int, str, str)[1:] for row in connection.execute(select) if row[1] in names}
            places = ", ".join(map(str, at))
            for table, rows in (_TABLES[kind] for kind in kinds):
                columns = "item.id, item.repository, item.kind, item.key, item.text, item.proof"
                exact = (
                    f"SELECT {columns} FROM item WHERE repository IN ({places}) AND key = ? "
                    f"AND kind IN ({', '.join(map(str, rows))})"
                )
                words = (
                    f"SELECT {columns} FROM {table} CROSS JOIN item ON item.id = {table}.rowid "
                    f"WHERE {table} MATCH ? AND item.repository IN ({places}) LIMIT ?"
                )
                queries = list[tuple[str, tuple[Any, ...]]]()
                if rows[0] in (REPOSITORY, PATH, COMMIT):
                    queries.append((exact, (clean_key(text),)))
                if match is not None:
                    queries.append((words, (match, limit)))
                for query, values in queries:
                    for row in connection.execute(query, values):
                        *fields, proof = row
                        if proof != _proof(*fields):
                            raise _damage_error()
                        ident, repository, kind, key, shown = fields
                        name, branch = at[repository]
                        found[ident] = Match(name, branch, kind, key, key if shown is None else shown)
        return list(found.values())


def _check_types(row: tuple[Any, ...], *types: type) -> tuple[Any, ...]:
    """Return a row. Damage may be in the types, which SQLite checks of what is written, and not of what is read.

    Raises:
        FormatError: A value has another type.
    """
    if tuple(map(type, row)) != types:
        raise _damage_error()
    return row


def _proof(*values: object) -> int:
    """Return the checksum of a row: SQLite has none, and a hit with another path would be worse than no hit."""
    return crc32(repr(values).encode())


def _damage_error() -> Exception:
    msg = "a row has values that were never written"
    return apsw.FormatError(msg)


def clean_key(key: str) -> str:
    """Return a key as SQLite takes it: without halves of surrogate pairs."""
    return key if key.isascii() else key.encode("utf-8", "replace").decode()


@contextmanager
def _snapshot(connection: Any) -> Iterator[None]:
    """See one state of the index."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        with suppress(apsw.Error):
            connection.execute("ROLLBACK")


def _empty(connection: Any) -> None:
    """Remove everything from a database, however damaged it is, also while others have it open."""
    with suppress(apsw.Error):
        connection.execute("SELECT 1 FROM sqlite_schema").fetchall()
    connection.config(apsw.SQLITE_DBCONFIG_RESET_DATABASE, 1)
    try:
        connection.execute("VACUUM")
    finally:
        connection.config(apsw.SQLITE_DBCONFIG_RESET_DATABASE, 0)


def _prepare(connection: Any) -> None:
    """Create the tables of an empty database, or check that they are ours."""
    if _is_ours(connection):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not _is_ours(connection):
            if _value(connection, "SELECT count(*) FROM sqlite_schema"):
                msg = "the index has another format"
                raise apsw.FormatError(msg)
            connection.execute(_SCHEMA)
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.execute(f"PRAGMA user_version = {FORMAT}")
        connection.execute("COMMIT")
    except BaseException:
        with suppress(apsw.Error):
            connection.execute("ROLLBACK")
        raise


def _is_ours(connection: Any) -> bool:
    marks = _value(connection, "PRAGMA application_id"), _value(connection, "PRAGMA user_version")
    return marks == (_APPLICATION, FORMAT)


def _value(connection: Any, statement: str, *values: Any) -> Any:
    row = next(iter(connection.execute(statement, values)), None)
    return None if row is None else row[0]


def _insert(connection: Any, repository: int, items: Sequence[Item]) -> None:
    last = _value(connection, "SELECT coalesce(max(id), 0) FROM item")
    rows, words = list[tuple[Any, ...]](), dict[str, list[tuple[int, str]]]()
    for number, (kind, name, text) in enumerate(items, last + 1):
        key = clean_key(name)
        shown = None if text is None else clean_key(text)
        rows.append((number, repository, kind, key, shown, _proof(number, repository, kind, key, shown)))
        searched = expand(clean(key if text is None else text))
        words.setdefault(_TABLE_OF[kind], []).append((number, f"{searched} {key}" if kind == COMMIT else searched))
    connection.executemany("INSERT OR REPLACE INTO item VALUES (?, ?, ?, ?, ?, ?)", rows)
    for table, found in words.items():
        connection.executemany(f"INSERT INTO {table} (rowid, text) VALUES (?, ?)", found)


def _delete(connection: Any, repository: int, keys: Iterable[tuple[int, str]]) -> None:
    select = "SELECT id FROM item WHERE repository = ? AND kind = ? AND key = ?"
    for kind, key in keys:
        number = _value(connection, select, repository, kind, clean_key(key))
        if number is not None:
            connection.execute(f"DELETE FROM {_TABLE_OF[kind]} WHERE rowid = ?", (number,))
            connection.execute("DELETE FROM item WHERE id = ?", (number,))


def _unpublish(connection: Any, name: str) -> None:
    select = "SELECT id FROM repository WHERE name = ? AND published = 1"
    for (found,) in connection.execute(select, (name,)).fetchall():
        _remove(connection, found)


def _remove(connection: Any, repository: int) -> None:
    for table, kinds in _TABLES.values():
        select = f"SELECT id FROM item WHERE repository = ? AND kind IN ({', '.join(map(str, kinds))})"
        connection.execute(f"DELETE FROM {table} WHERE rowid IN ({select})", (repository,))
    connection.execute("DELETE FROM item WHERE repository = ?", (repository,))
    connection.execute("DELETE FROM repository WHERE id = ?", (repository,))


# -- which index -------------------------------------------------------------------------------------------------------


_memory: OrderedDict[Hashable, Index] = OrderedDict()
_memory_lock = threading.Lock()
#: Indexes of a parent process, which a child must never close: a thread of the parent may have held their locks.
_inherited = list[object]()


def _forget() -> None:
    """Begin without indexes in a child process."""
    global _memory, _memory_lock
    _inherited.append(_memory)
    _memory, _memory_lock = OrderedDict(), threading.Lock()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_forget)


def in_memory(place: Hashable) -> Index:
    """Return the index in memory of a place: a lake, a key and a scope."""
    with _memory_lock:
        found = _memory.pop(place, None) or Index().open()
        _memory[place] = found
        while len(_memory) > _KEPT:
            _memory.popitem(last=False)
        return found


def file_name(scope: str) -> str:
    """Return the name of an index in the cache directory of a lake and a key."""
    return f"search-{hashlib.sha256(scope.encode()).hexdigest()[:16]}.db" if scope else "search.db"
