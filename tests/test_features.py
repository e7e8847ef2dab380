"""The page of features: each of the 66 has a row, what holds names tests that exist, and the numbers are counted."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.seed.test_coverage import TEST, functions
from tests.seed.text import ROOT

PAGE = (ROOT / "docs" / "explanation" / "features.md").read_text(encoding="utf-8")
STATES = ("holds", "partly", "not yet")
ROWS = [
    [cell.strip() for cell in line.strip().strip("|").split(" | ")]
    for line in PAGE.splitlines()
    if re.match(r"\| \d+ \|", line)
]


def test_every_feature_has_a_row() -> None:
    assert [int(row[0]) for row in ROWS] == list(range(1, 67))
    assert {len(row) for row in ROWS} == {5}
    assert {row[2] for row in ROWS} <= set(STATES)


def test_the_numbers_are_counted() -> None:
    count = Counter(row[2] for row in ROWS)
    said = f"{count['holds']} hold, {count['partly']} hold partly and {count['not yet']} are not there yet"
    assert said in " ".join(PAGE.split()), f"the page has to say: {said}"
    assert count["holds"] >= 50


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_what_holds_names_tests_that_exist(row: list[str]) -> None:
    _, feature, state, ours, held_by = row
    named = TEST.findall(held_by)
    assert feature
    assert bool(named) is (state != "not yet")
    assert (ours != "–") is (state != "not yet")
    assert [f"{file}::{name}" for file, name in named if name not in functions(file)] == []
