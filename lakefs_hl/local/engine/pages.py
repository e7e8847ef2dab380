"""Pages: one more row is asked for than is given, so that it is known whether there are more."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from lakefs_hl.spec.limits import MAX_PAGE
from lakefs_hl.spec.models import Pagination

T = TypeVar("T")


def page_of(rows: list[T], amount: int, name: Callable[[T], str]) -> tuple[Pagination, list[T]]:
    """Cuts a page.

    Args:
        rows: At most `amount` + 1 of them.
        amount: How many belong on the page.
        name: What the next page is to come after.
    """
    more = len(rows) > amount
    kept = rows[:amount] if more else rows
    return Pagination(more, name(kept[-1]) if more and kept else "", len(kept), MAX_PAGE), kept
