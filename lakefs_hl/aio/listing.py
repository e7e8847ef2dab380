"""Listings: rows of page after page."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Generic, Self, TypeVar

T_co = TypeVar("T_co", covariant=True)


class Listing(Generic[T_co]):
    """The rows of a listing, fetched lazily, page by page. It can be iterated once."""

    __module__ = "lakefs_hl.aio"
    __slots__ = ("_rows",)

    def __init__(self, rows: AsyncGenerator[T_co, None]) -> None:
        self._rows = rows

    def __aiter__(self) -> AsyncIterator[T_co]:
        # The generator itself, so that a loop does not pay for the listing.
        return self._rows

    async def __anext__(self) -> T_co:
        return await anext(self._rows)

    async def to_list(self) -> list[T_co]:
        """Return the remaining rows as a list."""
        return [row async for row in self._rows]

    async def close(self) -> None:
        """Close the listing. A page that is being fetched is abandoned."""
        await self._rows.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()
