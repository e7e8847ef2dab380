"""Objects of two stores, compared: what a transfer need not send."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import BinaryIO

from lakefs_hl.facades import checksums
from lakefs_hl.facades.records import Entry, Put


class Verdict(Enum):
    """What `update=True` does with an object."""

    SEND = "send it"
    EQUAL = "leave it: it is equal"
    NEWER = "leave it: the destination is newer and different"
    #: Its size and times do not say whether it is equal: its content does.
    UNSURE = "compare its content"


def compare(source: Entry, target: Entry | None, *, changes: bool) -> Verdict:
    """Return what to do with an object.

    Args:
        source: The object at the source.
        target: The object at the destination. None if there is none.
        changes: Whether it would get another encoding, so that sizes and checksums differ anyway.
    """
    if target is None:
        return Verdict.SEND
    newer = _is_newer(target.modified, source.modified)
    if changes or source.encoding != target.encoding:
        return Verdict.EQUAL if newer else Verdict.UNSURE
    if source.size == target.size:
        if source.md5 is not None and source.md5 == target.md5:
            return Verdict.EQUAL
        if source.md5 is None or target.md5 is None:
            return Verdict.EQUAL if newer else Verdict.UNSURE
    return Verdict.NEWER if newer else Verdict.SEND


def _is_newer(one: datetime | None, other: datetime | None) -> bool:
    """Return whether a time is certainly after another. lakeFS keeps whole seconds."""
    if one is None or other is None:
        return False
    if one.microsecond and other.microsecond:
        return one > other
    return one.replace(microsecond=0) > other.replace(microsecond=0)


def is_copy(source: Entry, target: Entry | None) -> bool:
    """Return whether the destination certainly has an object already, with what belongs to it."""
    if target is None or source.md5 is None or source.md5 != target.md5:
        return False
    return (source.encoding, source.content_type, dict(source.metadata)) == (
        target.encoding,
        target.content_type,
        dict(target.metadata),
    )


def has_content(target: Entry, put: Put) -> bool:
    """Return whether an object has the content and the encoding of what would be written."""
    if target.md5 is None or target.encoding != (put.encoding or None):
        return False
    return target.md5 == (checksums.md5(put.data) if isinstance(put.data, bytes) else _md5_of_file(put.data))


def _md5_of_file(file: BinaryIO) -> str:
    file.seek(0)
    return checksums.md5_of(iter(lambda: file.read(1 << 20), b""))
