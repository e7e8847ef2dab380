"""Links to objects: the record of one, uploads by others, and the calls."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple, NoReturn, Self, TypeAlias

from lakefs_hl._handles import paths
from lakefs_hl._handles.handle import Handle
from lakefs_hl._handles.options import Optioned
from lakefs_hl._handles.records import public
from lakefs_hl.ops import links as ops
from lakefs_hl.ops import objects
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import arguments
from lakefs_hl.spec.errors import UnsupportedOperationException
from lakefs_hl.spec.links import MAX_SECONDS
from lakefs_hl.spec.models import ObjectStats, StagingLink, StagingLocation
from lakefs_hl.spec.secret import HIDDEN, reveal
from lakefs_hl.spec.uri import object_uri

#: What a link is for.
LinkMethod: TypeAlias = Literal["GET", "PUT"]
#: What makes a link: "server" the lakeFS server, "gateway" this client for lakeFS's S3 gateway.
LinkVia: TypeAlias = Literal["auto", "server", "gateway"]


class SignedURL(NamedTuple):
    """A link to an object. Anyone who has the URL can use it until it expires.

    The URL is a secret. It is not in the `repr`, and the record cannot be pickled: pass on `url`.

    Attributes:
        url: The URL.
        expires_at: When it ends: an aware datetime in UTC, in whole seconds.
        method: "GET" to read the object, "PUT" to write it.

    Examples:
        >>> from datetime import UTC, datetime
        >>> lakefs.SignedURL("https://lake/_object?signature=abc", datetime(2026, 1, 31, tzinfo=UTC), "GET")
        SignedURL(url='https://lake/_object?…', ...method='GET')
    """

    url: str
    expires_at: datetime
    method: LinkMethod

    @classmethod
    def _of(cls, link: ops.Link, method: str) -> SignedURL:
        at = arguments.from_unix_seconds(int(link.expires))
        return cls(reveal(link.url), at, "PUT" if method == "PUT" else "GET")

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name. The URL is among them."""
        return {"url": self.url, "expires_at": self.expires_at, "method": self.method}

    def __repr__(self) -> str:
        shown = f"{self.url.partition('?')[0]}?{HIDDEN}"
        return f"SignedURL(url={shown!r}, expires_at={self.expires_at!r}, method={self.method!r})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        msg = "a SignedURL is a secret and cannot be pickled; pickle its url"
        raise TypeError(msg)

    def __copy__(self) -> SignedURL:
        return self

    def __deepcopy__(self, memo: object) -> SignedURL:
        return self


public(SignedURL)


class UploadFields(Optioned):
    """An upload by others: its destination, and the link to pass on."""

    _given: Any

    def __init__(
        self, branch: Handle, options: UploadOptions, link: SignedURL | None, place: tuple[str, dict[str, str]]
    ) -> None:
        self._branch = branch
        self._options = options
        self._link = link
        self._physical_address, self._headers = place

    @property
    def path(self) -> str:
        """Path of the object."""
        return self._options.path

    @property
    def url(self) -> str:
        """The URL to upload the content to, by PUT. It is a secret until it expires.

        Raises:
            ValueError: The handle was unpickled: the URL is left out of pickles.
        """
        return self._require_link().url

    @property
    def expires_at(self) -> datetime:
        """When the URL ends: an aware datetime in UTC, in whole seconds.

        Raises:
            ValueError: The handle was unpickled.
        """
        return self._require_link().expires_at

    @property
    def headers(self) -> dict[str, str]:
        """Headers that the upload must have. Only Azure requires one."""
        return dict(self._headers)

    @property
    def physical_address(self) -> str:
        """Address of the content in the object store."""
        return self._physical_address

    def _require_link(self) -> SignedURL:
        if self._link is None:
            msg = f"{self!r} was unpickled, and pickles leave the URL out; finish() needs none"
            raise ValueError(msg)
        return self._link

    def _with(self, options: Mapping[str, Any]) -> Self:
        place = (self._physical_address, self._headers)
        return type(self)(self._branch._with(options), self._options, self._link, place)

    def _key(self) -> tuple[Any, ...]:
        return self._branch, self._options.path, self._physical_address

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, UploadFields) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._branch.uri}{self.path}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._branch, self._options, None, (self._physical_address, self._headers))


class UploadOptions(NamedTuple):
    """How an upload by others becomes an object."""

    path: str
    content_type: str
    metadata: dict[str, str]
    create_only: bool


# -- calls -------------------------------------------------------------------------------------------------------------


def presign(
    session: Session,
    at: Handle,
    path: object,
    expires_in_seconds: object,
    method: object,
    via: object,
    max_bytes: object,
    *,
    writable: bool,
) -> Op[ops.Link]:
    """Make a link to an object."""
    found = paths.object_path(path, at)
    what = arguments.choice(method, "method", ("GET", "PUT"))
    wish = ops.Wish(
        at._repository_id,
        at._id,
        found,
        what,
        life(expires_in_seconds),
        arguments.choice(via, "via", ("auto", "server", "gateway")),
        None if max_bytes is None else arguments.integer(max_bytes, "max_bytes", least=0),
        time.time(),
    )
    if what == "PUT" and not writable:
        msg = (
            f"{wish.about}: a {type(at).__name__} is read-only: make the link on a branch, as in "
            f"repository({at._repository_id!r}).branch('main').presign({found!r}, method='PUT')"
        )
        raise UnsupportedOperationException(msg)
    if what == "GET" and max_bytes is not None:
        msg = "max_bytes is for links to write: method='PUT'"
        raise ValueError(msg)
    return ops.presign_object(session, wish)


def life(value: object) -> int:
    """Return the life of a link in seconds.

    Raises:
        TypeError: It is no whole number.
        ValueError: It is less than a second, or more than a week.
    """
    seconds = arguments.integer(value, "expires_in_seconds")
    if not 1 <= seconds <= MAX_SECONDS:
        msg = f"expires_in_seconds={seconds}: must be 1 to {MAX_SECONDS}, which is a week"
        raise ValueError(msg)
    return seconds


def upload_options(
    at: Handle, path: object, content_type: object, metadata: Mapping[str, str] | None, if_none_match: object
) -> UploadOptions:
    """Return the checked options of an upload by others."""
    found = paths.object_path(path, at)
    return UploadOptions(
        found,
        ops.content_type(found, arguments.optional_text(content_type, "content_type")),
        objects.lower_keys(arguments.user_metadata(metadata) or {}),
        arguments.flag(if_none_match, "if_none_match"),
    )


def request_upload(session: Session, at: Handle, path: str, expires_in_seconds: object) -> Op[ops.Address]:
    """Get an address for an upload by others."""
    return ops.request_upload(session, at._repository_id, at._id, path, life(expires_in_seconds), time.time())


def finish(session: Session, upload: UploadFields, etag: object, size_bytes: object) -> Op[ObjectStats]:
    """Make an object of an upload by others."""
    checksum = (arguments.optional_text(etag, "etag") or "").strip().strip('"')
    size = None if size_bytes is None else arguments.integer(size_bytes, "size_bytes", least=0)
    branch, options = upload._branch, upload._options
    if bool(checksum) != (size is not None):
        given, missing = ("etag", "size_bytes") if checksum else ("size_bytes", "etag")
        msg = f"finish() of {object_uri(branch._repository_id, branch._id, options.path)}: {given} without {missing}"
        raise ValueError(f"{msg}: give both, or neither on an embedded lake")
    link = StagingLink(
        StagingLocation(upload.physical_address), checksum, size or 0, options.metadata, options.content_type
    )
    return ops.finish(session, branch._repository_id, branch._id, options.path, link, create_only=options.create_only)
