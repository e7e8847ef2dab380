"""Bulk deletes: the paths that go in, and the report that comes out; shared by both colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from lakefs_hl import arguments
from lakefs_hl.handles import Handle, ObjectFields, PrefixFields, check_place
from lakefs_hl.ops.objects import BATCH, UNKNOWN, not_an_object
from lakefs_hl.spec.errors import PartialFailureError
from lakefs_hl.spec.models import ObjectError

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Iterator

ON_ERROR: Final = ("raise", "return")


class DeleteReport(NamedTuple):
    """The result of a bulk delete. lakeFS does not tell a path that was deleted from one that was not there.

    Attributes:
        requested: How many paths were given.
        failed: The paths that were not deleted, and why.
    """

    requested: int
    failed: tuple[ObjectError, ...]

    @property
    def errors(self) -> tuple[ObjectError, ...]:
        """Another name of `failed`."""
        return self.failed

    @classmethod
    def _of(cls, uri: str, paths: ObjectPaths, failed: list[ObjectError], on_error: str) -> DeleteReport:
        report = cls(paths.count, (*paths.prefixes, *failed))
        if report.failed and on_error == "raise":
            first = report.failed[0]
            failure = PartialFailureError(
                f"{len(report.failed)} of {report.requested} objects of {uri} were not deleted; the first is "
                f"{first.path!r}: {first.message} ({first.status_code}); all are in `report.failed`"
            )
            failure.report = report
            unknown = any(item.status_code == UNKNOWN for item in report.failed)
            failure.maybe_applied = None if unknown else report.requested > len(report.failed)
            raise failure
        return report


class ObjectPaths:
    """The paths given to a bulk call, read lazily and counted. A single path is one item, not its characters.

    Attributes:
        count: How many were read.
        prefixes: Those that were given as common prefixes, which no call for objects takes.
    """

    def __init__(self, items: object, argument: str, place: Handle) -> None:
        if isinstance(items, str | ObjectFields | PrefixFields):
            items = (items,)
        elif not arguments.is_series(items):
            hint = "; an asynchronous listing is taken by lakefs_hl.aio" if hasattr(items, "__aiter__") else ""
            msg = (
                f"{argument} must be a path, an ObjectInfo or an iterable of them, not {type(items).__name__}: "
                f"{items!r:.80}{hint}"
            )
            raise TypeError(msg)
        self._items = items
        self._argument = argument
        self._place = place
        self.count = 0
        self.prefixes = list[ObjectError]()

    def __iter__(self) -> Iterator[str]:
        """Gives path after path."""
        for item in self._items:
            path = self.read(item)
            if path is not None:
                yield path

    async def batches(self, items: AsyncIterable[object]) -> AsyncIterator[list[str]]:
        """Gives the paths of an asynchronous listing, as many at a time as one request deletes."""
        batch = list[str]()
        async for item in items:
            path = self.read(item)
            if path is not None:
                batch.append(path)
            if len(batch) == BATCH:
                yield batch
                batch = []
        if batch:
            yield batch

    def read(self, item: object) -> str | None:
        """Counts an item and returns its path; None for a common prefix, which is noted."""
        if isinstance(item, ObjectFields):
            check_place(item._reference, self._argument, self._place)
            found = item.path
        elif isinstance(item, PrefixFields):
            check_place(item._reference, self._argument, self._place)
            self.count += 1
            self.prefixes.append(not_an_object(item._path))
            return None
        elif isinstance(item, str):
            found = arguments.path(item, self._place, self._argument)
        else:
            msg = f"{self._argument} must hold paths or ObjectInfos, not {type(item).__name__}: {item!r:.80}"
            raise TypeError(msg)
        self.count += 1
        return found
