"""The seed's text, cut into what it declares and what it shows, and the tables of our pages about it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
SEED = ROOT / "tests" / "data" / "seeds" / "002.md"
FENCE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


class Block(NamedTuple):
    """A Python block of the seed and the heading it stands under."""

    heading: str
    text: str


def blocks() -> list[Block]:
    seed = SEED.read_text(encoding="utf-8")
    fenced = list(FENCE.finditer(seed))
    code = [(match.start(), match.end()) for match in fenced]
    headings = [match for match in HEADING.finditer(seed) if not any(a < match.start() < b for a, b in code)]
    return [
        Block([head[1] for head in headings if head.start() < match.start()][-1], match[1].expandtabs())
        for match in fenced
    ]


def declarations() -> list[ast.ClassDef | ast.FunctionDef]:
    """The classes and functions that the seed declares."""
    found: list[ast.ClassDef | ast.FunctionDef] = []
    for block in blocks():
        if re.search(r"^(class|def) ", block.text, re.MULTILINE):
            tree = ast.parse(block.text)
            found += [node for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    return found


def examples() -> list[Block]:
    """The blocks that show how the API is used."""
    return [block for block in blocks() if not re.search(r"^(class|def) ", block.text, re.MULTILINE)]


def rows(page: Path, first: str) -> Iterator[list[str]]:
    """The cells of the table whose first column is called so; backticks are taken off where they surround a cell."""
    inside = False
    for line in page.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            inside = False
        elif cells[0] == first:
            inside = True
        elif inside and not set(line) <= set("|-: "):
            yield [cell[1:-1] if re.fullmatch(r"`[^`]+`", cell) else cell for cell in cells]
