"""A new database to put rows into."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lakefs_hl.local.disk.database import Database
from lakefs_hl.local.disk.layout import prepare


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened, _ = prepare(str(tmp_path / "lake"), tree={"seed": 7}, sync=False)
    yield opened
    opened.close()
