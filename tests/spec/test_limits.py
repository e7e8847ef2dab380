"""Limits that client and server share are those of lakeFS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from lakefs_hl.spec import limits

API: Any = yaml.safe_load((Path(__file__).resolve().parents[1] / "data" / "lakefs-api.yml").read_text(encoding="utf-8"))


def test_a_page_has_as_many_results_as_lakefs_allows() -> None:
    assert API["components"]["parameters"]["PaginationAmount"]["schema"]["maximum"] == limits.MAX_PAGE


def test_paths_and_deletions_have_the_limits_that_were_recorded() -> None:
    assert (limits.MAX_PATH_BYTES, limits.MAX_DELETE) == (1024, 1000)
