"""Forks: they wait for what is under way, for a while; whatever came of it, nothing stays held on either side."""

from __future__ import annotations

import gc
import os
import sys
import threading
import traceback
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lakefs_hl.local.disk import forks
from lakefs_hl.local.disk.database import Database
from lakefs_hl.local.disk.errors import DiskError
from lakefs_hl.local.disk.layout import prepare

PUT = "INSERT INTO staging(token, path, value) VALUES(1, ?, 'v')"


def put(database: Database, path: bytes) -> None:
    database.run(lambda writer: writer.execute(PUT, (path,)))


def paths(database: Database) -> list[bytes]:
    with database.read() as reader:
        return [row[0] for row in reader.rows("SELECT path FROM staging ORDER BY path")]


def in_child(work: Callable[[], None]) -> int:
    """Runs `work` in a forked child; gives its exit code."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            sys.stderr.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@contextmanager
def reading(database: Database, until: threading.Event) -> Iterator[None]:
    """Another thread reads until something happens."""
    begun = threading.Event()

    def read() -> None:
        with database.read():
            begun.set()
            until.wait(30)

    thread = threading.Thread(target=read)
    thread.start()
    assert begun.wait(30)
    yield
    until.set()
    thread.join(30)
    assert not thread.is_alive()


def nothing_is_held(database: Database) -> None:
    assert not forks._registry.locked()
    assert forks._forking == []
    assert forks._torn_folders == set()
    assert forks._forker == 0
    assert (database._turn.owner, database.log.turn.owner, database.turn_for_fork) == (0, 0, False)


def test_a_fork_waits_for_who_reads_on_another_thread(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    put(database, b"a")
    waits = threading.Event()
    shut = database.readers.shut

    def tell(timeout: float) -> bool:
        assert database.readers.lent()
        waits.set()  # and the other ends, now that it is waited for
        return shut(timeout)

    with monkeypatch.context() as patch:
        patch.setattr(database.readers, "shut", tell)
        with reading(database, waits):
            assert in_child(lambda: put(database, b"child")) == 0
    assert waits.is_set()
    assert paths(database) == [b"a", b"child"]
    nothing_is_held(database)


def test_a_fork_that_waited_in_vain_tells_the_child_and_leaves_the_parent_alone(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(database, b"a")

    def child() -> None:
        nothing_is_held(database)
        for use in (lambda: put(database, b"x"), lambda: paths(database)):
            with pytest.raises(DiskError, match="spawn or forkserver"):
                use()

    monkeypatch.setattr(forks, "FORK_WAITS", 0.0)
    end = threading.Event()
    with reading(database, end):
        assert in_child(child) == 0
        nothing_is_held(database)
        put(database, b"b")  # while the other reads still
    assert paths(database) == [b"a", b"b"]


def test_a_child_may_open_other_lakes_and_fork(database: Database, tmp_path: Path) -> None:
    put(database, b"a")

    def grandchild() -> None:
        put(database, b"c")
        nothing_is_held(database)

    def child() -> None:
        nothing_is_held(database)
        other, _ = prepare(str(tmp_path / "other"), tree={"seed": 7}, sync=False)
        put(other, b"x")
        put(database, b"b")
        assert in_child(grandchild) == 0
        assert (paths(other), paths(database)) == ([b"x"], [b"a", b"b", b"c"])
        other.close()

    assert in_child(child) == 0
    assert paths(database) == [b"a", b"b", b"c"]
    nothing_is_held(database)


def test_a_fork_on_another_thread(database: Database) -> None:
    put(database, b"a")  # by the deputy, which is not in the child
    codes = list[int]()
    thread = threading.Thread(target=lambda: codes.append(in_child(lambda: put(database, b"child"))))
    thread.start()
    thread.join(60)
    assert codes == [0]
    put(database, b"b")
    assert paths(database) == [b"a", b"b", b"child"]
    nothing_is_held(database)


def test_a_hook_that_was_left_out_gives_nothing_back_that_is_not_its_own(database: Database) -> None:
    database._turn.acquire(0.0)
    forks._after_fork_in_parent()  # the one before was interrupted as it began: nothing is held by it
    assert database._turn.mine()
    database._turn.release()
    nothing_is_held(database)
    assert in_child(lambda: put(database, b"child")) == 0


def test_who_has_been_let_go_is_not_told(tmp_path: Path) -> None:
    database, _ = prepare(str(tmp_path / "lake"), tree={"seed": 7}, sync=False)
    assert database in forks._open
    watched = weakref.ref(database)
    database.close()
    del database
    gc.collect()
    assert watched() is None


def test_a_closed_lake_stays_closed_in_the_child(database: Database) -> None:
    database.close()

    def child() -> None:
        with pytest.raises(DiskError, match="has been closed"):
            paths(database)

    assert in_child(child) == 0
    nothing_is_held(database)
