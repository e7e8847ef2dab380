"""The worlds that every test here runs in."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

import pytest

import lakefs_hl
import lakefs_hl.aio
from tests.drawing import deselect, parameters
from tests.lakes import client as client
from tests.lakes import clients as clients
from tests.lakes import real_lakefs as real_lakefs
from tests.lakes import served_lake as served_lake
from tests.worlds import PREFIXES, Settler, World, kinds, plainly

#: Tests that create repositories, with and without a storage namespace.
CREATING = {"test_buckets.py", "test_nouns.py", "test_scopes.py"}


@pytest.fixture(params=[*kinds(), *PREFIXES])
def kind(request: pytest.FixtureRequest) -> str:
    """Every kind of lake, and servers that propose no namespace."""
    return str(request.param)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what repeats: each test runs in both colours and on both lakes, not on each lake in each colour.

    Which lake has which colour is drawn by the printed seed, for each test anew. A server with an S3 store is met in
    one of the colours. One without a default namespace differs in creating repositories, which the modules of
    `CREATING` do.
    """
    seed = config.option.hypothesis_seed
    deselect(config, items, lambda item: _is_repeated(item, seed))


def _is_repeated(item: pytest.Item, seed: object) -> bool:
    params = parameters(item)
    kind, colour = params.get("kind"), params.get("world")
    if kind == "no namespace":
        return item.path.name not in CREATING
    if kind not in ("in process", "served", "S3 store") or colour is None:
        return False
    drawn = random.Random(f"{seed}:{item.path.name}:{item.name.partition('[')[0]}").random()
    colour_of_served = "blocking" if drawn < 0.5 else "awaitable"
    return (colour == colour_of_served) == (kind == "in process")


@pytest.fixture(params=["blocking", "awaitable"])
def world(request: pytest.FixtureRequest, kind: str, client: lakefs_hl.Client) -> Iterator[World]:
    """A lake seen through one colour."""
    if request.param == "blocking":
        here = World(kind, lakefs_hl, client, plainly)
        yield here
        here.tidy()
        return
    with asyncio.Runner() as runner:
        from lakefs_hl.aio.default import of

        here = World(kind, lakefs_hl.aio, of(client), Settler(runner))
        yield here
        here.tidy()
