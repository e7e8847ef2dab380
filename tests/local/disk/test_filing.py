"""Files of many blobs at once: few syncs, in the right order, and errors of those that they concern."""

from __future__ import annotations

import errno
import hashlib
import os
import random
from collections.abc import Callable

import pytest

from lakefs_hl.local.disk import filing, fs
from lakefs_hl.local.disk.blobs import INLINE, BlobRef, Blobs
from lakefs_hl.local.disk.database import Database
from lakefs_hl.local.disk.errors import DiskError, NoSpace, ReadOnly
from lakefs_hl.spec.wire import FileSlice


@pytest.fixture
def blobs(database: Database) -> Blobs:
    return Blobs(database)


def bodies(rng: random.Random, count: int) -> list[bytes]:
    return [rng.randbytes(INLINE + 1 + rng.randrange(5000)) for _ in range(count)]


def hold(blobs: Blobs, contents: list[bytes], kept: list[BlobRef | Exception]) -> None:
    """Each is in its place, and is what was given."""
    for content, one in zip(contents, kept, strict=True):
        assert isinstance(one, BlobRef)
        assert (one.sha256, one.md5) == (hashlib.sha256(content).digest(), hashlib.md5(content).digest())
        with open(blobs.path(one.sha256), "rb") as file:
            assert file.read() == content


def leftovers(blobs: Blobs) -> list[str]:
    return os.listdir(blobs._temporary)


def test_many_files_cost_two_syncs(blobs: Blobs, points: list[str], rng: random.Random) -> None:
    contents: list[bytes | FileSlice] = [*bodies(rng, filing.OPEN)]
    kept = blobs.put_many(contents)
    if fs.can_sync_all():
        assert points.count("blob.sync_all") == 2
        assert "blob.fsync" not in points
        last_write = len(points) - points[::-1].index("blob.write")
        assert last_write <= points.index("blob.sync_all") < points.index("blob.rename")
        assert points[-1] == "blob.sync_all"
    hold(blobs, [one for one in contents if isinstance(one, bytes)], kept)
    assert leftovers(blobs) == []


def test_few_files_are_synced_each(blobs: Blobs, points: list[str], rng: random.Random) -> None:
    contents = bodies(rng, 3)
    kept = blobs.put_many(contents)
    assert points.count("blob.fsync") == 3
    assert points.index("blob.rename") > len(points) - points[::-1].index("blob.fsync") - 1
    hold(blobs, contents, kept)


def test_small_and_large_ones_keep_their_order(blobs: Blobs, rng: random.Random) -> None:
    contents = [b"", *bodies(rng, 1), b"small", *bodies(rng, 2)]
    kept = blobs.put_many(contents)
    assert [one.size for one in kept if isinstance(one, BlobRef)] == [len(content) for content in contents]
    assert [one.data is not None for one in kept if isinstance(one, BlobRef)] == [True, False, True, False, False]


def test_equal_bodies_are_one_file(blobs: Blobs, rng: random.Random) -> None:
    (content,) = bodies(rng, 1)
    kept = blobs.put_many([content] * 10)
    hold(blobs, [content] * 10, kept)
    assert leftovers(blobs) == []


def test_a_body_that_cannot_be_read_fails_alone(blobs: Blobs, rng: random.Random) -> None:
    contents = bodies(rng, 2)
    bad = FileSlice(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC), 0, INLINE + 1)
    try:
        first, broken, second = blobs.put_many([contents[0], bad, contents[1]])
    finally:
        os.close(bad.fd)
    assert isinstance(broken, EOFError)
    hold(blobs, contents, [first, second])
    assert leftovers(blobs) == []


def test_a_sync_of_all_that_fails_asks_each_file(
    blobs: Blobs, fail_at: Callable[[str, OSError], None], rng: random.Random
) -> None:
    contents = bodies(rng, filing.MANY)
    fail_at("blob.sync_all", OSError(errno.EIO, "another's file"))
    kept = blobs.put_many(contents)
    hold(blobs, contents, kept)
    assert blobs.database.failed is None


@pytest.mark.parametrize("point", ["blob.fsync", "blob.fsync_folder"])
def test_a_sync_that_fails_is_the_outcome_of_all_and_ends_writing(blobs: Blobs, point: str, rng: random.Random) -> None:
    def hook(reached: str) -> None:
        if reached in {point, "blob.sync_all"}:
            raise OSError(errno.EIO, "injected")

    fs.hook = hook
    try:
        kept = blobs.put_many(bodies(rng, filing.MANY))
    finally:
        fs.hook = None
    assert [type(one) for one in kept] == [ReadOnly] * filing.MANY
    assert blobs.database.failed
    assert leftovers(blobs) == []


@pytest.mark.parametrize("point", ["blob.create", "blob.write", "blob.rename"])
def test_no_space_is_told_and_leaves_nothing(
    blobs: Blobs, fail_at: Callable[[str, OSError], None], point: str, rng: random.Random
) -> None:
    contents = bodies(rng, 3)
    fail_at(point, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert [type(one) for one in blobs.put_many(contents)] == [NoSpace] * 3
    fs.hook = None
    assert leftovers(blobs) == []
    hold(blobs, contents, blobs.put_many(contents))


def test_a_closed_lake_keeps_nothing(blobs: Blobs, rng: random.Random) -> None:
    blobs.database.close()
    with pytest.raises(DiskError, match="closed"):
        blobs.put_many(bodies(rng, 2))
