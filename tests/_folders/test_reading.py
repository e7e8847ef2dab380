from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lakefs_hl._folders import reading
from lakefs_hl._folders.directories import Directories
from lakefs_hl._folders.found import Found
from lakefs_hl._folders.reading import FileChangedError
from lakefs_hl._folders.walk import walk

posix = pytest.mark.skipif(os.name != "posix", reason="needs links and FIFOs")


def one(root: Path, content: bytes, **options: bool) -> tuple[Directories, Found]:
    (root / "a").mkdir(exist_ok=True)
    (root / "a/file").write_bytes(content)
    source = Directories(root, **options)
    return source, next(found for found in walk(source) if found.path == "a/file")


@pytest.mark.parametrize("size", [0, 1, 120, 65536, 1 << 20, (3 << 20) + 1])
@pytest.mark.parametrize("by_descriptor", [True, False], ids=["descriptors", "paths"])
def test_a_file_is_read_as_a_whole(tmp_path: Path, size: int, by_descriptor: bool) -> None:
    content = os.urandom(size)
    source, found = one(tmp_path, content, by_descriptor=by_descriptor)
    assert reading.read(source, found) == (content, found)


@pytest.mark.skipif(sys.platform != "linux", reason="counts system calls through patched functions of Linux")
def test_a_small_file_takes_four_calls(tmp_path: Path, mocker: Any) -> None:
    source, found = one(tmp_path, b"x" * 120)
    spies = {name: mocker.spy(os, name) for name in ("open", "read", "fstat", "close", "lseek", "stat", "lstat")}
    gc.disable()  # it may close directories of other tests
    try:
        reading.read(source, found)
    finally:
        gc.enable()
    assert {name: spy.call_count for name, spy in spies.items() if spy.call_count} == {
        "open": 1,
        "read": 1,
        "fstat": 1,
        "close": 1,
    }


def test_a_file_that_changed_after_the_walk_is_read_as_it_is_now(tmp_path: Path) -> None:
    source, found = one(tmp_path, b"old")
    (tmp_path / "a/file").write_bytes(b"newer content")
    content, now = reading.read(source, found)
    assert content == b"newer content"
    assert (now.size, now.path, now.inode) == (13, "a/file", found.inode)
    (tmp_path / "a/other").write_bytes(b"another")
    (tmp_path / "a/other").replace(tmp_path / "a/file")
    content, later = reading.read(source, found)
    assert content == b"another"
    assert later.inode != found.inode


def grow(fd: int, path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def rewrite(fd: int, path: Path) -> None:
    path.write_bytes(b"other")
    os.utime(path, ns=(0, os.stat(path).st_mtime_ns + 10_000_000))


@pytest.mark.parametrize(("change", "words"), [(grow, "it had 5 bytes, and now has 9"), (rewrite, "it was modified")])
def test_a_file_that_always_changes_while_it_is_read_is_an_error(
    tmp_path: Path, mocker: Any, change: Callable[[int, Path], None], words: str
) -> None:
    source, found = one(tmp_path, b"12345")
    real, changes = os.read, list[int]()

    def read(fd: int, size: int) -> bytes:
        content = real(fd, size)
        changes.append(1)
        change(fd, tmp_path / "a/file")
        return content

    mocker.patch.object(os, "read", read)
    with pytest.raises(FileChangedError) as caught:
        reading.read(source, found)
    assert caught.value.filename == str(tmp_path / "a/file")
    assert len(changes) > 3
    if change is rewrite:
        assert words in str(caught.value)
    else:
        assert "bytes, and now has" in str(caught.value)


def test_a_file_that_changes_once_while_it_is_read_is_read_again(tmp_path: Path, mocker: Any) -> None:
    source, found = one(tmp_path, b"12345")
    real, changes = os.read, list[int]()

    def read(fd: int, size: int) -> bytes:
        content = real(fd, size)
        if not changes:
            changes.append(1)
            grow(fd, tmp_path / "a/file")
        return content

    mocker.patch.object(os, "read", read)
    content, now = reading.read(source, found)
    assert content == b"12345more"
    assert now.size == 9


@posix
def test_what_turned_into_a_link_or_a_fifo_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret", encoding="utf-8")
    (tmp_path / "root").mkdir()
    source, found = one(tmp_path / "root", b"12345")
    file = tmp_path / "root/a/file"
    file.unlink()
    file.symlink_to("../../secret")
    for call in (reading.read, reading.open_file):
        with pytest.raises(OSError, match="links are not followed"):
            call(source, found if call is reading.read else found.path)  # type: ignore[arg-type]
    file.unlink()
    os.mkfifo(file)
    for call in (reading.read, reading.open_file):  # neither waits for a writer
        with pytest.raises(OSError, match="no regular file"):
            call(source, found if call is reading.read else found.path)  # type: ignore[arg-type]
    file.unlink()
    with pytest.raises(FileNotFoundError):
        reading.read(source, found)


@posix
def test_a_directory_that_turned_into_a_link_is_not_entered(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/file").write_text("secret", encoding="utf-8")
    (tmp_path / "root").mkdir()
    source, found = one(tmp_path / "root", b"12345")
    source.close()
    (tmp_path / "root/a").rename(tmp_path / "root/b")
    (tmp_path / "root/a").symlink_to("../outside")
    with pytest.raises(NotADirectoryError):
        reading.read(source, found)


@posix
def test_a_link_that_is_followed_is_read_from_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/x").write_bytes(b"content")
    (tmp_path / "link").symlink_to("data/x")
    (tmp_path / "directory").symlink_to("data")
    source = Directories(tmp_path, follow_symlinks=True)
    assert {found.path: reading.read(source, found) for found in walk(source)} == {
        found.path: (b"content", found) for found in walk(source)
    }
    with reading.Watched(source, "link") as file:
        assert os.read(file.fd, 100) == b"content"


def test_a_large_file_is_watched_while_it_is_open(tmp_path: Path) -> None:
    source, found = one(tmp_path, b"12345")
    with reading.Watched(source, "a/file") as file:
        assert file.found == found
        assert os.read(file.fd, 3) == b"123"
        file.check()
        grow(file.fd, tmp_path / "a/file")
        with pytest.raises(FileChangedError, match="it had 5 bytes, and now has 9") as caught:
            file.check()
        assert caught.value.filename == str(tmp_path / "a/file")
        fd = file.fd
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
    file.close()


def test_content_is_noticed_whose_time_was_set_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, found = one(tmp_path, b"12345")

    def write(content: bytes) -> None:
        path = tmp_path / "a/file"
        before = path.stat().st_ctime_ns
        while path.stat().st_ctime_ns == before:  # the clock of a file system goes by steps
            with path.open("r+b") as changed:
                changed.write(content)
            os.utime(path, ns=(found.mtime_ns, found.mtime_ns))

    with reading.Watched(source, "a/file") as file:
        write(b"67890")
        with pytest.raises(FileChangedError, match="its attributes were modified, and maybe its content") as caught:
            file.check()
    assert caught.value.filename == str(tmp_path / "a/file")
    read, done = os.read, list[int]()

    def disturbed(fd: int, count: int) -> bytes:
        content = read(fd, count)
        if not done:
            done.append(fd)
            write(b"abcde")
        return content

    monkeypatch.setattr(os, "read", disturbed)
    assert reading.read(source, found)[0] == b"abcde"


def test_a_file_that_is_replaced_is_no_change_of_the_one_that_is_open(tmp_path: Path) -> None:
    source, found = one(tmp_path, b"12345")
    with reading.Watched(source, "a/file") as file:
        (tmp_path / "new").write_bytes(b"new")
        (tmp_path / "new").replace(tmp_path / "a/file")
        file.check()
    assert reading.read(source, found)[0] == b"new"


def test_reading_if_it_is_regular(tmp_path: Path) -> None:
    source, _ = one(tmp_path, b"12345")
    (tmp_path / "link").symlink_to("a/file")
    assert reading.read_if_regular(source, "a/file") == b"12345"
    (tmp_path.parent / "outside").write_bytes(b"outside")
    unsafe = ("../outside", "a/../../outside", "/etc/hostname", "a\0b", "\ud800", "a" * 300, "", ".", "..")
    for path in ("none", "a/none", "none/file", "a", "a/file/x", "link", *unsafe):
        assert reading.read_if_regular(source, path) is None
