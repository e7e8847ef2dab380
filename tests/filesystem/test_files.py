"""`open`: one version of an object while it is read, and nothing half-written."""

from __future__ import annotations

import csv
import gc
import gzip
import io
import pickle
import tracemalloc
from typing import Any

import pytest

pytest.importorskip("fsspec", reason="needs fsspec: pip install 'lakefs-hl[fsspec]'")

import fsspec

import lakefs_hl
from lakefs_hl.exceptions import ObjectChangedError
from lakefs_hl.filesystem import LakeFSFile, LakeFSFileSystem
from tests.ecosystem.conftest import Lake
from tests.filesystem.counting import CountingServer

LARGE = bytes(range(256)) * 8192  # 2 MiB


@pytest.fixture
def fs(lake: Lake) -> LakeFSFileSystem:
    return LakeFSFileSystem()


# -- reading -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [{}, {"block_size": 1000}, {"cache_type": "bytes"}, {"cache_type": "all"}, {"cache_type": "background"}]
)
def test_reads_like_a_local_file(fs: LakeFSFileSystem, lake: Lake, options: dict[str, Any]) -> None:
    lake.branch.upload(LARGE, "large")
    with fs.open(f"{lake.uri}/large", "rb", **options) as file:
        local = io.BytesIO(LARGE)
        assert isinstance(file, LakeFSFile)
        assert file.size == len(LARGE)
        for at, whence, count in [
            (0, 0, 10),
            (-20, 2, 30),
            (500_000, 0, 300_000),
            (-5, 1, 7),
            (1 << 21, 0, 5),
            (9, 0, -1),
        ]:
            assert file.seek(at, whence) == local.seek(at, whence)
            assert file.read(count) == local.read(count)
            assert file.tell() == local.tell()
        file.seek(3)
        target = bytearray(1000)
        assert file.readinto(target) == 1000
        assert target == LARGE[3:1003]
        file.seek(0)
        assert file.read() == LARGE


def test_lines(fs: LakeFSFileSystem, lake: Lake) -> None:
    lines = [b"x" * (number % 300) + b"\r" * (number % 2) + b"\n" for number in range(3000)] + [b"no end"]
    lake.branch.upload(b"".join(lines), "lines")
    with fs.open(f"{lake.uri}/lines") as file:
        assert [file.readline() for _ in range(3)] == lines[:3]
        assert file.read(2) == lines[3][:2]
        assert file.readline(1) == lines[3][2:3]
        file.seek(0)
        assert list(file) == lines
        file.seek(0)
        assert file.readlines() == lines
    with fs.open(f"{lake.uri}/lines", "r", newline="") as text:
        assert text.read().encode() == b"".join(lines)


def test_two_versions_are_never_mixed(fs: LakeFSFileSystem, lake: Lake) -> None:
    lake.branch.upload(LARGE, "large")
    with fs.open(f"{lake.uri}/large") as file:
        file.read(10)
        lake.branch.upload(LARGE[::-1], "large")
        file.seek(1 << 20)
        with pytest.raises(ObjectChangedError):
            file.read(600_000)
        with pytest.raises(ObjectChangedError, match="was replaced since it was opened"):
            file.info()
    commit = lake.branch.commit("pinned")
    with fs.open(f"lakefs://{lake.branch.repository_id}/{commit.id}/large") as file:
        file.read(10)
        lake.branch.upload(b"third", "large")
        file.seek(0)
        assert file.read() == LARGE[::-1]


def test_a_file_is_pickled_with_its_position(fs: LakeFSFileSystem, lake: Lake) -> None:
    lake.branch.upload(b"0123456789", "digits")
    with fs.open(f"{lake.uri}/digits") as file:
        assert file.read(4) == b"0123"
        data = pickle.dumps(file)
    with pickle.loads(data) as again:
        assert again.read() == b"456789"
    lake.branch.upload(b"other", "digits")
    with pytest.raises(ObjectChangedError):
        pickle.loads(data)


def test_requests() -> None:
    server = CountingServer()
    client = server.connect()
    repository = lakefs_hl.repository("example", client=client).create()
    repository.branch("main").upload(LARGE, "large")
    repository.branch("main").upload(b"small", "small")
    fs = LakeFSFileSystem(client=client)
    with server.counted() as whole:
        assert fs.cat_file("example/main/small") == b"small"
    with server.counted() as opened, fs.open("example/main/small") as file:
        assert file.read() == b"small"
    with server.counted() as parts:
        assert fs.head("example/main/large", 10) == LARGE[:10]
        assert fs.tail("example/main/large", 10) == LARGE[-10:]
        assert fs.cat_file("example/main/large", 100, -100) == LARGE[100:-100]
    with server.counted() as ranges:
        found = fs.cat_ranges(
            ["example/main/large"] * 20, [at * 1000 for at in range(20)], [at * 1000 + 500 for at in range(20)]
        )
        assert found == [LARGE[at * 1000 : at * 1000 + 500] for at in range(20)]
    with server.counted() as written:
        fs.pipe("example/main/a", b"1")
    with server.counted() as again:
        fs.pipe("example/main/b", b"2")
    assert (whole, opened, ranges) == (["getObject"], ["getObject"], ["getObject"])
    assert parts == ["getObject", "statObject", "getObject", "statObject", "getObject"]  # offsets from the end
    assert len(written) == 2  # the branch is looked up once
    assert again == ["uploadObject"]
    server.close()


# -- writing -----------------------------------------------------------------------------------------------------------


def openers(fs: LakeFSFileSystem, uri: str) -> dict[str, Any]:
    """All ways to open an object for writing, and what is written."""
    return {
        "binary": (lambda: fs.open(uri, "wb"), b"half"),
        "text": (lambda: fs.open(uri, "w"), "half"),
        "gzip": (lambda: fs.open(uri, "wb", compression="gzip"), b"half"),
        "gzip text": (lambda: fs.open(uri, "wt", compression="gzip"), "half"),
        "fsspec.open": (lambda: fsspec.open(uri, "wb"), b"half"),
        "fsspec.open text": (lambda: fsspec.open(uri, "w"), "half"),
        "fsspec.open gzip": (lambda: fsspec.open(uri, "w", compression="gzip"), "half"),
        "TextIOWrapper": (lambda: io.TextIOWrapper(fs.open(uri, "wb")), "half"),
    }


WAYS = tuple(openers(LakeFSFileSystem("mem://ways"), ""))


@pytest.mark.parametrize("way", WAYS)
def test_an_exception_publishes_nothing(fs: LakeFSFileSystem, lake: Lake, way: str) -> None:
    uri = f"{lake.uri}/file"
    opened, half = openers(fs, uri)[way]
    lake.branch.upload(b"before", "file")
    with pytest.raises(ZeroDivisionError):
        with opened() as file:
            file.write(half)
            raise ZeroDivisionError
    gc.collect()
    assert lake.branch.download("file") == b"before"


@pytest.mark.parametrize("way", WAYS)
def test_a_clean_end_publishes(fs: LakeFSFileSystem, lake: Lake, way: str) -> None:
    opened, half = openers(fs, f"{lake.uri}/file")[way]
    with opened() as file:
        file.write(half)
        assert not lake.branch.exists("file")
    found = lake.branch.download("file")
    assert (gzip.decompress(found) if "gzip" in way else found) == b"half"


def test_a_close_in_a_handler_of_the_caller_publishes(fs: LakeFSFileSystem, lake: Lake) -> None:
    for name, compression in (("plain", None), ("packed", "gzip")):
        file = fs.open(f"{lake.uri}/{name}", "wb", compression=compression)
        try:
            raise ZeroDivisionError
        except ZeroDivisionError:
            file.write(b"report of the failure")
            file.close()
        assert fs.open(f"{lake.uri}/{name}", compression=compression).read() == b"report of the failure"


class Cleanup:
    def __init__(self, fs: LakeFSFileSystem, uri: str) -> None:
        self.fs, self.uri = fs, uri

    def __enter__(self) -> None:
        return

    def __exit__(self, *error: object) -> None:
        with self.fs.open(self.uri, "wb") as file:
            file.write(b"written while an exception leaves a block")


def test_a_file_of_a_clean_up_is_published(fs: LakeFSFileSystem, lake: Lake) -> None:
    with pytest.raises(ZeroDivisionError), Cleanup(fs, f"{lake.uri}/report"):
        raise ZeroDivisionError
    assert lake.branch.download("report") == b"written while an exception leaves a block"


def test_what_was_lost_is_said(fs: LakeFSFileSystem, lake: Lake) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        with fsspec.open(f"{lake.uri}/file", "wb") as file:
            file.write(b"half")
            raise ZeroDivisionError
    assert [f"{lake.uri}/file was being written" in note for note in caught.value.__notes__] == [True]


@pytest.mark.parametrize("way", ["binary", "text", "gzip", "gzip text"])
def test_a_finaliser_publishes_nothing_and_warns(fs: LakeFSFileSystem, lake: Lake, way: str) -> None:
    file = openers(fs, f"{lake.uri}/lost")[way][0]()
    file.write("half" if "text" in way else b"half")
    files = [file]
    del file
    with pytest.warns(UserWarning, match=r"was opened for writing and never closed.*with fs\.open\("):
        files.clear()
    assert not lake.branch.exists("lost")


def test_modes(fs: LakeFSFileSystem, lake: Lake) -> None:
    uri = f"{lake.uri}/a"
    with fs.open(uri, "xb") as file:
        file.write(b"1")
    for mode in ("xb", "x"):
        with pytest.raises(FileExistsError):
            fs.open(uri, mode)
    for mode in ("ab", "a"):
        with pytest.raises(NotImplementedError, match="cannot be appended to; read it, and write it whole"):
            fs.open(uri, mode)
    with pytest.raises(ValueError, match="r\\+b"):
        fs.open(uri, "r+b")
    with pytest.raises(FileExistsError):
        fs.pipe_file(uri, b"2", mode="create")
    with pytest.raises(NotImplementedError):
        fs.touch(uri, truncate=False)
    assert fs.cat(uri) == b"1"
    fs.touch(uri)
    assert fs.cat(uri) == b""


def test_writes_to_what_is_no_branch_are_refused_before_any_data(fs: LakeFSFileSystem, lake: Lake) -> None:
    lake.branch.upload(b"1", "a")
    commit = lake.branch.commit("first")
    repository = lakefs_hl.repository(lake.branch.repository_id)
    repository.tag("v1").create("main")
    for ref in ("v1", commit.id, commit.id[:16], "main~0", "main@"):
        with pytest.raises(PermissionError, match="is not a branch"):
            fs.open(f"lakefs://{repository.id}/{ref}/a", "wb")
    with pytest.raises(FileNotFoundError, match="is no branch"):
        fs.open(f"lakefs://{repository.id}/mian/a", "wb")
    with pytest.raises(FileNotFoundError):
        fs.pipe("lakefs://no-such-repository/main/a", b"")
    with pytest.raises(IsADirectoryError):
        fs.open(lake.uri, "wb")
    assert [branch.id for branch in repository.branches()] == ["main"]
    created = LakeFSFileSystem(create_branch_ok=True)
    created.pipe(f"lakefs://{repository.id}/wanted/b", b"2")
    assert created.cat(f"lakefs://{repository.id}/wanted/a") == b"1"


def test_content_type_and_metadata(fs: LakeFSFileSystem, lake: Lake) -> None:
    with fs.open(f"{lake.uri}/a.bin", "wb", content_type="image/x-own", metadata={"Key": "value"}) as file:
        file.write(b"1")
    info = fs.info(f"{lake.uri}/a.bin")
    assert (info["content-type"], info["metadata"]) == ("image/x-own", {"key": "value"})
    with pytest.raises(TypeError, match="metadata must be strings"):
        fs.open(f"{lake.uri}/a.bin", "wb", metadata={"number": 1})
    with pytest.raises(TypeError, match="colour"):
        fs.open(f"{lake.uri}/a.bin", "wb", colour="red")


def test_large_writes_need_little_memory(fs: LakeFSFileSystem, lake: Lake) -> None:
    if lake.kind == "embedded":
        pytest.skip("an embedded lake keeps what is written in this process")
    tracemalloc.start()
    try:
        with fs.open(f"{lake.uri}/large", "wb") as file:
            for _ in range(32):
                file.write(LARGE)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert fs.size(f"{lake.uri}/large") == 32 * len(LARGE)
    assert peak < 24 << 20


def test_wrappers_of_the_standard_library(fs: LakeFSFileSystem, lake: Lake) -> None:
    with fs.open(f"{lake.uri}/t.csv", "w", newline="") as file:
        csv.writer(file).writerows([["a", "ü"], ["1", "2"]])
    assert lake.branch.download("t.csv") == "a,ü\r\n1,2\r\n".encode()
    with fs.open(f"{lake.uri}/t.csv", "rt", encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [["a", "ü"], ["1", "2"]]
