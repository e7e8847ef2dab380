"""Readers: lent and taken back, whatever interrupts."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable

import apsw
import pytest

from lakefs_hl.local.disk.database import Database
from lakefs_hl.local.disk.rows import Reader


class _Lock:
    """The readers' lock; something happens just after it was let go."""

    def __init__(self) -> None:
        self.after: Callable[[], None] | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        after, self.after = self.after, None
        if after is not None:
            after()


@pytest.fixture
def lock(database: Database) -> _Lock:
    found = _Lock()
    vars(database.readers)["_lock"] = found
    return found


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_reader_given_back_is_not_closed_under_its_next_borrower(
    database: Database, lock: _Lock, interrupted: bool
) -> None:
    readers = database.readers
    first = readers.take()
    taken: list[Reader] = []

    def take_it() -> None:
        taken.append(readers.take())
        if interrupted:
            raise KeyboardInterrupt

    lock.after = take_it
    try:
        readers.give(first)
    except KeyboardInterrupt:
        assert interrupted
    (second,) = taken
    assert second is first
    assert readers.lent() == [second._connection]
    assert second.row("SELECT 1") == (1,)
    readers.give(second)
    assert not readers.lent()


def test_one_lost_on_the_way_back_is_closed(database: Database, lock: _Lock) -> None:
    readers = database.readers

    def interrupt() -> None:
        raise KeyboardInterrupt

    for _ in range(3):
        reader = readers.take()
        readers.closed = True  # so that it is not kept
        lock.after = interrupt
        with pytest.raises(KeyboardInterrupt):
            readers.give(reader)
        readers.closed = False
        assert not readers.lent()
        with pytest.raises(apsw.ConnectionClosedError):
            reader.row("SELECT 1")


def test_who_is_out_is_known_without_callbacks(database: Database) -> None:
    # A callback of a weak reference (each `WeakSet` has them) is Python code: interrupted, it leaves the dead in.
    reader = database.readers.take()
    found = weakref.getweakrefs(reader._connection)
    assert found
    assert all(one.__callback__ is None for one in found)
    assert len(database.readers.lent()) == 1
    del reader
    assert not database.readers.lent()


def test_shut_waits_for_who_is_out(database: Database) -> None:
    readers = database.readers
    reader = readers.take()
    assert not readers.shut(0.0)  # and open again
    shut: list[bool] = []
    thread = threading.Thread(target=lambda: shut.append(readers.shut(10.0)))
    thread.start()
    readers.give(reader)  # kept and closed, or not even kept
    thread.join(10)
    assert shut == [True]
    assert not readers.all()
    readers.reopen()
    readers.give(readers.take())
    assert not readers.lent()
