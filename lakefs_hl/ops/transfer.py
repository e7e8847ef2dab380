"""Bytes of objects: read whole, in ranges, or into a sink; every byte is checked. Writing is `ops.upload`.

Rules of the room: a broken body is gone on with by a later Range and a narrower sink, never mixed from two versions;
our credentials never go to a pre-signed URL, and no such URL is ever printed or kept on an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from lakefs_hl.ops import objects, presign
from lakefs_hl.ops.effects import Op, sleep
from lakefs_hl.ops.failure import body_of, is_html
from lakefs_hl.ops.retry import Session, call
from lakefs_hl.ops.upload import EXTRA, upload
from lakefs_hl.spec import endpoints, errors
from lakefs_hl.spec.uri import object_uri
from lakefs_hl.spec.wire import FileSlice, Request, Response, TransportError

__all__ = ["Download", "Part", "download", "download_to_file", "read_into", "upload"]

#: A body that breaks is resumed at most so often without so many bytes in between.
RESUMES: Final = 5
PROGRESS: Final = 65536

#: Room of a sink for an object whose size is not known yet, bytes.
LARGEST: Final = 1 << 62

_RANGE: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_UNVERIFIED: Final = (
    "the bytes are not what was stored, or the object was linked or imported with a checksum that is no MD5: "
    "verify=False reads it as it comes"
)


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


class Download(msgspec.Struct, frozen=True):
    """What a download to a file brought.

    Attributes:
        size: Bytes written from the start of the file. What the file holds beyond them is not the object's.
        etag: Which version of the object this is.
        verified: Whether the content was compared with the ETag. It is not if the body broke and was resumed, or if the
            ETag is not an MD5.
    """

    size: int
    etag: str
    verified: bool


class _Source(msgspec.Struct, frozen=True):
    """Where an object is read from: the server, or its store by a pre-signed URL."""

    repository: str
    ref: str
    path: str
    link: str | None = None
    checksum: str | None = None
    size: int | None = None  # by the record, where it was looked up: what a store sends must have it

    @property
    def uri(self) -> str:
        return object_uri(self.repository, self.ref, self.path)

    def request(self, headers: Mapping[str, str], sink: memoryview | FileSlice | None, *, digest: bool) -> Request:
        params = (self.repository, self.ref)
        if self.link is not None:
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
) -> Op[bytes]:
    """The content of an object, or its bytes from `start` to before `end`; negative ones count from its end.

    Raises:
        IntegrityError: The content, fetched three times, never had the object's length or checksum.
    """
    first = start or 0
    if first < 0 or (end or 0) < 0:
        record = yield from objects.stat(session, repository, ref, path)
        first, end, _ = slice(start, end).indices(record.size_bytes or 0)
    if end is not None and end <= first:
        yield from objects.stat(session, repository, ref, path)  # nothing to read, but of an object that is there
        return b""
    source = _Source(repository, ref, path)
    signed = yield from presign.wanted(session, pre_signed)
    for left in range(EXTRA, -1, -1):
        if signed and (left == EXTRA or source.link is None):
            source = yield from _sign(session, source)
        came = yield from _fetch(session, source, first, end, verify=verify)
        if isinstance(came, bytes):
            return came
        if not left:
            msg = f"reading {source.uri}: {came}, {EXTRA + 1} times over; {_UNVERIFIED}"
            raise errors.IntegrityError(msg)
    raise AssertionError  # the loop returns or raises


def _fetch(session: Session, source: _Source, start: int, end: int | None, *, verify: bool) -> Op[bytes | str]:
    """One read without a sink: the content, or what is wrong with it."""
    whole = not start and end is None
    span = {} if whole else {"range": f"bytes={start}-{'' if end is None else end - 1}"}
    try:
        response, source = yield from _exchange(session, source, source.request(span, None, digest=verify and whole))
    except errors.ServerException as exc:
        if exc.status == 416 and span:
            return b""
        raise
    etag, content = _etag(source, response), body_of(response)
    told = response.headers.get("content-length", "")
    if told.isdecimal() and int(told) != len(content):
        return f"{len(content)} of {told} bytes came"
    if whole:
        if source.size is not None and len(content) != source.size:
            return f"{len(content)} bytes came, and the object has {source.size}"
        return _wrong(response, etag) or content
    if response.status == 200:  # a server that ignores ranges sends all there is
        return content[start:end]
    size = _placed(source, response, start, len(content))
    expected = min(size, size if end is None else end) - start
    return content if len(content) == expected else f"{len(content)} of {expected} bytes came"


def _wrong(response: Response, checksum: str) -> str | None:
    """What is wrong with a whole content whose checksum can tell; None if nothing is."""
    if response.md5 is None or not presign.MD5.fullmatch(checksum) or presign.encrypted(response):
        return None
    return None if response.md5 == checksum else f"the content has MD5 {response.md5}, the object's is {checksum}"


def download_to_file(
    session: Session,
    repository: str,
    ref: str,
    path: str,
    fd: int,
    *,
    verify: bool = True,
    pre_signed: bool | None = None,
) -> Op[Download]:
    """Download an object to the start of an open file, in one request and without knowing its size.

    A body that breaks is resumed where it stopped, with the same version. Content that is not what the ETag promises is
    fetched again from the start.

    Args:
        session: The client's.
        repository: Repository ID.
        ref: Reference.
        path: Path of the object.
        fd: Descriptor of a regular file, open for writing. After an error its content is undefined.
        verify: Whether to compare the content with the ETag, where that is an MD5.
        pre_signed: Whether to read from the object store directly. None asks the server once whether it can.

    Raises:
        ObjectNotFoundException: There is no such object.
        IntegrityError: The content, fetched three times, never had the object's length or checksum.
        ObjectChangedError: The body broke, and another version is there now.
    """
    signed = yield from presign.wanted(session, pre_signed)
    for left in range(EXTRA, -1, -1):
        source = _Source(repository, ref, path)  # a new start may be of another version
        if signed:
            source = yield from _sign(session, source)
        came = yield from _fetch_to_file(session, source, fd, verify=verify)
        if isinstance(came, Download):
            return came
        if not left:
            msg = f"reading {source.uri}: {came}, {EXTRA + 1} times over; {_UNVERIFIED}"
            raise errors.IntegrityError(msg)
    raise AssertionError  # the loop returns or raises


def _fetch_to_file(session: Session, source: _Source, fd: int, *, verify: bool) -> Op[Download | str]:
    """Read the whole object once; return what is wrong with it if it is not right."""
    request = source.request({}, FileSlice(fd, 0, LARGEST), digest=verify)
    try:
        response, source = yield from _exchange(session, source, request)
    except errors.TransportException as exc:
        return (yield from _resume_to_file(session, source, fd, exc))
    etag, told = _etag(source, response), response.headers.get("content-length", "")
    if told.isdecimal() and int(told) != response.filled:
        return f"{response.filled} of {told} bytes came"
    if source.size is not None and response.filled != source.size:
        return f"{response.filled} bytes came, and the object has {source.size}"
    checked = response.md5 is not None and presign.MD5.fullmatch(etag) is not None and not presign.encrypted(response)
    return _wrong(response, etag) or Download(response.filled, etag, checked)


def _resume_to_file(
    session: Session, source: _Source, fd: int, failed: errors.TransportException
) -> Op[Download | str]:
    """Read the rest of an object whose body broke; raise the failure if it is unknown what came."""
    broken = failed.__cause__
    if not isinstance(broken, TransportError) or not broken.received or not broken.retry or broken.answer is None:
        raise failed from broken
    source = _same(source, _etag(source, broken.answer))
    size = _placed(source, broken.answer, 0, -1)
    if not source.checksum or size < broken.received or not session.budget.spend(5):
        raise failed from broken
    yield from sleep(session.policy.backoff(1, busy=False))
    part = yield from read_into(
        session,
        source.repository,
        source.ref,
        source.path,
        broken.received,
        FileSlice(fd, broken.received, size - broken.received),
        etag=source.checksum,
        pre_signed=source.link is not None,
        link=source.link,
    )
    came = broken.received + part.filled
    return Download(size, source.checksum, verified=False) if came == size else f"{came} of {size} bytes came"


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
        link: A pre-signed URL that an earlier part brought; with `etag`.

    Raises:
        ObjectChangedError: Another version is there now; the sink's content is to be discarded.
    """
    source = _Source(repository, ref, path, checksum=etag or None)
    if (yield from presign.wanted(session, pre_signed)):
        known = link is not None and source.checksum is not None
        source = msgspec.structs.replace(source, link=link) if known else (yield from _sign(session, source))
    length, filled, breaks, mark = presign.length(sink), 0, 0, 0
    while True:
        came, source = yield from _read_part(session, source, start + filled, _narrow(sink, filled))
        filled += came.filled
        if came.error is None or filled == length:  # a connection may break after the last byte that was wanted
            return Part(filled, came.size, source.checksum or "", source.link)
        breaks, mark = (1, filled) if filled - mark >= PROGRESS else (breaks + 1, mark)
        if breaks > RESUMES or not session.budget.spend(5):
            raise came.error
        yield from sleep(session.policy.backoff(breaks, busy=False))


class _Came(msgspec.Struct, frozen=True):
    """What one ranged read brought, and why no more."""

    filled: int
    size: int
    error: errors.LakeFSException | None = None


def _read_part(
    session: Session, source: _Source, start: int, sink: memoryview | FileSlice
) -> Op[tuple[_Came, _Source]]:
    """One ranged read; tells how far it came if its body broke."""
    length = presign.length(sink)
    if not length:
        return (yield from _beyond(session, source, None))
    request = source.request({"range": f"bytes={start}-{start + length - 1}"}, sink, digest=False)
    try:
        response, source = yield from _exchange(session, source, request)
    except errors.TransportException as exc:
        broken = exc.__cause__
        if not isinstance(broken, TransportError) or not broken.received or not broken.retry:
            raise
        if broken.answer is None:  # of which version, and from where, the bytes are is unknown
            return _Came(0, -1, exc), source
        source = _same(source, _etag(source, broken.answer))
        size = _placed(source, broken.answer, start, -1)
        return _Came(min(broken.received, length), size, exc), source
    except errors.ServerException as exc:
        if exc.status != 416:
            raise
        return (yield from _beyond(session, source, start))
    source = _same(source, _etag(source, response))
    size = _placed(source, response, start, response.filled)
    expected = min(length, size - start)
    if response.filled < expected:
        error = errors.TransportException(f"reading {source.uri}: {response.filled} of {expected} bytes came")
        return _Came(response.filled, size, error), source
    return _Came(expected, size), source


def _beyond(session: Session, source: _Source, start: int | None) -> Op[tuple[_Came, _Source]]:
    """Nothing is at `start`: an empty object, the end, or an object that became shorter; the record tells which."""
    record = yield from objects.stat(session, source.repository, source.ref, source.path)
    size = record.size_bytes or 0
    source = _same(source, record.checksum)
    if start is not None and start < size:
        raise _changed(source, "another", record.checksum)
    return _Came(0, size), source


def _exchange(session: Session, source: _Source, request: Request) -> Op[tuple[Response, _Source]]:
    """Makes a request for content; an expired pre-signed URL is signed anew once."""
    about = f"reading {source.uri}"
    try:
        return (yield from call(session, request, about=about)), source
    except errors.ObjectNotFoundException:
        if source.link is None:
            yield from objects.check_reference(session, source.repository, source.ref, about)
        raise
    except errors.ServerException as exc:
        if source.link is None or exc.status not in (400, 401, 403):
            raise
    source = yield from _sign(session, source)
    renewed = msgspec.structs.replace(request, url=source.link)
    return (yield from call(session, renewed, about=about)), source


def _sign(session: Session, source: _Source) -> Op[_Source]:
    """Asks for a fresh pre-signed URL; the object must not have changed since the last one."""
    record = yield from objects.stat(session, source.repository, source.ref, source.path, presign=True)
    link = presign.checked(record.physical_address, source.uri)
    return msgspec.structs.replace(_same(source, record.checksum), link=link, size=record.size_bytes)


def _etag(source: _Source, response: Response) -> str:
    """Which version came; an answer without that is no lakeFS's."""
    if source.link is not None:  # the store has its own name for the same bytes; the record's checksum is the object's
        return source.checksum or ""
    etag = response.headers.get("etag")
    if etag is None and is_html(response):
        msg = f"reading {source.uri}: a web page came, not an object: is the endpoint right?"
        raise errors.ProtocolException(msg)
    return (etag or "").strip('"')


def _changed(source: _Source, etag: str, found: str) -> errors.ObjectChangedError:
    return errors.ObjectChangedError(
        f"{source.uri} changed while it was read: its checksum was {etag} and is {found or 'unknown'} now; read it "
        f"again, or read from a commit (branch.pin())"
    )


def _narrow(sink: memoryview | FileSlice, filled: int) -> memoryview | FileSlice:
    """What is left of a sink."""
    if not filled:
        return sink
    if isinstance(sink, FileSlice):
        return FileSlice(sink.fd, sink.offset + filled, sink.length - filled)
    return sink.cast("B")[filled:]


def _placed(source: _Source, response: Response, start: int, came: int) -> int:
    """The size of the object, once it is sure that the bytes are those from `start` of that object."""
    size = _size(source, response, start, came)
    if source.size is not None and size not in (source.size, -1):
        msg = f"reading {source.uri}: the store has {size} bytes, and the object {source.size}"
        raise errors.IntegrityError(msg)
    return size


def _size(source: _Source, response: Response, start: int, came: int) -> int:
    if response.status == 200:
        length = response.headers.get("content-length", "")
        if start:
            msg = (
                f"reading {source.uri}: bytes from {start} were asked for, and the server sent the whole object instead"
            )
            raise errors.ProtocolException(msg)
        return int(length) if length.isdecimal() else came
    told = _RANGE.fullmatch(response.headers.get("content-range", ""))
    if told is None or int(told[1]) != start or told[3] == "*":
        msg = f"reading {source.uri}: bytes from {start} were asked for, {response.headers.get('content-range')!r} came"
        raise errors.ProtocolException(msg)
    return int(told[3])


def _same(source: _Source, found: str) -> _Source:
    """The source with the version that came, if it is no other than the one being read."""
    if source.checksum and found and found != source.checksum:
        raise _changed(source, source.checksum, found)
    return source if source.checksum or not found else msgspec.structs.replace(source, checksum=found)
