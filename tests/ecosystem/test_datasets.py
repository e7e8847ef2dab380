"""Datasets of Hugging Face: loaded from a lake, streamed, saved to it; its cache knows what changed."""

from __future__ import annotations

import atexit
import io
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.ecosystem.conftest import Lake
from tests.ecosystem.libraries import needs

needs("datasets", "fsspec", "pandas", "pyarrow")

if "datasets" not in sys.modules:  # which reads it when it is imported
    os.environ["HF_HOME"] = tempfile.mkdtemp(prefix="hf-home-")
    atexit.register(shutil.rmtree, os.environ["HF_HOME"])

import datasets
import pandas as pd


@pytest.fixture(autouse=True)
def nothing_but_the_lake(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every other host. HF_HUB_OFFLINE would do too much: it refuses all URLs."""
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    allowed = {"127.0.0.1", "localhost", urlsplit(lake.options["host"]).hostname}
    look_up = socket.getaddrinfo

    def only_allowed(host: Any, *args: Any, **given: Any) -> Any:
        if host not in allowed:
            raise OSError(f"a test asked for {host}")
        return look_up(host, *args, **given)

    monkeypatch.setattr(socket, "getaddrinfo", only_allowed)


Load = Callable[..., Any]


@pytest.fixture
def load(lake: Lake, tmp_path: Path) -> Load:
    """`load_dataset` of a file format, with the options of the lake and a cache of its own."""

    def load(kind: str, files: Any, **given: Any) -> Any:
        return datasets.load_dataset(
            kind,
            data_files=files,
            cache_dir=str(tmp_path / "cache"),
            storage_options=dict(lake.options),
            **{"split": "train", **given},
        )

    return load


def rows(first: int, count: int = 10) -> pd.DataFrame:
    return pd.DataFrame({"n": range(first, first + count), "s": [f"row {each}" for each in range(count)]})


def fill(lake: Lake) -> str:
    """Commit ten rows in three files of three formats. Returns the URI of the commit."""
    for number in range(3):
        table = rows(10 * number)
        lake.branch.upload(table.to_parquet(), f"parquet/{number}.parquet")
        lake.branch.upload(table.to_csv(index=False), f"csv/{number}.csv")
        lake.branch.upload(table.to_json(orient="records", lines=True), f"json/{number}.jsonl")
    return lake.branch.commit_changes("three formats").uri


@pytest.mark.parametrize(("kind", "pattern"), [("parquet", "*.parquet"), ("csv", "*.csv"), ("json", "*.jsonl")])
def test_files_of_a_commit_are_loaded_and_streamed(lake: Lake, load: Load, kind: str, pattern: str) -> None:
    commit = fill(lake)
    lake.branch.upload(b"bad", f"{kind}/0{pattern[1:]}")
    expected = pd.concat([rows(0), rows(10), rows(20)], ignore_index=True)
    found = load(kind, f"{commit}{kind}/{pattern}")
    assert found.to_pandas().equals(expected)
    streamed = load(kind, f"{commit}{kind}/{pattern}", streaming=True)
    assert [row["n"] for row in streamed] == list(range(30))
    files = {
        "train": [f"{commit}{kind}/{number}{pattern[1:]}" for number in (2, 0)],
        "test": f"{commit}{kind}/1{pattern[1:]}",
    }
    splits = load(kind, files, split=None)
    assert [row["n"] for row in splits["train"]] == [*range(20, 30), *range(10)]
    assert splits["test"].num_rows == 10


def test_the_cache_knows_what_changed(lake: Lake, load: Load, tmp_path: Path) -> None:
    fill(lake)
    pattern = f"{lake.uri}/parquet/*.parquet"

    def look(pattern: str, **given: Any) -> tuple[int, str, int]:
        found = load("parquet", pattern, **given)
        (file,) = (Path(each["filename"]) for each in found.cache_files)
        return found[0]["n"], str(file), file.stat().st_mtime_ns

    by_etag = {"download_config": datasets.DownloadConfig(cache_dir=str(tmp_path / "files"), use_etag=True)}
    first = look(pattern, **by_etag)
    assert first[0] == 0
    assert look(pattern, **by_etag) == first
    lake.branch.upload(rows(0).to_parquet(), "parquet/0.parquet")  # the same content again, at another time
    assert look(pattern, **by_etag) == first
    lake.branch.upload(rows(500).to_parquet(), "parquet/0.parquet")  # of the same size
    second = look(pattern, **by_etag)
    assert second[0] == 500
    assert second[1] != first[1]
    lake.branch.reset()
    assert look(pattern, **by_etag) == first
    secret = lake.options.get("password", "no secret").encode()
    assert all(secret not in path.read_bytes() for path in tmp_path.glob("*/**/*") if path.is_file())


def test_a_commit_is_never_mixed_up_and_a_branch_is_without_etags(lake: Lake, load: Load) -> None:
    """`datasets` finds downloaded files by their URL alone: a trap of the page, which says what to do."""

    def first_row(place: str) -> int:
        row: int = load("parquet", f"{place}parquet/*.parquet")[0]["n"]
        return row

    versions = [fill(lake)]
    assert first_row(f"{lake.uri}/") == 0
    lake.branch.upload(rows(500).to_parquet(), "parquet/0.parquet")
    versions.append(lake.branch.commit_changes("changed").uri)
    assert [first_row(version) for version in versions] == [0, 500]
    assert [first_row(version) for version in versions] == [0, 500]
    assert first_row(f"{lake.uri}/") == 0  # what it downloaded before


def test_a_dataset_is_saved_and_loaded_in_one_commit(lake: Lake, load: Load) -> None:
    commit = fill(lake)
    options = dict(lake.options)
    found = datasets.load_dataset("csv", data_files=f"{commit}csv/*.csv", split="train", storage_options=options)
    with lake.branch.transaction("prepared") as tx:
        found.filter(lambda row: row["n"] % 2).save_to_disk(f"{tx.uri}prepared", storage_options=options, num_shards=2)
        found.to_parquet(f"{tx.uri}all.parquet", storage_options=options)
        found.to_csv(f"{tx.uri}all.csv", storage_options=options, index=False)
        assert not lake.branch.exists("all.parquet")
    prepared = datasets.load_from_disk(f"{lake.branch.head().uri}prepared", storage_options=options)
    assert prepared["n"][:] == list(range(1, 30, 2))
    assert len(lake.branch.list_objects(prefix="prepared/", suffix=".arrow").to_list()) == 2
    assert pd.read_parquet(io.BytesIO(lake.branch.download("all.parquet")))["n"].tolist() == list(range(30))
    assert load("csv", f"{lake.uri}/all.csv").num_rows == 30


def test_without_options_the_default_client_is_used(lake: Lake, tmp_path: Path) -> None:
    commit = fill(lake)
    found = datasets.load_dataset(
        "parquet", data_files=f"{commit}parquet/1.parquet", split="train", cache_dir=str(tmp_path)
    )
    assert found["n"][:] == list(range(10, 20))
    with pytest.raises(FileNotFoundError, match="absent"):
        datasets.load_dataset("parquet", data_files=f"{commit}parquet/absent.parquet", cache_dir=str(tmp_path))
