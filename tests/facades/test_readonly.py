"""Read-only directories: their comparison, copies, and removal, with links and other things in the way."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from lakefs_hl.facades import readonly


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "a" / "b").mkdir(parents=True)
    (root / "a" / "b" / "c").write_bytes(b"c")
    (root / "d").write_bytes(b"dd")
    return root


def state(root: Path) -> dict[str, tuple[int, int]]:
    return {path: (found.st_size, found.st_mtime_ns) for path, found in readonly.walk(root)}


def test_a_directory_is_compared_by_names_sizes_and_times(root: Path, tmp_path: Path) -> None:
    files = state(root)
    assert files.keys() == {"a/b/c", "d"}
    assert readonly.is_as(root, files)
    assert not readonly.is_as(root, {**files, "e": (0, 0)})
    assert not readonly.is_as(tmp_path / "missing", files)
    os.utime(root / "d", (1, 1))
    assert not readonly.is_as(root, files)
    (root / "e").symlink_to(root / "d")
    assert not readonly.is_as(root, state(root))


def test_seal_and_unseal_leave_the_targets_of_links_alone(root: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir(mode=0o700)
    (tmp_path / "outside" / "file").write_bytes(b"1")
    (root / "link").symlink_to(tmp_path / "outside")
    (root / "a" / "file").symlink_to(tmp_path / "outside" / "file")
    before = [path.stat().st_mode for path in (tmp_path / "outside", tmp_path / "outside" / "file")]
    readonly.seal(root)
    assert stat.S_IMODE((root / "a" / "b" / "c").stat().st_mode) == 0o444
    assert {stat.S_IMODE(path.stat().st_mode) for path in (root, root / "a", root / "a" / "b")} == {0o555}
    readonly.unseal(root)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (root, root / "a", root / "a" / "b")} == {0o755}
    readonly.seal(root)
    readonly.remove(root)
    assert not root.exists()
    assert before == [path.stat().st_mode for path in (tmp_path / "outside", tmp_path / "outside" / "file")]
    readonly.remove(root)


def test_prune_removes_what_does_not_belong(root: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_bytes(b"1")
    (root / "a" / "extra").write_bytes(b"1")
    (root / "directory" / "deep").mkdir(parents=True)
    (root / "d").unlink()
    (root / "d").symlink_to(tmp_path / "outside")
    readonly.prune(root, {"a/b/c", "d"})
    assert state(root).keys() == {"a/b/c"}
    assert sorted(path.name for path in root.rglob("*")) == ["a", "b", "c"]
    assert (tmp_path / "outside" / "file").exists()
    readonly.prune(root, {"a/b"})
    assert sorted(path.name for path in root.rglob("*")) == ["a"]


@pytest.mark.parametrize("code", [None, errno.EOPNOTSUPP, errno.EXDEV])
def test_a_copy_has_the_content_and_the_time(
    code: int | None, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(code, "no clones here")

    if code is not None:
        monkeypatch.setattr("fcntl.ioctl", refuse)
    content = os.urandom(3 << 20)
    (root / "d").write_bytes(content)
    readonly.copy(root / "d", tmp_path / "x" / "y", 1_000_000_000)
    copy = tmp_path / "x" / "y"
    assert copy.read_bytes() == content
    assert (copy.stat().st_mtime, stat.S_IMODE(copy.stat().st_mode), copy.stat().st_nlink) == (1e9, 0o444, 1)
    with pytest.raises(FileExistsError):
        readonly.copy(root / "a" / "b" / "c", copy, 1)
    assert copy.read_bytes() == content


def test_a_copy_that_fails_is_none(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.EIO, "a bad disk")

    monkeypatch.setattr("fcntl.ioctl", refuse)
    with pytest.raises(OSError, match="a bad disk"):
        readonly.copy(root / "d", tmp_path / "copy", 1)
    assert not (tmp_path / "copy").exists()
    (root / "link").symlink_to(root / "d")
    with pytest.raises(OSError, match="symbolic"):
        readonly.copy(root / "link", tmp_path / "copy", 1)
    with pytest.raises(OSError, match="not a regular file"):
        readonly.copy(root / "a", tmp_path / "copy", 1)


def test_checksums(root: Path) -> None:
    md5 = hashlib.md5(b"dd", usedforsecurity=False).hexdigest()
    assert readonly.md5_of(root / "d") == md5
    assert readonly.is_intact(root / "d", md5)
    before = (root / "d").stat().st_mtime_ns
    os.utime(root / "d", (1, 1))
    assert not readonly.is_intact(root / "d", "0" * 32)
    assert (root / "d").stat().st_mtime_ns >= before  # a checksum that was kept for its time does not count any more
    assert not readonly.is_intact(root / "missing", md5)
    assert not readonly.is_intact(root / "a", md5)


@pytest.mark.parametrize("count", [2, 40])
def test_sync(count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"{number}" for number in range(count)]
    for name in names:
        (tmp_path / name).write_bytes(b"1")
    synced: list[object] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    monkeypatch.setattr(os, "sync", lambda: synced.append("all"))
    readonly.sync(tmp_path, names)
    assert len(synced) == (2 if count == 2 else 1)
