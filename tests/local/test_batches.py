"""Batches on a real lake: killed, without power, and of two processes at a time. `storm.py` interrupts them."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import lakefs_hl as lakefs
from lakefs_hl.local.disk import database as database_module
from lakefs_hl.local.disk import fs
from lakefs_hl.local.disk.blobs import INLINE
from lakefs_hl.local.engine import Engine
from lakefs_hl.local.engine.fsck import fsck
from lakefs_hl.ops.effects import Op, gather, gather_each
from lakefs_hl.ops.upload import upload
from lakefs_hl.spec import models
from tests.local.disk.power import WAYS, Disk, recorded
from tests.local.disk.test_power import view

WIDTH: Final = 20
#: Failpoints that only a batch passes.
AT_BATCH: Final = ("blob.sync_all",)


def body(life: int, index: int) -> bytes:
    """Small as a rule, one in ten too large for the database; in every fifth life, nine in ten."""
    large = (index % 10 == 0) == bool(life % 5)
    return random.Random(f"{life}:{index}").randbytes(INLINE + 1 + index if large else 60)


def uploads(
    client: lakefs.Client, life: int, count: int | None, branch: str = "main"
) -> Iterator[Op[models.ObjectStats]]:
    for index in range(1 << 40 if count is None else count):
        yield upload(client._session, "repo", branch, f"{life}/{index:05}", body(life, index))


def open_lake(folder: Path) -> lakefs.Client:
    client = lakefs.Client(f"local:{folder}")
    lakefs.repository("repo", client=client).get_or_create("local://r")
    return client


def hold(folder: Path, acknowledged: list[tuple[int, int]]) -> None:
    """All that was acknowledged is there and whole, and the lake is sound."""
    engine = Engine.open(folder)
    try:
        for life, index in acknowledged:
            stats, content = engine.objects.read("repo", "main", f"{life}/{index:05}")
            data = content.body
            found = data if isinstance(data, bytes) else os.pread(data.fd, data.length, data.offset)
            content.release()
            assert found == body(life, index), f"{life}/{index}"
            assert stats.size_bytes == len(found)
        assert fsck(engine, read_data=True).damage == []
    finally:
        engine.close()


# --------------------------------------------------------------------------------------------------------------- kill


def write_until_killed(folder: Path, life: int, pipe: int) -> None:
    database_module.LONG_LOG = 64
    client = open_lake(folder)

    def say(index: int, _: object) -> None:
        os.write(pipe, b"%d\n" % index)

    client._blocking.run(gather_each(uploads(client, life, None), WIDTH, say))


def test_a_kill_in_the_middle_loses_nothing_acknowledged(tmp_path: Path, rng: random.Random) -> None:
    kill(tmp_path / "lake", rng, 8)


def kill(folder: Path, rng: random.Random, lives: int) -> None:
    """Kills one writer after the other, and looks whether all is there that they have acknowledged."""
    acknowledged = list[tuple[int, int]]()
    for life in range(lives):
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(read)
            try:
                write_until_killed(folder, life, write)
            finally:
                os._exit(3)
        os.close(write)
        said = os.read(read, 1 << 16)  # at least one is acknowledged
        timer = threading.Timer(rng.uniform(0, 0.05), os.kill, (pid, signal.SIGKILL))
        timer.start()
        while more := os.read(read, 1 << 16):
            said += more
        timer.join()
        os.close(read)
        assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
        acknowledged += [(life, int(line)) for line in said[: said.rfind(b"\n")].split(b"\n")]
    hold(folder, acknowledged)
    assert len(acknowledged) >= lives


def test_a_kill_at_each_point_leaves_a_batch_whole_or_undone(tmp_path: Path) -> None:
    folder = tmp_path / "lake"
    open_lake(folder).close()
    points = list[str]()

    def attempt(life: int, stop: str) -> bool:
        """Uploads in a child that dies at a point; says whether it came to its end."""
        pid = os.fork()
        if pid == 0:

            def hook(point: str) -> None:
                if point == stop:
                    os.kill(os.getpid(), signal.SIGKILL)

            try:
                client = open_lake(folder)
                fs.hook = hook
                client._blocking.run(gather(uploads(client, life, 20), WIDTH))
            finally:
                os._exit(0)
        return not os.WIFSIGNALED(os.waitpid(pid, 0)[1])

    client = open_lake(folder)
    fs.hook = points.append
    try:
        for life in (0, 1):
            client._blocking.run(gather(uploads(client, life, 20), WIDTH))
    finally:
        fs.hook = None
    client.close()
    del client
    assert not fs.can_sync_all() or {*AT_BATCH} <= {*points}
    for number, point in enumerate(dict.fromkeys(points), 1):
        life = 5 * number + (not point.startswith("blob.sync_all"))
        ended = attempt(life, point)
        engine = Engine.open(folder)
        there = len(engine.objects.list("repo", "main", prefix=f"{life}/", amount=100).results)
        engine.close()
        assert not ended, point
        assert there == (20 if point == "db.committed" else 0), point
    hold(folder, [(0, index) for index in range(20)])


# -------------------------------------------------------------------------------------------------------------- power


def test_without_power_a_batch_is_whole_or_not_there(tmp_path: Path, rng: random.Random) -> None:
    lose_batches(tmp_path, rng, 40)


def lose_batches(tmp_path: Path, rng: random.Random, states: int) -> None:
    """Lets the power go at moments of some batches: each of them is there, or none of it."""
    folder, acknowledged = tmp_path / "lake", list[tuple[int, set[str]]]()
    with recorded(folder) as recorder:
        client = open_lake(folder)
        for life in range(4):
            acknowledged.append((len(recorder.events), listed(client, "main")))
            client._blocking.run(gather(uploads(client, life, 20), WIDTH))
        acknowledged.append((len(recorder.events), listed(client, "main")))
        client.close()
        del client
    for number in range(states):
        at, way = rng.randint(acknowledged[0][0], len(recorder.events)), WAYS[number % len(WAYS)]
        left = tmp_path / f"left{number}"
        Disk(recorder.events[:at]).leave(left, way, rng)
        known = sum(1 for when, _ in acknowledged if when <= at)
        engine = Engine.open(left, sync=False)
        try:
            found = view(engine)
            assert fsck(engine, read_data=True).damage == []
        finally:
            engine.close()
        assert found is not None
        assert set(found["main"][1]) in [names for _, names in acknowledged[known - 1 : known + 1]]
        shutil.rmtree(left)


def listed(client: lakefs.Client, branch: str) -> set[str]:
    return {one.path for one in lakefs.repository("repo", client=client).branch(branch).list_objects(delimiter="")}


def test_without_power_a_transaction_loses_nothing_once_it_is_committed(tmp_path: Path, rng: random.Random) -> None:
    lose_writes_that_wait(tmp_path, rng, 30)


def lose_writes_that_wait(tmp_path: Path, rng: random.Random, states: int) -> None:
    """Lets the power go before and after the commit of what was not synced: after it, all is there."""
    folder, hidden = tmp_path / "lake", "tx-main-" + "0" * 32
    with recorded(folder) as recorder:
        client = open_lake(folder)
        engine = Engine.open(folder)
        engine.branches.create("repo", models.BranchCreation(hidden, "main", hidden=True))
        branched = len(recorder.events)
        for life in range(3):
            client._blocking.run(gather(uploads(client, life, 20, hidden), WIDTH))
        client._blocking.run(upload(client._session, "repo", hidden, "single", b"x"))
        assert not [event for event in recorder.events[branched:] if event[0] == "sync" and "lake.db" in event[1]]
        engine.commits.commit("repo", hidden, models.CommitCreation("m"), who="me")
        committed = len(recorder.events)
        engine.objects.put("repo", "main", "later", b"x")
        engine.close()
        client.close()
        del client
    for number in range(states):
        at = committed if number % 3 == 0 else rng.randint(branched, len(recorder.events))
        left = tmp_path / f"left{number}"
        Disk(recorder.events[:at]).leave(left, WAYS[number % len(WAYS)], rng)
        engine = Engine.open(left, sync=False)
        try:
            found = len(engine.objects.list("repo", hidden, amount=1000).results)
            assert fsck(engine, read_data=True).damage == []
        finally:
            engine.close()
        assert at < committed or found == 61
        shutil.rmtree(left)


def test_without_power_the_commit_of_another_connection_has_kept_all(tmp_path: Path, rng: random.Random) -> None:
    folder, hidden = tmp_path / "lake", "tx-main-" + "0" * 32
    with recorded(folder) as recorder:
        client = open_lake(folder)
        other = Engine(folder, sync=True, timeout=30.0)  # as another process has it: not the engine of the client
        other.branches.create("repo", models.BranchCreation(hidden, "main", hidden=True))
        client._blocking.run(gather(uploads(client, 1, 20, hidden), WIDTH))
        written = len(recorder.events)
        other.commits.commit("repo", hidden, models.CommitCreation("m"), who="me")
        committed = len(recorder.events)
        client.close()
        del client
        other.lake.database.close()
    assert not [event for event in recorder.events[written - 5 : written] if event[0] == "sync" and "wal" in event[1]]
    for way in WAYS:
        left = tmp_path / way
        Disk(recorder.events[:committed]).leave(left, way, rng)
        engine = Engine.open(left, sync=False)
        try:
            assert len(engine.objects.list("repo", hidden, amount=1000).results) == 20
            assert fsck(engine, read_data=True).damage == []
        finally:
            engine.close()


# ------------------------------------------------------------------------------------------------------ two processes


def write_all(folder: str, life: int, count: int) -> None:
    client = open_lake(Path(folder))
    client._blocking.run(gather(uploads(client, life, count), WIDTH))


def test_two_processes_in_batches(tmp_path: Path) -> None:
    folder = tmp_path / "lake"
    open_lake(folder).close()
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=write_all, args=(str(folder), life, 150)) for life in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    hold(folder, [(life, index) for life in range(2) for index in range(150)])
