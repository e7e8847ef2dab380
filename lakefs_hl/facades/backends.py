"""Backends: stores whose calls block, for both colours. And what several of them share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO, Final, NamedTuple, Protocol

from lakefs_hl.facades.records import Content, Entry, Outcome, Put, Range

#: Encoding -> suffix of the names of files in it, where a store has no other place for the encoding.
SUFFIXES: Final = {"gzip": ".gz", "br": ".br", "zstd": ".zstd"}
#: Public buckets, by https. To those who may not list them, a missing file is forbidden.
_PUBLIC: Final = re.compile(r"https://([^/?#]+\.)?(amazonaws\.com|storage\.googleapis\.com)/")


class Backend(Protocol):
    """A store whose calls block. Thread-safe. The failure of a call is in its result, except where it is said."""

    read_only: bool
    default_encoding: str | None
    #: Whether the encoding of an object is in its name, so that `a` in gzip and `a.gz` are the same.
    has_suffixes: bool
    #: Concurrent calls that are useful.
    width: int

    @property
    def url(self) -> str:
        """The URL, without secrets. Ends with a slash."""

    @property
    def place(self) -> str:
        """The URL, after the endpoint that it is of, if the URL does not say that."""

    def read(self, asked: Range) -> Content:
        """Read an object or a part of it."""

    def save(self, path: str, file: BinaryIO) -> Entry:
        """Write the content of an object into a file. Failures are raised."""

    def write(self, put: Put, *, durable: bool = False) -> Outcome:
        """Write an object. With `durable`, it survives a loss of power when this returns."""

    def create(self, path: str) -> Outcome:
        """Create an empty object. The error of one that exists is a `FileExistsError`."""

    def stat(self, path: str) -> Entry | None:
        """Look up an object. Failures are raised."""

    def walk(self, prefix: str, *, flat: bool, after: str) -> Iterator[Entry]:
        """Yield the objects in byte order. Failures are raised."""

    def delete(self, path: str) -> Outcome:
        """Delete an object."""

    def copy(self, source: str, target: str) -> Outcome:
        """Copy an object."""

    def check_exists(self) -> None:
        """Check that the place exists, where a listing would not say it. Failures are raised."""

    def close(self) -> None:
        """Close what it has opened."""


class Name(NamedTuple):
    """A name in a directory of a store.

    Attributes:
        name: The name as the store has it.
        is_directory: Whether it is a directory.
    """

    name: str
    is_directory: bool


def missing_error(url: str, path: str, doing: str = "reading") -> FileNotFoundError:
    """Return the error for an object that does not exist."""
    return FileNotFoundError(2, f"{doing}: there is no such object", f"{url}{path}")


def web_failure(error: OSError, url: str) -> Exception | None:
    """Return why a web server did not answer about a file. None if it answered that the file does not exist.

    fsspec raises a `FileNotFoundError` for every failure, with the failure as its cause.

    Args:
        error: What fsspec raised.
        url: Address of the server. Those of S3 and Google forbid to look up what does not exist.
    """
    cause = error.__cause__ if url.startswith(("http://", "https://")) else None
    status = getattr(cause, "status", None)
    if not isinstance(cause, Exception) or isinstance(cause, FileNotFoundError) or status in (404, 410):
        return None
    if status not in (401, 403):
        return cause
    return None if _PUBLIC.match(url) else PermissionError(str(cause))


def absent(error: OSError, url: str) -> None:
    """Raise why a web server did not answer about a file, unless it answered that the file does not exist."""
    if (failure := web_failure(error, url)) is not None:
        raise failure


def exists_error(url: str, path: str) -> FileExistsError:
    """Return the error for an object that exists and was to be created."""
    return FileExistsError(17, "creating: there is such an object", f"{url}{path}")


def candidates(name: str) -> list[tuple[str, str | None]]:
    """Return the names that the content of an object may have, with their encodings, the one that wins first."""
    return [(name, None), *((name + suffix, encoding) for encoding, suffix in SUFFIXES.items())]


def encoded_name(name: str, encoding: str | None) -> str:
    """Return the name of content in an encoding."""
    return name + SUFFIXES[encoding] if encoding else name


def slice_of(asked: Range, size: int) -> tuple[int, int]:
    """Return the first byte and the end of what was asked for, of content of a size."""
    start, end, _ = slice(asked.start, asked.end).indices(size)
    return start, max(start, end)


def walk(
    names: Callable[[str], Sequence[Name]],
    entry: Callable[[str, str, str | None], Entry | None],
    prefix: str,
    *,
    flat: bool,
    after: str,
    has_suffixes: bool = True,
) -> Iterator[Entry]:
    """Yield what is in a tree of directories as objects, in byte order of their paths, lazily.

    Args:
        names: Returns what is in a directory ("" or with a slash at its end), in any order.
        entry: Makes an entry of its path, its real name and its encoding. None if it is gone.
        prefix: Beginning of the paths.
        flat: Only one level.
        after: Only paths after this one.
        has_suffixes: Whether a suffix may be an encoding.
    """
    directory = prefix[: prefix.rfind("/") + 1]
    for path, name, encoding in _sort_names(names(directory), directory, has_suffixes=has_suffixes):
        if not path.startswith(prefix):
            continue
        if not path.endswith("/"):
            if _bytes(path) > _bytes(after) and (found := entry(path, directory + name, encoding)) is not None:
                yield found
        elif _bytes(path) > _bytes(after) or after.startswith(path):
            below = walk(names, entry, path, flat=False, after=after, has_suffixes=has_suffixes)
            if not flat:
                yield from below
            elif _bytes(path) > _bytes(after) and next(below, None) is not None:  # an empty directory is no prefix
                yield Entry(path, 0)


def _sort_names(names: Sequence[Name], directory: str, *, has_suffixes: bool) -> list[tuple[str, str, str | None]]:
    """Return paths, real names and encodings, in byte order of the paths. The path of a directory ends with a slash."""
    files = {each.name for each in names if not each.is_directory}
    found = [(f"{directory}{each.name}/", each.name, None) for each in names if each.is_directory]
    decoded = _decode_names(files) if has_suffixes else ((name, name, None) for name in files)
    rows = found + [(directory + path, name, encoding) for path, name, encoding in decoded]
    return sorted(rows, key=lambda row: _bytes(row[0]))


def _decode_names(files: set[str]) -> Iterator[tuple[str, str, str | None]]:
    for name in files:
        for encoding, suffix in SUFFIXES.items():
            path = name.removesuffix(suffix)
            if path and path != name and next(each for each, _ in candidates(path) if each in files) == name:
                yield path, name, encoding
                break
        else:
            yield name, name, None


def _bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogatepass")
