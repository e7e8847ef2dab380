"""Objects whose checksum is no MD5 of their content, because they were uploaded through the S3 gateway in parts."""

from __future__ import annotations

from functools import partial
from typing import Final

from lakefs_hl.ops import transfer
from lakefs_hl.ops.effects import Op, call_function
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec.multipart import SHORTEST_PART, PartHashes, is_one_part

#: How much is read at a time, in bytes.
_SPAN: Final = 8 << 20


def is_upload(
    session: Session,
    repository: str,
    ref: str,
    path: str,
    size: int,
    *,
    md5: str,
    etag: str,
    pre_signed: bool | None = None,
) -> Op[bool]:
    """Return whether content that was read is what was uploaded in parts. A long object is read again for that.

    Args:
        session: The client's.
        repository: Repository ID.
        ref: Reference.
        path: Path of the object.
        size: Its size in bytes.
        md5: MD5 of what was read.
        etag: ETag of the object, which looks like another MD5.
        pre_signed: Whether to use pre-signed URLs. None lets the server's capabilities decide.

    Raises:
        ObjectChangedError: The object was replaced meanwhile.
    """
    if is_one_part(etag, md5):
        return True
    if size <= SHORTEST_PART:
        return False
    hashes, at, link, buffer = PartHashes(size), 0, None, memoryview(bytearray(min(_SPAN, size)))
    while at < size:
        part = yield from transfer.read_into(
            session, repository, ref, path, at, buffer[: size - at], etag=etag, pre_signed=pre_signed, link=link
        )
        if not part.filled:
            return False
        yield from call_function(partial(hashes.update, buffer[: part.filled]))
        at, link = at + part.filled, part.link
    return (yield from call_function(partial(hashes.match, etag, md5)))
