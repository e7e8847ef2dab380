"""The store of a backend whose calls block: a directory, memory, or a file system of fsspec."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Any, BinaryIO

from lakefs_hl import exceptions
from lakefs_hl.facades.aio import threads
from lakefs_hl.facades.backends import Backend
from lakefs_hl.facades.records import Asked, Content, Entry, Outcome, Put, Range, range_of


class BackedStore:
    """The objects of a backend.

    Args:
        backend: The backend.
        max_workers: Maximum number of concurrent calls. Defaults to what the backend takes.
        green: Make concurrent calls in greenlets.
    """

    def __init__(self, backend: Backend, *, max_workers: int | None = None, green: bool = False) -> None:
        self.backend = backend
        self.max_workers = max_workers
        self.read_only = backend.read_only
        self.default_encoding = backend.default_encoding
        self.has_suffixes = backend.has_suffixes
        self._green = green

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.url}>"

    @property
    def url(self) -> str:
        """The URL of the place, without secrets."""
        return self.backend.url

    @property
    def place(self) -> str:
        """The URL, after the endpoint that it is of."""
        return self.backend.place

    def _each(self, function: Any, items: threads.Items[Any]) -> AsyncIterator[Any]:
        return threads.run_many(function, items, self.max_workers or self.backend.width, green=self._green)

    def _check_writable(self) -> None:
        if self.read_only:
            msg = f"writing to {self.url}: it is read-only"
            raise exceptions.UnsupportedOperationException(msg)

    async def read(self, path: str, start: int | None = None, end: int | None = None) -> Content:
        """Read an object or a part of it. Negative offsets count from the end."""
        return await threads.run(self.backend.read, Range(path, start, end))

    def read_many(
        self,
        items: threads.Items[Asked],
        *,
        look_up: bool = True,
    ) -> AsyncIterator[Content]:
        """Yield the content of many objects in the order of the items."""
        backend = self.backend
        return self._each(lambda item: backend.read(range_of(item)), items)

    async def save(self, path: str, file: BinaryIO) -> Entry:
        """Write the content of an object into a binary file, and return the object as it was read."""
        return await threads.run(self.backend.save, path, file)

    async def write(self, put: Put, *, durable: bool = False) -> Outcome:
        """Write an object."""
        self._check_writable()
        return await threads.run(partial(self.backend.write, durable=durable), put)

    def write_many(self, puts: threads.Items[Put], *, durable: bool = False) -> AsyncIterator[Outcome]:
        """Write many objects, and yield what became of each, in their order."""
        self._check_writable()
        return self._each(partial(self.backend.write, durable=durable), puts)

    async def create(self, path: str) -> Outcome:
        """Create an empty object. The error of one that exists is a `FileExistsError`."""
        self._check_writable()
        return await threads.run(self.backend.create, path)

    async def stat(self, path: str) -> Entry | None:
        """Look up an object. None if there is none."""
        return await threads.run(self.backend.stat, path)

    def stat_many(self, paths: threads.Items[str]) -> AsyncIterator[Entry | None]:
        """Look up many objects, and yield them in the order of the paths. None for one that does not exist."""
        return self._each(self.backend.stat, paths)

    def delete_many(self, paths: threads.Items[str]) -> AsyncIterator[Outcome]:
        """Delete many objects, and yield what became of each, in their order. One that does not exist is no failure."""
        self._check_writable()
        return self._each(self.backend.delete, paths)

    async def copy_within(self, source: str, target: str) -> Outcome:
        """Copy an object within the store, with its encoding, type and metadata."""
        self._check_writable()
        return await threads.run(self.backend.copy, source, target)

    async def check_exists(self) -> None:
        """Check that the place exists, where a listing would not say it."""
        await threads.run(self.backend.check_exists)

    async def close(self) -> None:
        """Close what the backend has opened."""
        await threads.run(self.backend.close)

    def list(self, prefix: str = "", *, flat: bool = False, after: str = "") -> AsyncIterator[Entry]:
        """Yield the objects in byte order of their paths, lazily."""
        return threads.iterate(partial(self.backend.walk, flat=flat, after=after), prefix)
