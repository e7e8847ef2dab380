"""Links of the lake itself: anyone who holds one may read, or write, one object by its path, without credentials.

A link names an object and not a content: it gives what is at the path when it is used, and what is written by it is
staged on the branch at once. A content is named by the pre-signed URLs of `presign.py`.

What is written by a link is the body alone. Its holder chooses the content type, and no metadata.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from lakefs_hl.local.api import checks, downloads, forms, urls
from lakefs_hl.local.api.answers import Handler, ok, refuse
from lakefs_hl.local.api.urls import Urls
from lakefs_hl.local.engine import Engine
from lakefs_hl.spec import endpoints, links, media, models
from lakefs_hl.spec.errors import ObjectExistsException
from lakefs_hl.spec.rows import DATA, REF
from lakefs_hl.spec.wire import Endpoint, Request, Response

#: Path of every link.
PATH: Final = "/_object"
_OBJECT: Final = f"{REF}/objects"
GET_LINKED: Final = Endpoint("getLinked", "GET", _OBJECT, "A", "reading by a link", (200, 206), DATA, public=True)
HEAD_LINKED: Final = Endpoint("headLinked", "HEAD", _OBJECT, "A", "looking up by a link", (200,), DATA, public=True)
PUT_LINKED: Final = Endpoint("putLinked", "PUT", _OBJECT, "W", "writing by a link", (200,), DATA, public=True)
ENDPOINTS: Final = {row.method: row for row in (GET_LINKED, HEAD_LINKED, PUT_LINKED)}
#: What a key must be allowed to, so that links made with it work.
RIGHTS: Final = {"GET": endpoints.GET_OBJECT, "HEAD": endpoints.GET_OBJECT, "PUT": endpoints.UPLOAD_OBJECT}
#: Types that a browser shows in place. PDF is none of them: its viewers do not run in a sandbox, which all answers ask
#: for, and the page would stay empty.
_SHOWN: Final = downloads.INLINE - {"application/pdf"}
#: Request headers that say what of an object is asked for.
_CONDITIONS: Final = ("range", "if-none-match")
_PLAIN: Final = re.compile(r"[A-Za-z0-9!#$&+.^_`|~-]+")
#: The page that a browser makes around audio and video loads it again. Without `media-src` it plays nothing.
_PLAYED: Final = {"content-security-policy": "sandbox; default-src 'none'; media-src 'self'"}
#: The URL is a secret: it goes to no site that a page of it links to.
PRIVATE: Final = {"referrer-policy": "no-referrer"}


class Links:
    """The links of one server.

    Args:
        made: The signed URLs of the server.

    Attributes:
        handlers: Of the operations that make links, and of the links themselves.
    """

    def __init__(self, made: Urls) -> None:
        self._urls = made
        self.handlers: dict[str, Handler] = {
            links.READ_LINK.operation: self._read_link,
            links.WRITE_LINK.operation: self._write_link,
            links.RECEIVED.operation: _received,
            GET_LINKED.operation: _get,
            HEAD_LINKED.operation: _head,
            PUT_LINKED.operation: _put,
        }

    def _read_link(self, engine: Engine, request: Request, who: str) -> Response:
        """A link to read an object by."""
        repository, ref = request.params
        path = checks.path(request.query)
        life = urls.life(request.query)
        engine.objects.stat(repository, ref, path)
        return self._made(request, "GET", {"repository": repository, "ref": ref, "path": path}, life)

    def _write_link(self, engine: Engine, request: Request, who: str) -> Response:
        """A link to write an object by."""
        repository, branch = request.params
        path = checks.path(request.query)
        life = urls.life(request.query)
        limit = urls.at_most(request.query, links.MAX_BYTES, self._urls.largest)
        engine.objects.check_first(repository, branch, path, create_only=False, force=False)
        about = {"repository": repository, "ref": branch, "path": path, "limit": str(limit)}
        return self._made(request, "PUT", about, life)

    def _made(self, request: Request, method: str, about: dict[str, str], life: int) -> Response:
        url, expires = self._urls.make(request, PATH, method, {**about, **self._urls.holder(request)}, life)
        response = ok(models.Link(url, expires))
        response.headers = {**response.headers, "cache-control": "no-store"}
        return response


def _received(engine: Engine, request: Request, who: str) -> Response:
    """What was put at an address of the repository within the last day."""
    repository, _ = request.params
    found = engine.addresses.received(repository, checks.required(request.query, "physical_address"))
    return ok(models.Received(found.md5.hex(), found.size))


# ----------------------------------------------------------------------------------------------- the links themselves


def _get(engine: Engine, request: Request, who: str) -> Response:
    """The object that is at the path now."""
    path = checks.path(request.query)
    headers = {name: request.headers[name] for name in _CONDITIONS if name in request.headers}
    found = downloads.get_object(engine, Request(endpoints.GET_OBJECT, request.params, {"path": path}, headers), who)
    etag = found.headers.get("etag")
    if etag is not None and request.headers.get("if-match", "*") not in ("*", etag):
        if found.done is not None:
            found.done()
        return refuse(412, "the object has another ETag")
    if found.status in (200, 206):
        kind = found.headers["content-type"]
        shown = disposition(kind, path.rpartition("/")[2])
        found.headers = {**found.headers, **PRIVATE, "accept-ranges": "bytes", "content-disposition": shown}
        if kind.startswith(("audio/", "video/")):
            found.headers = {**found.headers, **_PLAYED}
    return found


def _head(engine: Engine, request: Request, who: str) -> Response:
    """What a GET would say."""
    return without_body(_get(engine, request, who))


def _put(engine: Engine, request: Request, who: str) -> Response:
    """Stages the body on the branch; the answer is that of an S3 store."""
    repository, branch = request.params
    path = checks.path(request.query)
    kind = request.headers.get("content-type") or media.guess_type(path)
    if forms.is_form(kind):
        return refuse(415, "a link takes the content itself as the body, and this is a form; send the file alone")
    create_only = checks.create_only(request)
    try:
        stats = engine.objects.put(repository, branch, path, request.body, content_type=kind, create_only=create_only)
    except ObjectExistsException:
        return refuse(412, "path already exists")
    return Response(200, {"etag": f'"{stats.checksum}"', **PRIVATE}, reason="OK")


def without_body(found: Response) -> Response:
    """The answer to HEAD that belongs to one to GET."""
    if found.done is not None:
        found.done()
    if found.status in (200, 206):
        body = found.body
        found.headers = {**found.headers, "content-length": str(len(body) if isinstance(body, bytes) else body.length)}
    found.body, found.done = b"", None
    return found


def disposition(content_type: str, name: str) -> str:
    """The header that says whether a browser shows an object or saves it, and under which name."""
    kind = content_type.partition(";")[0].strip().lower()
    return f"{'inline' if kind in _SHOWN else 'attachment'}{_file_name(name)}"


def attachment(name: str) -> str:
    """The header that has a browser save an object."""
    return f"attachment{_file_name(name)}"


def _file_name(name: str) -> str:
    if _PLAIN.fullmatch(name):
        return f"; filename={name}"
    return f"; filename*=UTF-8''{quote(name, safe='')}" if name else ""
