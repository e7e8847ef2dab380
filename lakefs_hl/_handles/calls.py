"""What every call needs: a new operation id, the time, and how a listing is paged."""

from __future__ import annotations

import uuid
from typing import Generic, NamedTuple, TypeVar

from lakefs_hl.ops.paging import NextPage

T = TypeVar("T")


class Pages(NamedTuple, Generic[T]):
    """A listing to run.

    Attributes:
        next_page: Makes the op that fetches the page after a key.
        after: Key after which the listing starts.
        amount: Maximum number of rows; None for all.
    """

    next_page: NextPage[T]
    after: str
    amount: int | None


def new_op_id() -> str:
    """Return an id that identifies one call, for the metadata of what it writes."""
    return uuid.uuid4().hex
