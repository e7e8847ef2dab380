"""Which bytes a `Range` header asks for, with lakeFS's answers to the odd ones."""

from __future__ import annotations

import re
from typing import Final

from lakefs_hl.spec.errors import BadRequestException
from lakefs_hl.spec.wire import FileSlice

#: lakeFS's own pattern, `bytes=((\d*-\d*,? ?)+)`, nests repetitions and can be made to run for ever; this one takes the
#: same headers and leaves nothing to try twice.
_SCHEMA: Final = re.compile(r"bytes=\d*-(?:\d*(?:, ?\d*| \d*)?-)*\d*,? ?", re.ASCII)
_SINGLE: Final = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)
#: Longer than any list of ranges that makes sense; keeps the pattern from working for nothing.
_MAX_HEADER: Final = 256


class RangeNotSatisfiable(Exception):
    """There are no such bytes.

    Attributes:
        told: Whether the answer says how long the object is.
    """

    def __init__(self, told: bool) -> None:
        super().__init__("Requested Range Not Satisfiable")
        self.told = told


def check(header: str) -> None:
    """Holds the header against lakeFS's schema, before anything is looked up.

    Raises:
        BadRequestException: It is no range.
    """
    if len(header) > _MAX_HEADER or _SCHEMA.fullmatch(header) is None:
        raise BadRequestException(
            f'parameter "Range" in header has an error: {header[:80]!r} is no range such as "bytes=0-1023"'
        )


def parse(header: str, size: int) -> tuple[int, int]:
    """Reads a `Range` header.

    Args:
        header: Its value, checked.
        size: Bytes of the object.

    Returns:
        The first byte, and the one after the last.

    Raises:
        RangeNotSatisfiable: The object has no such bytes; several ranges are never served.
    """
    single = _SINGLE.fullmatch(header)
    if single is None:
        raise RangeNotSatisfiable(told=False)
    first, last = single[1], single[2]
    if not first:
        if not last:
            raise RangeNotSatisfiable(told=False)
        length = int(last)
        if length == 0 or size == 0:
            raise RangeNotSatisfiable(told=True)
        return max(0, size - length), size
    start = int(first)
    if last and int(last) < start:
        raise RangeNotSatisfiable(told=False)
    if start >= size:
        raise RangeNotSatisfiable(told=True)
    return start, min(int(last) + 1, size) if last else size


def cut(body: bytes | FileSlice, start: int, end: int) -> bytes | FileSlice:
    """Gives a part of a body."""
    if isinstance(body, FileSlice):
        return FileSlice(body.fd, body.offset + start, end - start)
    return body[start:end]
