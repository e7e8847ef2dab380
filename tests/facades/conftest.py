"""The worlds that every test here runs in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import lakefs_hl
import lakefs_hl.aio
from lakefs_hl._handles import facades
from tests.conformance.conftest import client as client
from tests.conformance.conftest import clients as clients
from tests.conformance.conftest import real_lakefs as real_lakefs
from tests.conformance.conftest import served_lake as served_lake
from tests.conformance.conftest import world as world
from tests.drawing import deselect, repeats
from tests.worlds import Settled, Settler, bare, kinds, plainly


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run each test in one colour on one lake: facades are written once, on calls that `tests/conformance` tries."""
    here = [item for item in items if item.path.is_relative_to(Path(__file__).parent)]
    left_out = repeats(here, config.option.hypothesis_seed, "kind", "world", "colour")
    deselect(config, items, left_out.__contains__)


@pytest.fixture(params=kinds())
def kind(request: pytest.FixtureRequest) -> str:
    """Every kind of lake."""
    return str(request.param)


@dataclass
class Colour:
    """Both colours in the blocking style, where a test needs no world."""

    name: str
    package: ModuleType
    settle: Callable[[Any], Any]

    def facade(self, module: str) -> ModuleType:
        return facades.load(self.name, module)

    def store(self, place: Any, **options: Any) -> Any:
        return self.settle(self.facade("stores").store_of(place, **options))

    def transfer(self, *arguments: Any, **options: Any) -> Any:
        return self.settle(self.package.transfer(*map(bare, arguments), **options))


@pytest.fixture(params=["blocking", "awaitable"])
def colour(request: pytest.FixtureRequest) -> Iterator[Colour]:
    if request.param == "blocking":
        yield Colour("_sync", lakefs_hl, plainly)
        return
    with asyncio.Runner() as runner:
        settler = Settler(runner)

        def settle(value: Any) -> Any:
            return Settled(value, settler) if hasattr(value, "read_many") else settler(value)

        yield Colour("aio", lakefs_hl.aio, settle)


@pytest.fixture
def stores(request: pytest.FixtureRequest) -> ModuleType:
    """The module of stores in the colour of the test."""
    if "world" in request.fixturenames:
        return facades.load("aio" if request.getfixturevalue("world").awaitable else "_sync", "stores")
    return facades.load(request.getfixturevalue("colour").name, "stores")
