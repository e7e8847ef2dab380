"""Hints for `open`: what they save, and that no answer is stale: a second writer is seen by the next call."""

from __future__ import annotations

import contextlib
import gc
import operator
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("fsspec", reason="needs fsspec: pip install 'lakefs-hl[fsspec]'")

from fsspec.spec import AbstractFileSystem

import lakefs_hl
from lakefs_hl.exceptions import ObjectChangedError
from lakefs_hl.filesystem import LakeFSFileSystem, hints, trees
from tests.filesystem.counting import CountingServer

SIZE = 600_000
URL = "example/main/d/t.parquet"


def content(size: int = SIZE, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


@pytest.fixture
def server() -> Iterator[CountingServer]:
    server = CountingServer()
    yield server
    server.close()


@pytest.fixture
def fs(server: CountingServer) -> LakeFSFileSystem:
    client = server.connect()
    lakefs_hl.repository("example", client=client).create()
    fs = LakeFSFileSystem(client=client)
    fs.pipe(URL, content())
    return fs


@pytest.fixture
def other(server: CountingServer, fs: LakeFSFileSystem) -> lakefs_hl.Branch:
    """The branch, of a second writer with a client of its own."""
    return lakefs_hl.repository("example", client=server.connect()).branch("main")


LOOK_UPS: dict[str, Callable[[LakeFSFileSystem], Any]] = {
    "info": lambda fs: fs.info(URL),
    "ls": lambda fs: fs.ls("example/main/d"),
    "find": lambda fs: fs.find("example/main"),
    "glob": lambda fs: fs.glob("example/main/*/*.parquet"),
    "an open file": lambda fs: fs.open(URL).close(),
}


@pytest.mark.parametrize("look_up", LOOK_UPS)
def test_a_second_writer_is_seen_by_the_next_call(fs: LakeFSFileSystem, other: lakefs_hl.Branch, look_up: str) -> None:
    for seed, size in enumerate([SIZE - 1, SIZE + 7, SIZE + 7, 10, 0, SIZE], start=1):
        LOOK_UPS[look_up](fs)
        other.upload(content(size, seed), "d/t.parquet")
        with fs.open(URL) as file:
            assert (file.size, file.read()) == (size, content(size, seed))
        assert fs.size(URL) == fs.info(URL)["size"] == size
        assert fs.checksum(URL) == other.stat_object("d/t.parquet").checksum
    LOOK_UPS[look_up](fs)
    other.delete_objects("d/t.parquet")
    with pytest.raises(FileNotFoundError):
        fs.open(URL)
    assert not fs.exists(URL)
    assert not fs.isfile(URL)
    assert not fs.isdir("example/main/d")
    assert fs.find("example/main", maxdepth=3) == fs.glob("example/main/*/*") == fs.find("example/main") == []
    with pytest.raises(FileNotFoundError):
        fs.ls("example/main/d")


@pytest.mark.parametrize("end", ["still open", "dropped"])
def test_an_object_that_was_opened_a_moment_ago_is_opened_again(
    fs: LakeFSFileSystem, other: lakefs_hl.Branch, server: CountingServer, end: str
) -> None:
    def opened() -> list[Any]:
        file = fs.open(URL)
        file.read(10)
        return [file] if end == "still open" else []

    held = opened()
    with server.counted() as requests:
        again = fs.open(URL)
        assert (again.size, again.tell()) == (SIZE, 0)
    assert requests == []
    with server.counted() as requests:
        assert again.read() == content()
    assert requests == ["getObject"]
    again.close()
    for file in held:
        file.close()

    held = opened()
    untold = fs.open(URL)
    other.upload(content(SIZE + 5, 1), "d/t.parquet")
    assert untold.read() == content(SIZE + 5, 1), "nothing was said of the version of before"
    untold.close()
    for file in held:
        file.close()

    asks: list[Callable[[Any], Any]] = [operator.attrgetter("size"), lambda file: file.seek(0, 2)]
    asks.append(operator.attrgetter("checksum"))
    for ask in asks:
        held = opened()
        told = fs.open(URL)
        ask(told)
        told.seek(SIZE // 2)
        other.upload(content(SIZE + 5, random.randrange(1 << 40)), "d/t.parquet")
        with pytest.raises(ObjectChangedError):
            told.read(1)
        told.close()
        for file in held:
            file.close()
        with fs.open(URL) as fresh:
            assert fresh.read() == other.download("d/t.parquet")

    held = opened()
    gone = fs.open(URL)
    other.delete_objects("d/t.parquet")
    with pytest.raises(FileNotFoundError):
        gone.read()
    gone.close()
    for file in held:
        file.close()
    with pytest.raises(FileNotFoundError):
        fs.open(URL)


def test_what_ends_a_hint(
    fs: LakeFSFileSystem, other: lakefs_hl.Branch, server: CountingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends: dict[str, Callable[[], Any]] = {
        "closed": lambda: fs.open(URL).close(),
        "looked up": lambda: fs.info(URL),
        "written": lambda: fs.pipe("example/main/other", b"1"),
        "dropped from the cache": fs.invalidate_cache,
        "expired": lambda: monkeypatch.setattr(hints, "RECENT_SECONDS", 0.0),
    }
    for name, end in ends.items():
        fs.open(URL).read(1)
        gc.collect()
        end()
        with server.counted() as requests, fs.open(URL):
            pass
        assert requests == ["getObject"], name
    commit = other.commit("one")
    fs.open(f"example/{commit.id}/d/t.parquet").read(1)
    with server.counted() as requests, fs.open(f"example/{commit.id}/d/t.parquet") as file:
        assert file.size == SIZE
    assert requests == [], "a commit does not change, so its objects need no new look"


def test_hints_are_of_one_instance_client_and_branch(
    fs: LakeFSFileSystem, other: lakefs_hl.Branch, server: CountingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    other.commit("one")
    lakefs_hl.repository("example", client=fs.client).branch("dev").create("main").upload(b"dev", "d/t.parquet")
    with fs.open(URL) as held:
        assert held.size == SIZE
        second = LakeFSFileSystem(client=other._client)
        with server.counted() as requests, second.open(URL):
            pass
        assert requests == ["getObject"]
        with fs.open("example/dev/d/t.parquet") as file:
            assert (file.size, file.read()) == (3, b"dev")
    with contextlib.closing(CountingServer()) as elsewhere:
        monkeypatch.setitem(lakefs_hl.__dict__, "DefaultClient", fs.client)
        default = LakeFSFileSystem()
        with default.open(URL) as held:
            assert default.size(URL) == held.size == SIZE
            client = elsewhere.connect()
            lakefs_hl.repository("example", client=client).create().branch("main").upload(b"elsewhere", "d/t.parquet")
            monkeypatch.setitem(lakefs_hl.__dict__, "DefaultClient", client)
            assert default.size(URL) == 9
            with default.open(URL) as file:
                assert (file.size, file.read()) == (9, b"elsewhere")


def test_size_and_time_of_an_open_object_are_those_of_the_version_that_is_read(
    fs: LakeFSFileSystem, other: lakefs_hl.Branch, server: CountingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = fs.info(URL)
    with fs.open(URL) as first, server.counted() as requests:
        again = fs.open(URL)
        assert (fs.size(URL), fs.modified(URL)) == (before["size"], before["modified"])
    assert requests == []
    other.upload(content(SIZE + 1, 1), "d/t.parquet")
    with pytest.raises(ObjectChangedError):
        again.read(1)  # not the new version: the caller knows the size of the other one
    again.close()
    assert first.closed
    assert fs.size(URL) == SIZE + 1
    with fs.open(URL):
        other.upload(b"smaller", "d/t.parquet")
        assert fs.info(URL)["size"] == 7
        assert fs.size(URL) == 7, "a look-up that found another version ends it"
        other.upload(b"smaller still", "d/t.parquet")
        assert fs.size(URL) == 13
    with fs.open(URL):
        other.upload(b"x", "d/t.parquet")
        monkeypatch.setattr(hints, "RECENT_SECONDS", 0.0)
        assert fs.size(URL) == 1


def test_hints_are_bounded(fs: LakeFSFileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakefs_hl.filesystem.listings.MOST_KNOWN", 3)
    fs.pipe({f"example/main/many/{number}": b"1" for number in range(10)})
    fs.find("example/main/many")
    for number in range(10):
        fs.open(f"example/main/many/{number}").read(1)
    assert len(fs._hints._found) == len(fs._hints._dropped) == 3


# -- globs -------------------------------------------------------------------------------------------------------------

TREE = ["a.csv", "d/b.csv", "d/e/c.csv", "d/e/f/g.csv", "dir.txt", "dir/x", "marked/", "marked/sub/", "both", "both/x"]


@pytest.mark.parametrize("page", [1000, 4])
def test_levels_are_those_of_a_walk(
    fs: LakeFSFileSystem, server: CountingServer, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    monkeypatch.setattr(trees, "PAGE", page)
    branch = lakefs_hl.repository("example", client=fs.client).branch("main")
    for path in TREE:
        branch.upload(path.encode(), f"t/{path}")
    commit = branch.commit("tree").id
    for reference in ("main", commit):
        for depth in (1, 2, 3, 5):
            for top in ("t", "t/", "t/d", "t/a.csv", "t/nothing", "nothing/", ""):
                at = f"example/{reference}/{top}"
                for withdirs in (False, True):
                    expected = AbstractFileSystem.find(fs, at, maxdepth=depth, withdirs=withdirs, detail=True)
                    found = fs.find(at, maxdepth=depth, withdirs=withdirs, detail=True)
                    assert list(found) == list(expected), (at, depth, withdirs)
                    types = {name: (row or found[name])["type"] for name, row in expected.items()}
                    both = f"example/{reference}/t/both"
                    if both in types:  # of an object and a directory of one name, fsspec has the directory
                        types[both] = "file"
                    assert {name: row["type"] for name, row in found.items()} == types
        for pattern in ("t/*/*.csv", "t/*/*", "t/d/?/*.csv", "t/*", "t/[bd]*", "*/d/*"):
            inside = f"example/{reference}/{pattern}"
            fs.invalidate_cache()
            with server.counted() as requests:
                found = fs.glob(inside)
            assert page < 1000 or requests == ["listObjects"], pattern
            fs.invalidate_cache()
            with server.counted() as requests:
                assert found == fs.glob(inside, refresh=True)
            if reference == commit:
                with server.counted() as requests:
                    assert fs.glob(inside) == found
                assert requests == []
    with pytest.raises(ValueError, match="at least 1"):
        fs.find("example/main", maxdepth=0)


# -- what libraries send -----------------------------------------------------------------------------------------------


def write_years(fs: LakeFSFileSystem) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for year in (2024, 2025, 2026):
        rows = {"id": range(40_000), "c": [number * 0.37 for number in range(40_000)]}
        pq.write_table(pa.table(rows), f"example/main/years/year={year}/part-0.parquet", filesystem=fs)


def test_requests_of_pyarrow(fs: LakeFSFileSystem, other: lakefs_hl.Branch, server: CountingServer) -> None:
    pytest.importorskip("pyarrow", reason="needs pyarrow: pip install 'lakefs-hl[tables]'")
    import pyarrow.dataset as ds
    import pyarrow.parquet as pq

    write_years(fs)
    with server.counted() as requests:
        found = ds.dataset("example/main/years", filesystem=fs, partitioning="hive")
        assert found.to_table(filter=ds.field("year") == 2026).num_rows == 40_000
    # two look-ups, the listing, a footer for the schema; footer and column chunks of one file
    assert requests == ["listObjects"] * 3 + ["getObject"] * 3
    fs.find("example/main/years")
    other.delete_objects("years/year=2025/part-0.parquet")
    with pytest.raises(FileNotFoundError):
        pq.ParquetFile("example/main/years/year=2025/part-0.parquet", filesystem=fs)
    assert not fs.isfile("example/main/years/year=2025/part-0.parquet")


class Interfered(LakeFSFileSystem):
    """A file system whose objects another writer replaces before they are opened the second time."""

    opened = 0
    replace: Callable[[], Any]

    def open(self, path: str, mode: str = "rb", *args: Any, **kwargs: Any) -> Any:
        type(self).opened += 1
        if type(self).opened == 2:
            type(self).replace()
        return super().open(path, mode, *args, **kwargs)


@pytest.mark.parametrize("library", ["pyarrow", "duckdb"])
def test_a_query_never_mixes_two_versions(fs: LakeFSFileSystem, other: lakefs_hl.Branch, library: str) -> None:
    pytest.importorskip(library, reason=f"needs {library}")
    pa = pytest.importorskip("pyarrow", reason="needs pyarrow: pip install 'lakefs-hl[tables]'")
    import pyarrow.parquet as pq

    def write(first: int, rows: int) -> None:
        table = pa.table({"id": range(first, first + rows), "c": [float(first)] * rows})
        pq.write_table(table, "example/main/mixed.parquet", filesystem=fs, row_group_size=rows // 5, compression=None)

    write(0, 100_000)
    between = Interfered(client=fs.client, skip_instance_cache=True)
    Interfered.opened, Interfered.replace = 0, staticmethod(lambda: write(1_000_000, 90_000))

    def read() -> Any:
        if library == "pyarrow":
            return pq.read_table("example/main/mixed.parquet", columns=["id"], filesystem=between).num_rows
        import duckdb

        with duckdb.connect() as con:
            con.register_filesystem(between)
            return con.execute("SELECT sum(id) FROM 'lakefs://example/main/mixed.parquet'").fetchone()

    with pytest.raises(Exception, match="has changed"):
        read()
    assert Interfered.opened >= 2
    assert read() == (90_000 if library == "pyarrow" else (sum(range(1_000_000, 1_090_000)),))


def test_requests_of_duckdb(fs: LakeFSFileSystem, server: CountingServer) -> None:
    duckdb = pytest.importorskip("duckdb", reason="needs duckdb: pip install 'lakefs-hl[duckdb]'")
    pytest.importorskip("pyarrow", reason="needs pyarrow: pip install 'lakefs-hl[tables]'")
    write_years(fs)
    with duckdb.connect() as con, server.counted() as requests:
        con.register_filesystem(fs)
        query = "SELECT count(*) FROM 'lakefs://example/main/years/*/*.parquet'"
        assert con.execute(query).fetchone() == (120_000,)
    assert requests == ["listObjects", *["getObject"] * 3]
