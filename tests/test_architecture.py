"""The rules of the architecture, checked on the source: who may import whom, how long things are, who may touch what.

Each rule is a function from modules to complaints, so that each is tried on a bad sample below: a rule that cannot
fail protects nothing. `docs/design/` says why the rooms are what they are.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

import pytest

PACKAGE = "lakefs_hl"
ROOT = Path(__file__).resolve().parent.parent / PACKAGE

# Lines of code: docstrings, comments and blanks are not counted.
MAX_MODULE, MAX_CLASS, MAX_FUNCTION, MAX_OP = 400, 250, 60, 40
#: Classes that were larger when the limit came. They may only shrink.
LARGER: dict[str, int] = {}

# Room -> what it may import from us besides itself. A room is the longest prefix of a module's name that stands here
# ("" is the package's own __init__). A module that stands nowhere may import nothing of ours, and nobody may import it.
ROOMS: dict[str, set[str]] = {
    "_version": set(),
    "_html": set(),
    "spec": set(),
    "ops": {"spec"},
    "transport": {"spec", "ops.effects", "ops.pace", "ops.paging"},
    "config": {"spec"},
    "aws": {"spec.errors", "spec.secret", "spec.sigv4", "config"},
    "_handles": {"spec", "ops", "types"},
    "_files": {"spec", "ops", "_handles", "_folders.found", "transport.blocking", "transport.aio"},
    "_progress": {"spec", "_handles", "config.display"},
    "_bulk": {
        "spec",
        "ops",
        "_handles",
        "_files",
        "_folders",
        "_progress",
        "transport.aio",
        "transport.blocking",
        "transport.deadlines",
    },
    "_folders": {"spec"},
    "_build": {"spec", "ops", "transport", "config", "aws"},
    "_sync": {
        "spec",
        "ops",
        "_handles",
        "_files",
        "_bulk",
        "_progress",
        "_build",
        "transport.blocking",
        "transport.forks",
        "transport.spans",
        "types",
        "facades._sync",
        "facades.graph",
        "facades.previews",
        "facades.tables",
        "filesystem",
        "integrations",
    },
    "exceptions": {"spec.errors"},
    "types": {
        "spec",
        "integrations.polars",
        "ops",
        "_handles",
        "_files",
        "_bulk.plan",
        "config",
        "facades.dataset_records",
        "facades.approvals",
        "facades.catalog",
        "facades.graph",
        "facades.hits",
        "facades.items",
        "facades.previews",
        "facades.records",
        "facades.results",
        "facades.schemas",
        "facades.tables",
    },
    "aio": {
        "spec",
        "ops",
        "_handles",
        "_files",
        "_bulk",
        "_progress",
        "_build",
        "_sync.default",
        "facades.aio",
        "facades.graph",
        "facades.previews",
        "facades.tables",
        "filesystem",
        "integrations",
        "transport.aio",
        "transport.blocking",
        "transport.spans",
        "types",
    },
    "facades": {"", "aio", "exceptions", "types", "compression", "_progress"},
    "compression": {"exceptions", "types", "_progress"},
    "filesystem": {"", "aio", "exceptions", "types"},
    "integrations": {"", "aio", "exceptions", "types", "filesystem", "facades.arguments"},
    "local.disk": set(),
    "local.tree": set(),
    "local.engine": {"spec", "local.tree", "local.disk", "local.keys"},
    "local.keys": {"spec", "local.disk"},
    "local.api": {"spec", "local.engine", "local.keys"},
    "local.serve": {"spec", "local.api", "local.disk.fs"},
    "local": {"spec", "local", "transport.inproc"},
    "cli": {"", "spec", "local", "config", "exceptions", "types", "_handles.amounts"},
    "torch": {"", "exceptions", "types"},
    "__main__": {"cli"},
    "pytest_plugin": {"", "exceptions", "_testing", "filesystem", "spec.secret"},
    "_testing": {"", "aio", "config", "exceptions", "local", "pytest_plugin", "spec"},
    "notebook": {"", "cli"},
    "": {"spec", "_handles", "_sync", "aio", "facades", "compression", "exceptions", "notebook", "types", "_version"},
}
# HTML of what a cell of a notebook may end with, which most rooms define, stands on nothing.
OPEN_TO_ALL = {"_version", "_html"}
# The exceptions, all by name: `_build.lake` imports the embedded lake, for an endpoint local: or mem:,
# `_handles.facades` the facade that a method such as `branch.files(...)` returns, and `_handles.libraries` what
# references hand to libraries of others. Facades and integrations stand on public names only.
BY_NAME = {("_build.lake", "local"), ("_handles.facades", "facades"), ("_handles.libraries", "integrations")}

# Room -> modules of others that it may never load. A trailing name is the exception to it.
FORBIDDEN: dict[str, set[str]] = {
    "spec": {"asyncio", "concurrent", "os", "pathlib", "random", "requests", "socket", "tempfile", "threading", "time"},
    "ops": {"asyncio", "concurrent", "os", "pathlib", "random", "socket", "tempfile", "threading", "time"},
    "_handles": {"asyncio", "concurrent", "random", "socket", "tempfile", "threading"},
    "_folders": {"asyncio", "concurrent", "http", "socket", "sqlite3"},
    "_build": {"asyncio", "socket", "sqlite3"},
    "_sync": {"asyncio", "socket", "sqlite3"},
    "aio": {"asyncio", "socket", "sqlite3"},
    "config": {"asyncio", "http", "socket", "sqlite3", "threading", "time"},
    "local.tree": {"asyncio", "os", "pathlib", "socket", "sqlite3", "tempfile", "threading", "time"},
    "local.engine": {"asyncio", "http", "socket", "sqlite3"},
    "local.api": {"asyncio", "os", "socket", "sqlite3"},
}
ALLOWED = {
    ("ops.retry", "threading"),  # the short lock of the retry budget
    ("spec.arguments", "os"),  # os.PathLike: takes paths, and opens none
}
# A library of others -> the only rooms, or modules, that may load it.
ONLY_IN: dict[str, set[str]] = {
    "apsw": {"local.disk", "_folders", "facades.index", "facades.jobs", "facades.snapshot_index"},
    "boto3": {"aws"},
    "botocore": {"aws", "integrations.options"},
    "click": {"cli"},
    "jsonschema": {"facades"},
    "fsspec": {"facades", "filesystem"},
    "lakefs_sdk": {"_build"},
    "pandas": {"_handles", "facades"},
    "pyarrow": {"facades", "integrations"},
    "polars": {"integrations"},
    "duckdb": {"integrations"},
    "opentelemetry": {"transport"},
    "pycurl": {"transport"},
    "torch": {"torch"},
    "tqdm": {"_progress"},
    "urllib3": {"transport"},
    "uvicorn": {"local.serve"},
    "yaml": {"config", "local.serve"},
}
BAD_NAMES = {"common", "helper", "helpers", "manager", "misc", "util", "utils"}
PUBLIC_MODULES = {
    "aio",
    "compression",
    "exceptions",
    "types",
}  # names of __all__ that are submodules because they mean the submodule


@dataclass
class Module:
    """One source file: its dotted name below the package ("" for the package itself) and its text."""

    name: str
    text: str
    is_package: bool = False
    siblings: frozenset[str] = field(default_factory=frozenset)

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """All nodes of the tree, which most rules look at."""
        return list(ast.walk(self.tree))

    @cached_property
    def room(self) -> str:
        parts = self.name.split(".")
        for end in range(len(parts), 0, -1):
            if ".".join(parts[:end]) in ROOMS:
                return ".".join(parts[:end])
        return self.name  # a module of no room: it may import nothing, and whoever imports it has to name it

    @cached_property
    def code_lines(self) -> set[int]:
        """Numbers of the lines that hold code."""
        layout = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
        lines: set[int] = set()
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type not in layout:
                lines.update(range(token.start[0], token.end[0] + 1))
        for node in self.nodes:
            if (
                isinstance(node, ast.Expr)
                and isinstance(node.value, ast.Constant)
                and isinstance(node.value.value, str)
            ):
                lines.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        return lines

    def size(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> int:
        return len(self.code_lines & set(range(node.lineno, (node.end_lineno or node.lineno) + 1)))

    def classes(self) -> Iterator[ast.ClassDef]:
        for node in self.nodes:
            if isinstance(node, ast.ClassDef):
                yield node

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        for node in self.nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node

    @cached_property
    def imports(self) -> list[tuple[int, str, str]]:
        """(line, absolute name, when) of every import; when is "load", "call" (in a function) or "types"."""
        return sorted(set(_imports(self.tree.body, "load", self)))


def _imports(body: list[ast.stmt], when: str, module: Module) -> Iterator[tuple[int, str, str]]:
    for node in body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, when
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module.name}:{node.lineno}: relative import"
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}", when
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from _imports(node.body, "types", module)
            yield from _imports(node.orelse, when, module)
        else:
            inner = "call" if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else when
            for name in ("body", "orelse", "finalbody", "handlers", "cases"):
                for child in getattr(node, name, []):
                    yield from _imports(child.body if not isinstance(child, ast.stmt) else [child], inner, module)
            yield from _by_name(node, module)


def _by_name(node: ast.stmt, module: Module) -> Iterator[tuple[int, str, str]]:
    """Imports through importlib.import_module("…"), which are imports all the same."""
    if any(hasattr(node, name) for name in ("body", "cases")):  # its own statements are walked one by one
        return
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("import_module") and call.args:
            target = call.args[0]
            if isinstance(target, ast.Constant) and isinstance(target.value, str):
                name = target.value
                if (module.name, name.removeprefix(f"{PACKAGE}.")) not in BY_NAME:
                    yield call.lineno, f"{name}.*", "call"


Modules = Mapping[str, Module]


@cache
def load() -> dict[str, Module]:
    modules = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        modules[name] = Module(name, path.read_text(encoding="utf-8"), is_package)
    return modules


def _target(imported: str, modules: Modules) -> str | None:
    """The module of ours that an imported name lies in; None for a module of others."""
    if imported.partition(".")[0] != PACKAGE:
        return None
    name = imported.removeprefix(PACKAGE).removeprefix(".")
    while name not in modules and name:
        name = name.rpartition(".")[0]
    return name


def _may(module: Module, target: Module) -> bool:
    same = target.room == module.room
    if same or target.room in OPEN_TO_ALL:
        return True
    names = {target.name, target.room}
    return any(
        names & {wanted} or (wanted and target.name.startswith(f"{wanted}."))
        for wanted in ROOMS.get(module.room, set())
    )


# ----------------------------------------------------------------------------------------------------------- the rules


def walls(modules: Modules) -> Iterator[str]:
    """A room imports what its row of the table allows."""
    for module in modules.values():
        for line, imported, _ in module.imports:
            name = _target(imported, modules)
            if name is not None and not _may(module, modules[name]):
                advice = "it is in no room: move it into one, or add a row to ROOMS"
                if module.room in ROOMS:
                    allowed = ", ".join(sorted(ROOMS[module.room])) or "nothing of ours"
                    advice = f"{module.room or PACKAGE} may import {allowed}"
                yield f"{module.name}:{line} imports {name or PACKAGE}: {advice}"


def foreign(modules: Modules) -> Iterator[str]:
    """What a room may never load, and what only some rooms may."""
    for module in modules.values():
        for line, imported, when in module.imports:
            top = imported.partition(".")[0]
            if when == "types":
                continue
            if top in FORBIDDEN.get(module.room, ()) and (module.name, top) not in ALLOWED:
                yield f"{module.name}:{line}: {module.room} may not load {top}"
            if top in ONLY_IN and not {module.room, module.name} & ONLY_IN[top]:
                yield f"{module.name}:{line}: only {', '.join(sorted(ONLY_IN[top]))} may load {top}"


def cycles(modules: Modules) -> Iterator[str]:
    """No module waits, while loading, for one that waits for it."""
    edges = {name: _edges(module, modules) for name, module in modules.items()}
    done: set[str] = set()

    def visit(name: str, way: list[str]) -> Iterator[str]:
        if name in way:
            yield " -> ".join([*way[way.index(name) :], name])
        elif name not in done:
            for other in sorted(edges[name]):
                yield from visit(other, [*way, name])
            done.add(name)

    for name in sorted(edges):
        yield from visit(name, [])


def _edges(module: Module, modules: Modules) -> set[str]:
    names = {_target(imported, modules) for _, imported, when in module.imports if when == "load"}
    return {name for name in names if name is not None and name != module.name}


def sizes(modules: Modules) -> Iterator[str]:
    """A module is one noun, a function one thought."""
    for module in modules.values():
        if len(module.code_lines) > MAX_MODULE:
            yield f"{module.name}: {len(module.code_lines)} lines of code, over {MAX_MODULE}: split it by noun"
        for kind in module.classes():
            limit = LARGER.get(f"{module.name}.{kind.name}", MAX_CLASS)
            if module.size(kind) > limit:
                yield f"{module.name}:{kind.lineno} {kind.name}: {module.size(kind)} lines of code, over {limit}"
        for node in module.functions():
            limit = MAX_OP if module.room == "ops" and _is_op(node) else MAX_FUNCTION
            if module.size(node) > limit:
                yield f"{module.name}:{node.lineno} {node.name}: {module.size(node)} lines of code, over {limit}"


def names(modules: Modules) -> Iterator[str]:
    """No room for odds and ends."""
    for module in modules.values():
        if set(module.name.split(".")) & BAD_NAMES:
            yield f"{module.name}: name the module by its noun, not {', '.join(sorted(BAD_NAMES))}"


def public_names(modules: Modules) -> Iterator[str]:
    """A lazy public name that a submodule bears too would turn into the module at the second look."""
    for module in modules.values():
        if not module.is_package:
            continue
        prefix = f"{module.name}." if module.name else ""
        submodules = {name.removeprefix(prefix) for name in modules if name and name.startswith(prefix)}
        for name in sorted((_all(module) & submodules) - PUBLIC_MODULES):
            yield f"{module.name or PACKAGE}: public name {name} is a submodule's name: rename the module"


def _all(module: Module) -> set[str]:
    for node in module.tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if [ast.unparse(target) for target in targets] == ["__all__"]:
                return set(ast.literal_eval(node.value))
    return set()


def forgotten_yield_from(modules: Modules) -> Iterator[str]:
    """A statement in ops that calls an op and drops it: nothing would happen, and nothing would say so."""
    ops = {
        (module.name, node.name)
        for module in modules.values()
        if module.room == "ops"
        for node in module.functions()
        if _is_op(node)
    }
    for module in modules.values():
        if module.room != "ops":
            continue
        known = _bound(module, modules)
        methods = {name for owner, name in ops if owner == module.name}
        for node in module.nodes:
            if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
                continue
            owner, _, name = ast.unparse(node.value.func).rpartition(".")
            if owner == "self":
                called = name in methods
            elif owner:
                called = (known.get(owner, ""), name) in ops
            else:
                called = (module.name, name) in ops or _split(known.get(name, "")) in ops
            if called:
                yield f"{module.name}:{node.lineno}: {ast.unparse(node.value.func)}(…) without `yield from`"


def _bound(module: Module, modules: Modules) -> dict[str, str]:
    """Name in the module -> dotted name below the package, for all that it imports from us."""
    found = {}
    for node in module.nodes:
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == PACKAGE:
            for alias in node.names:
                full = f"{node.module}.{alias.name}".removeprefix(f"{PACKAGE}.")
                found[alias.asname or alias.name] = full
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith(f"{PACKAGE}."):
                    found[alias.asname or alias.name] = alias.name.removeprefix(f"{PACKAGE}.")
    return found


def _split(dotted: str) -> tuple[str, str]:
    owner, _, name = dotted.rpartition(".")
    return owner, name


def _is_op(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    if node.returns is not None and ast.unparse(node.returns).strip("'\"").startswith(("Op[", "effects.Op[")):
        return True
    return any(isinstance(inner, ast.YieldFrom) for inner in _own(node))


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function, those of functions inside it left out."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from _own(child)


def printing(modules: Modules) -> Iterator[str]:
    """Only the command line prints."""
    for module, node in _calls(modules):
        if module.room not in {"cli", "__main__"} and ast.unparse(node.func) in {"print", "builtins.print"}:
            yield f"{module.name}:{node.lineno}: print outside cli"


def opening(modules: Modules) -> Iterator[str]:
    """Ops, spec, and the pure rooms of the lake open no file."""
    for module, node in _calls(modules):
        if module.room in {"spec", "ops", "local.tree"} and ast.unparse(node.func) == "open":
            yield f"{module.name}:{node.lineno}: {module.room} opens a file"


def _calls(modules: Modules) -> Iterator[tuple[Module, ast.Call]]:
    for module in modules.values():
        for node in module.nodes:
            if isinstance(node, ast.Call):
                yield module, node


def prose(modules: Modules) -> Iterator[str]:
    """No text of an error steers: `error.kind` does. A path in a message would be taken for the server's words."""
    for module in modules.values():
        if module.room not in {"ops", "_handles", "_build", "_sync", "aio"}:
            continue
        for node in module.nodes:
            if isinstance(node, ast.Compare) and any(isinstance(each, ast.In | ast.NotIn) for each in node.ops):
                for where in node.comparators:
                    text = ast.unparse(where)
                    if text.startswith("str(") or text.endswith((".args[0]", ".server_message")):
                        yield f"{module.name}:{node.lineno}: looks into {text}: compare error.kind"


def environment(modules: Modules) -> Iterator[str]:
    """Only config reads the environment and looks at the home folder."""
    attributes = {"environ", "environb", "getenv", "expanduser"}
    for module in modules.values():
        if module.room == "config":
            continue
        for node in module.nodes:
            line = getattr(node, "lineno", 0)
            if isinstance(node, ast.Attribute):
                if node.attr in attributes or (node.attr == "home" and ast.unparse(node.value).endswith("Path")):
                    yield f"{module.name}:{line}: {ast.unparse(node)} outside config"
            elif isinstance(node, ast.ImportFrom) and node.module in {"os", "os.path"}:
                for name in sorted({alias.name for alias in node.names} & attributes):
                    yield f"{module.name}:{line}: {name} outside config"


#: SQL in a text: a statement's verb and what follows it.
_SQL = re.compile(
    r"\b(SELECT\b.+\bFROM\b|INSERT( OR \w+)? INTO\b|UPDATE \w+ SET\b|DELETE FROM\b|PRAGMA \w"
    r"|(CREATE|ALTER|DROP) TABLE\b)",
    re.DOTALL,
)
_STATEMENTS = {"execute", "executemany", "row", "rows"}
#: Text that is SQL and no statement of ours: a file of the sample data.
_SQL_ALLOWED = {"local.engine.samples"}


def statements(modules: Modules) -> Iterator[str]:
    """SQL stands in the gateways of the tables and in the disk's own modules, and nowhere else."""
    for module in modules.values():
        if module.room == "local.disk" or not module.name.startswith("local"):
            continue
        for node in module.nodes:
            line = getattr(node, "lineno", 0)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and module.name not in _SQL_ALLOWED:
                if _SQL.search(node.value):
                    yield f"{module.name}:{line}: SQL outside local/disk/tables"
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _STATEMENTS:
                yield f"{module.name}:{line}: .{node.func.attr}(…) outside local/disk"


RULES: list[Callable[[Modules], Iterator[str]]] = [
    walls,
    foreign,
    cycles,
    sizes,
    names,
    public_names,
    forgotten_yield_from,
    printing,
    opening,
    prose,
    environment,
    statements,
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule.__name__))
def test_the_source_follows_every_rule(rule: Callable[[Modules], Iterator[str]]) -> None:
    modules = load()
    assert {"", "spec", "ops", "transport", "_sync.client"} <= set(modules), (
        "the walk found too little to mean anything"
    )
    complaints = list(rule(modules))
    assert not complaints, f"{rule.__doc__}\n" + "\n".join(complaints)


# ------------------------------------------------------------------------------------- each rule, tried on a bad sample

BIG = "x = [\n" + "1,\n" * MAX_MODULE + "]\n"
LONG = "def f():\n" + "    x = 1\n" * MAX_FUNCTION
LONG_CLASS = "class A:\n" + "    x = 1\n" * MAX_CLASS
LONG_OP = "def f() -> Op[int]:\n" + "    x = 1\n" * MAX_OP
TYPES_ONLY = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    "

BAD: list[tuple[Callable[[Modules], Iterator[str]], dict[str, str]]] = [
    (walls, {"spec.wire": "import lakefs_hl.ops.retry", "ops.retry": ""}),
    (walls, {"spec.wire": f"{TYPES_ONLY}from lakefs_hl.ops.retry import Session", "ops.retry": ""}),
    (walls, {"ops.retry": "def f():\n    from lakefs_hl import config", "config": ""}),
    (walls, {"transport.http": "from lakefs_hl.ops import retry", "ops.retry": "", "ops.effects": ""}),
    (walls, {"aio.objects": "from lakefs_hl.local import engine", "local.engine": ""}),
    (walls, {"aio.refs": "import importlib\nlocal = importlib.import_module('lakefs_hl.local')", "local": ""}),
    (walls, {"_handles.refs": "from lakefs_hl.transport import blocking", "transport.blocking": ""}),
    (walls, {"_sync.refs": "from lakefs_hl import aio", "aio": ""}),
    (
        walls,
        {
            "_handles.refs": "import importlib\nmade = importlib.import_module('lakefs_hl.facades.files')",
            "facades.files": "",
        },
    ),
    (walls, {"facades.files": "from lakefs_hl._handles import refs", "_handles.refs": ""}),
    (walls, {"stray": "from lakefs_hl.spec import wire", "spec.wire": ""}),
    (walls, {"_build.connection": "import importlib\nlake = importlib.import_module('lakefs_hl.local')", "local": ""}),
    (walls, {"config.chain": "from lakefs_hl._build import lake", "_build.lake": ""}),
    (walls, {"local.engine": "from lakefs_hl.local.api import app", "local.api": ""}),
    (walls, {"local.disk.fs": "from lakefs_hl.spec import errors", "spec.errors": ""}),
    (foreign, {"ops.retry": "import time"}),
    (prose, {"ops.retry": "def f(exc):\n    return 'no changes' in str(exc)"}),
    (prose, {"_build.client": "def f(exc):\n    return 'address' not in exc.server_message"}),
    (foreign, {"ops.objects": "from threading import Lock"}),
    (foreign, {"_build.client": "def f():\n    import urllib3"}),
    (foreign, {"aio.client": "import asyncio"}),
    (foreign, {"local.engine.refs": "import apsw"}),
    (cycles, {"aio.refs": "from lakefs_hl.aio import objects", "aio.objects": "from lakefs_hl.aio.refs import Branch"}),
    (cycles, {"ops.a": "import lakefs_hl.ops.b", "ops.b": "import lakefs_hl.ops.c", "ops.c": "import lakefs_hl.ops.a"}),
    (sizes, {"objects": BIG}),
    (sizes, {"objects": LONG}),
    (sizes, {"objects": LONG_CLASS}),
    (sizes, {"ops.objects": LONG_OP}),
    (names, {"ops.utils": ""}),
    (public_names, {"": "__all__ = ['repositories']", "repositories": ""}),
    (public_names, {"": "__all__: list[str] = ['repositories']", "repositories": ""}),
    (forgotten_yield_from, {"ops.a": "def f() -> Op[int]:\n    yield 1\ndef g():\n    f()"}),
    (
        forgotten_yield_from,
        {"ops.a": "def f():\n    yield from x", "ops.b": "from lakefs_hl.ops import a\ndef g():\n    a.f()"},
    ),
    (
        forgotten_yield_from,
        {"ops.a": "def f():\n    yield from x", "ops.b": "from lakefs_hl.ops.a import f as h\ndef g():\n    h(1)"},
    ),
    (forgotten_yield_from, {"ops.a": "class A:\n    def f(self) -> Op[int]: ...\n    def g(self):\n        self.f()"}),
    (printing, {"objects": "print('x')"}),
    (opening, {"ops.objects": "with open('x') as f: pass"}),
    (environment, {"client": "import os\nos.environ['X']"}),
    (environment, {"client": "from os import getenv"}),
    (environment, {"local.disk.fs": "import os\nos.path.expanduser('~')"}),
    (environment, {"local.disk.fs": "from pathlib import Path\nPath.home()"}),
    (environment, {"local.disk.fs": "Path('~/x').expanduser()"}),
    (statements, {"local.engine.refs": "x = 'SELECT a FROM b'"}),
    (statements, {"local.engine.refs": "x = f'DELETE FROM {table}'"}),
    (statements, {"local.api.refs": "def f(reader):\n    reader.row(x)"}),
    (statements, {"local.engine.refs": "writer.executemany(x, y)"}),
]

GOOD: list[dict[str, str]] = [
    {"": "__all__ = ['repositories']", "repos": ""},
    {"_build.lake": "import importlib\ndef f():\n    importlib.import_module('lakefs_hl.local')", "local": ""},
    {"_handles.facades": "import importlib\ndef f():\n    importlib.import_module('lakefs_hl.facades')", "facades": ""},
    {"facades.files": "import lakefs_hl", "": ""},
    {"aio.a": f"{TYPES_ONLY}from lakefs_hl.aio import b", "aio.b": "from lakefs_hl.aio import a"},
    {"aio.a": "def f():\n    from lakefs_hl.aio import b", "aio.b": "from lakefs_hl.aio import a"},
    {"ops.retry": "import threading"},
    {"ops.a": "def f() -> Op[int]:\n    yield 1\ndef g():\n    yield from f()\n    h(f())"},
    {"ops.a": '"""' + "words\n" * MAX_MODULE + '"""'},
    {"aio.refs": "from lakefs_hl._handles import refs", "_handles.refs": ""},
    {"cli.main": "print('x')"},
    {"config.cache": "import os\nos.environ.get('HOME')"},
    {"local.disk.tables.tags": "reader.row('SELECT head FROM tag')"},
    {"local.engine.tags": "x = 'select from a list'\ntags.find(reader)"},
]


def _sample(texts: dict[str, str]) -> dict[str, Module]:
    parents = {".".join(name.split(".")[:end]) for name in texts for end in range(len(name.split(".")))}
    found = {name: Module(name, "", is_package=True) for name in parents | {""}}
    found |= {name: Module(name, text, is_package=name in parents) for name, text in texts.items()}
    return found


@pytest.mark.parametrize(("rule", "texts"), BAD, ids=[f"{i}-{rule.__name__}" for i, (rule, _) in enumerate(BAD)])
def test_a_breach_is_found(rule: Callable[[Modules], Iterator[str]], texts: dict[str, str]) -> None:
    complaints = list(rule(_sample(texts)))
    assert len(complaints) == 1, complaints


@pytest.mark.parametrize("texts", GOOD, ids=range(len(GOOD)))
def test_what_is_allowed_is_not_reported(texts: dict[str, str]) -> None:
    modules = _sample(texts)
    assert [complaint for rule in RULES for complaint in rule(modules)] == []


def test_every_rule_has_a_breach_that_is_found() -> None:
    assert {rule.__name__ for rule, _ in BAD} == {rule.__name__ for rule in RULES}
