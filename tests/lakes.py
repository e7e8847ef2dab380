"""Fixtures of the lakes that tests run on: in process, served over loopback, a real lakeFS if this run was given one.

A `conftest.py` imports those that its tests use.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import lakefs_hl
from tests import serving
from tests.worlds import ENDPOINT, kinds, real_lakefs


@pytest.fixture(scope="session")
def served_lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[serving.Served]:
    """A lake behind `lakefs-hl serve` on a loopback port."""
    with serving.running(tmp_path_factory.mktemp("served") / "lake") as served:
        yield served


@pytest.fixture(scope="session")
def clients(request: pytest.FixtureRequest) -> Iterator[dict[str, lakefs_hl.Client]]:
    """One client per kind of world, made when it is first wanted."""
    made: dict[str, lakefs_hl.Client] = {}
    yield made
    for client in made.values():
        client.close()


@pytest.fixture(params=kinds())
def kind(request: pytest.FixtureRequest) -> str:
    """In process, served, or a real lakeFS."""
    return str(request.param)


@pytest.fixture
def client(kind: str, clients: dict[str, lakefs_hl.Client], request: pytest.FixtureRequest) -> lakefs_hl.Client:
    """The blocking client of this kind of world."""
    if kind not in clients:
        if kind == "in process":
            clients[kind] = lakefs_hl.Client("mem://")
        elif kind == "served":
            served: serving.Served = request.getfixturevalue("served_lake")
            clients[kind] = lakefs_hl.Client(served.url, served.key, served.secret, pickle_secrets=True)
        else:
            found = real_lakefs()
            assert found is not None, f"{ENDPOINT} is not set"
            clients[kind] = lakefs_hl.Client(*found, pickle_secrets=True)
    return clients[kind]
