"""All of fsspec's own tests of copy, get, put, open and pipe, on an embedded and on a served lake."""

from __future__ import annotations

import inspect
import secrets
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("fsspec", reason="needs fsspec: pip install 'lakefs-hl[fsspec]'")

import fsspec.tests.abstract as suites

import lakefs_hl
from lakefs_hl.filesystem import LakeFSFileSystem
from tests.lakes import served_lake
from tests.serving import Served

__all__ = ["served_lake"]


class Fixtures(suites.AbstractFixtures):  # type: ignore[misc]
    """A file system, and a new directory in a repository of each class of tests."""

    @pytest.fixture(scope="class", params=["embedded", "served"])
    @classmethod
    def place(cls, request: pytest.FixtureRequest) -> tuple[LakeFSFileSystem, str]:
        if request.param == "embedded":
            options: dict[str, Any] = {"host": "mem://abstract"}
        else:
            served: Served = request.getfixturevalue("served_lake")
            options = {"host": served.url, "username": served.key, "password": served.secret}
        fs, name = LakeFSFileSystem(**options), f"abstract-{secrets.token_hex(6)}"
        lakefs_hl.repository(name, client=fs.client).create()
        return fs, f"{name}/main"

    @pytest.fixture
    def fs(self, place: tuple[LakeFSFileSystem, str]) -> LakeFSFileSystem:
        return place[0]

    @pytest.fixture
    def fs_path(self, place: tuple[LakeFSFileSystem, str]) -> str:
        return f"{place[1]}/{secrets.token_hex(6)}"

    @pytest.fixture
    def fs_join(self) -> Callable[..., str]:
        return lambda *parts: "/".join(parts)

    @pytest.fixture
    def supports_empty_directories(self) -> bool:
        return False


class TestCopy(suites.AbstractCopyTests, Fixtures):  # type: ignore[misc]
    """`cp`."""


class TestGet(suites.AbstractGetTests, Fixtures):  # type: ignore[misc]
    """`get`."""


class TestPut(suites.AbstractPutTests, Fixtures):  # type: ignore[misc]
    """`put`."""


class TestOpen(suites.AbstractOpenTests, Fixtures):  # type: ignore[misc]
    """`open`."""


class TestPipe(suites.AbstractPipeTests, Fixtures):  # type: ignore[misc]
    """`pipe`, `cat`."""


def test_all_of_fsspec_is_there(request: pytest.FixtureRequest) -> None:
    """A release of fsspec may add a suite, and none of its tests may be overridden here."""
    here = {"Copy": TestCopy, "Get": TestGet, "Put": TestPut, "Open": TestOpen, "Pipe": TestPipe}
    theirs = {name for name, kind in vars(suites).items() if inspect.isclass(kind) and name.endswith("Tests")}
    assert theirs == {f"Abstract{name}Tests" for name in here}
    for name, kind in here.items():
        suite = getattr(suites, f"Abstract{name}Tests")
        tests = [each for each in dir(suite) if each.startswith("test_")]
        assert tests
        assert all(getattr(kind, each) is getattr(suite, each) for each in tests)
    items = [
        item for item in request.session.items if type(item.parent).__name__ == "Class" and item.fspath == request.path
    ]
    if len(items) > 200:  # the whole file was collected, not chosen tests
        assert len(items) == 2 * 137
