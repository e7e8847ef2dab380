from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from lakefs_hl.local.disk import counter
from lakefs_hl.local.disk.database import Database, Writer
from lakefs_hl.local.disk.errors import Damaged
from lakefs_hl.local.disk.tables import sequence
from tests.local.disk.conftest import Open

PUT = "INSERT INTO staging(token, path, value) VALUES(1, ?, 'v')"


def putting(path: bytes) -> Callable[[Writer], None]:
    def work(writer: Writer) -> None:
        writer.execute(PUT, (path,))

    return work


def latest(database: Database) -> int:
    with database.read() as reader:
        return sequence.get(reader, sequence.COMMIT)


def killed(database: Database, to: Path) -> Path:
    """A copy of the lake as a kill would leave it: with its log."""
    return Path(shutil.copytree(database.folder, to))


def test_each_durable_transaction_is_counted_and_noted(database: Database) -> None:
    before = latest(database)
    database.submit(putting(b"a"))
    assert latest(database) == counter.read(database._lock.noted()) == before + 1
    database.run(putting(b"b"), durable=False)
    assert latest(database) == before + 1
    database.run(lambda writer: writer.row("SELECT 1"))
    assert latest(database) == before + 1
    database.run(putting(b"c"))
    assert latest(database) == counter.read(database._lock.noted()) == before + 2


def test_a_lake_that_need_not_last_notes_nothing(open_database: Open) -> None:
    database = open_database(sync=False)
    database.submit(putting(b"a"))
    assert counter.read(database._lock.noted()) == 0


def test_a_log_whose_end_is_damaged_is_damage(database: Database, tmp_path: Path) -> None:
    for index in range(5):
        database.submit(putting(b"%d" % index))
    copy = killed(database, tmp_path / "copy")
    log = copy / "lake.db-wal"
    data = bytearray(log.read_bytes())
    data[-2000] ^= 1  # in the last frame: SQLite ends the log before it, without a word
    log.write_bytes(data)
    with pytest.raises(Damaged, match=r"older than it was.*remove the file `lock`"):
        Database(str(copy))
    (copy / "lock").unlink()
    opened = Database(str(copy))
    assert latest(opened) == latest(database) - 1
    opened.close()


def test_another_program_that_writes_the_log_back_is_no_damage(database: Database, tmp_path: Path) -> None:
    database.submit(putting(b"a"))
    copy = killed(database, tmp_path / "copy")
    foreign = apsw.Connection(str(copy / "lake.db"))
    foreign.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    foreign.close()
    assert not os.path.exists(copy / "lake.db-wal")
    opened = Database(str(copy))
    assert latest(opened) == latest(database)
    opened.close()


@pytest.mark.parametrize("note", [b"", b"x", bytes(15), b"\xff" * 16, b"\xff" * 40], ids=repr)
def test_a_damaged_note_is_none(database: Database, note: bytes) -> None:
    database.submit(putting(b"a"))
    database.close()
    path = Path(database.folder, "lock")
    path.write_bytes(note)
    opened = Database(database.folder)
    opened.submit(putting(b"b"))
    assert counter.read(opened._lock.noted()[:16]) == latest(opened)
    opened.close()
