"""The log: written back when it is long, not at every write, by one at a time; only a failed sync has consequences."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from typing import cast

import apsw
import pytest

from lakefs_hl.local.disk.errors import NoDescriptor
from lakefs_hl.local.disk.log import Log
from lakefs_hl.local.disk.trust import Trust

LONG, HUGE = 10, 100


class _Tidier:
    """Stands for a connection; notes how the log is written back, or refuses to."""

    def __init__(self) -> None:
        self.modes = list[int]()
        self.error: Exception | None = None

    def set_busy_timeout(self, milliseconds: int) -> None:
        assert 0 < milliseconds <= 1000, "nobody waits for it for long"

    def wal_checkpoint(self, name: str | None, mode: int) -> tuple[int, int]:
        self.modes.append(mode)
        if self.error is not None:
            raise self.error
        return 0, 0


@pytest.fixture
def tidier() -> _Tidier:
    return _Tidier()


@pytest.fixture
def log(tidier: _Tidier) -> Log:
    return Log(lambda: cast("apsw.Connection", tidier), Trust("/lake/lake.db"))


def tidy(log: Log, pages: int) -> None:
    """A transaction has ended, and the log has that many pages now."""
    assert log.note(cast("apsw.Connection", None), "main", pages) == 0
    log.tidy(LONG, HUGE)


def test_a_long_log_is_written_back_and_a_short_one_is_not(log: Log, tidier: _Tidier) -> None:
    tidy(log, LONG - 1)
    assert tidier.modes == []
    assert log.tidier is None, "not even a connection is made"
    tidy(log, LONG)
    assert tidier.modes == [apsw.SQLITE_CHECKPOINT_PASSIVE]


def test_readers_that_keep_it_growing_do_not_make_every_write_try(log: Log, tidier: _Tidier) -> None:
    for pages in range(LONG, 4 * LONG):
        tidy(log, pages)
    assert len(tidier.modes) == 3
    tidy(log, 1)  # it began anew
    tidy(log, LONG - 1)
    assert len(tidier.modes) == 3
    tidy(log, LONG)
    assert len(tidier.modes) == 4


def test_a_huge_one_is_written_back_with_the_door_closed(log: Log, tidier: _Tidier) -> None:
    tidy(log, HUGE - 1)
    tidy(log, HUGE + LONG)
    assert tidier.modes == [apsw.SQLITE_CHECKPOINT_PASSIVE, apsw.SQLITE_CHECKPOINT_RESTART]


def test_one_at_a_time_and_nobody_waits(log: Log, tidier: _Tidier) -> None:
    with log:
        thread = threading.Thread(target=lambda: tidy(log, LONG))
        thread.start()
        thread.join(30)
        assert not thread.is_alive()
        assert tidier.modes == []
    tidy(log, LONG)
    assert len(tidier.modes) == 1


def test_a_lake_that_is_not_trusted_is_left_as_it_is(log: Log, tidier: _Tidier) -> None:
    log._trust.fail("a sync has failed")
    tidy(log, HUGE)
    assert tidier.modes == []


@pytest.mark.parametrize(
    ("code", "failed"),
    [
        (apsw.SQLITE_BUSY, False),
        (apsw.SQLITE_FULL, False),
        (apsw.SQLITE_IOERR_WRITE, False),
        (apsw.SQLITE_IOERR_FSYNC, True),
        (apsw.SQLITE_IOERR_DIR_FSYNC, True),
    ],
)
def test_an_error_is_none_of_the_writes_business_and_a_failed_sync_is_noted(
    log: Log, tidier: _Tidier, code: int, failed: bool
) -> None:
    tidier.error = apsw.exception_for(code)
    tidy(log, LONG)
    assert len(tidier.modes) == 1
    assert (log._trust.failed is not None) == failed
    assert not failed or "writing the log back into /lake/lake.db failed" in str(log._trust.failed)
    assert log.turn.owner == 0
    tidier.error = None
    tidy(log, 2 * LONG)
    assert len(tidier.modes) == (1 if failed else 2)


def test_without_a_descriptor_it_is_tried_again_later(tidier: _Tidier) -> None:
    errors: list[Exception] = [NoDescriptor("x")]

    def connect() -> apsw.Connection:
        if errors:
            raise errors.pop()
        return cast("apsw.Connection", tidier)

    log = Log(connect, Trust("x"))
    tidy(log, LONG)
    assert (log._trust.failed, log.tidier, log.turn.owner) == (None, None, 0)
    tidy(log, 2 * LONG)
    assert len(tidier.modes) == 1


def test_a_failure_at_the_system_is_noted(log: Log, tidier: _Tidier, fail_at: Callable[[str, OSError], None]) -> None:
    fail_at("db.checkpointed", OSError(errno.EIO, "Input/output error"))
    tidy(log, LONG)
    assert "Input/output error" in str(log._trust.failed)
    assert log.turn.owner == 0
