"""Memory does not grow with the number of objects. `tests/long/test_size.py` holds the same of ten million."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

import pytest

from tests.local import sizes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
#: What is fixed (caches, a batch of nodes) takes 60 to 75 MiB; whatever is held of each object would come on top.
MOST: Final = 100 << 20


@pytest.mark.parametrize("work", [sizes.REPLACING, sizes.SINGLE, sizes.COMMIT])
def test_nothing_is_held_of_each_object(work: str, tmp_path: Path) -> None:
    found = sizes.measured(work, 200_000, tmp_path / "lake", 100)
    assert found.memory < MOST, f"{found.memory >> 20} MiB"


def test_a_listing_costs_what_it_leaves_in_the_cache(tmp_path: Path) -> None:
    found = sizes.measured(sizes.LISTING, 200_000, tmp_path / "lake", 100)
    assert found.memory < 30 << 20, f"{found.memory >> 20} MiB"
