"""Files by `[]`, `in` and `del`, as in a dictionary. By hand: in asyncio, none of these can be awaited."""

from __future__ import annotations

from itertools import islice
from typing import Any, overload

from lakefs_hl.facades import items
from lakefs_hl.facades.results import FileResult


class FilesMapping:
    """The mapping syntax of `Files`."""

    __slots__ = ()
    delete: Any
    exists: Any
    get: Any
    list: Any
    put: Any
    transfer_from: Any

    @overload
    def __getitem__(self, key: str | tuple[str, slice]) -> bytes | None: ...
    @overload
    def __getitem__(self, key: slice) -> Any: ...
    def __getitem__(self, key: Any) -> Any:
        """Return the content of a file, a range of it, or the first files.

        `files["a.txt"]` is the content, and None if there is no such file. `files["a.txt", 0:30]` fetches 30 bytes,
        `files[["a.txt", "b.txt"]]` is a `get` of both, and `files[:100]` one of the first 100 files.
        """
        if isinstance(key, slice):
            return self.get(_slice_of(self.list(), key))
        if isinstance(key, tuple) and any(isinstance(each, slice) for each in key):
            return self.get(_part(key))
        return self.get(key)

    def __setitem__(self, key: str | slice, value: Any) -> None:
        """Write a file; `files[:] = other` transfers all files of another place to this one."""
        if isinstance(key, slice):
            if key != slice(None):
                msg = f"files[:] = other transfers all files; for some, call transfer_from(other, paths=...): {key}"
                raise ValueError(msg)
            self.transfer_from(value)
        elif isinstance(value, FilesMapping):
            msg = f"the content of a file must be bytes, not {value!r}; files[:] = other transfers all its files"
            raise TypeError(msg)
        else:
            self.put(items.path_of(key), value)

    def __delitem__(self, key: Any) -> None:
        """Delete a file, or each of several. One that does not exist is not an error."""
        if isinstance(key, slice | FilesMapping) or (
            isinstance(key, tuple) and any(isinstance(each, slice) for each in key)
        ):
            msg = f"del files[path] deletes a file, and {key!r:.80} is no path; delete(files.list()) deletes all files"
            raise TypeError(msg)
        self.delete(key)

    def __contains__(self, path: str) -> bool:
        return bool(self.exists(items.path_of(path)))


class ObjectMapping:
    """`handle[0:30]`: a range of one object."""

    __slots__ = ()
    get: Any

    def __getitem__(self, part: slice) -> bytes | None:
        if not isinstance(part, slice) or part.step not in (None, 1):
            msg = f"want a range of bytes without a step, such as handle[0:30], not {part!r:.80}"
            raise TypeError(msg)
        found: list[FileResult] = self.get([part])
        if found[0].error is not None and not isinstance(found[0].error, FileNotFoundError):
            raise found[0].error
        return found[0].content


def _slice_of(paths: Any, key: slice) -> Any:
    """Return the paths that a slice selects, as they are listed."""
    bounds = (key.start, key.stop, key.step)
    for value in bounds:
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            msg = f"files[start:stop] counts files from the first one, in byte order of their paths: {key} is not such"
            raise ValueError(msg)
    return islice(paths, *bounds)


def _part(key: tuple[Any, ...]) -> dict[str, Any]:
    """Return the range that a key names."""
    if len(key) != 2 or not isinstance(key[1], slice):
        msg = f"want a path and a range, such as files['a.txt', 0:30], not {key!r:.80}"
        raise TypeError(msg)
    path, part = key
    if part.step not in (None, 1):
        msg = f"a range of bytes has no step, and this one has {part.step!r}: {key!r:.80}"
        raise ValueError(msg)
    return {"path": items.path_of(path), "start": part.start, "end": part.stop}
