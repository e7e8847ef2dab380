"""Rows asked for and changed, and SQLite's errors in our words: which, and what they say."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import apsw
import pytest

from lakefs_hl.local.disk.database import Database
from lakefs_hl.local.disk.errors import (
    Damaged,
    DiskError,
    LockTimeout,
    NoDescriptor,
    NoMemory,
    NoSpace,
    ReadOnly,
)
from lakefs_hl.local.disk.rows import Reader, Writer, sync_failed, system_error, translate

PUT = "INSERT INTO staging(token, path, value) VALUES(?, ?, ?)"


# ---------------------------------------------------------------------------------------------------------------- rows


def test_asking_and_changing(database: Database) -> None:
    with database.write() as writer:
        writer.executemany(PUT, [(1, b"a", b"1"), (1, b"b", b"2"), (2, b"c", b"3")])
        assert writer.rows("SELECT path FROM staging WHERE token = ? ORDER BY path", (1,)) == [(b"a",), (b"b",)]
        writer.execute("DELETE FROM staging WHERE token = 1")
        assert writer.changes == 2
        writer.execute("DELETE FROM staging WHERE token = 1")
        assert writer.changes == 0
    with database.read() as reader:
        assert reader.row("SELECT token, path FROM staging WHERE token = :token", {"token": 2}) == (2, b"c")
        assert reader.row("SELECT 1 FROM staging WHERE token = 1") is None
        assert reader.rows("SELECT 1 FROM staging WHERE token = 1") == []


def test_a_function_of_ours(database: Database) -> None:
    with database.read() as reader:
        reader.define("twice", lambda number: 2 * number)
        assert reader.row("SELECT twice(21)") == (42,)


# -------------------------------------------------------------------------------------------------------------- errors


def raised(code: int) -> apsw.Error:
    """The error that apsw raises for a code of SQLite."""
    found = apsw.exception_for(code)
    assert isinstance(found, apsw.Error)
    return found


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (apsw.SQLITE_CORRUPT, Damaged, "lakefs-hl fsck"),
        (apsw.SQLITE_NOTADB, Damaged, "lakefs-hl fsck"),
        (apsw.SQLITE_BUSY, LockTimeout, "another program"),
        (apsw.SQLITE_LOCKED, LockTimeout, "another program"),
        (apsw.SQLITE_PROTOCOL, LockTimeout, "another program"),
        (apsw.SQLITE_IOERR_READ, Damaged, "to its end"),
        (apsw.SQLITE_IOERR_SHORT_READ, Damaged, "to its end"),
        (apsw.SQLITE_IOERR_CORRUPTFS, Damaged, "to its end"),
        (apsw.SQLITE_IOERR_DATA, Damaged, "to its end"),
        (apsw.SQLITE_FULL, NoSpace, "nothing of this write was kept"),
        (apsw.SQLITE_NOMEM, NoMemory, "nothing of this write was kept"),
        (apsw.SQLITE_IOERR_NOMEM, NoMemory, "nothing of this write was kept"),
        (apsw.SQLITE_READONLY, ReadOnly, "read-only"),
        (apsw.SQLITE_READONLY_DBMOVED, ReadOnly, "read-only"),
        (apsw.SQLITE_INTERRUPT, DiskError, "is being closed"),
        (apsw.SQLITE_IOERR_WRITE, DiskError, "IOError"),
        (apsw.SQLITE_CONSTRAINT, DiskError, "ConstraintError"),
        (apsw.SQLITE_ERROR, DiskError, "SQLError"),
    ],
)
def test_errors_in_our_words(code: int, kind: type[DiskError], words: str) -> None:
    found = translate(raised(code), "/lake/lake.db")
    assert type(found) is kind
    assert str(found).startswith("/lake/lake.db: ")
    assert words in str(found)


@pytest.mark.parametrize("code", [apsw.SQLITE_CANTOPEN, apsw.SQLITE_IOERR_READ, apsw.SQLITE_IOERR_WRITE])
def test_what_is_scarce_is_no_damage(code: int) -> None:
    found = translate(raised(code), "/lake/lake.db", errno.ENFILE)
    assert type(found) is NoDescriptor
    assert found.errno == errno.ENFILE
    assert os.strerror(errno.ENFILE) in str(found)


def test_the_number_counts_only_where_files_were_used() -> None:
    assert type(translate(raised(apsw.SQLITE_BUSY), "x", errno.ENOSPC)) is LockTimeout
    assert type(translate(raised(apsw.SQLITE_CORRUPT), "x", errno.ENOSPC)) is Damaged
    assert type(translate(raised(apsw.SQLITE_IOERR_READ), "x", errno.EIO)) is Damaged


def test_why_a_database_does_not_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lake.db"
    error = raised(apsw.SQLITE_CANTOPEN)
    found = translate(error, str(path))
    assert (type(found), "is missing" in str(found)) == (Damaged, True)
    path.touch()
    found = translate(error, str(path))
    assert (type(found), "cannot be opened now" in str(found)) == (DiskError, True)
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda *_: False)
        found = translate(error, str(path))
        assert (type(found), "may not be read by this user" in str(found)) == (DiskError, True)

    def refuse(*_: object) -> int:
        raise OSError(errno.EMFILE, "too many")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        found = translate(error, str(path))
    assert (type(found), getattr(found, "errno", None)) == (NoDescriptor, errno.EMFILE)


def test_which_errors_tell_of_a_sync() -> None:
    assert sync_failed(raised(apsw.SQLITE_IOERR_FSYNC))
    assert sync_failed(raised(apsw.SQLITE_IOERR_DIR_FSYNC))
    others = [raised(apsw.SQLITE_IOERR_WRITE), raised(apsw.SQLITE_IOERR), raised(apsw.SQLITE_FULL)]
    assert not any(map(sync_failed, [*others, OSError(errno.EIO, "x"), ValueError("x")]))


def test_what_the_system_said(tmp_path: Path) -> None:
    assert system_error(None) == 0
    connection = apsw.Connection(":memory:")
    reader: Reader = Writer(connection)
    assert system_error(reader) == 0
    with pytest.raises(apsw.CantOpenError):
        connection.execute("ATTACH ? AS other", (str(tmp_path / "none" / "x"),))
    assert system_error(reader) == errno.ENOENT
    connection.close()
    assert system_error(reader) == 0
