"""The width of a Gather: grows while that helps, is cut once a window, and never leaves its bounds."""

from __future__ import annotations

import itertools
import random

import pytest

from lakefs_hl.ops.effects import gather_each
from lakefs_hl.ops.pace import CUT, GROWTH, HOLD, MOST, START, AdaptiveWidth, Pace
from lakefs_hl.ops.retry import Session, call
from lakefs_hl.spec import endpoints
from lakefs_hl.spec.wire import Request
from tests.ops.script import Play, no, ok, session, silent, step


class Clock:
    """A clock that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def work(width: AdaptiveWidth, clock: Clock, rate: float, ops: int, most: int = 1000) -> None:
    """Complete ops at a rate per second."""
    for _ in range(ops):
        clock.now += 1 / rate
        width.count_end(most)


def test_it_starts_at_16() -> None:
    assert AdaptiveWidth(float).width == START == 16


def test_a_driver_may_begin_wider_until_something_is_known_of_the_server() -> None:
    width = AdaptiveWidth(float)
    Pace(width, 40).widen(64)
    assert width.width == 40
    width.widen(64)
    assert width.width == 40
    width = AdaptiveWidth(float)
    width.slow()
    width.widen(64)
    assert width.width == int(START * CUT)


def test_it_grows_while_ops_become_faster_up_to_its_maximum() -> None:
    clock = Clock()
    width, seen = AdaptiveWidth(clock), set[int]()
    for _ in range(40):
        seen.add(width.width)
        work(width, clock, 100.0 * width.width, 3 * width.width + 100)
    assert width.width == MOST
    assert sorted(seen)[:3] == [16, 24, 36]


def test_a_growth_that_does_not_help_is_taken_back_and_tried_again_later() -> None:
    clock = Clock()
    width, seen = AdaptiveWidth(clock), list[int]()
    for _ in range(40 * (HOLD + 4)):
        seen.append(width.width)
        work(width, clock, 1000.0, 20)
    assert set(seen) == {START, int(START * GROWTH)}
    assert seen.count(START) > 3 * seen.count(int(START * GROWTH)) > 0, "most of the time at the width that serves"
    changes = sum(a != b for a, b in itertools.pairwise(seen))
    assert changes > 2, "it is tried more than once"


def test_a_busy_server_cuts_it_once_a_window() -> None:
    clock = Clock()
    width = AdaptiveWidth(clock)
    for _ in range(100):
        width.slow()
    assert width.width == int(START * CUT) == 11
    work(width, clock, 100.0, 22)
    width.slow()
    assert width.width == int(START * CUT * CUT) == 7


def test_it_is_never_below_one() -> None:
    clock = Clock()
    width = AdaptiveWidth(clock)
    for _ in range(60):
        width.slow()
        work(width, clock, 10.0, 40)
        width.slow()
        assert width.width >= 1


def test_it_does_not_grow_where_the_driver_runs_no_more() -> None:
    clock = Clock()
    width = AdaptiveWidth(clock)
    for _ in range(50):
        work(width, clock, 10_000.0 * clock.now + 1000, 50, most=8)
    assert width.width == START


def test_the_limit_of_a_call_is_the_smallest_of_all() -> None:
    width = AdaptiveWidth(float)
    assert [width.within(most).width(32) for most in (None, 1, 4, 100)] == [16, 1, 4, 16]
    assert width.within(None).width(2) == 2
    assert width.within(None).most == MOST


def test_a_server_that_refuses_above_a_width_is_soon_asked_for_no_more(rng: random.Random) -> None:
    """A model: a server with 24 slots refuses the rest; refused requests come again until they are served."""
    clock = Clock()
    width, refused, served = AdaptiveWidth(clock), 0, 0
    pace = width.within(None)
    running = waiting = 0
    for _ in range(20_000):
        while running + waiting < pace.width(128):
            waiting += 1
        begin = min(24 - running, waiting)
        running, waiting = running + begin, waiting - begin
        if waiting and rng.random() < 0.2:  # the others come again after a while
            refused += waiting
            width.slow()
        clock.now += 0.001
        ended = sum(rng.random() < 0.05 for _ in range(running))
        running -= ended
        served += ended
        for _ in range(ended):
            pace.count_end(128)
    assert served > 0.8 * 20_000 * 0.05 * 24 * 0.8
    assert refused < 0.1 * served
    assert width.width <= 36


@pytest.mark.parametrize("answer", [no(429, "slow down"), no(503, "busy"), silent()], ids=["429", "503", "timeout"])
def test_a_retry_tells_the_session_that_its_server_is_busy(answer: object) -> None:
    s: Session = session()
    request = Request(endpoints.GET_REPOSITORY, ("r",))
    steps = (step("getRepository", "r", answer=answer), step("getRepository", "r", answer=ok({})))  # type: ignore[arg-type]
    Play(*steps).run(call(s, request))
    assert s.width.width == int(START * CUT)
    assert s.copy(s.policy).width is s.width, "a copy of the client shares it, as it shares the server"


@pytest.mark.parametrize("status", [500, 502])
def test_other_failures_do_not(status: int) -> None:
    s = session()
    request = Request(endpoints.GET_REPOSITORY, ("r",))
    Play(step("getRepository", "r", answer=no(status)), step("getRepository", "r", answer=ok({}))).run(call(s, request))
    assert s.width.width == START


def test_a_gather_takes_a_pace_as_its_limit() -> None:
    limit = AdaptiveWidth(float).within(3)
    (effect,) = list(gather_each([], limit, print))
    assert isinstance(effect.limit, Pace)  # type: ignore[union-attr]
    assert effect.limit.most == 3  # type: ignore[union-attr]
