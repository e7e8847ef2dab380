"""Uploads of objects, through the server or directly to its store; what is stored is verified.

Rules of the room: credentials are never sent to a pre-signed URL, which gets exactly the headers that were signed. What
the store received incorrectly is not linked.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Final

import msgspec

from lakefs_hl.ops import objects, parts, presign, refs
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.failure import Outcome, body_of
from lakefs_hl.ops.requests import json_request
from lakefs_hl.ops.retry import Session, ask, call, check_page, read
from lakefs_hl.spec import endpoints, errors, media, models
from lakefs_hl.spec.headers import INTERNAL_KEY, INTERNAL_METADATA, OBJECT_OP_ID, OCTET_STREAM, USER_METADATA
from lakefs_hl.spec.kinds import ErrorKind
from lakefs_hl.spec.wire import NOTHING, FileSlice, Request, Response

#: How many times to transfer content again whose checksum is wrong.
EXTRA_TRANSFERS: Final = 2
#: Largest body that an op hashes itself: hashing 1 MiB takes 2 ms.
MAX_HASHED_BYTES: Final = 256 << 10

#: Condition of a write that must not replace an object.
CREATE_ONLY: Final = {"if-none-match": "*"}

_TOKEN: Final = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")
_VALUE: Final = re.compile(r"[!-~]([ -~]*[!-~])?|")


class _Upload(msgspec.Struct, frozen=True, gc=False):
    """An object to write."""

    repository: str
    branch: str
    path: str
    body: bytes | FileSlice
    content_type: str
    metadata: dict[str, str]
    create_only: bool
    verify: bool = True

    @property
    def about(self) -> str:
        return endpoints.UPLOAD_OBJECT.describe(self.repository, self.branch, path=self.path)

    @property
    def hashes_in_transport(self) -> bool:
        """Whether the transport computes the MD5: of files, and of bodies that would block an event loop too long."""
        return self.verify and (isinstance(self.body, FileSlice) or len(self.body) > MAX_HASHED_BYTES)


def upload(
    session: Session,
    repository: str,
    branch: str,
    path: str,
    body: bytes | FileSlice,
    *,
    content_type: str | None = None,
    metadata: Mapping[str, str] | None = None,
    create_only: bool = False,
    pre_signed: bool | None = None,
    op_id: str = "",
    verify: bool = True,
    outcome: Outcome | None = None,
    journal: parts.Journal | None = None,
) -> Op[models.ObjectStats]:
    """Write an object, and verify that the server stored what was sent unless that is not wanted.

    Args:
        session: The client's session.
        repository: Repository ID.
        branch: Branch ID.
        path: Path of the object.
        body: Content.
        content_type: Content type. Defaults to the type of the path's suffix (`spec.media`).
        metadata: User metadata. Keys are stored in lower case.
        create_only: Whether an existing object is an error.
        pre_signed: Whether to write to the store directly. By default the server is asked once whether it can.
        op_id: With `create_only`, an ID for the object's metadata. It distinguishes an upload with a lost response from
            an equal object of another writer. "" adds none.
        verify: Whether to compare the MD5 of what was sent with the checksum of what was stored.
        outcome: Outcome of the first attempt of `server_request`, if that was made before.
        journal: Keeps what was sent of a large object, for a later call.

    Returns:
        The object's record.

    Raises:
        ObjectExistsException: `create_only`, and the object exists.
        BadRequestException: `branch` is a commit or a tag, among other reasons.
        IntegrityError: Three times, the server stored other bytes than were sent.
    """
    lower = objects.lower_keys(metadata or {})
    if create_only and op_id:
        lower[OBJECT_OP_ID] = op_id
    new = _Upload(repository, branch, path, body, _type_of(path, content_type), lower, create_only, verify)
    signed = presign.decision(session, pre_signed)
    if signed is None:
        signed = yield from presign.should_presign(session, pre_signed)
    try:
        if signed and (yield from _is_for_store(session, new, pre_signed)):
            return (yield from _upload_to_store(session, new, journal))
        return (yield from _upload_to_server(session, new, outcome))
    except (errors.NotFoundException, errors.BadRequestException) as exc:
        yield from refs.check_writable(session, repository, branch, new.about, exc)
        raise


def _type_of(path: str, content_type: str | None) -> str:
    """Return the content type of an object to write.

    Raises:
        ValueError: It cannot be sent.
    """
    if content_type is None:
        return media.guess_type(path)
    if not _VALUE.fullmatch(content_type):
        msg = f"content_type={content_type!a:.80} cannot be sent: it must be printable ASCII, such as 'text/csv'"
        raise ValueError(msg)
    return content_type or OCTET_STREAM


class Ready(msgspec.Struct, frozen=True, gc=False):
    """A small object that one request to the server writes.

    Attributes:
        request: The request.
        content: Its body.
        metadata: User metadata of the object.
    """

    request: Request
    content: bytes
    metadata: dict[str, str]

    def record(self, response: Response) -> models.ObjectStats | None:
        """Return the object's record in a successful response, if all is stored as it was sent.

        With None `upload` goes on from this outcome, and finds out more.
        """
        if type(response.body) is not bytes:
            return None
        try:
            record = models.decode(models.ObjectStats, response.body)
        except msgspec.DecodeError:
            return None
        stored = record.metadata
        if (response.md5 or hashlib.md5(self.content, usedforsecurity=False).hexdigest()) != record.checksum:
            return None
        return record if stored is None or self.metadata.keys() <= stored.keys() else None


def server_request(
    repository: str,
    branch: str,
    path: str,
    body: bytes,
    *,
    content_type: str | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Ready | None:
    """Return the request by which `upload` writes a small object. None if it takes more than this request.

    Raises:
        ValueError: The content type or the metadata cannot be sent.
    """
    lower = objects.lower_keys(metadata) if metadata else {}
    new = _Upload(repository, branch, path, body, _type_of(path, content_type), lower, False)
    described = _as_headers(lower)
    return None if described is None else Ready(_request_of(new, described), body, lower)


def _request_of(upload: _Upload, described: dict[str, str] | None) -> Request:
    """Return the request that writes an object through the server, with its metadata if headers can carry that."""
    kind = upload.content_type
    if kind.lower().startswith("multipart/form-data"):
        msg = f"{upload.about}: the server would parse content type {kind!r} as a form; pass another one"
        raise ValueError(msg)
    headers = {"content-type": kind, **described} if described else {"content-type": kind}
    if upload.create_only:
        headers |= CREATE_ONLY
    where, query = (upload.repository, upload.branch), {"path": upload.path}
    digest = upload.hashes_in_transport
    return Request(endpoints.UPLOAD_OBJECT, where, query, headers, upload.body, digest=digest)


def _upload_to_server(session: Session, upload: _Upload, outcome: Outcome | None) -> Op[models.ObjectStats]:
    described = _as_headers(upload.metadata)
    request = _request_of(upload, described)
    for left in range(0 if upload.create_only else EXTRA_TRANSFERS, -1, -1):
        try:
            response = yield from call(session, request, first=outcome)
            outcome = None
        except errors.LakeFSException as exc:
            if not upload.create_only or exc.maybe_applied is False:
                raise
            record = yield from _find_created(session, upload, exc)
            break
        record = read(session, models.ObjectStats, request, response)
        md5 = _md5(upload.body, response) if upload.verify else None
        if md5 is None or md5 == record.checksum or not presign.MD5.fullmatch(record.checksum):
            break
        if not left:
            msg = f"{upload.about}: sent content with MD5 {md5}, and the server stored content with {record.checksum}"
            raise errors.IntegrityError(msg)
    if described is not None and (record.metadata is None or upload.metadata.keys() <= record.metadata.keys()):
        return record
    return (yield from _set_metadata(session, upload, record))


def _set_metadata(session: Session, upload: _Upload, record: models.ObjectStats) -> Op[models.ObjectStats]:
    """Set metadata that HTTP headers cannot carry, as JSON, after the upload."""
    try:
        yield from objects.set_metadata(
            session, upload.repository, upload.branch, upload.path, upload.metadata, before=record
        )
    except errors.LakeFSException as exc:
        exc.add_note(f"{upload.about}: the object was stored without its metadata, which HTTP headers cannot carry")
        raise
    return (yield from objects.stat(session, upload.repository, upload.branch, upload.path))


def _find_created(session: Session, upload: _Upload, failed: errors.LakeFSException) -> Op[models.ObjectStats]:
    """Return the object that a lost attempt of this upload created. Otherwise raise the failure."""
    try:
        record = yield from objects.look(session, upload.repository, upload.branch, upload.path)
    except errors.LakeFSException:
        record = None
    if record is None:
        raise failed from failed.__cause__
    md5, op_id = _md5(upload.body, None), upload.metadata.get(OBJECT_OP_ID)
    equal = record.size_bytes == presign.length(upload.body) and (md5 is None or md5 == record.checksum)
    if not equal or (record.metadata or {}).get(OBJECT_OP_ID) != op_id or (md5 is None and op_id is None):
        failed.maybe_applied = False  # the write was create-only, and the object is that of another writer
        failed.add_note(f"another object exists there, with checksum {record.checksum}")
        raise failed
    return record


def _is_for_store(session: Session, upload: _Upload, pre_signed: bool | None) -> Op[bool]:
    """Return whether the store can take an object: in one part up to 5 GiB, or in parts, which are not create-only."""
    length = presign.length(upload.body)
    if pre_signed or length <= parts.LARGEST_PUT:
        return True
    return not upload.create_only and (yield from parts.is_offered(session, length))


def _upload_to_store(session: Session, upload: _Upload, journal: parts.Journal | None) -> Op[models.ObjectStats]:
    """Request an address, write to it, link it; or write a large object in parts."""
    if not upload.create_only and (yield from parts.is_offered(session, presign.length(upload.body))):
        content = parts.Content(
            upload.repository,
            upload.branch,
            upload.path,
            upload.body,
            upload.content_type,
            upload.metadata,
            upload.verify,
        )
        with suppress(errors.UnsupportedOperationException):  # whatever the configuration says
            return (yield from parts.upload(session, content, journal))
    return (yield from _upload_whole(session, upload))


def _upload_whole(session: Session, upload: _Upload) -> Op[models.ObjectStats]:
    """Request an address, write to it, link it. An expired address is replaced once."""
    for left in (1, 0):
        place = yield from _address(session, upload)
        try:
            checksum = yield from _put(session, upload, presign.require_url(place.presigned_url, upload.about))
            return (yield from _link(session, upload, place, checksum))
        except errors.ServerException as exc:
            if not left or exc.kind not in (ErrorKind.INVALID_ADDRESS, ErrorKind.STORE_REFUSED):
                raise
    raise AssertionError  # the loop returns or raises


def _address(session: Session, upload: _Upload) -> Op[models.StagingLocation]:
    query = {"path": upload.path, "presign": "true"}
    request = Request(endpoints.GET_PHYSICAL_ADDRESS, (upload.repository, upload.branch), query)
    return (yield from ask(session, models.StagingLocation, request))


def headers_of(url: str) -> dict[str, str]:
    """Return the headers that a pre-signed write must have: Azure requires one, other stores none."""
    return {"x-ms-blob-type": "BlockBlob"} if ".blob.core." in url.partition("?")[0] else {}


def _put(session: Session, upload: _Upload, url: str) -> Op[str]:
    """Write the bytes to the store. Return the checksum to link them by."""
    # exactly what was signed: no content type, no credentials; only Azure requires a header
    headers = headers_of(url)
    azure = bool(headers)
    request = Request(
        endpoints.PRESIGNED_PUT,
        (upload.repository, upload.branch),
        {"path": upload.path},
        headers,
        upload.body,
        digest=upload.hashes_in_transport,
        url=url,
    )
    for left in range(EXTRA_TRANSFERS, -1, -1):
        response = yield from call(session, request)
        etag = response.headers.get("etag", "").strip('"')
        md5 = _md5(upload.body, response) if upload.verify else None
        if not etag or body_of(response):  # moto's S3 server, for one, calls its empty response HTML
            check_page(session, request, response)
        plain = presign.MD5.fullmatch(etag) and not presign.is_encrypted(response) and not azure
        if md5 is None or not plain or md5 == etag:
            return etag if plain or "-" in etag else md5 or etag
        if not left:
            msg = f"{upload.about}: sent content with MD5 {md5}, and the store has {etag}; nothing was linked"
            raise errors.IntegrityError(msg)
    raise AssertionError  # the loop returns or raises


def _link(session: Session, upload: _Upload, place: models.StagingLocation, checksum: str) -> Op[models.ObjectStats]:
    made = models.StagingLink(
        models.StagingLocation(place.physical_address),
        checksum,
        presign.length(upload.body),
        upload.metadata,
        upload.content_type,
    )
    return link(session, upload.repository, upload.branch, upload.path, made, create_only=upload.create_only)


def link(
    session: Session, repository: str, branch: str, path: str, made: models.StagingLink, *, create_only: bool
) -> Op[models.ObjectStats]:
    """Link the bytes. After a lost response, an error may be due to the first attempt of the same link."""
    condition = CREATE_ONLY if create_only else NOTHING
    request = json_request(
        endpoints.LINK_PHYSICAL_ADDRESS, (repository, branch), made, query={"path": path}, extra=condition
    )
    try:
        return (yield from ask(session, models.ObjectStats, request))
    except errors.LakeFSException as exc:
        if exc.maybe_applied is False:
            raise
        failed = exc
    try:
        record = yield from objects.look(session, repository, branch, path)
    except errors.LakeFSException:
        record = None
    if record is None:
        raise failed from failed.__cause__
    address = made.staging.physical_address or ""  # the record has it without the token after its last comma
    if record.physical_address and record.physical_address in (address, address.rpartition(",")[0]):
        return record
    raise failed


def _md5(body: bytes | FileSlice, response: Response | None) -> str | None:
    """Return the MD5 of what was sent. None if neither the transport nor this op can compute it."""
    if response is not None and response.md5 is not None:
        return response.md5
    return hashlib.md5(body, usedforsecurity=False).hexdigest() if isinstance(body, bytes) else None


def _as_headers(metadata: Mapping[str, str]) -> dict[str, str] | None:
    """Return user metadata as headers. None if headers cannot carry it unchanged."""
    found = dict[str, str]()
    for key, value in metadata.items():
        name = _header_of(key)
        if name is None or not (value.isascii() and value.isprintable() and value.strip(" ") == value):
            return None
        found[name] = value
    return found


@lru_cache(256)
def _header_of(key: str) -> str | None:
    """Return the header of a metadata key. None if there is none: not all characters are allowed in one.

    Keys of lakeFS's own tools, such as `::lakefs::client-mtime`, have a prefix of their own.
    """
    internal = key.startswith(INTERNAL_KEY)
    name = key[len(INTERNAL_KEY) :] if internal else key
    return f"{INTERNAL_METADATA if internal else USER_METADATA}{name}" if _TOKEN.fullmatch(name) else None
