"""The calls that a transfer makes: without effect, or passed to a listener as events."""

from __future__ import annotations

import logging
import threading
import tracemalloc
import warnings

import pytest

from lakefs_hl._handles.transfers import TransferEvent
from lakefs_hl._progress.events import ListenerProgress, Progress, add


def whole_transfer(progress: Progress) -> None:
    """Call everything there is."""
    progress.expect(3, 10)
    progress.enter("data/")
    progress.start("data/a", 4)
    progress.advance("data/a", 2, 4)
    progress.complete("data/a", 4)
    progress.skip("data/b", 6)
    progress.fail("data/c", OSError("full"))
    progress.leave("data/")
    progress.delete("data/d")


def test_the_plain_one_tells_nobody() -> None:
    with Progress() as progress:
        whole_transfer(progress)
        assert progress.silent


def test_a_listener_is_told_every_event() -> None:
    seen = list[TransferEvent]()
    with ListenerProgress(seen.append, "seen") as progress:
        whole_transfer(progress)
        assert not progress.silent
    progress.complete("late", 1)  # after the end
    assert [event[:4] for event in seen] == [
        ("enter", "data/", 0, None),
        ("start", "data/a", 0, 4),
        ("progress", "data/a", 2, 4),
        ("complete", "data/a", 4, 4),
        ("skip", "data/b", 0, 6),
        ("fail", "data/c", 0, None),
        ("leave", "data/", 0, None),
        ("delete", "data/d", 0, None),
    ]
    assert [str(event.error) for event in seen if event.error] == ["full"]


def test_totals_are_told_as_they_grow() -> None:
    seen = list[tuple[int | None, int | None]]()
    with ListenerProgress(lambda event: None, "it", lambda objects, size: seen.append((objects, size))) as progress:
        progress.expect(objects=2)
        progress.expect(size=7)
        progress.expect(1, 1)
    assert seen == [(2, None), (2, 7), (3, 8)]
    assert (add(None, None), add(None, 0), add(2, None), add(2, 3)) == (None, 0, 2, 5)


def test_an_error_of_a_listener_is_warned_of_once_and_switches_it_off() -> None:
    calls = list[str]()

    def tell(event: TransferEvent) -> None:
        calls.append(event.kind)
        if event.kind == "progress":
            raise ZeroDivisionError("oops")

    with pytest.warns(
        UserWarning, match=r"progress=tell raised ZeroDivisionError: oops; it receives no more events"
    ) as caught:
        with ListenerProgress(tell, "tell") as progress:
            whole_transfer(progress)
    assert calls == ["enter", "start", "progress"]
    assert len(caught) == 1
    assert caught[0].filename == __file__


def test_an_error_of_the_totals_or_the_end_is_warned_of_too() -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("oops")

    seen = list[TransferEvent]()
    progress = ListenerProgress(seen.append, "it", expect=fail, close=fail)
    with pytest.warns(UserWarning, match="oops"):
        progress.expect(1)
    whole_transfer(progress)
    assert seen == []
    with pytest.warns(UserWarning, match="oops"):
        progress.close()
    progress.close()


def test_it_does_not_raise_where_warnings_are_errors(caplog: pytest.LogCaptureFixture) -> None:
    def tell(event: TransferEvent) -> None:
        raise ZeroDivisionError("oops")

    with warnings.catch_warnings(), caplog.at_level(logging.WARNING, "lakefs_hl"):
        warnings.simplefilter("error")
        with ListenerProgress(tell, "tell") as progress:
            whole_transfer(progress)
    (record,) = caplog.records
    assert "progress=tell raised ZeroDivisionError: oops" in record.getMessage()
    assert record.exc_info
    assert isinstance(record.exc_info[1], ZeroDivisionError)


def test_an_interrupt_is_not_an_error_of_the_listener() -> None:
    def tell(event: TransferEvent) -> None:
        raise KeyboardInterrupt

    progress = ListenerProgress(tell, "tell")
    with pytest.raises(KeyboardInterrupt):
        progress.start("a", 1)
    with pytest.raises(KeyboardInterrupt):  # not switched off, and no lock is left taken
        thread_result(progress)


def thread_result(progress: Progress) -> None:
    """Complete an object in another thread, and raise what it raised."""
    raised = list[BaseException]()

    def complete() -> None:
        try:
            progress.complete("a", 1)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=complete)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    raise raised[0]


def test_one_thread_at_a_time() -> None:
    inside = threading.Lock()
    counts = dict[str, int]()

    def tell(event: TransferEvent) -> None:
        assert inside.acquire(blocking=False), "told by two threads at once"
        counts[event.path] = counts.get(event.path, 0) + 1
        inside.release()

    def work(name: str) -> None:
        for _ in range(2_000):
            progress.start(name, 1)
            progress.complete(name, 1)

    with ListenerProgress(tell, "tell") as progress:
        threads = [threading.Thread(target=work, args=(str(number),)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert counts == {str(number): 4_000 for number in range(4)}


def test_a_listener_may_transfer_something_itself() -> None:
    seen = list[str]()

    def tell(event: TransferEvent) -> None:
        seen.append(event.path)
        if event.path == "a":
            progress.complete("b", 1)

    with ListenerProgress(tell, "tell") as progress:
        progress.complete("a", 1)
    assert seen == ["a", "b"]


def test_many_events_take_no_memory_each() -> None:
    with ListenerProgress(lambda event: None, "it") as progress:
        tracemalloc.start()
        try:
            for number in range(10_000):
                progress.start(str(number), 1)
                progress.complete(str(number), 1)
            grown, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert grown < 10_000
