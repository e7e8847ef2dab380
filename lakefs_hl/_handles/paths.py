"""Paths of objects and prefixes: given as text, as an object or prefix of a listing, or as a `PurePosixPath`."""

from __future__ import annotations

from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any, ClassVar, Protocol

from lakefs_hl._handles.handle import Handle, check_place
from lakefs_hl._handles.options import Optioned
from lakefs_hl.spec import arguments


class Positioned(Protocol):
    """A reference that a path is relative to, with its client."""

    _package: ClassVar[str]
    _of_default: Any
    _given: Any
    _repository_id: str
    _id: str


class Item(Optioned):
    """An object or a common prefix at a reference."""

    __slots__ = ()
    _reference: Handle

    @property
    def path(self) -> str:
        """The path or the prefix."""
        raise NotImplementedError

    def is_dir(self) -> bool:
        """Return whether this is a prefix."""
        raise NotImplementedError


def path(value: object, place: Positioned, argument: str = "path", *, at: Handle | None = None) -> str:
    """Return the path of an object.

    Args:
        value: The path, the URI at `place`, an `ObjectInfo` of the repository, or a `PurePosixPath`.
        place: The reference that a URI has to name.
        argument: Name of the parameter.
        at: A handle of the same repository with the client of the call. Defaults to `place`.

    Raises:
        TypeError: It is none of these, or a common prefix.
        ValueError: It is a URI at another reference, or an object of another repository or lake.
    """
    if type(value) is str:  # nearly always: without the steps of the others
        return arguments.path(value, place, argument)
    if isinstance(value, Item) and value.is_dir():
        msg = f"{argument} must be the path of an object, and {value!r} is a common prefix; list_objects() lists it"
        raise TypeError(msg)
    return path_or_prefix(value, place, argument, at=at)


def path_or_prefix(value: object, place: Positioned, argument: str = "path", *, at: Handle | None = None) -> str:
    """Return a path as `path` does. A common prefix is taken too.

    Raises:
        TypeError: It has another type.
        ValueError: It is a URI at another reference, or in another repository or lake.
    """
    if isinstance(value, Item):
        check_place(value._reference, argument, at or place, shown=value)
        return value.path
    if isinstance(value, PurePath):
        return _text(value, argument)
    return arguments.path(value, place, argument)


def prefix(value: object, place: Handle, argument: str = "prefix", *, at: Handle | None = None) -> str:
    """Return a prefix, given as text, as the URI at `place` or as a common prefix.

    Args:
        value: The prefix.
        place: The reference that a URI has to name.
        argument: Name of the parameter.
        at: A handle of the same repository with the client of the call. Defaults to `place`.

    Raises:
        TypeError: It is none of these.
        ValueError: It is a URI at another reference, or in another repository or lake.
    """
    if isinstance(value, PurePath):
        msg = (
            f"{argument} must be a string or a CommonPrefix, not {type(value).__name__}: {value!r:.80}; a path object "
            "drops the slash at its end: give text such as 'data/'"
        )
        raise TypeError(msg)
    if isinstance(value, Item) and value.is_dir():
        return path_or_prefix(value, place, argument, at=at)
    return arguments.path(value, place, argument)


def object_path(value: object, place: Handle, argument: str = "path") -> str:
    """Return the path of an object, not empty.

    Raises:
        TypeError: It has the wrong type.
        ValueError: It is empty, or elsewhere.
    """
    found = path(value, place, argument)
    if not found:
        msg = f"{argument} must not be empty"
        raise ValueError(msg)
    return found


def paths(value: object, place: Handle, argument: str) -> tuple[str, ...]:
    """Return any number of paths or prefixes. A single one is one path, not its characters.

    Raises:
        TypeError: It is neither a path nor an iterable of paths.
        ValueError: One is elsewhere.
    """
    if isinstance(value, str | Item | PurePath):
        return (path_or_prefix(value, place, argument),)
    return tuple(path_or_prefix(item, place, argument) for item in arguments.items(value, argument))


def _text(value: PurePath, argument: str) -> str:
    """Return the text of a `PurePosixPath`; "" for the empty one.

    A `Path` is refused although it is a `PurePosixPath` on some systems: it names a local file, and code that passes it
    would fail on Windows.
    """
    if isinstance(value, PurePosixPath) and not isinstance(value, Path):
        return "" if value == PurePosixPath() else str(value)
    windows = "; a Windows path is not a name in a lake" if isinstance(value, PureWindowsPath) else ""
    local = "" if windows else "; a local path is not a name in a lake"
    msg = (
        f"{argument} must be a string, an ObjectInfo or a PurePosixPath, not {type(value).__name__}: {value!r:.80}"
        f"{windows or local}: path.as_posix() is its text"
    )
    raise TypeError(msg)
