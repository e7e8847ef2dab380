"""Both colours have the same names, signatures, annotations, defaults and words; what differs is listed here."""

from __future__ import annotations

import dataclasses
import inspect
import re
import typing
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import aio

CLASSES = [name for name in aio.__all__ if isinstance(getattr(lakefs_hl, name), type)]
FUNCTIONS = [name for name in aio.__all__ if inspect.isfunction(getattr(lakefs_hl, name))]
#: The same object in both: a plain record.
RECORDS = {"Change", "CollectReport", "DeleteReport", "ExpiryReport", "GetResult", "RepositoryInfo", "TransferReport"}
RECORDS |= {"SignedURL", "TableDiff", "Usage"}
RECORDS |= {"Review", "SignedURL", "Usage"}
RECORDS |= {"BucketCredentials", "GCRules", "PersistentCredentials", "SignedURL", "TemporaryToken", "Usage"}
#: References are mappings in the blocking colour only: nothing could await `ref["a.csv"]`.
MAPPING = {"__getitem__", "__contains__", "__iter__"}
#: Libraries that only make sense for blocking code.
LIBRARIES = {"arrow_dataset", "arrow_filesystem", "duckdb", "polars"}
#: Names of one colour only, and why.
ONLY_BLOCKING: dict[str, set[str]] = {
    "ReadIOBase": LIBRARIES,
    "WriteIOBase": LIBRARIES,
    "Reference": MAPPING | LIBRARIES,
    "Files": {*MAPPING, "__setitem__", "__delitem__"},
    "Datasets": {"__iter__"},
    "ObjectHandle": {"__getitem__"},
    "Commit": MAPPING | LIBRARIES,
    "Tag": MAPPING | LIBRARIES,
    "Branch": {*MAPPING, *LIBRARIES, "__setitem__", "__delitem__"},
    "TransactionHandle": LIBRARIES,
    "Client": {"__enter__", "__exit__"},
    "BranchTransaction": {*LIBRARIES, "__enter__", "__exit__"},
    "Listing": {"__enter__", "__exit__", "__iter__", "__next__"},
    "ObjectStream": {"__enter__", "__exit__", "__iter__", "__next__"},
}
ONLY_AIO: dict[str, set[str]] = {
    "Client": {"__aenter__", "__aexit__"},
    "BranchTransaction": {"__aenter__", "__aexit__"},
    "Listing": {"__aenter__", "__aexit__", "__aiter__", "__anext__"},
    "ObjectStream": {"__aenter__", "__aexit__", "__aiter__", "__anext__"},
    "Files": {"__aiter__"},
    "Datasets": {"__aiter__"},
    "ObjectInfo": {"load"},  # a property cannot wait: an object made by hand is loaded first
}
#: Methods that send no request, so that there is nothing to await: they return handles, or what is known already.
PLAIN = {
    "Repository.commit", "__init__", "add", "branch", "count", "explain_auth", "handle", "import_from", "index",
    "CommonPrefix.is_dir", "CommonPrefix.is_file", "ObjectInfo.is_dir", "ObjectInfo.is_file", "pull_request", "ref",
    "Repository.run", "result", "ServerConfiguration.storage_config", "stream", "tag", "to_dict", "transaction",
    "with_options", "fs", "load", "save", "scoped", "keys", "files", "object", "snapshot_cache", "spark_conf",
    "storage_options",
    "Admin.gc_rules", "admin", "CredentialsAdmin.list",
    "Files.abspath", "Files.basename", "Files.dirname", "Files.flat", "Files.join", "Files.list",
}  # fmt: skip
#: Methods that return the twin of what the blocking one returns: another class, with words of its own.
OTHER = {"fs"}
#: Listings are no coroutines, so that arguments are checked at once.
LISTINGS = {
    "blame", "branches", "diff", "glob", "history", "hooks", "iter_usage", "list_branches", "list_objects", "list_tags",
    "list_uncommitted", "log", "Partition.objects", "pull_requests", "repositories", "runs", "snapshots", "tags",
    "transactions",
}  # fmt: skip
#: `await branch.open(...)` and `async with branch.open(...)` both work: it returns something that is either.
#: Iterators of plain texts, which are no listings.
ITERATORS = {"flat", "list"}
OPENINGS = {"open", "reader", "writer"}
#: Words of docstrings and annotations that differ, and become one before they are compared.
WORDS = [
    (r"\bfrom lakefs_hl import aio as lakefs\b", "import lakefs_hl as lakefs"),
    (r"\ban `async with`", "a `with`"),
    (r"\basync (with|for|def)\b", r"\1"),
    (r"\(await ([^()]*(?:\([^()]*(?:\([^()]*\)[^()]*)*\)[^()]*)*)\)\.", r"\1."),
    (r"\bawait ", ""),
    (r"\b__aenter__\b", "__enter__"),
]


SPECIAL = {
    "__init__", "__enter__", "__exit__", "__aenter__", "__aexit__", "__eq__", "__hash__", "__reduce__", "__iter__",
    "__next__", "__aiter__", "__anext__", "_repr_html_", "__getitem__", "__setitem__", "__delitem__", "__contains__",
}  # fmt: skip


def members(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_") or name in SPECIAL}


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
    assert set(lakefs_hl.__all__) - set(aio.__all__) == {"__version__", "aio", "compression", "exceptions", "types"}
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
    if isinstance(ours, property):
        ours, theirs = ours.fget, theirs.fget
        assert returned(ours) == returned(theirs)
        return
    if not inspect.isfunction(ours) or (kind, name) == ("Listing", "__init__"):
        return  # an attribute of a record; what a call makes a listing of
    assert parameters(ours) == parameters(theirs)
    plain = (
        name.startswith("_")
        or bool(PLAIN & {name, f"{kind}.{name}"})
        or bool({name, f"{kind}.{name}"} & (LISTINGS | OPENINGS))
    )
    assert inspect.iscoroutinefunction(theirs) is not plain
    if name in OTHER:
        assert returned(theirs) == returned(ours).replace("LakeFS", "LakeFSAsync")
    elif name in ITERATORS and kind != "CredentialsAdmin":  # whose list() is a listing
        assert returned(theirs) == f"Async{returned(ours)}"
    elif name in OPENINGS:
        assert returned(theirs).startswith("fileio.Opening") or returned(theirs) == "Any"
    else:
        assert returned(ours) == returned(theirs)


def test_a_listing_is_typed_by_what_it_lists() -> None:
    for kind, name in pairs():
        member = getattr(getattr(aio, kind), name)
        if name in LISTINGS and inspect.isfunction(member):  # `ObjectInfo.tags` is a property
            assert returned(member).startswith("Listing[")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_that_of_its_twin(name: str) -> None:
    ours, theirs = getattr(lakefs_hl, name), getattr(aio, name)
    if name == "background":  # a future of a thread, or a task
        assert [*inspect.signature(ours).parameters] == [*inspect.signature(theirs).parameters]
        assert (ours.__module__, theirs.__module__) == ("lakefs_hl", "lakefs_hl.aio")
        return
    assert parameters(ours) == parameters(theirs)
    waits = name in {"copy", "health_check", "import_external", "search", "transfer"}  # the others send no request
    assert inspect.iscoroutinefunction(theirs) is waits
    assert returned(theirs) == returned(ours)
    assert words(ours) == words(theirs)
    assert (ours.__module__, theirs.__module__) == ("lakefs_hl", "lakefs_hl.aio")


def words(thing: Any) -> str:
    found = inspect.cleandoc(thing.__doc__ or "")
    for awaited, blocking in WORDS:
        found = re.sub(awaited, blocking, found)
    return " ".join(found.split())


@pytest.mark.parametrize(("kind", "name"), pairs())
def test_a_member_has_the_words_of_its_twin(kind: str, name: str) -> None:
    ours, theirs = getattr(getattr(lakefs_hl, kind), name), getattr(getattr(aio, kind), name)
    if not name.startswith("_"):
        assert words(ours), f"{kind}.{name} has no docstring"
        assert (words(ours) == words(theirs)) is (name not in OTHER)


@pytest.mark.parametrize("kind", [kind for kind in CLASSES if kind not in RECORDS])
def test_a_class_is_at_home_in_its_package(kind: str) -> None:
    ours, theirs = getattr(lakefs_hl, kind), getattr(aio, kind)
    assert (ours.__module__, theirs.__module__) == ("lakefs_hl", "lakefs_hl.aio")
    assert not issubclass(ours, theirs)
    assert not issubclass(theirs, ours)
    assert words(ours) == words(theirs)


def test_init_takes_what_the_client_takes() -> None:
    for module in (lakefs_hl, aio):
        assert parameters(module.init) == parameters(module.Client.__init__)[1:]


@pytest.mark.parametrize("module", [lakefs_hl, aio], ids=["blocking", "aio"])
@pytest.mark.parametrize("kind", sorted({*RECORDS, "ImportResult", "ObjectVersion"} - {"TableDiff"}))
def test_the_hints_of_records_can_be_resolved(module: Any, kind: str) -> None:
    """`__module__` is the public package, whose namespace does not have the names of the annotations."""
    record = getattr(module, kind)
    fields = record._fields if issubclass(record, tuple) else [one.name for one in dataclasses.fields(record)]
    hints = typing.get_type_hints(record)
    assert {name for name, hint in hints.items() if typing.get_origin(hint) is not typing.ClassVar} == set(fields)
