"""Table diffs: which objects are a table, which of them are read, and what becomes of the copies."""

from __future__ import annotations

import asyncio
import io
import stat
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakefs_hl import exceptions
from lakefs_hl.facades.table_spill import Workspace
from tests.worlds import World, bare, kinds


@pytest.fixture(params=kinds())
def kind(request: pytest.FixtureRequest) -> str:
    """How a server makes repositories does not matter here."""
    return str(request.param)


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test has a temporary directory of its own, which is empty in the end."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def repo(world: World) -> Any:
    return world.fresh()


@pytest.fixture
def main(repo: Any) -> Any:
    return repo.branch("main")


def table(**columns: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def rows(found: Any) -> list[Any]:
    return [(row.kind, row.before or row.after) for row in found]


def test_the_direction_is_that_of_diff(repo: Any, main: Any) -> None:
    main.upload(table(id=[1, 2], v=["a", "b"]), "t.parquet")
    first = main.commit_changes("first")
    dev = repo.branch("dev").create("main")
    dev.upload(table(id=[2, 3], v=["x", "c"]), "t.parquet")
    for other in (bare(dev), "dev"):
        found = main.table_diff(other, "t.parquet", keys="id")  # staged changes too
        assert [(row.kind, row.key) for row in found] == [
            ("added", {"id": 3}),
            ("removed", {"id": 1}),
            ("changed", {"id": 2}),
        ]
    assert (found.before, found.after) == (f"{main.uri}t.parquet", f"{dev.uri}t.parquet")
    again = dev.table_diff(first.id, "t.parquet", keys="id")
    assert [(row.kind, row.key) for row in again][:2] == [("added", {"id": 1}), ("removed", {"id": 3})]
    assert not dev.table_diff("dev", "t.parquet", keys="id")
    assert not main.table_diff("dev@", "t.parquet", keys="id")  # without staged changes, dev is main


def test_a_table_that_was_created_deleted_or_moved(main: Any) -> None:
    first = main.get_commit()
    main.upload(table(id=[1, 2]), "t.parquet")
    second = main.commit_changes("second")
    found = first.table_diff(second.id, "t.parquet", keys="id")
    assert found.counts == (2, 0, 0, 0)
    assert (found.schema.before, found.schema.added) == (None, {"id": "int64"})
    found = second.table_diff(first.id, "t.parquet")
    assert found.counts == (0, 2, 0, 0)
    assert (found.schema.after, found.schema.removed) == (None, {"id": "int64"})
    main.upload(table(id=[2, 3]), "new/t2.parquet")
    found = second.table_diff("main", "t.parquet", "id", other_path="new/t2.parquet")
    assert found.counts == (1, 1, 0, 1)
    with pytest.raises(exceptions.ObjectNotFoundException, match="there is no object at either") as caught:
        main.table_diff(first.id, "nothing.parquet")
    assert caught.value.filename == f"{main.uri}nothing.parquet"
    with pytest.raises(exceptions.NotFoundException):
        main.table_diff("no-such-branch", "t.parquet")


def test_a_partitioned_directory(main: Any) -> None:
    for year, region in ((2025, "eu"), (2025, "us"), (2026, "a%20b")):
        main.upload(table(id=[1, 2], v=[year, 0]), f"t/year={year}/region={region}/part-0.parquet")
    main.upload(table(id=[7], v=[0]), "t/year=2026/region=__HIVE_DEFAULT_PARTITION__/part-0.parquet")
    main.upload(b"", "t/_SUCCESS")
    main.upload(b"x", "t/year=2025/.part-0.parquet.crc")
    first = main.commit_changes("first")
    main.upload(table(id=[1, 2], v=[2026, 5]), "t/year=2026/region=a%20b/part-0.parquet")
    main.upload(table(id=[8], v=[0]), "t/year=2027/region=eu/part-0.parquet")
    main.delete_objects("t/year=2025/region=us/part-0.parquet")
    for path in ("t/", "t"):
        found = first.table_diff(
            "main",
            path,
            keys=["year", "region", "id"],
        )
        assert [(row.kind, tuple(row.key.values())) for row in found] == [
            ("added", (2027, "eu", 8)),
            ("removed", (2025, "us", 1)),
            ("removed", (2025, "us", 2)),
            ("changed", (2026, "a b", 2)),
        ]
        assert found.skipped == 2
    with pytest.raises(ValueError, match=r"column 'region' of .* is null in 1 rows"):
        first.table_diff(f"{first.id}~1", "t", keys=["region", "id"])
    assert first.table_diff("main", "t").counts == (2, 3, 0, 1)
    # an object instead of a directory
    main.upload(table(id=[1], v=[0], year=[2025], region=["eu"]), "flat.parquet")
    assert first.table_diff("main", "t", other_path="flat.parquet").counts == (1, 7, 0, 0)


@pytest.fixture
def read(world: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The objects that were read."""
    paths = list[str]()
    original = world.module.Reference.download_file

    def download_file(self: Any, path: str, *args: Any, **kwargs: Any) -> Any:
        paths.append(path)
        return original(self, path, *args, **kwargs)

    monkeypatch.setattr(world.module.Reference, "download_file", download_file)
    return paths


def test_identical_objects_are_not_read(repo: Any, main: Any, read: list[str]) -> None:
    main.upload_many((f"t/p={number}/part.parquet", table(id=[1, 2, 3], v=[number] * 3)) for number in range(20))
    first = main.commit_changes("first")
    main.upload(table(id=[1, 2, 4], v=[5] * 3), "t/p=5/part.parquet")
    main.delete_objects("t/p=6/part.parquet")
    main.upload(table(id=[1, 2, 3], v=[6] * 3), "t/p=6/renamed.parquet")
    main.commit_changes("second")
    found = first.table_diff("main", "t", keys=["p", "id"])
    assert (found.counts, found.skipped) == ((1, 1, 0, 2), 19)
    assert read == ["t/p=5/part.parquet"] * 2
    read.clear()
    assert not first.table_diff(first.id, "t", keys=["p", "id"])
    assert read == []
    # a version of which nothing is read has columns too: one object is read for them
    main.upload(table(id=[1], v=[0]), "t/p=77/part.parquet")
    found = repo.ref("main@").table_diff("main", "t", keys=["p", "id"])
    assert (found.counts, found.skipped, bool(found.schema)) == ((1, 0, 0, 0), 20, False)
    assert sorted(read) == ["t/p=0/part.parquet", "t/p=77/part.parquet"]


def test_files_of_other_types_in_one_directory(main: Any) -> None:
    main.upload(table(id=[1], v=pa.array([1], pa.int32())), "t/1.parquet")
    main.upload(table(id=[2], v=pa.array([2], pa.int64()), w=["x"]), "t/2.parquet")
    first = main.commit_changes("first")
    main.upload(table(id=[1], v=pa.array([3], pa.int32())), "t/1.parquet")
    main.upload(table(id=[2], v=[2.5], w=["x"]), "t/2.parquet")
    found = first.table_diff("main", "t", "id")
    assert [(row.key, row.before, row.after) for row in found] == [
        ({"id": 1}, {"id": 1, "v": 1, "w": None}, {"id": 1, "v": 3.0, "w": None}),
        ({"id": 2}, {"id": 2, "v": 2, "w": "x"}, {"id": 2, "v": 2.5, "w": "x"}),
    ]
    assert found.schema.changed == {"v": ("int64", "double")}
    main.upload(table(id=[3], v=["text"]), "t/3.parquet")
    with pytest.raises(ValueError, match=r"column 'v' is double in .*t/2.parquet and large_string in .*t/3.parquet"):
        first.table_diff("main", "t", "id")


def test_what_is_no_directory_of_files(main: Any) -> None:
    main.upload(table(id=[1]), "delta/part-0.parquet")
    main.upload(b"{}", "delta/_delta_log/0.json")
    main.upload(b"{}", "iceberg/metadata/v1.metadata.json")
    for path, kind in (("delta", "Delta"), ("iceberg/", "Iceberg")):
        with pytest.raises(exceptions.UnsupportedOperationException, match=f"is a {kind} table"):
            main.table_diff("main", path)
    main.upload(table(id=[1]), "mixed/1.parquet")
    main.upload(b"id\n1\n", "mixed/2.csv")
    with pytest.raises(ValueError, match=r"have several formats: '1.parquet' \(parquet\), '2.csv' \(csv\)"):
        main.table_diff("main", "mixed")
    first = main.commit_changes("first")
    main.upload(b"id\n2\n", "mixed/2.csv")
    assert first.table_diff("main", "mixed", format="csv").counts == (1, 1, 0, 0)
    with pytest.raises(ValueError, match="no file of the format 'arrow'"):
        main.table_diff("main", "mixed", format="arrow")
    main.upload(b"hello", "mixed/README.md")
    with pytest.raises(ValueError, match=r"mixed/README.md does not say its format"):
        main.table_diff("main", "mixed")
    assert not main.table_diff("main", "mixed", format="parquet")


def test_an_object_that_is_replaced_meanwhile(world: World, main: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    main.upload(table(id=[1]), "t.parquet")
    first = main.commit_changes("first")
    main.upload(table(id=[2]), "t.parquet")
    newest = table(id=[3])
    original, settle = world.module.Reference.download_file, bare(main).upload

    def blocking(self: Any, *args: Any, **kwargs: Any) -> Any:
        settle(newest, "t.parquet")
        return original(self, *args, **kwargs)

    async def awaitable(self: Any, *args: Any, **kwargs: Any) -> Any:
        await settle(newest, "t.parquet")
        return await original(self, *args, **kwargs)

    monkeypatch.setattr(world.module.Reference, "download_file", awaitable if world.awaitable else blocking)
    with pytest.raises(exceptions.ObjectChangedError, match=r"main/t.parquet: the object was replaced"):
        first.table_diff("main", "t.parquet", "id")


def test_the_copies_are_private_and_temporary(main: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    main.upload(table(id=[1]), "t.parquet")
    first = main.commit_changes("first")
    main.upload(table(id=[2]), "t.parquet")
    seen = list[Any]()

    def compare(*given: Any) -> Any:
        (made,) = tmp_path.iterdir()
        seen.append((stat.S_IMODE(made.stat().st_mode), sorted(each.name for each in made.iterdir())))
        raise KeyboardInterrupt

    monkeypatch.setattr("lakefs_hl.facades.table_job.compare", compare)
    with pytest.raises(KeyboardInterrupt):
        first.table_diff("main", "t.parquet", "id")
    assert seen == [(0o700, ["a0", "b0"])]


def test_a_comparison_that_is_cancelled_ends(world: World, main: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if not world.awaitable:
        pytest.skip("only a task can be cancelled")
    main.upload(table(id=[1]), "t.parquet")
    first = bare(main.commit_changes("first"))
    main.upload(table(id=[2]), "t.parquet")
    begun, cancelled, ended = threading.Event(), threading.Event(), threading.Event()
    outcome = list[Any]()

    def compare(work: Any, *given: Any) -> None:
        begun.set()
        assert cancelled.wait(30)
        try:
            work.check()
        except RuntimeError as exc:
            outcome.append(str(exc))
        assert work.path.exists()

    removed = Workspace._remove

    def remove(self: Any) -> None:
        removed(self)
        ended.set()

    monkeypatch.setattr("lakefs_hl.facades.table_job.compare", compare)
    monkeypatch.setattr(Workspace, "_remove", remove)

    async def cancel() -> None:
        task = asyncio.ensure_future(first.table_diff("main", "t.parquet", "id"))
        assert await asyncio.to_thread(begun.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        cancelled.set()
        assert await asyncio.to_thread(ended.wait, 30)

    world.settle(cancel())
    assert outcome == ["the comparison was cancelled"]


def test_odd_paths(main: Any) -> None:
    for path in ("ä ö/日本.parquet", "a=b/c%2Fd.parquet", "#?&.parquet", "x" * 300 + ".parquet"):
        main.upload(table(id=[1]), path)
        first = main.commit_changes("first")
        main.upload(table(id=[2]), path)
        found = first.table_diff("main", path, "id")
        assert found.counts == (1, 1, 0, 0)
        assert found.added.schema.names == ["id"]
        main.commit_changes("second")


def test_encoded_content(main: Any) -> None:
    files = main.files(progress=False)
    files.put("t.csv", b"id,v\n1,a\n", compress="gzip")
    first = main.commit_changes("first")
    files.put("t.csv", b"id,v\n1,b\n", compress="")
    assert rows(first.table_diff("main", "t.csv", "id")) == [("changed", {"id": 1, "v": "a"})]


def test_arguments(main: Any) -> None:
    main.upload(table(id=[1]), "t.parquet")
    for options, said in (
        ({"keys": []}, "keys must have a name of a column at least"),
        ({"keys": ["a", "a"]}, "keys has column 'a' more than once"),
        ({"keys": "id", "tolerance": -1}, "tolerance must be a number from 0"),
        ({"keys": "id", "tolerance": float("nan")}, "tolerance must be a number from 0"),
        ({"max_rows": -1}, "max_rows must be at least 0"),
        ({"memory": 1000}, "memory must be at least 16777216"),
        ({"delimiter": "||"}, "delimiter must be one ASCII character"),
        ({"format": "xml"}, "format must be 'parquet', 'csv', 'tsv' or 'arrow', not 'xml'"),
    ):
        with pytest.raises(ValueError, match=said):
            main.table_diff("main", "t.parquet", **options)
    with pytest.raises(ValueError, match="other"):
        main.table_diff("lakefs://another/main", "t.parquet")


def test_without_pyarrow(main: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"needs pyarrow, .* pip install 'lakefs-hl\[tables\]'") as caught:
        main.table_diff("main", "t.parquet")
    assert caught.value.name == "pyarrow"
