"""Objects in parts whose content was passed on before it could be compared: they are read again for that."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from lakefs_hl.ops import transfer
from lakefs_hl.ops.comparison import Comparison, is_etag
from lakefs_hl.ops.effects import Op, call_function
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec.multipart import SHORTEST_PART, PartHashes, is_one_part

#: How much is read at a time, in bytes.
_SPAN: Final = 8 << 20


def is_content(
    session: Session,
    repository: str,
    ref: str,
    path: str,
    size: int,
    *,
    found: str,
    etag: str,
    pre_signed: bool | None = None,
) -> Op[bool]:
    """Return whether what was read is the content of an object. A long one in parts is read again for that.

    Args:
        session: The client's.
        repository: Repository ID.
        ref: Reference.
        path: Path of the object.
        size: Its size in bytes.
        found: Digits of the hash of what was read.
        etag: ETag of the object. Without the number of its parts it looks like an MD5.
        pre_signed: Whether to use pre-signed URLs. None lets the server's capabilities decide.

    Raises:
        ObjectChangedError: The object was replaced meanwhile.
    """
    compared = Comparison(session, repository)
    if compared.takes(etag, size, found):
        return True
    place = repository, ref, path
    if is_etag(etag):
        hashed = compared.begin(etag, size)
        if hashed is None:
            return True  # what no content can be compared with, as was found out meanwhile
        is_whole = yield from _read_again(session, place, size, hashed.update, etag, pre_signed, compared)
        if compared.begin(etag, size) is None:
            return True
        return is_whole and hashed.hexdigest() == found and compared.takes(etag, size, found)
    if is_one_part(etag, found):
        return True
    if size <= SHORTEST_PART:
        return False
    hashes = PartHashes(size)
    is_whole = yield from _read_again(session, place, size, hashes.update, etag, pre_signed, compared)
    return is_whole and (yield from call_function(partial(hashes.match, etag, found)))


def _read_again(
    session: Session,
    place: tuple[str, str, str],
    size: int,
    take: Callable[[memoryview], None],
    etag: str,
    pre_signed: bool | None,
    compared: Comparison,
) -> Op[bool]:
    """Read an object, and pass its content to a function. Return whether all of it came.

    It ends with the first response if the store encrypts: then there is nothing to compare.
    """
    at, link, buffer = 0, None, memoryview(bytearray(min(_SPAN, size)))
    while at < size:
        part = yield from transfer.read_into(
            session, *place, at, buffer[: size - at], etag=etag, pre_signed=pre_signed, link=link
        )
        if part.encrypted:
            compared.note_encryption(etag, size)
        if not part.filled or (part.encrypted and is_etag(etag)):
            return False
        yield from call_function(partial(take, buffer[: part.filled]))
        at, link = at + part.filled, part.link
    return True
