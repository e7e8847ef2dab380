"""Uploads of large objects in parts, directly to a store of S3 that offers it.

Each part is signed just before it is sent, and again after its URL has expired. What was sent is aborted on failure and
on an interruption. Where a journal is kept, a later call goes on where a killed process ended, or one whose server or
store could no longer be reached.

Rules of the room: the object exists once the upload is completed, so a completion with a lost response is looked up
before it is repeated. A journal and an exception hold no URL.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

import msgspec

from lakefs_hl.ops import objects, presign, server
from lakefs_hl.ops.effects import Op, call_function, gather_each, sleep
from lakefs_hl.ops.failure import body_of
from lakefs_hl.ops.requests import json_request
from lakefs_hl.ops.retry import RETRYABLE, Session, ask, call, check_page, read
from lakefs_hl.spec import endpoints, errors, models
from lakefs_hl.spec.kinds import ErrorKind
from lakefs_hl.spec.multipart import combined_etag, part_size
from lakefs_hl.spec.wire import FileSlice, Request, Response

#: Longest object that is sent in one part, in bytes: its checksum is the MD5 of its content, which others can compare.
THRESHOLD: Final = 64 << 20
#: Parts that are sent at a time: slices of a file, and of bytes, which are copied.
WIDTH: Final = 4
WIDTH_OF_BYTES: Final = 2
#: The most bytes that S3 takes in one part.
LARGEST_PUT: Final = 5 << 30
#: How many times to sign a part whose URL the store refuses, and to send one whose checksum is wrong.
_TRIES: Final = 3


class Content(msgspec.Struct, frozen=True, gc=False):
    """A large object to write.

    Attributes:
        repository: Repository ID.
        branch: Branch ID.
        path: Path of the object.
        body: Its content.
        content_type: Content type.
        metadata: User metadata.
        verify: Whether to compare the MD5 of what was sent with the checksums of what was stored.
    """

    repository: str
    branch: str
    path: str
    body: bytes | FileSlice
    content_type: str
    metadata: dict[str, str]
    verify: bool

    @property
    def about(self) -> str:
        """What is done, for messages."""
        return endpoints.UPLOAD_OBJECT.describe(self.repository, self.branch, path=self.path)

    @property
    def length(self) -> int:
        """Number of bytes."""
        return presign.length(self.body)


class Part(msgspec.Struct, frozen=True, gc=False):
    """A part that the store has.

    Attributes:
        number: From 1.
        etag: What the store calls it.
        plain: Whether the ETag is an MD5.
        verified: Whether what was sent was compared with it, if it is one.
    """

    number: int
    etag: str
    plain: bool
    verified: bool


class Upload(msgspec.Struct, gc=False):
    """An upload that was begun.

    Attributes:
        upload_id: ID that the store gave it.
        address: Physical address of the object.
        part_size: Length of each part but the last, in bytes.
        parts: What the store has of it, by number.
    """

    upload_id: str
    address: str
    part_size: int
    parts: dict[int, Part]


class Expired(msgspec.Struct, frozen=True, gc=False):
    """An upload of any object that was left too long ago to be continued.

    Attributes:
        repository: Repository ID.
        branch: Branch ID.
        path: Path of the object.
        upload: The upload.
    """

    repository: str
    branch: str
    path: str
    upload: Upload


class Journal(Protocol):
    """Keeps what was sent of one file, for a later call. Its methods may block, and fail for no reason but a defect.

    Attributes:
        outdated: What an earlier call has left of another content, after `load`.
        expired: Other uploads to the same endpoint that are not continued any more, after `load`.
    """

    outdated: Upload | None
    expired: list[Expired]

    def load(self, part_size: int) -> Upload | None:
        """Return what an earlier call has left of the same content. None if there is nothing."""

    def begin(self, upload: Upload) -> None:
        """Keep that an upload was begun, in place of an earlier one."""

    def add(self, part: Part) -> None:
        """Keep that the store has a part. Called on any thread."""

    def end(self) -> None:
        """Keep nothing any more: the upload was completed or aborted."""

    def forget(self, expired: Expired) -> None:
        """Keep nothing of another upload any more."""


def is_offered(session: Session, length: int) -> Op[bool]:
    """Return whether an object of this length is sent in parts, which the server's configuration says."""
    if length <= THRESHOLD or session.storage_refused:
        return False
    try:
        storage = yield from server.storage(session)
    except errors.ForbiddenException:
        session.storage_refused = True
        return False
    return bool(storage.pre_sign_multipart_upload)


def upload(session: Session, content: Content, journal: Journal | None = None) -> Op[models.ObjectStats]:
    """Write a large object in parts, and verify what was stored.

    Args:
        session: The client's session.
        content: The object.
        journal: Keeps what was sent.

    Returns:
        The object's record.

    Raises:
        UnsupportedOperationException: The server has no uploads in parts after all; nothing was sent.
        IntegrityError: The store has other bytes than were sent.
    """
    size, kept = part_size(content.length), None
    if journal is not None:
        kept = yield from call_function(partial(journal.load, size))
        if journal.outdated is not None:
            yield from _drop_outdated(session, content, journal)
        yield from _drop_expired(session, journal)
    if kept is not None:
        count = -(-content.length // size)
        kept.parts = {
            number: part
            for number, part in kept.parts.items()
            if 0 < number <= count and (part.verified or not content.verify)  # a call with verify=False has sent others
        }
        try:
            return (yield from _run(session, content, kept, journal))
        except errors.ServerException as exc:
            if not _is_gone(exc):
                raise  # otherwise it has ended meanwhile, and is begun anew
    begun = yield from _begin(session, content, size)
    return (yield from _run(session, content, begun, journal))


def _run(session: Session, content: Content, upload: Upload, journal: Journal | None) -> Op[models.ObjectStats]:
    """Send the parts that the store does not have yet, and complete the upload."""
    completing = False
    try:
        if journal is not None and not upload.parts:
            yield from call_function(partial(journal.begin, upload))
        yield from _send(session, content, upload, journal)
        completing = True
        record = yield from _complete(session, content, upload)
        _check(content, upload, record)
    except GeneratorExit:
        raise
    except BaseException as exc:
        is_unknown = completing and isinstance(exc, errors.LakeFSException) and exc.maybe_applied is None
        if is_unknown or (journal is not None and (_may_pass(exc) or _is_gone(exc))):
            raise  # the store may have all of it, a later call goes on, or another upload takes its place
        yield from _give_up(session, content, upload, journal, exc)
        raise
    if journal is not None:
        yield from call_function(journal.end)
    return record


def _begin(session: Session, content: Content, size: int) -> Op[Upload]:
    """Begin an upload. After a lost response another one is begun: the first holds nothing."""
    where, query = (content.repository, content.branch), {"path": content.path}
    request = Request(endpoints.CREATE_PRESIGN_MULTIPART_UPLOAD, where, query)
    for tries in range(1, _TRIES + 1):
        try:
            made = yield from ask(session, models.MultipartUpload, request)
        except errors.LakeFSException as exc:
            if tries == _TRIES or not _may_pass(exc):
                raise
            yield from sleep(session.policy.backoff(tries, busy=True), reason=type(exc).__name__)
        else:
            return Upload(made.upload_id, made.physical_address, size, {})
    raise AssertionError  # the loop returns or raises


# -- parts ------------------------------------------------------------------------------------------------------------


def _send(session: Session, content: Content, upload: Upload, journal: Journal | None) -> Op[None]:
    count = -(-content.length // upload.part_size)
    progress = _Progress(content, upload)

    def note(_: int, part: Part) -> None:
        upload.parts[part.number] = part

    missing = [number for number in range(1, count + 1) if number not in upload.parts]
    parts = (_send_part(session, content, upload, number, progress, journal) for number in missing)
    yield from gather_each(parts, WIDTH if isinstance(content.body, FileSlice) else WIDTH_OF_BYTES, note)


def _send_part(
    session: Session, content: Content, upload: Upload, number: int, progress: _Progress, journal: Journal | None
) -> Op[Part]:
    """Send a part, and keep that the store has it. It is signed again if its URL has expired."""
    body = _slice(content.body, (number - 1) * upload.part_size, upload.part_size, progress.of(number))
    where, query = (content.repository, content.branch, upload.upload_id, str(number)), {"path": content.path}
    for tries in range(1, _TRIES + 1):
        url = yield from _sign(session, content, where, query, upload)
        request = Request(endpoints.PRESIGNED_PART, where, query, body=body, digest=content.verify, url=url)
        try:
            response = yield from call(session, request)
        except errors.ServerException as exc:
            if tries == _TRIES or exc.kind is not ErrorKind.STORE_REFUSED:
                raise
            continue
        part = _read_part(session, request, response, number)
        if part is not None:
            if journal is not None:
                yield from call_function(partial(journal.add, part))
            return part
    msg = f"{content.about}: the store has part {number} with another MD5 than was sent; nothing was stored"
    raise errors.IntegrityError(msg)


def _sign(session: Session, content: Content, where: tuple[str, ...], query: dict[str, str], upload: Upload) -> Op[str]:
    request = json_request(endpoints.UPLOAD_PART, where, models.MultipartAddress(upload.address), query=query)
    signed = yield from ask(session, models.PartURL, request)
    return presign.require_url(signed.presigned_url, content.about)


def _read_part(session: Session, request: Request, response: Response, number: int) -> Part | None:
    """Return the part that the store has. None if it has another content than was sent."""
    etag = response.headers.get("etag", "").strip('"')
    if not etag or body_of(response):
        check_page(session, request, response)
    if not etag:
        msg = f"{request.describe()}: the store sent no ETag"
        raise errors.ProtocolException(msg)
    plain = presign.MD5.fullmatch(etag) is not None and not presign.is_encrypted(response)
    if plain and response.md5 is not None and response.md5 != etag:
        return None
    return Part(number, etag, plain, response.md5 is not None)


def _slice(body: bytes | FileSlice, start: int, size: int, on_move: Callable[[int], None] | None) -> bytes | FileSlice:
    """Return a part of a body. The file is checked at the end of each of them."""
    if isinstance(body, bytes):
        return body[start : start + size]
    return FileSlice(body.fd, body.offset + start, min(size, body.length - start), body.check, on_move)


class _Progress:
    """How much of an object has moved, by its parts, which move concurrently."""

    def __init__(self, content: Content, upload: Upload) -> None:
        self._body, self._size = content.body, upload.part_size
        self._moved = [0] * -(-content.length // upload.part_size)
        for number in upload.parts:
            self._moved[number - 1] = min(upload.part_size, content.length - (number - 1) * upload.part_size)

    def of(self, number: int) -> Callable[[int], None] | None:
        """Return what takes how far a part has moved. None if that is not asked for."""
        body = self._body
        if isinstance(body, bytes) or body.on_move is None:
            return None
        tell, start = body.on_move, body.offset + (number - 1) * self._size

        def move(at: int) -> None:
            self._moved[number - 1] = at - start
            tell(body.offset + sum(self._moved))

        return move


# -- ending -----------------------------------------------------------------------------------------------------------


def _complete(session: Session, content: Content, upload: Upload) -> Op[models.ObjectStats]:
    """Make an object of the parts. After a lost response the object is looked up before that is repeated."""
    parts = [models.UploadedPart(number, upload.parts[number].etag) for number in sorted(upload.parts)]
    wanted = models.MultipartCompletion(upload.address, parts, content.metadata, content.content_type)
    where, query = (content.repository, content.branch, upload.upload_id), {"path": content.path}
    request = json_request(endpoints.COMPLETE_PRESIGN_MULTIPART_UPLOAD, where, wanted, query=query)
    for tries in range(1, _TRIES + 1):
        try:
            response = yield from call(session, request, attempts=1)
            record = read(session, models.ObjectStats, request, response)
            # lakeFS shows the address below the namespace here, and the whole of it everywhere else
            return (
                msgspec.structs.replace(record, physical_address=upload.address) if _is_at(record, upload) else record
            )
        except errors.LakeFSException as exc:
            found = yield from _find_completed(session, content, upload, exc)
            if found is not None:
                return found
            repeats = _may_pass(exc) and not _is_gone(exc) and session.policy.retry_overwrites
            if tries == _TRIES or not repeats:
                raise
            yield from sleep(session.policy.backoff(tries, busy=True), reason=type(exc).__name__)
    raise AssertionError  # the loop returns or raises


def _find_completed(
    session: Session, content: Content, upload: Upload, failed: errors.LakeFSException
) -> Op[models.ObjectStats | None]:
    """Return the object that a completion has made whose response was lost. None if there is none."""
    if failed.maybe_applied is False and not _is_gone(failed):
        return None
    try:
        record = yield from objects.look(session, content.repository, content.branch, content.path)
    except errors.LakeFSException:
        return None
    if record is None or record.size_bytes != content.length:
        return None
    is_equal = (
        record.checksum == _checksum(upload)
        and (record.metadata or {}) == content.metadata
        and record.content_type == content.content_type
    )
    return record if is_equal or _is_at(record, upload) else None


def _is_at(record: models.ObjectStats, upload: Upload) -> bool:
    """Return whether an object is the one that an upload makes: at its address, which may lack its token or start."""
    address, whole = record.physical_address, upload.address
    return bool(address) and any(f"/{name}".endswith(f"/{address}") for name in (whole, whole.rpartition(",")[0]))


def _checksum(upload: Upload) -> str | None:
    """Return the checksum that S3 gives the object. None if it cannot be known."""
    if not all(part.plain for part in upload.parts.values()):
        return None
    return combined_etag(bytes.fromhex(upload.parts[number].etag) for number in sorted(upload.parts))


def _check(content: Content, upload: Upload, record: models.ObjectStats) -> None:
    """Check that what was stored is what was sent.

    Raises:
        IntegrityError: It is not.
    """
    if record.size_bytes != content.length:
        msg = f"{content.about}: sent {content.length} bytes, and the store has {record.size_bytes}"
        raise errors.IntegrityError(msg)
    expected = _checksum(upload) if content.verify else None
    if expected is not None and "-" in record.checksum and record.checksum != expected:
        msg = f"{content.about}: sent parts with the checksum {expected}, and the store has {record.checksum}"
        raise errors.IntegrityError(msg)


def _give_up(
    session: Session, content: Content, upload: Upload, journal: Journal | None, reason: BaseException
) -> Op[None]:
    """Abort an upload, and say so if that fails. The journal then keeps it, for the next call."""
    if not _is_gone(reason):
        try:
            yield from _abort(session, content, upload)
        except errors.LakeFSException as failed:
            if not _is_gone(failed):
                reason.add_note(
                    f"{content.about}: the parts that were sent stay in the store, because the upload could not be "
                    f"aborted: {failed}"
                )
                return
    if journal is not None:
        yield from call_function(journal.end)


def _drop_outdated(session: Session, content: Content, journal: Journal) -> Op[None]:
    """Abort what an earlier call has left of another content. It may have ended long ago."""
    if journal.outdated is not None:
        try:
            yield from _abort(session, content, journal.outdated)
        except errors.LakeFSException:
            return  # what is begun now takes its place in the journal


def _drop_expired(session: Session, journal: Journal) -> Op[None]:
    """Abort other uploads that nothing continues any more. A journal stays where another call may do better."""
    for expired in journal.expired:
        try:
            yield from _abort(session, expired, expired.upload)
        except (errors.NotAuthorizedException, errors.ForbiddenException):
            continue  # it may be the upload of another caller
        except errors.LakeFSException as exc:
            if _may_pass(exc) and not _is_gone(exc):
                continue
        yield from call_function(partial(journal.forget, expired))


def _abort(session: Session, content: Content | Expired, upload: Upload) -> Op[None]:
    where, query = (content.repository, content.branch, upload.upload_id), {"path": content.path}
    body = models.MultipartAddress(upload.address)
    yield from call(
        session, json_request(endpoints.ABORT_PRESIGN_MULTIPART_UPLOAD, where, body, query=query), attempts=2
    )


def _may_pass(exc: BaseException) -> bool:
    """Return whether a failure is one that a later call may not have: of the network, or of a busy or ailing server."""
    if isinstance(exc, errors.ServerException):
        return exc.status in RETRYABLE
    return isinstance(exc, errors.TransportException | errors.AmbiguousOutcomeError)


def _is_gone(exc: BaseException) -> bool:
    """Return whether the server or the store no longer knows an upload: it has ended, or its address has expired."""
    if not isinstance(exc, errors.ServerException):
        return False
    return exc.kind is ErrorKind.INVALID_ADDRESS or "NoSuchUpload" in (exc.server_message or "")
