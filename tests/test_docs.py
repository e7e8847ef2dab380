"""Every example runs: the Python blocks of the README and of docs/, page by page, and those of the docstrings."""

from __future__ import annotations

import ast
import asyncio
import doctest
import importlib
import importlib.metadata
import inspect
import io
import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import aio

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```python[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def script(page: str) -> str:
    """The page's Python blocks as one script, each line where it stands in the page, so that tracebacks point there."""
    lines = [""] * (page.count("\n") + 1)
    for match in FENCE.finditer(page):
        first = page.count("\n", 0, match.start(1))
        block = match.group(1).splitlines()
        lines[first : first + len(block)] = block
    return "\n".join(lines) + "\n"


def run(page: Path, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Runs a page's script in a process and folder of its own; with pytest, if it defines tests."""
    source = script(page.read_text(encoding="utf-8"))
    tested = re.search(r"^def test_", source, re.MULTILINE) is not None
    path = tmp_path / ("test_page.py" if tested else "page.py")
    path.write_text(source, encoding="utf-8")
    argv = [sys.executable, "-W", "error"]
    if tested:
        plugins = {point.name for point in importlib.metadata.entry_points(group="pytest11")}
        argv += ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
        argv += [] if "lakefs_hl" in plugins else ["-p", "lakefs_hl.pytest_plugin"]
    environ = dict(os.environ, PYTHONPATH=str(ROOT))
    return subprocess.run(
        [*argv, str(path)], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=100, check=False
    )


def test_a_broken_example_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Page\n\n```python\nx = 1\n```\n\n```python\nassert x == 2\n```\n", encoding="utf-8")
    done = run(page, tmp_path)
    assert done.returncode == 1
    assert "line 8" in done.stderr


@pytest.mark.parametrize(
    "page", [p for p in PAGES if FENCE.search(p.read_text(encoding="utf-8"))], ids=lambda p: str(p.relative_to(ROOT))
)
def test_page(page: Path, tmp_path: Path) -> None:
    done = run(page, tmp_path)
    assert done.returncode == 0, f"{page}\n{done.stdout}\n{done.stderr}"


def test_the_pages_are_found() -> None:
    found = {str(page.relative_to(ROOT)) for page in PAGES if FENCE.search(page.read_text(encoding="utf-8"))}
    assert {"README.md", "docs/index.md", "docs/quickstart.md", "docs/guides/transactions.md"} <= found


# ---------------------------------------------------------------------------------------------------------- docstrings


class Finder(doctest.DocTestFinder):
    """Finds the examples of classes by where they are written: `__module__` of a public class is the package."""

    def _from_module(self, module: ModuleType | None, object: Any) -> bool:
        if module is not None and isinstance(object, type):
            return object.__name__ in written_in(module)
        found: bool = super()._from_module(module, object)  # type: ignore[misc]
        return found or (inspect.isfunction(object) and object.__name__ in written_in(module))


@cache
def written_in(module: ModuleType | None) -> frozenset[str]:
    """Names of the classes and functions in a module's source."""
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8")) if module else ast.Module([], [])
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in tree.body if isinstance(node, kinds))


def modules() -> Iterator[ModuleType]:
    yield lakefs_hl
    for info in pkgutil.walk_packages(lakefs_hl.__path__, "lakefs_hl."):
        if not info.name.endswith("__main__"):
            yield importlib.import_module(info.name)


def examples() -> list[doctest.DocTest]:
    finder = Finder(exclude_empty=True)
    found = {}
    for module in modules():
        for test in finder.find(module, module.__name__):
            if test.examples:
                found[test.name] = test
    return [found[name] for name in sorted(found)]


EXAMPLES = examples()
AWAITED = [example for example in EXAMPLES if example.name.startswith("lakefs_hl.aio.")]
BLOCKING = [example for example in EXAMPLES if example not in AWAITED]


@pytest.mark.parametrize("example", BLOCKING, ids=lambda example: str(example.name))
def test_docstring(
    example: doctest.DocTest, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An example finds a lake of its own as the default, with the repository `example` in it."""
    monkeypatch.chdir(tmp_path)
    client = lakefs_hl.init("mem://")
    repo = lakefs_hl.repository("example").create()
    branch = repo.branch("main")
    globs = {"lakefs": lakefs_hl, "client": client, "repo": repo, "branch": branch}
    example.globs = {**example.globs, **globs, "getfixture": request.getfixturevalue}
    check(example)
    client.close()


@pytest.mark.parametrize("example", AWAITED, ids=lambda example: str(example.name))
def test_awaited_docstring(example: doctest.DocTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, with `await` at the top level of the example."""
    monkeypatch.chdir(tmp_path)
    with asyncio.Runner() as runner:
        monkeypatch.setattr(doctest, "compile", compile_awaiting, raising=False)
        monkeypatch.setattr(doctest, "exec", partial(exec_awaiting, runner), raising=False)
        client = aio.init("mem://")
        repo = aio.repository("example")
        runner.run(repo.create())
        globs = {"lakefs": aio, "client": client, "repo": repo, "branch": repo.branch("main")}
        example.globs = {**example.globs, **globs}
        check(example)
        runner.run(client.close())


def compile_awaiting(source: str, name: str, mode: str, flags: int, dont_inherit: bool) -> CodeType:
    code: CodeType = compile(source, name, mode, flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit)
    return code


def exec_awaiting(runner: asyncio.Runner, code: CodeType, globs: dict[str, Any]) -> None:
    """Runs a statement of an example; the value of an expression that awaits is printed, as for one that does not."""
    done = eval(code, globs)
    if inspect.iscoroutine(done):
        runner.run(done)


def check(example: doctest.DocTest) -> None:
    printed = io.StringIO()
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    result = doctest.DocTestRunner(optionflags=options).run(example, out=printed.write)
    assert result.failed == 0, printed.getvalue()
    assert result.attempted > 0


def test_every_example_of_the_faces_is_found_in_both_colours() -> None:
    """A finder that goes by `__module__` would drop them in silence."""
    awaited = {example.name.removeprefix("lakefs_hl.aio.") for example in AWAITED}
    blocking = {example.name.removeprefix("lakefs_hl._sync.") for example in BLOCKING if "._sync." in example.name}
    assert awaited == blocking
    assert len(awaited) >= 11


# ----------------------------------------------------------------------------------------------------------- reference


def test_every_public_name_is_in_the_reference() -> None:
    pages = (ROOT / "docs" / "reference").glob("*.md")
    documented = {
        line.removeprefix(":::").strip().rpartition(".")[2]
        for page in pages
        for line in page.read_text(encoding="utf-8").splitlines()
        if line.startswith(":::")
    }
    missing = set(lakefs_hl.__all__) - documented - {"__version__", "aio", "exceptions", "types"}
    assert not missing, f"add to docs/reference/: {sorted(missing)}"


def test_what_the_reference_names_exists() -> None:
    for page in (ROOT / "docs" / "reference").glob("*.md"):
        for line in page.read_text(encoding="utf-8").splitlines():
            if line.startswith(":::"):
                name = line.removeprefix(":::").strip()
                module, _, last = name.rpartition(".")
                assert hasattr(importlib.import_module(module), last), f"{page.name}: there is no {name}"
