from __future__ import annotations

import errno
import multiprocessing
import os
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import apsw
import pytest

from lakefs_hl.local.disk import database as database_module
from lakefs_hl.local.disk import schema
from lakefs_hl.local.disk.connections import check_version
from lakefs_hl.local.disk.database import Database, Reader, Writer
from lakefs_hl.local.disk.errors import Damaged, DiskError, LockTimeout, ReadOnly, UnknownFormat
from tests.local.disk.conftest import Open

PUT = "INSERT OR REPLACE INTO staging(token, path, value) VALUES(?, ?, ?)"


def put(database: Database, path: bytes, token: int = 1) -> None:
    def work(writer: Writer) -> None:
        writer.execute(PUT, (token, path, b"value"))

    database.submit(work)


def paths(database: Database, token: int = 1) -> list[bytes]:
    with database.read() as reader:
        return [row[0] for row in reader.execute("SELECT path FROM staging WHERE token = ? ORDER BY path", (token,))]


def fork(work: Callable[[], None]) -> int:
    """Runs `work` in a forked child; gives its number."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return pid


def wait(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def in_child(work: Callable[[], None]) -> int:
    return wait(fork(work))


# ------------------------------------------------------------------------------------------------------------ settings


def test_settings_are_those_of_the_design(database: Database) -> None:
    expected = {
        "journal_mode": "wal",
        "synchronous": 2,
        "page_size": 4096,
        "wal_autocheckpoint": 0,
        "foreign_keys": 1,
        "trusted_schema": 0,
        "cell_size_check": 1,
        "fullfsync": 1,
        "checkpoint_fullfsync": 1,
        "application_id": schema.APPLICATION,
        "user_version": schema.VERSION,
    }
    with database.write() as writer:
        assert {name: writer.execute(f"PRAGMA {name}").get for name in expected} == expected
        assert writer.execute("PRAGMA mmap_size").get == 0
    with database.read() as reader:
        assert {name: reader.execute(f"PRAGMA {name}").get for name in expected} == expected


def test_a_lake_without_syncs_never_syncs(open_database: Open) -> None:
    with open_database(sync=False).write() as writer:
        assert writer.execute("PRAGMA synchronous").get == 0


@pytest.mark.parametrize("version", ["3.40.1", "3.51.2", "3.7.0", "2.8.17"])
def test_an_sqlite_that_loses_pages_is_refused_by_its_version(version: str) -> None:
    with pytest.raises(UnknownFormat, match=rf"SQLite {version}.*3\.51\.3"):
        check_version(version)


@pytest.mark.parametrize("version", ["3.51.3", "3.52.0", "3.54.1", "4.0.0"])
def test_a_mended_sqlite_is_taken(version: str) -> None:
    check_version(version)


def test_everything_is_for_the_owner_only(database: Database) -> None:
    put(database, b"a")
    for folder, folders, files in os.walk(database.folder):
        for name in folders + files:
            mode = stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode)
            assert mode & 0o077 == 0, (name, oct(mode))
    assert stat.S_IMODE(os.stat(database.folder).st_mode) == 0o700


# ------------------------------------------------------------------------------------------------------------- reading


def test_a_read_is_of_one_moment(database: Database) -> None:
    put(database, b"a")
    with database.read() as reader:
        assert reader.row("SELECT count(*) FROM staging") == (1,)
        thread = threading.Thread(target=put, args=(database, b"b"))
        thread.start()
        thread.join()
        assert reader.row("SELECT count(*) FROM staging") == (1,)
        with database.read() as inner:  # the same transaction
            assert inner is reader
            assert inner.row("SELECT count(*) FROM staging") == (1,)
        assert reader.row("SELECT count(*) FROM staging") == (1,)
    assert paths(database) == [b"a", b"b"]


def test_a_read_inside_a_write_sees_what_is_committed(database: Database) -> None:
    with database.write() as writer:
        writer.execute(PUT, (1, b"a", b"v"))
        assert paths(database) == []
        assert writer.row("SELECT count(*) FROM staging") == (1,)
    assert paths(database) == [b"a"]


def test_readers_cannot_write(database: Database) -> None:
    with pytest.raises(DiskError, match=r"(?i)readonly"), database.read() as reader:
        reader.execute(PUT, (1, b"a", b"v"))
    assert paths(database) == []


def test_connections_are_used_again_and_a_kept_cursor_holds_no_moment(database: Database) -> None:
    for index in range(5):
        put(database, b"%d" % index)
    with database.read() as first:
        kept = first.execute("SELECT path FROM staging")
        assert kept.fetchone() == (b"0",)
    put(database, b"later")
    assert b"later" in paths(database)
    seen: set[int] = set()

    def look() -> None:
        with database.read() as reader:
            seen.add(id(reader))

    for _ in range(20):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert len(seen) == 1
    kept.close(True)


def test_an_abandoned_read_ends(database: Database) -> None:
    block = database.read()
    block.__enter__()
    assert database.local.reading()
    assert len(database.readers.lent()) == 1
    del block
    assert not database.local.reading()
    assert not database.readers.lent()


# ------------------------------------------------------------------------------------------------------------- writing


def test_a_write_that_raises_leaves_nothing(database: Database) -> None:
    with pytest.raises(KeyError), database.write() as writer:
        writer.execute(PUT, (1, b"a", b"v"))
        raise KeyError("mine")
    assert paths(database) == []
    put(database, b"b")
    assert paths(database) == [b"b"]


def test_an_error_of_sqlite_arrives_as_ours_and_names_the_file(database: Database) -> None:
    with pytest.raises(DiskError, match=r"lake\.db: SQLError.*nowhere"), database.write() as writer:
        writer.execute("INSERT INTO nowhere VALUES(1)")
    put(database, b"a")


def test_a_write_inside_a_write_says_so(database: Database) -> None:
    with database.write(), pytest.raises(RuntimeError, match="inside a write"), database.write():
        pytest.fail("it must not begin")
    with database.write() as writer:
        with pytest.raises(RuntimeError, match="inside a write"):
            database.submit(lambda _writer: None)
        writer.execute(PUT, (1, b"a", b"v"))
    assert paths(database) == [b"a"]


class Interrupter:
    """Raises KeyboardInterrupt after the nth statement that SQLite has carried out, where a real Ctrl-C is seen."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self, frame: FrameType, event: str, function: object) -> None:
        if event == "c_return" and getattr(function, "__name__", "") == "execute":
            self.left -= 1
            if not self.left:
                sys.setprofile(None)
                raise KeyboardInterrupt


@pytest.mark.parametrize("after", range(1, 5))
@pytest.mark.parametrize("call", ["read", "write", "submit"])
def test_an_interruption_right_after_any_statement_leaves_nothing_open(
    database: Database, call: str, after: int
) -> None:
    put(database, b"a")
    paths(database)
    interrupter = Interrupter(after)
    sys.setprofile(interrupter)
    try:
        if call == "read":
            paths(database)
        elif call == "submit":
            put(database, b"b")
        else:
            with database.write() as writer:
                writer.execute(PUT, (1, b"b", b"v"))
    except KeyboardInterrupt:
        pass
    finally:
        sys.setprofile(None)
    assert not database.writing
    assert not database.readers.lent()
    put(database, b"c")
    assert b"c" in paths(database)


def test_what_an_interruption_left_open_is_undone_with_the_lock(database: Database) -> None:
    database.begin().execute(PUT, (1, b"a", b"v"))
    database.leave()  # the line between, which ends the transaction, was never reached
    assert not database.writing
    put(database, b"b")
    assert paths(database) == [b"b"]


def test_an_abandoned_write_is_undone(database: Database) -> None:
    block = database.write()
    block.__enter__().execute(PUT, (1, b"a", b"v"))
    del block
    put(database, b"b")
    assert paths(database) == [b"b"]


def test_a_write_that_need_not_last_is_not_synced_and_the_next_one_is(database: Database) -> None:
    with database.write(durable=False) as writer:
        assert writer.execute("PRAGMA synchronous").get == 1
    with database.write() as writer:
        assert writer.execute("PRAGMA synchronous").get == 2


def test_another_thread_waits_its_time_and_no_longer(open_database: Open) -> None:
    database = open_database(timeout=0.2)
    told: list[BaseException] = []

    def other() -> None:
        try:
            with database.write():
                pytest.fail("it must not begin")
        except LockTimeout as error:
            told.append(error)

    with database.write():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert "other threads" in str(told[0])
    put(database, b"a")


def test_another_process_waits_its_time_and_no_longer(open_database: Open) -> None:
    database = open_database(timeout=0.2)
    held_read, held_write = os.pipe()

    def other() -> None:
        os.read(held_read, 1)
        with pytest.raises(LockTimeout, match="another process"):
            put(database, b"never")
        with pytest.raises(LockTimeout, match="another process"):  # still standing in line from before
            put(database, b"never")

    pid = fork(other)
    with database.write() as writer:
        writer.execute(PUT, (1, b"a", b"v"))
        os.write(held_write, b"!")
        assert wait(pid) == 0
    assert paths(database) == [b"a"]
    os.close(held_read)
    os.close(held_write)


def test_a_foreign_program_that_locks_the_database_is_named(open_database: Open) -> None:
    database = open_database(timeout=0.1)
    foreign = apsw.Connection(database.path)
    foreign.execute("BEGIN IMMEDIATE")
    with pytest.raises(LockTimeout, match="another program"):
        put(database, b"a")
    foreign.execute("COMMIT")
    foreign.close()
    put(database, b"a")


def test_a_closed_lake_says_so(database: Database) -> None:
    put(database, b"a")
    database.close()
    database.close()
    for use in (lambda: put(database, b"b"), lambda: paths(database)):
        with pytest.raises(DiskError, match="has been closed"):
            use()
    names = set(os.listdir(database.folder))
    assert "lake.db-wal" not in names  # the last one out wrote the log back


def test_a_read_outlives_the_closing_of_its_lake(database: Database) -> None:
    put(database, b"a")
    with database.read() as reader:
        assert reader.row("SELECT count(*) FROM staging") == (1,)
        database.close()
        assert reader.row("SELECT count(*) FROM staging") == (1,)


# ------------------------------------------------------------------------------------------------------------- the log


def test_a_long_log_is_written_back_after_the_locks_are_free(
    database: Database, points: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "LONG_LOG", 20)
    for index in range(30):
        with database.write() as writer:
            writer.execute("INSERT INTO blob(hash, data) VALUES(?, ?)", (b"%d" % index, bytes(4096)))
    assert "db.checkpointed" in points
    assert points[points.index("db.checkpoint") - 1] == "db.committed"
    assert os.path.getsize(database.path) > 4096 * 20  # it is in the database now, not only in the log
    assert os.path.getsize(f"{database.path}-wal") < 4096 * 60  # and the log began anew


def test_readers_that_stay_let_the_log_grow_until_the_door_is_closed(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "LONG_LOG", 60)
    monkeypatch.setattr(database_module, "HUGE_LOG", 120)
    with database.read() as reader:
        reader.row("SELECT count(*) FROM blob")
        for index in range(60):
            with database.write() as writer:
                writer.execute("INSERT INTO blob(hash, data) VALUES(?, ?)", (b"%d" % index, bytes(4096)))
        assert reader.row("SELECT count(*) FROM blob") == (0,)
    with database.read() as reader:
        assert reader.row("SELECT count(*) FROM blob") == (60,)


# --------------------------------------------------------------------------------------------------------- failed disk


def test_a_failed_sync_makes_the_lake_read_only_and_says_so(
    database: Database, fail_at: Callable[[str, OSError], None]
) -> None:
    put(database, b"before")
    fail_at("db.commit", OSError(errno.EIO, "Input/output error"))
    with pytest.raises(ReadOnly, match="may be lost"):
        put(database, b"lost")
    fail_at("nowhere", OSError())
    with pytest.raises(ReadOnly, match=r"read-only since.*Input/output error"):
        put(database, b"refused")
    with pytest.raises(ReadOnly), database.write():
        pytest.fail("it must not begin")
    assert paths(database) == [b"before"]  # reading goes on


class _FailingSync(apsw.VFS):
    """SQLite's own file system, whose syncs fail when told to."""

    broken = False

    def __init__(self) -> None:
        super().__init__("failing-sync", "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> _FailingFile:
        return _FailingFile(name, flags)


class _FailingFile(apsw.VFSFile):
    def __init__(self, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        super().__init__("", name, flags)

    def xSync(self, flags: int) -> None:
        if _FailingSync.broken:
            error = apsw.IOError("sync")
            error.extendedresult = apsw.SQLITE_IOERR_FSYNC  # type: ignore[attr-defined]
            raise error
        super().xSync(flags)


def test_a_sync_that_fails_inside_sqlite_does_the_same(open_database: Open) -> None:
    vfs = _FailingSync()
    database = open_database(vfs="failing-sync")
    put(database, b"before")
    _FailingSync.broken = True
    try:
        with pytest.raises(ReadOnly, match="may be lost"):
            put(database, b"lost")
    finally:
        _FailingSync.broken = False
    with pytest.raises(ReadOnly, match="read-only since"):
        put(database, b"refused")
    assert paths(database) == [b"before"]
    database.close()
    del vfs


# ---------------------------------------------------------------------------------------------------------------- fork


def test_a_forked_child_reads_and_writes_and_the_parent_goes_on(database: Database) -> None:
    put(database, b"parent")

    def child() -> None:
        assert b"parent" in paths(database)
        put(database, b"child")
        database.close()

    for _ in range(3):
        assert in_child(child) == 0
    put(database, b"parent again")
    assert paths(database) == [b"child", b"parent", b"parent again"]


def test_a_fork_in_the_middle_of_a_read_or_write_leaves_the_parent_alone_and_tells_the_child(
    database: Database,
) -> None:
    put(database, b"a")

    def child() -> None:
        for use in (lambda: put(database, b"x"), lambda: paths(database)):
            with pytest.raises(DiskError, match="forked in the middle"):
                use()
        database.close()

    with database.read() as reader:
        assert reader.row("SELECT count(*) FROM staging") == (1,)
        assert in_child(child) == 0
        assert reader.row("SELECT count(*) FROM staging") == (1,)
    with database.write() as writer:
        writer.execute(PUT, (1, b"b", b"v"))
        assert in_child(child) == 0
    put(database, b"c")
    assert paths(database) == [b"a", b"b", b"c"]


def test_a_child_cannot_finish_the_write_of_its_parent(database: Database) -> None:
    def child() -> None:
        with pytest.raises(RuntimeError, match="parent process"):
            block.__exit__(None, None, None)

    block = database.write()
    writer = block.__enter__()
    writer.execute(PUT, (1, b"a", b"v"))
    assert in_child(child) == 0
    block.__exit__(None, None, None)
    assert paths(database) == [b"a"]


def test_nothing_is_open_at_the_moment_of_a_fork(database: Database) -> None:
    def open_files() -> list[str]:
        return [os.path.basename(os.readlink(f"/proc/self/fd/{fd}")) for fd in _descriptors()]

    put(database, b"a")
    assert "lake.db" in open_files()
    assert in_child(lambda: None if "lake.db" not in open_files() else os._exit(5)) == 0
    assert paths(database) == [b"a"]
    put(database, b"b")


def _descriptors() -> list[str]:
    listed = os.listdir("/proc/self/fd")
    return [fd for fd in listed if os.path.lexists(f"/proc/self/fd/{fd}")]


def test_a_fork_while_threads_are_writing(database: Database) -> None:
    stop = threading.Event()

    def write(token: int) -> None:
        index = 0
        while not stop.is_set():
            put(database, b"%d" % index, token)
            index += 1

    def child() -> None:
        put(database, b"child", 99)
        assert paths(database, 99) == [b"child"]

    threads = [threading.Thread(target=write, args=(token,)) for token in range(4)]
    for thread in threads:
        thread.start()
    try:
        assert [in_child(child) for _ in range(10)] == [0] * 10
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    with database.read() as reader:
        assert reader.row("PRAGMA integrity_check") == ("ok",)


def test_the_killed_parent_of_a_living_child_holds_no_lock(database: Database) -> None:
    # The child inherits the lock's descriptor: kept open, it would hold the lock for its dead parent.
    go_read, go_write = os.pipe()

    def parent() -> None:
        with database.write():
            if os.fork() == 0:
                os.close(go_write)
                os.read(go_read, 1)  # stays until the test ends
                os._exit(0)
            os._exit(0)  # the "kill": inside the transaction

    assert in_child(parent) == 0
    put(database, b"a")
    os.close(go_read)
    os.close(go_write)
    assert paths(database) == [b"a"]


# -------------------------------------------------------------------------------------------------------------- opening


def test_a_missing_database_is_never_made_silently(database: Database) -> None:
    database.close()
    Path(database.path).unlink()
    with pytest.raises(Damaged, match="missing"):
        Database(database.folder)
    assert not Path(database.path).exists()


def test_an_empty_database_and_a_foreign_one_are_refused(database: Database) -> None:
    database.close()
    Path(database.path).write_bytes(b"")
    with pytest.raises(Damaged, match="no tables"):
        Database(database.folder)
    Path(database.path).write_bytes(b"not a database, " * 1000)
    with pytest.raises(Damaged, match="damaged"):
        Database(database.folder)


def test_tables_of_a_later_release_are_refused(database: Database) -> None:
    with database.write() as writer:
        writer.execute("PRAGMA user_version=99")
    with pytest.raises(UnknownFormat, match="version 99"):
        Database(database.folder)


def test_a_reader_answers_rows(database: Database) -> None:
    put(database, b"a")
    with database.read() as reader:
        assert isinstance(reader, Reader)
        assert reader.row("SELECT path, value FROM staging") == (b"a", b"value")
        assert reader.row("SELECT path FROM staging WHERE token = :token", {"token": 5}) is None


def test_a_fork_while_another_handle_on_the_folder_is_in_use(open_database: Open) -> None:
    busy, quiet = open_database(), open_database()

    def child() -> None:
        with pytest.raises(DiskError, match="forked in the middle"):
            put(quiet, b"x")

    with busy.write():
        assert in_child(child) == 0
    put(quiet, b"a")
    assert in_child(lambda: put(quiet, b"b")) == 0
    assert paths(busy) == [b"a", b"b"]


def test_a_damaged_page_is_an_error_of_ours_and_the_reader_is_not_lent_for_ever(database: Database) -> None:
    for index in range(200):
        put(database, b"%04d" % index + bytes(200))
    database.close()
    data = bytearray(Path(database.path).read_bytes())
    data[8192:] = bytes(len(data) - 8192)
    Path(database.path).write_bytes(data)
    damaged = Database(database.folder)
    for _ in range(3):
        with pytest.raises(Damaged, match="damaged"):
            paths(damaged)
    assert not damaged.readers.lent()
    damaged.close()


def test_a_full_disk_met_while_the_log_is_written_back_is_no_error_of_the_write(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "LONG_LOG", 0)

    def full(*, readonly: bool) -> apsw.Connection:
        assert not readonly
        raise apsw.FullError("database or disk is full")

    monkeypatch.setattr(database, "_connect", full)
    put(database, b"kept")
    monkeypatch.undo()
    assert paths(database) == [b"kept"]
    assert database.failed is None


@pytest.mark.parametrize("how", ["removed", "renamed", "replaced"])
def test_nothing_is_written_into_a_lake_that_is_no_longer_in_its_place(open_database: Open, how: str) -> None:
    database = open_database()
    put(database, b"before")
    assert not database.moved()
    os.rename(database.path, f"{database.path}.old") if how != "removed" else os.unlink(database.path)
    if how == "replaced":
        Path(database.path).write_bytes(b"")
    assert database.moved()
    with pytest.raises(DiskError, match="removed, renamed or replaced since it was opened; nothing of this write"):
        put(database, b"after")
    assert paths(database) == [b"before"]


def test_a_cursor_that_was_kept_holds_up_no_later_write(open_database: Open) -> None:
    """Another process has written meanwhile: a connection that still reads the old moment cannot begin."""
    database, kept = open_database(), list[object]()

    def work(writer: Writer) -> None:
        for index in range(3):
            writer.execute(PUT, (1, b"%d" % index, b""))
        cursor = writer.execute("SELECT path FROM staging")
        cursor.fetchone()
        kept.append(cursor)

    database.submit(work)
    other = multiprocessing.get_context("spawn").Process(target=_write_elsewhere, args=(database.folder,))
    other.start()
    other.join()
    assert other.exitcode == 0
    database.submit(lambda writer: writer.execute(PUT, (2, b"a", b"")).fetchall())
    with database.read() as reader:
        assert reader.row("SELECT count(*) FROM staging") == (5,)


def _write_elsewhere(folder: str) -> None:
    other = Database(folder)
    with other.write() as writer:
        writer.execute(PUT, (9, b"a", b""))
    other.close()
