from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

import pytest

from lakefs_hl.local.disk.errors import LockTimeout
from lakefs_hl.local.disk.lock import FileLock, Turn


def test_turns_are_handed_over_in_the_order_of_asking() -> None:
    turn = Turn()
    order: list[int] = []
    assert turn.acquire(1)

    def take(index: int) -> None:
        assert turn.acquire(30)
        order.append(index)
        turn.release()

    threads = [threading.Thread(target=take, args=(index,)) for index in range(10)]
    for index, thread in enumerate(threads):
        thread.start()
        while len(turn._waiting) <= index:
            threading.Event().wait(0.001)
    turn.release()
    for thread in threads:
        thread.join()
    assert order == list(range(10))
    assert turn.owner == 0


def test_a_turn_that_does_not_come_is_not_waited_for_twice() -> None:
    turn = Turn()
    assert turn.acquire(1)
    got: list[bool] = []
    thread = threading.Thread(target=lambda: got.append(turn.acquire(0.05)))
    thread.start()
    thread.join()
    assert got == [False]
    turn.release()
    assert turn.owner == 0  # nobody is left in the line
    assert turn.acquire(0)


def test_two_locks_on_one_folder_exclude_each_other(tmp_path: Path) -> None:
    one, two = FileLock(str(tmp_path)), FileLock(str(tmp_path))
    one.acquire(1)
    with pytest.raises(LockTimeout, match=r"lock: another process.*end it"):
        two.acquire(0.05)
    one.release()
    two.acquire(5)
    with pytest.raises(LockTimeout):
        one.acquire(0.05)
    two.release()
    one.acquire(5)
    for lock in (one, two):
        lock.close()


def test_who_gave_up_holds_nothing_later(tmp_path: Path) -> None:
    one, two, three = (FileLock(str(tmp_path)) for _ in range(3))
    one.acquire(1)
    with pytest.raises(LockTimeout):
        two.acquire(0.05)
    wait = two._wait
    assert wait is not None
    one.release()
    assert wait.arrived.wait(30)
    three.acquire(5)  # the one who gave up got it, and let go
    three.release()
    two.acquire(5)
    two.release()
    for lock in (one, two, three):
        lock.close()


def test_who_gave_up_and_asks_again_keeps_the_place(tmp_path: Path) -> None:
    one, two = FileLock(str(tmp_path)), FileLock(str(tmp_path))
    one.acquire(1)
    with pytest.raises(LockTimeout):
        two.acquire(0.05)
    first = two._wait
    with pytest.raises(LockTimeout):
        two.acquire(0.05)
    assert two._wait is first
    threading.Timer(0.05, one.release).start()
    two.acquire(30)
    two.release()
    for lock in (one, two):
        lock.close()


def test_one_who_waits_comes_before_one_who_has_just_released(tmp_path: Path) -> None:
    greedy, patient = FileLock(str(tmp_path)), FileLock(str(tmp_path))
    order: list[str] = []

    def wait() -> None:
        patient.acquire(30)
        order.append("patient")
        patient.release()

    gate = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(20):
        greedy.acquire(30)
        thread = threading.Thread(target=wait)
        thread.start()
        while not is_locked(gate):  # not before it stands in line
            os.sched_yield()
        greedy.release()
        greedy.acquire(30)
        order.append("greedy")
        greedy.release()
        thread.join()
    os.close(gate)
    assert order == ["patient", "greedy"] * 20
    for lock in (greedy, patient):
        lock.close()


def is_locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(fd, fcntl.LOCK_UN)
    return False


def test_closing_while_someone_stands_in_line_leaves_other_files_alone(tmp_path: Path) -> None:
    one, two = FileLock(str(tmp_path)), FileLock(str(tmp_path))
    one.acquire(1)
    with pytest.raises(LockTimeout):
        two.acquire(0.05)
    wait = two._wait
    assert wait is not None
    two.close()
    bystanders = [os.open(str(tmp_path), os.O_RDONLY) for _ in range(4)]  # they get the closed numbers
    one.release()
    assert wait.arrived.wait(30)
    for fd in bystanders:
        os.fstat(fd)
        os.close(fd)
    one.close()
