from __future__ import annotations

import errno
import gc
import inspect
import os
import random
import socket
import subprocess
import sys
import threading
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest

from lakefs_hl._folders import reading
from lakefs_hl._folders import walk as walking
from lakefs_hl._folders.choice import Choice
from lakefs_hl._folders.directories import MAX_OPEN, Directories
from lakefs_hl._folders.walk import Found, walk
from tests._folders.swapping import swap

posix = pytest.mark.skipif(os.name != "posix", reason="needs links, FIFOs and permissions as POSIX has them")


def paths(root: Path, **options: bool) -> list[str]:
    return [found.path for found in walk(Directories(root, **options))]


def with_skipped(root: Path, **options: bool) -> tuple[list[str], list[tuple[str, str]]]:
    skipped = list[tuple[str, str]]()
    found = walk(Directories(root, **options), on_skip=lambda path, reason: skipped.append((path, reason)))
    return [one.path for one in found], sorted(skipped)


def write(root: Path, *files: str) -> None:
    for path in files:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(path.encode())


def test_files_come_in_byte_order_of_their_paths(tmp_path: Path, rng: random.Random) -> None:
    names = ["a", "a!", "a-", "a.b", "a0", "ab", "A", "é", "e\u0301", "\uffee", "\U0001f600", "~", " "]
    for _ in range(300):
        path = tmp_path.joinpath(*rng.choices(names, k=rng.randint(1, 4)))
        if not any(parent.is_file() for parent in path.parents) and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    every = [file.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*") if file.is_file()]
    for by_descriptor in (True, False):
        assert paths(tmp_path, by_descriptor=by_descriptor) == sorted(every, key=str.encode)
    assert len(every) > 50


def test_a_file_has_the_attributes_of_its_file(tmp_path: Path) -> None:
    write(tmp_path, "a/b.csv")
    seen = os.stat(tmp_path / "a/b.csv")
    assert list(walk(Directories(tmp_path))) == [
        Found("a/b.csv", 7, seen.st_mtime_ns, seen.st_ino, seen.st_dev, seen.st_ctime_ns)
    ]


def test_an_empty_directory_has_no_files_and_a_missing_one_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    assert paths(tmp_path) == []
    with pytest.raises(FileNotFoundError):
        Directories(tmp_path / "none")
    (tmp_path / "file").touch()
    for by_descriptor in (True, False):
        with pytest.raises(NotADirectoryError):
            Directories(tmp_path / "file", by_descriptor=by_descriptor)


@posix
def test_links_are_skipped_and_reported(tmp_path: Path) -> None:
    write(tmp_path, "a/x", "b/y")
    (tmp_path / "to-file").symlink_to("a/x")
    (tmp_path / "to-directory").symlink_to("b")
    (tmp_path / "to-nothing").symlink_to("none")
    (tmp_path / "b/up").symlink_to("..")
    for by_descriptor in (True, False):
        found, skipped = with_skipped(tmp_path, by_descriptor=by_descriptor)
        assert found == ["a/x", "b/y"]
        assert skipped == [(path, walking.LINK) for path in ("b/up", "to-directory", "to-file", "to-nothing")]


@posix
def test_links_inside_of_the_directory_are_followed_if_asked(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(tmp_path, "secret", "outside/z")
    write(root, "a/x", "b/y")
    (root / "0-file").symlink_to("a/x")
    (root / "c").symlink_to("b")
    (root / "a/far").symlink_to("../c/y")
    (root / "a/absolute").symlink_to(root / "b")
    (root / "out").symlink_to("../secret")
    (root / "out-directory").symlink_to(tmp_path / "outside")
    (root / "nothing").symlink_to("none")
    (root / "self").symlink_to("self")
    (root / "b/loop").symlink_to("../a")
    for by_descriptor in (True, False):
        found, skipped = with_skipped(root, by_descriptor=by_descriptor, follow_symlinks=True)
        # b/loop leads to a, whose link to b is a circle; the same for a/absolute and its loop
        assert found == [
            *("0-file", "a/absolute/y", "a/far", "a/x", "b/loop/far", "b/loop/x", "b/y"),
            *("c/loop/far", "c/loop/x", "c/y"),
        ]
        assert [path for path, reason in skipped if reason == walking.LINK_AWAY] == [
            *("nothing", "out", "out-directory", "self")
        ]
        assert [path for path, reason in skipped if reason == walking.LINK_IN_CIRCLE] == [
            *("a/absolute/loop", "b/loop/absolute", "c/loop/absolute")
        ]
        assert len(skipped) == 7
    sizes = {one.path: one.size for one in walk(Directories(root, follow_symlinks=True))}
    assert sizes["0-file"] == sizes["a/x"] == 3


@posix
def test_the_root_may_be_a_link(tmp_path: Path) -> None:
    write(tmp_path, "a/x")
    (tmp_path / "link").symlink_to("a")
    assert paths(tmp_path / "link") == ["x"]
    assert paths(tmp_path / "link", by_descriptor=False) == ["x"]


@posix
def test_only_regular_files_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "a")
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(tmp_path)  # the path of a socket has at most 108 bytes
        listener.bind("socket")
        found, skipped = with_skipped(tmp_path)
    assert found == ["a"]
    assert skipped == [("fifo", "it is a FIFO"), ("socket", "it is a socket")]


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may create devices")
def test_devices_are_skipped(tmp_path: Path) -> None:
    try:
        os.mknod(tmp_path / "null", 0o20600, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("devices cannot be created here")
    assert with_skipped(tmp_path) == ([], [("null", "it is a device")])


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse names that are not text")
def test_names_that_are_not_text_are_reported(tmp_path: Path) -> None:
    write(tmp_path, "a/x")
    os.mkdir(os.fsencode(tmp_path) + b"/a/d\xff")
    for name in (b"caf\xe9.csv", b"d\xff/x"):
        Path(os.fsdecode(os.fsencode(tmp_path / "a") + b"/" + name)).touch()
    assert with_skipped(tmp_path) == (
        ["a/x"],
        [("a/caf\\xe9.csv", walking.NOT_TEXT), ("a/d\\xff", walking.NOT_TEXT)],
    )


def test_what_is_not_chosen_is_not_reported(tmp_path: Path) -> None:
    write(tmp_path, "a")
    (tmp_path / "b").symlink_to("a")
    skipped = list[str]()
    found = walk(Directories(tmp_path), Choice(include="a"), on_skip=lambda path, _: skipped.append(path))
    assert [one.path for one in found] == ["a"]
    assert skipped == []


def forbid(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a directory unreadable, for root too: its permissions do not keep root out."""
    inode = os.stat(root / "b").st_ino
    scan = os.scandir

    def scandir(where: object) -> object:
        if isinstance(where, int) and os.fstat(where).st_ino == inode:
            raise PermissionError(errno.EACCES, "Permission denied", where)
        return scan(where)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "scandir", scandir)


def test_a_directory_that_cannot_be_read_is_an_error_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "a/x", "b/y", "c/z")
    forbid(tmp_path, monkeypatch)
    with pytest.raises(PermissionError) as caught:
        paths(tmp_path)
    assert caught.value.filename == str(tmp_path / "b")
    failed = list[tuple[str, str]]()
    found = walk(Directories(tmp_path), on_error=lambda path, exc: failed.append((path, type(exc).__name__)))
    assert [one.path for one in found] == ["a/x", "c/z"]
    assert failed == [("b", "PermissionError")]


def test_files_and_directories_that_vanish_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, "a", "b", "c/x", "c/y", "d/x", "e/x", "f")
    found = list[str]()
    for one in walk(Directories(tmp_path)):
        found.append(one.path)
        if one.path == "a":
            (tmp_path / "b").unlink()
        if one.path == "c/x":
            (tmp_path / "c/y").unlink()
            (tmp_path / "c").rename(tmp_path / "c-moved")
            (tmp_path / "d/x").unlink()
            (tmp_path / "d").rmdir()
            (tmp_path / "e/x").unlink()
            (tmp_path / "e").rmdir()
            (tmp_path / "e").touch()  # a file in the place of a directory
            (tmp_path / "f").unlink()
            (tmp_path / "f").mkdir()
    assert found == ["a", "c/x"]


def test_deep_trees_need_no_recursion_and_few_descriptors(tmp_path: Path) -> None:
    depth = 400
    root = os.open(tmp_path, os.O_RDONLY)
    here = root
    for _ in range(depth):
        for name in ("a", "z"):
            os.close(os.open(name, os.O_CREAT | os.O_WRONLY, dir_fd=here))
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    source = Directories(tmp_path)
    found = most = 0
    gc.collect()  # closes directories of other tests
    before = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 100)
    try:
        for number, _ in enumerate(walk(source)):
            found += 1
            if sys.platform == "linux" and number % 50 == 0:
                most = max(most, len(os.listdir("/proc/self/fd")) - before)
    finally:
        sys.setrecursionlimit(limit)
    assert found == 2 * depth
    assert most <= MAX_OPEN + 3
    subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)  # the path is too long for shutil


def test_the_memory_of_a_walk_does_not_grow_with_the_number_of_files(tmp_path: Path) -> None:
    def peak(source: Directories) -> int:
        tracemalloc.start()
        try:
            assert all(found.path for found in walk(source))
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    write(tmp_path, *(f"0/{number}" for number in range(100)))
    small = peak(Directories(tmp_path))
    write(tmp_path, *(f"{directory}/{number}" for directory in range(1, 30) for number in range(100)))
    assert peak(Directories(tmp_path)) < small + 30_000


def test_a_walk_is_lazy_and_can_be_abandoned(tmp_path: Path) -> None:
    write(tmp_path, *(f"{directory}/{name}" for directory in "abc" for name in "xyz"))
    files = walk(Directories(tmp_path))
    assert next(files).path == "a/x"
    (tmp_path / "c/z").unlink()
    (tmp_path / "b/new").touch()
    assert [one.path for one in files] == ["a/y", "a/z", "b/new", "b/x", "b/y", "b/z", "c/x", "c/y"]
    files = walk(Directories(tmp_path))
    next(files)
    files.close()  # type: ignore[attr-defined]
    assert list(files) == []


@posix
def test_a_directory_that_is_swapped_for_a_link_all_the_time_shows_nothing_of_another(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(tmp_path, "outside/e/secret")
    write(root, "a", "d/e/plain", "z")
    enough, done = threading.Event(), threading.Event()
    swapping = threading.Thread(target=swap, args=(root, 300, enough, done), daemon=True)
    swapping.start()
    seen = dict[bytes, int]()
    while not done.is_set():
        source = Directories(root)
        for found in walk(source):
            source.close()  # so that each directory is opened anew
            with suppress(OSError):  # it is a link at this moment, or away
                content, _ = reading.read(source, found)
                seen[content] = seen.get(content, 0) + 1
        if len(seen) == 3 and seen[b"a"] > seen[b"d/e/plain"] + 20:
            enough.set()
    swapping.join()
    assert set(seen) == {b"a", b"d/e/plain", b"z"}
