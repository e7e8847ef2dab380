"""Downloads to a local file or a file object: complete under their name, or nothing."""

from __future__ import annotations

import gzip
import io
import os
import random
import stat
import tempfile
from pathlib import Path
from typing import Any, cast

import pytest

from lakefs_hl import exceptions
from lakefs_hl.ops.stream import FIRST, SPAN
from tests.worlds import World

CONTENT = b"a,b\n1,2\n"


@pytest.fixture
def branch(world: World) -> Any:
    """`main` of a new repository, with one object."""
    made = world.fresh().branch("main")
    made.upload(CONTENT, "data/t.csv")
    return made


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


class Slow(io.RawIOBase):
    """A raw file that takes at most three bytes at a time."""

    def __init__(self) -> None:
        self.content = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self.content += bytes(data[:3])
        return min(3, len(data))


class Keeper:
    """Looks like a file, and keeps what it is given."""

    def __init__(self) -> None:
        self.blocks: list[Any] = []

    def write(self, data: bytes) -> None:
        self.blocks.append(data)


@pytest.mark.parametrize("make", [str, Path])
def test_a_local_file_gets_the_content(branch: Any, tmp_path: Path, make: Any) -> None:
    target = tmp_path / "t.csv"
    assert branch.download("data/t.csv", make(target)) == len(CONTENT)
    assert target.read_bytes() == CONTENT
    assert names(tmp_path) == ["t.csv"]


def test_a_range_is_that_of_a_slice(branch: Any, tmp_path: Path) -> None:
    for start, end in (
        (None, None),
        (0, 0),
        (1, None),
        (None, 3),
        (2, 5),
        (-3, None),
        (None, -1),
        (-4, -2),
        (99, None),
    ):
        file = io.BytesIO()
        assert branch.download("data/t.csv", file, start=start, end=end) == len(CONTENT[start:end])
        assert file.getvalue() == CONTENT[start:end], (start, end)


def test_an_empty_object_makes_an_empty_file(branch: Any, tmp_path: Path) -> None:
    branch.upload(b"", "empty")
    assert branch.download("empty", tmp_path / "empty") == 0
    assert (tmp_path / "empty").read_bytes() == b""


@pytest.mark.parametrize("size", [FIRST - 1, FIRST, FIRST + 1, FIRST + SPAN, 2 * SPAN + FIRST + 1])
def test_an_object_of_several_ranges_is_whole(branch: Any, tmp_path: Path, size: int, rng: random.Random) -> None:
    content = rng.randbytes(size)
    branch.upload(content, "large")
    assert branch.download("large", tmp_path / "large") == size
    assert (tmp_path / "large").read_bytes() == content
    file = io.BytesIO()
    assert branch.download("large", file, start=5, end=size - 5) == size - 10
    assert file.getvalue() == content[5:-5]


def test_a_file_object_is_written_from_its_position_and_left_open(branch: Any, tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as file:
        file.write(b"head\n")
        assert branch.download("data/t.csv", file) == len(CONTENT)
        file.write(b"tail\n")
    assert (tmp_path / "a").read_bytes() == b"head\n" + CONTENT + b"tail\n"
    with gzip.open(tmp_path / "a.gz", "wb") as packed:
        branch.download("data/t.csv", packed)
    assert gzip.decompress((tmp_path / "a.gz").read_bytes()) == CONTENT


def test_a_file_that_takes_a_part_of_a_block_gets_all_of_it(branch: Any) -> None:
    file = Slow()
    assert branch.download("data/t.csv", file) == len(CONTENT)
    assert file.content == CONTENT
    file = Slow()
    with tempfile.NamedTemporaryFile() as opened:
        wrapped = type(opened)(cast("Any", file), "name", delete=False)
    assert branch.download("data/t.csv", wrapped) == len(CONTENT)
    assert file.content == CONTENT


def test_what_only_looks_like_a_file_may_keep_its_blocks(branch: Any, rng: random.Random) -> None:
    content = rng.randbytes(2 * SPAN)
    branch.upload(content, "large")
    file = Keeper()
    branch.download("large", file)
    assert b"".join(file.blocks) == content


def test_an_existing_file_is_replaced_and_keeps_its_permissions(branch: Any, tmp_path: Path) -> None:
    target = tmp_path / "t.csv"
    target.write_bytes(b"before" * 1000)
    target.chmod(0o640)
    branch.download("data/t.csv", target)
    assert target.read_bytes() == CONTENT
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    fresh = tmp_path / "fresh"
    mask = os.umask(0o027)
    try:
        branch.download("data/t.csv", fresh)
    finally:
        os.umask(mask)
    assert stat.S_IMODE(fresh.stat().st_mode) == 0o640


def test_a_symbolic_link_stays_a_link(branch: Any, tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"before")
    (tmp_path / "link").symlink_to("real")
    branch.download("data/t.csv", tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == CONTENT


def test_a_failure_leaves_nothing_and_changes_nothing(branch: Any, tmp_path: Path) -> None:
    target = tmp_path / "t.csv"
    target.write_bytes(b"before")
    with pytest.raises(exceptions.ObjectNotFoundException, match="missing"):
        branch.download("missing", target)
    with pytest.raises(exceptions.ObjectNotFoundException, match="missing"):
        branch.download("missing", tmp_path / "other")
    assert names(tmp_path) == ["t.csv"]
    assert target.read_bytes() == b"before"


def test_a_place_that_cannot_be_written_is_named(branch: Any, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"the directory to download to does not exist.*nowhere'"):
        branch.download("data/t.csv", tmp_path / "nowhere" / "t.csv")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError, match=r"the directory to download to does not exist.*file'"):
        branch.download("data/t.csv", tmp_path / "file" / "t.csv")
    for directory in (tmp_path, f"{tmp_path}/new/"):
        with pytest.raises(IsADirectoryError, match="this is a directory; give the path of a file in it"):
            branch.download("data/t.csv", directory)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="replaces regular files only; open this with 'wb'"):
        branch.download("data/t.csv", tmp_path / "pipe")
    assert names(tmp_path) == ["file", "pipe"]


def test_what_takes_no_bytes_is_refused_by_name(branch: Any, tmp_path: Path) -> None:
    async def write(data: bytes) -> int:
        return len(data)

    asynchronous = type("Asynchronous", (), {"write": staticmethod(write)})()
    with pytest.raises(TypeError, match=r"file must be a binary file, and .* takes text; open it with 'wb'"):
        branch.download("data/t.csv", io.StringIO())
    with pytest.raises(TypeError, match="Asynchronous is asynchronous"):
        branch.download("data/t.csv", asynchronous)
    hidden = type("Asynchronous", (), {"write": lambda self, data: write(data)})()  # only its result tells
    with pytest.raises(TypeError, match="Asynchronous is asynchronous"):
        branch.download("data/t.csv", hidden)
    with tempfile.NamedTemporaryFile("w", dir=tmp_path) as text, pytest.raises(TypeError, match="takes text"):
        branch.download("data/t.csv", text)
    with pytest.raises(ValueError, match="file must be a local path or a binary file object, and it is an empty text"):
        branch.download("data/t.csv", "")
    path_of_bytes = type("Path", (), {"__fspath__": lambda self: b"t.csv"})()
    with pytest.raises(TypeError, match=r"file must be a local path of text, .* os\.fsdecode\(path\) is its text"):
        branch.download("data/t.csv", path_of_bytes)
    with pytest.raises(TypeError, match="file must be a local path or a binary file object, not int: 5"):
        branch.download("data/t.csv", 5)


def test_an_error_of_the_file_is_raised_as_it_is(branch: Any) -> None:
    class Full(io.RawIOBase):
        def write(self, data: Any, /) -> int:
            raise OSError(28, "No space left on device")

    class NonBlocking(io.RawIOBase):
        def write(self, data: Any, /) -> None:
            return None

    class Wrong(io.RawIOBase):
        returned: Any = None

        def write(self, data: Any, /) -> Any:
            return self.returned

    with pytest.raises(OSError, match="No space left"):
        branch.download("data/t.csv", Full())
    for Wrong.returned in (0, -1, len(CONTENT) + 1, "all"):
        with pytest.raises(OSError, match=rf"got {len(CONTENT)} bytes and returned .*, not how many it wrote"):
            branch.download("data/t.csv", Wrong())
    with pytest.raises(BlockingIOError, match="non-blocking and takes no data now"):
        branch.download("data/t.csv", NonBlocking())


def test_an_object_that_was_listed_is_read_and_copied(world: World, branch: Any, tmp_path: Path) -> None:
    (info,) = branch.list_objects(recursive=True)
    assert info.download() == CONTENT
    assert info.download(start=4) == CONTENT[4:]
    assert info.download(tmp_path / "t.csv") == len(CONTENT)
    for mode, content in (("r", CONTENT.decode()), ("rb", CONTENT)):
        file = info.open(mode)
        assert world.settle(file.read()) == content
        world.settle(file.close())
    with pytest.raises(ValueError, match="only a branch or a transaction can be written"):
        info.open("w")
    copied = info.copy_to("main", "copy.csv")
    assert (copied.path, copied.checksum) == ("copy.csv", info.checksum)
    branch.commit_changes("both")
    dev = world.repository(branch.repository_id).branch("dev").create("main")
    dev.delete_objects(["data/t.csv", "copy.csv"])
    assert info.copy_to(dev).uri == f"{dev.uri}data/t.csv"
    assert dev.download("data/t.csv") == CONTENT
    dev.commit_changes("copied")
    with dev.transaction("copy") as tx:
        info.copy_to(tx, "by-tx")
    with pytest.raises(ValueError, match="in another repository"):
        info.copy_to(world.fresh().branch("main"))


def test_a_listed_path_that_looks_like_a_uri_is_taken_as_it_is(branch: Any) -> None:
    path = "lakefs://other/main/a"
    branch.upload(b"", "x/")
    branch.copy_object("main", "data/t.csv", f"{branch.uri}{path}")
    (info,) = branch.list_objects(prefix=f"{branch.uri}lakefs:", delimiter="")
    assert info.path == path
    assert info.download() == branch.download(info) == CONTENT


def test_an_error_of_a_local_file_names_it(branch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> int:
        raise OSError(28, "No space left on device")

    def refuse(path: Any, *args: Any) -> int:
        raise PermissionError(13, "Permission denied", path)

    target = str(tmp_path / "t.csv")
    with monkeypatch.context() as patched:
        patched.setattr("lakefs_hl.transport.body.os.pwrite", fail)
        with pytest.raises(OSError, match="No space left on device") as caught:
            branch.download("data/t.csv", target)
    assert caught.value.filename == target
    with monkeypatch.context() as patched:
        patched.setattr("lakefs_hl._files.saving.os.open", refuse)
        with pytest.raises(PermissionError, match="Permission denied") as caught:
            branch.download("data/t.csv", target)
    assert caught.value.filename == os.path.realpath(target)
    assert names(tmp_path) == []
