"""The page about the seeds: each line is what it is said to be, each test exists, and its numbers are counted."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import pytest

from tests.seed.text import ROOT

PAGE = ROOT / "docs" / "explanation" / "seeds.md"
SECTION = re.compile(r"^## (\d{3})\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
#: What a line of a seed has to be, so that the page needs a row for it.
SHOWN = {
    "000": re.compile(r"^\s*\.\. (?:comethod|attribute|method|class)::|\bclient\.buckets\.\w+\("),
    "001": re.compile(r"py:(?:method|class)::|:value:|:returns:|:Yields:|- If `s3_path`|By default"),
    "002": re.compile(
        r"^ *(?:1\. |def |class |lakefs\.|\w+: \w+(?:\[|\()|\w+: (?:str|int|Commit)$)|\blakefs\.repository\("
        r"|\b(?:branch|main|task|repo|f|tx|dev|item)\.\w+"
    ),
    "004": re.compile(r"\b(?:client|self\.storage)\.\w+\(|MinIOClient\(|^ \*\*[A-Z]"),
}
#: Lines that look like one and are not: the same call on its own is in another row, or it is not a call of the seed.
NOT_SHOWN: dict[tuple[str, int], str] = {
    ("001", 56): "a class that only groups the methods of reviews",
    ("002", 6): "a goal, and no call",
    ("002", 12): "not a goal",
    ("002", 38): "the property of the line above it",
    ("004", 475): "how many of its tests passed",
    ("004", 476): "how many of its tests passed",
}


class Row(NamedTuple):
    """A row of the page: the line of the seed, what it says, our call, and the tests."""

    seed: str
    line: int
    says: str
    ours: str
    held_by: str


def rows() -> list[Row]:
    found = []
    for number, text in SECTION.findall(PAGE.read_text(encoding="utf-8")):
        for line in text.splitlines():
            cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
            if re.fullmatch(r"\d+", cells[0]):
                assert len(cells) == 4, line
                found.append(Row(number, int(cells[0]), cells[1].strip("`"), cells[2], cells[3]))
    return found


ROWS = rows()


@cache
def lines(seed: str) -> list[str]:
    return (ROOT / "tests" / "data" / "seeds" / f"{seed}.md").read_text(encoding="utf-8").splitlines()


@cache
def functions(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def shown(seed: str) -> Iterator[int]:
    """The lines of a seed that show what it can do."""
    for number, line in enumerate(lines(seed), 1):
        if SHOWN[seed].search(line) and (seed, number) not in NOT_SHOWN:
            yield number


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.seed}:{row.line}")
def test_a_line_says_what_it_is_said_to_say(row: Row) -> None:
    assert row.says in lines(row.seed)[row.line - 1]
    assert row.ours


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.seed}:{row.line}")
def test_a_row_is_held_by_tests_that_exist(row: Row) -> None:
    named = TEST.findall(row.held_by)
    assert named, "name the test that holds it, as `tests/…/test_x.py::test_y`"
    missing = [f"{file}::{name}" for file, name in named if name not in functions(file)]
    assert not missing


@pytest.mark.parametrize("seed", sorted(SHOWN))
def test_everything_that_a_seed_shows_has_a_row(seed: str) -> None:
    told = {row.line for row in ROWS if row.seed == seed}
    missing = [f"{number}: {lines(seed)[number - 1].strip()}" for number in shown(seed) if number not in told]
    assert not missing
    assert len(told) > 30


def capability(row: Row) -> str:
    """What a row shows: the name of the call in it, else its text."""
    call = re.search(r"(\w+) ?\(", row.says)
    return call[1] if call else row.says


def test_the_numbers_of_the_page_are_counted() -> None:
    """The page says how many rows and capabilities there are, and how many raise."""
    raises = [row for row in ROWS if "UnsupportedOperationException" in row.ours]
    rows_of = {(row.seed, capability(row)) for row in ROWS}
    refused = {(row.seed, capability(row)) for row in raises}
    assert all("earest" in row.ours for row in raises), "a row that raises names what is nearest"
    said = (
        f"{len(ROWS)} rows show {len(rows_of)} capabilities: {len(rows_of - refused)} work, "
        f"and {len(refused)} raise as they say."
    )
    assert said in " ".join(PAGE.read_text(encoding="utf-8").split()), f"the page has to say: {said}"
    assert len(refused) < 10


@pytest.mark.parametrize("seed", ["000"])
def test_every_parameter_of_a_seed_is_named(seed: str) -> None:
    """A parameter is in the text of a row, or in the call that a row is of."""
    text = " ".join(f"{row.says} {lines(seed)[row.line - 1]} {row.ours}" for row in ROWS if row.seed == seed)
    parameters = {match[1] for line in lines(seed) if (match := re.match(r"\s*:param [^:]*?(\w+|\w+ bool):", line))}
    missing = sorted(name for name in parameters if not re.search(rf"\b{name.split()[0]}\b", text))
    assert len(parameters) > 20
    assert not missing


def test_no_line_has_two_rows_that_say_the_same() -> None:
    assert len({(row.seed, row.line, row.says) for row in ROWS}) == len(ROWS)


def test_the_seeds_are_stored_whole() -> None:
    expected = {"000": 656, "001": 562, "002": 296, "003": 321, "004": 513}
    assert {seed: len(lines(seed)) for seed in expected} == expected
