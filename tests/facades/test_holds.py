"""Locks on files: exclusive and shared, across threads, processes and forks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from lakefs_hl.facades.holds import USES, Hold, Uses

TAKE = """
import sys
from pathlib import Path
from lakefs_hl.facades.holds import Hold

hold = Hold.take(Path(sys.argv[1]), shared=sys.argv[2] == "shared")
print(hold is not None, flush=True)
sys.stdin.read()
"""


def other_process(path: Path, kind: str) -> subprocess.Popen[str]:
    """A process that takes a lock and keeps it."""
    process = subprocess.Popen(
        [sys.executable, "-c", TAKE, str(path), kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "True\n"
    return process


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.lock"


def test_an_exclusive_lock_is_alone(path: Path) -> None:
    hold = Hold.take(path)
    assert hold is not None
    assert Hold.take(path) is None
    assert Hold.take(path, shared=True) is None
    hold.release()
    hold.release()
    with Hold.take(path) as again:  # type: ignore[union-attr]
        assert again is not None


def test_shared_locks_are_not(path: Path) -> None:
    first, second = Hold.take(path, shared=True), Hold.take(path, shared=True)
    assert first is not None
    assert second is not None
    first.release()
    assert Hold.take(path) is None
    second.release()
    last = Hold.take(path)
    assert last is not None
    last.release(remove=True)
    assert not path.exists()


def test_a_file_that_was_removed_is_no_lock(path: Path) -> None:
    first = Hold.take(path)
    assert first is not None
    path.unlink()  # as who has it does at the end
    second = Hold.take(path)
    assert second is not None  # of the new file
    first.release()
    assert Hold.take(path) is None
    second.release()


def test_a_lock_ends_with_its_process(path: Path) -> None:
    process = other_process(path, "exclusive")
    with process:
        assert Hold.take(path) is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        hold = Hold.take(path)
        assert hold is not None
        hold.release()


def test_uses_are_counted_and_limited(tmp_path: Path) -> None:
    uses, paths = Uses(most=2), [tmp_path / f"{number}.use" for number in range(3)]
    assert all(uses.add(path) for path in paths[:2])
    assert uses.add(paths[0])  # so that the second was used least recently
    assert uses.add(paths[2])
    taken = [Hold.take(path) for path in paths]
    assert [hold is not None for hold in taken] == [False, True, False]
    assert taken[1] is not None
    assert not uses.add(paths[1])  # it is being removed
    taken[1].release()
    uses.drop(paths[0])
    uses.drop(paths[0])
    hold = Hold.take(paths[0])
    assert hold is not None
    hold.release()
    uses.drop(paths[2])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_does_not_keep_the_exclusive_locks_of_its_parent(path: Path) -> None:
    hold = Hold.take(path)
    assert hold is not None
    (read, write), (started, start) = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        os.write(start, b"1")
        os.read(read, 1)  # it lives on while the parent has closed its own descriptor
        os._exit(0)
    os.read(started, 1)
    os.close(hold._fd)  # as when the parent is killed: nothing is unlocked
    hold._fd = -1
    after = Hold.take(path)
    os.write(write, b"1")
    os.waitpid(child, 0)
    for fd in (read, write, started, start):
        os.close(fd)
    assert after is not None
    after.release()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_what_a_child_releases_stays_with_its_parent_and_the_other_way_round(path: Path) -> None:
    assert USES.add(path)
    (read, write), (started, start) = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        USES.drop(path)
        os.write(start, b"1")
        taken = USES.add(path)
        os.write(start, b"1")
        os.read(read, 1)
        os._exit(0 if taken else 1)
    os.read(started, 1)
    assert Hold.take(path) is None
    os.read(started, 1)
    USES.drop(path)
    assert Hold.take(path) is None
    os.write(write, b"1")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    for fd in (read, write, started, start):
        os.close(fd)
    hold = Hold.take(path)
    assert hold is not None
    hold.release()


def test_on_windows_only_exclusive_locks_lock(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locked = set[tuple[int, int]]()

    def locking(fd: int, mode: int, _: int) -> None:
        found = os.fstat(fd)
        if (found.st_dev, found.st_ino) in locked:
            raise PermissionError(13, "locked")
        locked.add((found.st_dev, found.st_ino))

    monkeypatch.setattr("lakefs_hl.facades.holds.fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(locking=locking, LK_LOCK=1, LK_NBLCK=2))
    hold = Hold.take(path)
    assert hold is not None
    assert Hold.take(path) is None
    shared = Hold.take(path, shared=True)
    assert shared is not None
    shared.release()
    hold.release()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_can_use_locks_although_a_thread_was_about_to(path: Path) -> None:
    with USES._lock:
        child = os.fork()
        if not child:
            ok = USES.add(path)
            os._exit(0 if ok else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
