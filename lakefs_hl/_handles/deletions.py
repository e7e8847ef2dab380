"""Bulk deletes: the paths to delete, the report, and the call."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lakefs_hl._handles import paths
from lakefs_hl._handles.handle import Handle, check_place
from lakefs_hl._handles.objects import ObjectFields, PrefixFields
from lakefs_hl._handles.records import public
from lakefs_hl.ops import objects as ops
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.objects import UNKNOWN, not_an_object
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import arguments
from lakefs_hl.spec.errors import PartialFailureError
from lakefs_hl.spec.limits import MAX_DELETE
from lakefs_hl.spec.models import ObjectError

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator

ON_ERROR: Final = ("raise", "return")


class DeleteReport(NamedTuple):
    """Result of a bulk delete. lakeFS does not distinguish a path that was deleted from one that did not exist.

    Attributes:
        requested: Number of paths given.
        failed: The paths that were not deleted, each with the reason.
    """

    requested: int
    failed: tuple[ObjectError, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, each failure as a dictionary."""
        return {"requested": self.requested, "failed": [failure.to_dict() for failure in self.failed]}

    @property
    def errors(self) -> tuple[ObjectError, ...]:
        """Same as `failed`."""
        return self.failed

    @classmethod
    def _of(cls, uri: str, paths: ObjectPaths, failed: list[ObjectError], on_error: str) -> DeleteReport:
        return cls._from(uri, paths.count, [*paths.prefixes, *failed], on_error)

    @classmethod
    def _from(cls, uri: str, requested: int, failed: list[ObjectError], on_error: str) -> DeleteReport:
        report = cls(requested, tuple(failed))
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


public(DeleteReport)


class ObjectPaths:
    """The paths given to a bulk call, read lazily and counted. A single string is one path.

    Attributes:
        count: Number of paths read so far.
        prefixes: Failures of the items that are common prefixes, not objects.
    """

    def __init__(self, items: object, argument: str, place: Handle) -> None:
        if isinstance(items, str | PurePath | ObjectFields | PrefixFields):
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
        for item in self._items:
            path = self.read(item)
            if path is not None:
                yield path

    async def batches(self, items: AsyncIterable[object]) -> AsyncIterator[list[str]]:
        """Yield the paths of an asynchronous iterable in batches of one request each."""
        batch = list[str]()
        async for item in items:
            path = self.read(item)
            if path is not None:
                batch.append(path)
            if len(batch) == MAX_DELETE:
                yield batch
                batch = []
        if batch:
            yield batch

    def read(self, item: object) -> str | None:
        """Count an item and return its path. Returns None for a common prefix, which is added to `prefixes`."""
        if isinstance(item, ObjectFields):
            check_place(item._reference, self._argument, self._place)
            found = item.path
        elif isinstance(item, PrefixFields):
            check_place(item._reference, self._argument, self._place)
            self.count += 1
            self.prefixes.append(not_an_object(item._path))
            return None
        elif isinstance(item, str | PurePath):
            found = paths.path(item, self._place, self._argument)
        else:
            msg = f"{self._argument} must hold paths or ObjectInfos, not {type(item).__name__}: {item!r:.80}"
            raise TypeError(msg)
        self.count += 1
        return found


def delete(session: Session, at: Handle, paths: Iterable[str], *, known: bool = False) -> Op[list[ObjectError]]:
    """Delete objects. `known` is True if the branch is known to exist. Returns the failures."""
    return ops.delete_all(session, at._repository_id, at._id, paths, known=known)
