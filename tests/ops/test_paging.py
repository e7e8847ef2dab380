"""The position in a listing and the size of the next page."""

from __future__ import annotations

from typing import Any

import pytest

from lakefs_hl.ops.paging import Cursor
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import ProtocolException
from lakefs_hl.spec.limits import MAX_PAGE


def page(count: int, after: str, *, more: bool) -> Any:
    rows = [models.Ref(f"b{index}", "c") for index in range(count)]
    return models.RefPage(models.Pagination(more, after, count, MAX_PAGE), rows)


@pytest.mark.parametrize(
    ("most", "asked"), [(None, [MAX_PAGE, MAX_PAGE, 0]), (1, [1, 0]), (MAX_PAGE, [MAX_PAGE, 0]), (0, [0])]
)
def test_amounts(most: int | None, asked: list[int]) -> None:
    cursor = Cursor("", most)
    seen = [cursor.amount]
    for round_ in range(2):
        if cursor.amount:
            cursor.advance(page(cursor.amount, f"k{round_}", more=round_ == 0))
            seen.append(cursor.amount)
    assert seen == asked


def test_the_last_page_is_as_large_as_what_is_left() -> None:
    cursor = Cursor("", MAX_PAGE + 1)
    cursor.advance(page(MAX_PAGE, "k", more=True))
    assert (cursor.amount, cursor.after) == (1, "k")


def test_an_empty_page_can_have_a_successor() -> None:  # lakeFS may fold or hide everything on a page
    cursor = Cursor("", 5)
    cursor.advance(page(0, "k", more=True))
    assert cursor.amount == 5


def test_a_page_that_names_itself_as_the_next_one_is_refused() -> None:
    cursor = Cursor("", None)
    cursor.advance(page(0, "k", more=True))
    with pytest.raises(ProtocolException, match="a listing does not advance: the page after 'k' names itself"):
        cursor.advance(page(0, "k", more=True))
    cursor.advance(page(0, "k", more=False))
    assert cursor.amount == 0
