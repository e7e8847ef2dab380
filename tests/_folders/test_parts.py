from __future__ import annotations

import errno
import gc
import os
import stat
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lakefs_hl._folders import locks, parts
from lakefs_hl._folders.directories import Directories, Directory
from lakefs_hl._folders.parts import Part

posix = pytest.mark.skipif(os.name != "posix", reason="needs permissions and links")
needs_unnamed = pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="only Linux has files without a name")
MODE = 0o640


@pytest.fixture(params=["unnamed", "named", "paths"])
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """Starts the file `a` in each of the ways there are."""
    if request.param == "unnamed" and not hasattr(os, "O_TMPFILE"):
        pytest.skip("only Linux has files without a name")
    directory = Directories(tmp_path, by_descriptor=request.param != "paths").get("")
    if request.param == "unnamed":
        yield lambda path="a": parts.create_unnamed(directory, path)
    else:
        yield lambda path="a": parts.create_named(directory, path, MODE)


def left(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in root.iterdir()}


def test_a_file_appears_when_it_is_finished(start: Any, tmp_path: Path) -> None:
    with start() as part:
        part.write(b"abc")
        part.write(memoryview(b"def"))
        assert part.size == 6
        assert "a" not in left(tmp_path)
        part.finish(1_600_000_000_123_456_700)
    assert left(tmp_path) == {"a": b"abcdef"}
    assert os.stat(tmp_path / "a").st_mtime_ns == 1_600_000_000_123_456_700


def test_an_old_file_is_there_until_then(start: Any, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with start() as part:
        part.write(b"new")
        assert (tmp_path / "a").read_bytes() == b"old"
        part.finish(sync=True)
    assert left(tmp_path) == {"a": b"new"}


@pytest.mark.parametrize("end", ["abort", "leave", "raise"])
def test_a_file_that_is_not_finished_leaves_nothing(start: Any, tmp_path: Path, end: str) -> None:
    (tmp_path / "a").write_bytes(b"old")
    try:
        with start() as part:
            part.write(b"new")
            if end == "abort":
                part.abort()
            if end == "raise":
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        assert end == "raise"
    assert left(tmp_path) == {"a": b"old"}
    part.abort()  # harmless


@posix
def test_a_link_is_replaced_and_not_followed(start: Any, tmp_path: Path) -> None:
    root = tmp_path / "sub"
    (tmp_path / "target").write_bytes(b"target")
    (tmp_path / "a").symlink_to("target")
    with start() as part:
        part.write(b"new")
        part.finish()
    assert (tmp_path / "target").read_bytes() == b"target"
    assert not (tmp_path / "a").is_symlink()
    assert (tmp_path / "a").read_bytes() == b"new"
    assert not root.exists()


def test_a_directory_in_the_place_of_the_file_is_an_error(start: Any, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        with start() as part:
            part.write(b"new")
            part.finish()
    assert caught.value.filename == str(tmp_path / "a")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_directory_that_comes_meanwhile_is_an_error_too(start: Any, tmp_path: Path) -> None:
    with start() as part:
        part.write(b"new")
        (tmp_path / "a").mkdir()
        with pytest.raises(IsADirectoryError):
            part.finish()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_full_disk_is_an_error_that_names_the_file(start: Any, tmp_path: Path, mocker: Any) -> None:
    with start() as part:
        part.write(b"abc")
        mocker.patch.object(os, "write", side_effect=OSError(errno.ENOSPC, "No space left on device"))
        with pytest.raises(OSError, match="No space left") as caught:
            part.write(b"def")
    assert (caught.value.filename, caught.value.errno) == (str(tmp_path / "a"), errno.ENOSPC)
    assert left(tmp_path) == {}


@posix
def test_an_error_of_closing_is_reported_before_the_file_appears(tmp_path: Path, mocker: Any) -> None:
    directory = Directories(tmp_path).get("")
    part = parts.create_named(directory, "a", MODE)
    part.write(b"abc")
    gc.collect()  # closes directories of other tests
    closed = mocker.patch.object(os, "close", side_effect=[OSError(errno.EDQUOT, "Disk quota exceeded"), None])
    with pytest.raises(OSError, match="Disk quota"):
        part.finish()
    mocker.stopall()
    for call in closed.call_args_list:
        os.close(call.args[0])
    assert left(tmp_path) == {}


def test_a_write_that_takes_a_part_is_continued(start: Any, tmp_path: Path, mocker: Any) -> None:
    real = os.write
    mocker.patch.object(os, "write", lambda fd, data: real(fd, data[:3]))
    with start() as part:
        part.write(b"0123456789")
        assert part.size == 10
        part.finish()
    assert left(tmp_path) == {"a": b"0123456789"}


def test_a_file_is_started_again(start: Any, tmp_path: Path) -> None:
    with start() as part:
        part.write(b"wrong content")
        part.restart()
        part.write(b"right")
        assert b"".join(part.blocks()) == b"right"
        part.write(b" content")
        part.finish()
    assert left(tmp_path) == {"a": b"right content"}


# -- permissions -------------------------------------------------------------------------------------------------------


def mode(path: Path) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


@posix
def test_only_the_owner_reads_what_is_not_complete(tmp_path: Path) -> None:
    directory = Directories(tmp_path).get("")
    starts: list[Callable[[Directory, str, int], Part | None]] = [
        parts.create_named,
        partial(parts.continue_named, version="etag", size=10),
    ]
    for start in starts:
        part = start(directory, "a", MODE)
        assert part is not None
        part.write(b"secret")
        (temporary,) = [path for path in tmp_path.iterdir() if path.suffix == ".part"]
        assert mode(temporary) == 0o600
        part.finish()
        assert mode(tmp_path / part.path) == MODE


@needs_unnamed
def test_a_new_file_has_the_permissions_of_the_umask(tmp_path: Path) -> None:
    directory = Directories(tmp_path).get("")
    before = os.umask(0o027)
    try:
        with parts.create_unnamed(directory, "a") as part:
            part.finish()
        assert parts.abilities(directory).mode == 0o640
    finally:
        os.umask(before)
    assert mode(tmp_path / "a") == 0o640


@posix
def test_a_replaced_file_keeps_its_permissions(start: Any, tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "a").chmod(0o4705)
    with start() as part:
        part.finish()
    assert mode(tmp_path / "a") == 0o705  # without the set-user-ID bit


# -- parts that can be continued ---------------------------------------------------------------------------------------


def resume(directory: Directory, version: str = "etag", size: int = 10, path: str = "a") -> Part | None:
    return parts.continue_named(directory, path, MODE, version, size)


def kept(directory: Directory, content: bytes, version: str = "etag", size: int = 10) -> None:
    with parts.continue_named(directory, "a", MODE, version, size) or pytest.fail("it is locked") as part:
        part.write(content)


@pytest.mark.parametrize("by_descriptor", [True, False], ids=["descriptors", "paths"])
def test_an_interrupted_file_is_continued(tmp_path: Path, by_descriptor: bool) -> None:
    directory = Directories(tmp_path, by_descriptor=by_descriptor).get("")
    kept(directory, b"01234")
    part = resume(directory)
    assert part is not None
    assert part.size == 5
    assert b"".join(part.blocks()) == b"01234"
    part.write(b"56789")
    part.finish()
    assert left(tmp_path) == {"a": b"0123456789"}


@pytest.mark.parametrize(("version", "size", "path"), [("other", 10, "a"), ("etag", 11, "a"), ("etag", 10, "b")])
def test_another_version_is_not(tmp_path: Path, version: str, size: int, path: str) -> None:
    directory = Directories(tmp_path).get("")
    kept(directory, b"01234")
    with resume(directory, version, size, path) or pytest.fail("it is locked") as part:
        assert part.size == 0


def test_a_part_that_was_lost_is_no_longer_in_use(tmp_path: Path) -> None:
    directory = Directories(tmp_path).get("")
    part = resume(directory)
    assert part is not None
    part.write(b"0123")
    del part  # as by an interrupt before its `with` block
    gc.collect()
    with resume(directory) or pytest.fail("it is locked") as again:
        assert again.size == 4


@pytest.mark.parametrize(("filled", "end"), [(4, b""), (11, b""), (4, b"x")], ids=["complete", "too many", "longer"])
def test_a_file_of_ranges_is_continued_where_it_was_complete(tmp_path: Path, filled: int, end: bytes) -> None:
    directory = Directories(tmp_path).get("")
    part = resume(directory)
    assert part is not None
    part.write(b"0123")
    part.spread(10, filled)
    os.pwrite(part.fd, b"89", 8)  # a range that landed, behind a hole
    part.keep()
    (left_over,) = tmp_path.iterdir()
    left_over.write_bytes(left_over.read_bytes() + end)
    with resume(directory) or pytest.fail("it is locked") as again:
        assert again.size == (4 if filled == 4 and not end else 0)
        assert b"".join(again.blocks()) == b"0123"[: again.size]
        again.write(b"0123456789"[again.size :])
        again.spread(10, 4)
        again.collect(10)
        again.finish()
    assert left(tmp_path) == {"a": b"0123456789"}


def test_nothing_written_is_nothing_to_keep(tmp_path: Path) -> None:
    kept(Directories(tmp_path).get(""), b"")
    assert left(tmp_path) == {}


def test_what_is_in_use_is_not_continued_by_another(tmp_path: Path) -> None:
    directory = Directories(tmp_path).get("")
    part = resume(directory)
    assert part is not None
    part.write(b"0123")
    assert resume(directory) is None
    part.keep()
    again = resume(directory)
    assert again is not None
    assert again.size == 4
    again.abort()
    assert left(tmp_path) == {}


@posix
@pytest.mark.parametrize("what", ["longer", "link", "linked", "directory", "fifo"])
def test_what_only_looks_like_a_part_is_not_continued(tmp_path: Path, what: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    directory = Directories(root).get("")
    kept(directory, b"01234")
    (file,) = root.iterdir()
    (tmp_path / "outside").write_bytes(b"outside")
    if what == "longer":
        file.write_bytes(b"0123456789A")
    elif what == "linked":
        os.link(file, tmp_path / "other")
    else:
        file.unlink()
    if what == "link":
        file.symlink_to("../outside")
    elif what == "fifo":
        os.mkfifo(file)
    elif what == "directory":
        file.mkdir()
        with pytest.raises(OSError, match=r"Is a directory|Operation not permitted"):
            resume(directory)
        return
    part = resume(directory)
    assert part is not None
    assert part.size == 0
    part.write(b"new")
    part.finish()
    assert left(root) == {"a": b"new"}
    assert (tmp_path / "outside").read_bytes() == b"outside"
    if what == "linked":
        assert (tmp_path / "other").read_bytes() == b"01234"


def test_a_part_that_another_process_finishes_before_it_is_locked_is_not_continued(tmp_path: Path, mocker: Any) -> None:
    directory = Directories(tmp_path).get("")
    kept(directory, b"0123456789")
    real, calls = locks.try_lock, list[int]()

    def try_lock(fd: int) -> bool:
        if not calls:
            (file,) = tmp_path.iterdir()
            file.rename(tmp_path / "a")
        calls.append(fd)
        return real(fd)

    mocker.patch.object(parts, "try_lock", try_lock)
    part = resume(directory)
    assert part is not None
    assert part.size == 0
    part.abort()
    assert left(tmp_path) == {"a": b"0123456789"}


def test_long_names_have_temporary_names_that_fit(tmp_path: Path) -> None:
    directory = Directories(tmp_path).get("")
    for name in ("a" * 255, "é" * 127, "語" * 85, "😀" * 63):
        assert len(parts.part_name(name, "0" * 16).encode()) <= 255
        for part in (parts.create_named(directory, name, MODE), resume(directory, path=name)):
            assert part is not None
            part.write(b"x")
            part.finish()
        assert (tmp_path / name).read_bytes() == b"x"


# -- what a file system can do -----------------------------------------------------------------------------------------


@needs_unnamed
def test_what_the_file_system_can_do_is_tried(tmp_path: Path, mocker: Any) -> None:
    directory = Directories(tmp_path).get("")
    assert parts.abilities(directory).unnamed
    mocker.patch.object(os, "link", side_effect=FileNotFoundError(errno.ENOENT, "no /proc"))
    assert not parts.abilities(directory).unnamed
    mocker.stopall()
    assert not parts.abilities(Directories(tmp_path, by_descriptor=False).get("")).unnamed
    assert left(tmp_path) == {}


@pytest.mark.parametrize("in_kernel", [True, False])
def test_content_is_copied_up_to_a_length(tmp_path: Path, mocker: Any, in_kernel: bool) -> None:
    if not in_kernel and sys.platform == "linux":
        mocker.patch.object(os, "copy_file_range", side_effect=OSError(errno.EXDEV, "Invalid cross-device link"))
    content = os.urandom(3 << 20)
    (tmp_path / "a").write_bytes(content)
    for length in (0, 5, 2 << 20, 9 << 20):
        source = os.open(tmp_path / "a", os.O_RDONLY)
        target = os.open(tmp_path / "b", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        assert parts.copy_content(source, target, length) == min(length, len(content))
        os.close(source)
        os.close(target)
        assert (tmp_path / "b").read_bytes() == content[:length]
