"""What workers in other processes do with the handle of a transaction and with partitions."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import Connection
from typing import Any

import lakefs_hl

METHODS = [method for method in ("fork", "spawn", "forkserver") if method in multiprocessing.get_all_start_methods()]


def write_part(handle: lakefs_hl.TransactionHandle, part: int, count: int) -> list[lakefs_hl.ObjectInfo]:
    """Write the objects of one worker, one by one, in bulk and as a file."""
    infos = [handle.upload(b"%d" % number, f"{part}/{number:04}") for number in range(count - 2)]
    handle.upload_many([(f"{part}/{count - 2:04}", b"%d" % (count - 2))])
    with handle.open(f"{part}/{count - 1:04}", "wb") as file:
        file.write(b"%d" % (count - 1))
    return infos


def read_part(partition: lakefs_hl.Partition) -> dict[str, bytes]:
    """Read the objects of one partition."""
    return {info.path: info.download() for info in partition.objects()}


def write_and_wait(handle: lakefs_hl.TransactionHandle, done: Connection) -> None:
    """Write an object, say so, and wait to be killed."""
    handle.upload(b"1", "killed/1")
    done.send(True)
    signal.pause()


@contextlib.contextmanager
def pool(method: str, workers: int) -> Iterator[ProcessPoolExecutor]:
    """Workers in other processes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # from 3.12 on: that this process has threads
        with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context(method)) as made:
            yield made


def write_all(branch: lakefs_hl.Branch, method: str, workers: int, count: int) -> None:
    """Write `workers * count` objects into one transaction, each worker its part, and check what came of it."""
    before = branch.head().id
    read: dict[str, Any] = {}
    with pool(method, workers) as started:
        with branch.transaction("by workers") as tx:
            handle = tx.handle()
            futures = [started.submit(write_part, handle, part, count) for part in range(workers)]
            infos = [info for future in futures for info in future.result()]
            assert not list(branch.list_objects(max_amount=1))
        for part in started.map(read_part, branch.partition(workers)):
            assert not read.keys() & part.keys()
            read |= part
    names = [f"{part}/{number:04}" for part in range(workers) for number in range(count)]
    assert [info.path for info in infos] == [name for name in names if int(name.partition("/")[2]) < count - 2]
    assert [info.path for info in branch.list_objects(recursive=True)] == names
    merge, *commits = [commit for commit in branch.log(stop_at=before) if commit.id != before]
    assert merge.parents == [before, commits[0].id]
    assert len(commits) == 1
    check_no_branch_is_left(branch)
    assert read == {name: b"%d" % int(name.partition("/")[2]) for name in names}


def kill_one(branch: lakefs_hl.Branch) -> None:
    """Kill a worker of an open transaction."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    with branch.transaction("killed", delete_on_error=True) as tx:
        worker = context.Process(target=write_and_wait, args=(tx.handle(), theirs))
        worker.start()
        assert ours.poll(60)
        assert ours.recv() is True
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        worker.join()
        msg = f"a worker ended with {worker.exitcode}"
        raise RuntimeError(msg)


def check_no_branch_is_left(branch: lakefs_hl.Branch) -> None:
    repository = lakefs_hl.repository(branch.repository_id, client=branch._given)
    assert [found.id for found in repository.list_branches(hidden=True)] == ["main"]
    assert list(repository.transactions()) == []
