"""The served lake behind the faults, and the server that redirects must never reach."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import lakefs_hl
from tests.drawing import deselect, repeats
from tests.faults.lanes import way as way
from tests.lakes import served_lake as served_lake
from tests.serving import Served
from tests.transport.peers import Peer, answer, answering

#: Modules whose tests run in one of the colours, which run the same operations.
_EITHER = ("test_keys.py", "test_outcomes.py")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the other colour of the modules of `_EITHER`."""
    here = [item for item in items if item.path.parent == Path(__file__).parent and item.path.name in _EITHER]
    left_out = repeats(here, config.option.hypothesis_seed, "colour")
    deselect(config, items, left_out.__contains__)


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
