"""`lakefs-hl fs verify`."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_mock import MockerFixture

import lakefs_hl
from lakefs_hl.cli.verifying import Difference, Entry, differences
from tests.cli.conftest import Command

FILES = {"a/1.csv": b"1", "a/b/2.csv": b"22", "a.csv": b"333", "z": b""}


def write(root: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return root


@pytest.fixture
def pair(command: Command, tmp_path: Path) -> tuple[Command, Path]:
    """The same files in a directory and below a prefix."""
    for name, content in FILES.items():
        command.main.upload(content, f"data/{name}")
    return command, write(tmp_path / "data", FILES)


def test_equal_directories(pair: tuple[Command, Path], tmp_path: Path) -> None:
    command, root = pair
    for source, destination in (
        (f"{root}/", f"{command.uri}data"),
        (str(root), command.uri),  # as `cp -r data lakefs://…/` wrote it
        (f"{command.uri}data/", f"{root}/"),
        (f"{command.uri}data", str(tmp_path)),
        (f"{command.uri}data/", f"{command.uri}data/"),
    ):
        done = command.run("fs", "verify", source, destination)
        assert (done.exit_code, done.stdout, done.stderr) == (0, "", "4 compared, 0 differ\n")


def test_every_difference_is_found(pair: tuple[Command, Path]) -> None:
    command, root = pair
    (root / "a" / "1.csv").write_bytes(b"2")
    (root / "a" / "b" / "2.csv").write_bytes(b"2")
    (root / "new").write_bytes(b"")
    (root / "z").unlink()
    arguments = ("fs", "verify", f"{root}/", f"{command.uri}data/")
    assert command.json(*arguments, code=8) == [
        {"difference": "content", "path": "a/1.csv"},
        {"difference": "size", "path": "a/b/2.csv"},
        {"difference": "missing", "path": "new"},
        {"difference": "extra", "path": "z"},
    ]
    assert command(*arguments, "--size-only", code=8).splitlines() == [
        "size     a/b/2.csv",
        "missing  new",
        "extra    z",
    ]
    assert command(*arguments, "--one-way", "-q", code=8).split() == ["a/1.csv", "a/b/2.csv", "new"]


def test_single_files(pair: tuple[Command, Path], tmp_path: Path) -> None:
    command, root = pair
    file, uri = str(root / "a.csv"), f"{command.uri}data/a.csv"
    assert command("fs", "verify", file, uri) == ""
    assert command("fs", "verify", uri, file) == ""
    assert command("fs", "verify", file, f"{command.uri}data/") == ""
    assert command("fs", "verify", file, f"{command.uri}none", code=8) == f"missing  {file}\n"
    assert command("fs", "verify", uri, str(tmp_path / "none"), code=8) == "missing  data/a.csv\n"
    (root / "a.csv").write_bytes(b"332")
    assert command("fs", "verify", file, uri, code=8) == f"content  {file}\n"


def test_a_missing_source_or_destination(pair: tuple[Command, Path], tmp_path: Path) -> None:
    command, root = pair
    command.error(3, "fs", "verify", str(tmp_path / "none"), command.uri)
    command.error(3, "fs", "verify", f"{command.uri}none", str(root))
    assert len(command("fs", "verify", f"{command.uri}data/", str(tmp_path / "none"), code=8).splitlines()) == 4
    command.error(2, "fs", "verify", "-", command.uri)
    command.error(2, "fs", "verify", str(root), str(root))


def test_links_and_special_files_are_not_compared(pair: tuple[Command, Path]) -> None:
    command, root = pair
    (root / "link").symlink_to(root / "z")
    (root / "loop").symlink_to(root)
    os.mkfifo(root / "pipe")
    assert command("fs", "verify", f"{root}/", f"{command.uri}data/") == ""


def test_content_without_md5_is_read(local: Command, tmp_path: Path, mocker: MockerFixture) -> None:
    local.main.upload(b"content", "a")
    mocker.patch.object(lakefs_hl.ObjectInfo, "checksum", "00112233445566778899aabbccddeeff-2")
    for content, code in ((b"content", 0), (b"another", 8)):
        (tmp_path / "a").write_bytes(content)
        local("fs", "verify", str(tmp_path / "a"), f"{local.uri}a", code=code)


def test_the_merge_of_two_streams(rng: random.Random) -> None:
    """Against a comparison of dictionaries, over random trees."""
    for _ in range(200):
        ours, theirs = (
            {f"{rng.choice('ab/é')}{rng.randrange(9)}": rng.randrange(2) for _ in range(rng.randrange(8))}
            for _ in range(2)
        )
        compared = [0]
        found = set(differences(stream(ours), stream(theirs), compared, size_only=True))
        wanted = {Difference("missing", path) for path in ours.keys() - theirs.keys()}
        wanted |= {Difference("extra", path) for path in theirs.keys() - ours.keys()}
        wanted |= {Difference("size", path) for path in ours.keys() & theirs.keys() if ours[path] != theirs[path]}
        assert found == wanted
        assert compared == [len(ours.keys() & theirs.keys())]


def stream(sizes: dict[str, int]) -> Iterator[Entry]:
    return iter([Entry(path, sizes[path], str, str) for path in sorted(sizes, key=str.encode)])
