"""Files and handles of references, on every kind of lake and in both colours."""

from __future__ import annotations

import secrets
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import exceptions
from lakefs_hl._handles import facades
from lakefs_hl.compression import decompress
from tests.worlds import Settled, World, bare


@pytest.fixture
def repo(world: World) -> Any:
    return world.fresh()


@pytest.fixture
def main(repo: Any) -> Any:
    return repo.branch("main")


def others(world: World, url: str) -> Any:
    """Return the files of another place."""
    return world.settle(world.module.files(url, progress=False))


def test_files_of_a_branch(repo: Any, main: Any) -> None:
    files = main.files("data", progress=False)
    assert (files.url, files.read_only) == (f"{main.uri}data/", False)
    files.puts([("a.txt", b"hello world"), {"path": "d/b", "content": b"two" * 100, "compress": "gzip"}])
    assert files.get("a.txt") == b"hello world"
    assert files.get({"path": "a.txt", "start": 0, "end": 5}) == b"hello"
    assert files.get("none") is None
    assert [each["content"] for each in files.get(["d/b", "none", "a.txt"])] == [b"two" * 100, None, b"hello world"]
    assert main.download("data/a.txt") == b"hello world"
    assert main.stat_object("data/d/b").metadata == {"content-encoding": "gzip"}
    assert decompress(main.download("data/d/b"), "gzip") == b"two" * 100
    assert list(files.list()) == ["a.txt", "d/b"]
    assert list(files.list(flat=True)) == ["a.txt", "d/"]
    assert files.exists(["a.txt", "none"]) == {"a.txt": True, "none": False}
    assert files.size("a.txt") == 11
    assert (files.isdir("d"), files.isdir("e")) == (True, False)
    assert files.subtree_size()["N"] == 2
    assert files.head("a.txt")["Content-Type"] == "text/plain"
    assert files.touch(["a.txt", "new"]).transferred == 1
    assert files.get("a.txt") == b"hello world"
    assert files.move("a.txt", "moved/a.txt").transferred == 1
    assert files.moves(bare(main.files("else")), ["new", ("d/b", "b")]).transferred == 2
    assert list(main.files().list()) == ["data/moved/a.txt", "else/b", "else/new"]
    assert files.delete(["moved/a.txt", "none"]).deleted == 2
    assert list(files.list()) == []


def test_files_of_a_version_are_read_only(repo: Any, main: Any) -> None:
    main.files().put("a", b"one")
    commit = main.commit_changes("one")
    main.files().put("a", b"two")
    tag = repo.tag("v1").create("main")
    for ref in (commit, tag, repo.ref("main@"), repo.commit(commit.id)):
        files = ref.files()
        assert files.read_only
        assert files.get("a") == b"one"
        calls: list[Any] = [
            lambda files=files: files.put("a", b""),
            lambda files=files: files.puts([("a", b"")]),
            lambda files=files: files.delete("a"),
            lambda files=files: files.touch("b"),
            lambda files=files: files.move("a", "b"),
            lambda files=files: files.transfer_from("mem://none"),
        ]
        for call in calls:
            with pytest.raises(exceptions.UnsupportedOperationException, match="read-only"):
                call()
        assert ref.object("a").get() == b"one"
    assert main.files().get("a") == b"two"


def test_files_of_what_does_not_exist(world: World, repo: Any) -> None:
    for files in (repo.branch("none").files(), world.repository("does-not-exist").branch("main").files()):
        for call in (files.get, files.exists, files.size, files.head):
            with pytest.raises(exceptions.NotFoundException):
                call("a")
            with pytest.raises(exceptions.NotFoundException):
                call(["a", "b"])
        with pytest.raises(exceptions.NotFoundException):
            list(files.list())
        with pytest.raises(exceptions.LakeFSException):
            files.put("a", b"")


def test_files_of_a_transaction(main: Any) -> None:
    main.files().put("before", b"1")
    main.commit_changes("before")
    with main.transaction("many") as tx:
        tx.files("in").puts((f"{at}", b"1") for at in range(10))
        assert tx.object("in/3").get() == b"1"
        assert main.files("in").get("3") is None
    assert main.files("in").subtree_size() == {"N": 10, "num_bytes": 10}


def test_transfers_between_places(repo: Any, main: Any, world: World) -> None:
    url = f"mem://{secrets.token_hex(6)}"
    files = main.files("data", progress=False)
    files.puts([("a", b"text " * 100), ("b/c", b"2")], compress="gzip", content_type="text/x-mine")
    assert files.transfer_to(url).transferred == 2
    other = others(world, url)
    assert other.head("a")["Content-Encoding"] == "gzip"
    back = main.files("back", progress=False)
    assert back.transfer_from(url, reencode="br").transferred == 2
    assert back.head("a")["Content-Encoding"] == "br"
    assert back.head("a")["Content-Type"] == "text/x-mine"
    assert back.get("a") == b"text " * 100
    assert main.files("copy").transfer_from(bare(files), paths=["a"]).transferred == 1
    assert main.stat_object("copy/a").checksum == main.stat_object("data/a").checksum
    dev = repo.branch("dev").create("main")
    assert dev.files().transfer_from(bare(files)).transferred == 2  # staged changes too
    assert dev.files().get("b/c") == b"2"


def test_a_transfer_within_a_repository_moves_no_content(
    repo: Any, main: Any, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = main.files("data", progress=False)
    files.puts([(f"{at}", b"%d" % at) for at in range(20)], compress="gzip")
    for module in (lakefs_hl, lakefs_hl.aio):
        for name in ("download", "download_many", "upload", "upload_many"):
            monkeypatch.setattr(module.Branch, name, None)
    assert files.transfer_to(bare(main.files("copy")), update=True).transferred == 20
    assert files.transfer_to(bare(main.files("again"))).transferred == 20
    monkeypatch.undo()
    assert main.files("copy").get("7") == main.files("again").get("7") == b"7"


def test_a_handle(repo: Any, main: Any, tmp_path: Any) -> None:
    handle = main.object("d/a.txt")
    assert (handle.path, handle.uri) == ("d/a.txt", f"{main.uri}d/a.txt")
    assert repr(bare(handle)) == f"<ObjectHandle {main.uri}d/a.txt>"
    assert (handle.exists(), handle.get(), handle.size(), handle.head(), handle.get_json()) == (False, *[None] * 4)
    assert handle.touch().transferred == 1
    assert handle.size() == 0
    handle.put(b"hello world", compress="gzip")
    assert handle.get() == b"hello world"
    assert handle.head()["Content-Encoding"] == "gzip"
    assert [each["content"] for each in handle.get([slice(0, 5), {"start": 6, "end": 11}])] == [b"hello", b"world"]
    handle.put_json({"a": 1})
    assert handle.get_json() == {"a": 1}
    with handle.open("w") as file:
        file.write("text")
    with handle.open() as file:
        assert file.read() == "text"
    with handle.writer() as file:
        file.write(b"bytes")
    with handle.reader() as file:
        assert file.read() == b"bytes"
    assert handle.transfer_to(f"file://{tmp_path}/out/", reencode="gzip").transferred == 1
    assert (tmp_path / "out/a.txt.gz").exists()
    (tmp_path / "in").write_bytes(b"from outside")
    assert main.object("new").transfer_from(f"file://{tmp_path}/in").bytes == 12
    assert main.object("new").get() == b"from outside"
    assert handle.move("e/b.txt").transferred == 1
    assert not handle.exists()
    assert main.object("e/b.txt").get() == b"bytes"
    assert main.object("e/b.txt").delete().deleted == 1
    assert not main.object("e/b.txt").exists()
    assert main.object("a") == main.object("a")
    assert len({bare(main.object("a")), bare(main.object("a"))}) == 1
    calls: list[Any] = [lambda: handle.transfer_to(f"file://{tmp_path}/x"), lambda: handle.move("x")]
    for call in calls:
        with pytest.raises(FileNotFoundError):
            call()
    with pytest.raises(ValueError, match="must be a URL with a scheme"):
        handle.transfer_to("plain")
    with pytest.raises(ValueError, match=r"one of 'd/a.txt', not 'b'"):
        handle.get([{"path": "b", "start": 0}])
    with pytest.raises(ValueError, match="no step"):
        handle.get([slice(0, 5, 2)])
    with pytest.raises(TypeError, match="ranges must be an iterable"):
        handle.get("a")


def test_the_crc32c_of_what_is_written_is_compared(main: Any) -> None:
    files = main.files("data", checksum="crc32c", progress=False)
    files.puts([("a", b"123456789"), ("b", b"")])
    files.put("c", b"123456789", compress="gzip")
    assert main.stat_object("data/a").metadata == {"crc32c": "e3069283"}
    assert [each["content"] for each in files.get(["a", "b", "c"])] == [b"123456789", b"", b"123456789"]
    main.set_object_metadata("data/a", {"crc32c": "00000000"})
    with pytest.raises((exceptions.IntegrityError, exceptions.ObjectChangedError)):
        files.get("a")


def test_the_store_of_files_is_that_of_the_reference(main: Any, world: World) -> None:
    store = facades.load("aio" if world.awaitable else "_sync", "stores").store_of(bare(main), "data")
    assert store.url == f"{main.uri}data/"
    assert not isinstance(store, Settled)
