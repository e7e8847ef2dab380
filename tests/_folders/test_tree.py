from __future__ import annotations

import errno
import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lakefs_hl._folders import directories, parts
from lakefs_hl._folders.tree import Tree
from tests._folders.swapping import write_under_attack

posix = pytest.mark.skipif(os.name != "posix", reason="needs links")


@pytest.fixture(params=["descriptors", "paths"])
def tree(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tree]:
    with Tree(tmp_path / "root", by_descriptor=request.param == "descriptors") as made:
        yield made


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def files(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_files_are_written_with_their_directories(tree: Tree, root: Path) -> None:
    tree.write("a", b"1")
    tree.write("b/c/d.csv", b"2", 1_500_000_000_000_000_000)
    tree.write("b/c/d.csv", b"3", 1_600_000_000_000_000_000)
    tree.write("b/e", memoryview(b"4"))
    assert files(root) == {"a": b"1", "b/c/d.csv": b"3", "b/e": b"4"}
    assert os.stat(root / "b/c/d.csv").st_mtime_ns == 1_600_000_000_000_000_000


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="only Linux has files without a name")
def test_a_small_file_takes_four_calls(root: Path, mocker: Any) -> None:
    with Tree(root) as tree:
        tree.write("a/first", b"1")
        gc.disable()  # it may close directories of other tests
        try:
            calls = ("open", "write", "link", "close", "stat", "lstat", "fstat", "mkdir", "replace", "unlink", "utime")
            spies = {name: mocker.spy(os, name) for name in calls}
            tree.write("a/second", b"2")
            counted = {name: spy.call_count for name, spy in spies.items() if spy.call_count}
        finally:
            gc.enable()
    assert counted == {"open": 1, "write": 1, "link": 1, "close": 1}


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "", "a//b", "a/", "a\0b", ".", "..\\x", "\ud800"])
def test_unsafe_paths_are_refused_before_anything_is_made(tree: Tree, tmp_path: Path, path: str) -> None:
    calls: list[Any] = [
        lambda: tree.write(path, b""),
        lambda: tree.create(path),
        lambda: tree.resume(path, "etag", 1),
        lambda: tree.adopt(path, "etag", 1),
        lambda: tree.stat(path),
        lambda: tree.remove(path),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="is no safe local path: it"):
            call()
    assert [found.relative_to(tmp_path).as_posix() for found in tmp_path.rglob("*")] == ["root"]


@posix
def test_nothing_is_written_through_planted_links(tree: Tree, root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"precious")
    (root / "d").symlink_to("../outside")
    (root / "deep").mkdir()
    (root / "deep/d").symlink_to(outside)
    (root / "self").symlink_to(".")
    (root / "file").symlink_to("../outside/file")
    (root / "nothing").symlink_to("../outside/new")
    for path in ("d/x", "d/file", "deep/d/x/y", "self/x", "d/sub/x"):
        calls: list[Any] = [
            lambda path=path: tree.write(path, b"escaped"),
            lambda path=path: tree.resume(path, "etag", 7),
            lambda path=path: tree.remove(path),
        ]
        for call in calls:
            with pytest.raises(NotADirectoryError, match="links are not followed"):
                call()
        assert tree.stat(path) is None
    tree.write("file", b"replaced")
    tree.write("nothing", b"replaced")
    assert not (root / "file").is_symlink()
    assert {path.name: path.read_bytes() for path in outside.iterdir()} == {"file": b"precious"}


def test_a_file_in_the_place_of_a_directory_is_an_error_that_names_it(tree: Tree, root: Path) -> None:
    tree.write("a", b"1")
    with pytest.raises(NotADirectoryError) as caught:
        tree.write("a/b", b"2")
    assert caught.value.filename == str(root / "a")
    assert files(root) == {"a": b"1"}


def test_a_directory_that_was_removed_meanwhile_is_made_again(tree: Tree, root: Path) -> None:
    tree.write("a/b/x", b"1")
    (root / "a/b/x").unlink()
    (root / "a/b").rmdir()
    tree.write("a/b/y", b"2")
    with tree.create("a/b/z") as part:
        part.write(b"3")
        for path in (root / "a/b").iterdir():
            path.unlink()
        (root / "a/b").rmdir()
        if part._temporary is None:  # else its file was removed too
            part.finish()
            assert files(root) == {"a/b/z": b"3"}
        else:
            part.abort()


# -- parts -------------------------------------------------------------------------------------------------------------


def test_an_interrupted_download_is_continued(tree: Tree, root: Path) -> None:
    with tree.resume("a/big", "etag", 10) as part:
        part.write(b"01234")
    assert [path.suffix for path in (root / "a").iterdir()] == [".part"]
    with tree.resume("a/big", "etag", 10) as part:
        assert (part.size, b"".join(part.blocks())) == (5, b"01234")
        part.write(b"56789")
        part.finish()
    assert files(root) == {"a/big": b"0123456789"}


def test_two_downloads_of_the_same_have_a_file_each(tree: Tree, root: Path) -> None:
    with tree.resume("a", "etag", 3) as first, tree.resume("a", "etag", 3) as second:
        assert (first.can_continue, second.can_continue) == (True, False)
        first.write(b"abc")
        second.write(b"abc")
        second.finish()
        first.finish()
    assert files(root) == {"a": b"abc"}


KILLED = """
import os, sys
from lakefs_hl._folders.tree import Tree
from tests._folders.swapping import write_under_attack
tree = Tree(sys.argv[1])
tree.create("small").write(b"x" * 1000)
tree.resume("big", "etag", 5000).write(b"x" * 1000)
os.kill(os.getpid(), 9)
"""


@posix
def test_a_killed_process_leaves_nothing_but_what_can_be_continued(root: Path) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, str(root)], check=False, timeout=60)
    assert killed.returncode == -9
    (kept,) = root.iterdir()
    assert kept.suffix == ".part"
    with Tree(root) as tree, tree.resume("big", "etag", 5000) as part:
        assert part.size == 1000
        part.abort()
    assert list(root.iterdir()) == []


def test_a_shorter_file_of_the_user_is_continued_in_a_copy(tree: Tree, root: Path) -> None:
    (root / "a").write_bytes(b"01234")
    with tree.adopt("a", "etag", 10) as part:
        assert (part.size, b"".join(part.blocks())) == (5, b"01234")
        part.write(b"56789")
        assert (root / "a").read_bytes() == b"01234"
        part.finish()
    assert files(root) == {"a": b"0123456789"}


def test_what_cannot_be_a_beginning_is_not_adopted(tree: Tree, root: Path) -> None:
    (root / "longer").write_bytes(b"0123456789A")
    (root / "continued").write_bytes(b"zzzzz")
    with tree.resume("continued", "etag", 10) as part:
        part.write(b"01")
    for path, size in (("longer", 0), ("none", 0), ("continued", 2)):
        with tree.adopt(path, "etag", 10) as part:
            assert part.size == size
            part.abort()


@posix
def test_a_link_is_not_adopted(tree: Tree, root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (root / "a").symlink_to("../secret")
    with pytest.raises(OSError, match="links are not followed"):
        tree.adopt("a", "etag", 10)
    assert [path.name for path in root.iterdir()] == ["a"]


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="only Linux has files without a name")
def test_a_file_system_without_unnamed_files_gets_temporary_names(root: Path, mocker: Any) -> None:
    def refuse(*args: object) -> None:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")

    with Tree(root) as tree:
        tree.write("a/before", b"1")
        mocker.patch.object(parts, "create_unnamed", refuse)  # another file system is mounted there
        tree.write("a/b", b"2")
        with tree.create("a/c") as part:
            part.write(b"3")
            assert len(list((root / "a").glob(".c.*.part"))) == 1
    assert files(root) == {"a/before": b"1", "a/b": b"2"}


def test_a_system_without_unnamed_files_gets_temporary_names(root: Path, mocker: Any) -> None:
    mocker.patch.object(directories, "_TMPFILE", None)
    with Tree(root) as tree, tree.create("a/b") as part:
        part.write(b"1")
        assert len(list((root / "a").glob(".b.*.part"))) == 1
        part.finish()
    assert files(root) == {"a/b": b"1"}


# -- what is there, and removing ---------------------------------------------------------------------------------------


def test_stat_finds_regular_files_only(tree: Tree, root: Path) -> None:
    tree.write("a/b", b"123")
    (root / "link").symlink_to("a/b")
    found = tree.stat("a/b")
    assert found is not None
    assert (found.path, found.size, found.inode) == ("a/b", 3, os.stat(root / "a/b").st_ino)
    for path in ("a", "none", "a/none", "a/b/c", "link"):
        assert tree.stat(path) is None


def test_files_are_removed_and_then_their_empty_directories(tree: Tree, root: Path) -> None:
    for path in ("a/b/c/x", "a/b/y", "z"):
        tree.write(path, b"")
    assert tree.remove("a/b/c/x")
    assert not tree.remove("a/b/c/x")
    assert not tree.remove("none/x")
    tree.remove_empty("a/b/c")
    assert files(root) == {"a/b/y": b"", "z": b""}
    assert not (root / "a/b/c").exists()
    tree.remove("a/b/y")
    tree.remove_empty("a/b")
    assert [path.name for path in root.iterdir()] == ["z"]
    tree.remove("z")
    tree.remove_empty("a/b")
    tree.write("a/b/c/x", b"again")
    tree.remove_empty("a/b/c")
    assert files(root) == {"a/b/c/x": b"again"}


@posix
def test_a_link_is_removed_and_not_what_it_leads_to(tree: Tree, root: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "directory").mkdir()
    (root / "a").symlink_to("../precious")
    (root / "b").symlink_to("../directory")
    assert tree.remove("a")
    tree.remove_empty("b")
    assert (root / "b").is_symlink()
    assert tree.remove("b")
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert (tmp_path / "directory").is_dir()


def test_a_directory_is_not_removed_as_a_file(tree: Tree, root: Path) -> None:
    tree.write("a/b", b"")
    with pytest.raises(OSError, match="a"):
        tree.remove("a")
    assert files(root) == {"a/b": b""}


def test_whether_names_that_differ_in_case_are_equal(tree: Tree, root: Path, mocker: Any) -> None:
    (root / "x").touch()
    assert tree.folds_case() == (root / "X").exists()
    mocker.patch.object(type(tree.directories.get()), "lstat", lambda self, name: os.stat(root / name.lower()))
    assert tree.folds_case()
    mocker.stopall()
    assert [path.name for path in root.iterdir()] == ["x"]


# -- races -------------------------------------------------------------------------------------------------------------


@posix
def test_a_directory_that_is_swapped_for_a_link_all_the_time_lets_nothing_out(tmp_path: Path) -> None:
    write_under_attack(tmp_path, swaps=500)
