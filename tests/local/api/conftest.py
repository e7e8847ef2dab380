"""The API on a lake with one repository."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lakefs_hl.local.api import App
from lakefs_hl.local.engine import Engine
from lakefs_hl.spec import endpoints
from tests.local.api.support import ask


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    engine = Engine.open(tmp_path / "lake", sync=False)
    found = App(engine)
    creation = {"name": "repo", "storage_namespace": "local://repo"}
    assert ask(found, endpoints.CREATE_REPOSITORY, (), body=creation).status == 201
    yield found
    engine.close()
