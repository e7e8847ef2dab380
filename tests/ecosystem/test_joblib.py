"""joblib: objects in a lake, its workers with handles, and its cache by commit."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

import lakefs_hl
from tests.ecosystem import samples
from tests.ecosystem.conftest import Lake
from tests.ecosystem.libraries import needs
from tests.worlds import storage_hosts

needs("joblib", "numpy")

import joblib
import numpy as np


@pytest.mark.parametrize("compress", [0, 3, ("lzma", 3)])
def test_objects_are_dumped_and_loaded(lake: Lake, compress: Any) -> None:
    branch, weights = lake.branch, np.random.default_rng(0).random((200, 300))
    value = {"weights": weights, "names": ["a", "b"], "more": [weights[:3].copy(), weights.T.copy(order="F")]}
    with branch.open("model.joblib", "wb") as file:
        joblib.dump(value, file, compress=compress)
    commit = branch.commit_changes("model")
    with branch.open("model.joblib", "wb") as file:
        joblib.dump("another", file)
    with commit.open("model.joblib", "rb") as file:
        found = joblib.load(file)
    assert found["names"] == ["a", "b"]
    assert np.array_equal(found["weights"], weights)
    assert np.array_equal(found["more"][1], weights.T)
    with branch.open("model.joblib", "rb") as file:
        assert joblib.load(file) == "another"


def test_a_failed_dump_publishes_nothing(lake: Lake) -> None:
    with pytest.raises(pickle.PicklingError, match="this is not pickled"):
        with lake.branch.open("model.joblib", "wb") as file:
            joblib.dump([np.ones(100_000), samples.Unpicklable()], file)
    assert not lake.branch.exists("model.joblib")


def test_workers_write_one_transaction(lake: Lake) -> None:
    client = lakefs_hl.Client(**lake.options, pickle_secrets=True, allowed_storage_hosts=storage_hosts())
    branch = lakefs_hl.repository(lake.branch.repository_id, client=client).branch("main")
    before = branch.head()
    with branch.transaction("by joblib") as tx:
        tasks = (joblib.delayed(samples.write)(tx.handle(), number) for number in range(8))
        infos = joblib.Parallel(n_jobs=2)(tasks)
        assert list(branch.list_objects()) == []
    assert [info.path for info in infos] == [f"parts/{number}" for number in range(8)]
    merge, commit, *older = branch.log(max_amount=3)
    assert merge.parents == [before.id, commit.id]
    assert older == [before]
    tasks = (joblib.delayed(samples.read)(branch.pin(), number) for number in range(8))
    assert joblib.Parallel(n_jobs=2)(tasks) == [b"%d" % number for number in range(8)]


def test_a_cache_knows_a_commit(lake: Lake, tmp_path: Path) -> None:
    """The key of a cached call has the commit: it is computed again after a commit, and only then."""
    memory = joblib.Memory(tmp_path / "cache", verbose=0)
    count = memory.cache(samples.count)
    branch = lake.branch
    samples.fill(branch, 3)
    assert not count.check_call_in_cache(branch.pin())
    assert count(branch.pin()) == 3
    branch.upload(b"4", "train/uncommitted.txt")
    assert count.check_call_in_cache(lakefs_hl.Branch(branch.repository_id, "main", lake.client).pin())
    assert count(branch.pin()) == 3
    branch.commit_changes("fourth")
    assert not count.check_call_in_cache(branch.pin())
    assert count(branch.pin()) == 4
    secret = lake.options.get("password", "no secret").encode()
    assert all(secret not in path.read_bytes() for path in tmp_path.glob("cache/**/*") if path.is_file())
