"""T9 at its full size: 20 seeds, 8 workers with 200 operations each; threads, and processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.local.engine.histories import apart, check, numbered, prepare, together

SEEDS, WORKERS, OPERATIONS = 20, 8, 200


@pytest.mark.timeout(600)
@pytest.mark.parametrize("small", [1, 5000])
@pytest.mark.parametrize("seed", range(SEEDS))
def test_threads(tmp_path: Path, seed: int, small: int) -> None:
    engine = prepare(tmp_path / "lake")
    with numbered(small):
        done = together(engine, seed, WORKERS, OPERATIONS)
    check(engine, done)
    engine.close()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_processes(tmp_path: Path, seed: int) -> None:
    engine = prepare(tmp_path / "lake")
    check(engine, apart(engine, seed, WORKERS, OPERATIONS, small=1))
    engine.close()
