"""One transaction, many processes: all they write is one commit and one merge, or nothing."""

from __future__ import annotations

import asyncio
import os
import pickle
import secrets
from pathlib import Path
from typing import Any, cast

import pytest

import lakefs_hl
from lakefs_hl import aio, exceptions
from tests import workers
from tests.lakes import served_lake as served_lake

KEYS = ("LAKECTL_SERVER_ENDPOINT_URL", "LAKECTL_CREDENTIALS_ACCESS_KEY_ID", "LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY")


@pytest.fixture
def local(tmp_path: Path) -> Any:
    with lakefs_hl.Client(f"local:{tmp_path}/lake") as client:
        yield lakefs_hl.repository("example", client=client).create().branch("main")


@pytest.fixture
def served(served_lake: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A branch of a server whose key is in the environment, and in no pickle."""
    for name, value in zip(KEYS, served_lake[:3], strict=True):
        monkeypatch.setenv(name, value)
    with lakefs_hl.Client(*served_lake[:3]) as client:
        yield lakefs_hl.repository(f"t-{secrets.token_hex(8)}", client=client).create().branch("main")


@pytest.mark.parametrize("method", workers.METHODS)
def test_all_that_workers_write_is_one_commit_and_one_merge(local: lakefs_hl.Branch, method: str) -> None:
    workers.write_all(local, method, 3, 20)


def test_workers_of_a_server_use_their_own_credentials(served: lakefs_hl.Branch, served_lake: Any) -> None:
    with served.transaction("nothing") as tx:
        data = pickle.dumps(tx.handle())
    assert served_lake.secret.encode() not in data
    assert served_lake.secret not in repr(tx.handle())
    assert len(data) < 1000
    workers.write_all(served, "spawn", 2, 10)


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_worker_that_is_killed_leaves_nothing(local: lakefs_hl.Branch) -> None:
    before = local.head().id
    with pytest.raises(exceptions.TransactionException, match="a worker ended with -9"):
        workers.kill_one(local)
    assert local.head().id == before
    assert not local.exists("killed/1")
    assert list(local.list_uncommitted()) == []
    workers.check_no_branch_is_left(local)


def test_a_failing_worker_fails_the_transaction(local: lakefs_hl.Branch) -> None:
    with pytest.raises(exceptions.TransactionException) as caught:
        with workers.pool("spawn", 1) as pool, local.transaction("fails", delete_on_error=True) as tx:
            tx.handle().upload(b"1", "a")
            pool.submit(workers.read_part, cast("Any", None)).result()
    assert isinstance(caught.value.__cause__, AttributeError)
    assert not local.exists("a")
    workers.check_no_branch_is_left(local)


def test_tasks_of_asyncio_share_a_handle(tmp_path: Path) -> None:
    async def main() -> None:
        async with aio.Client(f"local:{tmp_path}/lake") as client:
            branch = (await aio.repository("example", client=client).create()).branch("main")
            async with branch.transaction("by tasks") as tx:
                handle = pickle.loads(pickle.dumps(tx.handle()))
                await asyncio.gather(*(handle.upload(b"1", f"{number}") for number in range(20)))
            assert len(await branch.list_objects().to_list()) == 20
            parts = await branch.partition(3)
            read = await asyncio.gather(*(pickle.loads(pickle.dumps(part)).objects().to_list() for part in parts))
            assert sum(map(len, read)) == 20
            with pytest.raises(exceptions.NotFoundException, match="has ended"):
                await handle.upload(b"1", "late")

    asyncio.run(main())
