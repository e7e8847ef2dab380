"""`ProcessPoolExecutor` under every start method: one transaction, one commit; or nothing if a worker is killed."""

from __future__ import annotations

import os
import pickle
import signal
from concurrent.futures.process import BrokenProcessPool

import pytest

import lakefs_hl
from lakefs_hl import exceptions
from tests import workers
from tests.ecosystem.conftest import Lake


def delegated(lake: Lake) -> lakefs_hl.Branch:
    """The branch, with a client that workers without credentials can use."""
    return lakefs_hl.Branch(lake.branch.repository_id, "main", lake.client.delegate())


def write_and_die(handle: lakefs_hl.TransactionHandle, number: int) -> None:
    """Write an object; the third task ends its process without a word."""
    handle.upload(b"1", f"killed/{number}")
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("method", workers.METHODS)
def test_four_processes_write_one_commit(lake: Lake, method: str) -> None:
    if lake.kind == "served" and method != "spawn":
        pytest.skip("how a process starts does not matter to a server; a real one is tried with all")
    branch = delegated(lake)
    with branch.transaction("nothing") as tx:
        data = pickle.dumps(tx.handle())
    assert not [
        one for one in (lake.options.get("username"), lake.options.get("password")) if one and one.encode() in data
    ]
    workers.write_all(branch, method, 4, 50)


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_killed_process_rolls_back(lake: Lake) -> None:
    branch = delegated(lake)
    branch.upload(b"before", "kept")
    before = branch.commit_changes("before").id
    with pytest.raises(exceptions.TransactionException) as caught, workers.pool("spawn", 2) as pool:
        with branch.transaction("killed", delete_on_error=True) as tx:
            for done in [pool.submit(write_and_die, tx.handle(), number) for number in range(4)]:
                done.result()
    assert isinstance(caught.value.__cause__, BrokenProcessPool)
    assert branch.head().id == before
    assert [info.path for info in branch.list_objects()] == ["kept"]
    assert list(branch.list_uncommitted()) == []
    workers.check_no_branch_is_left(branch)
