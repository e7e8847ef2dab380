"""The lakes that these tests run on."""

from __future__ import annotations

import lakefs_hl
from tests.ecosystem.conftest import Lake


def test_the_lake_is_the_default(lake: Lake) -> None:
    lake.branch.upload(b"1", "a")
    assert lakefs_hl.ref(lake.uri).download("a") == b"1"
    assert lakefs_hl.DefaultClient is lake.client
