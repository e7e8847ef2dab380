"""The job file: who has which objects, leases by a clock that the test sets, and files that are no job."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lakefs_hl.facades import jobs
from lakefs_hl.facades.jobs import Job
from lakefs_hl.facades.records import Entry
from tests.processes import ending

IDENTITY = {"source": "a", "destination": "b"}


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.job"


@contextmanager
def worker(path: Path, clock: Clock, **options: Any) -> Iterator[Job]:
    job = Job(path, options.pop("identity", IDENTITY), clock=clock, lease=60, heartbeat=False, **options)
    job.open()
    try:
        yield job
    finally:
        job.close()


def fill(job: Job, count: int = 10) -> None:
    assert job.take_listing() == ""
    assert job.add([Entry(f"{number:02}", number) for number in range(count)])
    job.end_listing(True)


def names(job: Job, count: int) -> list[str]:
    return [each.path for each in job.take(count)]


def test_each_object_is_taken_by_one_worker(path: Path, clock: Clock) -> None:
    with worker(path, clock) as one, worker(path, clock) as two:
        fill(one)
        assert names(one, 4) == ["00", "01", "02", "03"]
        assert names(two, 4) == ["04", "05", "06", "07"]
        assert names(one, 4) == ["08", "09"]
        assert names(two, 4) == []
        assert one.state() == (True, 0, 10, 0, 0)
        assert not one.state().complete
        assert one.finish([("00", None), ("01", "no")]) == [True, True]
        assert two.finish([("00", None), ("04", None)]) == [False, True]
        assert two.state() == (True, 0, 7, 2, 1)
        assert two.failures() == [("01", "no")]


def test_a_worker_that_is_silent_loses_what_it_had(path: Path, clock: Clock) -> None:
    with worker(path, clock) as silent, worker(path, clock) as other:
        fill(silent)
        assert len(silent.take(10)) == 10
        clock.now += 59
        other.renew()
        assert other.take(10) == []
        clock.now += 1
        taken = other.take(3)
        assert [(each.path, each.size, each.retaken) for each in taken] == [
            ("00", 0, True), ("01", 1, True), ("02", 2, True),
        ]  # fmt: skip
        # it comes back: what it did does not count, and it goes on with what nobody has
        assert silent.finish([("00", None), ("05", None)]) == [False, False]
        assert names(silent, 2) == ["03", "04"]
        assert other.finish([("00", None)]) == [True]


def test_a_worker_that_renews_keeps_what_it_has(path: Path, clock: Clock) -> None:
    with worker(path, clock) as slow, worker(path, clock) as other:
        fill(slow, 2)
        slow.take(2)
        for _ in range(10):
            clock.now += 30
            slow.renew()
            assert other.take(2) == []


def test_the_heartbeat_renews(path: Path) -> None:
    job = Job(path, IDENTITY, lease=0.04)
    job.open()
    try:
        select = "SELECT expires FROM worker"
        first = jobs._value(job._connection, select)
        while jobs._value(job._connection, select) == first:
            assert job._thread is not None
            job._thread.join(0.01)
    finally:
        job.close()
    assert job._thread is not None
    assert not job._thread.is_alive()


def test_a_worker_that_ends_releases_what_it_had(path: Path, clock: Clock) -> None:
    with worker(path, clock) as job:
        fill(job, 3)
        job.take(2)
        job.finish([("00", None)])
    with worker(path, clock) as job:
        assert [(each.path, each.retaken) for each in job.take(9)] == [("01", True), ("02", False)]


def test_a_process_that_has_died_loses_what_it_had_at_once(path: Path, clock: Clock) -> None:
    with worker(path, clock) as job:
        fill(job, 3)
    code = f"""
import os, signal
from lakefs_hl.facades.jobs import Job
job = Job({str(path)!r}, {IDENTITY!r}, clock=lambda: {clock.now})
job.open()
assert len(job.take(2)) == 2 and job.take_listing() is None
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == -9
    with worker(path, clock) as job:
        assert names(job, 9) == ["00", "01", "02"]


def test_a_number_that_another_process_has_now_is_not_that_worker(path: Path, clock: Clock) -> None:
    machine, own = jobs._machine(), jobs._start_of(os.getpid())
    assert machine
    assert own
    assert not jobs._is_dead(machine, os.getpid(), own)
    assert jobs._is_dead(machine, os.getpid(), "1")
    assert jobs._is_dead(machine, 2**22 + 1, "1")
    # of other machines, and where it is unknown, only the lease counts
    assert not jobs._is_dead("elsewhere", 2**22 + 1, "1")
    assert not jobs._is_dead("", 2**22 + 1, "1")
    assert not jobs._is_dead(machine, 2**22 + 1, None)


def test_one_worker_lists_and_another_takes_over(path: Path, clock: Clock) -> None:
    with worker(path, clock) as one, worker(path, clock) as two:
        assert one.take_listing() == ""
        assert two.take_listing() is None
        assert one.add([Entry("a", 1), Entry("b", 1)])
        assert names(two, 1) == ["a"]
        clock.now += 60
        two.renew()
        assert two.take_listing() == "b"
        assert not one.add([Entry("x", 1)])
        one.end_listing(True)
        assert not two.state().listed
        assert two.add([Entry("c", 1)])
        two.end_listing(True)
        assert two.state().listed
        assert one.take_listing() is None
        assert names(one, 9) == ["b", "c"]


def test_given_paths_need_no_listing(path: Path, clock: Clock) -> None:
    with worker(path, clock) as one, worker(path, clock) as two:
        for job in (one, two):
            job.add_paths(["b", "a", "b"])
            job.end_paths()
        assert [(each.path, each.size) for each in one.take(9)] == [("a", None), ("b", None)]


def test_what_failed_is_tried_again_by_the_next_call(path: Path, clock: Clock) -> None:
    with worker(path, clock) as job:
        fill(job, 2)
        job.take(2)
        job.finish([("00", "no"), ("01", None)])
        assert job.take(2) == []
        assert job.state().complete
    with worker(path, clock) as job:
        assert not job.state().complete
        assert names(job, 2) == ["00"]


def test_a_job_of_another_transfer_is_refused(path: Path, clock: Clock) -> None:
    with worker(path, clock):
        pass
    other = {"source": "a", "destination": "c", "update": True}
    with pytest.raises(ValueError, match=r"another transfer: destination is 'b' there and 'c' here; update is None"):
        Job(path, other, heartbeat=False).open()
    with worker(path, clock):
        pass


def test_files_that_are_no_job(path: Path, clock: Clock, tmp_path: Path) -> None:
    path.write_text("something of the user that is long enough to have a header\n" * 100)
    before = path.read_bytes()
    with pytest.raises(ValueError, match="is no job of a transfer"):
        Job(path, IDENTITY).open()
    assert path.read_bytes() == before
    database = tmp_path / "other.sqlite"
    connection = sqlite3.connect(database)
    connection.execute("CREATE TABLE mine (x)")
    connection.commit()
    connection.close()
    before = database.read_bytes()
    with pytest.raises(ValueError, match="is a database, but no job"):
        Job(database, IDENTITY).open()
    assert database.read_bytes() == before
    with pytest.raises(OSError, match="cannot be opened"):
        Job(tmp_path / "none/x.job", IDENTITY).open()
    with worker(path.with_name("new.job"), clock) as job:
        job._connection.execute("PRAGMA user_version = 9")
    with pytest.raises(ValueError, match="has format 9"):
        Job(path.with_name("new.job"), IDENTITY).open()


def test_two_that_create_the_file_at_once(path: Path) -> None:
    code = f"""
from lakefs_hl.facades.jobs import Job
job = Job({str(path)!r}, {IDENTITY!r})
job.open()
job.add_paths([str(number) for number in range(1000)])
taken = []
while some := job.take(7):
    taken += [each.path for each in some]
    job.finish([(each.path, None) for each in some])
print(len(taken))
job.close()
"""
    running = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) for _ in range(3)]
    with ending(*running):
        counts = [int(each.communicate(timeout=100)[0]) for each in running]
    assert [each.returncode for each in running] == [0, 0, 0]
    assert sum(counts) == 1000
