"""Pages: cut at their amount, and the next one is named if there is one."""

from __future__ import annotations

import pytest

from lakefs_hl.local.engine.pages import page_of
from lakefs_hl.spec.limits import MAX_PAGE


@pytest.mark.parametrize(
    ("rows", "amount", "kept", "after"),
    [
        ("", 3, "", None),
        ("ab", 3, "ab", None),
        ("abc", 3, "abc", None),  # exactly as many as were asked for: nothing follows
        ("abcd", 3, "abc", "C"),
        ("a", 0, "", ""),  # no row to come after
    ],
)
def test_one_row_more_tells_of_the_next_page(rows: str, amount: int, kept: str, after: str | None) -> None:
    pagination, page = page_of(list(rows), amount, str.upper)
    assert page == list(kept)
    assert (pagination.has_more, pagination.next_offset) == (after is not None, after or "")
    assert (pagination.results, pagination.max_per_page) == (len(kept), MAX_PAGE)
