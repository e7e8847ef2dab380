"""Fixtures for people who test data code: a fresh lake in memory for every test that asks for one.

Loaded by pytest in every run on a machine that has this package, so it imports nothing until a fixture is used.
`-p no:lakefs_hl` switches it off.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lakefs_hl import Branch, Client, Repository


@pytest.fixture
def lake() -> Iterator[Client]:
    """A client on a lake of its own, in memory, gone when the test ends."""
    import lakefs_hl

    client = lakefs_hl.Client("mem://")
    yield client
    client.close()


@pytest.fixture
def lake_repo(lake: Client) -> Repository:
    """An empty repository named `example` in the test's lake, with the branch `main`."""
    import lakefs_hl

    return lakefs_hl.repository("example", client=lake).create()


@pytest.fixture
def lake_branch(lake_repo: Repository) -> Branch:
    """The branch `main` of the test's repository."""
    return lake_repo.branch("main")
