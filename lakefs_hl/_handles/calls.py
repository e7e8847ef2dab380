"""Shared by all calls: operation IDs, and the paging of a listing."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from lakefs_hl._handles.listings import NONE, Columns
from lakefs_hl.ops.paging import NextPage

T = TypeVar("T")
W = TypeVar("W")


class Pages(NamedTuple, Generic[T]):
    """A listing to run.

    Attributes:
        next_page: Makes the op that fetches the page after a key.
        after: Key after which the listing starts.
        amount: Maximum number of rows; None for all.
        columns: Fields of the rows.
    """

    next_page: NextPage[T]
    after: str
    amount: int | None
    columns: Columns = NONE


def first_rows(driver: Any, pages: Pages[T], wrap: Callable[[T], W], amount: int) -> list[W]:
    """Return the first rows of a listing, through a blocking driver."""
    most = amount if pages.amount is None else min(amount, pages.amount)
    return list(driver.pages(pages.next_page, pages.after, most, wrap))


def new_op_id() -> str:
    """Return an ID that identifies one call, for the metadata of the objects and commits that it writes."""
    return uuid.uuid4().hex
