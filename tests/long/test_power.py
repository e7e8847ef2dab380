"""Losing the power, as in `tests/local/disk/test_power.py`, at very many moments of twenty histories."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.local.disk.test_power import lose_power


@pytest.mark.parametrize("history", range(20))
@pytest.mark.timeout(600)
def test_a_lake_survives_it(tmp_path: Path, rng: random.Random, history: int) -> None:
    lose_power(tmp_path, rng, turns=100 + history, states=2000)
