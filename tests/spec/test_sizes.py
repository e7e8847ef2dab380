"""Numbers of bytes as texts."""

from __future__ import annotations

import pytest

from lakefs_hl.spec.sizes import byte_count


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, 0),
        (7, 7),
        ("7", 7),
        ("7B", 7),
        ("10k", 10_000),
        ("500MB", 500_000_000),
        ("1.5 GB", 1_500_000_000),
        ("20GiB", 20 << 30),
        ("20 gib", 20 << 30),
        ("2Ti", 2 << 40),
        (" 1PiB ", 1 << 50),
    ],
)
def test_a_size(value: object, expected: int) -> None:
    assert byte_count(value, "size") == expected


@pytest.mark.parametrize("value", ["", "-1", "1e9", "1 GiBB", "much", "1GG", "i", "1iB", "٣", "1" * 16, "nan"])
def test_what_is_none(value: str) -> None:
    with pytest.raises(ValueError, match=r"size=.*must be a number of bytes"):
        byte_count(value, "size")


def test_negative_numbers_and_other_types() -> None:
    with pytest.raises(ValueError, match="size=-1: must be an integer >= 0"):
        byte_count(-1, "size")
    for value in (1.5, None, b"1", [1]):
        with pytest.raises(TypeError, match="size must be an integer or a text such as '20GiB'"):
            byte_count(value, "size")
