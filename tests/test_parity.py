"""The awaitable face has the names, signatures and defaults of the blocking one; what differs is listed here."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import aio

CLASSES = [name for name in aio.__all__ if isinstance(getattr(lakefs_hl, name), type)]
FUNCTIONS = [name for name in aio.__all__ if inspect.isfunction(getattr(lakefs_hl, name))]
#: The same object in both: a plain record.
RECORDS = {"Change", "CollectReport", "DeleteReport"}
#: Names of one colour only, and why.
ONLY_BLOCKING: dict[str, set[str]] = {
    "Client": {"__enter__", "__exit__"},
    "BranchTransaction": {"__enter__", "__exit__"},
}
ONLY_AIO: dict[str, set[str]] = {
    "Client": {"__aenter__", "__aexit__"},
    "BranchTransaction": {"__aenter__", "__aexit__"},
    "ObjectInfo": {"load"},  # a property cannot wait: an object made by hand is loaded first
}
#: Methods that make no request, so that there is nothing to wait for: they give handles, or look at what is there.
PLAIN = {
    "Repository.commit", "__init__",
    "add", "branch", "count", "explain_auth", "handle", "import_from", "index", "is_dir",
    "is_file", "ref", "result", "ServerConfiguration.storage_config", "tag", "transaction", "with_options",
}  # fmt: skip
#: Listings: an iterator here, an asynchronous one there. They are no coroutines, so that arguments are checked at once.
LISTINGS = {
    "branches", "diff", "list_branches", "list_objects", "list_tags", "list_uncommitted", "log", "repositories", "tags",
    "transactions",
}  # fmt: skip
#: `await branch.open(...)` and `async with branch.open(...)` both work: it gives something that is either.
OPENINGS = {"open"}


def members(kind: type) -> set[str]:
    special = ("__init__", "__enter__", "__exit__", "__aenter__", "__aexit__", "__eq__", "__hash__", "__reduce__")
    return {name for name in dir(kind) if not name.startswith("_") or name in special or name == "_repr_html_"}


def parameters(function: Any) -> list[tuple[str, Any, Any, str]]:
    found = inspect.signature(function).parameters.values()
    return [(one.name, one.kind, one.default, str(one.annotation)) for one in found]


def returned(function: Any) -> str:
    return str(inspect.signature(function).return_annotation)


def pairs() -> list[tuple[str, str]]:
    return [
        (kind, name)
        for kind in CLASSES
        if kind not in RECORDS
        for name in sorted(members(getattr(lakefs_hl, kind)) & members(getattr(aio, kind)))
    ]


def test_the_same_names_are_public() -> None:
    assert set(lakefs_hl.__all__) - set(aio.__all__) == {"__version__", "aio", "exceptions", "types"}
    assert set(aio.__all__) <= set(lakefs_hl.__all__)
    assert len(CLASSES) > 15


def test_there_is_something_to_compare() -> None:
    assert len(pairs()) > 150


@pytest.mark.parametrize("kind", sorted(RECORDS))
def test_records_are_shared(kind: str) -> None:
    assert getattr(lakefs_hl, kind) is getattr(aio, kind)


@pytest.mark.parametrize("kind", [kind for kind in CLASSES if kind not in RECORDS])
def test_a_class_has_the_members_of_its_twin(kind: str) -> None:
    ours, theirs = members(getattr(lakefs_hl, kind)), members(getattr(aio, kind))
    assert ours - theirs == ONLY_BLOCKING.get(kind, set())
    assert theirs - ours == ONLY_AIO.get(kind, set())


@pytest.mark.parametrize("kind", [kind for kind in CLASSES if kind not in RECORDS])
def test_a_class_has_the_bases_of_its_twin(kind: str) -> None:
    ours = [base.__name__ for base in getattr(lakefs_hl, kind).__mro__ if base.__name__ in CLASSES]
    theirs = [base.__name__ for base in getattr(aio, kind).__mro__ if base.__name__ in CLASSES]
    assert ours == theirs


@pytest.mark.parametrize(("kind", "name"), pairs())
def test_a_member_is_that_of_its_twin(kind: str, name: str) -> None:
    ours = inspect.getattr_static(getattr(lakefs_hl, kind), name)
    theirs = inspect.getattr_static(getattr(aio, kind), name)
    assert type(ours) is type(theirs)
    if not inspect.isfunction(ours):
        return  # a property, or an attribute of a record
    assert parameters(ours) == parameters(theirs)
    if name.startswith("_") or PLAIN & {name, f"{kind}.{name}"}:
        assert not inspect.iscoroutinefunction(theirs)
        assert returned(ours) == returned(theirs)
    elif name in LISTINGS:
        assert not inspect.iscoroutinefunction(theirs)
        assert returned(theirs) == f"Async{returned(ours)}"
    elif name in OPENINGS:
        assert returned(theirs).startswith("Opening")
    else:
        assert inspect.iscoroutinefunction(theirs)
        assert returned(ours) == returned(theirs)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_that_of_its_twin(name: str) -> None:
    ours, theirs = getattr(lakefs_hl, name), getattr(aio, name)
    assert parameters(ours) == parameters(theirs)
    assert not inspect.iscoroutinefunction(theirs)
    assert returned(theirs) == (f"Async{returned(ours)}" if name in LISTINGS else returned(ours))


@pytest.mark.parametrize(("kind", "name"), pairs())
def test_an_awaitable_member_has_the_words_of_its_twin(kind: str, name: str) -> None:
    ours, theirs = getattr(getattr(lakefs_hl, kind), name), getattr(getattr(aio, kind), name)
    if not name.startswith("_"):
        assert theirs.__doc__, f"aio.{kind}.{name} has no docstring"
        assert ours.__doc__, f"{kind}.{name} has no docstring"


def test_init_takes_what_the_client_takes() -> None:
    for module in (lakefs_hl, aio):
        assert parameters(module.init) == parameters(module.Client.__init__)[1:]
