"""Progress that is shown: counts of several objects at once, and updates at a steady pace."""

from __future__ import annotations

import random
import threading
import tracemalloc
from typing import Any

import pytest
from pytest_mock import MockerFixture

from lakefs_hl._progress import updates
from lakefs_hl._progress.meter import Meter
from lakefs_hl._progress.updates import INTERVAL, DisplayProgress
from tests._progress.test_events import whole_transfer


class Clock:
    def __init__(self, mocker: MockerFixture) -> None:
        self.now = 100.0
        mocker.patch.object(updates, "monotonic", side_effect=lambda: self.now)


class Screen:
    """A display that notes the counts that it is shown."""

    def __init__(self) -> None:
        self.frames = list[tuple[int, int]]()
        self.last: Any = None

    def show(self, meter: Meter, now: float) -> None:
        self.frames.append((meter.objects, meter.bytes))

    def close(self, meter: Meter, now: float) -> None:
        assert self.last is None, "closed twice"
        self.last = (
            meter.objects, meter.bytes, meter.skipped, meter.failed, meter.total_objects, meter.total_bytes
        )  # fmt: skip


def test_everything_is_counted() -> None:
    screen = Screen()
    with DisplayProgress(screen) as progress:
        whole_transfer(progress)
        assert not progress.silent
    progress.close()
    # The six bytes of the skipped object are no longer to come.
    assert screen.last == (4, 4, 1, 1, 3, 4)


def test_parts_count_once() -> None:
    screen = Screen()
    with DisplayProgress(screen) as progress:
        progress.advance("a", 3, 10)
        progress.advance("b", 5, 5)
        progress.advance("a", 7, 10)
        progress.advance("a", 2, 10)  # from the start again, after a failure
        progress.complete("b", 5)
        progress.complete("a", 10)
        progress.advance("c", 4, 9)
        progress.fail("c", OSError())
        progress.skip("d")
    assert screen.last == (4, 15, 1, 1, None, None)


def test_updates_come_at_most_ten_times_per_second(mocker: MockerFixture) -> None:
    clock, screen = Clock(mocker), Screen()
    with DisplayProgress(screen) as progress:
        for number in range(1_000):
            clock.now += 0.001
            progress.start(str(number), 1)
            progress.complete(str(number), 1)
    assert 9 <= len(screen.frames) <= 1.0 / INTERVAL
    assert screen.last[:2] == (1_000, 1_000)


@pytest.mark.parametrize("call", ["advance", "complete", "skip", "fail", "delete"])
def test_every_call_can_update(call: str, mocker: MockerFixture) -> None:
    clock, screen = Clock(mocker), Screen()
    progress = DisplayProgress(screen)
    clock.now += INTERVAL
    arguments: dict[str, tuple[Any, ...]] = {"advance": (1,), "fail": (OSError(),)}
    getattr(progress, call)("a", *arguments.get(call, ()))
    assert len(screen.frames) == 1


def test_nothing_is_shown_of_a_transfer_that_never_began() -> None:
    screen = Screen()
    with DisplayProgress(screen):
        pass
    assert screen.last is None


def test_a_terminal_that_is_gone_ends_the_display_silently() -> None:
    class Gone(Screen):
        def close(self, meter: Meter, now: float) -> None:
            raise BrokenPipeError

    with DisplayProgress(Gone()) as progress:
        whole_transfer(progress)


def test_a_bar_of_the_caller_that_fails_is_warned_of_once(mocker: MockerFixture) -> None:
    class Broken(Screen):
        def show(self, meter: Meter, now: float) -> None:
            super().show(meter, now)
            raise ZeroDivisionError("oops")

    clock, screen = Clock(mocker), Broken()
    progress = DisplayProgress(screen, "the class Broken")
    clock.now += INTERVAL
    with pytest.warns(UserWarning, match="progress=the class Broken raised ZeroDivisionError: oops") as caught:
        progress.complete("a", 1)
    for _ in range(5):
        clock.now += INTERVAL
        progress.complete("a", 1)
    progress.close()
    assert len(caught) == 1
    assert (screen.frames, screen.last) == ([(1, 1)], None)


def test_threads_do_not_lose_counts(rng: random.Random) -> None:
    sizes = [rng.randrange(1, 1000) for _ in range(500)]
    screen = Screen()

    def work(name: str, share: list[int]) -> None:
        for number, size in enumerate(share):
            path = f"{name}/{number}"
            progress.start(path, size)
            for done in range(0, size, 100):
                progress.advance(path, done, size)
            progress.complete(path, size)

    with DisplayProgress(screen) as progress:
        threads = [threading.Thread(target=work, args=(str(number), sizes)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert screen.last[:2] == (4 * len(sizes), 4 * sum(sizes))


def test_many_objects_take_no_memory_each() -> None:
    with DisplayProgress(Screen()) as progress:
        tracemalloc.start()
        try:
            for number in range(10_000):
                path = str(number)
                progress.start(path, 2)
                progress.advance(path, 1, 2)
                progress.complete(path, 2)
            grown, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert grown < 20_000
