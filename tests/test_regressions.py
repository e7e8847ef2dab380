"""The table of defects of similar projects is complete, and the tests named there and on the page of the seed exist."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.seed.text import rows

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "tests" / "regressions.md"
SEED = ROOT / "docs" / "explanation" / "seed.md"
NAMED = re.compile(r"`?(tests/[\w/]+\.py)::(\w+)`?")
#: Where each room of the list begins.
ROOMS = {"B1": 1, "B2": 18, "B3": 35, "B4": 49, "B5": 57, "B6": 63, "B7": 73, "B8": 75, "B9": 87, "B10": 94}


def exists(path: str, name: str) -> bool:
    return name in functions(path)


@cache
def functions(path: str) -> frozenset[str]:
    """Return the names of the functions of a module."""
    file = ROOT / path
    if not file.is_file():
        return frozenset()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_the_table_has_all_98_defects_in_order() -> None:
    numbers = [cells[0] for cells in rows(TABLE, "number")]
    starts = [*ROOMS.values(), 99]
    expected = [
        f"{room}.{number}" for index, room in enumerate(ROOMS) for number in range(starts[index], starts[index + 1])
    ]
    assert numbers == expected
    assert len(numbers) == 98


@pytest.mark.parametrize("row", list(rows(TABLE, "number")), ids=lambda row: row[0])
def test_each_defect_has_a_test_or_a_reason(row: list[str]) -> None:
    _, defect, cell = row
    assert defect
    named = NAMED.findall(cell)
    assert named or re.search(r"^later: \w.{10,}", cell), cell
    assert [f"{path}::{name}" for path, name in named if not exists(path, name)] == []


def test_the_seeds_page_names_tests_that_exist() -> None:
    behaviour = list(rows(SEED, "the seed"))
    assert len(behaviour) >= 6
    for cells in behaviour:
        named = NAMED.findall(cells[-1])
        assert named
        assert all(exists(path, name) for path, name in named), cells[-1]


def test_a_missing_test_is_noticed() -> None:
    assert exists("tests/test_regressions.py", "test_a_missing_test_is_noticed")
    assert not exists("tests/test_regressions.py", "test_nowhere")
    assert not exists("tests/test_nowhere.py", "test_nowhere")
