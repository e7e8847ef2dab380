"""A lake with one repository, for the tests of each noun."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lakefs_hl.local.engine import Engine
from lakefs_hl.spec import models


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An unsynced lake with the repository `repo`."""
    opened = Engine.open(tmp_path / "lake", sync=False)
    opened.repositories.create(models.RepositoryCreation("repo", "local://repo"), who="me")
    yield opened
    opened.close()
