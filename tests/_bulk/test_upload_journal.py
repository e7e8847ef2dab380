"""Journals of uploads in parts: who may read them, what they hold, and what is left of one that was cut off."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pytest_mock import MockerFixture

from lakefs_hl._bulk.upload_journal import _LAST_SECONDS, _MOST_SECONDS, UploadJournal
from lakefs_hl._folders.found import Found
from lakefs_hl.ops.parts import Expired, Part, Upload
from lakefs_hl.spec.errors import InvalidConfigError

FOUND = Found("a", 100, 5, 6, 7, 8)
UPLOAD = Upload("u1", "s3://bucket/data/x,token", 16, {})
PARTS = [Part(2, "0" * 32, True, True), Part(1, "other", False, False)]


def journal(directory: Path, *, found: Found = FOUND, path: str = "a") -> UploadJournal:
    made = UploadJournal(lambda: directory, "http://lake", "r", "b", path)
    made.found = found
    return made


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """The file of a journal that a killed process has left."""
    made = journal(tmp_path)
    assert made.load(16) is None
    made.begin(UPLOAD)
    for part in PARTS:
        made.add(part)
    made.close()
    (file,) = (tmp_path / "uploads").iterdir()
    return file


def load(directory: Path, part_size: int = 16, **options: Any) -> tuple[Upload | None, Upload | None]:
    made = journal(directory, **options)
    try:
        return made.load(part_size), made.outdated
    finally:
        made.close()


def test_what_was_kept_is_found_by_the_same_file_only(tmp_path: Path, left: Path) -> None:
    expected = Upload("u1", UPLOAD.address, 16, {part.number: part for part in PARTS})
    assert stat.S_IMODE(left.stat().st_mode) == 0o600
    assert load(tmp_path) == (expected, None)
    assert load(tmp_path, path="b") == (None, None)
    for field in ({"size": 101}, {"mtime_ns": 6}, {"ctime_ns": 9}, {"inode": 7}):
        changed = msgspec.structs.replace(FOUND, **field)
        assert load(tmp_path, found=changed) == (None, expected)
    assert load(tmp_path, part_size=32) == (None, expected)


def test_a_line_that_was_cut_off_is_not_used(tmp_path: Path, left: Path) -> None:
    whole = left.read_bytes()
    left.write_bytes(whole[:-8])
    found, _ = load(tmp_path)
    assert found is not None
    assert found.parts == {2: PARTS[0]}
    for content in (b"", b"{}", whole[:20], whole.replace(b'"b"', b'"c"'), b"\xff\n"):
        left.write_bytes(content)
        assert load(tmp_path) == (None, None)


def test_a_new_upload_takes_the_place_of_an_old_one_and_one_that_ended_leaves_nothing(
    tmp_path: Path, left: Path
) -> None:
    made = journal(tmp_path)
    made.load(16)
    made.begin(Upload("u2", "address", 16, {}))
    second = journal(tmp_path)  # the same upload at the same time: it keeps nothing, and harms nothing
    assert second.load(16) is None
    second.begin(UPLOAD)
    second.add(PARTS[0])
    second.end()
    made.close()
    assert load(tmp_path) == (Upload("u2", "address", 16, {}), None)
    made.load(16)
    made.end()
    assert not left.exists()


def test_a_cache_that_cannot_be_used_keeps_nothing(tmp_path: Path) -> None:
    def refuse() -> Path:
        raise InvalidConfigError("no cache directory")

    (tmp_path / "uploads").write_bytes(b"no directory")
    for directory in (refuse, lambda: tmp_path):
        made = UploadJournal(directory, "key")
        assert made.load(16) is None
        made.begin(UPLOAD)
        made.add(PARTS[0])
        made.end()


def test_a_full_disk_ends_a_journal_and_closes_it_no_sooner_than_its_upload(
    tmp_path: Path, mocker: MockerFixture
) -> None:
    made = journal(tmp_path)
    made.load(16)
    made.begin(UPLOAD)
    write = mocker.patch.object(os, "write", return_value=1)
    made.add(PARTS[0])
    made.add(PARTS[1])
    assert write.call_count == 1
    assert os.fstat(made._fd), "else the number may be that of another file, which another thread then writes to"
    made.end()
    assert list((tmp_path / "uploads").iterdir()) == []


def test_an_old_journal_stays_until_its_upload_was_aborted(tmp_path: Path, left: Path) -> None:
    def aged(seconds: float) -> UploadJournal:
        os.utime(left, (0, time.time() - seconds))
        made = journal(tmp_path, path="other")
        made.load(16)
        made.end()
        return made

    expired = Expired("r", "b", "a", Upload("u1", UPLOAD.address, 16, {part.number: part for part in PARTS}))
    assert aged(_MOST_SECONDS - 60).expired == []
    made = aged(_MOST_SECONDS + 60)
    assert made.expired == [expired]
    assert left.exists()
    running = journal(tmp_path)
    running.load(16)
    assert aged(_MOST_SECONDS + 60).expired == []
    running.close()
    made.forget(expired)
    assert not left.exists()
    made.forget(expired)


def test_journals_that_nothing_can_abort_are_removed_in_the_end(tmp_path: Path, left: Path) -> None:
    content = left.read_bytes()
    elsewhere = content.replace(b"http://lake", b"http://other")
    for text, age, stays in (
        (elsewhere, _MOST_SECONDS, True),
        (elsewhere, _LAST_SECONDS, False),
        (content, _LAST_SECONDS, False),
        (b"damaged", _MOST_SECONDS, False),
    ):
        left.write_bytes(text)
        os.utime(left, (0, time.time() - age - 60))
        made = journal(tmp_path, path="other")
        made.load(16)
        made.end()
        assert (made.expired, left.exists()) == ([], stays)
