"""Dask on processes: frames and bags over `lakefs://`, one transaction for all workers, tokens by commit."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import exceptions
from tests import workers
from tests.ecosystem.conftest import Lake
from tests.ecosystem.libraries import needs

needs("dask", "distributed", "pandas", "pyarrow")

import dask
import dask.bag
import dask.dataframe
import distributed
import pandas as pd
from dask.tokenize import tokenize

#: Of Dask's own calls.
pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword:pandas.errors.Pandas4Warning")
FRAME = pd.DataFrame({"number": range(100), "name": [f"row {number}" for number in range(100)]})


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[distributed.Client]:
    """Two worker processes on loopback. Their environment names no lake."""
    folder = tmp_path_factory.mktemp("dask")
    settings = {
        "distributed.scheduler.allowed-failures": 0,  # a task whose worker dies is not tried again
        "distributed.worker.daemon": True,
        "temporary-directory": str(folder),
    }
    with (
        dask.config.set(settings),
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            # without a dashboard too there is a server, and two workers of pytest want the same port for it
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
            silence_logs=50,
        ) as started,
        distributed.Client(started) as client,
    ):
        yield client


def write(handle: lakefs_hl.TransactionHandle, number: int) -> tuple[int, str]:
    """Write one part, and say which process did."""
    return os.getpid(), handle.upload(b"%d" % number, f"parts/{number:03}").path


def write_and_die(handle: lakefs_hl.TransactionHandle, number: int) -> None:
    """Write one part; then the process of the third is killed."""
    write(handle, number)
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)


def read(version: lakefs_hl.Reference, number: int) -> tuple[int, bytes]:
    """Read the object that each version has in its own way."""
    return number, version.download("version")


def delegated(lake: Lake) -> lakefs_hl.Branch:
    """The branch, with a client that workers without credentials can use."""
    return lakefs_hl.Branch(lake.branch.repository_id, "main", lake.client.delegate())


def test_frames_and_bags(lake: Lake, cluster: distributed.Client) -> None:
    before = lake.branch.head().id
    options: dict[str, Any] = {"storage_options": lake.options}
    with lake.branch.transaction("by Dask") as tx:
        parts = dask.dataframe.from_pandas(FRAME, npartitions=2)
        parts.to_parquet(tx.uri("table"), **options)
        parts.to_csv(tx.uri("csv/part-*.csv"), index=False, **options)
        parts["name"].to_bag().to_textfiles(tx.uri("text/*.txt.gz"), **options)
        assert not lake.branch.is_dir("table")
    assert len([commit for commit in lake.branch.log(stop_at=before) if commit.id != before]) == 2  # and the merge
    assert len(list(lake.branch.list_objects(prefix="table/", recursive=True))) == 2
    table = dask.dataframe.read_parquet(f"{lake.uri}/table", columns=["number"], **options)
    assert (table.npartitions, int(table["number"].sum().compute())) == (2, 4950)
    pd.testing.assert_frame_equal(
        dask.dataframe.read_csv(f"{lake.uri}/csv/*.csv", **options).compute().reset_index(drop=True),
        FRAME,
        check_dtype=False,
    )
    texts = dask.bag.read_text(f"{lake.uri}/text/*.txt.gz", **options)
    assert sorted(texts.map(str.strip).compute()) == sorted(FRAME["name"])


def test_processes_write_one_transaction(lake: Lake, cluster: distributed.Client) -> None:
    branch = delegated(lake)
    before = branch.head().id
    with branch.transaction("by two workers") as tx:
        done = cluster.gather(cluster.map(write, [tx.handle()] * 40, range(40)))
        assert not branch.is_dir("parts")
    assert len({process for process, _ in done}) == 2
    assert [info.path for info in branch.list_objects(prefix="parts/")] == [path for _, path in done]
    merge, *commits = [commit for commit in branch.log(stop_at=before) if commit.id != before]
    assert (merge.parents, len(commits)) == ([before, commits[0].id], 1)
    workers.check_no_branch_is_left(branch)


def test_readers_of_a_pinned_version_see_one(lake: Lake, cluster: distributed.Client) -> None:
    branch = delegated(lake)
    for number in range(3):
        branch.upload(b"%d" % number, "version")
        FRAME.assign(number=number).to_parquet(f"{lake.uri}/moving/t.parquet", storage_options=lake.options)
        branch.commit_changes(f"version {number}")
        if number == 0:
            version = branch.pin()
            first = cluster.map(read, [version] * 4, range(4))
            table = dask.dataframe.read_parquet(f"{version.uri}moving", storage_options=lake.options)
    assert cluster.gather(first) == [(number, b"0") for number in range(4)]
    assert cluster.gather(cluster.map(read, [version] * 4, range(4, 8))) == [(number, b"0") for number in range(4, 8)]
    assert cluster.gather(cluster.map(read, [branch] * 4, range(4))) == [(number, b"2") for number in range(4)]
    assert int(table["number"].sum().compute()) == 0
    moved = dask.dataframe.read_parquet(f"{lake.uri}/moving", storage_options=lake.options)
    assert int(moved["number"].sum().compute()) == 200


def test_tokens_are_of_versions(lake: Lake) -> None:
    branch, tag = lake.branch, lakefs_hl.Tag(lake.branch.repository_id, "v1", lake.client)
    branch.upload(b"0", "a")
    branch.commit_changes("0")
    tag.create("main")
    moving = [branch, lakefs_hl.ref(lake.uri), branch.object("a"), lakefs_hl.ref(f"{lake.uri}~0")]
    still = [branch.pin(), lakefs_hl.ref(f"lakefs://{branch.repository_id}/{branch.pin().id}"), tag, tag.object("a")]
    before, pinned = [tokenize(one) for one in moving], [tokenize(one) for one in still]
    assert pinned[0] == pinned[1]
    assert before == [tokenize(one) for one in moving]
    assert len({*before, *pinned}) == 6  # the two `Reference` are of one version
    branch.upload(b"1", "a")  # staged: no ID names what is read
    assert tokenize(branch) != tokenize(branch) != before[0]
    assert tokenize(branch.stat("a")) not in before
    branch.commit_changes("1")
    after = [tokenize(one) for one in moving]
    assert not {*before} & {*after}
    assert after == [tokenize(one) for one in moving]
    assert pinned == [tokenize(one) for one in still]
    other = lake.new_branch()
    assert tokenize(other.pin()) != tokenize(branch.pin())
    with branch.transaction("writes") as tx:
        assert tokenize(tx.handle()) != tokenize(tx.handle())
    with pytest.raises(exceptions.NotFoundException):
        tokenize(lakefs_hl.ref(f"lakefs://{branch.repository_id}/nowhere"))


def test_a_frame_is_read_again_after_its_branch_moved(lake: Lake, cluster: distributed.Client) -> None:
    """Dask finds earlier results by tokens: of files, those of the file system."""
    found = []
    for number in range(2):
        lake.branch.upload(f"a\n{number}\n", "t.csv")
        FRAME.assign(number=number).to_parquet(f"{lake.uri}/t.parquet", storage_options=lake.options)
        text = dask.dataframe.read_csv(f"{lake.uri}/t.csv", storage_options=lake.options)
        table = dask.dataframe.read_parquet(f"{lake.uri}/t.parquet", storage_options=lake.options)
        lake.branch.commit_changes(f"version {number}")
        # Dask looks at the URL of a bag only, so that must be of a version
        bag = dask.bag.read_text(f"{lake.branch.pin().uri}t.csv", storage_options=lake.options)
        found.append([text.persist(), table.persist(), bag.persist()])  # results stay on the workers
        distributed.wait(found[-1])
    sums = [(int(text["a"].sum().compute()), int(table["number"].sum().compute())) for text, table, _ in found]
    assert sums == [(0, 0), (1, 100)]
    assert [bag.compute() for _, _, bag in found] == [["a\n", "0\n"], ["a\n", "1\n"]]


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_killed_worker_rolls_back(lake: Lake, cluster: distributed.Client) -> None:
    branch = delegated(lake)
    before = branch.head().id
    with pytest.raises(exceptions.TransactionException) as caught:
        with branch.transaction("killed", delete_on_error=True) as tx:
            cluster.gather(cluster.map(write_and_die, [tx.handle()] * 4, range(4)))
    assert isinstance(caught.value.__cause__, distributed.KilledWorker)
    assert branch.head().id == before
    assert list(branch.list_objects()) == list(branch.list_uncommitted()) == []
    workers.check_no_branch_is_left(branch)


def test_file_systems_of_tasks_are_one(lake: Lake, cluster: distributed.Client, tmp_path: Path) -> None:
    fs = delegated(lake).fs()
    lake.branch.upload(b"1", "a")
    name = f"{lake.branch.repository_id}/main/a"
    done = cluster.gather([cluster.submit(instance_of, fs, name, number, workers=None) for number in range(6)])
    assert {content for _, content in done} == {b"1"}
    assert len({instance for instance, _ in done}) <= 2  # one in each process


def instance_of(fs: Any, name: str, number: int) -> tuple[tuple[int, int], bytes]:
    """Return which file system a task has got, and what it reads by it."""
    return (os.getpid(), id(fs)), fs.cat_file(name)
