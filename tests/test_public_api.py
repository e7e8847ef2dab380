"""What `import lakefs_hl` offers: the names, sorted, lazy, documented, and nothing by accident."""

from __future__ import annotations

import importlib
import inspect
import os
import pickle
import pkgutil
import pydoc
import subprocess
import sys
import traceback
import typing
from types import ModuleType

import pytest

import lakefs_hl
from lakefs_hl import aio, compression, exceptions, types
from lakefs_hl.spec import errors

PUBLIC = [
    "Admin",
    "Bisection",
    "BlameEntry",
    "Branch",
    "BranchTransaction",
    "BucketCredentials",
    "Change",
    "Client",
    "CollectReport",
    "Commit",
    "CommonPrefix",
    "CredentialsAdmin",
    "Dataset",
    "Datasets",
    "DeleteReport",
    "ExpiryReport",
    "Files",
    "GCRules",
    "GCRulesAdmin",
    "GetResult",
    "HookRun",
    "ImportManager",
    "ImportResult",
    "KeptTransaction",
    "Listing",
    "ObjectHandle",
    "ObjectInfo",
    "ObjectStream",
    "ObjectVersion",
    "Partition",
    "PersistentCredentials",
    "Plan",
    "PresignedUpload",
    "PullRequest",
    "ReadIOBase",
    "Reference",
    "Repository",
    "RepositoryInfo",
    "Review",
    "Run",
    "ServerConfiguration",
    "ServerStorageConfiguration",
    "SignedURL",
    "SnapshotCache",
    "TableDiff",
    "Tag",
    "TemporaryToken",
    "TransactionHandle",
    "TransferReport",
    "Usage",
    "WriteIOBase",
    "__version__",
    "admin",
    "aio",
    "background",
    "compression",
    "copy",
    "dataset",
    "datasets",
    "exceptions",
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
    "types",
]
#: Names that are submodules because they mean the submodule.
MODULES = {"aio", "compression", "exceptions", "types"}


def test_the_public_names_are_those_of_the_list() -> None:
    assert lakefs_hl.__all__ == PUBLIC
    assert aio.__all__ == [name for name in PUBLIC if name not in MODULES | {"__version__"}]


@pytest.mark.parametrize("module", [lakefs_hl, aio, compression, exceptions, types], ids=lambda module: module.__name__)
def test_all_is_sorted_and_true(module: ModuleType) -> None:
    assert list(module.__all__) == sorted(module.__all__)
    assert len(set(module.__all__)) == len(module.__all__)
    for name in module.__all__:
        assert getattr(module, name) is not None
        assert name in dir(module)


@pytest.mark.parametrize("module", [lakefs_hl, aio], ids=lambda module: module.__name__)
def test_the_default_client_is_there_but_neither_starred_nor_listed(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever takes or looks at every name would look for credentials, and freeze what was found."""
    monkeypatch.setitem(vars(module), "DefaultClient", None)
    assert "DefaultClient" not in dir(module)
    assert "DefaultClient" not in module.__all__


@pytest.mark.parametrize("module", [lakefs_hl, aio])
def test_an_unknown_name_is_an_attribute_error(module: ModuleType) -> None:
    with pytest.raises(AttributeError, match="no attribute 'Repostiory'") as caught:
        _ = module.Repostiory
    assert (caught.value.name, caught.value.obj) == ("Repostiory", module)
    with pytest.raises(ImportError):
        exec("from lakefs_hl import nothing_like_it")


def test_a_name_is_looked_up_once() -> None:
    assert lakefs_hl.Branch is lakefs_hl.Branch
    assert "Branch" in vars(lakefs_hl)


LOOK_UP = """
import os, sys
import asyncio, msgspec, urllib3  # not ours: so each child has to import less

assert not any(name.startswith("lakefs_hl") for name in sys.modules)
failed = []
for name in sys.argv[1:]:
    pid = os.fork()
    if not pid:
        code = 1
        try:
            exec(f"import lakefs_hl; found = lakefs_hl.{name}; from lakefs_hl import {name}; assert found is {name}")
            code = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(code)
    if os.waitpid(pid, 0)[1]:
        failed.append(name)
sys.exit(f"not to be looked up first: {failed}" if failed else 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_any_public_name_can_be_looked_up_first() -> None:
    """Each in a process of its own that has nothing of ours, so that no order of imports is needed and no cycle hides.

    An interpreter for each took eight seconds of the processor.
    """
    command = [sys.executable, "-W", "error", "-c", LOOK_UP, *PUBLIC]
    done = subprocess.run(command, check=False, timeout=100, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", [name for name in PUBLIC if not name.startswith("__")])
def test_everything_public_is_documented(name: str) -> None:
    found = getattr(lakefs_hl, name)
    assert pydoc.getdoc(found)
    if isinstance(found, type):
        for member, value in vars(found).items():
            if not member.startswith("_") and (inspect.isfunction(value) or isinstance(value, property)):
                assert value.__doc__, f"{name}.{member} has no docstring"


def test_every_error_is_public() -> None:
    tree = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, (Exception, Warning)) and not name.startswith("_")
    }
    assert set(exceptions.__all__) == tree | {"Attempt"}  # what `error.attempts` holds
    for name in tree:
        assert getattr(exceptions, name) is getattr(errors, name)


def test_tracebacks_name_the_public_module_of_exceptions() -> None:
    for name in exceptions.__all__:
        kind = getattr(exceptions, name)
        assert kind.__module__ == "lakefs_hl.exceptions"
        assert pickle.loads(pickle.dumps(kind)) is kind
        typing.get_type_hints(kind)
    assert traceback.format_exception_only(exceptions.MergeConflict("m")) == ["lakefs_hl.exceptions.MergeConflict: m\n"]


def test_no_public_name_is_also_a_submodule() -> None:
    """The lazy lookup would give the module once somebody had imported it."""
    for package in (lakefs_hl, aio):
        modules = {info.name for info in pkgutil.iter_modules(package.__path__)}
        assert modules & set(package.__all__) <= MODULES
        for info in pkgutil.iter_modules(package.__path__):
            if info.name not in {"__main__", "pytest_plugin", "torch"}:  # torch needs PyTorch
                importlib.import_module(f"{package.__name__}.{info.name}")
        assert callable(package.repository)
        assert callable(package.repositories)


def test_the_seeds_constructors_take_the_client_by_position() -> None:
    expected = {
        "Repository": ["repository_id", "client"],
        "Reference": ["repository_id", "reference_id", "client"],
        "Branch": ["repository_id", "reference_id", "client"],
        "Tag": ["repository_id", "reference_id", "client"],
        "ObjectInfo": ["repository_id", "reference_id", "path", "client"],
        "CommonPrefix": ["repository_id", "reference_id", "path", "client"],
        "ImportManager": ["repository_id", "reference_id", "client"],
        "BranchTransaction": ["repository_id", "source_branch_id", "client"],
        "ServerConfiguration": ["client"],
        "ServerStorageConfiguration": ["client"],
    }
    for package in (lakefs_hl, aio):
        for kind, names in expected.items():
            given = inspect.signature(getattr(package, kind)).parameters.values()
            positional = [one.name for one in given if one.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
            assert positional == names, kind


def test_signatures_can_be_read() -> None:
    for name in PUBLIC:
        found = getattr(lakefs_hl, name)
        if (inspect.isfunction(found) and name != "background") or isinstance(found, type):  # that one passes all on
            assert "**" not in str(inspect.signature(found))  # an unknown argument is a TypeError by nature


def test_the_version_is_that_of_the_package() -> None:
    from lakefs_hl._version import __version__

    assert lakefs_hl.__version__ == __version__
