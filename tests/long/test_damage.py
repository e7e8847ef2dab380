"""1,000 flipped bits, and as many files cut off and pages of zeros as fit: none of them unseen (see `tests/local`)."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.local.damage import Damage, make

KINDS: dict[str, tuple[Callable[[Damage], None], int]] = {
    "flipped bits": (Damage.flip, 1000),
    "cut off": (Damage.truncate, 300),
    "zeros": (Damage.zero_page, 300),
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", KINDS)
def test_no_damage_is_unseen(kind: str, tmp_path: Path, rng: random.Random) -> None:
    harm, cases = KINDS[kind]
    make(tmp_path / "lake", tmp_path / "imported")
    (tmp_path / "scratch").mkdir()
    damage = Damage(tmp_path / "lake", tmp_path / "scratch", rng)
    for _ in range(cases):
        harm(damage)
    assert not damage.unseen, "\n".join(damage.unseen)
