"""pytest fixtures for tests of your own code: a new lake in memory for each test.

pytest loads this module in every run where the package is installed, so it imports nothing until a fixture is used.
`-p no:lakefs_hl` disables it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lakefs_hl import Branch, Client, Repository


@pytest.fixture
def lake() -> Iterator[Client]:
    """Return a client of a new lake in memory, which is removed when the test ends."""
    import lakefs_hl

    client = lakefs_hl.Client("mem://")
    yield client
    client.close()


@pytest.fixture
def lake_repo(lake: Client) -> Repository:
    """Return an empty repository named `example` in the test's lake, with the branch `main`."""
    import lakefs_hl

    return lakefs_hl.repository("example", client=lake).create()


@pytest.fixture
def lake_branch(lake_repo: Repository) -> Branch:
    """Return the branch `main` of the test's repository."""
    return lake_repo.branch("main")
