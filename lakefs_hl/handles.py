"""What the handles of both colours share: where something is, what is known of it, and how that prints and compares.

Rules of the room: no requests, no drivers; a blocking and an awaitable face derive from each class here and add the
methods that ask. A handle holds no connection: it is hashable, comparable, picklable, and safe in threads and after a
fork.
"""

from __future__ import annotations

import warnings
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, TypeVar, cast

from lakefs_hl.ops.logged import OP_ID
from lakefs_hl.ops.upload import OP_ID as WRITE_ID
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import PartialFailureError
from lakefs_hl.spec.models import ObjectError
from lakefs_hl.spec.uri import object_uri, repository_uri

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lakefs_hl.spec.models import ObjectStats

ReadMode: TypeAlias = Literal["r", "rt", "rb"]
Strategy: TypeAlias = Literal["dest-wins", "source-wins"]
OnEmpty: TypeAlias = Literal["skip", "error", "commit"]
K = TypeVar("K", bound="ObjectFields")


class Change(NamedTuple):
    """One difference between two versions.

    Attributes:
        type: What happened to the path.
        path: The object's path, or the prefix.
        path_type: Whether it is one object or a prefix of several.
        size_bytes: The size after the change, of a removed object before it; None where the lake does not say.
    """

    type: Literal["added", "removed", "changed", "conflict", "prefix_changed"]
    path: str
    path_type: Literal["common_prefix", "object"]
    size_bytes: int | None

    @classmethod
    def _of(cls, record: models.Diff) -> Change:
        return cls(cast("Any", record.type), record.path, cast("Any", record.path_type), record.size_bytes)

    @classmethod
    def _staged(cls, record: models.Diff) -> Change:
        """One of a branch's uncommitted changes: of a removed object lakeFS says there that it has 0 bytes."""
        change = cls._of(record)
        return change._replace(size_bytes=None) if change.type == "removed" else change


class DeleteReport(NamedTuple):
    """What became of a bulk delete.

    Attributes:
        deleted: How many paths are gone; one that was not there counts too.
        errors: What the server refused, path by path.
    """

    deleted: int
    errors: tuple[ObjectError, ...]

    @classmethod
    def _of(cls, uri: str, tried: int, errors: list[ObjectError], on_error: str) -> DeleteReport:
        report = cls(tried - len(errors), tuple(errors))
        if errors and on_error == "raise":
            first = errors[0]
            failure = PartialFailureError(
                f"{len(errors)} of {tried} objects of {uri} were not deleted; the first is {first.path!r}: "
                f"{first.message} ({first.status_code}); all are in `report.errors`"
            )
            failure.report = report
            raise failure
        return report


class Counted:
    """The paths of a bulk call, counted as they are given; a single path is one."""

    def __init__(self, items: object) -> None:
        one = isinstance(items, str | ObjectFields)
        self._items: Iterable[object] = (items,) if one else cast("Iterable[object]", items)
        self.count = 0

    def __iter__(self) -> Iterator[str]:
        """Gives path after path."""
        for item in self._items:
            self.count += 1
            yield path_of(item)


class Handle:
    """A place that has a name: `_given` is the client it was made with, None means the default of each moment."""

    def __init__(self, repository_id: str, reference_id: str, client: Any = None) -> None:
        self._repository_id = name_of(repository_id, "repository_id")
        self._id = name_of(reference_id, "reference_id")
        self._given = client

    @property
    def repository_id(self) -> str:
        """The repository's name."""
        return self._repository_id

    @property
    def id(self) -> str:
        """The reference as it was named."""
        return self._id

    @property
    def uri(self) -> str:
        """`lakefs://repository/reference/`."""
        return object_uri(self._repository_id, self._id)

    def _key(self) -> tuple[Any, ...]:
        return self._repository_id, self._id, self._given

    def __eq__(self, other: object) -> bool:
        """Same kind, same place, same client."""
        return type(self) is type(other) and isinstance(other, Handle) and self._key() == other._key()

    def __hash__(self) -> int:
        """Of the same things that `==` compares."""
        return hash((type(self), self._key()))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles where it is; the client pickles its recipe."""
        return type(self), (self._repository_id, self._id, self._given)

    def __repr__(self) -> str:
        """The kind and the URI."""
        return f"<{type(self).__name__} {self.uri}>"

    def _repr_html_(self) -> str:
        return f"<b>{type(self).__name__}</b> <code>{escape(self.uri)}</code>"


class RepositoryHandle:
    """A repository's name and client.

    Args:
        repository_id: The name: 3 to 63 lower-case letters, digits and dashes.
        client: Whom to ask; None means the default client of the moment of each call.
    """

    def __init__(self, repository_id: str, client: Any = None) -> None:
        self._id = name_of(repository_id, "repository_id")
        self._given = client

    @property
    def id(self) -> str:
        """The name."""
        return self._id

    @property
    def uri(self) -> str:
        """`lakefs://repository`."""
        return repository_uri(self._id)

    def __eq__(self, other: object) -> bool:
        """Same kind, same name, same client."""
        return (
            type(self) is type(other)
            and isinstance(other, RepositoryHandle)
            and (self._id, self._given) == (other._id, other._given)
        )

    def __hash__(self) -> int:
        """Of the same things that `==` compares."""
        return hash((type(self), self._id, self._given))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles the name; the client pickles its recipe."""
        return type(self), (self._id, self._given)

    def __repr__(self) -> str:
        """The URI."""
        return f"<Repository {self.uri}>"

    def _repr_html_(self) -> str:
        return f"<b>Repository</b> <code>{escape(self.uri)}</code>"


class ObjectFields:
    """What is known of an object; `_record` is its path until it was looked up."""

    __slots__ = ("_record", "_reference")
    _record: ObjectStats | str
    _reference: Handle

    def _stats(self) -> ObjectStats:
        raise NotImplementedError  # the colours differ in how they ask

    @property
    def path(self) -> str:
        """The object's path."""
        record = self._record
        return record if isinstance(record, str) else record.path

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def uri(self) -> str:
        """`lakefs://repository/reference/path`."""
        return self._reference.uri + self.path

    @property
    def repository_id(self) -> str:
        """The repository's name."""
        return self._reference.repository_id

    @property
    def reference_id(self) -> str:
        """The reference that it was found at."""
        return self._reference.id

    @property
    def modified_time(self) -> datetime:
        """When it was written; aware, UTC, whole seconds."""
        return datetime.fromtimestamp(self._stats().mtime, UTC)

    @property
    def size_bytes(self) -> int:
        """Size in bytes."""
        return self._stats().size_bytes or 0

    @property
    def content_type(self) -> str | None:
        """The media type it was stored with."""
        return self._stats().content_type

    @property
    def metadata(self) -> dict[str, str]:
        """The user metadata; keys are lower-case."""
        return {key: value for key, value in (self._stats().metadata or {}).items() if key != WRITE_ID}

    @property
    def physical_address(self) -> str:
        """Where the bytes lie in the object store."""
        return self._stats().physical_address

    @property
    def checksum(self) -> str:
        """The ETag without its quotes; the MD5 of an object written in one piece."""
        return self._stats().checksum

    def is_dir(self) -> bool:
        """False: it is an object."""
        return False

    def is_file(self) -> bool:
        """True: it is an object."""
        return True

    def __eq__(self, other: object) -> bool:
        """Same place, same client; not the same content."""
        return (
            type(self) is type(other)
            and isinstance(other, ObjectFields)
            and (self._reference._key(), self.path) == (other._reference._key(), other.path)
        )

    def __hash__(self) -> int:
        """Of the same things that `==` compares."""
        return hash((type(self), self._reference._key(), self.path))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles where it is, and what was known of it."""
        at = self._reference
        return restore, (type(self), at._repository_id, at._id, self.path, at._given, self._record)

    def __repr__(self) -> str:
        """The URI, and the size if it is known."""
        known = "" if isinstance(self._record, str) else f" {self._record.size_bytes or 0:,} bytes"
        return f"<ObjectInfo {self.uri}{known}>"

    def _repr_html_(self) -> str:
        record = self._record
        if isinstance(record, str):
            return f"<b>ObjectInfo</b> <code>{escape(self.uri)}</code>"
        rows = {
            "size": f"{self.size_bytes:,} bytes",
            "content type": self.content_type or "",
            "modified": f"{self.modified_time:%Y-%m-%d %H:%M:%S} UTC",
            "checksum": self.checksum,
            **{f"metadata {key}": value for key, value in self.metadata.items()},
        }
        return f"<b>ObjectInfo</b> <code>{escape(self.uri)}</code>{_table(rows)}"


def wrap(kind: type[K], reference: Handle, record: ObjectStats | str, _new: Any = object.__new__) -> K:
    """Makes a handle around a record, without the checks of one made by hand: 1,000 a page."""
    info: K = _new(kind)
    info._reference = reference
    info._record = record
    return info


def restore(kind: Any, repository_id: str, reference_id: str, path: str, client: Any, record: ObjectStats | str) -> Any:
    """Unpickles a handle of an object: where it is, and what was known of it."""
    info = kind(repository_id, reference_id, path, client)
    info._record = record
    return info


class PrefixFields:
    """A prefix that objects share."""

    __slots__ = ("_path", "_reference")
    _path: str
    _reference: Handle

    @property
    def path(self) -> str:
        """The prefix."""
        return self._path

    @property
    def name(self) -> str:
        """The last part of the path, without its delimiter."""
        return self._path.rstrip("/").rpartition("/")[2]

    @property
    def uri(self) -> str:
        """`lakefs://repository/reference/prefix`."""
        return self._reference.uri + self._path

    def is_dir(self) -> bool:
        """True: it is a prefix."""
        return True

    def is_file(self) -> bool:
        """False: it is a prefix."""
        return False

    def __eq__(self, other: object) -> bool:
        """Same place, same client."""
        return (
            type(self) is type(other)
            and isinstance(other, PrefixFields)
            and (self._reference._key(), self._path) == (other._reference._key(), other._path)
        )

    def __hash__(self) -> int:
        """Of the same things that `==` compares."""
        return hash((type(self), self._reference._key(), self._path))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles where it is."""
        at = self._reference
        return type(self), (at._repository_id, at._id, self._path, at._given)

    def __repr__(self) -> str:
        """The URI."""
        return f"<CommonPrefix {self.uri}>"

    def _repr_html_(self) -> str:
        return f"<b>CommonPrefix</b> <code>{escape(self.uri)}</code>"


class CommitFields(Handle):
    """A commit's fields, loaded."""

    _record: models.Commit

    @property
    def message(self) -> str:
        """The message."""
        return self._record.message

    @property
    def committer(self) -> str:
        """Who made it."""
        return self._record.committer

    @property
    def creation_date(self) -> datetime:
        """When it was made; aware, UTC, whole seconds."""
        return datetime.fromtimestamp(self._record.creation_date, UTC)

    @property
    def parents(self) -> list[str]:
        """The ids of its parents; a merge has two, the first commit none."""
        return list(self._record.parents)

    @property
    def meta_range_id(self) -> str:
        """LakeFS's id of the whole content; equal ids mean equal content."""
        return self._record.meta_range_id

    @property
    def op_id(self) -> str | None:
        """The id of the operation that made it, if this package did; kept in the lake's metadata of the commit."""
        return self._record.metadata.get(OP_ID)

    def _own_metadata(self) -> dict[str, str]:
        """The metadata without what this package put there for itself."""
        return {key: value for key, value in self._record.metadata.items() if key != OP_ID}

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles the commit and its fields."""
        return type(self), (self._repository_id, self._record, self._given)

    def __repr__(self) -> str:
        """The short id, the first line of the message, who and when."""
        first = self.message.partition("\n")[0]
        shown = first if len(first) <= 60 else first[:59] + "…"
        when = f"{self.creation_date:%Y-%m-%d %H:%M}"
        return f"<Commit {self.id[:12]} {shown!r} by {self.committer or 'nobody'} at {when}>"

    def _repr_html_(self) -> str:
        rows = {
            "message": self.message,
            "committer": self.committer,
            "date": f"{self.creation_date:%Y-%m-%d %H:%M:%S} UTC",
            "parents": "\n".join(self.parents),
            **{f"metadata {key}": value for key, value in self._own_metadata().items()},
        }
        return f"<b>Commit</b> <code>{escape(self.uri)}</code>{_table(rows)}"


def _table(rows: Mapping[str, str]) -> str:
    """Names and values for a notebook, which would put them to the right and join lines; escaped, and nothing empty."""
    style = 'style="text-align: left; vertical-align: top; white-space: pre-wrap"'
    cells = (
        f"<tr><th {style}>{escape(name)}</th><td {style}>{escape(value)}</td></tr>"
        for name, value in rows.items()
        if value
    )
    return f"<table>{''.join(cells)}</table>"


class ImportFields:
    """What an import is made of, and the id of the run under way.

    Args:
        repository_id: The repository's name.
        reference_id: The branch to import into.
        client: Whom to ask; None means the default client.
        sources: Pairs of (URI in the object store, destination in the branch).
        commit_message: Of the commit that the import makes.
        metadata: Of the same commit.
    """

    def __init__(
        self,
        repository_id: str,
        reference_id: str,
        client: Any = None,
        *,
        sources: Iterable[tuple[str, str]] = (),
        commit_message: str = "",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self._repository_id = name_of(repository_id, "repository_id")
        self._id = name_of(reference_id, "reference_id")
        self._given = client
        self._locations = [_location(uri, destination) for uri, destination in sources]
        self._message = commit_message
        self._metadata = dict(metadata or {})
        self._import_id: str | None = None

    @property
    def import_id(self) -> str | None:
        """The id of the import that was started, or None."""
        return self._import_id

    def _to_start(self) -> list[models.ImportLocation]:
        if self._import_id is not None:
            msg = f"this import runs already as {self._import_id}; wait() for it, or make a new one"
            raise RuntimeError(msg)
        if not self._locations:
            msg = "there is nothing to import: give sources=[(uri, destination)], or add(uri, destination) first"
            raise ValueError(msg)
        return self._locations

    def _started(self) -> str:
        if self._import_id is None:
            msg = "the import was not started: call start() first, or run()"
            raise RuntimeError(msg)
        return self._import_id

    def _add(self, uri: str, destination: str) -> None:
        self._locations.append(_location(uri, destination))

    def __repr__(self) -> str:
        """Where to, from how many sources, and the id."""
        at = object_uri(self._repository_id, self._id)
        return f"<ImportManager {at} sources={len(self._locations)} id={self._import_id}>"


def _location(uri: str, destination: str) -> models.ImportLocation:
    """An object, or a prefix if either side looks like one; lakeFS matches prefixes raw, so they end with a slash."""
    if not destination or destination.endswith("/") or uri.endswith("/"):
        slash = "" if not destination or destination.endswith("/") else "/"
        return models.ImportLocation("common_prefix", uri if uri.endswith("/") else uri + "/", destination + slash)
    return models.ImportLocation("object", uri, destination)


def name_of(value: object, argument: str) -> str:
    """Returns a name that is a string and not empty.

    Raises:
        TypeError: It is no string.
        ValueError: It is empty.
    """
    if not isinstance(value, str):
        msg = f"{argument} must be a string, not {type(value).__name__}: {value!r}"
        raise TypeError(msg)
    if not value:
        msg = f"{argument} must not be empty"
        raise ValueError(msg)
    return value


def reference_name(reference: str | Handle) -> str:
    """Returns the name of a reference that is given as a name or as an object.

    Raises:
        TypeError: It is neither.
    """
    if isinstance(reference, Handle):
        return reference.id
    if not isinstance(reference, str) or not reference:
        msg = f"a reference must be a name or a reference object, not {reference!r}"
        raise TypeError(msg)
    return reference


def path_of(item: object) -> str:
    """Returns the path of an object that is given as a path or as a handle.

    Raises:
        TypeError: It is neither.
    """
    if isinstance(item, ObjectFields):
        return item.path
    if not isinstance(item, str):
        msg = f"a path must be a string or an ObjectInfo, not {type(item).__name__}: {item!r}"
        raise TypeError(msg)
    return item


def user_metadata(given: Mapping[str, str] | None) -> dict[str, str] | None:
    """Returns an object's metadata as it was given; warns of a key that lakeFS will keep otherwise."""
    for key in given or ():
        if isinstance(key, str) and key != key.lower():  # what is no string is an error of the upload
            msg = f"the metadata key {key!r} is kept in lower case, as {key.lower()!r}"
            warnings.warn(msg, UserWarning, stacklevel=3)
    return None if given is None else dict(given)


def moment(value: datetime) -> str:
    """Writes a moment as lakeFS wants it in a query.

    Raises:
        ValueError: It has no time zone.
    """
    _check_aware(value)
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def unix_seconds(value: datetime | None) -> int | None:
    """Writes a moment as lakeFS wants it in a record; None stays None.

    Raises:
        ValueError: It has no time zone.
    """
    if value is None:
        return None
    _check_aware(value)
    return int(value.timestamp())


def _check_aware(value: datetime) -> None:
    if value.tzinfo is None:
        msg = f"a moment must be an aware datetime, such as datetime.now(UTC); {value!r} has no time zone"
        raise ValueError(msg)
