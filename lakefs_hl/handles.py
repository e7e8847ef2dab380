"""What the handles of both colours share: where something is, what is known of it, and how that prints and compares.

Rules of the room: no requests, no drivers; a blocking and an awaitable face derive from each class here and add the
methods that ask. A handle holds no connection: it is hashable, comparable, picklable, and safe in threads and after a
fork.
"""

from __future__ import annotations

import sys
import warnings
from html import escape
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, NamedTuple, Self, TypeAlias, TypeVar, cast

from lakefs_hl import arguments
from lakefs_hl.ops.logged import OP_ID
from lakefs_hl.ops.refs import COMMIT_ID
from lakefs_hl.ops.upload import OP_ID as WRITE_ID
from lakefs_hl.options import Optioned
from lakefs_hl.spec import models
from lakefs_hl.spec.errors import LakeFSException
from lakefs_hl.spec.uri import object_uri, repository_uri

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from lakefs_hl.spec.models import ObjectStats

ReadMode: TypeAlias = Literal["r", "rt", "rb"]
Strategy: TypeAlias = Literal["dest-wins", "source-wins"]
OnEmpty: TypeAlias = Literal["skip", "error", "commit"]
STRATEGIES: Final = ("dest-wins", "source-wins")
ON_EMPTY: Final = ("skip", "error", "commit")
DIFF_TYPES: Final = ("three_dot", "two_dot")
K = TypeVar("K", bound="ObjectFields")
P = TypeVar("P", bound="PrefixFields")


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


class Handle(Optioned):
    """A place that has a name: `_given` is the client it was made with, None means the default of each moment."""

    _package: ClassVar[str] = "lakefs_hl"  # whose default client
    _repository_id = _id = ""  # a handle whose name is refused prints all the same, in a traceback with variables

    def __init__(self, repository_id: str, reference_id: str, client: Any = None) -> None:
        self._repository_id = arguments.repository_name(repository_id)
        self._id = arguments.in_repository(reference_id, "reference_id", self._repository_id)
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

    def _kind(self) -> object:
        """What `==` compares besides the place: the class, but a commit is a commit, whichever call gave it."""
        return type(self)

    def _commit_kind(self) -> object:
        return (self._package, "commit") if COMMIT_ID.fullmatch(self._id) else type(self)

    def __eq__(self, other: object) -> bool:
        """Same kind, same place, same client; of a commit the same lake, whatever the client's options."""
        if not isinstance(other, Handle) or self._key()[:2] != other._key()[:2] or self._kind() != other._kind():
            return False
        return bool(self._given == other._given) or (self._is_commit() and self._lake() == other._lake())

    def __hash__(self) -> int:
        """Of the kind and the place."""
        return hash((self._kind(), self._key()[:2]))

    def _is_commit(self) -> bool:
        return self._kind() == (self._package, "commit")

    def _lake(self) -> object:
        """What tells lakes apart: an endpoint; of a handle without a client that it is the default client's."""
        if self._given is None or isinstance(self._given, self._of_default):
            return None
        try:
            return str(self._given.endpoint)
        except LakeFSException:  # unpickled where it cannot be used
            return object()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles where it is; the client pickles its recipe."""
        return type(self), (self._repository_id, self._id, self._given)

    def __repr__(self) -> str:
        """The kind and the URI."""
        return f"<{type(self).__name__} {self.uri}>"

    def _repr_html_(self) -> str:
        return f"<b>{type(self).__name__}</b> <code>{escape(self.uri)}</code>"


class RepositoryHandle(Optioned):
    """A repository's name and client.

    Args:
        repository_id: The name: 3 to 63 lower-case letters, digits and dashes.
        client: Whom to ask; None means the default client of the moment of each call.
    """

    _package: ClassVar[str] = "lakefs_hl"
    _id = ""

    def __init__(self, repository_id: str, client: Any = None) -> None:
        self._id = arguments.repository_name(repository_id)
        self._given = client

    @property
    def _repository_id(self) -> str:
        return self._id

    @property
    def id(self) -> str:
        """The name."""
        return self._id

    @property
    def uri(self) -> str:
        """`lakefs://repository`."""
        return repository_uri(self._id)

    def _warn_of(self, found: models.Repository, namespace: str | None, branch: str | None) -> None:
        """Warns that a repository which exists is not what `get_or_create` was asked for; None was not asked."""
        differs = []
        if namespace and namespace.rstrip("/") != found.storage_namespace.rstrip("/"):
            differs.append(f"the storage namespace {found.storage_namespace!r}, not {namespace!r}")
        if branch is not None and branch != found.default_branch:
            differs.append(f"the default branch {found.default_branch!r}, not {branch!r}")
        if differs:
            warnings.warn(f"{self.uri} exists with {' and '.join(differs)}; it is used as it is", stacklevel=3)

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


class ObjectFields(Optioned):
    """What is known of an object; `_record` is its path until it was looked up."""

    __slots__ = ("_record", "_reference")
    _record: ObjectStats | str
    _reference: Handle

    def _stats(self) -> ObjectStats:
        raise NotImplementedError  # the colours differ in how they ask

    def _with(self, options: Mapping[str, Any]) -> Self:
        return wrap(type(self), self._reference._with(options), self._record)

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
        return arguments.from_unix_seconds(self._stats().mtime)

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
        return restore, (type(self), at._repository_id, at._id, at._given, self._record)

    def __repr__(self) -> str:
        """The URI, and the size if it is known."""
        if not hasattr(self, "_record"):  # its path was refused
            return "<ObjectInfo>"
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


def wrap_prefix(kind: type[P], reference: Handle, path: str) -> P:
    """Makes a handle of a prefix of a listing, without the checks of one made by hand."""
    prefix: P = object.__new__(kind)
    prefix._reference = reference
    prefix._path = path
    return prefix


def restore(kind: Any, repository_id: str, reference_id: str, client: Any, record: ObjectStats | str) -> Any:
    """Unpickles a handle of an object: where it is, and what was known of it."""
    info = kind(repository_id, reference_id, "-", client)  # the path of a listed object is taken as it is
    info._record = record
    return info


class PrefixFields(Optioned):
    """A prefix that objects share."""

    __slots__ = ("_path", "_reference")
    _path: str
    _reference: Handle

    def _with(self, options: Mapping[str, Any]) -> Self:
        copy = object.__new__(type(self))
        copy._path, copy._reference = self._path, self._reference._with(options)
        return copy

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
        if not hasattr(self, "_path"):  # it was refused
            return "<CommonPrefix>"
        return f"<CommonPrefix {self.uri}>"

    def _repr_html_(self) -> str:
        return f"<b>CommonPrefix</b> <code>{escape(self.uri)}</code>"


class CommitFields(Handle):
    """A commit's fields, loaded."""

    _record: models.Commit

    @staticmethod
    def _checked(record: object) -> models.Commit:
        if isinstance(record, models.Commit):
            return record
        kind = type(record).__name__
        msg = f"record must be the record of a commit, not {kind}: {record!r:.80}; get_commit() gives a Commit"
        raise TypeError(msg)

    def _kind(self) -> object:
        return self._package, "commit"

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
        return arguments.from_unix_seconds(self._record.creation_date)

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


class ImportFields(Optioned):
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
        self._locations: list[models.ImportLocation] = []
        self._import_id: str | None = None
        self._repository_id, self._id, self._given = "", "", client
        self._repository_id = arguments.repository_name(repository_id)
        self._id = arguments.in_repository(reference_id, "reference_id", self._repository_id)
        self._locations = [_location(self, *pair, "sources", "sources") for pair in _pairs(sources)]
        self._message = arguments.text(commit_message, "commit_message")
        self._metadata = arguments.optional_metadata(metadata) or {}

    def _with(self, options: Mapping[str, Any]) -> Self:
        copy = super()._with(options)
        copy._locations, copy._metadata = list(self._locations), dict(self._metadata)
        return copy

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
        self._locations.append(_location(self, uri, destination))

    def __repr__(self) -> str:
        """Where to, from how many sources, and the id."""
        at = object_uri(self._repository_id, self._id)
        return f"<ImportManager {at} sources={len(self._locations)} id={self._import_id}>"


def _pairs(sources: object) -> list[tuple[object, object]]:
    """The sources of an import; a single pair is one source."""
    if isinstance(sources, tuple) and len(sources) == 2 and isinstance(sources[0], str):
        sources = (sources,)
    if isinstance(sources, str | bytes) or not hasattr(sources, "__iter__"):
        msg = f"sources must be pairs of (URI, destination), not {type(sources).__name__}: {sources!r:.80}"
        raise TypeError(msg)
    pairs = []
    for pair in cast("Iterable[object]", sources):
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            msg = f"sources must be pairs of (URI, destination), and {pair!r:.80} is not one"
            raise TypeError(msg)
        pairs.append((pair[0], pair[1]))
    return pairs


def _location(
    place: arguments.Place,
    object_store_uri: object,
    destination: object,
    first: str = "object_store_uri",
    second: str = "destination",
) -> models.ImportLocation:
    """An object, or a prefix if either side looks like one; lakeFS matches prefixes raw, so they end with a slash."""
    hint = "; give a URI of the object store, such as 's3://bucket/path/', or 'local:///directory/' on an embedded lake"
    uri = arguments.text(object_store_uri, first, hint=hint)
    to = arguments.path(destination, place, second)
    if not to or to.endswith("/") or uri.endswith("/"):
        slash = "" if not to or to.endswith("/") else "/"
        return models.ImportLocation("common_prefix", uri if uri.endswith("/") else uri + "/", to + slash)
    return models.ImportLocation("object", uri, to)


def reference_name(reference: object, argument: str, place: Handle | RepositoryHandle) -> str:
    """Returns the name of a reference that is given as a handle of either colour, by its name or by its URI.

    Raises:
        TypeError: It is none of these.
        ValueError: It is empty, or in another repository or lake than `place`.
    """
    if isinstance(reference, Handle):
        check_place(reference, argument, place)
        return reference._id
    if not isinstance(reference, str):
        kind = type(reference).__name__
        msg = f"{argument} must be the name of a reference or a reference, not {kind}: {reference!r:.80}"
        raise TypeError(msg)
    return arguments.in_repository(reference, argument, place._repository_id)


def optional_reference_name(reference: object, argument: str, place: Handle | RepositoryHandle) -> str | None:
    """Returns the name of a reference; None stays None.

    Raises:
        TypeError: It is neither a reference nor None.
        ValueError: It is empty, or in another repository or lake than `place`.
    """
    return None if reference is None else reference_name(reference, argument, place)


def check_place(handle: Handle, argument: str, place: Handle | RepositoryHandle) -> None:
    """Refuses a handle of another repository or another lake: only its name would be sent, and mean something else.

    Clients are compared by their endpoints. A default client that does not exist yet is not made for that: the
    configuration says where it would be.

    Raises:
        ValueError: The handle belongs to another repository or lake than `place`.
    """
    if handle._repository_id != place._repository_id:
        raise arguments.elsewhere(argument, repr(handle), place._repository_id)
    if handle._given is place._given and handle._package == place._package:
        return
    theirs, ours = _endpoint(handle), _endpoint(place)
    if theirs is not None and ours is not None and theirs != ours:
        msg = f"{argument}: {handle!r} is on {theirs}, and this call is made on {ours}"
        raise ValueError(msg)


def _endpoint(handle: Handle | RepositoryHandle) -> str | None:
    """Where the requests of a handle go; None if that is a default client that cannot be made."""
    client = handle._given
    if client is None or isinstance(client, handle._of_default):
        client = sys.modules[handle._package].DefaultClient
    return None if client is None else str(client.endpoint)
