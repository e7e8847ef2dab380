# Generated from lakefs_hl/facades/aio/stores.py by tools/unasync.py: change that, not this.
"""Stores: what files and transfers need of a place. A lake is one, a local directory another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from lakefs_hl.facades._sync import threads
from lakefs_hl.facades._sync.backed import BackedStore
from lakefs_hl.facades._sync.lake import LakeStore, store_of_reference
from lakefs_hl.facades.backends import Backend
from lakefs_hl.facades.directories import Directory
from lakefs_hl.facades.memory import Memory
from lakefs_hl.facades.records import Asked, Content, Entry, Outcome, Put
from lakefs_hl.facades.remote import Remote

if TYPE_CHECKING:
    from collections.abc import Mapping

    import lakefs_hl as lakefs


class Store(Protocol):
    """Objects under a prefix of a lake, a directory or another place. Paths are relative to it.

    Content is bytes as they are stored: a store neither encodes nor decodes what it is given, unless it is left to it.
    A failure of one object is in its result, and one of the store (no such branch, no permission to list) is raised.
    """

    #: Whether it cannot be written.
    read_only: bool
    #: Encoding that the store gives content by itself. None for none.
    default_encoding: str | None
    #: Whether the encoding of an object is in its name, so that `a` in gzip and `a.gz` are the same.
    has_suffixes: bool

    @property
    def url(self) -> str:
        """The URL of the place, without secrets. Ends with a slash."""

    @property
    def place(self) -> str:
        """The URL, after the lake or the endpoint that it is of: what differs is another place. Ends with a slash."""

    def read(self, path: str, start: int | None = None, end: int | None = None) -> Content:
        """Read an object or a part of it. Negative offsets count from the end."""

    def read_many(self, items: threads.Items[Asked], *, look_up: bool = True) -> Iterator[Content]:
        """Yield the content of many objects in the order of the items, which are read with back-pressure.

        Args:
            items: Paths and `Range`s.
            look_up: Whether the results need an `entry`, so the encoding. Without it some stores send fewer requests.
        """

    def save(self, path: str, file: BinaryIO) -> Entry:
        """Write the content of an object into a binary file, and return the object as it was read.

        Raises:
            FileNotFoundError: There is no such object.
        """

    def write(self, put: Put, *, durable: bool = False) -> Outcome:
        """Write an object. With `durable`, it survives a loss of power when this returns."""

    def write_many(self, puts: threads.Items[Put], *, durable: bool = False) -> Iterator[Outcome]:
        """Write many objects, which are read with back-pressure, and yield what became of each, in their order."""

    def create(self, path: str) -> Outcome:
        """Create an empty object. The error of one that exists is a `FileExistsError`, and nothing is written."""

    def stat(self, path: str) -> Entry | None:
        """Look up an object. None if there is none."""

    def stat_many(self, paths: threads.Items[str]) -> Iterator[Entry | None]:
        """Look up many objects, and yield them in the order of the paths. None for one that does not exist."""

    def list(self, prefix: str = "", *, flat: bool = False, after: str = "") -> Iterator[Entry]:
        """Yield the objects in byte order of their paths, lazily.

        Args:
            prefix: Beginning of the paths.
            flat: Only those of one level: what has a further slash is one common prefix.
            after: Only paths after this one.
        """

    def delete_many(self, paths: threads.Items[str]) -> Iterator[Outcome]:
        """Delete many objects, and yield what became of each, in their order. One that does not exist is no failure."""

    def copy_within(self, source: str, target: str) -> Outcome:
        """Copy an object within the store, with its encoding, type and metadata, by the server if there is one."""

    def check_exists(self) -> None:
        """Check that the place exists, where a listing would not say it.

        Raises:
            OSError: It does not exist, or is no directory.
        """

    def close(self) -> None:
        """Close what the store has opened by itself."""


def store_of(
    place: Any,
    prefix: str = "",
    *,
    client: lakefs.Client | None = None,
    storage_options: Mapping[str, Any] | None = None,
    max_workers: int | None = None,
    green: bool = False,
    checksum: str | None = None,
    argument: str = "place",
) -> Store:
    """Return the store of a URL or of a reference.

    Args:
        place: A URL: `lakefs://repository/reference/prefix`, `file:///directory`, `mem://name/prefix`, or any that
            fsspec opens. Or a reference, a branch or a transaction; or a store, which is returned.
        prefix: Prefix in the place. A slash is added at its end.
        client: Client of a `lakefs://` URL. Defaults to the default client.
        storage_options: Options of the file system of fsspec.
        max_workers: Maximum number of concurrent requests. Defaults to what the store takes.
        green: Make concurrent calls in greenlets, for a program that gevent has patched.
        checksum: "crc32c" to store the CRC32C of what is written to a lake with it. It needs the extra `checksums`.
        argument: Name of the parameter, for messages.

    Raises:
        TypeError: It is none of these.
        ValueError: It is no URL of a store.
        ImportError: The URL needs a package that is not installed.
    """
    place = getattr(place, "_store", place)  # of Files
    if isinstance(place, str):
        place = str.__str__(place)
    if isinstance(place, LakeStore | BackedStore):
        return place
    found = store_of_reference(place, prefix, client, max_workers, checksum)
    if found is not None:
        return found
    backend = _backend(place, prefix, storage_options, argument)
    return BackedStore(backend, max_workers=max_workers, green=green)


def _backend(place: Any, prefix: str, storage_options: Mapping[str, Any] | None, argument: str) -> Backend:
    if not isinstance(place, str):
        kind = type(place).__name__
        msg = f"{argument} must be a URL, such as lakefs://repository/reference/prefix, or a reference, not {kind}"
        raise TypeError(msg)
    scheme, separator, _ = place.partition("://")
    if not separator or not scheme:
        msg = (
            f"{argument} must be a URL with a scheme, not {place.partition('?')[0]!r:.80}: for a local directory "
            "file:///path/to/directory, for a lake lakefs://repository/reference/prefix"
        )
        raise ValueError(msg)
    if scheme == "file":
        return Directory.of(place, prefix)
    if scheme == "mem":
        return Memory.of(place, prefix)
    return Remote(place, storage_options, prefix)
