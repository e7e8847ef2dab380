"""Objects by `[]`, `in` and `del`, as in a dictionary. By hand: in asyncio, none of these can be awaited.

A reference is no iterable: a call that takes paths, such as `delete_objects`, would take all objects of a branch for
them. `list_objects` says what is listed.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NoReturn

from lakefs_hl._handles.objects import ObjectFields, PrefixFields
from lakefs_hl.spec.errors import LakeFSException

if TYPE_CHECKING:
    from lakefs_hl._files.bodies import Data
    from lakefs_hl._handles.objects import ObjectPath


class MappingReads:
    """The part of the mapping syntax that every reference has."""

    __slots__ = ()
    download: Any
    exists: Any
    with_options: Any

    def __getitem__(self, key: ObjectPath | tuple[ObjectPath, slice]) -> bytes:
        """Return the content of an object: `ref["a.csv"]`; or a range of it: `ref["a.csv", 0:30]`."""
        path, part = _key(key, self)
        content: bytes = self.download(path, start=part.start, end=part.stop)
        return content

    def __contains__(self, path: ObjectPath) -> bool:
        return bool(self.exists(_path(path, self)))

    def _ipython_key_completions_(self) -> list[str]:
        """Return the first paths, for `ref["` and the tabulator. None if they take more than half a second."""
        try:
            return [row.path for row in self.with_options(deadline=0.5, retries=0).list_objects(1000, recursive=True)]
        except (LakeFSException, OSError):  # an editor that completes shows no error
            return []

    def __iter__(self) -> NoReturn:
        msg = f"{self!r} is not iterable: iterate over its list_objects(), which lists what its arguments say"
        raise TypeError(msg)


class MappingWrites(MappingReads):
    """The part of the mapping syntax that branches have too."""

    __slots__ = ()
    delete_objects: Any
    upload: Any

    def __setitem__(self, path: ObjectPath, data: Data) -> None:
        """Write an object, as `upload` does."""
        self.upload(data, _path(path, self))

    def __delitem__(self, path: ObjectPath) -> None:
        """Delete an object. As for `delete_objects`, a path that does not exist is not an error."""
        self.delete_objects(_path(path, self))


def _key(key: object, place: object) -> tuple[Any, slice]:
    """Return the path and the range that a key names."""
    if not isinstance(key, tuple):
        return _path(key, place), slice(None)
    if len(key) != 2 or not isinstance(key[1], slice):
        msg = f"want a path, or a path and a range such as ref['a.csv', 0:30], not {key!r:.80}"
        raise TypeError(msg)
    if key[1].step not in (None, 1):
        msg = f"a range of bytes has no step, and this one has {key[1].step!r}: {key!r:.80}"
        raise ValueError(msg)
    return _path(key[0], place), key[1]


def _path(path: object, place: object) -> Any:
    """Return a key that is one path.

    Raises:
        TypeError: It is something else, such as many paths.
    """
    if isinstance(path, str | PurePath | ObjectFields | PrefixFields):
        return path  # the call checks it
    msg = f"want the path of one object in {place!r}, not {type(path).__name__}: {path!r:.80}"
    if isinstance(path, slice):
        msg += "; files()[:100] reads the first 100 objects"
    elif isinstance(path, list | set | tuple):
        msg += "; download_many, upload_many and delete_objects take many paths"
    raise TypeError(msg)
