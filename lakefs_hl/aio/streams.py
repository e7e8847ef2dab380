"""Content of an object as a stream of chunks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Self

from lakefs_hl._handles.prefixes import ChunksAhead


class ObjectStream:
    """The content of an object in chunks, fetched lazily. It can be iterated once.

    A stream that failed raises again when it is read on, so that it never looks complete.
    """

    __module__ = "lakefs_hl.aio"
    __slots__ = ("_ahead", "_chunks")

    def __init__(self, driver: Any, pages: Any) -> None:
        self._ahead = ChunksAhead()
        self._chunks = driver.pages(pages.next_page, pages.after, None, bytes, self._ahead.fail)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            chunk: bytes = await anext(self._chunks)
        except StopAsyncIteration:
            self._ahead.raise_failure()
            raise
        return chunk

    async def close(self) -> None:
        """End the stream. A range that is being fetched is abandoned."""
        await self._chunks.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()
