"""`lakefs_hl.types`: every type that a public call takes or returns can be imported from a public module."""

from __future__ import annotations

import ast
import importlib
import inspect
import pickle
import sys
import types as kinds
import typing
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import aio, filesystem, types
from lakefs_hl.spec import models

PUBLIC = {id(getattr(module, name)) for module in (lakefs_hl, aio, types, filesystem) for name in module.__all__}
#: Packages of others whose types a call takes or returns: `Client.sdk_client`, `Listing.to_pandas`, `TableDiff.added`
#: and `Reference.duckdb`, whose connection is of a compiled module.
FOREIGN = {"lakefs_sdk", "pandas", "pyarrow", "_duckdb"}


@cache
def namespace(module: str) -> dict[str, Any]:
    """Names of a module, with those that only type checkers import."""
    found = dict(vars(importlib.import_module(module)))
    path = Path(str(importlib.import_module(module).__file__))
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            imports = [each for each in ast.walk(node) if isinstance(each, ast.Import | ast.ImportFrom)]
            for each in imports:
                exec(compile(ast.Module([each], []), str(path), "exec"), found)
    return found


#: Aliases are texts, which name what their own modules import.
ALIASES = {**namespace("lakefs_hl._files.bodies"), **namespace("lakefs_hl._files.asynchronous")}
ALIASES["bodies"] = kinds.SimpleNamespace(Data=eval(str(types.Data), namespace("lakefs_hl._files.bodies")))
#: Classes that users do not construct: calls return them.
RETURNED = {
    "Bisection",
    "CommitGraph",
    "Datasets",
    "Files",
    "HookRun",
    "KeptTransaction",
    "Listing",
    "ObjectHandle",
    "Plan",
    "PresignedUpload",
    "Preview",
    "TableDiff",
}


def calls(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """Every public function, method and property."""
    for name in module.__all__:
        public = getattr(module, name)
        if inspect.isfunction(public):
            yield name, public
        elif isinstance(public, type):
            for member in dir(public):
                value = inspect.getattr_static(public, member)
                function = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
                made = member in ("__init__", "__enter__") and name not in RETURNED
                if inspect.isfunction(function) and (member[0] != "_" or made):
                    yield f"{name}.{member}", function
                    for overload in typing.get_overloads(function):
                        yield f"{name}.{member}", overload


def unfold(hint: Any) -> Iterator[type]:
    """The classes in an annotation."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return
    if isinstance(origin, type) and origin is not kinds.UnionType:
        yield origin
    for one in arguments:
        yield from (found for item in (one if isinstance(one, list) else [one]) for found in unfold(item))
    if origin is None and isinstance(hint, type):
        yield hint


def is_importable(kind: type) -> bool:
    """Whether users find a class: public here, a base of something public, of the standard library, or of others."""
    top = kind.__module__.partition(".")[0]
    if id(kind) in PUBLIC or top in sys.stdlib_module_names or top in FOREIGN | {"typing_extensions"}:
        return True
    # What both colours share is public as its subclass of each colour: an ObjectInfo, a Branch, a Tag.
    return any(
        issubclass(found, kind) for found in map(lakefs_hl.__dict__.get, lakefs_hl.__all__) if isinstance(found, type)
    )


def missing(module: ModuleType) -> Iterator[str]:
    for name, function in calls(module):
        source = sys.modules[function.__globals__["__name__"]].__name__
        hints = typing.get_type_hints(function, {**ALIASES, **namespace(source)}, {})
        for parameter, hint in hints.items():
            for kind in unfold(hint):
                if not is_importable(kind):
                    yield f"{name}({parameter}): {kind.__module__}.{kind.__qualname__}"


@pytest.mark.parametrize("module", [lakefs_hl, aio], ids=lambda module: module.__name__)
def test_every_type_of_a_call_is_public(module: ModuleType) -> None:
    assert len(list(calls(module))) > 150
    unknown = sorted(set(missing(module)))
    assert not unknown, f"add to lakefs_hl/types.py and docs/reference/types.md, or take another type: {unknown}"


def test_a_type_that_is_not_public_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.test_types.PUBLIC", PUBLIC - {id(types.Health), id(types.ObjectWriter)})
    found = " ".join(missing(lakefs_hl))
    assert "Client.health_check(return): lakefs_hl.ops.server.Health" in found
    assert "ObjectWriter" in found


RECORDS: dict[str, Any] = {
    "RepositoryRecord": models.Repository("r", 1, "main", "local://r"),
    "CommitRecord": models.Commit("c"),
    "ObjectError": models.ObjectError(404, "not found", "a"),
    "Health": types.Health(ok=True),
}


@pytest.mark.parametrize("name", RECORDS)
def test_records_are_pickled_under_a_name_that_stays(name: str) -> None:
    record = RECORDS[name]
    assert type(record) is getattr(types, name)
    data = pickle.dumps(record)
    assert pickle.loads(data) == record
    home = {"Health": b"lakefs_hl.ops.server"}.get(name, b"lakefs_hl.spec.models")
    assert home in data  # pickles that exist name it


def test_importing_the_module_loads_none_of_the_types() -> None:
    import subprocess

    code = "import sys, lakefs_hl.types; assert not {'asyncio', 'tempfile', 'msgspec'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
