"""Calls on what lies under a prefix, on every reference: patterns, directories, usage, chunks, and many look-ups."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import PurePath
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from lakefs_hl._handles import paths
from lakefs_hl._handles.calls import Pages
from lakefs_hl._handles.handle import Handle
from lakefs_hl._handles.listings import INTEGER, Ahead, Columns
from lakefs_hl._handles.objects import OBJECTS
from lakefs_hl._handles.records import public
from lakefs_hl.ops import lookups
from lakefs_hl.ops import prefixes as ops
from lakefs_hl.ops.chunks import Chunks
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.globs import Pattern
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import arguments
from lakefs_hl.spec.models import ObjectStats

#: How `usage` groups objects.
UsageGroup: TypeAlias = Literal["directory", "extension"]
GROUPS: Final = ("directory", "extension")
#: Fields of the rows of `iter_usage`.
USAGES: Final = Columns("partial sums", {"total_bytes": INTEGER, "object_count": INTEGER})
#: Rows of chunks have no fields.
CHUNKS: Final = Columns("chunks", {})


class Usage(NamedTuple):
    """Amount of data at a reference: the sum of the sizes of its objects.

    It is the size that a download has. Objects with the same content, which a store may keep once, count each.

    Attributes:
        total_bytes: The sum of the sizes in bytes.
        object_count: Number of objects.
    """

    total_bytes: int
    object_count: int

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name."""
        return self._asdict()

    @classmethod
    def _of(cls, total: ops.Total) -> Usage:
        return cls(total.total_bytes, total.object_count)


public(Usage)


def glob(session: Session, at: Handle, pattern: object, max_amount: object) -> Pages[ObjectStats]:
    """List the objects that match a pattern.

    Raises:
        TypeError: The pattern is not a string.
        ValueError: It is empty, or a URI at another reference.
    """
    found = arguments.path(pattern, at, "pattern")
    if not found:
        msg = "pattern must not be empty; '**' matches every object"
        raise ValueError(msg)
    page = partial(ops.glob_page, session, at._repository_id, at._id, pattern=Pattern(found))
    return Pages(page, "", arguments.amount(max_amount), OBJECTS)


def is_dir(session: Session, at: Handle, path: object) -> Op[bool]:
    """Check whether there are objects under a path."""
    return ops.is_dir(session, at._repository_id, at._id, paths.path_or_prefix(path, at))


def is_file(session: Session, at: Handle, path: object) -> Op[bool]:
    """Check whether a path is that of an object."""
    return ops.is_file(session, at._repository_id, at._id, paths.path_or_prefix(path, at))


# -- usage -------------------------------------------------------------------------------------------------------------


def usage(session: Session, at: Handle, prefix: object, by: object) -> Op[Usage | dict[str, Usage]]:
    """Sum up the objects of a prefix."""
    found, group = paths.prefix(prefix, at), arguments.optional_choice(by, "by", GROUPS)
    return _usage(session, at, found, group)


def _usage(session: Session, at: Handle, prefix: str, group: UsageGroup | None) -> Op[Usage | dict[str, Usage]]:
    totals = yield from ops.usage(session, at._repository_id, at._id, prefix, _group_of(prefix, group))
    if group is None:
        return Usage._of(totals.get("", ops.Total()))
    return {name: Usage._of(total) for name, total in totals.items()}


def _group_of(prefix: str, group: UsageGroup | None) -> Callable[[str], str]:
    if group is None:
        return lambda _: ""
    if group == "extension":
        return _extension
    folder = prefix[: prefix.rfind("/") + 1]

    def directory(path: str) -> str:
        end = path.find("/", len(folder))
        return folder if end < 0 else path[: end + 1]

    return directory


def _extension(path: str) -> str:
    """Return the suffix of a path in lower case, with its dot. "" if it has none, as `.profile`."""
    stem, dot, suffix = path.rpartition("/")[2].rpartition(".")
    return f".{suffix.lower()}" if dot and suffix and stem.strip(".") else ""


def iter_usage(session: Session, at: Handle, prefix: object, every: object) -> Pages[ops.Total]:
    """List partial sums of the objects of a prefix."""
    page = partial(
        ops.usage_page,
        session,
        at._repository_id,
        at._id,
        prefix=paths.prefix(prefix, at),
        every=arguments.integer(every, "every", least=1),
    )
    return Pages(page, "", None, USAGES)


#: Makes the row of a partial sum.
row_of: Final = Usage._of

# -- content and look-ups ----------------------------------------------------------------------------------------------


class ChunksAhead(Ahead[bytes]):
    """Where a failure of a stream is noted."""

    __slots__ = ()

    INTERRUPTED = "the stream was interrupted and cannot be continued; stream again, from `start` where it ended"


def stream(
    session: Session,
    at: Handle,
    path: object,
    start: object,
    end: object,
    chunk_size: object,
    verify: object,
    pre_signed: object,
) -> Pages[memoryview]:
    """List the chunks of an object."""
    chunks = Chunks(
        at._repository_id,
        at._id,
        paths.path(path, at),
        arguments.integer(start, "start"),
        arguments.optional_integer(end, "end"),
        arguments.integer(chunk_size, "chunk_size", least=1),
        verify=arguments.flag(verify, "verify"),
        pre_signed=arguments.optional_flag(pre_signed, "pre_signed"),
    )
    return Pages(partial(chunks.next_page, session), "", None, CHUNKS)


def workers(max_workers: object) -> int | None:
    """Return the maximum number of concurrent requests of a call. None leaves it to the server."""
    return arguments.optional_integer(max_workers, "max_workers", least=1)


def each_path(items: Any, at: Handle) -> Iterator[str]:
    """Yield the paths given to `stat_many`, checked. A single string is one path.

    Raises:
        TypeError: It is neither a path nor an iterable of paths.
        ValueError: A path is elsewhere.
    """
    if isinstance(items, str | PurePath | paths.Item):
        items = (items,)
    for item in arguments.items(items, "paths"):
        yield paths.path(item, at, "paths")


def stat_many(session: Session, at: Handle, paths: Any, limit: int | None) -> Op[list[ObjectStats | None]]:
    """Look up the objects of paths that are known to be valid, in their order."""
    records = list[ObjectStats | None]()
    yield from lookups.stat_many(session, at._repository_id, at._id, paths, limit, records.append)
    return records
