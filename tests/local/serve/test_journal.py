"""Log lines are bounded, and what was held back is counted."""

from __future__ import annotations

import logging
import time

import pytest

from lakefs_hl.local.serve import journal


@pytest.mark.timeout(30)
def test_a_flood_of_lines(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: clock)
    log = logging.getLogger("lakefs_hl.serve")
    with journal.bounded(), caplog.at_level(logging.INFO):
        for index in range(1000):
            log.warning("line %d", index)
        assert len(caplog.records) == journal.LINES
        clock += journal.WINDOW_SECONDS
        log.warning("line %s", "last")
    assert caplog.messages[-1] == f"line last (and {1000 - journal.LINES} lines before, not shown)"
    caplog.clear()
    for _ in range(1000):
        log.warning("unbounded again")
    assert len(caplog.records) == 1000
