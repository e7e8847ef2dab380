"""Links to objects: which server, store or gateway makes one, and uploads by others to an address of the store.

Rules of the room: a URL is a `Secret`, and is never sent to the server that it is not for. Where a link cannot be made
nothing is half done: no call here changes an object, but `finish`.
"""

from __future__ import annotations

import contextlib
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, Literal, TypeAlias
from urllib.parse import parse_qs, urlsplit

import msgspec

from lakefs_hl.ops import objects, presign, refs, server, upload
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.retry import Session, ask
from lakefs_hl.spec import endpoints, errors, links, media, models, sigv4
from lakefs_hl.spec.headers import OCTET_STREAM
from lakefs_hl.spec.kinds import ErrorKind
from lakefs_hl.spec.secret import Secret, reveal
from lakefs_hl.spec.uri import object_uri
from lakefs_hl.spec.wire import Request

Method: TypeAlias = Literal["GET", "PUT"]
Via: TypeAlias = Literal["auto", "server", "gateway"]
#: Seconds by which the life of a server's URL may differ from what was asked and still be that.
_TOLERANCE: Final = 5
_SERVE: Final = "serve it with `lakefs-hl serve --presign DIRECTORY`, and make links with a client of that server"
_WITHOUT: Final = "the server is `lakefs-hl serve` without --presign: start it with --presign"
_GATEWAY: Final = 'via="gateway" signs a URL for lakeFS\'s S3 gateway'
_DOTS: Final = re.compile(r"(^|/)\.{1,2}(/|$)")


class Wish(msgspec.Struct, frozen=True):
    """A link that is asked for.

    Attributes:
        repository: Repository ID.
        ref: A reference; to write, a branch.
        path: Path of the object.
        method: "GET" or "PUT".
        seconds: How long the link is to be valid.
        via: What makes it.
        max_bytes: Most bytes that may be written by it; None for as many as the server takes.
        now: This machine's time in Unix seconds.
    """

    repository: str
    ref: str
    path: str
    method: Method
    seconds: int
    via: Via
    max_bytes: int | None
    now: float

    @property
    def about(self) -> str:
        """What is asked, for messages."""
        what = "read" if self.method == "GET" else "write"
        return f"making a link to {what} {object_uri(self.repository, self.ref, self.path)}"


class Link(msgspec.Struct, frozen=True):
    """A link.

    Attributes:
        url: The URL, a `Secret`.
        expires: When it ends, in Unix seconds.
    """

    url: str
    expires: float


class Address(msgspec.Struct, frozen=True):
    """Where others may upload an object to, before it is linked.

    Attributes:
        link: The link to upload by.
        physical_address: What is linked.
        headers: Headers that the upload must have.
    """

    link: Link
    physical_address: str
    headers: dict[str, str]


def presign_object(session: Session, wish: Wish) -> Op[Link]:
    """Return a link.

    Raises:
        ObjectNotFoundException: There is no object to read.
        NotFoundException: The repository or the reference does not exist.
        BadRequestException: `ref` is a commit or a tag, and the link is to write.
        UnsupportedOperationException: Nothing that was allowed by `via` can make it.
    """
    storage = yield from _storage(session, wish.about)
    if session.links is not None:
        return (yield from _of_lake(session, wish))
    if wish.max_bytes is not None:
        raise _unsupported_error(
            wish.about, "only a served embedded lake limits the size of an upload: leave out max_bytes"
        )
    if wish.method == "PUT":
        if wish.via == "server":
            why = "what is written to a URL of the store is no object before it is linked"
            raise _unsupported_error(wish.about, f"{why}: use presign_upload(), which does both; or {_GATEWAY}")
        return (yield from _through_gateway(session, wish))
    signs = storage is None or storage.pre_sign_support
    if wish.via == "server" and not signs:
        raise _unsupported_error(wish.about, f"the server's object store signs no URLs: {_GATEWAY}")
    if wish.via == "gateway" or not signs:
        return (yield from _through_gateway(session, wish))
    try:
        link = yield from _through_store(session, wish)
    except errors.ServerException as exc:
        if exc.kind is not ErrorKind.PRESIGN_NOT_SUPPORTED or wish.via == "server" or session.gateway.fault:
            raise
        return (yield from _through_gateway(session, wish))
    fits = abs(link.expires - _now(session, wish.now) - wish.seconds) <= _TOLERANCE
    if wish.via == "server" or fits or session.gateway.fault or _DOTS.search(wish.path):
        return link
    return _sign(session, wish)


def _storage(session: Session, about: str) -> Op[models.StorageConfig | None]:
    """Return the server's storage configuration; None if these credentials may not read it.

    Raises:
        UnsupportedOperationException: The lake is in process.
    """
    if not session.remote:
        raise _unsupported_error(about, f"the lake is in process and has no address that others reach: {_SERVE}")
    try:
        return (yield from server.storage(session))
    except errors.ForbiddenException:
        return None


def _unsupported_error(about: str, why: str) -> errors.UnsupportedOperationException:
    error = errors.UnsupportedOperationException(f"{about}: {why}")
    error.kind = ErrorKind.NOT_SUPPORTED
    return error


# -- the three ways ----------------------------------------------------------------------------------------------------


def _of_lake(session: Session, wish: Wish) -> Op[Link]:
    """Return a link of a served embedded lake, which has any life that was asked for."""
    if wish.via == "gateway":
        raise _unsupported_error(
            wish.about, 'an embedded lake has no S3 gateway: leave out via="gateway" for links of its own'
        )
    yield from _check(session, wish)
    if not session.links:  # as the last response has it: the server may have been started again
        raise _unsupported_error(wish.about, _WITHOUT)
    row = links.READ_LINK if wish.method == "GET" else links.WRITE_LINK
    query = {"path": wish.path, links.EXPIRES_IN: str(wish.seconds)}
    if wish.max_bytes is not None:
        query[links.MAX_BYTES] = str(wish.max_bytes)
    found = yield from ask(session, models.Link, Request(row, (wish.repository, wish.ref), query))
    return Link(presign.require_url(found.url, wish.about), found.expires)


def _through_store(session: Session, wish: Wish) -> Op[Link]:
    """Return a URL of the object store that the server signs. The server decides how long it is valid."""
    record = yield from objects.stat(session, wish.repository, wish.ref, wish.path, presign=True)
    if not record.physical_address.startswith(("http://", "https://")):
        raise _unsupported_error(wish.about, f"the server's object store signs no URLs: {_GATEWAY}")
    url = Secret(record.physical_address)
    return Link(url, _expiry(url, record.physical_address_expiry, wish.about))


def _through_gateway(session: Session, wish: Wish) -> Op[Link]:
    """Return a URL of lakeFS's S3 gateway, signed here. A request first checks that there is what it is to."""
    if fault := session.gateway.fault:
        if wish.via == "auto" and wish.method == "GET":
            fault = f"the server's object store signs no URLs, and {fault}"
        elif wish.method == "PUT":
            fault = f"{fault}; or use presign_upload(), if the server's object store signs URLs"
        raise _unsupported_error(wish.about, fault)
    if _DOTS.search(wish.path):
        why = "a segment `.` or `..` of a path is removed by browsers and other clients of the S3 gateway"
        raise _unsupported_error(wish.about, f"{why}; copy the object to another path")
    yield from _check(session, wish)
    return _sign(session, wish)


def _sign(session: Session, wish: Wish) -> Link:
    """Sign with the server's clock: it is what the URL is compared with."""
    gateway, now = session.gateway, _now(session, wish.now)
    assert gateway.keys is not None  # noqa: S101 - it has no fault
    path = f"/{session.scope}{wish.repository}/{wish.ref}/{wish.path}"
    url = sigv4.presign(gateway.endpoint, path, gateway.keys, method=wish.method, now=now, seconds=wish.seconds)
    return Link(Secret(url), int(now) + wish.seconds)


def _check(session: Session, wish: Wish) -> Op[None]:
    """Check that the object exists, or the branch to write to. Credentials that may not look are not in the way."""
    where = (wish.repository, wish.ref)
    try:
        if wish.method == "GET":
            yield from objects.stat(session, *where, wish.path)
        else:
            looked = ask(session, models.Ref, Request(endpoints.GET_BRANCH, where))
            yield from refs.write_to(session, *where, wish.about, looked)
    except errors.ForbiddenException:
        if wish.method == "GET":
            raise


def _now(session: Session, now: float) -> float:
    """Return the server's time, as its last response had it; this machine's if none had it."""
    try:
        return parsedate_to_datetime(session.date).timestamp()
    except (TypeError, ValueError):
        return now


def _expiry(url: str, told: int | None, about: str) -> float:
    """Return when a URL of a store ends: as the server reports it, or as it is written in the URL.

    Raises:
        ProtocolException: Neither has it.
    """
    if told is not None:
        return told
    query = {name.lower(): values[0] for name, values in parse_qs(urlsplit(reveal(url)).query).items()}
    with contextlib.suppress(ValueError):
        for prefix in ("x-amz-", "x-goog-"):
            if f"{prefix}expires" in query:
                start = datetime.strptime(query.get(f"{prefix}date", ""), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
                return start.timestamp() + int(query[f"{prefix}expires"])
        return datetime.fromisoformat(query.get("se", "")).timestamp()  # Azure
    msg = f"{about}: the server does not say how long its pre-signed URL is valid; {_GATEWAY}"
    raise errors.ProtocolException(msg)


# -- uploads by others -------------------------------------------------------------------------------------------------


def request_upload(session: Session, repository: str, branch: str, path: str, seconds: int, now: float) -> Op[Address]:
    """Return where others may upload an object to, directly to the store.

    Raises:
        NotFoundException: The repository or the branch does not exist.
        BadRequestException: `branch` is a commit or a tag.
        UnsupportedOperationException: The server's store signs no URLs.
    """
    wish = Wish(repository, branch, path, "PUT", seconds, "server", None, now)
    storage = yield from _storage(session, wish.about)
    yield from _check(session, wish)
    if session.links is False:
        raise _unsupported_error(wish.about, _WITHOUT)
    if not session.links and storage is not None and not storage.pre_sign_support:
        raise _unsupported_error(
            wish.about, 'the server\'s object store signs no URLs: presign(path, method="PUT", via="gateway") does'
        )
    query = {"path": path, "presign": "true"}
    if session.links:
        query[links.EXPIRES_IN] = str(seconds)
    request = Request(endpoints.GET_PHYSICAL_ADDRESS, (repository, branch), query)
    place = yield from ask(session, models.StagingLocation, request)
    url = presign.require_url(place.presigned_url, wish.about)
    link = Link(url, _expiry(url, place.presigned_url_expiry, wish.about))
    return Address(link, place.physical_address or "", upload.headers_of(url))


def finish(
    session: Session,
    repository: str,
    branch: str,
    path: str,
    link: models.StagingLink,
    *,
    create_only: bool,
) -> Op[models.ObjectStats]:
    """Make an object of what was uploaded to an address.

    Args:
        session: The client's session.
        repository: Repository ID.
        branch: Branch ID.
        path: Path of the object.
        link: What is linked. Without a checksum the server is asked what was uploaded, which a served lake knows.
        create_only: Whether an existing object is an error.

    Raises:
        NotFoundException: Nothing was uploaded yet.
        ValueError: The server does not know what was uploaded.
        ObjectExistsException: `create_only`, and the object exists.
    """
    where = (repository, branch)
    about = endpoints.LINK_PHYSICAL_ADDRESS.describe(*where, path=path)
    if not link.checksum:
        yield from _storage(session, about)
        if not session.links:
            msg = (
                f"{about}: an object store tells lakeFS nothing of an upload: give finish(etag=…, size_bytes=…), which "
                "are the ETag of the store's response and the number of bytes"
            )
            raise ValueError(msg)
        asked = {"path": path, "physical_address": link.staging.physical_address or ""}
        found = yield from ask(session, models.Received, Request(links.RECEIVED, where, asked))
        link = msgspec.structs.replace(link, checksum=found.checksum, size_bytes=found.size_bytes)
    linking = upload.link(session, repository, branch, path, link, create_only=create_only)
    return (yield from refs.write_to(session, repository, branch, about, linking))


def content_type(path: str, given: str | None) -> str:
    """Return the content type of an upload by others: as given, or by the path's suffix."""
    return media.guess_type(path) if given is None else given or OCTET_STREAM
