"""pyarrow: datasets that read only what a query needs, in counted requests and bytes; a file system of a reference."""

from __future__ import annotations

import pickle

import pytest

from tests.ecosystem.libraries import needs

needs("pyarrow", "fsspec", "numpy")

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pyarrow.fs as pafs
import pyarrow.parquet as pq
from pyarrow import csv, feather, orc

import lakefs_hl
from lakefs_hl.exceptions import NotFoundException
from tests.ecosystem.conftest import Lake
from tests.ecosystem.tap import tapped

ROWS = 120_000


def table(rows: int = ROWS, seed: int = 5) -> pa.Table:
    drawn = np.random.default_rng(seed)
    return pa.table(
        {
            "id": np.arange(rows),
            "year": np.repeat([2024, 2025, 2026], rows // 3),
            "wide": drawn.random(rows),
            "other": drawn.random(rows),
        }
    )


def write_years(branch: lakefs_hl.Branch) -> pa.Table:
    """Write a table in three files, one for each year, of four row groups each."""
    whole = table()
    pads.write_dataset(
        whole,
        "years",
        filesystem=branch.arrow_filesystem(),
        format="parquet",
        partitioning=["year"],
        partitioning_flavor="hive",
        max_rows_per_group=10_000,
    )
    return whole


def test_a_dataset_reads_only_what_a_query_needs(lake: Lake) -> None:
    whole = write_years(lake.branch)
    infos = lake.branch.list_objects(prefix="years/", recursive=True).to_list()
    assert [info.path for info in infos] == [f"years/year={year}/part-0.parquet" for year in (2024, 2025, 2026)]
    size = lake.branch.usage("years/").total_bytes

    with tapped(lake.client) as tap:
        found = lake.branch.arrow_dataset("years/").to_table()
    assert (
        found.sort_by("id")
        .select(whole.column_names)
        .equals(whole.set_column(1, "year", pc.cast(whole["year"], "int32")))
    )
    assert tap.content_bytes() < 1.2 * size

    with tapped(lake.client) as tap:  # one partition: the others are not opened, but the first, for its schema
        dataset = lake.branch.arrow_dataset("years/", schema=found.schema)
        part = dataset.to_table(filter=pc.field("year") == 2026)
    assert part.num_rows == ROWS // 3
    assert tap.paths_read() == {"years/year=2026/part-0.parquet"}

    with tapped(lake.client) as tap:  # one row group of one file, and one column of it
        few = dataset.to_table(columns=["wide"], filter=pc.field("id") == ROWS - 1)
    assert few.num_rows == 1
    assert tap.content_bytes() < size / 4
    assert len(tap.seen) <= (7 if lake.kind == "served" else 16)  # a look-up, the footer, and the column of one file


def test_a_projection_does_not_read_the_whole_file(lake: Lake) -> None:
    with lake.branch.open("t.parquet", "wb") as file:
        pq.write_table(table(), file, row_group_size=10_000)
    size = lake.branch.stat_object("t.parquet").size_bytes
    with tapped(lake.client) as tap:
        with pq.ParquetFile(f"{lake.uri}/t.parquet".removeprefix("lakefs://"), filesystem=lake.branch.fs()) as file:
            assert file.metadata.num_rows == ROWS
            column = file.read_row_group(11, columns=["other"])
    assert column.num_rows == 10_000
    assert tap.content_bytes() < size / 4
    assert len(tap.seen) <= (3 if lake.kind == "served" else 8)  # a look-up, the footer, the column
    with tapped(lake.client) as tap:
        whole = pq.read_table("t.parquet", filesystem=lake.branch.arrow_filesystem())
    assert whole.equals(table())
    assert tap.content_bytes() < 1.2 * size


def test_all_formats_come_back(lake: Lake) -> None:
    """By the file system of the reference: its paths are those of objects."""
    small = table(300)
    files = lake.branch.arrow_filesystem()
    pq.write_table(small, "f/t.parquet", filesystem=files)
    with files.open_output_stream("f/t.feather") as stream:
        feather.write_feather(small, stream)
    with files.open_output_stream("f/t.orc") as stream:
        orc.write_table(small, stream)
    with files.open_output_stream("f/t.csv") as stream:
        csv.write_csv(small, stream)
    assert {info.name for info in lake.branch.list_objects(prefix="f/")} == {"t.parquet", "t.feather", "t.orc", "t.csv"}
    assert pq.read_table("f/t.parquet", filesystem=files).equals(small)
    with files.open_input_file("f/t.feather") as source:
        assert feather.read_table(source).equals(small)
    with files.open_input_file("f/t.orc") as source:
        assert orc.read_table(source).equals(small)
    for kind in ("parquet", "feather", "orc", "csv"):
        assert lake.branch.arrow_dataset(f"f/t.{kind}", format=kind).to_table().num_rows == 300, kind
    assert (
        pads.dataset(lake.branch.uri("f/t.parquet").removeprefix("lakefs://"), filesystem=lake.branch.fs()).count_rows()
        == 300
    )


def test_the_file_system_says_what_is_there(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """lakefs-spec#321: pyarrow took objects for "unknown", and read an empty table."""
    lake.branch.upload(b"12345", "d/a__b@~.bin")
    files = lake.branch.arrow_filesystem()
    info, directory, none = files.get_file_info(["d/a__b@~.bin", "d", "none"])
    assert (info.type, info.size, info.base_name) == (pafs.FileType.File, 5, "a__b@~.bin")
    assert info.mtime.timestamp() == lake.branch.stat_object("d/a__b@~.bin").modified_time.timestamp()
    assert (directory.type, none.type) == (pafs.FileType.Directory, pafs.FileType.NotFound)
    assert [one.path for one in files.get_file_info(pafs.FileSelector("", recursive=True))] == ["d", "d/a__b@~.bin"]
    names = ("SERVER_ENDPOINT_URL", "CREDENTIALS_ACCESS_KEY_ID", "CREDENTIALS_SECRET_ACCESS_KEY")
    for name, value in zip(names, lake.options.values(), strict=False):
        monkeypatch.setenv(f"LAKECTL_{name}", value)  # pickles have no secret: the other process has its own
    again = pickle.loads(pickle.dumps(lake.branch.fs()))
    assert again.cat(f"{lake.uri}/d/a__b@~.bin") == b"12345"
    for path in ("none/", "none", "none.parquet"):
        with pytest.raises(FileNotFoundError, match=rf"^arrow_dataset of {lake.branch.uri}none.*: no object has that"):
            lake.branch.arrow_dataset(path)
    with pytest.raises(NotFoundException, match="there is no branch, tag or commit 'nope'"):
        lakefs_hl.Reference(lake.branch.repository_id, "nope", lake.client).arrow_dataset("none")


def test_a_commit_is_one_version_for_all_readers(lake: Lake) -> None:
    lake.branch.upload(b"a\n1\n", "t/a.csv")
    first = lake.branch.commit_changes("first")
    pinned = first.arrow_dataset("t/", format="csv")
    lake.branch.upload(b"a\n2\n", "t/a.csv")
    lake.branch.upload(b"a\n3\n", "t/b.csv")
    assert pinned.to_table()["a"].to_pylist() == [1]
    assert first.arrow_dataset("t/", format="csv").to_table()["a"].to_pylist() == [1]
    assert sorted(lake.branch.arrow_dataset("t/", format="csv").to_table()["a"].to_pylist()) == [2, 3]
    with pytest.raises(OSError, match=r"not a branch"):
        pq.write_table(table(3), "t.parquet", filesystem=first.arrow_filesystem())


def test_datasets_are_written_in_a_transaction(lake: Lake) -> None:
    with lake.branch.transaction("years") as tx:
        pads.write_dataset(
            table(300),
            "t",
            filesystem=tx.arrow_filesystem(),
            format="parquet",
            partitioning=["year"],
            partitioning_flavor="hive",
        )
        assert tx.arrow_dataset("t/").count_rows() == 300
        assert not lake.branch.exists("t/year=2024/part-0.parquet")
    assert lake.branch.arrow_dataset("t/").count_rows() == 300
