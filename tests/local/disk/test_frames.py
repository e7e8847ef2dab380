"""The frames of a log: as many count as SQLite would find, whatever happened to it; written anew it is as it was."""

from __future__ import annotations

import os
import random
import shutil
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from lakefs_hl.local.disk import frames, fs
from lakefs_hl.local.disk.connections import connect
from lakefs_hl.local.disk.database import Database

PUT = "INSERT INTO staging(token, path, value) VALUES(1, ?, ?)"
HEADER, FRAME = 32, 24


def fill(database: Database, rng: random.Random, transactions: int = 6) -> bytes:
    """Writes transactions of some pages each; gives the log."""
    for _ in range(transactions):
        rows = [(rng.randbytes(8), rng.randbytes(rng.randrange(1, 20_000))) for _ in range(3)]
        database.run(lambda writer, rows=rows: writer.executemany(PUT, rows))  # type: ignore[misc]
    return Path(f"{database.path}-wal").read_bytes()


def pages_found_by_sqlite(database: Database, log: bytes, folder: Path) -> int:
    """How long a log is that SQLite finds beside the database."""
    folder.mkdir()
    copy = folder / "lake.db"
    shutil.copyfile(database.path, copy)
    Path(f"{copy}-wal").write_bytes(log)
    with closing(connect(str(copy), sync=False, readonly=False)) as connection:
        return connection.wal_checkpoint(None, apsw.SQLITE_CHECKPOINT_NOOP)[0]


def count(log: bytes, folder: Path) -> int:
    path = folder / "log"
    path.write_bytes(log)
    return frames.whole(str(path))


def test_all_of_a_sound_log(database: Database, rng: random.Random, tmp_path: Path) -> None:
    log = fill(database, rng)
    size = int.from_bytes(log[8:12], "big")
    assert count(log, tmp_path) == database.log.pages == (len(log) - HEADER) // (FRAME + size) > 12


def test_after_damage_as_many_as_sqlite_finds(database: Database, rng: random.Random, tmp_path: Path) -> None:
    log = fill(database, rng)
    whole = count(log, tmp_path)
    seen = set[int]()
    for number in range(24):
        at = rng.randrange(len(log))
        rest = bytes([log[at] ^ 1 << rng.randrange(8)]) + log[at + 1 :]
        damaged = log[:at] + (b"" if number % 2 else rest)
        found = count(damaged, tmp_path)
        assert found == pages_found_by_sqlite(database, damaged, tmp_path / f"{number}"), (number, at)
        assert found < whole
        seen.add(found)
    assert len(seen) > 3, "it was cut at several transactions"


def test_every_byte_of_a_frame_counts(database: Database, rng: random.Random, tmp_path: Path) -> None:
    log = fill(database, rng, 2)
    whole = count(log, tmp_path)
    size = int.from_bytes(log[8:12], "big")
    last = len(log) - FRAME - size
    for at in [*range(FRAME), FRAME, FRAME + size // 2, FRAME + size - 1]:
        damaged = bytearray(log)
        damaged[last + at] ^= 1
        assert count(bytes(damaged), tmp_path) < whole, at


def test_every_byte_of_the_header_counts(database: Database, rng: random.Random, tmp_path: Path) -> None:
    log = fill(database, rng, 1)
    for at in range(HEADER):
        assert count(log[:at] + bytes([log[at] ^ 1]) + log[at + 1 :], tmp_path) == 0, at


def test_frames_of_the_round_before_do_not_count(database: Database, rng: random.Random, tmp_path: Path) -> None:
    long = fill(database, rng)
    with closing(connect(database.path, sync=False, readonly=False)) as other:
        other.wal_checkpoint(None, apsw.SQLITE_CHECKPOINT_RESTART)
    database.run(lambda writer: writer.execute(PUT, (b"a", b"v")))
    log = Path(f"{database.path}-wal").read_bytes()
    assert len(log) == len(long), "the rest of it is still there"
    assert count(log, tmp_path) == database.log.pages < count(long, tmp_path)


@pytest.mark.parametrize("log", [b"", bytes(31), bytes(4096), b"\x37\x7f\x06\x84" + bytes(28)])
def test_what_is_no_log_has_none(log: bytes, tmp_path: Path) -> None:
    assert count(log, tmp_path) == 0


def test_written_anew_it_is_as_it_was(
    database: Database, rng: random.Random, monkeypatch: pytest.MonkeyPatch, points: list[str]
) -> None:
    log = fill(database, rng)
    path = Path(f"{database.path}-wal")
    before = os.stat(path)
    monkeypatch.setattr(fs, "BLOCK", (len(log) - 1) // 3)  # several pieces, and a rest
    points.clear()
    frames.rewrite(str(path))
    assert path.read_bytes() == log
    assert os.stat(path).st_ino == before.st_ino, "readers have it open"
    assert points.count("log.write") == 4
    assert points[-1] == "log.fsync", "after all of it"
