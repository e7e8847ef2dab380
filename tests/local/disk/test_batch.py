"""Many jobs in one transaction: each is undone alone, all are acknowledged together, and none is lost or doubled."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable

import pytest

from lakefs_hl.local.disk import batch, fs
from lakefs_hl.local.disk.database import Database, Writer
from lakefs_hl.local.disk.errors import DiskError, NoSpace, ReadOnly
from tests.local.disk.conftest import Open

PUT = "INSERT INTO staging(token, path, value) VALUES(?, ?, ?)"


def paths(database: Database) -> list[bytes]:
    with database.read() as reader:
        return [row[0] for row in reader.execute("SELECT path FROM staging ORDER BY path")]


def putting(database: Database, path: bytes, error: Exception | None = None) -> Callable[[], bytes]:
    def work(writer: Writer) -> bytes:
        writer.execute(PUT, (1, path, b"v"))
        if error is not None:
            raise error
        return path

    return lambda: database.submit(work)


@pytest.fixture(params=["main thread", "another thread"])
def run(request: pytest.FixtureRequest) -> Callable[[Callable[[], object]], object]:
    """Calls something on the main thread, which never leads, or on another, which does."""

    def here(call: Callable[[], object]) -> object:
        return call()

    def elsewhere(call: Callable[[], object]) -> object:
        found = list[object]()
        thread = threading.Thread(target=lambda: found.append(call()))
        thread.start()
        thread.join()
        return found[0]

    return here if request.param == "main thread" else elsewhere


def test_all_jobs_share_one_transaction(
    database: Database, points: list[str], run: Callable[[Callable[[], object]], object]
) -> None:
    names = [b"%03d" % index for index in range(100)]
    assert run(lambda: batch.run(database, [putting(database, name) for name in names])) == names
    assert paths(database) == names
    assert points.count("db.commit") == 1


def test_a_job_that_fails_is_undone_alone(database: Database, run: Callable[[Callable[[], object]], object]) -> None:
    refused = KeyError("mine")
    jobs = [putting(database, b"a"), putting(database, b"b", refused), putting(database, b"c")]
    assert run(lambda: batch.run(database, jobs)) == [b"a", refused, b"c"]
    assert paths(database) == [b"a", b"c"]


def test_a_wrong_statement_is_an_error_of_its_job(database: Database) -> None:
    def misspelt() -> bytes:
        return database.submit(lambda writer: writer.execute("INSERT INTO nowhere VALUES(1)").get)  # type: ignore[no-any-return]

    first, second = batch.run(database, [misspelt, putting(database, b"b")])
    assert isinstance(first, DiskError)
    assert second == b"b"
    assert paths(database) == [b"b"]


def test_a_job_reads_what_was_written_before_it(database: Database) -> None:
    found = list[list[bytes]]()
    batch.run(database, [putting(database, b"a"), lambda: found.append(paths(database)), putting(database, b"b")])
    assert found == [[b"a"]]
    assert paths(database) == [b"a", b"b"]  # and a read after it is one of its own


def test_nobody_else_sees_a_batch_before_it_is_over(database: Database) -> None:
    seen = list[list[bytes]]()

    def look() -> None:
        thread = threading.Thread(target=lambda: seen.append(paths(database)))
        thread.start()
        thread.join()

    batch.run(database, [putting(database, b"a"), look])
    assert seen == [[]]


def test_a_batch_lets_go_of_the_lake_in_time(
    database: Database, points: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "HELD", 0.0)
    assert batch.run(database, [putting(database, b"%d" % index) for index in range(4)]) == [b"0", b"1", b"2", b"3"]
    assert points.count("db.commit") == 4


def test_a_batch_shares_a_transaction_with_others(database: Database, points: list[str]) -> None:
    outcomes = list[object]()
    works = [
        lambda: outcomes.extend(batch.run(database, [putting(database, b"a"), putting(database, b"b", KeyError())])),
        lambda: outcomes.append(database.submit(lambda writer: writer.execute(PUT, (1, b"c", b"v")).get)),
    ]
    threads = [threading.Thread(target=work) for work in works]
    with database.write():
        for index, thread in enumerate(threads):
            thread.start()
            while len(database._group._queue) <= index:
                threading.Event().wait(0.001)
        points.clear()
    for thread in threads:
        thread.join()
    assert paths(database) == [b"a", b"c"]
    assert points.count("db.begin") == 1


@pytest.mark.parametrize(("number", "kind"), [(errno.EIO, ReadOnly), (errno.ENOSPC, NoSpace)])
def test_a_commit_that_fails_is_the_outcome_of_every_job(
    database: Database, fail_at: Callable[[str, OSError], None], number: int, kind: type[Exception]
) -> None:
    fail_at("db.commit", OSError(number, "injected"))
    outcomes = batch.run(database, [putting(database, b"%d" % index) for index in range(3)])
    fs.hook = None
    assert [type(one) for one in outcomes] == [kind] * 3
    assert len({id(one) for one in outcomes}) == 3
    assert paths(database) == []


def test_a_transaction_that_sqlite_has_undone_is_lost_for_all(database: Database) -> None:
    def undo() -> bytes:
        def work(writer: Writer) -> bytes:
            writer.execute("ROLLBACK")
            raise KeyError("mine")

        return database.submit(work)

    outcomes = batch.run(database, [putting(database, b"a"), undo, putting(database, b"c")])
    assert all(isinstance(one, Exception) for one in outcomes)
    assert paths(database) == []
    assert batch.run(database, [putting(database, b"d")]) == [b"d"]


def test_a_batch_that_is_interrupted_by_closing_keeps_nothing(database: Database) -> None:
    def interrupted() -> bytes:
        def work(writer: Writer) -> bytes:
            writer.define("stop", writer._connection.interrupt)
            writer.execute(
                "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 100000) "
                "INSERT INTO staging SELECT 2, CAST(x AS BLOB), stop() FROM n"
            )
            return b""

        return database.submit(work)

    outcomes = batch.run(database, [putting(database, b"a"), interrupted, putting(database, b"c")])
    failed = [one for one in outcomes if isinstance(one, DiskError)]
    assert failed
    assert all("is being closed" in str(one) for one in failed)
    assert paths(database) in ([], [b"a", b"c"])  # as SQLite has it
    assert len(failed) == (3 if paths(database) == [] else 1)


def test_a_batch_on_a_closed_lake_is_refused(open_database: Open) -> None:
    database = open_database()
    database.close()
    (outcome,) = batch.run(database, [putting(database, b"a")])
    assert isinstance(outcome, DiskError)


def test_writes_that_need_not_last_yet_are_not_synced(open_database: Open, points: list[str]) -> None:
    database = open_database()
    seen = list[bool]()

    def work(writer: Writer) -> None:
        seen.append(writer.durable)
        writer.execute(PUT, (1, b"%d" % len(seen), b"v"))

    database.submit(work, durable=False)
    batch.run(database, [lambda: database.submit(work)], durable=False)
    database.submit(work)
    assert seen == [False, False, True]
    assert len(paths(database)) == 3


def test_one_durable_job_makes_a_shared_transaction_durable(database: Database) -> None:
    seen = list[bool]()

    def work(writer: Writer) -> None:
        seen.append(writer.durable)

    threads = [
        threading.Thread(target=lambda: database.submit(work, durable=False)),
        threading.Thread(target=lambda: database.submit(work)),
    ]
    with database.write():
        for index, thread in enumerate(threads):
            thread.start()
            while len(database._group._queue) <= index:
                threading.Event().wait(0.001)
    for thread in threads:
        thread.join()
    assert seen == [True, True]


def test_an_interrupted_leader_runs_a_batch_again(database: Database) -> None:
    import ctypes

    class Stop(BaseException):
        pass

    entered, release = threading.Event(), threading.Event()
    runs, outcomes, stopped = list[int](), list[object](), list[type[BaseException]]()

    def job() -> int:
        def work(writer: Writer) -> int:
            writer.execute(PUT, (1, b"job", b"v"))
            return len(runs)

        runs.append(1)
        found = database.submit(work)
        if len(runs) == 1:  # the one that leads is another's thread: it is interrupted here
            entered.set()
            until = time.monotonic() + 20
            while time.monotonic() < until:
                release.wait(0.001)
        return found

    def lead() -> None:
        try:
            database.submit(lambda writer: writer.execute(PUT, (1, b"leader", b"v")).get)
        except BaseException as exc:
            stopped.append(type(exc))

    leader = threading.Thread(target=lead)
    follower = threading.Thread(target=lambda: outcomes.extend(batch.run(database, [job])))
    with database.write():
        for index, thread in enumerate((leader, follower)):
            thread.start()
            while len(database._group._queue) <= index:
                threading.Event().wait(0.001)
    assert entered.wait(20)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(leader.ident or 0), ctypes.py_object(Stop))
    leader.join(30)
    follower.join(30)
    assert stopped == [Stop]
    assert outcomes == [2]
    assert paths(database) == [b"job"]
