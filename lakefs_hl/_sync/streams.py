# Generated from lakefs_hl/aio/streams.py by tools/unasync.py: change that, not this.
"""Content of an object as a stream of chunks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

from lakefs_hl._handles.prefixes import ChunksAhead


class ObjectStream:
    """The content of an object in chunks, fetched lazily. It can be iterated once.

    A stream that failed raises again when it is read on, so that it never looks complete.
    """

    __module__ = "lakefs_hl"
    __slots__ = ("_ahead", "_chunks")

    def __init__(self, driver: Any, pages: Any) -> None:
        self._ahead = ChunksAhead()
        self._chunks = driver.pages(pages.next_page, pages.after, None, bytes, self._ahead.fail)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            chunk: bytes = next(self._chunks)
        except StopIteration:
            self._ahead.raise_failure()
            raise
        return chunk

    def close(self) -> None:
        """End the stream. A range that is being fetched is abandoned."""
        self._chunks.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
