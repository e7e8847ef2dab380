# Generated from lakefs_hl/aio/listing.py by tools/unasync.py: change that, not this.
"""Listings: rows of page after page."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Generic, Self, TypeVar

T_co = TypeVar("T_co", covariant=True)


class Listing(Generic[T_co]):
    """The rows of a listing, fetched lazily, page by page. It can be iterated once."""

    __module__ = "lakefs_hl"
    __slots__ = ("_rows",)

    def __init__(self, rows: Generator[T_co, None]) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[T_co]:
        # The generator itself, so that a loop does not pay for the listing.
        return self._rows

    def __next__(self) -> T_co:
        return next(self._rows)

    def to_list(self) -> list[T_co]:
        """Return the remaining rows as a list."""
        return [row for row in self._rows]

    def close(self) -> None:
        """Close the listing. A page that is being fetched is abandoned."""
        self._rows.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
