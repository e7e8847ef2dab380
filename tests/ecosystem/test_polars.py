"""Polars: lazy frames by copies on this machine or by the S3 gateway, and file objects."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from tests.ecosystem.libraries import needs

needs("polars", "fsspec")

import polars as pl
from polars.testing import assert_frame_equal

import lakefs_hl
from lakefs_hl.exceptions import NotFoundException, UnsupportedOperationException
from lakefs_hl.integrations import copies
from tests.ecosystem.conftest import Lake
from tests.ecosystem.tap import tapped

FRAME = pl.DataFrame({"id": range(1000), "price": [n / 7 for n in range(1000)], "name": ["ä", "b"] * 500})


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEFS_HL_CACHE_DIR", str(tmp_path / "cache"))


def write(branch: Any, path: str, frame: pl.DataFrame = FRAME) -> None:
    with branch.open(path, "wb") as file:
        frame.write_parquet(file)


def test_filters_and_columns_are_pushed_down(lake: Lake) -> None:
    for part in (1, 2):
        write(lake.branch, f"t/{part}.parquet")
    write(lake.branch, "other/3.parquet")
    commit = lake.branch.commit_changes("tables")
    lazy = commit.polars.scan_parquet("t/*.parquet").filter(pl.col("id") < 3).select("id", "price")
    plan = lazy.explain()
    assert "SELECTION" in plan
    assert "PROJECT 2/3 COLUMNS" in plan
    assert lazy.collect().height == 6
    assert commit.polars.scan_parquet("t/").select(pl.len()).collect().item() == 2000
    assert_frame_equal(commit.polars.scan_parquet("other/3.parquet").collect(), FRAME)
    assert commit.polars.scan_parquet("**/*.parquet").select(pl.len()).collect().item() == 3000


def test_a_copy_has_what_the_glob_names_once_for_each_version(lake: Lake) -> None:
    for path in ("t/1.parquet", "t/2.parquet", "t/x.bin", "other/3.parquet"):
        write(lake.branch, path)
    commit = lake.branch.commit_changes("tables")
    with tapped(lake.client) as tap:
        assert commit.polars.scan_parquet("t/*.parquet", via="local").collect().height == 2000
    assert tap.paths_read() <= {"t/1.parquet", "t/2.parquet"}
    with tapped(lake.client) as tap:
        assert commit.polars.scan_parquet("t/*.parquet", via="local").collect().height == 2000
    assert tap.seen == []  # a commit that is on this machine needs no request
    place = Path(copies.local_copy(commit, "t/1.parquet"))
    assert not place.stat().st_mode & 0o222
    assert sorted(found.name for found in place.parent.iterdir()) == ["1.parquet"]


def test_uncommitted_changes_are_read_too(lake: Lake) -> None:
    """A snapshot has none of them: they are copied for this process."""
    branch = lake.branch
    write(branch, "t/1.parquet", FRAME.head(1))
    branch.commit_changes("first")

    def scan(at: Any) -> list[int]:
        return sorted(at.polars.scan_parquet("t/*.parquet", via="local").collect()["id"].to_list())

    assert scan(branch) == [0]
    write(branch, "t/2.parquet", FRAME.slice(5, 1))
    assert scan(branch) == [0, 5]
    assert scan(lakefs_hl.ref(lake.uri)) == [0, 5]  # also by a reference that does not say that it is a branch
    assert scan(branch.get_commit()) == scan(lakefs_hl.ref(f"{lake.uri}@")) == [0]
    branch.delete_objects("t/1.parquet")
    assert scan(branch) == [5]
    branch.reset()
    with branch.transaction("nothing") as tx:
        write(tx, "t/3.parquet", FRAME.slice(7, 1))
        assert scan(tx) == [0, 7]
        assert scan(tx.handle()) == [0, 7]
        assert scan(branch) == [0]
        tx.delete_objects("t/3.parquet")
    assert scan(branch) == [0]


def test_copies_of_uncommitted_changes_end_with_the_process(lake: Lake, tmp_path: Path) -> None:
    write(lake.branch, "t.parquet")
    code = f"""
        import os, lakefs_hl
        lakefs_hl.init(**{lake.options!r})
        branch = lakefs_hl.ref({lake.uri!r})
        assert branch.polars.scan_parquet("t.parquet", via="local").collect().height == 1000
        assert len(os.listdir({str(tmp_path)!r})) == 1
        if os.fork() == 0:
            raise SystemExit  # runs the handlers of a process that ends: the directory is its parent's
        os.wait()
        assert branch.polars.scan_parquet("t.parquet", via="local").collect().height == 1000
        assert [len(files) for _, _, files in os.walk({str(tmp_path)!r}) if files] == [1, 1]
    """
    (tmp_path := tmp_path / "temporary").mkdir()
    code = code.replace(str(tmp_path.parent), str(tmp_path), 4).replace(f"{tmp_path}/lake", f"{tmp_path.parent}/lake")
    lake.client.close()
    environ = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True, env=environ, timeout=60)
    assert list(tmp_path.iterdir()) == []


def test_directories_become_columns(lake: Lake) -> None:
    for year in (2025, 2026):
        write(lake.branch, f"t/year={year}/a.parquet", FRAME.head(2))
    found = lake.branch.polars.scan_parquet("t/", hive_partitioning=True).collect()
    assert sorted(found["year"].to_list()) == [2025, 2025, 2026, 2026]


def test_other_formats(lake: Lake) -> None:
    for name in ("csv", "ndjson", "ipc"):
        with lake.branch.open(f"t.{name}", "wb") as file:
            getattr(FRAME, f"write_{name}")(file)
        scan = getattr(lake.branch.polars, f"scan_{name}")
        assert scan(f"t.{name}").select(pl.col("id").sum()).collect().item() == 499500, name


def test_file_objects_are_read_and_written(lake: Lake) -> None:
    with lake.branch.open("t.parquet", "wb") as written:
        sink: Any = written
        FRAME.lazy().sink_parquet(sink)
    with lake.branch.open("t.parquet", "rb") as file:
        assert_frame_equal(pl.read_parquet(file, columns=["id"]), FRAME.select("id"))
    with lake.branch.fs().open(f"{lake.uri}/t.parquet") as file:
        assert_frame_equal(pl.read_parquet(file), FRAME)
    assert lake.branch.list_objects().to_list()[0].path == "t.parquet"


def test_what_is_not_there_is_an_error(lake: Lake) -> None:
    """It names the path that was asked for, with staged changes and without."""
    write(lake.branch, "t/1.parquet")
    lake.branch.commit_changes("table")
    lake.branch.upload(b"", "t/other.txt")
    for at in (lake.branch, lake.branch.commit_changes("table")):
        paths = {path: path for path in ("none.parquet", "none/", "t/*.csv", "t/2.parquet")}
        for path, named in {**paths, "none/*.parquet": "none/"}.items():
            with pytest.raises(NotFoundException, match=rf"{at.repository_id}/[^ ]*/{re.escape(named)}[: ]"):
                at.polars.scan_parquet(path, via="local")
    with pytest.raises(ValueError, match="via must be 'auto', 'gateway' or 'local', not 'mail'"):
        lake.branch.polars.scan_parquet("t", via="mail")  # type: ignore[arg-type]


def test_the_gateway_is_used_where_there_is_one(lake: Lake) -> None:
    write(lake.branch, "t/1.parquet")
    lake.branch.commit_changes("table")
    if lake.kind != "real lakeFS":
        with pytest.raises(UnsupportedOperationException, match="has no S3 gateway yet"):
            lake.branch.polars.scan_parquet("t/1.parquet", via="gateway")
        return
    with tapped(lake.client) as tap:
        lazy = lake.branch.polars.scan_parquet("t/*.parquet").filter(pl.col("id") < 3)
        assert "s3://" in lazy.explain()
        assert lazy.collect().height == 3
    assert tap.paths_read() == set()
