"""Random damage to the files of a lake is seen by `fsck` or a read, or changes nothing. `tests/long` has more cases."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Final

import pytest

from tests.local.damage import FILES, Damage, make

#: Cases of each kind, in seconds of one processor: about ten.
FLIPS, CUTS, ZEROS = 120, 30, 20
#: A value of each type that SQLite has.
TYPES: Final = (42, 1.5, "text", b"\xff", None)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("damage")
    make(place / "lake", place / "imported")
    return place / "lake"


@pytest.fixture
def damage(made: Path, tmp_path: Path, rng: random.Random) -> Damage:
    return Damage(made, tmp_path, rng)


def check(damage: Damage) -> None:
    assert not damage.unseen, "\n".join(damage.unseen)
    assert sum(count for what, count in damage.outcomes.items() if what != "harmless"), "no damage was done"


def test_the_lake_has_every_kind_of_file_and_row(damage: Damage) -> None:
    assert all(any(name.startswith(kind) for name in damage.whole) for kind in FILES)
    assert damage.empty_tables() == []


def test_flipped_bits(damage: Damage) -> None:
    for _ in range(FLIPS):
        damage.flip()
    check(damage)


def test_values_of_another_type(damage: Damage) -> None:
    """A flipped bit in the head of a record makes a text or a number of what was bytes."""
    for table, column in damage.columns():
        for value in TYPES:
            damage.retype(table, column, value)
    check(damage)


def test_files_that_are_cut_off(damage: Damage) -> None:
    for _ in range(CUTS):
        damage.truncate()
    check(damage)


def test_pages_of_zeros(damage: Damage) -> None:
    for _ in range(ZEROS):
        damage.zero_page()
    check(damage)
