"""Copying a body into a file: hashes of what was stored, bodies that change or end early, and checks beside a copy."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from typing import IO

import pytest
from xxhash import xxh3_128

from lakefs_hl.local.disk import copying, fs
from lakefs_hl.local.disk.copying import PARALLEL, Check, Hashed, copy
from lakefs_hl.local.disk.database import Database
from lakefs_hl.local.disk.errors import Damaged, DiskError
from lakefs_hl.spec.errors import IntegrityError
from lakefs_hl.spec.wire import FileSlice

SIZES = [0, 1, 5000, PARALLEL - 1, PARALLEL, PARALLEL + 12_345, 2 * copying.STEP + 1]


@pytest.fixture
def files() -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """Where a body lies, and where it is copied to."""
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as target:
        yield source, target


def of(content: bytes, *, synced: bool) -> Hashed:
    return Hashed(hashlib.sha256(content).digest(), hashlib.md5(content).digest(), xxh3_128(content).digest(), synced)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["bytes", "file", "file that the system does not copy"])
def test_what_is_stored_is_hashed(
    database: Database,
    files: tuple[IO[bytes], IO[bytes]],
    size: int,
    kind: str,
    rng: random.Random,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, target = files
    content = rng.randbytes(size)
    source.write(b"before" + content + b"after")
    source.flush()
    if kind == "file that the system does not copy":
        monkeypatch.setattr(os, "copy_file_range", _refuse)
    body = content if kind == "bytes" else FileSlice(source.fileno(), 6, size)
    assert copy(body, target.fileno(), database) == of(content, synced=size >= PARALLEL)
    assert os.pread(target.fileno(), size + 1, 0) == content


def _refuse(*_: object) -> int:
    raise OSError(errno.EXDEV, "cross-device link")


@pytest.mark.parametrize("size", [100, PARALLEL])
def test_a_body_that_ends_early_is_an_error(database: Database, files: tuple[IO[bytes], IO[bytes]], size: int) -> None:
    source, target = files
    source.write(bytes(size - 10))
    source.flush()
    with pytest.raises(EOFError, match=f"after {size - 10} of {size} bytes"):
        copy(FileSlice(source.fileno(), 0, size), target.fileno(), database)


@pytest.mark.parametrize("size", [100, PARALLEL])
def test_a_body_that_has_changed_is_an_error(database: Database, files: tuple[IO[bytes], IO[bytes]], size: int) -> None:
    source, target = files
    source.write(bytes(size))
    source.flush()

    def changed() -> None:
        raise IntegrityError("changed")

    with pytest.raises(IntegrityError, match="changed"):
        copy(FileSlice(source.fileno(), 0, size, changed), target.fileno(), database)


@pytest.mark.parametrize("size", [100, PARALLEL])
def test_nothing_is_kept_of_a_lake_that_is_being_closed(
    database: Database, files: tuple[IO[bytes], IO[bytes]], size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "closing", True)
    with pytest.raises(DiskError, match="being closed"):
        copy(bytes(size), files[1].fileno(), database)


def test_without_threads_a_large_body_is_hashed_here(
    database: Database, files: tuple[IO[bytes], IO[bytes]], rng: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(copying._Line, "start", refuse)
    content = rng.randbytes(PARALLEL + 1)
    assert copy(content, files[1].fileno(), database) == of(content, synced=False)


@pytest.mark.parametrize("point", ["blob.write", "blob.fsync"])
def test_a_full_disk_ends_all_threads(
    database: Database, files: tuple[IO[bytes], IO[bytes]], fail_at: Callable[[str, OSError], None], point: str
) -> None:
    fail_at(point, OSError(errno.ENOSPC, "full"))
    with pytest.raises(fs.WriteFailed):
        copy(bytes(PARALLEL), files[1].fileno(), database)


# -------------------------------------------------------------------------------------------------------------- checks


def test_a_check_holds_a_file_against_its_checksum(files: tuple[IO[bytes], IO[bytes]], rng: random.Random) -> None:
    file, content = files[0], rng.randbytes((3 << 20) + 5)
    file.write(content)
    file.flush()
    right = xxh3_128(content).digest()
    Check(file.fileno(), len(content), right, "wrong").hold()
    for length, checksum in ((len(content), bytes(16)), (len(content) - 1, right), (len(content) + 1, b"")):
        with pytest.raises(Damaged, match="wrong"):
            Check(file.fileno(), length, checksum, "wrong").hold()


def test_a_check_can_be_ended_before_its_end(files: tuple[IO[bytes], IO[bytes]]) -> None:
    check = Check(files[0].fileno(), 1 << 50, b"", "wrong")
    check.end()
    assert not check.is_alive()


def test_a_file_that_cannot_be_read_is_not_what_was_stored() -> None:
    read, write = os.pipe()
    check = Check(read, 10, xxh3_128().digest(), "wrong")
    with pytest.raises(Damaged, match="wrong"):
        check.hold()
    os.close(read)
    os.close(write)
