"""A Gather over worker threads, and an op that runs ahead of its reader."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from lakefs_hl.ops.effects import Cancelled, Gather, Op
from lakefs_hl.ops.pace import AdaptiveWidth, Pace
from lakefs_hl.transport.fan import Ahead, Fan
from lakefs_hl.transport.scope import Scope
from lakefs_hl.transport.workers import Workers


def value_of(number: Any) -> Op[Any]:
    yield from ()
    return number


def drive(op: Op[Any], scope: Scope | None) -> Any:
    try:
        next(op)
    except StopIteration as ended:
        if isinstance(ended.value, BaseException):
            raise ended.value from None
        return ended.value
    raise AssertionError


@pytest.fixture
def pool() -> Workers:
    return Workers(4, "test")


@pytest.mark.parametrize("width", [1, 2, 100])
def test_results_are_in_the_order_of_the_ops(pool: Workers, width: int) -> None:
    gather = Gather((value_of(number) for number in range(20)), 10, None)
    assert Fan(gather, pool, drive, width).run() == list(range(20))


def test_results_are_passed_on_and_none_is_kept(pool: Workers) -> None:
    seen: dict[int, int] = {}
    gather = Gather((value_of(number) for number in range(20)), 10, seen.__setitem__)
    assert Fan(gather, pool, drive, 4).run() is None
    assert seen == {number: number for number in range(20)}


def test_no_more_run_than_the_limit(pool: Workers) -> None:
    running, most, lock = [0], [0], threading.Lock()

    def counted(op: Op[Any], scope: Scope | None) -> Any:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        found = drive(op, scope)
        with lock:
            running[0] -= 1
        return found

    Fan(Gather((value_of(number) for number in range(50)), 2, None), pool, counted, 4).run()
    assert most[0] <= 2


def test_a_pace_is_read_while_ops_run_and_told_of_each_that_ended(pool: Workers) -> None:
    running, most, lock = [0], [0], threading.Lock()

    class Growing(Pace):
        """Runs one op more than have ended."""

        ended = 0

        def width(self, most: int) -> int:
            return min(self.ended + 1, most)

        def count_end(self, most: int) -> None:
            self.ended += 1

    def counted(op: Op[Any], scope: Scope | None) -> Any:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
            assert running[0] <= pace.ended + 1
        found = drive(op, scope)
        with lock:
            running[0] -= 1
        return found

    pace = Growing(AdaptiveWidth(float), 100)
    assert Fan(Gather(map(value_of, range(50)), pace, None), pool, counted, 4).run() == list(range(50))
    assert pace.ended == 50
    assert most[0] <= 4


def test_the_first_failure_cancels_the_others_and_is_raised(pool: Workers) -> None:
    cancelled, attached = threading.Event(), threading.Event()

    def failing(op: Op[Any], scope: Scope | None) -> Any:
        number = drive(op, scope)
        assert scope is not None
        if number:
            assert attached.wait(30)  # what has not begun is not cancelled, it never begins
            raise RuntimeError("stop")
        ended = threading.Event()
        scope.attach(ended.set)
        attached.set()
        assert ended.wait(30)
        cancelled.set()
        raise Cancelled

    with pytest.raises(RuntimeError, match="stop"):
        Fan(Gather(map(value_of, (0, 1)), 2, None), pool, failing, 2).run()
    assert cancelled.is_set()


def test_an_op_that_runs_ahead_gives_its_result(pool: Workers) -> None:
    ahead = Ahead(drive, value_of(7))
    ahead.start(pool)
    assert ahead.here
    assert ahead.take() == 7


def test_an_op_that_runs_ahead_raises_its_error_when_it_is_taken(pool: Workers) -> None:
    ahead: Ahead[Any] = Ahead(drive, value_of(RuntimeError("stop")))
    ahead.start(pool)
    with pytest.raises(RuntimeError, match="stop"):
        ahead.take()


def test_an_abandoned_op_is_ended_and_its_worker_is_free(pool: Workers) -> None:
    begun, ended = threading.Event(), threading.Event()

    def waiting(op: Op[Any], scope: Scope | None) -> Any:
        assert scope is not None
        scope.attach(ended.set)
        begun.set()
        assert ended.wait(30)

    ahead = Ahead(waiting, value_of(7))
    ahead.start(pool)
    assert begun.wait(30)
    ahead.abandon()
    assert ended.is_set()
