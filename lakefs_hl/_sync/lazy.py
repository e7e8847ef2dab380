"""Objects that are looked up, and paths that are read, when they are needed. By hand: the colours differ."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from lakefs_hl._handles import deletions, listings, prefixes
from lakefs_hl._handles import objects as calls
from lakefs_hl._handles.deletions import ObjectPaths
from lakefs_hl._handles.lookups import RecordHandle
from lakefs_hl._handles.objects import ObjectFields, ObjectOrPrefix, ObjectPath
from lakefs_hl._handles.repositories import RepositoryHandle, RepositoryInfo

if TYPE_CHECKING:
    from pandas import DataFrame

    from lakefs_hl._handles.listings import Ahead
    from lakefs_hl._handles.writes import Upload
    from lakefs_hl._progress import Progress
    from lakefs_hl._sync.client import Client
    from lakefs_hl._sync.listing import Listing
    from lakefs_hl._sync.objects import ReadIOBase
    from lakefs_hl.spec.models import ObjectError, ObjectStats

R = TypeVar("R")
_Item: TypeAlias = ObjectOrPrefix
#: What `delete_objects` takes.
Paths: TypeAlias = _Item | Iterable[_Item]
#: What `stat_many` takes.
ReadPaths: TypeAlias = ObjectPath | Iterable[ObjectPath]
#: What the test of `bisect` returns.
Verdict: TypeAlias = bool | None


class LazyObject(ObjectFields):
    """An object that is looked up when a property is read first."""

    __slots__ = ()
    _reference: ReadIOBase

    def _stats(self) -> ObjectStats:
        record = self._record
        if isinstance(record, str):
            record = self._record = self._reference._client._run(calls.stat, self._reference, record)
        return record


class LazyRecord(RecordHandle[R]):
    """A record that is looked up when a field is read first."""

    def refresh(self) -> object:
        """Look up the fields."""
        raise NotImplementedError

    def _look_up(self) -> R:
        self.refresh()
        return self._record()


class LazyRepository(RepositoryHandle):
    """A repository whose fields are looked up when they are read."""

    def info(self) -> RepositoryInfo:
        """Look up the repository."""
        raise NotImplementedError

    def _look_up(self, key: str) -> Any:
        return self.info()[key]


def delete_all(client: Client, at: ReadIOBase, items: Any) -> tuple[ObjectPaths, list[ObjectError]]:
    """Delete the objects of an iterable as it is read."""
    paths = ObjectPaths(items, "object_paths", at)
    return paths, client._run(deletions.delete, at, paths)


def look_up_all(client: Client, at: Any, items: Any, limit: int | None) -> list[ObjectStats | None]:
    """Look up the objects of an iterable of paths."""
    return client._run(prefixes.stat_many, at, prefixes.each_path(items, at), limit)


def upload_commit(at: Any, upload: Upload, data: Any, commit_message: object) -> ObjectStats:
    """Write an object as one commit. The room of transfers is loaded when it is used."""
    from lakefs_hl._bulk.single import upload_commit
    from lakefs_hl._sync import fileio

    work = upload_commit(at, upload, data, commit_message)
    return fileio.transfer(work, "upload_commit")


def watch(progress: object, title: str, source: str, destination: str = "") -> Progress:
    """Return the progress of a call. The room is loaded when it is used."""
    from lakefs_hl._progress import progress_of

    return progress_of(progress, title=title, source=source, destination=destination)


def walk(source: Any, ahead: Ahead[Any]) -> Generator[Any, None, None]:
    """Hand out the rows of a listing. What `head` fetched meanwhile comes before the next row of the source.

    It does not refer to the listing: without a cycle, a listing that is dropped ends at once.
    """
    ahead.started, rows = True, ahead.rows
    try:
        while rows:
            yield rows.popleft()
        for row in source:
            yield row
            while rows:
                yield rows.popleft()
        while rows:
            yield rows.popleft()
        ahead.ended = True
    except (Exception, GeneratorExit):
        raise  # the driver has noted it
    except BaseException as exc:
        ahead.fail(exc)  # a Ctrl-C may arrive here, between two rows
        raise
    ahead.raise_failure()


def data_frame(listing: Listing[Any]) -> DataFrame:
    """Return the rows of a listing as a data frame."""
    listings.load_pandas()
    return listings.data_frame(listing.to_list(), listing._columns)


def preview(listing: Listing[Any]) -> list[Any]:
    """Return the rows to show: those fetched by `head`, and in process the next ones."""
    if listing._first is not None:
        return listing.head(listings.SHOWN)
    return list(listing._ahead.rows)[: listings.SHOWN]
