"""Fixtures of the lakes that tests run on: in process, served over loopback, and a lakeFS server if there is one.

A `conftest.py` imports those that its tests use.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

import lakefs_hl
from lakefs_hl.transport import fast
from tests import containers, serving
from tests.s3_server import NoNamespaceServer, S3Server
from tests.worlds import REAL, given_lakefs, kinds, storage_hosts

#: Kinds of worlds that are a function around a lake in memory.
FUNCTIONS: dict[str, type[NoNamespaceServer]] = {"no namespace": NoNamespaceServer, "S3 store": S3Server}


@pytest.fixture(scope="session")
def served_lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[serving.Served]:
    """A lake behind `lakefs-hl serve` on a loopback port."""
    with serving.running(tmp_path_factory.mktemp("served") / "lake") as served:
        yield served


@pytest.fixture(scope="session")
def real_lakefs() -> Iterator[tuple[str, str, str]]:
    """The endpoint and key pair of a lakeFS server: the one of the environment, or one in a container."""
    given = given_lakefs()
    if given is not None:
        yield given
        return
    with containers.running() as started:
        yield started


@pytest.fixture(scope="session")
def clients(request: pytest.FixtureRequest) -> Iterator[dict[str, lakefs_hl.Client]]:
    """One client per kind of world, made when it is first wanted."""
    made: dict[str, lakefs_hl.Client] = {}
    yield made
    for client in made.values():
        client.close()


@pytest.fixture(params=kinds())
def kind(request: pytest.FixtureRequest) -> str:
    """In process, served, or a lakeFS server."""
    return str(request.param)


@pytest.fixture
def client(
    kind: str,
    clients: dict[str, lakefs_hl.Client],
    request: pytest.FixtureRequest,
    rng: random.Random,
    monkeypatch: pytest.MonkeyPatch,
) -> lakefs_hl.Client:
    """The blocking client of this kind of world. Over a network, half of the tests make many requests over threads."""
    if kind in ("served", REAL) and rng.random() < 0.5:
        monkeypatch.setattr(fast, "ENABLED", False)
    if kind not in clients:
        if kind == "in process":
            clients[kind] = lakefs_hl.Client("mem://")
        elif kind == "served":
            served: serving.Served = request.getfixturevalue("served_lake")
            clients[kind] = lakefs_hl.Client(served.url, served.key, served.secret, pickle_secrets=True)
        elif kind == REAL:
            given: tuple[str, str, str] = request.getfixturevalue("real_lakefs")
            clients[kind] = lakefs_hl.Client(*given, pickle_secrets=True, allowed_storage_hosts=storage_hosts())
        else:
            clients[kind] = lakefs_hl.Client("http://lakefs.invalid", "key", "secret", transport=FUNCTIONS[kind]())
    return clients[kind]
