"""Items of bulk calls: what a caller gives, as objects to write and to read."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any, Final

from lakefs_hl._bulk.caller import Caller
from lakefs_hl._files import bodies
from lakefs_hl._handles import paths
from lakefs_hl._handles.handle import Handle, reference_name
from lakefs_hl._handles.paths import Item
from lakefs_hl._handles.tagging import with_tags
from lakefs_hl.ops.bulk import FAILURES, Body, Get, Put
from lakefs_hl.spec import arguments
from lakefs_hl.spec.wire import NOTHING, FileSlice

#: Names of one thing in the dictionaries of other libraries.
_ALIASES: Final = {"key": "path", "content": "data", "bucket": "repository"}
_TO_WRITE: Final = ("path", "data", "content_type", "metadata", "tags", "repository", "branch")
_TO_READ: Final = ("path", "start", "end", "repository", "reference")


class Held:
    """A slice of an open file whose descriptor is a copy of our own: the caller may close the file meanwhile."""

    size: Final = None

    def __init__(self, body: FileSlice, name: object) -> None:
        fd = self._fd = os.dup(body.fd)
        # `check` does not refer to this object, so that the last reference to it closes the file.
        self._slice = FileSlice(fd, body.offset, body.length, bodies.change_check(fd, name))

    def open(self) -> FileSlice:
        """Return the slice."""
        return self._slice

    def close(self) -> None:
        """Close the copy."""
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    __del__ = close  # of an op that never began


class FromPath:
    """The content of a local file, opened when its turn has come."""

    size: Final = None

    def __init__(self, path: os.PathLike[str], is_stopped: Callable[[], bool]) -> None:
        self._body = bodies.replayable(path, is_stopped)
        self._opened = False

    def open(self) -> bytes | FileSlice:
        """Open the file."""
        body = self._body.__enter__()
        self._opened = True
        return body

    def close(self) -> None:
        """Close the file."""
        if self._opened:
            self._opened = False
            self._body.__exit__(None, None, None)


class Unreadable:
    """Data that cannot be sent: the item fails with the error when its turn has come."""

    size: Final = None

    def __init__(self, error: Exception) -> None:
        self._error = error

    def open(self) -> bytes:
        """Raise the error."""
        raise self._error

    def close(self) -> None:
        """Do nothing."""


def body_of(data: Any, caller: Caller) -> bytes | Body:
    """Return data as a body. A file object, a stream and an iterable are read now, a path when its turn has come.

    An object of another type, and one that cannot be read, fail when their turn has come, and the other items go on.
    """
    if type(data) is bytes:
        return data
    try:
        if isinstance(data, os.PathLike) and not hasattr(data, "read"):
            return FromPath(data, caller.is_stopped)
        bodies.warn_of_file_name(data)
        with bodies.replayable(caller.data(data), caller.is_stopped) as body:
            return body if isinstance(body, bytes) else Held(body, getattr(data, "name", None))
    except bodies.Abandoned:
        raise
    except FAILURES as exc:
        return Unreadable(exc)


def put_of(item: Any, place: Handle, caller: Caller, *, one_branch: bool) -> Put:
    """Return the object of an item of `upload_many`.

    Args:
        item: A pair of path and data, or a dictionary.
        place: The branch.
        caller: Who gave it.
        one_branch: Whether all items must be on this branch.

    Raises:
        TypeError: It is neither, or a value has the wrong type.
        ValueError: A key is unknown or missing, or a value cannot be used.
    """
    if isinstance(item, tuple | list) and len(item) == 2:
        path, data = item
        return Put(place._repository_id, place._id, paths.object_path(path, place, "items"), body_of(data, caller))
    found = _fields(item, _TO_WRITE, "items", "(path, data)")
    if "data" not in found:
        msg = f"items: a dictionary has 'data' (or 'content'), and one has only {sorted(found)}"
        raise ValueError(msg)
    at = _place(found, "branch", place, "items")
    if one_branch and at is not place:
        other = ("repository", at._repository_id) if at._repository_id != place._repository_id else ("branch", at._id)
        msg = f"items[{other[0]!r}] is {other[1]!r}, and a commit or a transaction is of one {other[0]}"
        raise ValueError(msg)
    kind = arguments.optional_text(found.get("content_type"), "items['content_type']")
    metadata = with_tags(arguments.user_metadata(found.get("metadata")), found.get("tags"), "items['tags']") or NOTHING
    path = paths.object_path(found["path"], at, "items['path']")
    return Put(at._repository_id, at._id, path, body_of(found["data"], caller), kind, metadata)


def get_of(item: Any, place: Handle) -> Get:
    """Return the object or the range of an item of `download_many`.

    Args:
        item: A path, or a dictionary.
        place: The reference.

    Raises:
        TypeError: It is neither, or a value has the wrong type.
        ValueError: A key is unknown or missing.
    """
    if isinstance(item, str | PurePath | Item):
        return Get(place._repository_id, place._id, paths.object_path(item, place, "paths"))
    found = _fields(item, _TO_READ, "paths", "paths")
    start = arguments.optional_integer(found.get("start"), "paths['start']")
    end = arguments.optional_integer(found.get("end"), "paths['end']")
    at = _place(found, "reference", place, "paths")
    return Get(at._repository_id, at._id, paths.object_path(found["path"], at, "paths['path']"), start, end)


def _place(found: Mapping[str, Any], field: str, place: Handle, argument: str) -> Handle:
    """Return the reference that an item names; the one of the same name if it names a repository only."""
    repository, reference = found.get("repository"), found.get(field)
    name = place._repository_id
    if repository is not None:
        name = arguments.repository_name(repository, f"{argument}['repository']")
    if name == place._repository_id and reference is None:
        return place
    at = object.__new__(type(place))  # with the same client
    at.__dict__.update(place.__dict__)
    at._repository_id = name
    if reference is not None:
        at._id = reference_name(reference, f"{argument}[{field!r}]", at)
    return place if (name, at._id) == (place._repository_id, place._id) else at


def _fields(item: Any, known: tuple[str, ...], argument: str, other: str) -> dict[str, Any]:
    """Return the fields of a dictionary, under our names."""
    if not isinstance(item, Mapping):
        msg = f"{argument} must hold {other} or dictionaries, not {type(item).__name__}: {item!r:.80}"
        raise TypeError(msg)
    found = dict[str, Any]()
    for key, value in item.items():
        name = _ALIASES.get(key, key)
        if name not in known:
            msg = f"{argument}: a dictionary has the keys {', '.join(map(repr, known))}, and one has {key!r:.80}"
            raise ValueError(msg)
        if name in found:
            msg = f"{argument}: a dictionary has {name!r} under one name, and one has it under two"
            raise ValueError(msg)
        found[name] = value
    if "path" not in found:
        msg = f"{argument}: a dictionary has 'path' (or 'key'), and one has only {sorted(found)}"
        raise ValueError(msg)
    return found
