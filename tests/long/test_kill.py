"""3,000 kills of a served lake, as in `tests/local/serve/test_kill.py`; a lake of its own for each hundred."""

from __future__ import annotations

import random
import shutil
import sys
from pathlib import Path

import pytest

from tests.local.serve.mortal import launching
from tests.local.serve.test_kill import AT_WORK, STARTS, repeat

LAKES, KILLS = 30, 100


@pytest.mark.timeout(7200)
def test_nothing_acknowledged_is_lost_for_long(
    tmp_path: Path, rng: random.Random, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    with launching() as launcher:
        for number in range(LAKES):
            lake = tmp_path / str(number)
            cycles = repeat(launcher, lake, rng, KILLS - len(AT_WORK))
            with capsys.disabled():
                sys.stdout.write(cycles.figures(str(request.config.option.hypothesis_seed)))
            assert cycles.start() < STARTS
            shutil.rmtree(lake)
