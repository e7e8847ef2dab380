"""Zarr 3: groups and arrays of a lake; what reading a part of one costs."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

import lakefs_hl
from tests import serving
from tests.ecosystem.conftest import Lake
from tests.ecosystem.libraries import needs
from tests.faults.proxy import proxied

needs("fsspec", "numpy", "zarr")

import numpy as np
import zarr
from zarr.storage import FsspecStore

VALUES = np.arange(2400.0).reshape(40, 60)

pytestmark = pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part:UserWarning")  # a known gap


def write(url: str, options: Any = None) -> Any:
    """Write a group with one array of 16 chunks."""
    group = zarr.open_group(url, mode="w", storage_options=options)
    group.attrs["title"] = "trial"
    array = group.create_array("a/x", shape=VALUES.shape, chunks=(10, 15), dtype="f8")
    array[:] = VALUES
    return group


def test_groups_and_arrays_are_written_read_and_deleted(lake: Lake) -> None:
    url = f"{lake.uri}/trial.zarr"
    write(url, lake.options)
    array = zarr.open_array(url, path="a/x", mode="r+")
    array[3:5, 7] = -1.0
    array.append(np.ones((10, 60)))
    expected = np.vstack([VALUES, np.ones((10, 60))])
    expected[3:5, 7] = -1.0
    store = FsspecStore.from_url(url, storage_options=lake.options, read_only=True)
    group: Any = zarr.open_group(store, mode="r")
    assert group.attrs["title"] == "trial"
    assert np.array_equal(group["a/x"][:], expected)
    assert group["a/x"][3, 7] == -1.0
    with pytest.raises(ValueError, match="read-only"):
        group["a/x"][0, 0] = 5.0
    assert len(lake.branch.list_objects(prefix="trial.zarr/a/x/c/", recursive=True).to_list()) == 20
    zarr.consolidate_metadata(FsspecStore.from_url(url))
    assert list(zarr.open_consolidated(url)["a"]) == ["x"]
    changed: Any = zarr.open_group(url, mode="r+", use_consolidated=False)
    changed["kept"] = np.arange(3)
    del changed["a/x"]
    assert lake.branch.list_objects(prefix="trial.zarr/a/x/", recursive=True).to_list() == []
    assert np.array_equal(changed["kept"][:], [0, 1, 2])


def test_a_mapper_is_a_store(lake: Lake) -> None:
    mapper = lake.branch.fs().get_mapper(f"{lake.uri}/mapped.zarr", create=True)
    array = zarr.create_array(mapper, shape=(4,), chunks=(2,), dtype="i8")
    array[:] = [1, 2, 3, 4]
    assert sorted(mapper) == ["c/0", "c/1", "zarr.json"]
    assert list(zarr.open_array(mapper, mode="r")[1:3]) == [2, 3]


def test_a_transaction_is_one_commit_and_commits_are_compared(lake: Lake) -> None:
    branch = lake.branch
    with branch.transaction("first") as tx:
        write(f"{tx.uri}trial.zarr")
        assert branch.list_objects(recursive=True).to_list() == []
    first = branch.head()
    with branch.transaction("second") as tx:
        array = zarr.open_array(f"{tx.uri}trial.zarr", path="a/x")
        array[0, 0] = 99.0
    second = branch.head()
    with pytest.raises(lakefs_hl.exceptions.TransactionException, match="no such file"):
        with branch.transaction("failed", delete_on_error=True) as tx:
            write(f"{tx.uri}trial.zarr")
            raise FileNotFoundError("no such file")
    assert branch.head() == second
    assert len(branch.log().to_list()) == 5  # two transactions, a commit and a merge each, on the first commit
    assert [each.path for each in first.diff(second, delimiter="")] == ["trial.zarr/a/x/c/0/0"]
    before, after = (zarr.open_array(f"{commit.uri}trial.zarr", path="a/x", mode="r")[:] for commit in (first, second))
    assert np.array_equal(before, VALUES)
    assert np.argwhere(before != after).tolist() == [[0, 0]]
    with pytest.raises(PermissionError, match="is not a branch"):
        zarr.open_array(f"{first.uri}trial.zarr", path="a/x", mode="r+")[0, 0] = 1.0
    assert first.diff(branch.head()).to_list() == first.diff(second).to_list()


@pytest.fixture
def counted(served_lake: serving.Served) -> Iterator[tuple[Any, lakefs_hl.Branch, dict[str, Any]]]:
    """A proxy that notes all requests, a branch behind it and the options that name it."""
    with proxied(served_lake.url) as proxy:
        options: dict[str, Any] = {"host": proxy.url, "username": served_lake.key, "password": served_lake.secret}
        with lakefs_hl.Client(**options) as client:
            name = f"zarr-{secrets.token_hex(4)}"
            yield proxy, lakefs_hl.repository(name, client=client).create().branch("main"), options


def test_a_chunk_costs_one_request(counted: Any) -> None:
    proxy, branch, options = counted
    write(f"{branch.uri}trial.zarr", options)
    commit = branch.commit_changes("trial")
    array: Any = zarr.open_array(f"{commit.uri}trial.zarr", path="a/x", mode="r", storage_options=options)
    before = len(proxy.seen)
    assert np.array_equal(array[10:12, 15:20], VALUES[10:12, 15:20])
    one = proxy.seen[before:]
    assert array[:].sum() == VALUES.sum()
    everything = proxy.seen[before + len(one) :]
    assert [seen.operation for seen in one] == ["getObject"]
    assert "trial.zarr%2Fa%2Fx%2Fc%2F1%2F1" in one[0].target
    assert [seen.operation for seen in everything] == ["getObject"] * 16
