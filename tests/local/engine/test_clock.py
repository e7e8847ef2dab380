"""The engine's clock: nanoseconds, and whole seconds that are never ahead of them."""

from __future__ import annotations

import time

import pytest

from lakefs_hl.local.engine import clock


@pytest.mark.parametrize(("nanoseconds", "seconds"), [(0, 0), (1_999_999_999, 1), (2_000_000_000, 2)])
def test_seconds_are_those_that_are_over(monkeypatch: pytest.MonkeyPatch, nanoseconds: int, seconds: int) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: nanoseconds)
    assert (clock.now(), clock.seconds()) == (nanoseconds, seconds)


def test_it_is_the_time_of_the_machine() -> None:
    before = time.time_ns()
    found = clock.now()
    assert before <= found <= time.time_ns()
