"""What is scarce is told and forgotten; a failed sync makes a lake read-only until it is verified."""

from __future__ import annotations

import errno
import os
import resource
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import apsw
import pytest

from lakefs_hl.local.disk import database as database_module
from lakefs_hl.local.disk import frames, fs, trust
from lakefs_hl.local.disk.blobs import INLINE, Blobs
from lakefs_hl.local.disk.database import Database, Writer
from lakefs_hl.local.disk.errors import DiskError, NoSpace, ReadOnly, Scarcity
from lakefs_hl.local.disk.rows import translate
from tests.local.disk.conftest import Open

PUT = "INSERT INTO staging(token, path, value) VALUES(1, ?, 'v')"
SCARCE = [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.ENOSPC, errno.EDQUOT, errno.EFBIG]


def putting(path: bytes) -> Callable[[Writer], None]:
    def work(writer: Writer) -> None:
        writer.execute(PUT, (path,))

    return work


def paths(database: Database) -> set[bytes]:
    with database.read() as reader:
        return {row[0] for row in reader.execute("SELECT path FROM staging")}


@pytest.mark.parametrize("number", SCARCE, ids=errno.errorcode.get)
def test_what_is_scarce_at_any_point_is_told_and_forgotten(
    database: Database, points: list[str], fail_at: Callable[[str, OSError], None], number: int
) -> None:
    blobs = Blobs(database)

    def write(index: int) -> None:
        blob = blobs.put(bytes([index]) * (INLINE + 1 + index))

        def work(writer: Writer) -> None:
            blobs.record(writer, blob)
            writer.execute(PUT, (b"%d" % index,))

        database.submit(work)

    fs.hook = points.append
    write(0)
    reached = [point for point in dict.fromkeys(points) if not point.startswith("db.checkpoint")]
    assert len(reached) > 8
    for index, point in enumerate(reached, 1):
        if point in {"db.committed", "blob.mkdir"}:
            continue  # nothing can fail there; reached for a new folder only
        before = paths(database)
        blobs._synced.clear()
        fail_at(point, OSError(number, os.strerror(number)))
        with pytest.raises(Scarcity) as caught:
            write(index)
        assert caught.value.errno == number
        assert isinstance(caught.value, NoSpace) == (number in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
        fs.hook = None
        assert database.failed is None
        assert paths(database) == before
        assert os.listdir(os.path.join(database.folder, "objects", "tmp")) == []
        write(index)


@pytest.fixture
def few_descriptors() -> Iterator[Callable[[], list[int]]]:
    """Uses up all descriptors; they are given back at the end."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken: list[int] = []

    def use_up() -> list[int]:
        # above those that the process has open, such as connections that its clients keep
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(256, max(map(int, os.listdir("/dev/fd"))) + 64), hard))
        try:
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            return taken

    yield use_up
    for fd in taken:
        os.close(fd)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_no_descriptors_is_no_damage(database: Database, few_descriptors: Callable[[], list[int]]) -> None:
    blobs = Blobs(database)
    blobs.put(bytes(INLINE + 1))
    database.submit(putting(b"a"))
    taken = few_descriptors()
    for room in range(4):
        for _ in range(room and 1):
            os.close(taken.pop())
        database.readers._close_idle()
        with suppress(Scarcity):  # nothing else
            blobs.put(os.urandom(INLINE + 1))
        with suppress(Scarcity):
            paths(database)
    while taken:
        os.close(taken.pop())
    assert database.failed is None
    blobs.put(os.urandom(INLINE + 1))
    database.submit(putting(b"b"))
    assert paths(database) == {b"a", b"b"}


def test_a_failed_sync_is_verified_and_the_lake_goes_on(
    open_database: Open, fail_at: Callable[[str, OSError], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    database = open_database()
    database.submit(putting(b"before"))
    fail_at("db.commit", OSError(errno.EIO, "Input/output error"))
    with pytest.raises(ReadOnly, match="read-only for now"):
        database.submit(putting(b"lost"))
    fs.hook = None
    with pytest.raises(ReadOnly, match="verifies"):
        database.submit(putting(b"too soon"))
    monkeypatch.setattr(trust, "RESUMES", 0.0)
    fail_at("log.fsync", OSError(errno.EIO, "Input/output error"))
    with pytest.raises(ReadOnly, match="stays read-only"):
        database.submit(putting(b"still not"))
    seen: list[str] = []
    fs.hook = seen.append
    database.submit(putting(b"after"))
    assert seen.index("log.write") < seen.index("log.fsync") < seen.index("db.begin")
    assert database.failed is None
    assert paths(database) == {b"before", b"after"}


def test_a_lake_is_verified_while_its_log_is_written_back(open_database: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads never use one connection: the one that verifies waits until the log is written back."""
    database = open_database()
    monkeypatch.setattr(trust, "RESUMES", 0.0)
    monkeypatch.setattr(database_module, "LONG_LOG", 1)
    database.submit(putting(b"before"))  # the connection that writes back is made
    at_work, go, told = threading.Event(), threading.Event(), list[object]()

    def hook(point: str) -> None:
        if point == "db.checkpointed" and threading.current_thread() is tidier:
            at_work.set()
            assert go.wait(30)

    def write_back() -> None:
        database.log.due = None
        database.tidy()

    def write() -> None:
        try:
            told.append(database.submit(putting(b"after")))
        except BaseException as error:
            told.append(error)

    tidier, writer = threading.Thread(target=write_back), threading.Thread(target=write)
    fs.hook = hook
    try:
        tidier.start()
        assert at_work.wait(30)
        connection = database.log.tidier
        assert connection is not None
        database.trust.fail("a test")
        writer.start()
        while not (database.log.turn._waiting or told):
            os.sched_yield()
        assert not told, "it did not wait"
        assert connection.pragma("user_version") is not None, "it was closed under the one that uses it"
    finally:
        go.set()
        tidier.join()
        if writer.ident:
            writer.join()
        fs.hook = None
    assert told == [None]
    assert database.failed is None
    assert paths(database) == {b"before", b"after"}


def test_a_log_that_is_not_on_the_disk_is_found(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    database.submit(putting(b"a"))
    log = f"{database.path}-wal"
    assert frames.whole(log) == database.log.pages
    data = bytearray(Path(log).read_bytes())
    data[-100] ^= 1
    (tmp_path / "log").write_bytes(data)
    assert frames.whole(str(tmp_path / "log")) < database.log.pages
    (tmp_path / "log").write_bytes(data[:20])
    assert frames.whole(str(tmp_path / "log")) == 0
    database.trust.fail("a test")
    monkeypatch.setattr(trust, "RESUMES", 0.0)
    monkeypatch.setattr(frames, "whole", lambda _path: 0)
    with pytest.raises(ReadOnly, match=r"0 of .* pages of the log"):
        database.submit(putting(b"b"))


@pytest.mark.parametrize(("number", "kind"), [(errno.EMFILE, Scarcity), (errno.ENOSPC, NoSpace), (0, DiskError)])
def test_what_the_system_said_to_sqlite_is_told(tmp_path: Path, number: int, kind: type[DiskError]) -> None:
    path = tmp_path / "lake.db"
    path.touch()
    assert type(translate(apsw.CantOpenError("x"), str(path), number)) is kind or number
    assert isinstance(translate(apsw.IOError("x"), str(path), number), kind)


# ------------------------------------------------------------------------------------------------------------- closing


def test_closing_waits_for_nobody(open_database: Open) -> None:
    database = open_database()
    other = open_database()
    begun, told = threading.Event(), list[BaseException]()

    def count(writer: Writer) -> None:
        begun.set()
        writer.row("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n")

    def run() -> None:
        try:
            database.run(count)
        except DiskError as error:
            told.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    begun.wait()
    began = time.monotonic()
    database.close()
    assert time.monotonic() - began < 1.5
    thread.join()
    assert "being closed" in str(told[0])
    other.submit(putting(b"a"))  # the lock is free
    assert paths(other) == {b"a"}


def test_closing_does_not_wait_for_another_process(open_database: Open) -> None:
    holder = open_database()
    database = open_database()
    told: list[BaseException] = []

    def wait() -> None:
        try:
            database.submit(putting(b"never"))
        except DiskError as error:
            told.append(error)

    with holder.write():
        thread = threading.Thread(target=wait)
        thread.start()
        while database._lock._wait is None:
            threading.Event().wait(0.001)
        began = time.monotonic()
        database.close()
        assert time.monotonic() - began < 1.5
        thread.join()
    assert len(told) == 1


def test_reads_and_openings_wait_for_no_writer(open_database: Open) -> None:
    holder = open_database()
    holder.submit(putting(b"a"))
    with holder.write() as writer:
        writer.execute(PUT, (b"b",))
        times = []
        for _ in range(20):
            began = time.monotonic()
            database = open_database(timeout=30.0)
            assert paths(database) == {b"a"}
            database.close()
            times.append(time.monotonic() - began)
    assert sorted(times)[-2] < 0.25
