"""Objects and common prefixes: their records, and the calls that read and delete them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from pathlib import PurePosixPath
from typing import Any, Final, Self, TypeAlias, TypeVar

from lakefs_hl import _html as html
from lakefs_hl._handles import paths
from lakefs_hl._handles.calls import Pages
from lakefs_hl._handles.handle import Handle
from lakefs_hl._handles.keyed import Keyed, attributes
from lakefs_hl._handles.libraries import token
from lakefs_hl._handles.listings import INTEGER, OBJECT, TIME, Columns
from lakefs_hl._handles.paths import Item
from lakefs_hl._handles.tagging import decode
from lakefs_hl.ops import objects as ops
from lakefs_hl.ops import transfer
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.prefixes import suffix_page
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import arguments
from lakefs_hl.spec.headers import OBJECT_OP_ID
from lakefs_hl.spec.models import ObjectStats

#: Fields of the rows of `list_objects`. A common prefix has the first two.
OBJECTS: Final = Columns(
    "objects",
    {
        "path": OBJECT,
        "type": OBJECT,
        "size_bytes": INTEGER,
        "modified_time": TIME,
        "content_type": OBJECT,
        "checksum": OBJECT,
        "metadata": OBJECT,
        "physical_address": OBJECT,
    },
)
K = TypeVar("K", bound="ObjectFields")
P = TypeVar("P", bound="PrefixFields")


class ObjectFields(Keyed, Item):
    """The fields of an object. `_record` is its path until the object was looked up."""

    __slots__ = ("_record", "_reference")
    _attributes = attributes(
        *OBJECTS.types,
        "name",
        "uri",
        "repository_id",
        "reference_id",
        "tags",
        key="path",
        size="size_bytes",
        etag="checksum",
        last_modified="modified_time",
        bucket="repository_id",
        created_at="modified_time",
        modified_at="modified_time",
    )
    _record: ObjectStats | str
    _reference: Handle

    def _stats(self) -> ObjectStats:
        raise NotImplementedError  # the colours look up lazily in different ways

    def _with(self, options: Mapping[str, Any]) -> Self:
        return wrap(type(self), self._reference._with(options), self._record)

    def __dask_tokenize__(self) -> tuple[object, ...]:
        record, at = self._record, self._reference
        if isinstance(record, str):  # what is read is known by the version only
            return type(self).__qualname__, token(at), record
        return type(self).__qualname__, at.uri, record.path, record.checksum, record.mtime

    @property
    def path(self) -> str:
        """Path of the object."""
        record = self._record
        return record if isinstance(record, str) else record.path

    @property
    def name(self) -> str:
        """Last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def uri(self) -> str:
        """URI: `lakefs://repository/reference/path`."""
        return self._reference.uri + self.path

    @property
    def repository_id(self) -> str:
        """Name of the repository."""
        return self._reference.repository_id

    @property
    def reference_id(self) -> str:
        """Reference that the object was found at."""
        return self._reference.id

    @property
    def key(self) -> str:
        """Path of the object, as `path`."""
        return self.path

    @property
    def bucket(self) -> str:
        """Name of the repository, as `repository_id`."""
        return self.repository_id

    @property
    def modified_time(self) -> datetime:
        """Time of the last write: an aware datetime in UTC, in whole seconds."""
        return arguments.from_unix_seconds(self._stats().mtime)

    @property
    def modified_at(self) -> datetime:
        """Time of the last write, as `modified_time`."""
        return self.modified_time

    @property
    def created_at(self) -> datetime:
        """Time of the last write, as `modified_time`: content is never changed, and writing it again creates it."""
        return self.modified_time

    @property
    def size_bytes(self) -> int:
        """Size in bytes."""
        return self._stats().size_bytes or 0

    @property
    def size(self) -> int:
        """Size in bytes, as `size_bytes`."""
        return self.size_bytes

    @property
    def content_type(self) -> str | None:
        """Media type that the object was stored with."""
        return self._stats().content_type

    @property
    def metadata(self) -> dict[str, str]:
        """User metadata. Keys are lower-case."""
        return {key: value for key, value in (self._stats().metadata or {}).items() if key != OBJECT_OP_ID}

    @property
    def tags(self) -> dict[str, str]:
        """Tags, as `set_tags` stores them. The metadata has them too, as JSON in the key `lakefs-hl-tags`.

        Raises:
            ValueError: Another program has written something else under that key.
        """
        return decode(self._stats().metadata, self.uri)

    @property
    def physical_address(self) -> str:
        """Address of the content in the object store."""
        return self._stats().physical_address

    @property
    def checksum(self) -> str:
        """ETag without its quotes. The MD5 of the content if the object was written in one part."""
        return self._stats().checksum

    @property
    def type(self) -> str:
        """Return "object"."""
        return "object"

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain values, with `modified_time` as an aware datetime.

        Single fields are also answered by key, under these names and those of S3 clients: `info["size"]`.

        Examples:
            >>> branch.upload(b"1", "a.csv").to_dict()["size_bytes"]
            1
        """
        return {name: getattr(self, name) for name in OBJECTS.types}

    def is_dir(self) -> bool:
        """Return False: this is an object."""
        return False

    def is_file(self) -> bool:
        """Return True: this is an object."""
        return True

    def __eq__(self, other: object) -> bool:
        """Compare the place and the client, not the content."""
        return (
            type(self) is type(other)
            and isinstance(other, ObjectFields)
            and (self._reference._key(), self.path) == (other._reference._key(), other.path)
        )

    def __hash__(self) -> int:
        return hash((type(self), self._reference._key(), self.path))

    def __reduce__(self) -> tuple[Any, ...]:
        at = self._reference
        return restore, (type(self), at._repository_id, at._id, at._given, self._record)

    def __repr__(self) -> str:
        if not hasattr(self, "_record"):  # its arguments were refused
            return "<ObjectInfo>"
        known = "" if isinstance(self._record, str) else f" {self._record.size_bytes or 0:,} bytes"
        return f"<ObjectInfo {self.uri}{known}>"

    def _repr_html_(self) -> str:
        if isinstance(self._record, str):
            return html.describe("ObjectInfo", self.uri)
        rows = {
            "size": f"{self.size_bytes:,} bytes",
            "content type": self.content_type or "",
            "modified": f"{self.modified_time:%Y-%m-%d %H:%M:%S} UTC",
            "checksum": self.checksum,
            **{f"metadata {key}": value for key, value in self.metadata.items()},
        }
        return html.describe("ObjectInfo", self.uri, rows)


class PrefixFields(Keyed, Item):
    """The fields of a common prefix."""

    __slots__ = ("_path", "_reference")
    _attributes = attributes(
        "path", "type", "name", "uri", "repository_id", "reference_id", key="path", bucket="repository_id"
    )
    _path: str
    _reference: Handle

    def _with(self, options: Mapping[str, Any]) -> Self:
        return wrap_prefix(type(self), self._reference._with(options), self._path)

    def __dask_tokenize__(self) -> tuple[object, ...]:
        return type(self).__qualname__, token(self._reference), self._path

    @property
    def path(self) -> str:
        """The prefix."""
        return self._path

    @property
    def name(self) -> str:
        """Last part of the path, without its delimiter."""
        return self._path.rstrip("/").rpartition("/")[2]

    @property
    def uri(self) -> str:
        """URI: `lakefs://repository/reference/prefix`."""
        return self._reference.uri + self._path

    @property
    def key(self) -> str:
        """The prefix, as `path`."""
        return self._path

    @property
    def repository_id(self) -> str:
        """Name of the repository."""
        return self._reference.repository_id

    @property
    def bucket(self) -> str:
        """Name of the repository, as `repository_id`."""
        return self.repository_id

    @property
    def reference_id(self) -> str:
        """Reference that the prefix was found at."""
        return self._reference.id

    @property
    def size(self) -> int:
        """0: a prefix has no content of its own. `usage(prefix)` of a reference sums up what is below."""
        return 0

    @property
    def created_at(self) -> None:
        """None: a prefix is not stored."""
        return

    @property
    def modified_at(self) -> None:
        """None: a prefix is not stored."""
        return

    @property
    def type(self) -> str:
        """Return "common_prefix"."""
        return "common_prefix"

    def to_dict(self) -> dict[str, Any]:
        """Return the prefix as `path`, and the type `common_prefix`."""
        return {"path": self._path, "type": self.type}

    def is_dir(self) -> bool:
        """Return True: this is a prefix."""
        return True

    def is_file(self) -> bool:
        """Return False: this is a prefix."""
        return False

    def __eq__(self, other: object) -> bool:
        return (
            type(self) is type(other)
            and isinstance(other, PrefixFields)
            and (self._reference._key(), self._path) == (other._reference._key(), other._path)
        )

    def __hash__(self) -> int:
        return hash((type(self), self._reference._key(), self._path))

    def __reduce__(self) -> tuple[Any, ...]:
        at = self._reference
        return type(self), (at._repository_id, at._id, self._path, at._given)

    def __repr__(self) -> str:
        if not hasattr(self, "_path"):  # its arguments were refused
            return "<CommonPrefix>"
        return f"<CommonPrefix {self.uri}>"

    def _repr_html_(self) -> str:
        return html.describe("CommonPrefix", self.uri)


#: What names an object in a call.
ObjectPath: TypeAlias = str | PurePosixPath | ObjectFields
#: What names an object or a common prefix.
ObjectOrPrefix: TypeAlias = ObjectPath | PrefixFields
#: What names a prefix.
Prefix: TypeAlias = str | PrefixFields


def wrap(kind: type[K], reference: Handle, record: ObjectStats | str, _new: Any = object.__new__) -> K:
    """Return a handle around a record. It skips the checks of the constructor: listings make 1,000 per page."""
    info: K = _new(kind)
    info._reference = reference
    info._record = record
    return info


def wrap_entries(kind: type[K], prefix: type[P], reference: Handle) -> Callable[[ObjectStats], K | P]:
    """Return a function that does what `wrap` and `wrap_prefix` do, in one call per row of a listing."""
    new: Any = object.__new__

    def entry(record: ObjectStats) -> K | P:
        if record.path_type != "object":
            return wrap_prefix(prefix, reference, record.path)
        info: K = new(kind)
        info._reference = reference
        info._record = record
        return info

    return entry


def wrap_prefix(kind: type[P], reference: Handle, path: str) -> P:
    """Return a handle of a common prefix. It skips the checks of the constructor."""
    prefix: P = object.__new__(kind)
    prefix._reference = reference
    prefix._path = path
    return prefix


def restore(kind: Any, repository_id: str, reference_id: str, client: Any, record: ObjectStats | str) -> Any:
    """Unpickle the handle of an object with its record. Pickles name this function: it stays where it is."""
    info = kind(repository_id, reference_id, "-", client)  # a listed path is taken as it is, without checks
    info._record = record
    return info


# -- calls -------------------------------------------------------------------------------------------------------------


def stat(session: Session, at: Handle, path: object) -> Op[ObjectStats]:
    """Look up an object."""
    return ops.stat(session, at._repository_id, at._id, paths.path(path, at))


def exists(session: Session, at: Handle, path: object) -> Op[bool]:
    """Check whether an object exists."""
    return ops.exists(session, at._repository_id, at._id, paths.path(path, at))


def download(
    session: Session, at: Handle, path: object, start: object, end: object, verify: object, pre_signed: object
) -> Op[bytes]:
    """Read an object or a range of it."""
    return transfer.download(
        session,
        at._repository_id,
        at._id,
        paths.path(path, at),
        start=arguments.optional_integer(start, "start"),
        end=arguments.optional_integer(end, "end"),
        verify=arguments.flag(verify, "verify"),
        pre_signed=arguments.optional_flag(pre_signed, "pre_signed"),
    )


def listing(
    session: Session,
    at: Handle,
    max_amount: object,
    after: object,
    prefix: object,
    delimiter: object,
    recursive: object,
    suffix: object = "",
) -> Pages[ObjectStats]:
    """List objects and common prefixes."""
    end = arguments.text(suffix, "suffix")
    page = partial(
        partial(suffix_page, suffix=end) if end else ops.list_page,
        session,
        at._repository_id,
        at._id,
        prefix=paths.prefix(prefix, at),
        delimiter=arguments.delimiter(delimiter, recursive),
    )
    return Pages(page, paths.path_or_prefix(after, at, "after"), arguments.amount(max_amount), OBJECTS)


def delete(session: Session, at: Handle, path: str) -> Op[None]:
    """Delete an object whose path is known to be valid."""
    return ops.delete(session, at._repository_id, at._id, path)
