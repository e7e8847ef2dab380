"""Storms of Ctrl-C, as in `tests/local/test_storms.py`, five minutes for each role."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.local.test_storms import ROLES, rage


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.timeout(500)
def test_interrupts_lose_nothing_for_long(tmp_path: Path, role: str, request: pytest.FixtureRequest) -> None:
    rage(tmp_path, [role], str(request.config.option.hypothesis_seed), 300.0, 1.0)
