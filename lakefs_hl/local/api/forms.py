"""An upload as a form: where its content lies, without copying it.

A body that lies in a file is searched through a memory map, so that a form of any size costs no memory.
"""

from __future__ import annotations

import mmap
from email.message import Message
from email.parser import BytesParser
from typing import Final

from lakefs_hl.spec.errors import BadRequestException
from lakefs_hl.spec.refusals import refusal
from lakefs_hl.spec.wire import FileSlice

_MAX_HEADERS: Final = 64 * 1024
_MISSING: Final = "multipart upload missing key 'content': http: no such file"


def is_form(content_type: str) -> bool:
    """Says whether an upload of this type is a form."""
    return content_type[:19].lower() == "multipart/form-data"


def content(body: bytes | FileSlice, content_type: str) -> tuple[bytes | FileSlice, str]:
    """Finds the part named `content` if it is the first of its name.

    Args:
        body: The whole form.
        content_type: Its type, with the boundary.

    Returns:
        The part's bytes and its own content type, "" if it names none.

    Raises:
        ServerException: There is no such part: 500, as lakeFS answers.
    """
    header = Message()
    header["content-type"] = content_type
    boundary = header.get_boundary("")
    if not boundary or not boundary.isascii():
        raise refusal(500, f"{_MISSING}: no boundary in the content type")
    mark = b"--" + boundary.encode()
    if isinstance(body, bytes):
        start, end, kind = _find(body, mark)
        return body[start:end], kind
    if body.length == 0:
        raise refusal(500, f"{_MISSING}: the body is empty")
    with mmap.mmap(body.fd, body.offset + body.length, access=mmap.ACCESS_READ) as view:
        start, end, kind = _find(view, mark, body.offset)
        return FileSlice(body.fd, start, end - start), kind


def _find(view: bytes | mmap.mmap, mark: bytes, at: int = 0) -> tuple[int, int, str]:
    """(start, end, type) of the part named `content`."""
    if view[at : at + len(mark)] != mark:
        at = view.find(b"\r\n" + mark, at) + 2
        if at == 1:
            raise refusal(500, f"{_MISSING}: no part at all")
    while True:
        at += len(mark)
        if view[at : at + 2] != b"\r\n":
            raise refusal(500, _MISSING)
        blank = view.find(b"\r\n\r\n", at, at + _MAX_HEADERS)
        if blank < 0:
            raise BadRequestException("multipart upload: a part's headers do not end")
        headers = BytesParser().parsebytes(view[at + 2 : blank + 2] + b"\r\n", headersonly=True)
        start = blank + 4
        end = view.find(b"\r\n" + mark, start)
        if end < 0:
            raise BadRequestException("multipart upload: a part does not end with the boundary")
        if headers.get_param("name", header="content-disposition") == "content":
            return start, end, headers["content-type"] or ""
        at = end + 2
