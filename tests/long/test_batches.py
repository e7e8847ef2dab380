"""Batches, as in `tests/local/test_batches.py`: many more kills, and very many moments without power."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.local.test_batches import kill, lose_batches, lose_writes_that_wait


@pytest.mark.parametrize("lake", range(10))
@pytest.mark.timeout(600)
def test_a_kill_in_the_middle_loses_nothing_acknowledged(tmp_path: Path, rng: random.Random, lake: int) -> None:
    kill(tmp_path / "lake", rng, 30 + lake)


@pytest.mark.parametrize("history", range(5))
@pytest.mark.timeout(600)
def test_a_lake_survives_a_loss_of_power(tmp_path: Path, rng: random.Random, history: int) -> None:
    (tmp_path / "batches").mkdir()
    (tmp_path / "transactions").mkdir()
    lose_batches(tmp_path / "batches", rng, 200 + history)
    lose_writes_that_wait(tmp_path / "transactions", rng, 200 + history)
