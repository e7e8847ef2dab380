"""Bulk transfers at full size: a generator of a million items."""

from __future__ import annotations

import sys

import pytest

from tests._bulk.test_many import growth

pytestmark = pytest.mark.timeout(1800)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_generator_of_a_million_items_needs_no_memory_for_each() -> None:
    assert growth(1_000_000) < 128
