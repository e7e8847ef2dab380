from __future__ import annotations

import gc
import os
import sys
import threading
from pathlib import Path

import pytest

from lakefs_hl._folders import directories
from lakefs_hl._folders.directories import CREATE, MAX_OPEN, READ, Directories

both = pytest.mark.parametrize("by_descriptor", [True, False], ids=["descriptors", "paths"])


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@both
def test_directories_are_opened_and_created_on_the_way(tmp_path: Path, by_descriptor: bool) -> None:
    source = Directories(tmp_path / "x/y", make=True, by_descriptor=by_descriptor)
    with pytest.raises(FileNotFoundError) as missing:
        source.get("a/b")
    assert missing.value.filename == str(tmp_path / "x/y/a")
    made = source.get("a/b/c", make=True)
    assert made.path == str(tmp_path / "x/y/a/b/c")
    assert (tmp_path / "x/y/a/b/c").is_dir()
    assert source.get("a/b/c") is made
    assert source.get("").path == str(tmp_path / "x/y")
    seen = os.stat(tmp_path / "x/y/a/b/c")
    assert made.identity() == (seen.st_dev, seen.st_ino)
    made.sync()
    source.get("d", make=True)
    assert sorted(entry.name for entry in source.get("").entries()) == ["a", "d"]


@both
@pytest.mark.parametrize("path", ["..", "a/..", "a/../..", ".", "a/./b", "a//b", "/", "/a", "a/"])
def test_names_that_mean_another_directory_are_none(tmp_path: Path, by_descriptor: bool, path: str) -> None:
    (tmp_path / "root/a/b").mkdir(parents=True)
    source = Directories(tmp_path / "root", by_descriptor=by_descriptor)
    for make in (False, True):
        with pytest.raises(FileNotFoundError, match="is not the name of a directory"):
            source.get(path, make=make)


@both
def test_what_can_be_done_with_names(tmp_path: Path, by_descriptor: bool) -> None:
    directory = Directories(tmp_path, by_descriptor=by_descriptor).get("")
    fd = directory.open("a", CREATE, 0o640)
    os.write(fd, b"abc")
    directory.utime("a", fd, 1_000_000_000)
    directory.chmod(fd, 0o600)
    os.close(fd)
    with pytest.raises(FileExistsError):
        directory.open("a", CREATE)
    assert directory.lstat("a").st_mtime_ns == 1_000_000_000
    directory.rename("a", "b")
    fd = directory.open("b", READ)
    assert os.read(fd, 10) == b"abc"
    os.close(fd)
    directory.unlink("b")
    (tmp_path / "d").mkdir()
    directory.rmdir("d")
    assert list(tmp_path.iterdir()) == []


@both
@pytest.mark.parametrize("call", ["open", "lstat", "unlink", "rmdir"])
def test_errors_have_the_whole_path(tmp_path: Path, by_descriptor: bool, call: str) -> None:
    (tmp_path / "a").mkdir()
    directory = Directories(tmp_path, by_descriptor=by_descriptor).get("a")
    arguments = ("none", READ) if call == "open" else ("none",)
    with pytest.raises(FileNotFoundError) as caught:
        getattr(directory, call)(*arguments)
    assert caught.value.filename == str(tmp_path / "a/none")


@both
def test_no_link_is_opened(tmp_path: Path, by_descriptor: bool) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "secret").write_text("secret", encoding="utf-8")
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True)
    (root / "link").symlink_to("../outside")
    (root / "a/inner").symlink_to("../a")
    (root / "file").symlink_to("../secret")
    (root / "plain").touch()
    source = Directories(root, by_descriptor=by_descriptor)
    for path in ("link", "link/x", "a/inner", "plain", "file", "plain/x"):
        for make in (False, True):
            with pytest.raises(NotADirectoryError, match="a symbolic link or a file is in the place of a directory"):
                source.get(path, make=make)
    with pytest.raises(OSError, match="links are not followed") as caught:
        source.get("").open("file", READ)
    assert caught.value.filename == str(root / "file")
    assert list((tmp_path / "outside").iterdir()) == []


@both
def test_links_that_are_followed_end_inside_of_the_root(tmp_path: Path, by_descriptor: bool) -> None:
    root = tmp_path / "root"
    (root / "a/b").mkdir(parents=True)
    (root / "a/b/x").write_text("x", encoding="utf-8")
    (root / "link").symlink_to("a")
    (root / "top").symlink_to(".")
    (root / "out").symlink_to("..")
    (root / "sibling").symlink_to(tmp_path / "root-2")
    (tmp_path / "root-2").mkdir()
    source = Directories(root, by_descriptor=by_descriptor, follow_symlinks=True)
    assert source.get("link/b").identity() == source.get("a/b").identity()
    assert source.get("top").identity() == source.get("").identity()
    for path in ("out", "sibling", "out/root"):
        with pytest.raises(NotADirectoryError):
            source.get(path)
        assert source.locate(path) is None or path == "out/root"
    located = source.locate("link/b/x")
    assert located is not None
    assert (located[0].path, located[1]) == (str(root / "a/b"), "x")


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc")
def test_few_directories_stay_open_and_all_are_closed_in_the_end(tmp_path: Path) -> None:
    gc.collect()  # closes directories of other tests
    before = descriptors()
    source = Directories(tmp_path)
    for number in range(3 * MAX_OPEN):
        source.get(f"{number}/x", make=True)
    assert descriptors() == before + MAX_OPEN + 1
    kept = source.get("0/x")
    source.close()
    assert descriptors() == before + 2
    assert list(kept.entries()) == []  # a directory in use stays open
    del kept, source
    assert descriptors() == before


@both
def test_a_relative_root_stays_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_descriptor: bool) -> None:
    (tmp_path / "root/a").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path)
    source = Directories("root", by_descriptor=by_descriptor)
    monkeypatch.chdir(tmp_path / "other")
    source.get("a/b", make=True)
    assert (tmp_path / "root/a/b").is_dir()


def test_a_forgotten_directory_is_opened_anew(tmp_path: Path) -> None:
    source = Directories(tmp_path)
    old = source.get("a/b", make=True)
    (tmp_path / "a/b").rmdir()
    (tmp_path / "a").rmdir()
    assert source.get("a/b") is old
    source.forget("a")
    with pytest.raises(FileNotFoundError):
        source.get("a/b")
    assert source.get("a/b", make=True) is not old


def test_threads_share_directories(tmp_path: Path) -> None:
    source = Directories(tmp_path)
    errors = list[BaseException]()

    def work(seed: int) -> None:
        try:
            for number in range(300):
                name = f"{(number * seed) % (2 * MAX_OPEN)}"
                directory = source.get(f"d/{name}", make=True)
                assert directory.path.endswith(name)
                assert directory.lstat(".").st_ino == os.stat(tmp_path / "d" / name).st_ino
        except BaseException as exc:
            errors.append(exc)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in (1, 3, 5, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_the_system_has_descriptors_of_directories_where_it_should() -> None:
    assert (sys.platform != "win32") == directories.BY_DESCRIPTOR
