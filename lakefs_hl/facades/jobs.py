"""The job file of a transfer: what is to be transferred, by whom, and what is done. Several processes may share one.

A worker takes objects under its name, and the name has a lease, which the worker renews while it lives. What a worker
had whose lease has ended, or that has ended itself on this machine, is taken by others. A job file that is complete
stays: the same transfer again does nothing.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NamedTuple

from lakefs_hl.facades.records import Entry

#: Marks the file, in its header.
_APPLICATION: Final = 0x6C68786A  # "lhxj"
_FORMAT: Final = 1
#: How long a worker may be silent before others take what it had, in seconds.
LEASE_SECONDS: Final = 60.0
_BUSY_MS: Final = 60_000
PENDING, TAKEN, DONE, FAILED = range(4)
_SCHEMA: Final = """
CREATE TABLE job (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE worker (id TEXT PRIMARY KEY, machine TEXT, pid INTEGER, started TEXT, expires REAL) WITHOUT ROWID;
CREATE TABLE item (
    path BLOB PRIMARY KEY, state INTEGER NOT NULL DEFAULT 0, worker TEXT, retaken INTEGER NOT NULL DEFAULT 0,
    size INTEGER, message TEXT
) WITHOUT ROWID;
CREATE INDEX item_by_state ON item (state, path);
"""


class Taken(NamedTuple):
    """An object that a worker has taken.

    Attributes:
        path: Its path.
        size: Its size in bytes. None if it was not listed.
        retaken: Whether another worker had it, which may have transferred it.
    """

    path: str
    size: int | None
    retaken: bool


class State(NamedTuple):
    """How far a job is.

    Attributes:
        listed: Whether the source was listed to its end.
        pending: Number of objects that no worker has taken.
        taken: Number of objects that a worker has taken.
        done: Number of objects that were transferred.
        failed: Number of objects that failed.
    """

    listed: bool
    pending: int
    taken: int
    done: int
    failed: int

    @property
    def complete(self) -> bool:
        """Whether nothing is left to do."""
        return self.listed and not self.pending and not self.taken


class Job:
    """A worker's view of a job file, between `open()` and `close()`.

    Args:
        path: The file, which is created if it does not exist.
        identity: What the transfer is. A job of another transfer is refused.
        clock: Returns the time in seconds, the same on all machines that share the file.
        lease: How long this worker may be silent, in seconds.
        heartbeat: Whether a thread renews the lease.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        identity: dict[str, Any],
        *,
        clock: Callable[[], float] = time.time,
        lease: float = LEASE_SECONDS,
        heartbeat: bool = True,
    ) -> None:
        self.path = Path(os.fspath(path)).absolute()
        self._identity = json.dumps(identity, sort_keys=True)
        self._clock = clock
        self._lease = lease
        self._worker = secrets.token_hex(8)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="lakefs_hl-job", daemon=True) if heartbeat else None
        self._connection: Any = None

    def open(self) -> None:
        """Open the file and register this worker.

        Raises:
            ValueError: The file is no job, or that of another transfer.
            OSError: It cannot be opened.
        """
        self._connection = self._open()
        try:
            with self._write() as cursor:
                self._register(cursor)
                # what has failed in an earlier call is tried again
                cursor.execute("UPDATE item SET state = 0, worker = NULL, message = NULL WHERE state = 3")
        except BaseException:
            self._connection.close()
            raise
        if self._thread is not None:
            self._thread.start()

    def close(self) -> None:
        """Release what this worker has not finished, and close the file."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
        try:
            with self._write() as cursor:
                self._release(cursor, self._worker)
        finally:
            self._connection.close()

    # -- the file ------------------------------------------------------------------------------------------------------

    def _open(self) -> Any:
        apsw = import_module("apsw")
        try:
            connection = apsw.Connection(str(self.path))
        except apsw.CantOpenError as exc:
            msg = f"the job file {str(self.path)!r} cannot be opened: its directory must exist and be writable"
            raise OSError(msg) from exc
        try:
            connection.set_busy_timeout(_BUSY_MS)
            self._create(connection)
        except apsw.NotADBError as exc:
            connection.close()
            msg = f"{str(self.path)!r} is no job of a transfer; choose another file"
            raise ValueError(msg) from exc
        except BaseException:
            connection.close()
            raise
        return connection

    def _create(self, connection: Any) -> None:
        """Create the tables, unless they exist, and check that they are of this transfer."""
        application, tables = _value(connection, "PRAGMA application_id"), "SELECT count(*) FROM sqlite_schema"
        if application not in (0, _APPLICATION) or (application == 0 and _value(connection, tables)):
            msg = f"{str(self.path)!r} is a database, but no job of a transfer; choose another file"
            raise ValueError(msg)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        with _transaction(connection):
            if _value(connection, "PRAGMA application_id") == 0:
                connection.execute(_SCHEMA)
                connection.execute(f"PRAGMA application_id = {_APPLICATION}")
                connection.execute(f"PRAGMA user_version = {_FORMAT}")
                self._set(connection, "identity", self._identity)
            if (found := _value(connection, "PRAGMA user_version")) != _FORMAT:
                msg = f"the job file {str(self.path)!r} has format {found}, and this release knows {_FORMAT}"
                raise ValueError(msg)
            if (stored := self._get(connection, "identity")) != self._identity:
                raise ValueError(self._other(json.loads(stored or "{}")))

    def _other(self, stored: dict[str, Any]) -> str:
        mine = json.loads(self._identity)
        different = [
            f"{name} is {stored.get(name)!r} there and {mine.get(name)!r} here"
            for name in sorted({*stored, *mine})
            if stored.get(name) != mine.get(name)
        ]
        return (
            f"the job file {str(self.path)!r} is of another transfer: {'; '.join(different)}; make the same call as "
            "before, or choose another file"
        )

    @contextmanager
    def _write(self) -> Iterator[Any]:
        self._connection.execute("BEGIN IMMEDIATE")
        with _transaction(self._connection):
            yield self._connection

    @staticmethod
    def _get(connection: Any, name: str) -> Any:
        return _value(connection, "SELECT value FROM job WHERE name = ?", name)

    @staticmethod
    def _set(connection: Any, name: str, value: str | bytes | None) -> None:
        connection.execute("INSERT OR REPLACE INTO job (name, value) VALUES (?, ?)", (name, value))

    # -- workers -------------------------------------------------------------------------------------------------------

    def _register(self, connection: Any) -> None:
        row = self._worker, _machine(), os.getpid(), _start_of(os.getpid()), self._clock() + self._lease
        connection.execute("INSERT OR REPLACE INTO worker VALUES (?, ?, ?, ?, ?)", row)

    def _beat(self) -> None:
        connection = import_module("apsw").Connection(str(self.path))
        try:
            connection.set_busy_timeout(_BUSY_MS)
            while not self._stopped.wait(self._lease / 4):
                self._register(connection)
        finally:
            connection.close()

    def renew(self) -> None:
        """Renew the lease of this worker."""
        with self._write() as cursor:
            self._register(cursor)

    def _free(self, connection: Any) -> None:
        """Release what workers have that have ended."""
        now = self._clock()
        rows = list(connection.execute("SELECT id, machine, pid, started, expires FROM worker"))
        for worker, machine, pid, started, expires in rows:
            if worker != self._worker and (expires <= now or _is_dead(machine, pid, started)):
                self._release(connection, worker)

    def _release(self, connection: Any, worker: str) -> None:
        connection.execute(
            "UPDATE item SET state = 0, worker = NULL, retaken = 1 WHERE worker = ? AND state = 1", (worker,)
        )
        connection.execute("DELETE FROM worker WHERE id = ?", (worker,))
        connection.execute("UPDATE job SET value = NULL WHERE name = 'lister' AND value = ?", (worker,))

    # -- the list of objects -------------------------------------------------------------------------------------------

    def take_listing(self) -> str | None:
        """Take over the listing of the source. Returns the last path that is listed, "" for none.

        Returns None if another worker has it, or if it is complete.
        """
        with self._write() as connection:
            self._free(connection)
            lister = self._get(connection, "lister")
            if self._get(connection, "listed") is not None or lister not in (None, self._worker):
                return None
            self._set(connection, "lister", self._worker)
            return _text(self._get(connection, "after") or b"")

    def add(self, entries: Sequence[Entry]) -> bool:
        """Add objects, in byte order, after those that are there. False if another worker has the listing now."""
        with self._write() as connection:
            if self._get(connection, "lister") != self._worker:
                return False
            self._insert(connection, [(_key(entry.path), entry.size) for entry in entries])
            self._set(connection, "after", _key(entries[-1].path))
            self._register(connection)
            return True

    def end_listing(self, complete: bool) -> None:
        """Give the listing up. With `complete`, it is at its end."""
        with self._write() as connection:
            if self._get(connection, "lister") == self._worker:
                self._set(connection, "lister", None)
                if complete:
                    self._set(connection, "listed", "1")

    def add_paths(self, paths: Sequence[str]) -> None:
        """Add paths, in any order. Those that are there stay as they are."""
        with self._write() as connection:
            self._insert(connection, [(_key(path), None) for path in paths])
            self._register(connection)

    def end_paths(self) -> None:
        """Note that there is nothing to list."""
        with self._write() as connection:
            self._set(connection, "listed", "1")

    @staticmethod
    def _insert(connection: Any, rows: Sequence[tuple[bytes, int | None]]) -> None:
        connection.executemany("INSERT OR IGNORE INTO item (path, size) VALUES (?, ?)", rows)

    # -- work ----------------------------------------------------------------------------------------------------------

    def take(self, count: int) -> list[Taken]:
        """Take objects that no other worker has."""
        with self._write() as connection:
            self._free(connection)
            self._register(connection)
            select = "SELECT path, size, retaken FROM item WHERE state = 0 ORDER BY path LIMIT ?"
            rows = [Taken(_text(path), size, bool(again)) for path, size, again in connection.execute(select, (count,))]
            update = "UPDATE item SET state = 1, worker = ? WHERE path = ?"
            connection.executemany(update, [(self._worker, _key(row.path)) for row in rows])
            return rows

    def finish(self, outcomes: Sequence[tuple[str, str | None]]) -> list[bool]:
        """Note what became of objects. Returns of each whether this worker still had it, so that it counts.

        Args:
            outcomes: Path and why it failed. None if it did not.
        """
        update = "UPDATE item SET state = ?, worker = NULL, message = ? WHERE path = ? AND worker = ? AND state = 1"
        had = list[bool]()
        with self._write() as connection:
            for path, message in outcomes:
                state = DONE if message is None else FAILED
                connection.execute(update, (state, _plain(message), _key(path), self._worker))
                had.append(connection.changes() == 1)
        return had

    def failures(self) -> list[tuple[str, str]]:
        """Return the paths that failed, and why."""
        select = "SELECT path, message FROM item WHERE state = 3 ORDER BY path"
        return [(_text(path), message) for path, message in self._connection.execute(select)]

    def state(self) -> State:
        """Return how far the job is."""
        with self._write() as connection:
            self._free(connection)
            counts = dict(connection.execute("SELECT state, count(*) FROM item GROUP BY state"))
            listed = self._get(connection, "listed") is not None
        return State(listed, *(counts.get(state, 0) for state in (PENDING, TAKEN, DONE, FAILED)))


def _key(path: str) -> bytes:
    """Return a path as the file has it: its order is that of bytes, and the name of a local file may be any bytes."""
    return path.encode("utf-8", "surrogatepass")


def _text(key: bytes) -> str:
    return key.decode("utf-8", "surrogatepass")


def _plain(message: str | None) -> str | None:
    return None if message is None else message.encode("utf-8", "backslashreplace").decode()


@contextmanager
def _transaction(connection: Any) -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _value(connection: Any, statement: str, *values: Any) -> Any:
    row = next(iter(connection.execute(statement, values)), None)
    return None if row is None else row[0]


def _machine() -> str:
    """Return what tells this machine, its boot and its numbering of processes from others. "" if that is unknown."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        numbering = Path("/proc/self/ns/pid").readlink()
    except OSError:
        return ""
    return f"{socket.gethostname()}/{boot}/{numbering}"


def _start_of(pid: int) -> str | None:
    """Return when a process has started. None if there is none, or if that is unknown."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state, *rest = stat.rpartition(")")[2].split()
    return None if state in "ZX" else rest[18]


def _is_dead(machine: str, pid: int, started: str | None) -> bool:
    """Return whether a process has certainly ended: it was on this machine, and does not exist any more."""
    return bool(machine) and started is not None and machine == _machine() and _start_of(pid) != started
