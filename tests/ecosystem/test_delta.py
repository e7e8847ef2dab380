"""Delta Lake by delta-rs: over lakeFS's gateway, and on copies where a lake has none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ecosystem.libraries import needs

needs("deltalake", "pyarrow", "polars")

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

import lakefs_hl
from tests.ecosystem.conftest import Lake


def ids(table: DeltaTable) -> list[int]:
    return sorted(pl.scan_delta(table).collect()["id"].to_list())


def test_a_table_is_read_from_a_copy_of_each_version(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Written on this machine and uploaded in one transaction: readers see whole versions of the table."""
    monkeypatch.setenv("LAKEFS_HL_CACHE_DIR", str(tmp_path / "cache"))
    commits = []
    for number in (1, 2):
        write_deltalake(tmp_path / "table", pa.table({"id": [number]}), mode="append")
        with lake.branch.transaction(f"rows {number}") as tx:
            tx.upload_dir(tmp_path / "table", "table/")
        commits.append(lake.branch.get_commit())
    for commit, expected in zip(commits, ([1], [1, 2]), strict=True):
        found = DeltaTable(str(commit.snapshot_download("table/")))
        assert ids(found) == expected
        assert found.version() == len(expected) - 1
    assert [entry["operation"] for entry in DeltaTable(str(lake.branch.snapshot_download("table/"))).history()] == [
        "WRITE",
        "WRITE",
    ]


def test_a_table_is_written_over_the_gateway(lake: Lake) -> None:
    """delta-rs makes a branch for each operation, commits and merges, and moves the data through the S3 gateway."""
    if lake.kind != "real lakeFS":
        with pytest.raises(lakefs_hl.exceptions.UnsupportedOperationException, match=r"snapshot_download\('table/'\)"):
            lake.branch.health = lake.client.health_check()  # type: ignore[attr-defined]
            lake.branch.storage_options("delta")
        return
    options = lake.branch.storage_options("delta")
    for number in (1, 2):
        write_deltalake(f"{lake.uri}/table", pa.table({"id": [number]}), mode="append", storage_options=options)
    table = DeltaTable(f"{lake.uri}/table", storage_options=options)
    assert ids(table) == [1, 2]
    assert len(table.history()) == 2
    assert lake.branch.list_uncommitted().to_list() == []
    assert lake.branch.exists("table/_delta_log/00000000000000000001.json")
