"""A branch of a new repository on each kind of lake, awaitable; a test is a coroutine run by `asyncio.run`."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

import lakefs_hl
from lakefs_hl import aio
from lakefs_hl.aio.default import of
from tests.drawing import deselect, repeats
from tests.lakes import client as client
from tests.lakes import clients as clients
from tests.lakes import kind as kind
from tests.lakes import real_lakefs as real_lakefs
from tests.lakes import served_lake as served_lake
from tests.worlds import namespace


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run each test on one lake. `tests/conformance` runs on all of them in each run."""
    here = [item for item in items if item.path.is_relative_to(Path(__file__).parent)]
    left_out = repeats(here, config.option.hypothesis_seed, "kind")
    deselect(config, items, left_out.__contains__)


@pytest.fixture
def repo(client: lakefs_hl.Client, kind: str) -> Iterator[aio.Repository]:
    """A new repository, on each kind of lake."""
    name = f"t-{secrets.token_hex(8)}"
    made = lakefs_hl.repository(name, client=client).create(namespace(kind, name))
    yield aio.repository(made.id, client=of(client))
    made.delete(force=True)


@pytest.fixture
def branch(repo: aio.Repository) -> aio.Branch:
    """Its `main`."""
    return repo.branch("main")
