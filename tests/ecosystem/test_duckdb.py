"""DuckDB: `lakefs://` in its SQL, by the file system that a reference registers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.ecosystem.libraries import needs

needs("duckdb", "fsspec", "pandas", "pyarrow")

import duckdb
import pandas as pd

import lakefs_hl
from tests.ecosystem.conftest import Lake
from tests.ecosystem.tap import tapped


def write(branch: lakefs_hl.Branch, path: str, first: int, rows: int = 3) -> None:
    pd.DataFrame({"id": range(rows), "price": [first + n for n in range(rows)]}).to_parquet(branch.uri(path))


def test_tables_are_read_and_written(lake: Lake) -> None:
    branch = lake.branch
    with branch.duckdb() as con:
        for part in (1, 2):
            write(branch, f"t/{part}.parquet", part * 10)
        branch.upload("id,price\n7,70\n", "t/3.csv")
        assert con.execute(f"SELECT count(*), sum(price) FROM '{branch.uri('t/*.parquet')}'").fetchall() == [(6, 96)]
        assert con.execute(f"SELECT * FROM read_csv('{branch.uri('t/3.csv')}')").fetchall() == [(7, 70)]
        assert con.execute(f"SELECT count(*) FROM read_parquet('{branch.uri('**/*.parquet')}')").fetchone() == (6,)
        files = con.execute(f"SELECT file FROM glob('{branch.uri('t/*')}') ORDER BY 1").fetchall()
        assert [name.removeprefix("lakefs://") for (name,) in files] == [
            f"{lake.uri}/t/{name}".removeprefix("lakefs://") for name in ("1.parquet", "2.parquet", "3.csv")
        ]
        con.execute(f"COPY (SELECT range AS n FROM range(100000)) TO '{branch.uri('out/n.parquet')}'")
        con.execute(f"COPY (SELECT 1 AS a) TO '{branch.uri('out/a.csv')}' (HEADER)")
        assert con.execute(f"SELECT sum(n) FROM '{branch.uri('out/n.parquet')}'").fetchone() == (4999950000,)
        assert branch.download("out/a.csv") == b"a\n1\n"
        assert {info.path for info in branch.list_objects(prefix="out/")} == {"out/n.parquet", "out/a.csv"}
        for path in ("none.parquet", "none/*.parquet"):
            with pytest.raises(duckdb.Error, match="none"):
                con.execute(f"SELECT * FROM '{branch.uri(path)}'").fetchall()


def test_one_table_at_two_commits(lake: Lake) -> None:
    branch = lake.branch
    write(branch, "prices.parquet", 10)
    first = branch.commit_changes("first")
    write(branch, "prices.parquet", 11)
    second = branch.commit_changes("second")
    write(branch, "prices.parquet", 99)
    con = branch.duckdb()
    for name, at in (("old", first), ("new", second)):
        con.execute(f"CREATE VIEW {name} AS SELECT * FROM '{at.uri('prices.parquet')}'")
    rows = con.execute("SELECT id, old.price, new.price FROM old JOIN new USING (id) ORDER BY id").fetchall()
    assert rows == [(0, 10, 11), (1, 11, 12), (2, 12, 13)]
    assert con.execute(f"SELECT min(price) FROM '{branch.uri('prices.parquet')}'").fetchone() == (99,)
    assert con.execute(f"SELECT min(price) FROM '{lake.uri}~1/prices.parquet'").fetchone() == (10,)
    con.close()


def test_a_query_reads_the_columns_and_row_groups_that_it_needs(lake: Lake) -> None:
    con = lake.branch.duckdb()
    con.execute("SELECT setseed(0.5)")
    con.execute(
        f"COPY (SELECT range AS id, random() AS a, random() AS b, random() AS c FROM range(200000)) "
        f"TO '{lake.branch.uri('wide.parquet')}' (ROW_GROUP_SIZE 20000)"
    )
    size = lake.branch.stat_object("wide.parquet").size_bytes
    with tapped(lake.client) as tap:
        found = con.execute(
            f"SELECT count(*), sum(b) FROM '{lake.branch.uri('wide.parquet')}' WHERE id < 1000"
        ).fetchone()
    assert found is not None
    assert found[0] == 1000
    assert tap.content_bytes() < size / 2
    con.close()


def test_threads_have_cursors_of_one_connection(lake: Lake) -> None:
    for part in range(8):
        write(lake.branch, f"t/{part}.parquet", part, 1000)
    con = lake.branch.duckdb()

    def total(part: int) -> object:
        with con.cursor() as cursor:
            return cursor.execute(f"SELECT sum(price) FROM '{lake.branch.uri(f't/{part}.parquet')}'").fetchone()

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(total, range(8)))
    assert found == [(sum(range(part, part + 1000)),) for part in range(8)]
    con.close()


def test_a_connection_is_that_of_one_lake(lake: Lake) -> None:
    """DuckDB has one file system for a name: another lake must not be read in its place."""
    lake.branch.upload("a\n1\n", "t.csv")
    mine, again = duckdb.connect(), duckdb.connect()
    assert lake.branch.duckdb(mine) is mine
    assert lake.branch.duckdb(mine) is mine  # once more is the same
    assert lake.branch.duckdb(again).execute(f"FROM '{lake.branch.uri('t.csv')}'").fetchall() == [(1,)]
    with lakefs_hl.Client("mem://") as client:
        other = lakefs_hl.repository(lake.branch.repository_id, client=client).create().branch("main")
        other.upload("a\n2\n", "t.csv")
        with pytest.raises(ValueError, match="may be that of another lake"):
            other.duckdb(mine)
        assert mine.execute(f"FROM '{lake.branch.uri('t.csv')}'").fetchall() == [(1,)]
        mine.unregister_filesystem("lakefs")
        assert other.duckdb(mine).execute(f"FROM '{other.uri('t.csv')}'").fetchall() == [(2,)]
        assert again.execute(f"FROM '{lake.branch.uri('t.csv')}'").fetchall() == [(1,)]
        mine.close()
    again.close()
    with pytest.raises(TypeError, match="con must be a connection of duckdb or None, not str"):
        lake.branch.duckdb("lake.db")


def test_a_transaction_publishes_what_was_copied(lake: Lake) -> None:
    with lake.branch.duckdb() as con:
        with lake.branch.transaction("two tables") as tx:
            for name in ("a", "b"):
                con.execute(f"COPY (SELECT 1 AS n) TO '{tx.uri(f'{name}.parquet')}'")
            assert not lake.branch.exists("a.parquet")
        assert con.execute(f"SELECT sum(n) FROM '{lake.branch.uri('*.parquet')}'").fetchone() == (2,)
        with pytest.raises(duckdb.Error):
            con.execute(f"COPY (SELECT 1 AS n) TO '{lake.branch.get_commit().uri('c.parquet')}'")
