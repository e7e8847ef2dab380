"""pandas: `lakefs://` URLs in every format, without options and with them, and in a transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.ecosystem.libraries import needs

needs("pandas", "pyarrow", "fsspec")

import pandas as pd

import lakefs_hl
from tests.ecosystem.conftest import Lake

FRAME = pd.DataFrame(
    {
        "id": range(200),
        "price": [n / 7 for n in range(200)],
        "name": [f"näme {n % 5}" for n in range(200)],
        "day": pd.date_range("2026-01-01", periods=200, tz="UTC").as_unit("us"),
    }
)
PLAIN = FRAME[["id", "price", "name"]]


def read_json(url: str, **given: Any) -> pd.DataFrame:
    return pd.read_json(url, orient="records", lines=True, **given)


FORMATS: dict[str, tuple[pd.DataFrame, Callable[..., Any], Callable[..., pd.DataFrame]]] = {
    "t.parquet": (FRAME, pd.DataFrame.to_parquet, pd.read_parquet),
    "t.feather": (FRAME, pd.DataFrame.to_feather, pd.read_feather),
    "t.csv": (PLAIN, lambda frame, url, **kw: frame.to_csv(url, index=False, **kw), pd.read_csv),
    "t.csv.gz": (PLAIN, lambda frame, url, **kw: frame.to_csv(url, index=False, **kw), pd.read_csv),
    "t.json": (PLAIN, lambda frame, url, **kw: frame.to_json(url, orient="records", lines=True, **kw), read_json),
    "t.pkl": (FRAME, pd.DataFrame.to_pickle, pd.read_pickle),
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_frame_comes_back_as_it_was_written(lake: Lake, name: str) -> None:
    frame, write, read = FORMATS[name]
    url = lake.branch.uri(f"tables/{name}")
    write(frame, url)  # without options: the default client, which is this lake's
    pd.testing.assert_frame_equal(read(url), frame)
    options = lake.branch.storage_options("pandas")
    assert options == {**options, **lake.options}
    pd.testing.assert_frame_equal(read(url, storage_options=options), frame)
    write(frame.head(3), url, storage_options=options)
    pd.testing.assert_frame_equal(read(url), frame.head(3))
    assert lake.branch.stat_object(f"tables/{name}").size_bytes > 0


def test_the_default_client_is_that_of_the_call(lake: Lake) -> None:
    """lakefs-spec#145: a URL is not bound to whichever file system was made first."""
    lake.branch.upload("a\n1\n", "t.csv")
    url = lake.branch.uri("t.csv")
    assert pd.read_csv(url).a.tolist() == [1]
    with lakefs_hl.Client("mem://") as other:
        branch = lakefs_hl.repository(lake.branch.repository_id, client=other).create().branch("main")
        branch.upload("a\n2\n", "t.csv")
        lakefs_hl.DefaultClient = other
        assert pd.read_csv(url).a.tolist() == [2]
        assert pd.read_csv(url, storage_options=lake.options).a.tolist() == [1]
        lakefs_hl.DefaultClient = lake.client
        assert pd.read_csv(url).a.tolist() == [1]


def test_a_transaction_publishes_at_its_end(lake: Lake) -> None:
    branch = lake.branch
    with branch.transaction("two tables or none") as tx:
        PLAIN.to_parquet(tx.uri("t.parquet"))
        PLAIN.to_csv(tx.uri("t.csv.gz"), index=False)
        assert pd.read_parquet(tx.uri("t.parquet")).shape == PLAIN.shape
        assert not branch.exists("t.parquet")
        with pytest.raises(FileNotFoundError):
            pd.read_parquet(branch.uri("t.parquet"))
    assert {info.path for info in branch.list_objects(recursive=True)} == {"t.parquet", "t.csv.gz"}
    pd.testing.assert_frame_equal(pd.read_parquet(branch.uri("t.parquet")), PLAIN)
    assert branch.get_commit().message == "two tables or none"
    assert branch.list_uncommitted().to_list() == []

    with pytest.raises(lakefs_hl.exceptions.TransactionException, match="broken"):
        with branch.transaction("fails", delete_on_error=True) as tx:
            PLAIN.head(1).to_parquet(tx.uri("t.parquet"))
            raise RuntimeError("broken")
    pd.testing.assert_frame_equal(pd.read_parquet(branch.uri("t.parquet")), PLAIN)


def test_a_version_stays_what_it_was(lake: Lake) -> None:
    branch = lake.branch
    PLAIN.to_parquet(branch.uri("t.parquet"))
    first = branch.commit_changes("first")
    tag = lakefs_hl.Tag(branch.repository_id, "v1", lake.client).create(first)
    PLAIN.head(1).to_parquet(branch.uri("t.parquet"))
    branch.commit_changes("second")
    expected = {first.uri: 200, tag.uri: 200, branch.uri: 1, f"{lake.uri}~1/": 200, f"{lake.uri}@/": 1}
    assert {at: len(pd.read_parquet(f"{at}t.parquet")) for at in expected} == expected


@pytest.mark.parametrize(
    "path",
    ["a__b/c__.parquet", "user@host/t@1.parquet", "~home/t~1.parquet", "sp ace/ü+%41&=;.parquet", "a/b^c.parquet"],
)
def test_names_are_taken_as_they_are(lake: Lake, path: str) -> None:
    PLAIN.to_parquet(lake.branch.uri(path))
    assert [info.path for info in lake.branch.list_objects(recursive=True)] == [path]
    pd.testing.assert_frame_equal(pd.read_parquet(lake.branch.uri(path)), PLAIN)
    assert lake.branch.fs().find(lake.uri) == [f"{lake.uri}/{path}".removeprefix("lakefs://")]


def test_partitions_become_columns(lake: Lake) -> None:
    frame = pd.DataFrame({"year": [2025, 2025, 2026], "n": [1, 2, 3]})
    frame.to_parquet(lake.branch.uri("t"), partition_cols=["year"])
    assert {info.path.rpartition("/")[0] for info in lake.branch.list_objects(recursive=True)} == {
        "t/year=2025",
        "t/year=2026",
    }
    found = pd.read_parquet(lake.branch.uri("t"))
    assert sorted(zip(found.year.astype(int), found.n, strict=True)) == [(2025, 1), (2025, 2), (2026, 3)]
    only = pd.read_parquet(lake.branch.uri("t/"), filters=[("year", "=", 2026)], columns=["n"])
    assert only.n.tolist() == [3]


def test_an_empty_table_is_one_that_was_written(lake: Lake) -> None:
    """lakefs-spec#321: what is not there was read as an empty table."""
    FRAME.head(0).to_parquet(lake.branch.uri("empty.parquet"))
    pd.testing.assert_frame_equal(pd.read_parquet(lake.branch.uri("empty.parquet")), FRAME.head(0))
    for path in ("none.parquet", "none", "none/"):
        with pytest.raises(FileNotFoundError, match="none"):
            pd.read_parquet(lake.branch.uri(path))
    with pytest.raises(FileNotFoundError, match="nowhere"):
        pd.read_csv(f"lakefs://{lake.branch.repository_id}/nowhere/t.csv")


def test_a_write_that_fails_publishes_nothing(lake: Lake) -> None:
    bad = pd.DataFrame({"mixed": [1, "a", object()]})
    with pytest.raises(Exception, match=r"mixed|object"):
        bad.to_parquet(lake.branch.uri("t.parquet"))
    assert lake.branch.list_objects(recursive=True).to_list() == []
    with pytest.raises(FileNotFoundError, match="mian"):  # a misspelled branch is not created
        PLAIN.to_csv(f"lakefs://{lake.branch.repository_id}/mian/t.csv")
    assert [one.id for one in lakefs_hl.repository(lake.branch.repository_id).branches()] == ["main"]
