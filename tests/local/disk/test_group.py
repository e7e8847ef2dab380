from __future__ import annotations

import multiprocessing
import random
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lakefs_hl.local.disk import group
from lakefs_hl.local.disk.database import Database, Writer
from lakefs_hl.local.disk.errors import DiskError, LockTimeout, ReadOnly
from lakefs_hl.local.disk.layout import prepare
from tests.local.disk.conftest import Open

PUT = "INSERT INTO staging(token, path, value) VALUES(?, ?, ?)"


def count(database: Database) -> int:
    with database.read() as reader:
        row = reader.row("SELECT count(*) FROM staging")
    assert row is not None
    return int(row[0])


def putting(token: int, index: int) -> Callable[[Writer], int]:
    def work(writer: Writer) -> int:
        writer.execute(PUT, (token, b"%d" % index, b"v"))
        return index

    return work


def line_up(database: Database, works: list[Callable[[Writer], object]]) -> tuple[list[object], list[threading.Thread]]:
    """Starts a thread for each work while the lake is held, so that all of them wait; gives their outcomes' list."""
    outcomes: list[object] = [None] * len(works)

    def run(index: int) -> None:
        try:
            outcomes[index] = database.submit(works[index])
        except BaseException as error:
            outcomes[index] = error

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(works))]
    for index, thread in enumerate(threads):
        thread.start()
        while len(database._group._queue) <= index:
            threading.Event().wait(0.001)
    return outcomes, threads


def test_many_threads_share_few_transactions(database: Database, points: list[str]) -> None:
    def write(token: int) -> None:
        for index in range(50):
            assert database.submit(putting(token, index)) == index

    threads = [threading.Thread(target=write, args=(token,)) for token in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count(database) == 800
    assert points.count("db.commit") < 800


def test_all_that_wait_go_in_one_transaction(database: Database, points: list[str]) -> None:
    with database.write():
        outcomes, threads = line_up(database, [putting(1, index) for index in range(20)])
        points.clear()
    for thread in threads:
        thread.join()
    assert outcomes == list(range(20))
    assert points.count("db.begin") == 1


def test_a_batch_has_an_end(database: Database, points: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group, "BATCH", 8)
    with database.write():
        outcomes, threads = line_up(database, [putting(1, index) for index in range(20)])
        points.clear()
    for thread in threads:
        thread.join()
    assert outcomes == list(range(20))
    assert points.count("db.begin") == 3


def test_a_job_that_fails_fails_alone(database: Database) -> None:
    def fails(writer: Writer) -> None:
        writer.execute(PUT, (2, b"half", b"v"))
        raise KeyError("mine")

    def misspelt(writer: Writer) -> None:
        writer.execute(PUT, (2, b"half too", b"v"))
        writer.execute("INSERT INTO nowhere VALUES(1)")

    works: list[Callable[[Writer], object]] = [putting(1, 0), fails, putting(1, 1), misspelt, putting(1, 2)]
    with database.write():
        outcomes, threads = line_up(database, works)
    for thread in threads:
        thread.join()
    assert [outcomes[0], outcomes[2], outcomes[4]] == [0, 1, 2]
    assert isinstance(outcomes[1], KeyError)
    assert isinstance(outcomes[3], DiskError)
    assert "nowhere" in str(outcomes[3])
    assert count(database) == 3


def test_a_job_alone_that_fails_leaves_nothing(database: Database) -> None:
    def fails(writer: Writer) -> None:
        writer.execute(PUT, (2, b"half", b"v"))
        raise KeyError("mine")

    with pytest.raises(KeyError):
        database.submit(fails)
    assert count(database) == 0
    assert database.submit(putting(1, 5)) == 5


def test_a_failed_commit_is_told_to_all_each_with_an_error_of_its_own(
    database: Database, fail_at: Callable[[str, OSError], None]
) -> None:
    with database.write():
        outcomes, threads = line_up(database, [putting(1, index) for index in range(5)])
        block = threading.Event()
        block.set()
    # the write above may have let the batch through already: fail the next one
    for thread in threads:
        thread.join()
    assert outcomes == list(range(5))
    hold = database.write()
    hold.__enter__()
    outcomes, threads = line_up(database, [putting(2, index) for index in range(5)])
    database.rollback()
    fail_at("db.commit", OSError(5, "Input/output error"))
    hold._active = False
    database.leave()
    for thread in threads:
        thread.join()
    assert all(isinstance(outcome, ReadOnly) for outcome in outcomes)
    assert len({id(outcome) for outcome in outcomes}) == 5
    assert count(database) == 5


def test_a_lake_that_stays_locked_is_told_to_all(open_database: Open) -> None:
    holder = open_database()
    database = open_database(timeout=0.3)
    with holder.write():
        outcomes: list[object] = []

        def run(index: int) -> None:
            try:
                database.submit(putting(1, index))
            except LockTimeout as error:
                outcomes.append(error)

        threads = [threading.Thread(target=run, args=(index,)) for index in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(outcomes) == 4
    assert len({id(outcome) for outcome in outcomes}) == 4
    assert database.submit(putting(1, 9)) == 9


class _Interrupt(BaseException):
    """Stands for Ctrl-C, landing in the thread that leads."""


def test_an_interrupted_leader_loses_nobody_elses_job(database: Database) -> None:
    ran: list[int] = []

    def once(index: int) -> Callable[[Writer], int]:
        def work(writer: Writer) -> int:
            ran.append(index)
            if index == 0 and ran.count(0) == 1:
                raise _Interrupt
            writer.execute(PUT, (1, b"%d" % index, b"v"))
            return index

        return work

    with database.write():
        outcomes, threads = line_up(database, [putting(1, 100), once(0), putting(1, 1), putting(1, 2)])
    for thread in threads:
        thread.join()
    # The interruption landed while the first one led: that one is interrupted, the others are carried by the next.
    assert isinstance(outcomes[0], _Interrupt)
    assert outcomes[1:] == [0, 1, 2]
    assert count(database) == 3
    assert not database._group._leading
    assert database.submit(putting(1, 7)) == 7


def test_interruptions_at_random_lines_never_hang_nor_lose(database: Database, rng: random.Random) -> None:
    import ctypes

    acknowledged: set[tuple[int, int]] = set()
    stop = threading.Event()
    guard = threading.Lock()

    def write(token: int) -> None:
        index = 0
        while not stop.is_set():
            index += 1
            try:
                database.submit(putting(token, index))
                with guard:
                    acknowledged.add((token, index))
            except _Interrupt:
                continue

    threads = [threading.Thread(target=write, args=(token,)) for token in range(4)]
    for thread in threads:
        thread.start()
    victims = threads[:2]
    for _ in range(100):
        threading.Event().wait(rng.random() * 0.004)
        victim = rng.choice(victims)
        assert victim.ident is not None
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(victim.ident), ctypes.py_object(_Interrupt))
    before = len(acknowledged)
    threading.Event().wait(0.05)
    stop.set()
    for thread in threads[2:]:
        thread.join(timeout=60)
        assert not thread.is_alive(), "a follower hangs"
    for thread in victims:
        thread.join(timeout=60)
        assert not thread.is_alive(), "an interrupted thread hangs"
    assert len(acknowledged) > before
    assert database.submit(putting(99, 1)) == 1
    with database.read() as reader:
        rows = {(token, int(path)) for token, path in reader.execute("SELECT token, path FROM staging")}
    assert acknowledged <= rows


def _process(folder: str, token: int, amount: int) -> None:
    database, _ = prepare(folder, tree={})
    threads = [
        threading.Thread(target=lambda t=token * 10 + k: [database.submit(putting(t, i)) for i in range(amount)])
        for k in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    database.close()


def test_two_processes_of_many_threads(database: Database, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_process, args=(database.folder, token, 100)) for token in (1, 2)]
    for process in processes:
        process.start()
    for index in range(100):
        database.submit(putting(77, index))
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert count(database) == 500
