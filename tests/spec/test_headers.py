"""Names and limits that client and server share: each is written in one module."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from lakefs_hl.spec import headers, limits

PACKAGE = Path(headers.__file__).resolve().parent.parent
#: Rooms that import nothing from `spec`: two of the embedded lake, and the facades, which stand on public names.
ELSEWHERE = ("local/disk/", "local/tree/", "facades/")
CONSTANTS = {name: value for name, value in vars(headers).items() if name.isupper()}


@cache
def strings(path: Path) -> set[str]:
    return {
        node.value
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


@pytest.mark.parametrize(("name", "value"), sorted(CONSTANTS.items()))
def test_a_name_is_written_in_one_module(name: str, value: str) -> None:
    modules = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py") if value in strings(path)}
    assert {module for module in modules if not module.startswith(ELSEWHERE)} == {"spec/headers.py"}, name


def test_names_are_in_lower_case_as_requests_have_them() -> None:
    assert all(value == value.lower() for value in CONSTANTS.values())


def test_limits_are_those_of_lakefs() -> None:
    assert (limits.MAX_PATH_BYTES, limits.MAX_PAGE, limits.MAX_DELETE) == (1024, 1000, 1000)
