"""Counts of a transfer that is shown."""

from __future__ import annotations

import pytest

from lakefs_hl._progress.meter import LARGE, Meter


def meter(objects: int = 0, size: int = 0, **fields: int | None) -> Meter:
    made = Meter(100.0)
    made.objects, made.bytes = objects, size
    for name, value in fields.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    ("objects", "size", "expected"),
    [
        (None, None, False),
        (10, None, False),
        (10, 10 * LARGE - 1, False),
        (10, 10 * LARGE, True),
        (1, 5, True),
        (None, LARGE, True),
        (0, 0, False),
    ],
)
def test_large_objects_are_measured_by_their_bytes(objects: int | None, size: int | None, expected: bool) -> None:
    assert meter(total_objects=objects, total_bytes=size).by_bytes() is expected


def test_rates_follow_the_latest_interval() -> None:
    made = meter(100, 1000, total_objects=1_000, total_bytes=10_000)
    made.look(101.0)
    assert made.seconds_left() == pytest.approx(9.0)
    made.objects, made.bytes = 100, 1000  # a second without progress
    made.look(102.0)
    assert made.seconds_left() == pytest.approx(900 / 70)
    made.look(102.0)  # no time has passed
    assert made.seconds_left() == pytest.approx(900 / 70)


def test_the_time_left_is_that_of_the_slower_measure() -> None:
    made = meter(100, 1000, total_objects=200, total_bytes=10_000)
    made.look(101.0)
    assert made.seconds_left() == pytest.approx(9.0)


def test_a_large_file_that_comes_first_does_not_make_the_small_ones_slow() -> None:
    mb = 1_000_000
    made = meter(total_objects=10_001, total_bytes=1010 * mb)
    for second in range(1, 11):  # 100 MB/s, and one object at the end of them
        made.objects, made.bytes = second // 10, 100 * mb * second
        made.look(100.0 + second)
    left = made.seconds_left()
    assert left is not None
    assert left < 60, "10,000 objects at one in ten seconds would be a day"
    made.objects, made.bytes = 1001, 1001 * mb
    made.look(111.0)
    assert made.seconds_left() == pytest.approx(9.0, rel=0.15)


def test_the_time_left_is_unknown_without_totals_or_progress() -> None:
    made = meter(100)
    made.look(101.0)
    assert made.seconds_left() is None
    made = meter(total_objects=5)
    made.look(101.0)
    assert made.seconds_left() is None
    made.objects = 5
    assert made.seconds_left() == 0.0


def test_bytes_that_are_sent_again_are_no_negative_rate() -> None:
    made = meter(0, 1000, total_bytes=2000)
    made.look(101.0)
    made.bytes = 0
    made.look(102.0)
    assert made.seconds_left() == pytest.approx(2000 / 700)


@pytest.mark.parametrize(
    ("made", "ended", "line"),
    [
        (meter(), False, "Uploading: 0 objects (0/s)"),
        (meter(1), True, "Uploading: 1 object (1/s), in 1.00 s"),
        (
            meter(250, 5_000_000, total_objects=1_000, total_bytes=20_000_000, skipped=2, failed=1),
            False,
            "Uploading: 25% 250/1,000 objects (250/s), 2 skipped, 1 failed, 5.00 MB/20.0 MB (5.00 MB/s), 3 s left",
        ),
        (
            meter(3, 3 * LARGE, total_objects=4, total_bytes=4 * LARGE),
            True,
            "Uploading: 75% 3/4 objects (3/s), 3.15 MB/4.19 MB (3.15 MB/s), in 1.00 s",
        ),
        (meter(3, total_objects=2), False, "Uploading: 100% 3/3 objects (3/s), 0 s left"),
        (meter(total_objects=0), True, "Uploading: 100% 0/0 objects (0/s), in 1.00 s"),
    ],
)
def test_a_line_has_everything(made: Meter, ended: bool, line: str) -> None:
    made.look(101.0)
    assert made.line("Uploading", 101.0, ended=ended) == line


def test_the_note_of_a_bar_has_what_the_bar_lacks() -> None:
    made = meter(250, 5_000_000, total_objects=1_000, skipped=2, failed=1)
    assert made.note(101.0, by_bytes=False) == "5.00 MB, 5.00 MB/s, 2 skipped, 1 failed"
    assert made.note(101.0, by_bytes=True) == "250/1,000 objects, 2 skipped, 1 failed"
    made = meter(1, 5_000_000, total_objects=1)
    assert made.note(101.0, by_bytes=True) == ""
    assert meter(3).note(101.0, by_bytes=False) == ""
    assert meter(3, 7).note(101.0, by_bytes=True) == "3 objects"


def test_it_is_empty_until_something_is_known() -> None:
    assert meter().is_empty()
    assert not meter(1).is_empty()
    assert not meter(total_objects=0).is_empty()
