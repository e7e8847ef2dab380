"""The rows of our own operations: beside lakeFS's table, and none of its names or paths."""

from __future__ import annotations

import pytest

from lakefs_hl.spec import endpoints, links, sigv4
from lakefs_hl.spec.routes import BASE, match, target
from lakefs_hl.spec.wire import Endpoint, Request


@pytest.mark.parametrize("row", list(links.ENDPOINTS.values()), ids=lambda row: row.operation)
def test_a_row_is_ours_and_is_routed(row: Endpoint) -> None:
    assert row.operation not in endpoints.ENDPOINTS
    assert (row.method, row.path) not in {(one.method, one.path) for one in endpoints.ENDPOINTS.values()}
    found = match(target(Request(row, ("repo", "main"), {"path": "a b"})).removeprefix(BASE).partition("?")[0])
    assert found is not None
    assert found[0][row.method] is row
    assert found[1] == ("repo", "main")
    assert "lakefs://repo/main/a" in row.describe("repo", "main", path="a")
    assert row.retry == "A", "nothing is kept of a link that was made"


def test_a_link_lives_as_long_as_one_of_the_gateway() -> None:
    assert links.MAX_SECONDS == sigv4.MAX_SECONDS == 7 * 24 * 3600
