"""Content of an object passed to a function, range by range, so that it need not fit in memory.

Rules of the room: all ranges are of one version. Where the bytes go is not known here: the function writes them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final

from lakefs_hl.ops import multipart, objects, transfer
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.presign import MD5
from lakefs_hl.ops.retry import Session
from lakefs_hl.ops.upload import EXTRA_TRANSFERS
from lakefs_hl.spec.errors import IntegrityError
from lakefs_hl.spec.uri import object_uri

#: Length of the first range and of the others, in bytes. A small object costs one request and little memory.
FIRST: Final = 256 << 10
SPAN: Final = 8 << 20


def copy_to(
    session: Session,
    repository: str,
    ref: str,
    path: str,
    write: Callable[[memoryview], object],
    *,
    start: int | None = None,
    end: int | None = None,
    etag: str | None = None,
    verify: bool = True,
    pre_signed: bool | None = None,
    restart: Callable[[], None] | None = None,
) -> Op[int]:
    """Pass an object, or its bytes from `start` to before `end`, to `write`. Returns the number of bytes.

    Args:
        session: The client's.
        repository: Repository ID.
        ref: Reference.
        path: Path of the object.
        write: Called with the bytes of each range, which are valid during the call.
        start: Offset of the first byte. Negative values count from the end.
        end: Offset after the last byte.
        etag: ETag of the version to read. Defaults to the current one.
        verify: Whether to compare the MD5 of a whole object with its ETag, where that is an MD5.
        pre_signed: Whether to use pre-signed URLs. None lets the server's capabilities decide.
        restart: Drops what was written. With it, a whole object that does not match is read again, twice.

    Raises:
        IntegrityError: The content did not match its checksum.
        ObjectChangedError: The object was replaced meanwhile.
    """
    first = start or 0
    if first < 0 or (end or 0) < 0:
        record = yield from objects.stat(session, repository, ref, path)
        first, end, _ = slice(start, end).indices(record.size_bytes or 0)
        etag = etag or record.checksum or None
    if end is not None and end <= first:
        yield from objects.stat(session, repository, ref, path)  # nothing to read, but of an object that exists
        return 0
    verify = verify and not first and end is None
    for left in range(EXTRA_TRANSFERS if verify and restart is not None else 0, -1, -1):
        count, wrong = yield from _copy(
            session, repository, ref, path, write, first, end, etag, pre_signed, verify=verify
        )
        if wrong is None:
            return count
        if restart is None or not left:
            break
        restart()
    uri = object_uri(repository, ref, path)
    raise IntegrityError(f"reading {uri}: {wrong}; verify=False reads it without the comparison")


def _copy(
    session: Session,
    repository: str,
    ref: str,
    path: str,
    write: Callable[[memoryview], object],
    at: int,
    end: int | None,
    etag: str | None,
    pre_signed: bool | None,
    *,
    verify: bool,
) -> Op[tuple[int, str | None]]:
    """Pass each range to `write`. Returns the number of bytes and what is wrong with them."""
    first, link, buffer = at, None, bytearray(FIRST)
    hashed = hashlib.md5(usedforsecurity=False)
    while True:
        sink = memoryview(buffer)
        sink = sink if end is None else sink[: end - at]  # a slice may be longer than what it is taken from
        part = yield from transfer.read_into(
            session, repository, ref, path, at, sink, etag=etag, pre_signed=pre_signed, link=link
        )
        content = sink[: part.filled]
        if verify:
            hashed.update(content)
        write(content)
        at, etag, link = at + part.filled, part.etag or None, part.link
        end = part.size if end is None else min(end, part.size)
        if at >= end:
            break
        if len(buffer) == FIRST:
            buffer = bytearray(min(SPAN, end - at))
    promised, found = etag or "", hashed.hexdigest()
    if not verify or not MD5.fullmatch(promised) or promised == found:
        return at - first, None
    known = yield from multipart.is_upload(
        session, repository, ref, path, at, md5=found, etag=promised, pre_signed=pre_signed
    )
    return at - first, None if known else f"the content has MD5 {found}, the object's is {promised}"
