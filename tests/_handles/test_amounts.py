"""Sizes and durations as people read them."""

from __future__ import annotations

import pytest

from lakefs_hl._handles.amounts import count_text, duration_text, size_text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.00 kB"),
        (9_994, "9.99 kB"),
        (9_996, "10.0 kB"),
        (99_949, "99.9 kB"),
        (99_951, "100 kB"),
        (999_499, "999 kB"),
        (999_500, "1.00 MB"),
        (1_073_741_824, "1.07 GB"),
        (5 * 10**12, "5.00 TB"),
        (2 * 10**21, "2000 EB"),
    ],
)
def test_sizes_have_decimal_units_and_three_digits(size: int, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0.00 s"),
        (1, "1 s"),
        (60, "1 min 0 s"),
        (0.238, "0.24 s"),
        (9.996, "10.0 s"),
        (59.9, "59.9 s"),
        (59.96, "1 min 0 s"),
        (185, "3 min 5 s"),
        (3599.6, "1 h 0 min"),
        (5_400_000, "1,500 h 0 min"),
    ],
)
def test_durations_have_units(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_one_is_singular() -> None:
    assert [count_text(number, "object") for number in (0, 1, 1200)] == ["0 objects", "1 object", "1,200 objects"]
