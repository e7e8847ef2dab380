"""The blocking faces are what the generator makes of the awaitable ones; what it cannot convert is an error."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOOL = ROOT / "tools" / "unasync.py"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("unasync", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_committed_faces_are_current() -> None:
    pytest.importorskip("ruff", reason="the generator formats with ruff: pip install -e '.[lint]'; .ci/run has it")
    done = subprocess.run([sys.executable, str(TOOL), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("awaitable", "blocking"),
    [
        ("x = await f(1)\n", "x = f(1)\n"),
        ("x = (await f(1)).y\n", "x = f(1).y\n"),
        ("x = (await a.b(c(1))[0]).y\n", "x = a.b(c(1))[0].y\n"),
        ("x = (await f(1)) + 1\n", "x = (f(1)) + 1\n"),
        ("async def f(self):\n    pass\n", "def f(self):\n    pass\n"),
        ("async with a as b:\n    pass\n", "with a as b:\n    pass\n"),
        ("x = [y async for y in z]\n", "x = [y for y in z]\n"),
        ("async def __aenter__(self): ...\n", "def __enter__(self): ...\n"),
        ("await f(await g())\n", "f(g())\n"),
    ],
)
def test_async_and_await_are_removed(tool: ModuleType, awaitable: str, blocking: str) -> None:
    assert tool.without_waiting(awaitable) == blocking


def test_examples_are_converted_too(tool: ModuleType) -> None:
    source = ''''def f():
    """Text: await it.

    >>> async with a as b:
    ...     (await b.c()).d
    1
    """
'''
    wanted = ''''def f():
    """Text: await it.

    >>> with a as b:
    ...     b.c().d
    1
    """
'''
    assert tool.without_waiting(source) == wanted


@pytest.mark.parametrize(
    "left",
    ["import asyncio", "x: AsyncIterable[int]", "'await it'", "x.__await__()", "fileio.Opening[int]", "aclose()"],
)
def test_async_code_that_is_left_over_is_found(tool: ModuleType, left: str) -> None:
    assert tool.LEFT.search(left)
    assert not tool.LEFT.search("x = Iterable[int]  # waiting, a_iter, opening")


def test_no_row_has_a_newline(tool: ModuleType) -> None:
    """A text of several lines would lose its indentation."""
    assert not [row for row in tool.TEXTS if "\n" in "".join(row)]


def test_modules_written_by_hand_exist_in_both_colours(tool: ModuleType) -> None:
    for source, target, by_hand in tool.PAIRS:
        for name in by_hand:
            # nothing could await `branch["a.csv"]`
            assert (ROOT / source / f"{name}.py").exists() is (name != "mapping")
            assert (ROOT / target / f"{name}.py").exists()
            assert "Generated from" not in (ROOT / target / f"{name}.py").read_text(encoding="utf-8")
