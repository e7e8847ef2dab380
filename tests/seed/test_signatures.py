"""Every class and signature of the seed against ours: names, order, defaults, bases, fields, words of a Literal.

What differs is a row of the table in `docs/explanation/seed.md`, and nothing else differs. Not differences, as they
break no call that the seed allows: keyword-only parameters with defaults, further members, further words of a mode.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
import typing
from collections.abc import Iterator
from datetime import timedelta
from fnmatch import fnmatchcase
from types import ModuleType
from typing import Any, NamedTuple

import pytest

import lakefs_hl
import lakefs_hl.aio
from tests.seed.text import ROOT, declarations, rows

PAGE = ROOT / "docs" / "explanation" / "seed.md"
NOTHING = "–"
DEFAULT_CLIENT = object()
SEED_NAMES = {"DefaultClient": DEFAULT_CLIENT, "timedelta": timedelta}
COLOURS = [lakefs_hl, lakefs_hl.aio]


class Deviation(NamedTuple):
    """Where ours is not what the seed says."""

    where: str
    seed: str
    ours: str


class Parameter(NamedTuple):
    """A positional parameter; `text` is how it is written, `default` what it stands for."""

    name: str
    text: str
    default: object


def seed_parameters(node: ast.FunctionDef) -> list[Parameter]:
    names = [arg.arg for arg in node.args.args]
    defaults: list[ast.expr | None] = [None] * (len(names) - len(node.args.defaults)) + list(node.args.defaults)
    found = []
    for name, default in zip(names, defaults, strict=True):
        if default is None:
            found.append(Parameter(name, name, inspect.Parameter.empty))
        else:
            value = eval(compile(ast.Expression(default), "seed", "eval"), SEED_NAMES)
            found.append(Parameter(name, f"{name}={ast.unparse(default)}", value))
    return [parameter for parameter in found if parameter.name != "self"]


def our_parameters(function: Any) -> tuple[list[Parameter], list[inspect.Parameter]]:
    """The positional ones, and all others."""
    positional, others = [], []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD:
            others.append(parameter)
        elif name != "self":
            required = parameter.default is inspect.Parameter.empty
            text = name if required else f"{name}={parameter.default!r}"
            positional.append(Parameter(name, text, parameter.default))
    return positional, others


def compare_signature(where: str, node: ast.FunctionDef, function: Any) -> Iterator[Deviation]:
    ours, others = our_parameters(function)
    if node.args.kwarg is not None:
        if not any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in others):
            yield Deviation(where, f"**{node.args.kwarg.arg}", "named parameters")
        return
    wanted = seed_parameters(node)
    for index in range(max(len(wanted), len(ours))):
        seed = wanted[index] if index < len(wanted) else None
        own = ours[index] if index < len(ours) else None
        if seed is None or own is None or (seed.name, seed.default) != (own.name, own.default):
            name = (seed or own or ours[0]).name
            yield Deviation(f"{where}({name})", seed.text if seed else NOTHING, own.text if own else NOTHING)
    for parameter in others:
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and parameter.default is inspect.Parameter.empty:
            yield Deviation(f"{where}({parameter.name})", NOTHING, f"{parameter.name}, required")


def literal_words(annotation: ast.expr | None, names: dict[str, Any]) -> set[str]:
    """The words of every Literal in an annotation; the seed writes some as calls."""
    words: set[str] = set()
    for node in ast.walk(annotation) if annotation is not None else ():
        if isinstance(node, ast.Subscript | ast.Call):
            kind = node.value if isinstance(node, ast.Subscript) else node.func
            if isinstance(kind, ast.Name) and kind.id == "Literal":
                words |= {n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
        elif isinstance(node, ast.Name) and typing.get_origin(names.get(node.id)) is typing.Literal:
            words |= set(typing.get_args(names[node.id]))
    return words


def our_words(kind: type, method: str, parameter: str) -> set[str]:
    """The words that any overload of a method takes for a parameter."""
    owner = next(base for base in kind.__mro__ if method in vars(base))
    # Not inspect.getsource: it looks for the class in its public module.
    module = inspect.getmodule(vars(owner)[method].__code__)
    assert module is not None
    tree = ast.parse(inspect.getsource(module))
    (definition,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == owner.__name__)
    return {
        word
        for node in ast.walk(definition)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == method
        for arg in [*node.args.args, *node.args.kwonlyargs]
        if arg.arg == parameter
        for word in literal_words(arg.annotation, vars(module))
    }


def missing_words(where: str, seed: set[str], ours: set[str]) -> Iterator[Deviation]:
    if not seed <= ours:
        yield Deviation(where, ", ".join(sorted(map(repr, seed - ours))), ", ".join(sorted(map(repr, ours - seed))))


def bases(kind: type, known: set[str]) -> list[str]:
    if issubclass(kind, tuple):
        return ["NamedTuple"] if hasattr(kind, "_fields") else ["tuple"]
    return [base.__name__ for base in kind.__bases__ if base.__name__ in known]


def compare_class(node: ast.ClassDef, kind: type, known: set[str], *, awaitable: bool) -> Iterator[Deviation]:
    wanted = [ast.unparse(base) for base in node.bases]
    if wanted != bases(kind, known):
        yield Deviation(f"{node.name} bases", ", ".join(wanted) or NOTHING, ", ".join(bases(kind, known)) or NOTHING)
    fields = [field for field in node.body if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)]
    names = [field.target.id for field in fields if isinstance(field.target, ast.Name)]
    if fields and list(getattr(kind, "_fields", ())) != names:
        yield Deviation(f"{node.name} fields", ", ".join(names), ", ".join(getattr(kind, "_fields", ())) or NOTHING)
    for name, field in zip(names, fields, strict=True):
        if literal_words(field.annotation, {}):
            hint = typing.get_type_hints(kind)[name]
            ours = set(typing.get_args(hint))
            yield from missing_words(f"{node.name}.{name} words", literal_words(field.annotation, {}), ours)
    for method in node.body:
        if isinstance(method, ast.FunctionDef):
            yield from compare_method(node.name, method, kind, awaitable=awaitable)


def compare_method(owner: str, node: ast.FunctionDef, kind: type, *, awaitable: bool) -> Iterator[Deviation]:
    where, name = f"{owner}.{node.name}", node.name
    if awaitable and name in ("__enter__", "__exit__"):
        name = f"__a{name[2:]}"
    member = inspect.getattr_static(kind, name, None)
    if member is None:
        yield Deviation(where, "method", NOTHING)
    elif isinstance(member, property):
        yield Deviation(where, "method", "property")
    else:
        yield from compare_signature(where, node, getattr(kind, name))
        for arg in node.args.args:
            words = literal_words(arg.annotation, {})
            if words:
                yield from missing_words(f"{where}({arg.arg}) words", words, our_words(kind, name, arg.arg))


def deviations(module: ModuleType) -> list[Deviation]:
    nodes = declarations()
    known = {node.name for node in nodes}
    found: list[Deviation] = []
    for node in nodes:
        own = getattr(module, node.name, None)
        if own is None:
            found.append(Deviation(node.name, "there", NOTHING))
        elif isinstance(node, ast.ClassDef):
            found += compare_class(node, own, known, awaitable=module is lakefs_hl.aio)
        else:
            found += compare_signature(node.name, node, own)
    return found


def listed() -> list[Deviation]:
    return [Deviation(*cells[:3]) for cells in rows(PAGE, "where")]


def fits(row: Deviation, found: Deviation) -> bool:
    return fnmatchcase(found.where, row.where) and (row.seed, row.ours) == (found.seed, found.ours)


def test_the_declarations_of_the_seed_are_found() -> None:
    nodes = {node.name: node for node in declarations()}
    assert len(nodes) == 16  # 15 classes and init
    branch = nodes["Branch"]
    assert isinstance(branch, ast.ClassDef)
    assert sum(isinstance(node, ast.FunctionDef) for node in branch.body) == 9
    assert all(isinstance(node, ast.ClassDef) for node in nodes.values() if node.name != "init")


@pytest.mark.parametrize("module", COLOURS, ids=lambda module: module.__name__)
def test_every_deviation_is_listed_on_the_page(module: ModuleType) -> None:
    table = listed()
    unlisted = [found for found in deviations(module) if not any(fits(row, found) for row in table)]
    assert not unlisted, "\n".join(f"| `{d.where}` | `{d.seed}` | `{d.ours}` |" for d in unlisted)


@pytest.mark.parametrize("module", COLOURS, ids=lambda module: module.__name__)
def test_every_row_of_the_page_is_true(module: ModuleType) -> None:
    found = deviations(module)
    assert [row for row in listed() if not any(fits(row, one) for one in found)] == []


@pytest.mark.parametrize("module", COLOURS, ids=lambda module: module.__name__)
def test_a_commit_cannot_be_written(module: ModuleType) -> None:
    commit = module.repository("example", client=module.Client("mem://")).commit("abc123")
    for name in vars(module.WriteIOBase):
        if not name.startswith("_") and name not in vars(module.ReadIOBase):
            assert not hasattr(commit, name), name


def _tree(text: str) -> ast.ClassDef:
    node = ast.parse(textwrap.dedent(text)).body[0]
    assert isinstance(node, ast.ClassDef)
    return node


class Sample:
    """What the comparison is tried on."""

    def kept(self, a: str, b: int = 1, *, more: bool = False) -> None: ...

    def renamed(self, x: str) -> None: ...

    def swapped(self, b: str, a: str) -> None: ...

    def other(self, a: int = 2) -> None: ...

    def longer(self, a: str, b: str = "") -> None: ...

    def shorter(self) -> None: ...

    def demanding(self, *, a: str) -> None: ...

    @property
    def value(self) -> int:
        return 1


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("kept(self, a: str, b: int = 1)", []),
        ("renamed(self, a: str)", [("Sample.renamed(a)", "a", "x")]),
        ("swapped(self, a: str, b: str)", [("Sample.swapped(a)", "a", "b"), ("Sample.swapped(b)", "b", "a")]),
        ("other(self, a: int = 1)", [("Sample.other(a)", "a=1", "a=2")]),
        ("other(self, a: int)", [("Sample.other(a)", "a", "a=2")]),
        ("longer(self, a: str)", [("Sample.longer(b)", NOTHING, "b=''")]),
        ("shorter(self, a: str)", [("Sample.shorter(a)", "a", NOTHING)]),
        ("demanding(self)", [("Sample.demanding(a)", NOTHING, "a, required")]),
        ("value(self)", [("Sample.value", "method", "property")]),
        ("missing(self)", [("Sample.missing", "method", NOTHING)]),
        ("kept(self, a: Literal['x'], b: int = 1)", [("Sample.kept(a) words", "'x'", "")]),
    ],
)
def test_a_deviation_is_found(method: str, expected: list[tuple[str, str, str]]) -> None:
    node = _tree(f"class Sample:\n    def {method}: ...\n")
    assert list(compare_class(node, Sample, {"Sample"}, awaitable=False)) == [Deviation(*row) for row in expected]


def test_a_deviation_of_bases_and_fields_is_found() -> None:
    node = _tree("class Point(NamedTuple):\n    x: int\n    kind: Literal(['a', 'b,'])\n")

    class Point(NamedTuple):
        kind: typing.Literal["a", "b"]
        x: int

    found = list(compare_class(node, Point, {"Point"}, awaitable=False))
    assert found == [Deviation("Point fields", "x, kind", "kind, x"), Deviation("Point.kind words", "'b,'", "'b'")]
    assert list(compare_class(_tree("class Sample(Point): ..."), Sample, {"Point"}, awaitable=False)) == [
        Deviation("Sample bases", "Point", NOTHING)
    ]
