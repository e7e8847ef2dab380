"""What stores of both colours take and return."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, Final, NamedTuple, TypeAlias

from lakefs_hl import _html

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class Entry(NamedTuple):
    """An object of a store, or a common prefix, as it is stored.

    Attributes:
        path: The path, relative to the store. That of a common prefix ends with a slash.
        size: Size in bytes as it is stored, so of the compressed content. 0 for a common prefix.
        encoding: Encoding of the content: "gzip", "br", "zstd". None if it is not encoded.
        md5: MD5 of the stored content in hexadecimal digits. None if it is not known.
        content_type: Media type. None if it is not known.
        metadata: User metadata, without the encoding.
        modified: Time of the last write, aware, in UTC. None if it is not known.
        automatic: Whether the store chose the encoding by itself, so that a transfer need not keep it.
        etag: What changes with every write: compare it, and do not interpret it. None if there is no such thing.
    """

    path: str
    size: int
    encoding: str | None = None
    md5: str | None = None
    content_type: str | None = None
    metadata: Mapping[str, str] = NOTHING
    modified: datetime | None = None
    automatic: bool = False
    etag: str | None = None

    @property
    def is_prefix(self) -> bool:
        """Whether this is a common prefix."""
        return self.path.endswith("/")


@_html.show_record
class Range(NamedTuple):
    """A part of an object to read, of its content as it is stored.

    Attributes:
        path: The path, relative to the store.
        start: Offset of the first byte. None for the beginning.
        end: Offset after the last byte. None for the end of the object.
    """

    path: str
    start: int | None = None
    end: int | None = None


class Content(NamedTuple):
    """Content that was read, as it is stored; or why it was not.

    Attributes:
        path: The path, relative to the store, as it was asked for.
        data: The stored content, or the part that was asked for. None if there is an error.
        entry: The object as it is stored. None if there is an error, or if it was not looked up.
        byte_range: Start and end as they were asked for, else (None, None).
        error: Why it was not read. A `FileNotFoundError` if there is no such object.
    """

    path: str
    data: bytes | None
    entry: Entry | None = None
    byte_range: tuple[int | None, int | None] = (None, None)
    error: Exception | None = None

    @property
    def encoding(self) -> str | None:
        """Encoding of the content."""
        return None if self.entry is None else self.entry.encoding


class Put(NamedTuple):
    """An object to write.

    Attributes:
        path: The path, relative to the store.
        data: The content as it is to be stored: encoded already, if `encoding` says so. Or a binary file object, which
            is read from its beginning, as often as needed.
        content_type: Media type. None for what the store takes by itself.
        encoding: Encoding of `data`. "" for content that is not encoded and is to stay so. None leaves it to the store,
            which may encode it.
        metadata: User metadata, where the store has such a thing.
        keeps: Whether a file that may be this object in another encoding, or another object, stays. The writer decides:
            it is `left` of the outcome.
    """

    path: str
    data: bytes | BinaryIO
    content_type: str | None = None
    encoding: str | None = None
    metadata: Mapping[str, str] = NOTHING
    keeps: bool = False


class Outcome(NamedTuple):
    """What became of an object that was written or deleted.

    Attributes:
        path: The path, relative to the store.
        size: Number of bytes that were stored. 0 for one that was deleted.
        error: Why it failed, else None.
        left: Path of a file that stays beside it: see `Put.keeps`.
    """

    path: str
    size: int = 0
    error: Exception | None = None
    left: str | None = None


#: What `read_many` takes.
Asked: TypeAlias = str | Range


def range_of(item: Any) -> Range:
    """Return an item of `read_many` as a range.

    Raises:
        TypeError: It is neither a path nor a range.
    """
    if isinstance(item, str):
        return Range(item)
    if isinstance(item, Range):
        return item
    msg = f"paths must hold paths or ranges, not {type(item).__name__}: {item!r:.80}"
    raise TypeError(msg)


@_html.show_record
class CachedSnapshot(NamedTuple):
    """A snapshot in the cache.

    Attributes:
        path: Its directory.
        uri: Its URI, with the commit, and the name of the repository at the endpoint.
        endpoint: Endpoint of the lake.
        files: Number of files.
        size_bytes: Size of all files in bytes.
        last_used: When it was used last: an aware datetime in UTC, up to a minute too early.
        is_complete: Whether it has all files. One that does not is completed by the call that made it.
    """

    path: Path
    uri: str
    endpoint: str
    files: int
    size_bytes: int
    last_used: datetime
    is_complete: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, with the directory as a text."""
        return {**self._asdict(), "path": str(self.path)}
