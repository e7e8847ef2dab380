"""The pages of the documentation: every block runs or is parsed, and tables of facts agree with the code.

A page's Python blocks are one script, run in a process and a directory of its own with warnings as errors. A block that
needs a package beyond the test extra is preceded by the line `<!-- needs: package -->`.
"""

from __future__ import annotations

import ast
import asyncio
import builtins
import contextlib
import doctest
import importlib
import importlib.metadata
import importlib.util
import inspect
import io
import os
import pkgutil
import re
import subprocess
import sys
import tomllib
import urllib.request
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, NamedTuple

import pytest
import yaml

import lakefs_hl
from lakefs_hl import aio, compression, exceptions, types
from tests import serving

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
OPENING = re.compile(r"^( *)(`{3,}|~{3,})(.*)$")
NEEDS = re.compile(r"^ *<!-- needs: ([\w, ]+) -->$")
#: Runs a script with `await` outside of functions, statement after statement, as a notebook runs its cells.
NOTEBOOK = """
import ast, asyncio, inspect, sys
path = sys.argv[1]
names = {"__name__": "__main__", "__file__": path}
flag = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
with open(path, encoding="utf-8") as file:
    tree = compile(file.read(), path, "exec", flag | ast.PyCF_ONLY_AST)
with asyncio.Runner() as runner:
    async def wait(awaitable):
        return await awaitable
    for statement in tree.body:
        code = compile(ast.Module([statement], []), path, "exec", flag)
        result = eval(code, names)
        if code.co_flags & inspect.CO_COROUTINE:
            runner.run(wait(result))
"""


class Block(NamedTuple):
    """A fenced block: its language, the number of its first line, its text and the packages that it needs."""

    language: str
    line: int
    text: str
    needs: tuple[str, ...]


def blocks(page: str) -> list[Block]:
    """All fenced blocks of a page, those in lists and tabs too; one that never ends is an error."""
    found, lines = [], page.splitlines()
    inside: tuple[str, str, int, int, tuple[str, ...]] | None = None
    for number, line in enumerate(lines):
        opening = OPENING.match(line)
        if inside is None and opening is not None:
            needed = NEEDS.match(lines[number - 1]) if number else None
            needs = tuple(name.strip() for name in needed[1].split(",")) if needed else ()
            inside = opening[2], opening[3].strip(), number + 1, len(opening[1]), needs
        elif inside is not None and line.strip() == inside[0]:
            _, language, first, indent, needs = inside
            text = "".join(f"{one[indent:] if not one[:indent].strip() else one}\n" for one in lines[first:number])
            found.append(Block(language, first, text, needs))
            inside = None
    if inside is not None:
        msg = f"the block that begins in line {inside[2]} never ends"
        raise ValueError(msg)
    return found


def script(page: str, packages: frozenset[str] = frozenset()) -> str:
    """The page's Python blocks as one script, each line where it stands in the page, so that tracebacks point there.

    Blocks that need packages are left out unless all of them are among `packages`.
    """
    lines = [""] * (page.count("\n") + 1)
    for block in blocks(page):
        if block.language == "python" and packages.issuperset(block.needs):
            text = block.text.splitlines()
            lines[block.line : block.line + len(text)] = text
    return "\n".join(lines) + "\n"


def is_plain(source: str) -> bool:
    """Whether Python runs a script as it is: no `await` stands outside of a function."""
    compile(source, "page", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    try:
        compile(source, "page", "exec")
    except SyntaxError:
        return False
    return True


def run(page: Path, tmp_path: Path, packages: frozenset[str] = frozenset()) -> subprocess.CompletedProcess[str]:
    """Run a page's script in a process and directory of its own, with pytest if it defines tests."""
    source = script(page.read_text(encoding="utf-8"), packages)
    tested = re.search(r"^def test_", source, re.MULTILINE) is not None
    path = tmp_path / ("test_the_blocks_of_a_page_run.py" if tested else "page.py")
    path.write_text(source, encoding="utf-8")
    argv = [sys.executable, "-W", "error"]
    if tested:
        plugins = {point.name for point in importlib.metadata.entry_points(group="pytest11")}
        argv += ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
        argv += [] if "lakefs_hl" in plugins else ["-p", "lakefs_hl.pytest_plugin"]
    elif not is_plain(source):
        argv += ["-c", NOTEBOOK]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("LAKECTL_", "LAKEFS_"))}
    environ |= {"PYTHONPATH": str(ROOT), "HOME": str(tmp_path), "PYTHON_HISTORY": os.devnull}
    return subprocess.run(
        [*argv, str(path)], cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=100, check=False
    )


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def languages(page: Path) -> set[str]:
    return {block.language for block in blocks(page.read_text(encoding="utf-8"))}


def needs(page: Path) -> frozenset[str]:
    return frozenset(name for block in blocks(page.read_text(encoding="utf-8")) for name in block.needs)


# -------------------------------------------------------------------------------------------------------------- blocks


def test_a_broken_example_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Page\n\n```python\nx = 1\n```\n\n```python\nassert x == 2\n```\n", encoding="utf-8")
    done = run(page, tmp_path)
    assert done.returncode == 1
    assert "line 8" in done.stderr


def test_a_broken_example_with_await_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```python\nimport asyncio\n\nawait asyncio.sleep(0)\nassert 1 == 2\n```\n", encoding="utf-8")
    done = run(page, tmp_path)
    assert done.returncode == 1
    assert "line 5" in done.stderr


def test_a_block_in_a_list_or_a_tab_is_found() -> None:
    page = '=== "A"\n\n    ```python\n    if x:\n        y = 1\n    ```\n\n- item\n\n  ```sh\n  ls\n  ```\n'
    assert [(one.language, one.line, one.text) for one in blocks(page)] == [
        ("python", 3, "if x:\n    y = 1\n"),
        ("sh", 10, "ls\n"),
    ]


def test_a_block_that_never_ends_is_an_error() -> None:
    with pytest.raises(ValueError, match="line 1 never ends"):
        blocks("```python\nx = 1\n")


@pytest.mark.parametrize("page", [page for page in PAGES if "python" in languages(page)], ids=name_of)
def test_the_blocks_of_a_page_run(page: Path, tmp_path: Path) -> None:
    done = run(page, tmp_path)
    assert done.returncode == 0, f"{page}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("page", [page for page in PAGES if needs(page)], ids=name_of)
def test_the_blocks_of_a_page_run_with_all_packages(page: Path, tmp_path: Path) -> None:
    packages = needs(page)
    missing = sorted(name for name in packages if importlib.util.find_spec(name) is None)
    if missing:
        pytest.skip(f"blocks of this page need {', '.join(missing)}: pip install -e '.[docs]'")
    done = run(page, tmp_path, packages)
    assert done.returncode == 0, f"{page}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_is_well_formed(page: Path) -> None:
    """No table has two rows for one thing, and what begins a block stands after an empty line."""
    seen, before, is_code = set[str](), "", False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        is_code ^= line.lstrip().startswith("```")
        if not is_code and page.name != "seeds.md":
            first = re.split(r"(?<!\\)\|", line)[1].strip(" -") if line.startswith("|") else ""
            seen = seen if line.startswith("|") else set()
            assert not first or first not in seen, f"line {number}: another row for {first}"
            seen.add(first)
            is_start = re.match(":::|#{1,6} ", line) is not None
            assert not is_start or not before.strip() or before.startswith("<"), f"line {number}: no line before it"
        before = line


def test_the_index_of_the_reference_has_every_public_name() -> None:
    text = (DOCS / "reference" / "index.md").read_text(encoding="utf-8")
    names = {name for name in lakefs_hl.__all__ if not name.startswith("_")}
    missing = {name for name in names if f"`{name}`" not in text and f"`lakefs_hl.{name}`" not in text}
    assert missing == set()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_blocks_that_are_not_python_are_parsed(page: Path) -> None:
    for block in blocks(page.read_text(encoding="utf-8")):
        where = f"{name_of(page)}:{block.line}"
        if block.language == "sh":
            done = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{where}: {done.stderr}"
        elif block.language == "yaml":
            yaml.safe_load(block.text)
        else:
            assert block.language in {"python", "text"}, f"{where}: {block.language!r} is not run: use python, sh, …"


def test_the_pages_are_found() -> None:
    found = {name_of(page) for page in PAGES if "python" in languages(page)}
    assert {"README.md", "docs/index.md", "docs/quickstart.md", "docs/guides/transactions.md"} <= found


def test_the_home_page_shows_what_its_code_prints(tmp_path: Path) -> None:
    page = DOCS / "index.md"
    (shown,) = (block.text for block in blocks(page.read_text(encoding="utf-8")) if block.language == "text")
    assert run(page, tmp_path).stdout == shown


def test_every_page_is_in_the_navigation() -> None:
    pages = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md") if "design" not in page.parts}
    listed = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8")))
    assert pages == listed


@pytest.mark.parametrize(
    ("contents", "under"),
    [("index.md", "guides"), ("reference/index.md", "reference"), ("cookbook/index.md", "cookbook")],
)
def test_every_page_is_in_a_table_of_contents(contents: str, under: str) -> None:
    text = (DOCS / contents).read_text(encoding="utf-8")
    linked = {Path(link).name for link in re.findall(r"\(([\w/-]+\.md)", text)}
    assert {page.name for page in (DOCS / under).glob("*.md")} - {"index.md"} <= linked


def test_the_cookbook_is_in_alphabetical_order() -> None:
    listed = re.findall(r"cookbook/([\w-]+\.md)", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    linked = re.findall(
        r"^\| \[.*?\]\(([\w-]+\.md)", (DOCS / "cookbook/index.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    titles = [(DOCS / "cookbook" / name).read_text(encoding="utf-8").splitlines()[0].casefold() for name in linked]
    assert listed == ["index.md", *linked]
    assert titles == sorted(titles)


def test_every_extra_is_in_the_quickstart_and_every_message_names_one() -> None:
    """A message that says `pip install 'lakefs-hl[…]'` names the package as it is named, and extras that exist."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].keys()
    table = re.findall(r"^\| (`.*?) \|", (DOCS / "quickstart.md").read_text(encoding="utf-8"), re.MULTILINE)
    for_users = extras - {"dev", "docs", "ecosystem", "lint", "test"}
    assert for_users == {name for cell in table for name in re.findall(r"`(\w+)`", cell)} & extras
    for source in [*PAGES, *(ROOT / "lakefs_hl").rglob("*.py")]:
        for package, named in re.findall(
            r"pip install ['\"](lakefs\w*[-_]hl)\[([\w,-]+)\]", source.read_text(encoding="utf-8")
        ):
            assert (package, set(named.split(",")) - extras) == ("lakefs-hl", set()), source


# ---------------------------------------------------------------------------------------------------------- docstrings


class Finder(doctest.DocTestFinder):
    """Finds the examples of classes and functions by where they are written.

    `__module__` of a public one is the package, where it is found too once its name was looked up.
    """

    def _from_module(self, module: ModuleType | None, object: Any) -> bool:
        outermost = isinstance(object, type) or (inspect.isfunction(object) and "." not in object.__qualname__)
        if module is not None and outermost:
            return object.__name__ in written_in(module)
        found: bool = super()._from_module(module, object)  # type: ignore[misc]
        return found


@cache
def written_in(module: ModuleType | None) -> frozenset[str]:
    """Names of the classes and functions in a module's source."""
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8")) if module else ast.Module([], [])
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in tree.body if isinstance(node, kinds))


#: Modules that need packages which no extra of the tests has. The tests of those libraries run their examples.
ELSEWHERE = {"lakefs_hl.torch", "lakefs_hl.filesystem.upath"}


def modules() -> Iterator[ModuleType]:
    yield lakefs_hl
    for info in pkgutil.walk_packages(lakefs_hl.__path__, "lakefs_hl."):
        if not info.name.endswith("__main__") and info.name not in ELSEWHERE:
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
#: Where examples are awaited, and where their twins are.
AWAITED_IN, BLOCKING_IN = ("lakefs_hl.aio.", "lakefs_hl.facades.aio."), ("lakefs_hl._sync.", "lakefs_hl.facades._sync.")
AWAITED = [example for example in EXAMPLES if example.name.startswith(AWAITED_IN)]
BLOCKING = [example for example in EXAMPLES if example not in AWAITED]


@pytest.mark.parametrize("example", BLOCKING, ids=lambda example: str(example.name))
def test_the_examples_of_a_docstring_run(
    example: doctest.DocTest, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An example finds a lake of its own as the default, with the repository `example` in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(vars(lakefs_hl), "DefaultClient", None)  # what the example makes the default is gone after it
    client = lakefs_hl.init("mem://")
    repo = lakefs_hl.repository("example").create()
    branch = repo.branch("main")
    globs = {"lakefs": lakefs_hl, "client": client, "repo": repo, "branch": branch, "urllib": urllib}
    example.globs = {**example.globs, **globs, "getfixture": request.getfixturevalue}
    with served(example, tmp_path) as keys:
        if keys:
            example.globs["served"] = lakefs_hl.Client(*keys)
            lakefs_hl.repository("example", client=example.globs["served"]).create()
        check(example)
    client.close()


@pytest.mark.parametrize("example", AWAITED, ids=lambda example: str(example.name))
def test_the_awaited_examples_of_a_docstring_run(
    example: doctest.DocTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same, with `await` at the top level of the example."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(vars(aio), "DefaultClient", None)
    with asyncio.Runner() as runner:
        monkeypatch.setattr(doctest, "compile", compile_awaiting, raising=False)
        monkeypatch.setattr(doctest, "exec", partial(exec_awaiting, runner), raising=False)
        client = aio.init("mem://")
        repo = aio.repository("example")
        runner.run(repo.create())
        globs = {"lakefs": aio, "client": client, "repo": repo, "branch": repo.branch("main")}
        example.globs = {**example.globs, **globs, "urllib": urllib}
        with served(example, tmp_path) as keys:
            if keys:
                example.globs["served"] = aio.Client(*keys)
                runner.run(aio.repository("example", client=example.globs["served"]).create())
            check(example)
        runner.run(client.close())


@contextlib.contextmanager
def served(example: doctest.DocTest, tmp_path: Path) -> Iterator[tuple[str, str, str] | None]:
    """A served lake with links for an example that uses `served`: its address and key pair."""
    if "served" not in (example.docstring or ""):
        yield None
        return
    with serving.running(tmp_path / "lake", arguments=["--presign"]) as found:
        yield found.url, found.key, found.secret


def compile_awaiting(source: str, name: str, mode: str, flags: int, dont_inherit: bool) -> CodeType:
    code: CodeType = compile(source, name, mode, flags | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit)
    return code


def exec_awaiting(runner: asyncio.Runner, code: CodeType, globs: dict[str, Any]) -> None:
    """Runs a statement of an example; the value of an expression that awaits is printed, as for one that does not."""

    async def run() -> None:  # also what does not await may need the loop
        done = eval(code, globs)
        if inspect.iscoroutine(done):
            await done

    runner.run(run())


def check(example: doctest.DocTest) -> None:
    printed = io.StringIO()
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    result = doctest.DocTestRunner(optionflags=options).run(example, out=printed.write)
    assert result.failed == 0, printed.getvalue()
    assert result.attempted > 0


def test_every_example_of_the_faces_is_found_in_both_colours() -> None:
    """A finder that goes by `__module__` would drop them in silence."""
    awaited = {example.name.replace(".aio.", ".") for example in AWAITED}
    blocking = {example.name.replace("._sync.", ".") for example in BLOCKING if example.name.startswith(BLOCKING_IN)}
    assert awaited == blocking
    assert len(awaited) >= 11


# ----------------------------------------------------------------------------------------------------------- reference


def directives() -> dict[str, str]:
    """What the reference pages document, and on which page."""
    return {
        line.removeprefix(":::").strip(): page.name
        for page in sorted((DOCS / "reference").glob("*.md"))
        for line in page.read_text(encoding="utf-8").splitlines()
        if line.startswith(":::")
    }


def resolve(name: str) -> Any:
    """The object of a dotted name."""
    module, _, last = name.rpartition(".")
    return getattr(importlib.import_module(module), last)


@pytest.mark.parametrize(
    "package", [lakefs_hl, aio, compression, exceptions, types], ids=lambda module: module.__name__
)
def test_every_public_name_is_in_the_reference(package: ModuleType) -> None:
    documented = set(directives())
    names = {f"{package.__name__}.{name}" for name in package.__all__} - {
        "lakefs_hl.__version__",
        "lakefs_hl.aio",
        "lakefs_hl.compression",
        "lakefs_hl.exceptions",
        "lakefs_hl.types",
    }
    shared = {name for name in names if package is aio and resolve(name) is resolve(name.replace(".aio.", "."))}
    assert not names - shared - documented, f"add to docs/reference/: {sorted(names - shared - documented)}"


def test_the_reference_names_public_names_only() -> None:
    public = {"lakefs_hl", "lakefs_hl.aio", "lakefs_hl.compression", "lakefs_hl.exceptions", "lakefs_hl.types"}
    public |= {"lakefs_hl.filesystem", "lakefs_hl.torch"}  # they need fsspec and PyTorch, so that their names are read
    for name, page in directives().items():
        module, _, last = name.rpartition(".")
        assert module in public, f"{page}: {name} is not a public name"
        assert last in names_of(module), f"{page}: {name} is not public"


@cache
def names_of(module: str) -> list[str]:
    """`__all__` of a module, from its source."""
    found = importlib.util.find_spec(module)
    assert found is not None
    assert found.origin is not None
    for node in ast.parse(Path(found.origin).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    msg = f"{module} has no __all__"
    raise ValueError(msg)


def test_the_table_of_errors_is_that_of_the_code() -> None:
    listed = {cells[0]: re.findall(r"`(\w+)`", cells[2]) for cells in table(DOCS / "guides" / "errors.md", "error")}
    tree = {name: value for name in exceptions.__all__ if issubclass(value := getattr(exceptions, name), Exception)}
    errors = {name: value for name, value in tree.items() if not issubclass(value, Warning)}
    assert set(listed) == set(errors)
    for name, kind in errors.items():
        bases = [base.__name__ for base in kind.__mro__ if hasattr(builtins, base.__name__)]
        own = [base for base in bases if base not in ("Exception", "BaseException", "object")]
        assert sorted(listed[name]) == sorted(own), f"{name} is also {own}"


def test_every_kind_is_in_the_table_of_kinds() -> None:
    text = (DOCS / "guides" / "errors.md").read_text(encoding="utf-8")
    listed = {
        name for row in re.findall(r"^\| (`[A-Z_`, ]+`) \|", text, re.MULTILINE) for name in re.findall(r"[A-Z_]+", row)
    }
    assert listed == set(types.ErrorKind.__members__)


#: Classes whose calls the page of results lists, and those whose fields it lists.
HANDLES = ["Repository", "Reference", "Branch", "Tag", "ObjectInfo", "CommonPrefix", "Listing", "BranchTransaction"]
HANDLES += ["Admin", "CredentialsAdmin", "GCRulesAdmin", "Partition", "PresignedUpload", "TransactionHandle"]
HANDLES += [
    "PullRequest",
    "Run",
    "HookRun",
    "KeptTransaction",
    "Files",
    "ObjectHandle",
    "Dataset",
    "SnapshotCache",
    "Datasets",
    "ImportManager",
    "ObjectStream",
    "Plan",
    "Client",
    "ServerConfiguration",
    "ServerStorageConfiguration",
]
FIELDS = ["ObjectInfo", "Commit", "PullRequest", "Run", "HookRun", "KeptTransaction", "BranchTransaction"]
FIELDS += ["Partition", "TransactionHandle"]
FUNCTIONS = (
    "admin",
    "copy",
    "dataset",
    "datasets",
    "files",
    "health_check",
    "import_external",
    "init",
    "ref",
    "repositories",
    "repository",
    "search",
    "snapshot_cache",
    "transfer",
)
RESULTS = DOCS / "reference" / "records.md"


def returned(function: Any) -> str:
    """The annotation of what a function returns, without the modules of its types."""
    found = re.sub(r"\b(builtins|models|config|io|lakefs)\.", "", str(inspect.signature(function).return_annotation))
    return "a handle of the same class" if found == "Self" else found


def test_the_page_of_results_names_every_call_with_what_it_returns() -> None:
    members = {name: getattr(lakefs_hl, name) for name in FUNCTIONS}
    for kind in HANDLES:
        for name, member in inspect.getmembers(getattr(lakefs_hl, kind), inspect.isfunction):
            if not name.startswith("_") and name != "open":  # a table of modes says what open() returns
                members[f"{kind}.{name}"] = member
    listed = {cells[0]: cells[1].replace("`", "") for cells in table(RESULTS, "call")}
    assert listed.keys() <= members.keys()
    assert listed == {name: returned(members[name]) for name in listed}
    documented = {members[name].__code__ for name in listed}
    missing = {name for name, member in members.items() if member.__code__ not in documented}
    assert not missing, f"add to {name_of(RESULTS)}: {sorted(missing)}"


@pytest.mark.parametrize("kind", FIELDS)
def test_the_page_of_results_names_every_field_with_its_type(kind: str) -> None:
    listed = dict[str, str]()
    for cells in table(RESULTS, f"`{kind}` field"):
        names, kinds = re.findall(r"\w+", cells[0]), re.findall(r"`([^`]+)`", cells[1])
        listed |= dict(zip(names, kinds * len(names) if len(kinds) == 1 else kinds, strict=True))
    found = inspect.getmembers(getattr(lakefs_hl, kind), lambda member: isinstance(member, property))
    assert listed == {name: returned(member.fget) for name, member in found if not name.startswith("_")}


def table(page: Path, first: str) -> Iterator[list[str]]:
    """The cells of a table's rows; a bar inside backticks does not end a cell."""
    inside = False
    for line in page.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in re.findall(r"((?:`[^`]*`|[^|`])*)\|", line.removeprefix("|"))]
        if not cells:
            inside = False
        elif cells[0] == first:
            inside = True
        elif inside and not set(line) <= set("|-: "):
            yield [cells[0].strip("`"), *cells[1:]]
