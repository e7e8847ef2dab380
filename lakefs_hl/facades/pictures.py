"""Pictures that browsers show, recognized by their first bytes, with their sizes."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

#: Markers of JPEG that begin a frame, whose header has the size.
_FRAMES: Final = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
#: What may come before the root element of an SVG document.
_SVG: Final = re.compile(rb"(?:<\?xml[^>]*\?>|<!--.*?-->|<!DOCTYPE[^>\[]*(?:\[[^\]]*\])?\s*>|\s)*+<svg[\s>]", re.DOTALL)


class Picture(NamedTuple):
    """A picture.

    Attributes:
        format: Media type without "image/".
        width: Width in pixels. 0 if it is not known.
        height: Height in pixels, likewise.
    """

    format: str
    width: int = 0
    height: int = 0


def picture_of(data: bytes, name: str, content_type: str) -> Picture | None:
    """Return what kind of picture some content is. None if it is none.

    Args:
        data: The first bytes.
        name: Name of the object, in lower case: a text is an SVG picture if its name or its media type says so.
        content_type: Media type of the object.
    """
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return Picture("png", int.from_bytes(data[16:20]), int.from_bytes(data[20:24]))
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return Picture("gif", int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little"))
    if data.startswith(b"\xff\xd8\xff"):
        return _jpeg(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return _webp(data)
    is_named = name.endswith(".svg") or content_type.startswith("image/svg")
    return Picture("svg+xml") if is_named and _SVG.match(data[:4096].removeprefix(b"\xef\xbb\xbf")) else None


def _jpeg(data: bytes) -> Picture:
    at = 2
    while at + 9 < len(data) and data[at] == 0xFF:
        if data[at + 1] in _FRAMES:
            return Picture("jpeg", int.from_bytes(data[at + 7 : at + 9]), int.from_bytes(data[at + 5 : at + 7]))
        at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4]))
    return Picture("jpeg")


def _webp(data: bytes) -> Picture:
    kind = data[12:16]
    if kind == b"VP8X":
        return Picture("webp", 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little"))
    if kind == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return Picture("webp", 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
    sizes = data[26:30]
    width, height = int.from_bytes(sizes[:2], "little"), int.from_bytes(sizes[2:], "little")
    return Picture("webp", width & 0x3FFF, height & 0x3FFF)
