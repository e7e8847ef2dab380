"""The section about seed 003 on the page about the seeds: each line is what it is said to be, and each test exists."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.seed.text import ROOT

PAGE = (ROOT / "docs" / "explanation" / "seeds.md").read_text(encoding="utf-8")
LINES = (ROOT / "tests" / "data" / "seeds" / "003.md").read_text(encoding="utf-8").splitlines()
SECTION = re.search(r"^## 003\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
#: What a line of the seed has to be, so that the page needs a row for it.
SHOWN = re.compile(r"\bcff?g?(?:\.\w+\(|\[)|CloudFiles\('|\btranscode\(|^def |^\d\. |^\* |^(?:First|Second|Third), ")
#: Lines that look like one and are not.
NOT_SHOWN = {
    125: "the paths of the rows above it",
}


def rows() -> list[list[str]]:
    assert SECTION is not None
    found = [[cell.strip() for cell in line.strip().strip("|").split(" | ")] for line in SECTION[1].splitlines()]
    return [row for row in found if re.fullmatch(r"\d+", row[0])]


@cache
def functions(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_a_row_is_true(row: list[str]) -> None:
    number, says, ours, held_by = row
    assert says.strip("`") in LINES[int(number) - 1]
    assert ours
    named = TEST.findall(held_by)
    assert named
    assert not [f"{file}::{name}" for file, name in named if name not in functions(file)]


def test_everything_that_the_seed_shows_has_a_row() -> None:
    told = {int(row[0]) for row in rows()}
    missing = [
        f"{number}: {line}"
        for number, line in enumerate(LINES, 1)
        if SHOWN.search(line) and number not in told and number not in NOT_SHOWN
    ]
    assert not missing
    assert len(told) > 72
