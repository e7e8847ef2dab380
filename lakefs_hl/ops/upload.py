"""Writing an object's bytes, through the server or straight into its store; what is stored is what was sent.

Rules of the room: our credentials never go to a pre-signed URL, and it is sent exactly what was signed; what the store
got wrong is not linked.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Final

import msgspec

from lakefs_hl.ops import objects, presign, refs
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.retry import Session, ask, call, check_page, read
from lakefs_hl.spec import endpoints, errors, media, models
from lakefs_hl.spec.kinds import ErrorKind
from lakefs_hl.spec.uri import object_uri
from lakefs_hl.spec.wire import FileSlice, Request, Response

#: Content whose checksum is wrong is moved again at most so often.
EXTRA: Final = 2
#: Largest body that an op hashes itself, bytes: the hash of 1 MiB takes 2 ms.
HASHED_HERE: Final = 256 << 10
#: Key of the op_id in a created object's metadata; without underscores, which some proxies drop from header names.
OP_ID: Final = "lakefs-hl-op-id"

_TOKEN: Final = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")
_VALUE: Final = re.compile(r"[!-~]([ -~]*[!-~])?|")


class _Upload(msgspec.Struct, frozen=True):
    """An object to write."""

    repository: str
    branch: str
    path: str
    body: bytes | FileSlice
    content_type: str
    metadata: dict[str, str]
    create_only: bool

    @property
    def uri(self) -> str:
        return object_uri(self.repository, self.branch, self.path)

    @property
    def hashed_below(self) -> bool:
        """Whether the transport hashes it as it moves: a file, or so much that an event loop would be held up."""
        return isinstance(self.body, FileSlice) or len(self.body) > HASHED_HERE

    @property
    def condition(self) -> dict[str, str]:
        return {"if-none-match": "*"} if self.create_only else {}


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
) -> Op[models.ObjectStats]:
    """Writes an object; what the server stored must be what was sent.

    Args:
        session: The client's.
        repository: Repository id.
        branch: Branch id.
        path: Path of the object.
        body: Its content.
        content_type: Its type; None takes the one that the path's suffix stands for (`spec.media`).
        metadata: User metadata; keys are kept in lower case.
        create_only: Whether an object of this name is an error.
        pre_signed: Whether to write to the store directly; None asks the server once whether it can.
        op_id: With `create_only`, kept in the object's metadata, so that a lost answer is told from another writer's
            equal object; "" does without.

    Raises:
        ObjectExistsException: `create_only`, and there is one.
        BadRequestException: `branch` is a commit or a tag, among other reasons.
        IntegrityError: The server stored other bytes than were sent, three times.
    """
    if content_type is not None and not _VALUE.fullmatch(content_type):
        msg = f"content_type={content_type!a:.80} cannot be sent: want printable ASCII, such as 'text/csv'"
        raise ValueError(msg)
    kept = objects.lowered(metadata or {})
    if create_only and op_id:
        kept[OP_ID] = op_id
    kind = media.guess_type(path) if content_type is None else content_type or media.OCTET_STREAM
    wanted = _Upload(repository, branch, path, body, kind, kept, create_only)
    way = _upload_to_store if (yield from presign.wanted(session, pre_signed)) else _upload_to_server
    try:
        return (yield from way(session, wanted))
    except (errors.NotFoundException, errors.BadRequestException) as exc:
        yield from refs.check_writable(session, repository, branch, f"uploading {wanted.uri}", exc)
        raise


def _upload_to_server(session: Session, wanted: _Upload) -> Op[models.ObjectStats]:
    if wanted.content_type.lower().startswith("multipart/form-data"):
        msg = f"uploading {wanted.uri}: content type {wanted.content_type!r} would be taken apart by the server"
        raise ValueError(msg)
    described = _as_headers(wanted.metadata)
    headers = {"content-type": wanted.content_type, **wanted.condition, **(described or {})}
    request = Request(
        endpoints.UPLOAD_OBJECT,
        (wanted.repository, wanted.branch),
        {"path": wanted.path},
        headers,
        wanted.body,
        digest=wanted.hashed_below,
    )
    for left in range(0 if wanted.create_only else EXTRA, -1, -1):
        try:
            response = yield from call(session, request)
        except errors.LakeFSException as exc:
            if not wanted.create_only or exc.maybe_applied is False:
                raise
            record = yield from _ours(session, wanted, exc)
            break
        record = read(session, models.ObjectStats, request, response)
        md5 = _md5(wanted.body, response)
        if md5 is None or not presign.MD5.fullmatch(record.checksum) or md5 == record.checksum:
            break
        if not left:
            msg = (
                f"uploading {wanted.uri}: content with MD5 {md5} was sent, the server stored one with {record.checksum}"
            )
            raise errors.IntegrityError(msg)
    if described is not None and (record.metadata is None or wanted.metadata.keys() <= record.metadata.keys()):
        return record
    return (yield from _describe(session, wanted, record))


def _describe(session: Session, wanted: _Upload, record: models.ObjectStats) -> Op[models.ObjectStats]:
    """Sets metadata that HTTP headers cannot carry, as JSON, after the object."""
    try:
        yield from objects.set_metadata(
            session, wanted.repository, wanted.branch, wanted.path, wanted.metadata, before=record
        )
    except errors.LakeFSException as exc:
        exc.add_note(f"{wanted.uri} was uploaded, but without its metadata, which HTTP headers cannot carry")
        raise
    return (yield from objects.stat(session, wanted.repository, wanted.branch, wanted.path))


def _ours(session: Session, wanted: _Upload, failed: errors.LakeFSException) -> Op[models.ObjectStats]:
    """The object that a lost try of this very upload made; else its failure."""
    try:
        record = yield from objects.look(session, wanted.repository, wanted.branch, wanted.path)
    except errors.LakeFSException:
        record = None
    if record is None:
        raise failed from failed.__cause__
    md5, op_id = _md5(wanted.body, None), wanted.metadata.get(OP_ID)
    equal = record.size_bytes == presign.length(wanted.body) and (md5 is None or md5 == record.checksum)
    if not equal or (record.metadata or {}).get(OP_ID) != op_id or (md5 is None and op_id is None):
        failed.maybe_applied = False  # it was to be created only, and somebody else's object is there
        failed.add_note(f"another object is at {wanted.uri}: its checksum is {record.checksum}")
        raise failed
    return record


def _upload_to_store(session: Session, wanted: _Upload) -> Op[models.ObjectStats]:
    """Address, PUT, link; a lost or stale address is replaced once."""
    for left in (1, 0):
        place = yield from _address(session, wanted)
        try:
            checksum = yield from _put(session, wanted, presign.checked(place.presigned_url, wanted.uri))
            return (yield from _link(session, wanted, place, checksum))
        except errors.ServerException as exc:
            if not left or exc.kind not in (ErrorKind.INVALID_ADDRESS, ErrorKind.STORE_REFUSED):
                raise
    raise AssertionError  # the loop returns or raises


def _address(session: Session, wanted: _Upload) -> Op[models.StagingLocation]:
    query = {"path": wanted.path, "presign": "true"}
    request = Request(endpoints.GET_PHYSICAL_ADDRESS, (wanted.repository, wanted.branch), query)
    return (yield from ask(session, models.StagingLocation, request))


def _put(session: Session, wanted: _Upload, url: str) -> Op[str]:
    """Writes the bytes to the store; returns the checksum to link them by."""
    # exactly what was signed: no content type of ours, no credentials; Azure alone wants to be told what it is
    azure = ".blob.core." in url.partition("?")[0]
    headers = {"x-ms-blob-type": "BlockBlob"} if azure else {}
    request = Request(
        endpoints.PRESIGNED_PUT,
        (wanted.repository, wanted.branch),
        {"path": wanted.path},
        headers,
        wanted.body,
        digest=wanted.hashed_below,
        url=url,
    )
    for left in range(EXTRA, -1, -1):
        about = f"uploading {wanted.uri}"
        response = yield from call(session, request, about=about)
        check_page(session, request, response, about=about)
        etag, md5 = response.headers.get("etag", "").strip('"'), _md5(wanted.body, response)
        plain = presign.MD5.fullmatch(etag) and not presign.encrypted(response) and not azure
        if md5 is None or not plain or md5 == etag:
            return etag if plain or "-" in etag else md5 or etag
        if not left:
            msg = f"uploading {wanted.uri}: MD5 {md5} was sent, the store has {etag}; nothing was linked"
            raise errors.IntegrityError(msg)
    raise AssertionError  # the loop returns or raises


def _link(session: Session, wanted: _Upload, place: models.StagingLocation, checksum: str) -> Op[models.ObjectStats]:
    """Links what was put; a refusal after a lost answer may be due to our own first try."""
    link = models.StagingLink(
        models.StagingLocation(place.physical_address),
        checksum,
        presign.length(wanted.body),
        wanted.metadata,
        wanted.content_type,
    )
    request = Request(
        endpoints.LINK_PHYSICAL_ADDRESS,
        (wanted.repository, wanted.branch),
        {"path": wanted.path},
        {"content-type": "application/json", **wanted.condition},
        models.encode(link),
    )
    try:
        return (yield from ask(session, models.ObjectStats, request))
    except errors.LakeFSException as exc:
        if exc.maybe_applied is False:
            raise
        failed = exc
    try:
        record = yield from objects.look(session, wanted.repository, wanted.branch, wanted.path)
    except errors.LakeFSException:
        record = None
    if record is None:
        raise failed from failed.__cause__
    address = place.physical_address or ""  # the record has it without the token behind its last comma
    if record.physical_address and record.physical_address in (address, address.rpartition(",")[0]):
        return record
    raise failed


def _md5(body: bytes | FileSlice, response: Response | None) -> str | None:
    """The MD5 of what was sent, as the transport saw it where the op cannot."""
    if response is not None and response.md5 is not None:
        return response.md5
    return hashlib.md5(body, usedforsecurity=False).hexdigest() if isinstance(body, bytes) else None


def _as_headers(metadata: Mapping[str, str]) -> dict[str, str] | None:
    """User metadata as headers; None if they cannot carry it as it is."""
    if all(_TOKEN.fullmatch(key) and _VALUE.fullmatch(value) for key, value in metadata.items()):
        return {f"x-lakefs-meta-{key}": value for key, value in metadata.items()}
    return None
