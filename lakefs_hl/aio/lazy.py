"""Objects that are looked up, and paths that are read, when they are needed. By hand: the colours differ."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar

from lakefs_hl._handles import deletions, listings, prefixes
from lakefs_hl._handles import objects as calls
from lakefs_hl._handles.deletions import ObjectPaths
from lakefs_hl._handles.lookups import RecordHandle
from lakefs_hl._handles.objects import ObjectFields, ObjectOrPrefix, ObjectPath
from lakefs_hl._handles.repositories import RepositoryHandle
from lakefs_hl.spec.models import ObjectError
from lakefs_hl.transport.aio import start

if TYPE_CHECKING:
    from pandas import DataFrame

    from lakefs_hl._handles.listings import Ahead
    from lakefs_hl._handles.writes import Upload
    from lakefs_hl._progress import Progress
    from lakefs_hl.aio.client import Client
    from lakefs_hl.aio.listing import Listing
    from lakefs_hl.aio.objects import ReadIOBase
    from lakefs_hl.spec.models import ObjectStats

R = TypeVar("R")
_Item: TypeAlias = ObjectOrPrefix
#: What `delete_objects` takes.
Paths: TypeAlias = _Item | Iterable[_Item] | AsyncIterable[_Item]
#: What `stat_many` takes.
ReadPaths: TypeAlias = ObjectPath | Iterable[ObjectPath] | AsyncIterable[ObjectPath]
#: What the test of `bisect` returns.
Verdict: TypeAlias = bool | Awaitable[bool | None] | None


class LazyObject(ObjectFields):
    """An object that is looked up by `load()`."""

    __slots__ = ()
    _reference: ReadIOBase

    async def load(self) -> Self:
        """Look up the object, unless it came from a listing or an upload and is loaded already. Returns itself.

        Raises:
            ObjectNotFoundException: The object does not exist.
        """
        if isinstance(self._record, str):
            self._record = await self._reference._client._run(calls.stat, self._reference, self._record)
        return self

    def _stats(self) -> ObjectStats:
        if isinstance(self._record, str):
            msg = f"{self.uri} was made by hand and is not loaded: `await info.load()` first"
            raise RuntimeError(msg)  # noqa: TRY004 - not a wrong type: not loaded yet
        return self._record


class LazyRecord(RecordHandle[R]):
    """A record that is looked up by `refresh()`."""

    def _look_up(self) -> R:
        msg = f"{self!r}: this field is not looked up yet: `await ….refresh()` first"
        raise RuntimeError(msg)


class LazyRepository(RepositoryHandle):
    """A repository whose fields are looked up by `info()`."""

    def _look_up(self, key: str) -> Any:
        msg = f"{self!r}: {key!r} is not looked up yet: `(await ….info())[{key!r}]`"
        raise RuntimeError(msg)


async def delete_all(client: Client, at: ReadIOBase, items: Any) -> tuple[ObjectPaths, list[ObjectError]]:
    """Delete the objects of an iterable, synchronous or asynchronous, as it is read."""
    if not isinstance(items, AsyncIterable):
        paths = ObjectPaths(items, "object_paths", at)
        return paths, await client._run(deletions.delete, at, paths)
    paths, failed, known = ObjectPaths((), "object_paths", at), list[ObjectError](), False
    async for batch in paths.batches(items):
        failed += await client._run(deletions.delete, at, batch, known=known)
        known = True
    return paths, failed


async def look_up_all(client: Client, at: Any, items: Any, limit: int | None) -> list[ObjectStats | None]:
    """Look up the objects of an iterable of paths, synchronous or asynchronous."""
    if isinstance(items, AsyncIterable):
        items = [item async for item in items]
    return await client._run(prefixes.stat_many, at, prefixes.each_path(items, at), limit)


async def upload_commit(at: Any, upload: Upload, data: Any, commit_message: object) -> ObjectStats:
    """Write an object as one commit. The room of transfers is loaded when it is used."""
    from lakefs_hl._bulk.single import upload_commit
    from lakefs_hl.aio import fileio

    work = upload_commit(at, upload, data, commit_message)
    return await fileio.transfer(work, "upload_commit")


def watch(progress: object, title: str, source: str, destination: str = "") -> Progress:
    """Return the progress of a call. The room is loaded when it is used."""
    from lakefs_hl._progress import progress_of

    return progress_of(progress, title=title, source=source, destination=destination)


class Walk:
    """Hands out the rows of a listing. What `head` fetched meanwhile comes before the next row of the source.

    An object and no generator: a generator around another would cost as much as the rows themselves. It does not refer
    to the listing: without a cycle, a listing that is dropped ends at once.
    """

    __slots__ = ("_ahead", "_next")

    def __init__(self, source: Any, ahead: Ahead[Any]) -> None:
        self._ahead = ahead
        self._next: Callable[[], Awaitable[Any]] = source.__anext__

    def __aiter__(self) -> Self:
        self._ahead.started = True
        return self

    def __anext__(self) -> Awaitable[Any]:
        return self._next() if self._ahead.idle else self._rest()

    async def _rest(self) -> Any:
        ahead = self._ahead
        if ahead.rows:
            return ahead.rows.popleft()
        ahead.raise_failure()
        ahead.idle = True
        return await self._next()


#: Returns the iterator of a listing.
walk = Walk


async def data_frame(listing: Listing[Any]) -> DataFrame:
    """Return the rows of a listing as a data frame, which is built off the loop."""
    await start(listings.load_pandas)
    return await start(listings.data_frame, await listing.to_list(), listing._columns)


def preview(listing: Listing[Any]) -> list[Any]:
    """Return the rows to show: those fetched by `head`; of an unread listing in process, the first ones.

    They are fetched on the side, because a notebook does not wait for what it shows.
    """
    if listing._first is not None and not listing._ahead.started:
        return listing._first(listings.SHOWN)
    return list(listing._ahead.rows)[: listings.SHOWN]
