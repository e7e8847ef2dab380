from __future__ import annotations

import hashlib
import logging
import os
import random
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import apsw
import msgspec
import pytest

from lakefs_hl._folders import checksums
from lakefs_hl._folders.checksums import NAME, Checksums
from lakefs_hl._folders.found import Found
from tests.processes import ending

OLD_NS = 1_700_000_000_000_000_000
#: Long after the files below changed.
READ_NS = OLD_NS + 10**12


def file(number: int, **changed: Any) -> Found:
    found = Found(f"{number}", number, OLD_NS + number, number, 5, OLD_NS + 2 * number)
    return msgspec.structs.replace(found, **changed)


def md5(number: int) -> str:
    return hashlib.md5(b"%d" % number).hexdigest()


def put(cache: Checksums, *numbers: int) -> None:
    cache.put([(file(number), md5(number)) for number in numbers], read_at_ns=READ_NS)


def known(cache: Checksums, *numbers: int) -> list[int]:
    """The numbers whose checksum is known, which has to be the right one."""
    found = cache.get([file(number) for number in numbers])
    assert all(one in (None, md5(number)) for number, one in zip(numbers, found, strict=True))
    return [number for number, one in zip(numbers, found, strict=True) if one is not None]


def test_a_checksum_is_known_again_in_another_process(tmp_path: Path) -> None:
    with Checksums(tmp_path) as cache:
        assert known(cache, 1, 2) == []
        put(cache, 1, 2)
        assert known(cache, 1, 2, 3) == [1, 2]
    with Checksums(tmp_path) as cache:
        assert known(cache, 3, 2, 1, 2) == [2, 1, 2]
        assert cache.get([]) == []
    assert os.name != "posix" or stat.S_IMODE(os.stat(tmp_path / NAME).st_mode) == 0o600
    assert {path.name for path in tmp_path.iterdir()} <= {NAME, f"{NAME}-journal"}


@pytest.mark.parametrize("field", ["size", "mtime_ns", "inode", "device", "ctime_ns"])
def test_a_file_that_looks_different_is_another_one(tmp_path: Path, field: str) -> None:
    with Checksums(tmp_path) as cache:
        put(cache, 7)
        other = file(7, **{field: getattr(file(7), field) + 1})
        assert cache.get([other, file(7), file(7, path="moved/7")]) == [None, md5(7), md5(7)]
        cache.put([(other, md5(8))], read_at_ns=READ_NS)
        assert cache.get([other]) == [md5(8)]


@pytest.mark.parametrize(
    ("mtime", "ctime", "trusted"),
    [
        (-3.0, -3.0, True),
        (-1.9, -3.0, False),
        (-3.0, -1.9, False),
        (0.0, 0.0, False),
        (+1.9, -3.0, False),
        (+99.0, -3.0, True),  # set by a program; its content changes its ctime
        (-99.0, +99.0, False),  # the clock of a file server is ahead
    ],
)
def test_what_changed_just_before_it_was_read_is_not_kept(
    tmp_path: Path, mtime: float, ctime: float, trusted: bool
) -> None:
    found = file(1, mtime_ns=READ_NS + int(mtime * 1e9), ctime_ns=READ_NS + int(ctime * 1e9))
    with Checksums(tmp_path) as cache:
        cache.put([(found, md5(1))], read_at_ns=READ_NS)
        assert cache.get([found]) == [md5(1) if trusted else None]


def test_without_a_time_files_were_read_now(tmp_path: Path) -> None:
    now = time.time_ns()
    fresh, old = file(1, mtime_ns=now, ctime_ns=now), file(2)
    with Checksums(tmp_path) as cache:
        cache.put([(fresh, md5(1)), (old, md5(2))])
        assert cache.get([fresh, old]) == [None, md5(2)]


def test_large_numbers_are_kept(tmp_path: Path) -> None:
    found = file(1, inode=(1 << 64) - 2, device=(1 << 63) + 5, size=1 << 50, mtime_ns=-5)
    with Checksums(tmp_path) as cache:
        cache.put([(found, md5(1))], read_at_ns=READ_NS)
        assert cache.get([found]) == [md5(1)]


def test_without_a_directory_nothing_is_kept() -> None:
    with Checksums(None) as cache:
        put(cache, 1)
        assert known(cache, 1) == []


# -- damage ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"no database at all", b"x" * 100_000, b"SQLite format 3\0" + b"\xff" * 8192])
def test_what_is_no_database_is_made_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    with Checksums(tmp_path) as cache:
        put(cache, 1)
        assert known(cache, 1) == [1]
    with Checksums(tmp_path) as cache:
        assert known(cache, 1) == [1]


def test_damage_never_gives_a_wrong_checksum(tmp_path: Path, rng: random.Random) -> None:
    """Bytes anywhere in the file are changed: each checksum is right or not known, and the cache works on.

    A key in the middle of the tree that was changed to another one may hide keys, which SQLite does not find.
    """
    numbers = range(1, 400)
    with Checksums(tmp_path) as cache:
        put(cache, *numbers)
    whole = (tmp_path / NAME).read_bytes()
    lost = works = 0
    for _ in range(40):
        damaged = bytearray(whole)
        for _ in range(rng.choice([1, 1, 1, 5, 100])):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        (tmp_path / NAME).write_bytes(damaged)
        with Checksums(tmp_path) as cache:
            lost += len(known(cache, *numbers)) < len(numbers)
            put(cache, 1000)
            works += known(cache, 1000) == [1000]
    assert lost > 5
    assert works >= 38


def test_a_row_that_the_disk_changed_is_not_believed(tmp_path: Path) -> None:
    with Checksums(tmp_path) as cache:
        put(cache, 1, 2)
    database = apsw.Connection(str(tmp_path / NAME))
    database.execute("UPDATE checksum SET md5=zeroblob(16) WHERE inode=1")
    database.execute("UPDATE checksum SET mtime_ns=mtime_ns+1 WHERE inode=2")
    database.close()
    with Checksums(tmp_path) as cache:
        assert cache.get([file(1), file(2, mtime_ns=file(2).mtime_ns + 1)]) == [None, None]


def test_what_cannot_be_used_is_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "lakefs_hl"):
        for directory in (tmp_path / "none", tmp_path / "directory"):
            (tmp_path / "directory" / NAME).mkdir(parents=True, exist_ok=True)
            with Checksums(directory) as cache:
                put(cache, 1)
                assert known(cache, 1) == []
    assert caplog.text.count("checksums of local files cannot be kept") == 2


@pytest.mark.skipif(os.name != "posix", reason="needs links")
def test_a_link_in_the_place_of_the_database_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / NAME).symlink_to("../precious")
    (tmp_path / "precious").write_bytes(b"")
    with Checksums(tmp_path / "cache") as cache:
        put(cache, 1)
    assert (tmp_path / "precious").read_bytes() == b""


def test_a_full_disk_ends_nothing(tmp_path: Path, mocker: Any) -> None:
    with Checksums(tmp_path) as cache:
        put(cache, 1)
        mocker.patch.object(cache, "_store", side_effect=apsw.FullError("database or disk is full"))
        put(cache, 2)
        assert known(cache, 1, 2) == []  # the cache is closed


# -- size and others ---------------------------------------------------------------------------------------------------


def test_the_files_that_were_not_used_for_the_longest_time_are_removed(tmp_path: Path, mocker: Any) -> None:
    day = 86_400 * 10**9
    clock = mocker.patch.object(checksums, "time")
    clock.time_ns.return_value = READ_NS
    with Checksums(tmp_path, max_rows=6) as cache:
        put(cache, *range(1, 6))
    clock.time_ns.return_value = READ_NS + 30 * day
    with Checksums(tmp_path, max_rows=6) as cache:
        assert known(cache, 2, 4) == [2, 4]
    clock.time_ns.return_value = READ_NS + 31 * day
    with Checksums(tmp_path, max_rows=6) as cache:
        put(cache, 10, 11, 12, 13)
    with Checksums(tmp_path, max_rows=6) as cache:
        assert known(cache, *range(20)) == [2, 4, 10, 11, 12, 13]


CHILD = """
import sys
from lakefs_hl._folders.checksums import Checksums
from tests._folders.test_checksums import known, put
base = int(sys.argv[2])
with Checksums(sys.argv[1]) as cache:
    for number in range(base, base + 200):
        put(cache, number, number + 1)
        assert known(cache, number) == [number]
"""


def test_several_processes_use_one_cache(tmp_path: Path) -> None:
    children = [
        subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path), str(base)], cwd=Path(__file__).parents[2])
        for base in (1000, 2000)
    ]
    with ending(*children):
        assert [child.wait(60) for child in children] == [0, 0]
    with Checksums(tmp_path) as cache:
        numbers = [*range(1000, 1200), *range(2000, 2200)]
        assert known(cache, *numbers) == numbers


def test_a_cache_that_is_locked_for_long_knows_nothing(tmp_path: Path, mocker: Any) -> None:
    with Checksums(tmp_path) as cache:
        put(cache, 1)
        assert cache._connection is not None
        cache._connection.set_busy_timeout(0)
        other = apsw.Connection(str(tmp_path / NAME))
        other.execute("BEGIN EXCLUSIVE")
        assert known(cache, 1) == []
        put(cache, 2)
        other.execute("ROLLBACK")
        other.close()
        assert known(cache, 1, 2) == [1]


def test_threads_share_a_cache(tmp_path: Path) -> None:
    errors = list[BaseException]()
    with Checksums(tmp_path) as cache:

        def work(base: int) -> None:
            try:
                for number in range(base, base + 100):
                    put(cache, number)
                    assert known(cache, number) == [number]
            except BaseException as exc:
                errors.append(exc)

        threads = [threading.Thread(target=work, args=(base,)) for base in (100, 200, 300)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert errors == []


def test_many_files_are_looked_up_fast(tmp_path: Path) -> None:
    """20,000 files take 0.07 s of a processor."""
    files = [file(number) for number in range(20_000)]
    with Checksums(tmp_path) as cache:
        cache.put(((found, md5(found.size)) for found in files), read_at_ns=READ_NS)
        started = time.process_time()
        assert None not in cache.get(files)
        assert time.process_time() - started < 1
