"""Connections: the first look at a database that others are opening."""

from __future__ import annotations

import os
from typing import Any

import apsw
import pytest

from lakefs_hl.local.disk.connections import PROTOCOL_TRIES, connect
from lakefs_hl.local.disk.database import Database
from lakefs_hl.local.disk.errors import LockTimeout


class _Racing(apsw.Connection):
    """Meets others at its first looks."""

    failures = 0

    def execute(self, *args: Any, **options: Any) -> apsw.Cursor:
        if _Racing.failures:
            _Racing.failures -= 1
            raise apsw.ProtocolError("locking protocol")
        return super().execute(*args, **options)


@pytest.fixture(autouse=True)
def racing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apsw, "Connection", _Racing)
    monkeypatch.setattr(_Racing, "failures", 0)


@pytest.mark.parametrize("readonly", [False, True])
def test_it_looks_again(database: Database, readonly: bool) -> None:
    _Racing.failures = PROTOCOL_TRIES - 1
    connection = connect(database.path, sync=True, readonly=readonly)
    assert connection.execute("PRAGMA cell_size_check").get == 1
    connection.close()
    _Racing.failures = PROTOCOL_TRIES
    with pytest.raises(LockTimeout, match="another program has locked"):
        connect(database.path, sync=True, readonly=readonly)
    assert not _Racing.failures


def test_what_cannot_be_written_is_read_without_locks(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    database.run(lambda writer: writer.execute("INSERT INTO staging(token, path, value) VALUES(1, x'61', 'v')"))
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and access(path, mode))
    _Racing.failures = PROTOCOL_TRIES
    connection = connect(database.path, sync=True, readonly=True)
    assert connection.execute("SELECT path FROM staging").get == b"a"
    with pytest.raises(apsw.ReadOnlyError):
        connection.execute("DELETE FROM staging")
    connection.close()
