"""A row of the table of endpoints."""

from __future__ import annotations

from typing import Any

from pytest_mock import MockerFixture

from lakefs_hl.spec import rows


def test_a_row_is_added_to_the_table_with_its_defaults(mocker: MockerFixture) -> None:
    table: dict[str, Any] = mocker.patch.dict(rows.ENDPOINTS, clear=True)
    made = rows.row("someOperation", "GET", rows.REPOSITORY, "A", "asking {repository}")
    assert table == {"someOperation": made}
    assert (made.ok, made.timeouts, made.public) == ((200,), rows.META, False)
    assert rows.row("other", "PUT", "/x", "E", "w", 201, 204, timeouts=rows.SLOW, public=True).ok == (201, 204)


def test_a_transfer_has_no_deadline() -> None:
    assert rows.DATA.deadline == float("inf")
    assert rows.META.read <= rows.META.deadline < rows.SLOW.deadline
