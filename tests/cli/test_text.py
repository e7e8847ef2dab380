"""Control characters, sizes and times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from lakefs_hl.cli.text import escape, moment, parse_size, printable


def test_messages_keep_their_lines_and_names_do_not() -> None:
    assert printable("a\x1b[31mé\n") == "a\\x1b[31mé\n"
    assert escape("a\nb\x1b\u202ec") == "a\\nb\\x1b\\u202ec"
    assert escape("data/tablé.csv") == "data/tablé.csv"


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("100", 100),
        ("10k", 10_000),
        ("1.5M", 1_500_000),
        ("2GiB", 2 * 1024**3),
        ("1 kb", 1000),
        ("1Ki", 1024),
        ("7b", 7),
    ],
)
def test_sizes_are_read(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "k", "-1", "1x", "1e3", "1 2"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a size"):
        parse_size(text)


def test_times_are_in_utc() -> None:
    assert moment(datetime(2026, 1, 31, 12, tzinfo=UTC)) == "2026-01-31T12:00:00Z"
    assert moment(datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=2)))) == "2026-01-31T10:00:00Z"
