"""Checksums of content: MD5, and CRC32C where a package for it is installed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from functools import cache
from importlib import import_module
from typing import Any, Final

from lakefs_hl.facades.records import Entry

#: Metadata key of the CRC32C of the stored content, in eight hexadecimal digits.
KEY: Final = "crc32c"
_MD5: Final = re.compile(r"[0-9a-f]{32}")
_CRC32C: Final = re.compile(r"[0-9a-f]{8}")


def is_md5(text: str | None) -> bool:
    """Return whether a text may be an MD5."""
    return text is not None and _MD5.fullmatch(text) is not None


def md5(data: bytes) -> str:
    """Return the MD5 of content, in hexadecimal digits."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def md5_of(blocks: Iterable[bytes]) -> str:
    """Return the MD5 of content in blocks, in hexadecimal digits."""
    found = hashlib.md5(usedforsecurity=False)
    for block in blocks:
        found.update(block)
    return found.hexdigest()


def check_name(name: object) -> str | None:
    """Return the name of a further checksum. None stays None.

    Raises:
        TypeError: It is not a text.
        ValueError: It is not "crc32c".
        ImportError: There is no package for it.
    """
    if name is None:
        return None
    if not isinstance(name, str):
        msg = f"checksum must be 'crc32c' or None, not {type(name).__name__}: {name!r:.80}"
        raise TypeError(msg)
    if name != KEY:
        msg = f"checksum must be 'crc32c' or None, not {name!r:.80}: the MD5 is always compared"
        raise ValueError(msg)
    if _function() is None:
        msg = "checksum='crc32c' needs a package: pip install 'lakefs-hl[checksums]'"
        raise ImportError(msg, name="google_crc32c")
    return KEY


def crc32c(data: bytes) -> str:
    """Return the CRC32C of content, in eight hexadecimal digits.

    Raises:
        ImportError: There is no package for it.
    """
    function = _function()
    if function is None:
        msg = "CRC32C needs a package: pip install 'lakefs-hl[checksums]'"
        raise ImportError(msg, name="google_crc32c")
    return f"{function(data):08x}"


@cache
def _function() -> Callable[[bytes], int] | None:
    for module, name in (("google_crc32c", "value"), ("crc32c", "crc32c")):
        try:
            found: Any = getattr(import_module(module), name)
        except ImportError:
            continue
        return lambda data: int(found(data))
    return None


def is_wrong(data: bytes, entry: Entry) -> bool:
    """Return whether only the CRC32C of content differs: the content is that of the object, by size and MD5."""
    return len(data) == entry.size and entry.md5 == md5(data) and not matches(data, entry)


def matches(data: bytes, entry: Entry) -> bool:
    """Return whether content has the checksums of an object, as far as they are known and can be computed."""
    if entry.md5 is not None and md5(data) != entry.md5:
        return False
    stored = entry.metadata.get(KEY, "")
    if not _CRC32C.fullmatch(stored) or _function() is None:
        return True
    return crc32c(data) == stored
