"""Transfers of many objects, of files and of directories, on every lake and in both colours."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from lakefs_hl import exceptions
from tests.worlds import World

COUNT = 30


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKEFS_HL_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def branch(world: World) -> Any:
    return world.fresh().branch("main")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory of small files and a large one."""
    root = tmp_path / "folder"
    for number in range(COUNT):
        path = root / f"d{number % 4}" / f"f{number:02}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"content {number}".encode())
        os.utime(path, (1_600_000_000, 1_600_000_000))
    (root / "large.bin").write_bytes(os.urandom((1 << 20) + 9))
    return root


def files(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def paths(branch: Any, prefix: str = "") -> list[str]:
    return [each.path for each in branch.list_objects(prefix=prefix, recursive=True)]


def items(world: World, count: int = COUNT) -> Any:
    """A generator of the colour."""

    async def awaitable() -> AsyncIterator[tuple[str, Any]]:
        for number in range(count):
            yield f"many/{number:03}", chunks(number)

    async def chunks(number: int) -> AsyncIterator[bytes]:
        yield f"{number}".encode()
        yield b"!"

    def blocking() -> Iterator[tuple[str, Any]]:
        for number in range(count):
            yield f"many/{number:03}", [f"{number}".encode(), b"!"]

    return awaitable() if world.awaitable else blocking()


def test_upload_many_and_download_many(world: World, branch: Any) -> None:
    report = branch.upload_many(items(world), total=COUNT, max_workers=5)
    assert (report.transferred, report.ok, report.bytes) == (COUNT, True, sum(len(f"{n}!") for n in range(COUNT)))
    found = branch.download_many([f"many/{number:03}" for number in reversed(range(COUNT))] + ["many/none"])
    assert [each.content for each in found[:-1]] == [f"{number}!".encode() for number in reversed(range(COUNT))]
    assert isinstance(found[-1].error, exceptions.ObjectNotFoundException)
    dictionary = {"key": "d", "content": "x,y", "content_type": "text/x", "metadata": {"k": "v"}, "tags": {"t": "1"}}
    assert branch.upload_many([dictionary, ("e", b"")]).transferred == 2
    info = branch.stat_object("d")
    assert (info.content_type, info.metadata) == ("text/x", {"k": "v", "lakefs-hl-tags": '{"t":"1"}'})


def test_upload_many_is_one_commit(branch: Any) -> None:
    report = branch.upload_many([("a", b"1"), ("b", b"2")], commit_message="both")
    assert branch.get_commit().id == report.commit_id
    assert list(branch.list_uncommitted()) == []
    with pytest.raises(exceptions.PartialFailureError, match="is unchanged; branch 'tx-main-"):
        branch.upload_many([("c", b"1"), ("d", object())], commit_message="both")
    assert (branch.get_commit().id, branch.exists("c")) == (report.commit_id, False)


def test_upload_dir_and_download_dir(branch: Any, folder: Path, tmp_path: Path) -> None:
    report = branch.upload_dir(folder, "raw", commit_message="Load")
    assert (report.transferred, report.commit_id) == (COUNT + 1, branch.get_commit().id)
    assert branch.stat_object("raw/d0/f00").metadata["::lakefs::client-mtime"] == "1600000000"
    out = tmp_path / "out"
    assert branch.download_dir("raw", out).transferred == COUNT + 1
    assert files(out) == files(folder)
    assert (out / "d0/f00").stat().st_mtime == 1_600_000_000
    for update in (True, "checksum"):
        assert branch.upload_dir(folder, "raw", update=update).skipped == COUNT + 1
        assert branch.download_dir("raw", out, update=update).skipped == COUNT + 1


def test_sync_from_and_sync_to(branch: Any, folder: Path, tmp_path: Path) -> None:
    branch.upload(b"", "raw/extra")
    plan = branch.sync_from(folder, "raw", delete=True, dry_run=True)
    assert (plan.count("upload"), plan.count("delete")) == (COUNT + 1, 1)
    assert paths(branch) == ["raw/extra"]
    report = plan.apply()
    assert (report.transferred, report.deleted) == (COUNT + 1, 1)
    assert paths(branch, "raw/") == sorted(f"raw/{path}" for path in files(folder))
    (folder / "d0/f00").write_bytes(b"changed")
    (folder / "d0/f04").unlink()
    report = branch.sync_from(folder, "raw", delete=True)
    assert (report.transferred, report.deleted, report.skipped) == (1, 1, COUNT - 1)
    out = tmp_path / "out"
    branch.sync_to("raw", out)
    (out / "extra").write_bytes(b"")
    (out / "large.bin").unlink()
    report = branch.sync_to("raw", out, delete=True)
    assert (report.transferred, report.deleted) == (1, 1)
    assert files(out) == files(folder)


def test_upload_file_and_download_file(branch: Any, folder: Path, tmp_path: Path) -> None:
    info = branch.upload_file(folder / "large.bin", "raw/", metadata={"k": "v"})
    assert (info.path, info.size_bytes) == ("raw/large.bin", (1 << 20) + 9)
    modified = info.modified_time
    assert branch.upload_file(folder / "large.bin", "raw/", update=True).modified_time == modified
    content = (folder / "large.bin").read_bytes()
    checksum = branch.upload_file(folder / "large.bin", "unverified", verify=False).checksum
    assert checksum == hashlib.md5(content).hexdigest()
    assert branch.download_file("raw/large.bin", tmp_path / "a").read_bytes() == content
    (tmp_path / "a").write_bytes(content[:1000])
    assert branch.download_file("raw/large.bin", tmp_path / "a", continue_=True).read_bytes() == content


def test_a_filter_of_either_kind_chooses(world: World, branch: Any, folder: Path) -> None:
    async def awaited(path: str) -> bool:
        return path != "d1/"

    chosen = awaited if world.awaitable else (lambda path: path != "d1/")
    report = branch.upload_dir(folder, filter=chosen, exclude="*.bin")
    assert report.transferred == sum(number % 4 != 1 for number in range(COUNT))


def test_a_transaction_takes_transfers_too(branch: Any, folder: Path) -> None:
    with branch.transaction("all of it") as tx:
        assert tx.upload_dir(folder, "raw").transferred == COUNT + 1
        assert tx.upload_many([("more", b"1")]).transferred == 1
        assert tx.download_many(["more"])[0].content == b"1"
    assert branch.get_commit().message == "all of it"
    assert len(paths(branch)) == COUNT + 2


def test_immutable_references_read_and_do_not_write(world: World, branch: Any, tmp_path: Path) -> None:
    branch.upload_many([("d/a", b"1"), ("d/b", b"2")], commit_message="two")
    branch.upload_many([("d/a", b"changed")])
    pinned = branch.pin()
    assert not hasattr(pinned, "upload_many")
    assert pinned.download_dir("d", tmp_path / "out").transferred == 2
    assert files(tmp_path / "out") == {"a": b"1", "b": b"2"}
    assert [each.content for each in pinned.download_many(["d/b", "d/a"])] == [b"2", b"1"]


def test_a_missing_branch_is_one_error(world: World, branch: Any, folder: Path, tmp_path: Path) -> None:
    missing = world.repository(branch.repository_id).branch("missing")
    with pytest.raises(exceptions.NotFoundException, match="missing"):
        missing.upload_dir(folder)
    with pytest.raises(exceptions.NotFoundException, match="missing"):
        missing.upload_many([("a", b"")])
    with pytest.raises(exceptions.NotFoundException, match="missing"):
        missing.download_dir("", tmp_path / "out")
