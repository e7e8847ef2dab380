"""Pre-signed URLs: whether to use them, what counts as one, and what a store's answer is worth."""

from __future__ import annotations

import re
from typing import Final

from lakefs_hl.ops import server
from lakefs_hl.ops.effects import Op
from lakefs_hl.ops.retry import Session
from lakefs_hl.spec import errors
from lakefs_hl.spec.secret import Secret
from lakefs_hl.spec.wire import FileSlice, Response

#: A checksum that is a plain MD5, as far as its looks go.
MD5: Final = re.compile(r"[0-9a-f]{32}")


def wanted(session: Session, pre_signed: bool | None) -> Op[bool]:
    """Whether to go to the store directly: an order, or what the server can, asked for once."""
    if pre_signed is not None:
        return pre_signed
    storage = yield from server.storage(session)
    return storage.pre_sign_support


def checked(url: str | None, uri: str) -> str:
    """A URL that the server gave: its signature is a secret, so it hides itself.

    Raises:
        UnsupportedOperationException: It gave none.
    """
    if url is None or not url.startswith(("http://", "https://")):
        msg = f"{uri}: the server gave no pre-signed URL: pass pre_signed=False"
        raise errors.UnsupportedOperationException(msg)
    return Secret(url)


def encrypted(response: Response) -> bool:
    """Whether the store encrypted with a key, so that its ETag is no MD5."""
    kept = response.headers.get("x-amz-server-side-encryption", "")
    return kept.startswith("aws:kms") or any(name.endswith("-customer-algorithm") for name in response.headers)


def length(part: bytes | memoryview | FileSlice) -> int:
    """Bytes in a body or sink."""
    return part.length if isinstance(part, FileSlice) else len(part) if isinstance(part, bytes) else part.nbytes
