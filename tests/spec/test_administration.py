"""The rows for administrators are rows of the one table, each with a wording of its own."""

from __future__ import annotations

from lakefs_hl.spec import administration, endpoints, rows
from lakefs_hl.spec.wire import Endpoint

ROWS = {name: row for name, row in vars(administration).items() if isinstance(row, Endpoint)}


def test_every_row_is_in_the_table_of_endpoints() -> None:
    assert len(ROWS) > 10
    assert [name for name, row in ROWS.items() if rows.ENDPOINTS.get(row.operation) is not row] == []


def test_no_row_repeats_one_of_the_client() -> None:
    client = {row.operation for row in vars(endpoints).values() if isinstance(row, Endpoint)}
    assert client & {row.operation for row in ROWS.values()} == set()


def test_every_row_describes_itself() -> None:
    for row in ROWS.values():
        words = row.describe(*["value"] * len(row.parameters))
        assert words.strip(), row.operation
        assert "{" not in words, row.operation
