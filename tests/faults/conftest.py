"""The served lake behind the faults, and the server that redirects must never reach."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import lakefs_hl
from tests.lakes import served_lake as served_lake
from tests.serving import Served
from tests.transport.peers import Peer, answer, answering


@pytest.fixture(scope="session")
def direct(served_lake: Served) -> Iterator[lakefs_hl.Client]:
    """A client of the served lake that meets no faults: it prepares, and reads the journal."""
    with lakefs_hl.Client(served_lake.url, served_lake.key, served_lake.secret) as client:
        yield client


@pytest.fixture
def elsewhere() -> Iterator[Peer]:
    """Another server: whoever is redirected there has taken our credentials to a stranger."""
    with answering(answer(b"{}")) as peer:
        yield peer
