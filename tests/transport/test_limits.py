"""Limits of an exchange: all are positive, and each can be replaced."""

from __future__ import annotations

from lakefs_hl.spec import rows
from lakefs_hl.transport.limits import LIMITS, Limits


def test_every_limit_is_positive_and_replaceable() -> None:
    assert min(LIMITS) > 0
    assert LIMITS._replace(record=7).record == 7
    assert Limits() == LIMITS


def test_the_limits_leave_room_for_what_lakefs_sends() -> None:
    assert LIMITS.record >= 8 << 20  # a page of 1,000 records with the longest paths and 6 KiB of metadata each
    assert LIMITS.window <= rows.DATA.read
