"""Ten million objects, and a listing of a million: memory, and what it took. Run with `-s` to see the figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.local import sizes

MANY, LISTED = 10_000_000, 1_000_000
MOST = 600 << 20
HOURS = 2 * 3600.0


@pytest.mark.timeout(2 * HOURS)
@pytest.mark.parametrize("work", [sizes.EMPTY, sizes.REPLACING, sizes.SINGLE, sizes.COMMIT])
def test_ten_million_objects(work: str, tmp_path: Path) -> None:
    found = sizes.measured(work, MANY, tmp_path / "lake", HOURS)
    print(f"{work} of {MANY:,}: {found.memory >> 20} MiB, {found.seconds:.0f} s of processor time")  # noqa: T201
    assert found.memory <= MOST


@pytest.mark.timeout(HOURS)
def test_listing_a_million(tmp_path: Path) -> None:
    found = sizes.measured(sizes.LISTING, LISTED, tmp_path / "lake", HOURS)
    print(f"listing of {LISTED:,}: {found.memory >> 20} MiB, {found.seconds:.1f} s of processor time")  # noqa: T201
    assert found.memory <= 30 << 20
