"""Objects that are looked up, and paths that are read, when they are needed. By hand: the colours differ."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from typing import TYPE_CHECKING, Any, Self, TypeAlias, TypeVar

from lakefs_hl._handles import deletions
from lakefs_hl._handles import objects as calls
from lakefs_hl._handles.deletions import ObjectPaths
from lakefs_hl._handles.lookups import RecordHandle
from lakefs_hl._handles.objects import ObjectFields, PrefixFields
from lakefs_hl.spec.models import ObjectError

if TYPE_CHECKING:
    from lakefs_hl.aio.client import Client
    from lakefs_hl.aio.objects import ReadIOBase
    from lakefs_hl.spec.models import ObjectStats

R = TypeVar("R")
_Item: TypeAlias = str | ObjectFields | PrefixFields
#: What `delete_objects` takes.
Paths: TypeAlias = _Item | Iterable[_Item] | AsyncIterable[_Item]


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
