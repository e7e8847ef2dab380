"""How far a listing is: what is asked for next, and what cannot be asked for."""

from __future__ import annotations

from typing import Any

import pytest

from lakefs_hl.ops.paging import PAGE, Want
from lakefs_hl.spec import models


def page(count: int, after: str, *, more: bool) -> Any:
    rows = [models.Ref(f"b{index}", "c") for index in range(count)]
    return models.RefPage(models.Pagination(more, after, count, PAGE), rows)


@pytest.mark.parametrize(("most", "asked"), [(None, [PAGE, PAGE, 0]), (1, [1, 0]), (PAGE, [PAGE, 0]), (0, [0])])
def test_amounts(most: int | None, asked: list[int]) -> None:
    want = Want("", most)
    seen = [want.amount]
    for round_ in range(2):
        if want.amount:
            want.got(page(want.amount, f"k{round_}", more=round_ == 0))
            seen.append(want.amount)
    assert seen == asked


def test_the_last_page_is_as_large_as_what_is_left() -> None:
    want = Want("", PAGE + 1)
    want.got(page(PAGE, "k", more=True))
    assert (want.amount, want.after) == (1, "k")


def test_a_page_that_is_empty_goes_on() -> None:  # lakeFS may fold or hide everything on a page
    want = Want("", 5)
    want.got(page(0, "k", more=True))
    assert want.amount == 5


@pytest.mark.parametrize(("amount", "told"), [("data/", "prefix='data/'"), (1.5, "1.5"), (b"x", "b'x'")])
def test_what_is_no_amount_is_named(amount: Any, told: str) -> None:
    with pytest.raises(TypeError, match="max_amount must be None or an integer") as caught:
        Want("", amount)
    assert told in str(caught.value)


def test_a_negative_amount() -> None:
    with pytest.raises(ValueError, match="max_amount must be None or at least 0, not -1"):
        Want("", -1)
