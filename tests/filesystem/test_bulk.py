"""Calls for many objects: contents, local files, copies, moves and deletions, on every kind of lake."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fsspec", reason="needs fsspec: pip install 'lakefs-hl[fsspec]'")

from fsspec.callbacks import Callback

import lakefs_hl
from lakefs_hl.exceptions import ObjectChangedError
from lakefs_hl.filesystem import LakeFSFileSystem
from lakefs_hl.filesystem.places import join
from tests.ecosystem.conftest import Lake
from tests.filesystem.counting import CountingServer

FILES = {f"part-{number:03}": b"x" * number for number in range(40)}


@pytest.fixture
def fs(lake: Lake) -> LakeFSFileSystem:
    return LakeFSFileSystem()


@pytest.fixture
def root(lake: Lake, fs: LakeFSFileSystem) -> str:
    fs.pipe({f"{lake.uri}/data/{name}": content for name, content in FILES.items()})
    return lake.uri.removeprefix("lakefs://")


class Noted(Callback):  # type: ignore[misc]
    """A callback that keeps what it is told, with its children."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.children: dict[tuple[str, str], Noted] = {}
        self.threads = set[int]()

    def branched(self, path_1: str, path_2: str, **_: Any) -> Noted:
        child = self.children[path_1, path_2] = Noted()
        return child

    def relative_update(self, inc: int = 1) -> None:
        self.threads.add(threading.get_ident())
        super().relative_update(inc)


# -- memory ------------------------------------------------------------------------------------------------------------


def test_contents_of_many(fs: LakeFSFileSystem, root: str) -> None:
    found = fs.cat(f"{root}/data", recursive=True)
    assert found == {f"{root}/data/{name}": content for name, content in FILES.items()}
    assert fs.cat(f"lakefs://{root}/data/part-00[12]") == {f"{root}/data/part-00{at}": b"x" * at for at in (1, 2)}
    asked = [f"{root}/data/part-003", f"{root}/missing"]
    assert list(fs.cat(asked, on_error="omit")) == asked[:1]
    returned = fs.cat(asked, on_error="return")
    assert isinstance(returned[asked[1]], FileNotFoundError)
    with pytest.raises(FileNotFoundError):
        fs.cat(asked)
    mapper = fs.get_mapper(f"{root}/map")
    mapper.setitems({"a": b"1", "b/c": b"2"})
    assert (sorted(mapper), mapper["b/c"], "nope" in mapper) == (["a", "b/c"], b"2", False)
    assert mapper.getitems(["a", "nope"], on_error="omit") == {"a": b"1"}
    del mapper["a"]
    with pytest.raises(KeyError):
        mapper["a"]


def test_ranges_of_many(fs: LakeFSFileSystem, root: str) -> None:
    content = bytes(range(200)) * 5000
    fs.pipe(f"{root}/large", content)
    asked: list[tuple[int | None, int | None]] = [
        (0, 4),
        (2, 6),
        (None, 3),
        (500_000, 500_010),
        (-4, None),
        (7, -999_000),
        (999_999, 1_000_000),
    ]
    starts, ends = [start for start, _ in asked], [end for _, end in asked]
    assert fs.cat_ranges([f"{root}/large"] * len(asked), starts, ends) == [content[start:end] for start, end in asked]
    assert fs.cat_ranges([f"{root}/large", f"{root}/data/part-009"], 0, 4) == [content[:4], b"xxxx"]
    found = fs.cat_ranges([f"{root}/nope", f"{root}/large"], 0, 4)
    assert isinstance(found[0], FileNotFoundError)
    assert found[1] == content[:4]
    with pytest.raises(FileNotFoundError):
        fs.cat_ranges([f"{root}/nope"], 0, 4, on_error="raise")
    with pytest.raises(ValueError, match="1 paths have 2 starts"):
        fs.cat_ranges([f"{root}/large"], [1, 2], [3])


def test_ranges_are_joined() -> None:
    requests, parts = join(
        [("a", 100, 200), ("b", 0, 10), ("a", 200, 250), ("a", 50_000, 50_001), ("a", 0, 50), ("a", None, None)]
    )
    assert requests == [("a", None, None), ("a", 0, 250), ("a", 50_000, 50_001), ("b", 0, 10)]
    assert parts == [(1, 100, 200), (3, 0, 10), (1, 200, 250), (2, 0, 1), (1, 0, 50), (0, None, None)]
    assert len(join([("a", 0, 10), ("a", 20, 30)], gap=0)[0]) == 2
    assert len(join([("a", at << 20, at + 1 << 20) for at in range(32)])[0]) == 4


def test_ranges_of_two_versions_are_an_error() -> None:
    server = CountingServer()
    client = server.connect()
    branch = lakefs_hl.repository("example", client=client).create().branch("main")
    branch.upload(b"1" * 1_000_000, "a")
    fs = LakeFSFileSystem(client=client)
    ask, replaced = server.ask, threading.Event()

    def replace(request: Any) -> Any:
        response = ask(request)
        if request.endpoint.operation == "getObject" and not replaced.is_set():
            replaced.set()
            lakefs_hl.Branch("example", "main", server._client).upload(b"2" * 1_000_000, "a")
        return response

    server.ask = replace  # type: ignore[method-assign]
    found = fs.cat_ranges(["example/main/a"] * 2, [0, 900_000], [10, 900_010])
    assert [type(each) for each in found] == [ObjectChangedError] * 2
    server.close()


# -- local files -------------------------------------------------------------------------------------------------------


def test_there_and_back_with_callbacks(fs: LakeFSFileSystem, root: str, tmp_path: Path) -> None:
    got = Noted()
    fs.get(f"{root}/data", str(tmp_path / "got"), recursive=True, callback=got, batch_size=4)
    assert {path.name: path.read_bytes() for path in (tmp_path / "got").iterdir()} == FILES
    children = {source.rpartition("/")[2]: child for (source, _), child in got.children.items()}
    assert (got.size, got.value) == (len(FILES) + 1, len(FILES) + 1)  # as fsspec counts: with the directory
    assert {name: (child.size, child.value) for name, child in children.items()} == {
        name: (len(content), len(content)) for name, content in FILES.items()
    }
    sent = Noted()
    fs.put(str(tmp_path / "got"), f"{root}/back", recursive=True, callback=sent)
    assert fs.cat(f"{root}/back", recursive=True) == {f"{root}/back/{name}": content for name, content in FILES.items()}
    files = {Path(source).name: child for (source, _), child in sent.children.items() if Path(source).is_file()}
    assert {name: (child.size, child.value) for name, child in files.items()} == {
        name: (len(content), len(content)) for name, content in FILES.items()
    }
    assert sent.size == sent.value == len(sent.children)


def test_get_leaves_nothing_half_written(fs: LakeFSFileSystem, root: str, tmp_path: Path) -> None:
    local = tmp_path / "file"
    local.write_bytes(b"before")
    with pytest.raises(FileNotFoundError):
        fs.get_file(f"{root}/nope", str(local))
    assert local.read_bytes() == b"before"
    fs.get_file(f"{root}/data/part-005", str(local))
    assert local.read_bytes() == b"xxxxx"
    with (tmp_path / "other").open("wb") as file:
        fs.get_file(f"{root}/data/part-004", outfile=file)
        fs.get_file(f"{root}/data/part-003", file)
    assert (tmp_path / "other").read_bytes() == b"x" * 7
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "file",
        "lake",
        "other",
    ] or fs.client.endpoint.startswith("http")


@pytest.mark.parametrize("path", ["../evil", "a/../../evil", "a/..", "..", "./../evil", "nul\0byte"])
def test_nothing_is_downloaded_outside(fs: LakeFSFileSystem, lake: Lake, tmp_path: Path, path: str) -> None:
    target = tmp_path / "inside" / "target"
    target.mkdir(parents=True)
    try:
        lake.branch.upload(b"evil", f"data/{path}")
    except lakefs_hl.exceptions.BadRequestException:
        pytest.skip("this lake refuses such a path")
    lake.branch.upload(b"good", "data/good")
    for source in (f"{lake.uri}/data", f"{lake.uri}/data/"):
        with pytest.raises(ValueError, match=r"would be outside of|no name of a local file"):
            LakeFSFileSystem().get(source, str(target), recursive=True)
    found = [each for each in tmp_path.rglob("*") if each.is_file() and "lake" not in each.parts[len(tmp_path.parts)]]
    assert found == []


def test_a_failed_upload_stops_the_others(fs: LakeFSFileSystem, root: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    with pytest.raises(FileNotFoundError):
        fs.put([str(tmp_path / "a"), str(tmp_path / "missing")], [f"{root}/up/a", f"{root}/up/b"])
    with pytest.raises(FileExistsError):
        fs.put_file(str(tmp_path / "a"), f"{root}/data/part-001", mode="create")
    with pytest.raises(FileNotFoundError, match="is no branch"):
        fs.put(str(tmp_path / "a"), f"{root.partition('/')[0]}/mian/a")


# -- copies and moves --------------------------------------------------------------------------------------------------


def test_copies_stay_on_the_server_and_cross_repositories(fs: LakeFSFileSystem, root: str, lake: Lake) -> None:
    other = lake.new_branch()
    fs.cp(f"{root}/data/", f"{root}/copied/", recursive=True)
    assert len(fs.find(f"{root}/copied")) == len(FILES)
    fs.cp(f"{root}/data/part-01*", f"{other.uri}there/")
    assert fs.cat(f"{other.uri}there", recursive=True) == {
        f"{other.repository_id}/main/there/part-01{at}": b"x" * (10 + at) for at in range(10)
    }
    with pytest.raises(FileNotFoundError):
        fs.cp(f"{root}/nope", f"{root}/x")
    with pytest.raises(FileNotFoundError, match="is no branch"):
        fs.cp(f"{root}/data/part-001", f"{root.partition('/')[0]}/mian/a")


def test_copies_move_no_content() -> None:
    server = CountingServer()
    client = server.connect()
    branch = lakefs_hl.repository("example", client=client).create().branch("main")
    branch.upload(b"1" * 100_000, "a")
    fs = LakeFSFileSystem(client=client)
    with server.counted() as requests:
        fs.cp("example/main/a", "example/main/b")
        fs.mv("example/main/b", "example/main/c")
    assert not {"getObject", "uploadObject"} & set(requests)
    assert fs.find("example/main") == ["example/main/a", "example/main/c"]
    server.close()


def test_moves_lose_nothing(fs: LakeFSFileSystem, root: str, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    other = lake.new_branch()
    fs.mv(f"{root}/data", f"{root}/moved", recursive=True)
    assert [fs.exists(f"{root}/data"), len(fs.find(f"{root}/moved"))] == [False, len(FILES)]
    fs.mv(f"{root}/moved/part-001", f"{other.uri}a")
    assert (fs.cat(f"{other.uri}a"), fs.exists(f"{root}/moved/part-001")) == (b"x", False)
    fs.mv(f"{root}/moved/part-002", f"{root}/moved/part-002")
    assert fs.cat(f"{root}/moved/part-002") == b"xx"
    with pytest.raises(FileNotFoundError):
        fs.mv(f"{root}/nope", f"{root}/x")
    # written while it is copied: both exist, and the new content is not lost
    copy = LakeFSFileSystem._copy

    def racing(self: LakeFSFileSystem, path1: str, path2: str) -> Any:
        found = copy(self, path1, path2)
        lake.branch.upload(b"newer", "moved/part-003")
        return found

    monkeypatch.setattr(LakeFSFileSystem, "_copy", racing)
    with pytest.raises(ObjectChangedError):
        fs.mv(f"{root}/moved/part-003", f"{other.uri}b")
    assert (fs.cat(f"{root}/moved/part-003"), fs.cat(f"{other.uri}b")) == (b"newer", b"xxx")


# -- deletions ---------------------------------------------------------------------------------------------------------


def test_deletions(fs: LakeFSFileSystem, root: str, lake: Lake) -> None:
    repository = root.partition("/")[0]
    fs.rm(f"{root}/data/part-000")
    fs.rm([f"{root}/data/part-001", f"{root}/data/part-00[23]"])
    assert len(fs.find(f"{root}/data")) == len(FILES) - 4
    for missing in (f"{root}/data/part-000", f"{root}/nope*"):
        with pytest.raises(FileNotFoundError):
            fs.rm(missing)
    with pytest.raises(IsADirectoryError, match="recursive=True"):
        fs.rm(f"{root}/data")
    for whole in (root, f"{root}/", repository, "lakefs://", ""):
        for recursive in (True, False):
            with pytest.raises(PermissionError, match=r"whole branch|is not deleted by its path"):
                fs.rm(whole, recursive=recursive)
    for pattern in (f"{repository}/*", "*"):
        with pytest.raises(PermissionError):
            fs.rm(pattern, recursive=True)
    assert len(fs.find(f"{root}/data")) == len(FILES) - 4
    fs.rm(f"{root}/data", recursive=True)
    assert fs.find(root) == []
    fs.pipe({f"{root}/a": b"1", f"{root}/b/c": b"2"})
    fs.rm(root, recursive=True, whole_branch=True)
    assert fs.find(root) == []
    assert lake.branch.exists()
    fs.pipe(f"{root}/a", b"1")
    commit = lake.branch.commit("one object")
    with pytest.raises(PermissionError, match="is not a branch"):
        fs.rm(f"{repository}/{commit.id}/a")


def test_a_thousand_objects_are_deleted_by_one_request() -> None:
    server = CountingServer()
    client = server.connect()
    branch = lakefs_hl.repository("example", client=client).create().branch("main")
    branch.upload_many([(f"d/{number}", b"") for number in range(1000)])
    fs = LakeFSFileSystem(client=client)
    with server.counted() as requests:
        fs.rm("example/main/d", recursive=True)
    assert requests.count("deleteObjects") == 1
    assert len(requests) <= 8, requests
    server.close()
