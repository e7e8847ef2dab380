"""What every call needs: an ID and a description of a listing."""

from __future__ import annotations

import re
from typing import Any

from lakefs_hl._handles.calls import Pages, new_op_id


def test_every_call_has_another_id() -> None:
    ids = {new_op_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(re.fullmatch("[0-9a-f]{32}", found) for found in ids)


def test_a_listing_is_how_to_fetch_a_page_where_to_start_and_how_many_rows() -> None:
    next_page: Any = lambda after, amount: None
    pages: Pages[str] = Pages(next_page, "a", None)
    assert (pages.next_page, pages.after, pages.amount) == (next_page, "a", None)
