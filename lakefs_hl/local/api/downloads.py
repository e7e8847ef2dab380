"""Bytes out of the lake: whole, in ranges, and their headers alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from email.utils import formatdate
from functools import lru_cache
from typing import Final, NamedTuple

from lakefs_hl.local.api import checks, ranges
from lakefs_hl.local.api.answers import Handler, refuse
from lakefs_hl.local.engine import Engine
from lakefs_hl.local.engine.objects import Content
from lakefs_hl.local.engine.snapshot import Snapshot
from lakefs_hl.local.engine.views import View
from lakefs_hl.spec import endpoints, models
from lakefs_hl.spec.headers import OCTET_STREAM
from lakefs_hl.spec.wire import Request, Response

#: Types that a browser may show in place; compared as they are, so that a parameter makes it an attachment. lakeFS
#: also has those that can hold scripts (HTML, SVG, XML, JavaScript): here they are attachments.
INLINE: Final = frozenset(
    {
        *(f"image/{kind}" for kind in ("jpeg", "jpg", "png", "gif", "webp")),
        *(f"video/{kind}" for kind in ("mp4", "webm")),
        *(f"audio/{kind}" for kind in ("mpeg", "wav", "webm")),
        *(f"application/{kind}" for kind in ("pdf", "json")),
        *(f"text/{kind}" for kind in ("plain", "markdown", "x-markdown", "css")),
    }
)


@lru_cache(maxsize=1024)
def _date(mtime: int) -> str:
    try:
        return formatdate(mtime, usegmt=True)
    except (ValueError, OverflowError, OSError):  # an earlier release took any number
        return formatdate(0, usegmt=True)


def describe(stats: models.ObjectStats) -> dict[str, str]:
    """The headers of an object."""
    return _headers(stats.content_type or OCTET_STREAM, stats.checksum, stats.mtime)


def _headers(kind: str, checksum: str, mtime: int) -> dict[str, str]:
    return {
        "content-type": kind,
        "etag": f'"{checksum}"',
        "last-modified": _date(mtime),
        "content-disposition": "inline" if kind in INLINE else "attachment",
        "cache-control": "no-store, must-revalidate",
        "expires": "0",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "content-security-policy": "sandbox; default-src 'none'",
    }


class Seen(NamedTuple):
    """A reference that was looked up, in a snapshot that is open."""

    snapshot: Snapshot
    view: View


def is_plain(request: Request) -> bool:
    """Whether a request asks for all of an object, with no condition."""
    return request.endpoint is endpoints.GET_OBJECT and not request.headers and len(request.query) == 1


def get_small(engine: Engine, requests: Sequence[Request], seen: Seen) -> list[Response | None]:
    """Small objects of one reference, by requests that are plain; None for what `get_object` has to answer.

    Raises:
        ServerException: A request cannot be answered; so may others.
    """
    paths = [checks.path(request.query) for request in requests]
    return [
        None if found is None else Response(200, _headers(*found[:3]), found[3], reason="OK")
        for found in engine.objects.read_small(*seen, paths)
    ]


def get_object(engine: Engine, request: Request, who: str, see: Callable[[], Seen] | None = None) -> Response:
    """An object's bytes; `see` looks the reference up, or has done so for another request."""
    repository, ref = request.params
    if "presign" in request.query:
        checks.no_presign(request)
    path = checks.path(request.query)
    wanted = request.headers.get("range")
    if wanted is not None:
        ranges.check(wanted)
    if see is None:
        stats, content = engine.objects.read(repository, ref, path, prove=request.digest is True)
    else:
        stats, content = engine.objects.read_in(*see(), path, prove=request.digest is True)
    return send(request, describe(stats), stats.size_bytes or 0, content)


def send(request: Request, headers: dict[str, str], size: int, content: Content) -> Response:
    """What a request asks for of some content: all of it, a range, or nothing if it is known.

    Args:
        request: The request; its `Range` has been checked.
        headers: Those of the content.
        size: Its bytes.
        content: The content, which is released in any case.
    """
    wanted = request.headers.get("range")
    if request.headers.get("if-none-match") == headers["etag"]:
        content.release()
        return Response(304, reason="Not Modified")
    proved = headers["etag"].strip('"') if content.is_proved else None
    if wanted is None:
        return Response(200, headers, content.body, md5=proved, reason="OK", done=content.release)
    try:
        start, end = ranges.parse(wanted, size)
    except ranges.RangeNotSatisfiable as exc:
        content.release()
        response = refuse(416, str(exc))
        if exc.told:
            headers["content-range"] = f"bytes */{size}"
        response.headers = {**headers, **response.headers}
        return response
    headers["content-range"] = f"bytes {start}-{end - 1}/{size}"
    if (start, end) == (0, size):
        body = content.body
    else:
        body, proved = ranges.cut(content.body, start, end), None
    return Response(206, headers, body, md5=proved, reason="Partial Content", done=content.release)


def head_object(engine: Engine, request: Request, who: str) -> Response:
    """An object's headers."""
    repository, ref = request.params
    path = checks.path(request.query)
    wanted = request.headers.get("range")
    if wanted is not None:
        ranges.check(wanted)
    stats = engine.objects.stat(repository, ref, path)
    size = stats.size_bytes or 0
    headers = describe(stats)
    del headers["content-disposition"]
    headers["accept-ranges"] = "bytes"
    if wanted is None:
        headers["content-length"] = str(size)
        return Response(200, headers, reason="OK")
    try:
        start, end = ranges.parse(wanted, size)
    except ranges.RangeNotSatisfiable:
        return Response(416, headers, reason="Requested Range Not Satisfiable")
    headers["content-length"] = str(end - start)
    headers["content-range"] = f"bytes {start}-{end - 1}/{size}"
    return Response(206, headers, reason="Partial Content")


HANDLERS: Final[dict[str, Handler]] = {
    endpoints.GET_OBJECT.operation: get_object,
    endpoints.HEAD_OBJECT.operation: head_object,
}
