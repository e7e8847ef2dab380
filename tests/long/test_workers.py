"""One transaction, many processes, at full size."""

from __future__ import annotations

from pathlib import Path

import pytest

import lakefs_hl
from tests import workers

pytestmark = pytest.mark.timeout(1800)


@pytest.mark.parametrize("method", workers.METHODS)
def test_four_processes_write_a_thousand_objects(tmp_path: Path, method: str) -> None:
    with lakefs_hl.Client(f"local:{tmp_path}/lake") as client:
        workers.write_all(lakefs_hl.repository("example", client=client).create().branch("main"), method, 4, 250)
