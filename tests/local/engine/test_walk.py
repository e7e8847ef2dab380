"""Which files below a folder are imported, in which order, and what ends the walk."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakefs_hl.local.engine import walk


def names(source: Path | str, lake: str = "/no/lake") -> list[str]:
    found = [name for name, _, _ in walk.files(str(source), lake, lambda: None)]
    assert found == sorted(found, key=str.encode)
    return found


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())


def test_order_is_that_of_the_bytes_of_the_whole_name(tmp_path: Path) -> None:
    write(tmp_path, "b/c", "b/d/e", "b-x", "b.x", "b0", "B", "é", "\U0001f600", "\uffee", ".hidden", ".git/x")
    assert names(tmp_path) == ["B", "b-x", "b.x", "b/c", "b/d/e", "b0", "é", "\uffee", "\U0001f600"]
    assert names(f"{tmp_path}/") == names(tmp_path)


def test_size_and_time(tmp_path: Path) -> None:
    write(tmp_path, "a/b")
    os.utime(tmp_path / "a/b", ns=(5, 123_456_789_012))
    assert list(walk.files(str(tmp_path), "/no/lake", lambda: None)) == [("a/b", 3, 123_456_789_012)]


def test_large_folders_are_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "RUN", 10)
    monkeypatch.setattr(walk, "_BLOCK", 3)
    seed = random.randrange(10**6)
    print("seed", seed)  # noqa: T201
    drawn = random.Random(seed)
    wanted = {f"{drawn.randrange(40)}/{drawn.randrange(1000)}é" for _ in range(300)}
    wanted |= {f"f{drawn.randrange(1000)}" for _ in range(95)}
    write(tmp_path, *wanted)
    assert names(tmp_path) == sorted(wanted, key=str.encode)
    sizes = {name: size for name, size, _ in walk.files(str(tmp_path), "/no/lake", lambda: None)}
    assert sizes == {name: len(name.encode()) for name in wanted}


def test_links(tmp_path: Path) -> None:
    write(tmp_path, "data/ok", "other/file", "other/deep/file")
    data = tmp_path / "data"
    (data / "to-file").symlink_to(tmp_path / "other/file")
    (data / "to-folder").symlink_to(tmp_path / "other")
    (data / "broken").symlink_to("nowhere")
    (data / "through-a-file").symlink_to("ok/x")
    (data / "itself").symlink_to("itself")
    (data / "one").symlink_to("two")
    (data / "two").symlink_to("one")
    (data / "too-long").symlink_to("x" * 300)
    (data / "up").symlink_to("..")
    assert names(data) == ["ok", "to-file"]
    (tmp_path / "in").symlink_to(data)
    assert names(tmp_path / "in") == ["ok", "to-file"], "the source itself may be a link"


def test_a_link_into_the_lake_is_refused(tmp_path: Path) -> None:
    """Reading the file would end with closing it, and that drops the locks that SQLite holds on it."""
    write(tmp_path, "lake/lake.db", "lakes/ok", "data/ok")
    (tmp_path / "data/fine").symlink_to(tmp_path / "lakes/ok")
    assert names(tmp_path / "data", str(tmp_path / "lake")) == ["fine", "ok"]
    (tmp_path / "data/link").symlink_to("../lake/lake.db")
    with pytest.raises(ValueError, match="data/link: links to a file of the lake"):
        names(tmp_path / "data", str(tmp_path / "lake"))


def test_what_is_no_regular_file_is_passed_by(tmp_path: Path) -> None:
    write(tmp_path, "ok")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(tmp_path / "socket"))
        assert names(tmp_path) == ["ok"]


def test_what_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "a", "sub/closed/x")
    with pytest.raises(FileNotFoundError, match="none"):
        names(tmp_path / "none")
    with pytest.raises(NotADirectoryError, match=f"{tmp_path}/a/"):
        names(tmp_path / "a")
    real = os.open

    def closed(path: str, flags: int) -> int:
        if path.endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return real(path, flags)

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", closed)  # the tests may run as a user who may read everything
        with pytest.raises(PermissionError, match=f"{tmp_path}/sub/closed"):
            names(tmp_path)
    (tmp_path / os.fsdecode(b"bad-\xff")).write_bytes(b"")
    with pytest.raises(ValueError, match=r"bad-\\udcff': the name is not valid UTF-8"):
        names(tmp_path)


class Vanishing:
    """An entry of a folder whose file is gone when it is looked at."""

    def __init__(self, entry: os.DirEntry[str], folder: Path) -> None:
        self.name = entry.name
        self.is_dir = entry.is_dir
        self.is_symlink = entry.is_symlink
        self._entry = entry
        self._folder = folder

    def stat(self) -> os.stat_result:
        (self._folder / self.name).unlink()
        return self._entry.stat()


def test_a_file_that_vanishes_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "gone")
    real = os.scandir

    class Listed:
        def __init__(self, fd: int) -> None:
            self._real = real(fd)

        def __enter__(self) -> Iterator[Vanishing]:
            return (Vanishing(one, tmp_path) for one in self._real)

        def __exit__(self, *_: object) -> None:
            self._real.close()

    monkeypatch.setattr(os, "scandir", Listed)
    with pytest.raises(FileNotFoundError, match=f"{tmp_path}/gone"):
        names(tmp_path)


def test_a_folder_that_becomes_a_link_is_not_followed(tmp_path: Path) -> None:
    write(tmp_path, "data/a", "data/sub/x", "other/y")
    walked = walk.files(str(tmp_path / "data"), "/no/lake", lambda: None)
    assert next(walked)[0] == "a"
    (tmp_path / "data/sub/x").unlink()
    (tmp_path / "data/sub").rmdir()
    (tmp_path / "data/sub").symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match="data/sub"):
        next(walked)


def test_it_ends_within_a_folder_and_leaves_nothing_open(tmp_path: Path) -> None:
    write(tmp_path, *(str(number) for number in range(3000)))
    asked = 0

    def check() -> None:
        nonlocal asked
        asked += 1
        if asked == 3:
            raise InterruptedError

    before = descriptors()
    with pytest.raises(InterruptedError):
        next(walk.files(str(tmp_path), "/no/lake", check))
    assert descriptors() == before


def test_depth_costs_no_stack_and_no_descriptors(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d"] * 500)
    deep.mkdir(parents=True)
    (deep / "x").write_bytes(b"")
    before = descriptors()
    walked = walk.files(str(tmp_path), "/no/lake", lambda: None)
    assert next(walked)[0] == "d/" * 500 + "x"
    assert descriptors() == before
