"""Reads while another process keeps the writer's lock, as in `tests/local/test_reads.py`, for half a minute."""

from __future__ import annotations

from pathlib import Path

from tests.local.test_reads import lake as lake
from tests.local.test_reads import read_while_held


def test_reads_and_opening_wait_for_no_writer(lake: Path) -> None:
    read_while_held(lake, 30.0)
