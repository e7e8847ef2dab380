"""Objects that are looked up, and paths that are read, when they are needed. By hand: the colours differ."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from lakefs_hl._handles import deletions
from lakefs_hl._handles import objects as calls
from lakefs_hl._handles.deletions import ObjectPaths
from lakefs_hl._handles.lookups import RecordHandle
from lakefs_hl._handles.objects import ObjectFields, PrefixFields

if TYPE_CHECKING:
    from lakefs_hl._sync.client import Client
    from lakefs_hl._sync.objects import ReadIOBase
    from lakefs_hl.spec.models import ObjectError, ObjectStats

R = TypeVar("R")
_Item: TypeAlias = str | ObjectFields | PrefixFields
#: What `delete_objects` takes.
Paths: TypeAlias = _Item | Iterable[_Item]


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


def delete_all(client: Client, at: ReadIOBase, items: Any) -> tuple[ObjectPaths, list[ObjectError]]:
    """Delete the objects of an iterable as it is read."""
    paths = ObjectPaths(items, "object_paths", at)
    return paths, client._run(deletions.delete, at, paths)
