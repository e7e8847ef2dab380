"""Content of objects: read it whole, in ranges or into a sink, and verify every byte. `ops.upload` writes it.

Rules of the room: an interrupted response is resumed by a later Range and a narrower sink, and never mixes two
versions. Credentials are never sent to a pre-signed URL, and no such URL is printed or kept on an exception.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import partial
from typing import Final

import msgspec

from lakefs_hl.ops import comparison, objects, presign
from lakefs_hl.ops.comparison import Comparison, is_etag
from lakefs_hl.ops.effects import Op, call_function, sleep
from lakefs_hl.ops.failure import Outcome, body_of, check, is_html
from lakefs_hl.ops.retry import RETRY_COST, Session, call
from lakefs_hl.ops.upload import EXTRA_TRANSFERS
from lakefs_hl.spec import endpoints, errors, multipart
from lakefs_hl.spec.wire import FileSlice, Hash, Request, Response, TransportError

#: How many times an interrupted response is resumed without `PROGRESS_BYTES` in between.
MAX_RESUMES: Final = 5
PROGRESS_BYTES: Final = 65536


_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_UNVERIFIED: Final = (
    "the bytes are not those that were stored, or the checksum of the object is not an MD5: it was linked or imported "
    "with another one, or uploaded through the S3 gateway in parts of an unusual length. verify=False reads it without "
    "this check"
)


class Part(msgspec.Struct, frozen=True):
    """Result of a read into a sink.

    Attributes:
        filled: Number of bytes written to the sink, from its start. Less than its size only at the object's end.
        size: Size of the object in bytes.
        etag: ETag of the version of the object; pass it to the next read.
        link: A pre-signed URL that may serve the next read too. Never printed.
        md5: MD5 of the object up to its end, if it was asked for and the end was reached.
        hashed: The hash of the object up to the end of this part, if it was asked for.
        pin: ETag that the store has for the link. Not that of the object.
        seconds: Time in which the content came, in seconds, without the waits for it where they are known.
        encrypted: Whether the store has encrypted the object with a key, so that its ETag is not made of MD5s.
    """

    filled: int
    size: int
    etag: str
    link: str | None = None
    md5: str | None = None
    hashed: Hash | None = None
    pin: str | None = None
    seconds: float = 0.0
    encrypted: bool = False

    def __repr__(self) -> str:
        return f"Part(filled={self.filled}, size={self.size}, etag={self.etag!r})"


class _Source(msgspec.Struct, frozen=True, gc=False):
    """Where an object is read from: the server, or its store through a pre-signed URL."""

    repository: str
    ref: str
    path: str
    link: str | None = None
    pin: str | None = None  # ETag of the store: a link may lead to other content later
    checksum: str | None = None
    size: int | None = None  # from the object's record, if it was looked up; the store's response must have it

    @property
    def about(self) -> str:
        return endpoints.GET_OBJECT.describe(self.repository, self.ref, path=self.path)

    def request(
        self, headers: Mapping[str, str], sink: memoryview | FileSlice | None, *, digest: bool | Hash
    ) -> Request:
        params = (self.repository, self.ref)
        if self.link is not None:
            if self.pin is not None:
                headers = {**headers, "if-match": self.pin}
            return Request(
                endpoints.PRESIGNED_GET, params, {"path": self.path}, headers, b"", sink, digest, url=self.link
            )
        return Request(endpoints.GET_OBJECT, params, {"path": self.path}, headers, b"", sink, digest)


# -- reading ----------------------------------------------------------------------------------------------------------


def download(
    session: Session,
    repository: str,
    ref: str,
    path: str,
    *,
    start: int | None = None,
    end: int | None = None,
    verify: bool = True,
    pre_signed: bool | None = None,
    etag: str | None = None,
    outcome: Outcome | None = None,
) -> Op[bytes]:
    """Return the content of an object, or its bytes from `start` to before `end`; negative ones count from its end.

    Args:
        session: The client's session.
        repository: Repository ID.
        ref: Reference.
        path: Path of the object.
        start: Offset of the first byte.
        end: Offset after the last byte.
        verify: Whether to compare a whole object with its checksum, as far as `comparison` can.
        pre_signed: Whether to read from the store directly. By default the server is asked once whether it can.
        etag: ETag of the version to read. Defaults to the current one.
        outcome: Outcome of the first attempt of `whole_request`, if that was made before.

    Raises:
        IntegrityError: Three times, the content did not have the object's length or checksum.
        ObjectChangedError: The object has another version than `etag` now.
    """
    first = start or 0
    if first < 0 or (end or 0) < 0:
        record = yield from objects.stat(session, repository, ref, path)
        first, end, _ = slice(start, end).indices(record.size_bytes or 0)
    if end is not None and end <= first:
        yield from objects.stat(session, repository, ref, path)  # nothing to read, but the object must exist
        return b""
    source = _Source(repository, ref, path, checksum=etag or None)
    compared = Comparison(session, repository) if verify and not first and end is None else None
    signed = presign.decision(session, pre_signed)
    if signed is None:
        signed = yield from presign.should_presign(session, pre_signed)
    for left in range(EXTRA_TRANSFERS, -1, -1):
        if signed and (left == EXTRA_TRANSFERS or source.link is None):
            source = yield from _sign(session, source)
        found = yield from _fetch(session, source, first, end, compared, outcome)
        outcome = None
        if isinstance(found, bytes):
            return found
        if not left:
            msg = f"{source.about}: {found}, {EXTRA_TRANSFERS + 1} times; {_UNVERIFIED}"
            raise errors.IntegrityError(msg)
    raise AssertionError  # the loop returns or raises


def whole_request(repository: str, ref: str, path: str, *, verify: bool = True) -> Request:
    """Return the request for a whole object in memory, through the server."""
    return Request(endpoints.GET_OBJECT, (repository, ref), {"path": path}, digest=verify)


def whole_content(response: Response, etag: str, size: int) -> bytes | None:
    """Return the whole content in a successful response, if all is as expected. With None `download` finds out more.

    Args:
        response: The response.
        etag: ETag of the version that is read.
        size: Size of the object.
    """
    body, headers, md5 = response.body, response.headers, response.md5
    if type(body) is not bytes or len(body) != size or headers.get("etag") != f'"{etag}"':
        return None
    return None if "content-length" in headers or (md5 is not None and md5 != etag) else body


def _fetch(
    session: Session, source: _Source, start: int, end: int | None, compared: Comparison | None, outcome: Outcome | None
) -> Op[bytes | str]:
    """Read once without a sink. Return the content, or what is wrong with it."""
    whole = not start and end is None
    span = {} if whole else {"range": f"bytes={start}-{'' if end is None else end - 1}"}
    try:
        request = source.request(span, None, digest=_digest(source, compared))
        response, source = yield from _request_content(session, source, request, outcome)
    except errors.ServerException as exc:
        if exc.status == 416 and span:
            return b""
        raise
    etag, content = _etag(source, response), body_of(response)
    _check_version(source, etag)
    length = response.headers.get("content-length", "")
    if length.isdecimal() and int(length) != len(content):
        return f"received {len(content)} of {length} bytes"
    if whole:
        if source.size is not None and len(content) != source.size:
            return f"received {len(content)} bytes, and the object has {source.size}"
        wrong = yield from _compare(response, etag, content, compared)
        return content if wrong is None else wrong
    if response.status == 200:  # a server that ignores ranges sends everything
        return content[start:end]
    size = _check_range(source, response, start, len(content))
    expected = min(size, size if end is None else end) - start
    return content if len(content) == expected else f"received {len(content)} of {expected} bytes"


def _digest(source: _Source, compared: Comparison | None) -> bool | Hash:
    """Return what hashes a whole object while it is received: its MD5, unless it is known to be in parts."""
    if compared is None or source.checksum is None or not is_etag(source.checksum):
        return compared is not None
    return False if source.size is None else compared.begin(source.checksum, source.size) or False


def _compare(response: Response, checksum: str, content: bytes, compared: Comparison | None) -> Op[str | None]:
    """Return what is wrong with a whole content, as far as its checksum shows it. None if nothing is.

    Only the response says that an object is in parts, unless its record was looked up: then it is hashed afterwards.
    """
    found, size = response.md5, len(content)
    if compared is None or found == checksum or presign.is_encrypted(response):
        return None
    if is_etag(checksum) and (found is None or not is_etag(found)):
        hashed = compared.begin(checksum, size)
        if hashed is None:
            return None
        yield from call_function(partial(hashed.update, content))
        found = hashed.hexdigest()
    elif found is None or not (is_etag(checksum) or presign.MD5.fullmatch(checksum)):
        return None
    if compared.takes(checksum, size, found):
        return None
    if not is_etag(checksum) and (yield from call_function(partial(multipart.is_upload_of, checksum, found, content))):
        return None
    return comparison.wrong(checksum, found)


def read_into(
    session: Session,
    repository: str,
    ref: str,
    path: str,
    start: int,
    sink: memoryview | FileSlice,
    *,
    etag: str | None = None,
    pre_signed: bool | None = None,
    link: str | None = None,
    pin: str | None = None,
    digest: bool | Hash = False,
) -> Op[Part]:
    """Fill a sink from byte `start` of an object, as far as the object goes. An interrupted response is resumed.

    Args:
        session: The client's session.
        repository: Repository ID.
        ref: Reference.
        path: Path of the object.
        start: Offset of the first byte.
        sink: Destination, filled from its start.
        etag: ETag of the version to read. Defaults to the current one.
        pre_signed: Whether to read from the store directly. By default the server is asked once whether it can.
        link: A pre-signed URL of an earlier part; used with `etag`.
        pin: The store's ETag of that part.
        digest: Whether to hash the bytes of the object up to the end of this part: True from its start, a hash of
            what is before `start` from there on. It stays as it is.

    Raises:
        ObjectChangedError: The object has another version now. Discard the content of the sink.
    """
    source = _Source(repository, ref, path, checksum=etag or None)
    if (yield from presign.should_presign(session, pre_signed)):
        known = link is not None and source.checksum is not None
        replace = msgspec.structs.replace
        source = replace(source, link=link, pin=pin) if known else (yield from _sign(session, source))
    length, filled, breaks, mark, seconds = presign.length(sink), 0, 0, 0, 0.0
    hashed: bool | Hash = False if digest is True and start else digest
    while True:
        part, source = yield from _read_part(session, source, start + filled, _rest_of(sink, filled), digest=hashed)
        if part.filled:
            hashed = part.hashed or _hash_on(hashed, _rest_of(sink, filled), part)
        filled, seconds = filled + part.filled, seconds + part.seconds
        if part.error is None or filled == length:  # the connection may fail after the last byte
            state = None if isinstance(hashed, bool) else hashed
            md5 = part.md5 if state is None else state.hexdigest()
            md5 = md5 if start + filled == part.size else None
            made = Part(filled, part.size, source.checksum or "", source.link, md5, state, source.pin, seconds)
            return msgspec.structs.replace(made, encrypted=True) if part.encrypted else made
        breaks, mark = (1, filled) if filled - mark >= PROGRESS_BYTES else (breaks + 1, mark)
        if breaks > MAX_RESUMES or not session.budget.spend(RETRY_COST):
            raise part.error
        reason = f"resuming after {filled} bytes: {part.error}"
        yield from sleep(session.policy.backoff(breaks, busy=False), 0.0, reason, endpoints.GET_OBJECT.operation)


def _hash_on(hashed: bool | Hash, sink: memoryview | FileSlice, part: _PartResult) -> bool | Hash:
    """Return the hash after a part that the transport did not hash. False if that is not asked for, or its MD5 known.

    False also of a file, which the caller has to read then.
    """
    if hashed is False or part.md5 is not None or isinstance(sink, FileSlice):
        return False
    goes_on = hashlib.md5(usedforsecurity=False) if isinstance(hashed, bool) else hashed.copy()
    goes_on.update(sink[: part.filled])
    return goes_on


class _PartResult(msgspec.Struct, frozen=True):
    """Result of one ranged read, and the error that ended it early."""

    filled: int
    size: int
    error: errors.LakeFSException | None = None
    md5: str | None = None
    hashed: Hash | None = None
    seconds: float = 0.0
    encrypted: bool = False


def _read_part(
    session: Session, source: _Source, start: int, sink: memoryview | FileSlice, *, digest: bool | Hash = False
) -> Op[tuple[_PartResult, _Source]]:
    """Read one range. If the response is interrupted, return how much was received."""
    length = presign.length(sink)
    if not length:
        return (yield from _read_past_end(session, source, None))
    request = source.request({"range": f"bytes={start}-{start + length - 1}"}, sink, digest=digest)
    try:
        response, source = yield from _request_content(session, source, request)
    except errors.TransportException as exc:
        broken = exc.__cause__
        if not isinstance(broken, TransportError) or not broken.received or not broken.retry:
            raise
        if broken.response is None:  # version and offset of the bytes are unknown
            return _PartResult(0, -1, exc), source
        source = _pin(_check_version(source, _etag(source, broken.response)), broken.response)
        size = _check_range(source, broken.response, start, -1)
        return _PartResult(min(broken.received, length), size, exc, None, broken.hashed, broken.seconds), source
    except errors.ServerException as exc:
        if exc.status != 416:
            raise
        return (yield from _read_past_end(session, source, start))
    source = _check_version(source, _etag(source, response))
    size = _check_range(source, response, start, response.filled)
    expected, seconds = min(length, size - start), response.moving or response.seconds
    if response.filled < expected:
        error = errors.TransportException(f"{source.about}: received {response.filled} of {expected} bytes")
        return _PartResult(response.filled, size, error, None, response.hashed, seconds), source
    found = _PartResult(expected, size, None, response.md5, response.hashed, seconds)
    return (msgspec.structs.replace(found, encrypted=True) if presign.is_encrypted(response) else found), source


def _read_past_end(session: Session, source: _Source, start: int | None) -> Op[tuple[_PartResult, _Source]]:
    """Find out why there is nothing at `start`: an empty object, its end, or an object that became shorter."""
    record = yield from objects.stat(session, source.repository, source.ref, source.path)
    size = record.size_bytes or 0
    source = _check_version(source, record.checksum)
    if start is not None and start < size:
        raise _changed_error(source, "another", record.checksum)
    return _PartResult(0, size), source


def _request_content(
    session: Session, source: _Source, request: Request, outcome: Outcome | None = None
) -> Op[tuple[Response, _Source]]:
    """Request content. An expired pre-signed URL is renewed once."""
    try:
        response = yield from call(session, request, first=outcome)
        return response, _pin(source, response)
    except errors.ObjectNotFoundException:
        if source.link is None:
            yield from objects.check_reference(session, source.repository, source.ref, source.about)
        raise
    except errors.ServerException as exc:
        if source.pin is not None and exc.status == 412:
            raise _changed_error(source, source.checksum or "", "") from None
        if source.link is None or exc.status not in (400, 401, 403):
            raise
    source = yield from _sign(session, source)
    headers = {name: value for name, value in request.headers.items() if name != "if-match"}
    renewed = msgspec.structs.replace(request, url=source.link, headers=headers)
    response = yield from call(session, renewed)
    return response, _pin(source, response)


def _pin(source: _Source, response: Response) -> _Source:
    """Return the source with the store's ETag, if it is a strong one.

    Raises:
        ObjectChangedError: It is not the one that was asked for: not every store knows such a condition.
    """
    etag = response.headers.get("etag", "")
    if source.link is None or not etag.startswith('"'):
        return source
    if source.pin not in (None, etag):
        raise _changed_error(source, source.checksum or "", "")
    return msgspec.structs.replace(source, pin=etag)


def _sign(session: Session, source: _Source) -> Op[_Source]:
    """Request a new pre-signed URL. The object must not have changed since the last one."""
    record = yield from objects.stat(session, source.repository, source.ref, source.path, presign=True)
    link = presign.require_url(record.physical_address, source.about)
    return msgspec.structs.replace(_check_version(source, record.checksum), link=link, pin=None, size=record.size_bytes)


def _etag(source: _Source, response: Response) -> str:
    """Return the ETag of a response.

    Raises:
        ProtocolException: It has none and is a web page.
    """
    if source.link is not None:  # the store has its own ETag; the object's is in its record
        return source.checksum or ""
    etag = response.headers.get("etag")
    if etag is None and is_html(response):
        msg = f"{source.about}: received a web page, not an object; {check('')}"
        raise errors.ProtocolException(msg)
    return (etag or "").strip('"')


def _changed_error(source: _Source, etag: str, found: str) -> errors.ObjectChangedError:
    return errors.ObjectChangedError(
        f"{source.about}: the object has changed: its checksum was {etag} and is now {found or 'unknown'}; read it "
        f"again, or read from a commit (branch.pin())"
    )


def _rest_of(sink: memoryview | FileSlice, filled: int) -> memoryview | FileSlice:
    """Return the part of a sink that is not filled."""
    if not filled:
        return sink
    if isinstance(sink, FileSlice):
        return FileSlice(sink.fd, sink.offset + filled, sink.length - filled, sink.check, sink.on_move)
    return sink.cast("B")[filled:]


def _check_range(source: _Source, response: Response, start: int, received: int) -> int:
    """Return the size of the object, after checking that the bytes are those from `start` of that object.

    Raises:
        IntegrityError: The store's object has another size.
        ProtocolException: The response has another range.
    """
    size = _size_in(source, response, start, received)
    if source.size is not None and size not in (source.size, -1):
        msg = f"{source.about}: the store has {size} bytes, and the object {source.size}"
        raise errors.IntegrityError(msg)
    return size


def _size_in(source: _Source, response: Response, start: int, received: int) -> int:
    if response.status == 200:
        length = response.headers.get("content-length", "")
        if start:
            msg = f"{source.about}: requested the bytes from {start}, and the server sent the whole object"
            raise errors.ProtocolException(msg)
        return int(length) if length.isdecimal() else received
    found = _RANGE.fullmatch(response.headers.get("content-range", ""))
    if found is None or int(found[1]) != start or found[3] == "*":
        sent = response.headers.get("content-range")
        msg = f"{source.about}: requested the bytes from {start}, and the server sent {sent!r}"
        raise errors.ProtocolException(msg)
    return int(found[3])


def _check_version(source: _Source, found: str) -> _Source:
    """Return the source with the ETag of a response.

    Raises:
        ObjectChangedError: It is not the version that is being read.
    """
    if source.checksum and found and found != source.checksum:
        raise _changed_error(source, source.checksum, found)
    return source if source.checksum or not found else msgspec.structs.replace(source, checksum=found)
