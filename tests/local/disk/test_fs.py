from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lakefs_hl.local.disk import fs


def test_every_operation_passes_its_point(tmp_path: Path, points: list[str]) -> None:
    folder, path = str(tmp_path / "d"), str(tmp_path / "d" / "f")
    assert fs.make_folder(folder, "x")
    assert not fs.make_folder(folder, "x")
    fd = fs.create(path, "x")
    fs.write(fd, b"some bytes", "x")
    fs.fsync(fd, "x")
    assert fs.read(fd, 5, 100) == b"bytes"
    fs.close(fd)
    fs.rename(path, path + "2", "x")
    fs.fsync_folder(folder, "x")
    fs.unlink(path + "2", "x")
    fs.unlink(path + "2", "x")
    names = ["mkdir", "mkdir", "create", "write", "fsync", "rename", "fsync_folder", "unlink", "unlink"]
    assert points == [f"x.{name}" for name in names]


def test_a_new_file_is_new_and_not_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("there", "link"):
        with pytest.raises(FileExistsError):
            fs.create(str(tmp_path / name), "x")
    assert not (tmp_path / "elsewhere").exists()


def test_a_failed_sync_has_a_class_of_its_own(tmp_path: Path, fail_at: Callable[[str, OSError], None]) -> None:
    fd = fs.create(str(tmp_path / "f"), "x")
    fail_at("x.fsync", OSError(errno.EIO, "Input/output error"))
    with pytest.raises(fs.SyncFailed, match="x: fsync failed: Input/output error"):
        fs.fsync(fd, "x")
    fail_at("x.fsync_folder", OSError(errno.EIO, "Input/output error"))
    with pytest.raises(fs.SyncFailed, match="fsync of the folder"):
        fs.fsync_folder(str(tmp_path), "x")
    os.close(fd)


def test_short_reads_and_writes_are_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fd = fs.create(str(tmp_path / "f"), "x")
    write, read = os.write, os.pread
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda to, data: write(to, data[:3]))
        fs.write(fd, b"0123456789", "x")
        patch.setattr(os, "pread", lambda of, length, at: read(of, min(length, 4), at))
        assert fs.read(fd, 0, 10) == b"0123456789"
        assert fs.read(fd, 8, 10) == b"89"
    os.close(fd)


def test_a_small_file_is_written_whole_or_not_at_all(
    tmp_path: Path, fail_at: Callable[[str, OSError], None], points: list[str]
) -> None:
    path = str(tmp_path / "note")
    fs.write_durably(path, b"one", "note")
    assert points == ["note.create", "note.write", "note.fsync", "note.rename", "note.fsync_folder"]
    assert os.stat(path).st_mode & 0o777 == 0o600
    for point in points[:4]:
        fail_at(point, OSError(28, "No space left on device"))
        with pytest.raises(OSError, match="No space left"):
            fs.write_durably(path, b"two", "note")
        assert os.listdir(tmp_path) == ["note"]
        assert Path(path).read_bytes() == b"one"
