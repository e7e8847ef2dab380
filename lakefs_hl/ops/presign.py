"""Pre-signed URLs: whether to use them, and what a response of the store proves."""

from __future__ import annotations

import re
from typing import Final

from lakefs_hl.ops import server
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import errors
from lakefs_hl.spec.secret import Secret
from lakefs_hl.spec.wire import FileSlice, Response

#: A checksum that can be an MD5.
MD5: Final = re.compile(r"[0-9a-f]{32}")


def decision(session: Session, pre_signed: bool | None) -> bool | None:
    """Return what `should_presign` does, without an op for each object. None if the server is to be asked."""
    if pre_signed is not None:
        return pre_signed
    if session.storage_refused:
        return False
    return None if session.storage is None else session.storage.pre_sign_support


def should_presign(session: Session, pre_signed: bool | None) -> Op[bool]:
    """Return whether to access the store directly: as requested, else if the server can pre-sign.

    Credentials for objects only may not read the server's configuration. They can do without: the way through the
    server is always open.
    """
    if (found := decision(session, pre_signed)) is not None:
        return found
    try:
        storage = yield from server.storage(session)
    except errors.ForbiddenException:
        session.storage_refused = True
        return False
    return storage.pre_sign_support


def require_url(url: str | None, about: str) -> str:
    """Return a pre-signed URL of the server. It is a `Secret`, because of its signature.

    Args:
        url: The URL, if the server sent one.
        about: What was asked, for messages.

    Raises:
        UnsupportedOperationException: The server sent none.
    """
    if url is None or not url.startswith(("http://", "https://")):
        msg = f"{about}: the server sent no pre-signed URL: pass pre_signed=False"
        raise errors.UnsupportedOperationException(msg)
    return Secret(url)


def is_encrypted(response: Response) -> bool:
    """Return whether the store encrypted the object with a key, so that its ETag is not an MD5."""
    method = response.headers.get("x-amz-server-side-encryption", "")
    return method.startswith("aws:kms") or any(name.endswith("-customer-algorithm") for name in response.headers)


def length(part: bytes | memoryview | FileSlice) -> int:
    """Return the number of bytes of a body or sink."""
    return part.length if isinstance(part, FileSlice) else len(part) if isinstance(part, bytes) else part.nbytes
