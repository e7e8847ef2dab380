"""Names, `info`, `ls`, `find`, `glob` and what follows from them, on every kind of lake."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

pytest.importorskip("fsspec", reason="needs fsspec: pip install 'lakefs-hl[fsspec]'")

import lakefs_hl
from lakefs_hl.filesystem import LakeFSFileSystem
from tests.ecosystem.conftest import Lake
from tests.filesystem.counting import CountingServer

#: Paths that URLs, patterns or other stores would read as something else.
ODD = [
    "a b.txt",
    "a%20b",
    "wh?t",
    "x#y",
    "st*r",
    "brack[e]t",
    "ümläut/日本",
    "at@sign",
    "tilde~1",
    "care^t",
    "a:b",
    "c+d",
]


@pytest.fixture
def fs(lake: Lake) -> LakeFSFileSystem:
    return LakeFSFileSystem()


@pytest.fixture
def root(lake: Lake, fs: LakeFSFileSystem) -> str:
    fs.pipe({f"{lake.uri}/{path}": path.encode() for path in ("a.csv", "d/b.csv", "d/e/c.csv", "dir.txt", "dir/x")})
    return lake.uri.removeprefix("lakefs://")


def test_names_have_no_slash_in_front() -> None:
    strip = LakeFSFileSystem._strip_protocol
    for given in ("lakefs://r/main/x", "lakefs::r/main/x", "/r/main/x", "r/main/x/"):
        assert strip(given) == "r/main/x"
    assert strip(["lakefs://r/main~2/a@b^c/", "lakefs://"]) == ["r/main~2/a@b^c", ""]
    assert LakeFSFileSystem._parent("lakefs://r/main/x") == "r/main"
    assert LakeFSFileSystem._parent("r") == ""
    assert LakeFSFileSystem._get_kwargs_from_urls("lakefs://r/main/x") == {}


def test_listings_of_every_level(fs: LakeFSFileSystem, root: str, lake: Lake) -> None:
    repository = root.partition("/")[0]
    lakefs_hl.repository(repository).branch("dev").create("main")
    lakefs_hl.repository(repository).tag("v1").create("main")
    assert repository in fs.ls("lakefs://", detail=False)
    refs = fs.ls(f"lakefs://{repository}/")
    assert refs == [{"name": f"{repository}/{ref}", "size": 0, "type": "directory"} for ref in ("dev", "main", "v1")]
    assert fs.ls(root, detail=False) == [f"{root}/{name}" for name in ("a.csv", "d", "dir", "dir.txt")]
    assert fs.ls(f"{root}/d/", detail=False) == [f"{root}/d/b.csv", f"{root}/d/e"]
    assert fs.ls(f"{root}/a.csv") == [fs.info(f"{root}/a.csv")]
    for missing in (
        f"{root}/nope",
        f"{repository}/nope",
        f"{repository}/nope/x",
        "no-such-repository",
        "no-such/main/x",
    ):
        assert not fs.exists(missing)
        for call in (fs.ls, fs.info, fs.cat_file, fs.open):
            with pytest.raises((FileNotFoundError, IsADirectoryError)):
                call(missing)
    for impossible in (f"{repository}//x", "Bad_Name/main/x", f"{root}/{'x' * 2000}"):
        assert not fs.exists(impossible)
        assert not fs.isdir(impossible)
        assert not fs.isfile(impossible)
    assert fs.exists("lakefs://")
    assert fs.isdir(repository)
    assert fs.isdir(root)
    assert not fs.isfile(root)


def test_info_of_an_object(fs: LakeFSFileSystem, root: str) -> None:
    info = fs.info(f"{root}/d/b.csv")
    now = datetime.now(UTC)
    assert {key: info[key] for key in ("name", "size", "type", "content-type", "metadata")} == {
        "name": f"{root}/d/b.csv",
        "size": 7,
        "type": "file",
        "content-type": "text/csv",
        "metadata": {},
    }
    assert info["ETag"] == f'"{info["checksum"]}"'
    assert isinstance(info["mtime"], int)
    for found in (info["created"], info["modified"], fs.created(f"{root}/d/b.csv"), fs.modified(f"{root}/d/b.csv")):
        assert found.tzinfo is not None
        assert abs(now - found) < timedelta(minutes=5)
    assert fs.info(f"{root}/d") == {"name": f"{root}/d", "size": 0, "type": "directory"}
    assert fs.info(f"{root}/dir/")["type"] == "directory"
    assert fs.size(f"{root}/a.csv") == 5
    assert [row for row in fs.ls(f"{root}/d") if row["type"] == "file"] == [info]


def test_checksum_and_ukey_follow_the_content(fs: LakeFSFileSystem, root: str) -> None:
    path = f"{root}/a.csv"
    before = fs.checksum(path), fs.ukey(path)
    assert (fs.checksum(path), fs.ukey(path)) == before
    fs.pipe(path, b"other")
    assert fs.checksum(path) != before[0]
    assert fs.ukey(path) != before[1]
    fs.pipe(path, b"a.csv")
    assert (fs.checksum(path), fs.ukey(path)) == before
    with pytest.raises(IsADirectoryError):
        fs.checksum(f"{root}/d")


def test_find_walk_glob_and_du(fs: LakeFSFileSystem, root: str) -> None:
    files = [f"{root}/{name}" for name in ("a.csv", "d/b.csv", "d/e/c.csv", "dir.txt", "dir/x")]
    assert fs.find(root) == files
    directories = [root, f"{root}/d", f"{root}/d/e", f"{root}/dir"]
    assert fs.find(root, withdirs=True) == sorted(files + directories)
    assert fs.find(root, maxdepth=1) == [files[0], files[3]]
    assert fs.find(root, maxdepth=2, withdirs=True) == sorted(set(files + directories) - {files[2]})
    assert fs.find(root, detail=True)[files[0]] == fs.info(files[0])
    assert fs.find(files[0]) == [files[0]]
    assert fs.find(f"{root}/d") == files[1:3]
    assert fs.find(f"{root}/nope") == []
    assert [(path.removeprefix(root), dirs, names) for path, dirs, names in fs.walk(root)] == [
        ("", ["d", "dir"], ["a.csv", "dir.txt"]),
        ("/d", ["e"], ["b.csv"]),
        ("/d/e", [], ["c.csv"]),
        ("/dir", [], ["x"]),
    ]
    assert fs.glob(f"lakefs://{root}/*.csv") == files[:1]
    assert fs.glob(f"{root}/**/*.csv") == files[:3]
    assert fs.glob(f"{root}/d*") == [f"{root}/d", f"{root}/dir", f"{root}/dir.txt"]
    assert fs.glob(f"{root}/d/[a-b]?csv") == [files[1]]
    assert fs.du(root) == sum(len(path) - len(root) - 1 for path in files)
    assert fs.du(root, total=False) == {path: len(path) - len(root) - 1 for path in files}
    assert "a.csv" in fs.tree(root)


def test_odd_paths(fs: LakeFSFileSystem, root: str) -> None:
    at = f"{root}/odd"
    fs.pipe({f"lakefs://{at}/{path}": path.encode() for path in ODD})
    assert fs.find(at) == sorted(f"{at}/{path}" for path in ODD)
    for path in ODD:
        assert fs.info(f"{at}/{path}")["name"] == f"{at}/{path}"
        assert fs.cat_file(f"lakefs://{at}/{path}") == path.encode()
        with fs.open(f"{at}/{path}") as file:
            assert file.read() == path.encode()
    assert fs.cat(f"{at}/brack[e]t") == {f"{at}/brack[e]t": b"brack[e]t"} or fs.cat(f"{at}/brack[e]t") == b"brack[e]t"
    fs.mv(f"{at}/x#y", f"{at}/moved#")
    fs.rm([f"{at}/wh?t", f"{at}/moved#"])
    assert not {f"{at}/wh?t", f"{at}/moved#", f"{at}/x#y"} & set(fs.find(at))


def test_ref_expressions_and_old_versions(fs: LakeFSFileSystem, root: str) -> None:
    repository = root.partition("/")[0]
    branch = lakefs_hl.repository(repository).branch("main")
    first = branch.commit("first")
    fs.pipe(f"{root}/a.csv", b"second")
    branch.commit("second")
    for ref in ("main~1", "main^", first.id, first.id[:12]):
        assert fs.cat_file(f"lakefs://{repository}/{ref}/a.csv") == b"a.csv"
        assert fs.ls(f"{repository}/{ref}/d", detail=False)[0] == f"{repository}/{ref}/d/b.csv"
    fs.pipe(f"{root}/a.csv", b"staged")
    assert fs.cat_file(f"{repository}/main@/a.csv") == b"second"
    assert fs.cat_file(f"{root}/a.csv") == b"staged"


def test_an_object_that_marks_a_directory(fs: LakeFSFileSystem, root: str, lake: Lake) -> None:
    lake.branch.upload(b"", "marked/")
    lake.branch.upload(b"", "marked/sub/")
    lake.branch.upload(b"1", "marked/x")
    assert fs.isdir(f"{root}/marked")
    assert fs.ls(f"{root}/marked", detail=False) == [f"{root}/marked/sub", f"{root}/marked/x"]
    assert fs.find(f"{root}/marked") == [f"{root}/marked/x"]
    fs.rm(f"{root}/marked", recursive=True)
    assert lake.branch.list_objects(prefix="marked", recursive=True).to_list() == []


# -- listings that are kept --------------------------------------------------------------------------------------------


@pytest.fixture
def server() -> Any:
    server = CountingServer()
    yield server
    server.close()


def prepare(server: CountingServer, **options: Any) -> tuple[LakeFSFileSystem, lakefs_hl.Repository]:
    client = server.connect()
    repository = lakefs_hl.repository("example", client=client).create()
    repository.branch("main").upload(b"1", "d/a")
    repository.branch("main").commit("one")
    return LakeFSFileSystem(client=client, **options), repository


def test_a_commit_is_listed_once(server: CountingServer) -> None:
    fs, repository = prepare(server)
    commit = repository.branch("main").head()
    with server.counted() as requests:
        first = fs.ls(f"example/{commit.id}/d")
        first[0]["name"] = "changed by the caller"
        assert fs.ls(f"example/{commit.id}/d", detail=False) == [f"example/{commit.id}/d/a"]
        assert fs.info(f"example/{commit.id}/d/a")["size"] == 1
    assert requests == ["listObjects"]
    with server.counted() as requests:
        fs.ls(f"example/{commit.id}/d", refresh=True)
        fs.invalidate_cache()
        fs.ls(f"example/{commit.id}/d")
    assert requests == ["listObjects"] * 2


def test_a_tag_is_resolved_once(server: CountingServer) -> None:
    fs, repository = prepare(server)
    repository.tag("v1").create("main")
    fs.ls("example/v1/d")
    with server.counted() as requests:
        assert fs.ls("example/v1/d", detail=False) == ["example/v1/d/a"]
    assert requests == []
    with server.counted() as requests:
        assert fs.ls("example/v1", detail=False) == ["example/v1/d"]
    assert requests == ["listObjects"]


def test_a_branch_is_listed_each_time_unless_asked(server: CountingServer) -> None:
    fs, repository = prepare(server)
    with server.counted() as requests:
        for _ in range(2):
            fs.ls("example/main/d")
    assert requests == ["listObjects"] * 2
    kept = LakeFSFileSystem(client=fs.client, use_listings_cache=True)
    with server.counted() as requests:
        for _ in range(2):
            assert len(kept.ls("example/main/d")) == 1
    assert requests == ["listObjects"]
    kept.pipe("example/main/d/b", b"2")
    assert len(kept.ls("example/main/d")) == 2
    kept.rm("example/main/d/b")
    assert len(kept.ls("example/main/d")) == 1
    repository.branch("main").upload(b"3", "d/c")
    assert len(kept.ls("example/main/d")) == 1
    kept.invalidate_cache("example/main/d")
    assert len(kept.ls("example/main/d")) == 2
    expired = LakeFSFileSystem(client=fs.client, listings_expiry_time=0)
    none = LakeFSFileSystem(client=fs.client, use_listings_cache=False)
    commit = repository.branch("main").head().id
    for system, path in ((expired, "example/main/d"), (none, f"example/{commit}/d")):
        system.ls(path)
        with server.counted() as requests:
            system.ls(path)
        assert requests == ["listObjects"]


def test_kept_listings_are_bounded(server: CountingServer) -> None:
    fs, repository = prepare(server, max_paths=2)
    commit = repository.branch("main").head().id
    for path in ("", "/d", "/nothing"):
        assert fs.exists(f"example/{commit}{path}") is (path != "/nothing")
    fs.pipe({f"example/main/{number}/x": b"1" for number in range(3)})
    commit = repository.branch("main").commit("more").id
    for number in range(3):
        fs.ls(f"example/{commit}/{number}")
    with server.counted() as requests:
        for number in (2, 1, 0):
            fs.ls(f"example/{commit}/{number}")
    assert requests == ["listObjects"]


def test_a_not_so_tag_is_still_checked_before_a_write(server: CountingServer) -> None:
    fs, _ = prepare(server)
    with pytest.raises(FileNotFoundError):
        fs.ls("example/mian/d")
    with pytest.raises(FileNotFoundError, match=r"lakefs://example/mian is no branch, and a write to it creates none"):
        fs.open("example/mian/d/a", "wb")
