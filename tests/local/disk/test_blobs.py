from __future__ import annotations

import errno
import gc
import hashlib
import os
import random
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from lakefs_hl.local.disk import blobs as module
from lakefs_hl.local.disk import fs
from lakefs_hl.local.disk.blobs import INLINE, BlobRef, Blobs, Held
from lakefs_hl.local.disk.copying import PARALLEL
from lakefs_hl.local.disk.database import Database
from lakefs_hl.local.disk.errors import Damaged, NoSpace, ReadOnly


class Slice(NamedTuple):
    fd: int
    offset: int
    length: int
    check: Callable[[], None] | None = None
    on_move: Callable[[int], None] | None = None


def keep(database: Database, blobs: Blobs, body: bytes | Slice) -> BlobRef:
    blob = blobs.put(body)
    database.submit(lambda writer: blobs.record(writer, blob))
    return blob


def content(held: Held) -> bytes:
    try:
        return held.data if held.data is not None else fs.read(held.fd, 0, held.length)
    finally:
        held.release()


SIZES = [0, 1, 1000, INLINE, INLINE + 1, fs.BLOCK - 1, fs.BLOCK, fs.BLOCK + 1, PARALLEL - 1, PARALLEL, PARALLEL * 2 + 7]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", ["bytes", "file"])
def test_what_is_put_comes_back_and_is_named_by_its_hashes(
    database: Database, tmp_path: Path, rng: random.Random, size: int, kind: str
) -> None:
    data = rng.randbytes(size)
    blobs = Blobs(database)
    body: bytes | Slice = data
    if kind == "file":
        (tmp_path / "body").write_bytes(b"before" + data + b"after")
        fd = os.open(tmp_path / "body", os.O_RDONLY)
        body = Slice(fd, 6, size)
    blob = keep(database, blobs, body)
    if kind == "file":
        assert os.lseek(fd, 0, os.SEEK_CUR) == 0  # never moved
        os.close(fd)
    assert (blob.sha256, blob.md5, blob.size) == (hashlib.sha256(data).digest(), hashlib.md5(data).digest(), size)
    assert (blob.data is None) == (size > INLINE)
    assert os.path.exists(blobs.path(blob.sha256)) == (size > INLINE)
    with database.read() as reader:
        held = blobs.open(reader, blob.sha256, size)
    assert held.length == size
    assert content(held) == data
    assert os.listdir(os.path.join(database.folder, "objects", "tmp")) == []


def test_equal_content_is_one_blob(database: Database) -> None:
    blobs = Blobs(database)
    for body in (b"small", bytes(INLINE + 1)):
        assert keep(database, blobs, body) == keep(database, blobs, body)
    with database.read() as reader:
        assert reader.row("SELECT count(*) FROM blob") == (1,)


def test_a_large_blob_is_on_the_disk_before_it_has_a_name(database: Database, points: list[str]) -> None:
    blobs = Blobs(database)
    points.clear()
    blobs.put(bytes(INLINE + 1))
    assert points == [
        "blob.create",
        "blob.write",
        "blob.fsync",
        "blob.rename",
        "blob.mkdir",
        "blob.rename",
        "blob.parent.fsync_folder",
        "blob.fsync_folder",
    ]
    points.clear()
    blobs.put(bytes(INLINE + 1))
    assert points == ["blob.create", "blob.write", "blob.fsync", "blob.rename", "blob.fsync_folder"]


def test_a_lake_without_syncs_syncs_no_blob(tmp_path: Path, points: list[str]) -> None:
    from lakefs_hl.local.disk.layout import prepare

    database, _ = prepare(str(tmp_path / "lake"), tree={}, sync=False)
    Blobs(database).put(bytes(INLINE + 1))
    assert not [point for point in points if "fsync" in point]
    database.close()


@pytest.mark.parametrize("point", ["blob.fsync", "blob.fsync_folder", "blob.parent.fsync_folder"])
def test_a_failed_sync_makes_the_lake_read_only(
    database: Database, fail_at: Callable[[str, OSError], None], point: str
) -> None:
    blobs = Blobs(database)
    fail_at(point, OSError(errno.EIO, "Input/output error"))
    with pytest.raises(ReadOnly, match="read-only for now"):
        blobs.put(bytes(INLINE + 1))
    fs.hook = None
    for write in (lambda: blobs.put(bytes(INLINE + 1)), lambda: database.submit(lambda _writer: None)):
        with pytest.raises(ReadOnly, match="read-only since"):
            write()
    assert os.listdir(os.path.join(database.folder, "objects", "tmp")) == []


@pytest.mark.parametrize("point", ["blob.create", "blob.write", "blob.rename"])
def test_a_full_disk_leaves_nothing_and_the_lake_goes_on(
    database: Database, fail_at: Callable[[str, OSError], None], point: str
) -> None:
    blobs = Blobs(database)
    fail_at(point, OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(NoSpace, match=f"(?i)no space left.*{INLINE + 1} bytes"):
        blobs.put(bytes(INLINE + 1))
    fs.hook = None
    assert os.listdir(os.path.join(database.folder, "objects", "tmp")) == []
    keep(database, blobs, bytes(INLINE + 1))


@pytest.mark.parametrize("point", ["blob.create", "blob.write", "blob.rename"])
@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EPERM])
def test_a_folder_that_takes_no_writes_is_told_as_that(
    database: Database, fail_at: Callable[[str, OSError], None], point: str, number: int
) -> None:
    blobs = Blobs(database)
    fail_at(point, OSError(number, os.strerror(number)))
    with pytest.raises(ReadOnly, match=r"the lake cannot be written: .*nothing was kept"):
        blobs.put(bytes(INLINE + 1))
    fs.hook = None
    keep(database, blobs, bytes(INLINE + 1))  # it may have been mended meanwhile


def test_a_body_that_shrank_is_refused(database: Database, tmp_path: Path) -> None:
    blobs = Blobs(database)
    (tmp_path / "body").write_bytes(bytes(1000))
    fd = os.open(tmp_path / "body", os.O_RDONLY)
    for length in (1001, INLINE + 1, PARALLEL + 1):
        with pytest.raises(EOFError, match=f"1000 of {length} bytes"):
            blobs.put(Slice(fd, 0, length))
    os.close(fd)
    assert os.listdir(os.path.join(database.folder, "objects", "tmp")) == []


class ChangedError(Exception):
    """What whoever measured a file raises if it is another now."""


@pytest.mark.parametrize("length", [10, INLINE + 1, PARALLEL + 1])
@pytest.mark.parametrize("shrinks", [False, True])
def test_a_body_that_is_not_what_was_measured_is_refused(
    database: Database, tmp_path: Path, length: int, shrinks: bool
) -> None:
    def changed() -> None:
        raise ChangedError

    (tmp_path / "body").write_bytes(bytes(length - 1 if shrinks else length))
    blobs, fd = Blobs(database), os.open(tmp_path / "body", os.O_RDONLY)
    with pytest.raises(ChangedError):
        blobs.put(Slice(fd, 0, length, changed))
    os.close(fd)
    assert os.listdir(os.path.join(database.folder, "objects", "tmp")) == []
    assert [names for _, _, names in os.walk(os.path.join(database.folder, "objects")) if names] == []


def test_a_missing_or_altered_blob_is_damage_never_content(database: Database, rng: random.Random) -> None:
    blobs = Blobs(database)
    small, large = keep(database, blobs, rng.randbytes(100)), keep(database, blobs, rng.randbytes(INLINE * 2))
    with database.read() as reader:
        for blob in (small, large):
            with pytest.raises(Damaged, match="is missing"):
                blobs.open(reader, bytes(32), blob.size)
        with pytest.raises(Damaged, match="has 100 bytes"):
            blobs.open(reader, small.sha256, 99)
        with pytest.raises(Damaged, match=f"has {large.size} bytes"):
            blobs.open(reader, large.sha256, large.size + 1)
    with database.write() as writer:
        writer.execute("UPDATE blob SET data = ?", (bytes(100),))
    with database.read() as reader, pytest.raises(Damaged, match="not what its hash says"):
        blobs.open(reader, small.sha256, 100)


def test_an_open_blob_stays_readable(database: Database) -> None:
    blobs = Blobs(database)
    blob = keep(database, blobs, bytes(INLINE + 1))
    with database.read() as reader:
        held = blobs.open(reader, blob.sha256, blob.size)
    os.unlink(blobs.path(blob.sha256))
    database.close()
    assert fs.read(held.fd, 0, held.length) == bytes(INLINE + 1)
    held.release()
    held.release()
    assert held.fd == -1


def test_leftovers_of_the_dead_are_swept_and_those_of_the_living_are_not(database: Database) -> None:
    blobs = Blobs(database)
    living, path = blobs.temporary()
    dead, left = blobs.temporary()
    os.close(dead)
    assert blobs.sweep() == 0  # too young to tell
    assert blobs.sweep(older=-1) == 1
    assert os.path.exists(path)
    assert not os.path.exists(left)
    os.close(living)
    os.utime(path, (1, 1))
    Blobs(database)  # opening sweeps
    assert not os.path.exists(path)
    assert module.ABANDONED >= 3600


def test_an_empty_folder_that_a_copy_left_out_is_made_again(database: Database) -> None:
    os.rmdir(os.path.join(database.folder, "objects", "tmp"))
    blobs = Blobs(database)
    assert keep(database, blobs, bytes(INLINE + 1)).size == INLINE + 1


def test_a_file_that_cannot_be_opened_is_an_error_of_ours(database: Database) -> None:
    blobs = Blobs(database)
    blob = keep(database, blobs, bytes(INLINE + 1))
    os.rename(blobs.path(blob.sha256), f"{database.folder}/elsewhere")
    os.symlink(f"{database.folder}/elsewhere", blobs.path(blob.sha256))
    with database.read() as reader, pytest.raises(Damaged, match="cannot be opened"):
        blobs.open(reader, blob.sha256, blob.size)


def open_files() -> set[str]:
    """Paths of the files that this process has open."""
    found = set[str]()
    for name in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # closed since, by another thread
            found.add(os.readlink(f"/proc/self/fd/{name}"))
    return found


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Python tells of a file that was lost
def test_an_interrupt_while_one_is_opened_leaves_no_file_open(database: Database) -> None:
    blobs = Blobs(database)
    blob = keep(database, blobs, bytes(INLINE + 1))
    moment, interrupted = 0, True
    with database.read() as reader:
        while interrupted:
            moment, interrupted, seen = moment + 1, False, 0

            def interrupt(_frame: object, event: str, _argument: object, moment: int = moment) -> None:
                nonlocal seen, interrupted
                if event in {"call", "c_return"} and not interrupted:
                    seen += 1
                    if seen == moment:
                        interrupted = True
                        raise KeyboardInterrupt

            try:
                sys.setprofile(interrupt)
                blobs.open(reader, blob.sha256, blob.size).release()
            except KeyboardInterrupt:
                assert interrupted
            finally:
                sys.setprofile(None)
    gc.collect()
    assert blobs.path(blob.sha256) not in open_files()
    assert moment > 5


def test_a_second_one_in_a_new_folder_syncs_its_parent_too(database: Database) -> None:
    # Whoever made the folder has not come to its sync yet: the other must not acknowledge without one.
    seen: list[tuple[str, str]] = []
    held, go = threading.Event(), threading.Event()

    def hook(point: str) -> None:
        name = threading.current_thread().name
        seen.append((name, point))
        if name == "first" and point == "blob.parent.fsync_folder":
            held.set()
            assert go.wait(30)

    blobs = Blobs(database)
    one, other = _in_one_folder()
    fs.hook = hook
    try:
        first = threading.Thread(target=blobs.put, args=(one,), name="first")
        first.start()
        assert held.wait(30)
        second = threading.Thread(target=blobs.put, args=(other,), name="second")
        second.start()
        second.join(30)
        assert not second.is_alive()
        assert [point for name, point in seen if name == "second" and "folder" in point] == [
            "blob.parent.fsync_folder",
            "blob.fsync_folder",
        ]
    finally:
        go.set()
        first.join(30)
        fs.hook = None


def _in_one_folder() -> tuple[bytes, bytes]:
    """Two bodies whose hashes begin alike."""
    known: dict[int, bytes] = {}
    for number in range(1000):
        body = number.to_bytes(4, "big") + bytes(INLINE)
        found = known.setdefault(hashlib.sha256(body).digest()[0], body)
        if found is not body:
            return found, body
    raise AssertionError("hashes do not repeat")
