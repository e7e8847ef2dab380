"""Bytes of objects: read whole or in ranges, write, through the server or by a pre-signed URL; every byte is checked.

Rules of the room: a broken body is gone on with by a later Range and a narrower sink, never mixed from two versions;
our credentials never go to a pre-signed URL, and no such URL is ever printed or kept on an error.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Final, TypeVar

import msgspec

from lakefs_hl.ops import objects, server
from lakefs_hl.ops.effects import Op, sleep
from lakefs_hl.ops.failure import body_of, is_html
from lakefs_hl.ops.retry import Session, ask, call, read
from lakefs_hl.spec import endpoints, errors, models
from lakefs_hl.spec.uri import object_uri
from lakefs_hl.spec.wire import FileSlice, Request, Response, TransportError

T = TypeVar("T")
#: Content whose checksum is wrong is moved again at most so often.
EXTRA: Final = 2
#: A body that breaks is resumed at most so often without so many bytes in between.
RESUMES: Final = 5
PROGRESS: Final = 65536
OCTETS: Final = "application/octet-stream"
#: Key of the op_id in a created object's metadata; without underscores, which some proxies drop from header names.
OP_ID: Final = "lakefs-hl-op-id"

_MD5: Final = re.compile(r"[0-9a-f]{32}")
_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_TOKEN: Final = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]+")
_VALUE: Final = re.compile(r"[!-~]([ -~]*[!-~])?|")


class Part(msgspec.Struct, frozen=True):
    """What a read into a sink brought.

    Attributes:
        filled: Bytes put in the sink, from its start; fewer than it holds only at the object's end.
        size: Size of the object.
        etag: Which version of the object this is; hand it to the next read.
        link: A pre-signed URL that may serve the next read as well; never printed.
    """

    filled: int
    size: int
    etag: str
    link: str | None = None

    def __repr__(self) -> str:
        """Shows no URL."""
        return f"Part(filled={self.filled}, size={self.size}, etag={self.etag!r})"


class _Source(msgspec.Struct, frozen=True):
    """Where an object is read from: the server, or its store by a pre-signed URL."""

    repository: str
    ref: str
    path: str
    link: str | None = None
    checksum: str | None = None

    @property
    def uri(self) -> str:
        return object_uri(self.repository, self.ref, self.path)

    def request(self, headers: Mapping[str, str], sink: memoryview | FileSlice | None, *, digest: bool) -> Request:
        params = (self.repository, self.ref)
        if self.link is not None:
            return Request(endpoints.PRESIGNED_GET, params, {"path": self.path}, headers, b"", sink, digest, url=self.link)
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
) -> Op[bytes]:
    """The content of an object, or its bytes from `start` to before `end`; negative ones count from its end.

    Raises:
        IntegrityError: The content, fetched three times, never had the object's checksum.
    """
    if (start or 0) < 0 or (end or 0) < 0:
        record = yield from objects.stat(session, repository, ref, path)
        start, end, _ = slice(start, end).indices(record.size_bytes or 0)
    if end is not None and end <= (start or 0):
        yield from objects.stat(session, repository, ref, path)  # nothing to read; a missing object is an error all the same
        return b""
    presign = yield from _presigns(session, pre_signed)
    source = _Source(repository, ref, path)
    whole = not start and end is None
    for left in range(EXTRA, -1, -1):
        if presign:
            source = yield from _sign(session, source)
        response = yield from _fetch(session, source, _span(start or 0, end), digest=verify and whole)
        content = response if isinstance(response, bytes) else body_of(response)
        if isinstance(response, bytes) or not whole:
            return content if not isinstance(response, Response) else _cut(source, response, start or 0, end)
        wrong = _wrong(source, response, content, verify=verify)
        if wrong is None:
            return content
        if not left:
            raise errors.IntegrityError(f"reading {source.uri}: {wrong}, {EXTRA + 1} times over; {_UNVERIFIED}")
    raise AssertionError  # the loop returns or raises


_UNVERIFIED: Final = (
    "the bytes are not what was stored, or the object was linked or imported with a checksum that is no MD5: "
    "verify=False reads it as it comes"
)


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
) -> Op[Part]:
    """Fills a sink from byte `start` of an object, as far as the object goes; a broken body is resumed.

    Args:
        session: The client's.
        repository: Repository id.
        ref: Reference.
        path: Path of the object.
        start: First byte wanted.
        sink: Filled from its start.
        etag: The version that must be read; None takes the one that is there.
        pre_signed: Whether to read from the store directly; None asks the server once whether it can.
        link: A pre-signed URL that an earlier part brought.

    Raises:
        ObjectChangedError: Another version is there now; the sink's content is to be discarded.
    """
    presign = yield from _presigns(session, pre_signed)
    source = _Source(repository, ref, path, link if presign else None, etag)
    if presign and link is None:
        source = yield from _sign(session, source)
    length = _length(sink)
    filled, size, breaks, mark = 0, -1, 0, 0
    while filled < length or size < 0:
        came = yield from _read_part(session, source, start + filled, _narrow(sink, filled))
        if isinstance(came, _Broken):
            filled, etag = filled + came.filled, _same(source, etag, came.etag)
            breaks, mark = (0, filled) if filled - mark >= PROGRESS else (breaks + 1, mark)
            if breaks > RESUMES:
                raise came.error
            yield from sleep(session.policy.backoff(breaks + 1, busy=False))
            continue
        part, source = came
        etag = _same(source, etag, part.etag)
        filled, size = filled + part.filled, part.size
        if start + filled >= size or not length:
            break
    return Part(filled, size, etag or "", source.link)


class _Broken(msgspec.Struct, frozen=True):
    """A body that ended early: how far it came, of which version, and why."""

    filled: int
    etag: str | None
    error: errors.LakeFSException


def _read_part(
    session: Session, source: _Source, start: int, sink: memoryview | FileSlice
) -> Op[tuple[Part, _Source] | _Broken]:
    """One ranged read; tells how far it came if its body broke."""
    length = _length(sink)
    if not length:
        record = yield from objects.stat(session, source.repository, source.ref, source.path)
        return Part(0, record.size_bytes or 0, record.checksum), source
    request = source.request({"range": f"bytes={start}-{start + length - 1}"}, sink, digest=False)
    try:
        response, source = yield from _exchange(session, source, request)
    except errors.TransportException as exc:
        broken = exc.__cause__
        if not isinstance(broken, TransportError) or not broken.received:
            raise
        return _Broken(min(broken.received, length), None, exc)
    except errors.ServerException as exc:
        if exc.status != 416:
            raise
        return (yield from _past_the_end(session, source, start)), source
    found = _etag(source, response)
    first, size = _placed(source, response, start, filled=response.filled)
    expected = min(length, size - first)
    if response.filled < expected:
        error = errors.TransportException(f"reading {source.uri}: {response.filled} of {expected} bytes came")
        return _Broken(response.filled, found, error)
    return Part(expected, size, found), source


def _past_the_end(session: Session, source: _Source, start: int) -> Op[Part]:
    """There is nothing at `start`: an empty object, a read beyond the end, or one that became shorter."""
    record = yield from objects.stat(session, source.repository, source.ref, source.path)
    size = record.size_bytes or 0
    if source.checksum is None and start < size:
        raise _changed(source, "the one being read", record.checksum)
    return Part(0, size, record.checksum)


def _fetch(session: Session, source: _Source, span: Mapping[str, str], *, digest: bool) -> Op[Response | bytes]:
    """One read without a sink; b"" if the range lies beyond the end."""
    try:
        response, _ = yield from _exchange(session, source, source.request(span, None, digest=digest))
    except errors.ServerException as exc:
        if exc.status == 416 and span:
            return b""
        raise
    _etag(source, response)
    return response


def _exchange(session: Session, source: _Source, request: Request) -> Op[tuple[Response, _Source]]:
    """Makes a request for content; an expired pre-signed URL is signed anew once."""
    about = f"reading {source.uri}"
    try:
        return (yield from call(session, request, about=about)), source
    except errors.ServerException as exc:
        if source.link is None or exc.status not in (400, 401, 403):
            raise
    source = yield from _sign(session, source)
    renewed = msgspec.structs.replace(request, url=source.link)
    return (yield from call(session, renewed, about=about)), source


def _presigns(session: Session, pre_signed: bool | None) -> Op[bool]:
    """Whether to go to the store directly: an order, or what the server can."""
    if pre_signed is not None:
        return pre_signed
    storage = yield from server.storage(session)
    return storage.pre_sign_support


def _sign(session: Session, source: _Source) -> Op[_Source]:
    """Asks for a fresh pre-signed URL; the object must not have changed since the last one."""
    record = yield from objects.stat(session, source.repository, source.ref, source.path, presign=True)
    _web(record.physical_address, source.uri)
    if source.checksum is not None and source.checksum != record.checksum:
        raise _changed(source, source.checksum, record.checksum)
    return msgspec.structs.replace(source, link=record.physical_address, checksum=record.checksum)


def _web(url: str | None, uri: str) -> str:
    if url is None or not url.startswith(("http://", "https://")):
        msg = f"{uri}: the server gave no pre-signed URL: pass pre_signed=False"
        raise errors.UnsupportedOperationException(msg)
    return url


def _span(start: int, end: int | None) -> dict[str, str]:
    """The range header; none for a whole object."""
    if not start and end is None:
        return {}
    return {"range": f"bytes={start}-{'' if end is None else end - 1}"}


def _cut(source: _Source, response: Response, start: int, end: int | None) -> bytes:
    """The bytes asked for; a server that ignored the range sent all of them."""
    content = body_of(response)
    if response.status == 200:
        return content[start:end]
    first, size = _placed(source, response, start, filled=len(content))
    expected = min(size, end if end is not None else size) - first
    if len(content) < expected:
        msg = f"reading {source.uri}: {len(content)} of {expected} bytes came"
        raise errors.IntegrityError(msg)
    return content[: max(0, expected)]


def _placed(source: _Source, response: Response, start: int, *, filled: int) -> tuple[int, int]:
    """Where the bytes of an answer begin, and the size of the object."""
    if response.status == 200:
        length = response.headers.get("content-length", "")
        if start:
            msg = f"reading {source.uri}: the server ignored the range and sent the whole object instead of bytes from {start}"
            raise errors.ProtocolException(msg)
        return 0, int(length) if length.isdecimal() else filled
    told = _RANGE.fullmatch(response.headers.get("content-range", ""))
    if told is None or int(told[1]) != start or told[3] == "*":
        msg = f"reading {source.uri}: bytes from {start} were asked for, {response.headers.get('content-range')!r} came"
        raise errors.ProtocolException(msg)
    return start, int(told[3])


def _etag(source: _Source, response: Response) -> str:
    """Which version came; an answer without that is no lakeFS's."""
    if source.link is not None:  # the store has its own name for the same bytes; the record's checksum is the object's
        return source.checksum or ""
    etag = response.headers.get("etag")
    if etag is None and is_html(response):
        msg = f"reading {source.uri}: a web page came, not an object: is the endpoint right?"
        raise errors.ProtocolException(msg)
    return (etag or "").strip('"')


def _same(source: _Source, etag: str | None, found: str | None) -> str | None:
    """The version being read, if what came is no other."""
    if found is None or not etag:
        return found or etag
    if found != etag:
        raise _changed(source, etag, found)
    return etag


def _changed(source: _Source, etag: str, found: str) -> errors.ObjectChangedError:
    return errors.ObjectChangedError(
        f"{source.uri} changed while it was read: its checksum was {etag} and is {found or 'unknown'} now; read it again, "
        f"or read from a commit (branch.pin())"
    )


def _wrong(source: _Source, response: Response, content: bytes, *, verify: bool) -> str | None:
    """What is wrong with a whole content; None if nothing is."""
    length = response.headers.get("content-length", "")
    if length.isdecimal() and int(length) != len(content):
        return f"{len(content)} of {length} bytes came"
    expected = source.checksum if source.link is not None else _etag(source, response)
    if not verify or response.md5 is None or not _MD5.fullmatch(expected or "") or _encrypted(response):
        return None
    return None if response.md5 == expected else f"the content has MD5 {response.md5}, the object's checksum is {expected}"


def _encrypted(response: Response) -> bool:
    """Whether the store encrypted with a key, so that its ETag is no MD5."""
    kept = response.headers.get("x-amz-server-side-encryption", "")
    return kept.startswith("aws:kms") or any(name.endswith("-customer-algorithm") for name in response.headers)


def _length(part: bytes | memoryview | FileSlice) -> int:
    return part.length if isinstance(part, FileSlice) else len(part) if isinstance(part, bytes) else part.nbytes


def _narrow(sink: memoryview | FileSlice, filled: int) -> memoryview | FileSlice:
    """What is left of a sink."""
    if not filled:
        return sink
    if isinstance(sink, FileSlice):
        return FileSlice(sink.fd, sink.offset + filled, sink.length - filled)
    return sink.cast("B")[filled:]


# -- writing ----------------------------------------------------------------------------------------------------------


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
        content_type: Its type; None means octets.
        metadata: User metadata; keys are kept in lower case.
        create_only: Whether an object of this name is an error.
        pre_signed: Whether to write to the store directly; None asks the server once whether it can.
        op_id: With `create_only`, kept in the object's metadata, so that a lost answer is told from another writer's
            equal object; "" does without.

    Raises:
        ObjectExistsException: `create_only`, and there is one.
        IntegrityError: The server stored other bytes than were sent, three times.
    """
    kept = objects.lowered(metadata or {})
    if create_only and op_id:
        kept[OP_ID] = op_id
    wanted = _Upload(repository, branch, path, body, content_type or OCTETS, kept, create_only)
    if (yield from _presigns(session, pre_signed)):
        return (yield from _upload_to_store(session, wanted))
    return (yield from _upload_to_server(session, wanted))


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
        digest=isinstance(wanted.body, FileSlice),
    )
    for left in range(0 if wanted.create_only else EXTRA, -1, -1):
        try:
            response = yield from call(session, request)
        except errors.ObjectExistsException as exc:
            record = yield from _ours(session, wanted, exc)
            break
        record = read(session, models.ObjectStats, request, response)
        md5 = _md5(wanted.body, response)
        if md5 is None or not _MD5.fullmatch(record.checksum) or md5 == record.checksum:
            break
        if not left:
            msg = f"uploading {wanted.uri}: content with MD5 {md5} was sent, the server stored one with {record.checksum}"
            raise errors.IntegrityError(msg)
    if described is not None and (record.metadata is None or described.keys() == _as_headers(record.metadata).keys()):
        return record
    return (yield from _describe(session, wanted))


def _describe(session: Session, wanted: _Upload) -> Op[models.ObjectStats]:
    """Sets metadata that HTTP headers cannot carry, as JSON, after the object."""
    try:
        yield from objects.set_metadata(session, wanted.repository, wanted.branch, wanted.path, wanted.metadata)
    except errors.LakeFSException as exc:
        exc.add_note(f"{wanted.uri} was uploaded, but without its metadata, which HTTP headers cannot carry")
        raise
    return (yield from objects.stat(session, wanted.repository, wanted.branch, wanted.path))


def _ours(session: Session, wanted: _Upload, refused: errors.ObjectExistsException) -> Op[models.ObjectStats]:
    """The object that an earlier try of this very upload made, if the server's refusal may be due to that."""
    if refused.maybe_applied is False:
        raise refused
    record = yield from objects.stat(session, wanted.repository, wanted.branch, wanted.path)
    md5, op_id = _md5(wanted.body, None), wanted.metadata.get(OP_ID)
    equal = record.size_bytes == _length(wanted.body) and (md5 is None or md5 == record.checksum)
    if not equal or (record.metadata or {}).get(OP_ID) != op_id or (md5 is None and op_id is None):
        refused.maybe_applied = False
        raise refused
    return record


def _upload_to_store(session: Session, wanted: _Upload) -> Op[models.ObjectStats]:
    """Address, PUT, link; a lost or stale address is replaced once."""
    for left in (1, 0):
        place = yield from _address(session, wanted)
        try:
            checksum = yield from _put(session, wanted, _web(place.presigned_url, wanted.uri))
            return (yield from _link(session, wanted, place, checksum))
        except errors.ServerException as exc:
            stale = exc.status == 400 or (exc.status == 403 and "the object store says" in str(exc))
            if not left or not stale:
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
        digest=isinstance(wanted.body, FileSlice),
        url=url,
    )
    for left in range(EXTRA, -1, -1):
        response = yield from call(session, request, about=f"uploading {wanted.uri}")
        etag, md5 = response.headers.get("etag", "").strip('"'), _md5(wanted.body, response)
        plain = _MD5.fullmatch(etag) and not _encrypted(response) and not azure
        if md5 is None or not plain or md5 == etag:
            return etag if plain or "-" in etag else md5 or etag
        if not left:
            msg = f"uploading {wanted.uri}: content with MD5 {md5} was sent, the store has one with {etag}; nothing was linked"
            raise errors.IntegrityError(msg)
    raise AssertionError  # the loop returns or raises


def _link(session: Session, wanted: _Upload, place: models.StagingLocation, checksum: str) -> Op[models.ObjectStats]:
    """Links what was put; a refusal after a lost answer may be due to our own first try."""
    link = models.StagingLink(
        models.StagingLocation(place.physical_address), checksum, _length(wanted.body), wanted.metadata, wanted.content_type
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
        record = yield from objects.stat(session, wanted.repository, wanted.branch, wanted.path)
    except errors.LakeFSException:
        raise failed from failed.__cause__
    if record.physical_address and (place.physical_address or "").partition(",")[0] == record.physical_address:
        return record
    raise failed


def _md5(body: bytes | FileSlice, response: Response | None) -> str | None:
    """The MD5 of what was sent, as the transport saw it where the op cannot."""
    if isinstance(body, bytes):
        return hashlib.md5(body, usedforsecurity=False).hexdigest()
    return response.md5 if response is not None else None


def _as_headers(metadata: Mapping[str, str]) -> dict[str, str] | None:
    """User metadata as headers; None if they cannot carry it as it is."""
    if all(_TOKEN.fullmatch(key) and _VALUE.fullmatch(value) for key, value in metadata.items()):
        return {f"x-lakefs-meta-{key}": value for key, value in metadata.items()}
    return None
