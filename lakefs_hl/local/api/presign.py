"""Pre-signed URLs: content that whoever holds the URL may read, or put, without credentials.

A URL says all that its request needs, and an HMAC over method and query proves that this lake made it; so nothing is
kept about the URLs that are handed out. It names content and not an object: what the object becomes later changes
nothing, as on an object store.

Rules of the room: nothing in a query is believed, or even read, before `Presign.refusal` has let it in. URLs are
secrets for as long as they are valid, and in no log.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from functools import partial
from typing import Final, NamedTuple
from urllib.parse import quote

import msgspec

from lakefs_hl.local.api import checks, downloads, objects, ranges, staging
from lakefs_hl.local.api.answers import Handler, ok, refuse
from lakefs_hl.local.engine import Engine
from lakefs_hl.local.engine.objects import Place, Sign
from lakefs_hl.local.engine.records import Entry
from lakefs_hl.local.keys import Keys
from lakefs_hl.spec import endpoints, models
from lakefs_hl.spec.headers import OCTET_STREAM
from lakefs_hl.spec.rows import DATA
from lakefs_hl.spec.wire import Endpoint, Query, Request, Response

#: Path of every pre-signed URL.
PATH: Final = "/_content"
#: How long a URL is valid, as lakeFS has it.
LIFE_SECONDS: Final = 15 * 60
GET_CONTENT: Final = Endpoint("getContent", "GET", PATH, "A", "reading content", (200, 206), DATA, public=True)
HEAD_CONTENT: Final = Endpoint("headContent", "HEAD", PATH, "A", "looking up content", (200,), DATA, public=True)
PUT_CONTENT: Final = Endpoint("putContent", "PUT", PATH, "B", "putting content", (200,), DATA, public=True)
ENDPOINTS: Final = {row.method: row for row in (GET_CONTENT, HEAD_CONTENT, PUT_CONTENT)}
_SIGNATURE: Final = "signature"
#: A signature of one kind is none of another: tokens are signed with the same key.
_KIND: Final = b"pre-signed URL\n"
_PLAIN: Final = re.compile(r"[A-Za-z0-9!#$&+.^_`|~-]+")
_encode: Final = msgspec.msgpack.Encoder().encode


class Settings(NamedTuple):
    """What a server says of its pre-signed URLs.

    Attributes:
        scheme: Of the server: "http" or "https".
        largest: Bytes of the largest content that may be put.
    """

    scheme: str
    largest: int


class Presign:
    """The pre-signed URLs of one server.

    Args:
        keys: Have the key that signs.
        settings: What the URLs say of the server.

    Attributes:
        handlers: Of the operations that give URLs, and of the URLs themselves.
    """

    def __init__(self, keys: Keys, settings: Settings) -> None:
        self._keys = keys
        self._settings = settings
        self.handlers: dict[str, Handler] = {
            endpoints.GET_CONFIG.operation: self._config,
            endpoints.GET_STORAGE_CONFIG.operation: self._storage,
            endpoints.STAT_OBJECT.operation: self._stat_object,
            endpoints.LIST_OBJECTS.operation: self._list_objects,
            endpoints.GET_OBJECT.operation: self._get_object,
            endpoints.GET_PHYSICAL_ADDRESS.operation: self._get_address,
            GET_CONTENT.operation: _get_content,
            HEAD_CONTENT.operation: _head_content,
            PUT_CONTENT.operation: _put_content,
        }

    def refusal(self, method: str, query: Query) -> Response | None:
        """The answer to a request that is not what was signed, or comes too late; None if it may go on."""
        others = {name: value for name, value in query.items() if name != _SIGNATURE}
        signed = self._keys.sign(_KIND + _words("GET" if method == "HEAD" else method, others))
        given = query.get(_SIGNATURE, "")
        if method not in ENDPOINTS or not self._keys.is_signature(given if isinstance(given, str) else "", signed):
            return refuse(403, "the signature of the URL is not valid for this request; ask for a new URL")
        if int(checks.text(query, "expires")) <= time.time():
            return refuse(403, "the URL has expired; ask for a new one")
        return None

    def _url(self, request: Request, method: str, **query: str) -> tuple[str, int]:
        """A URL on the host that the client of a request has reached us by, and when it ends."""
        expires = int(time.time()) + LIFE_SECONDS
        query["expires"] = str(expires)
        query[_SIGNATURE] = self._keys.sign(_KIND + _words(method, query))
        # Every reserved character is quoted: this is the form that clients which normalise URLs leave as it is.
        text = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
        return f"{self._settings.scheme}://{request.headers['host'].strip()}{PATH}?{text}", expires

    # ------------------------------------------------------------------------------------------------- who gives URLs

    def _sign(self, request: Request) -> Sign | None:
        """What signs for a request; None if it asks for no URLs."""
        return partial(self._of_entry, request) if checks.flag(request.query, "presign") else None

    def _of_entry(self, request: Request, path: str, entry: Entry) -> tuple[str, int]:
        """The URL of an object's content."""
        address, etag = entry.address, entry.etag
        query = {"size": str(entry.size), "mtime": str(entry.mtime), "name": path.rpartition("/")[2]}
        query["etag"] = etag.hex() if isinstance(etag, bytes) else etag
        if isinstance(address, bytes):
            query["sha256"] = address.hex()
        else:
            query["address"] = address
        if entry.stamp is not None:
            query["stamp"] = str(entry.stamp)
        if entry.content_type is not None:
            query["type"] = entry.content_type
        return self._url(request, "GET", **query)

    def _config(self, engine: Engine, request: Request, who: str) -> Response:
        config = engine.config()
        return ok(msgspec.structs.replace(config, storage_config=_supporting(config)))

    def _storage(self, engine: Engine, request: Request, who: str) -> Response:
        return ok(_supporting(engine.config()))

    def _stat_object(self, engine: Engine, request: Request, who: str) -> Response:
        return objects.stat_object(engine, request, who, self._sign(request))

    def _list_objects(self, engine: Engine, request: Request, who: str) -> Response:
        return objects.list_objects(engine, request, who, self._sign(request))

    def _get_object(self, engine: Engine, request: Request, who: str) -> Response:
        sign = self._sign(request)
        if sign is None:
            return downloads.get_object(engine, request, who)
        repository, ref = request.params
        found = engine.objects.stat(repository, ref, checks.path(request.query), sign)
        return Response(302, {"location": found.physical_address}, reason="Found")

    def _get_address(self, engine: Engine, request: Request, who: str) -> Response:
        if not checks.flag(request.query, "presign"):
            return staging.get_address(engine, request, who)
        repository, branch = request.params
        location = engine.addresses.address(repository, branch, checks.path(request.query))
        address = location.physical_address or ""
        url, expires = self._url(request, "PUT", address=address, limit=str(self._settings.largest))
        return ok(models.StagingLocation(address, url, expires))


def limit(query: Query) -> int:
    """Bytes that may be put, as it was signed."""
    return int(checks.text(query, "limit"))


def _words(method: str, query: Mapping[str, str | tuple[str, ...]]) -> bytes:
    """All of a request that is signed, in one order."""
    return _encode((method, sorted(query.items())))


def _supporting(config: models.Config) -> models.StorageConfig | None:
    storage = config.storage_config
    return None if storage is None else msgspec.structs.replace(storage, pre_sign_support=True)


# ------------------------------------------------------------------------------------------------ the URLs themselves


def _get_content(engine: Engine, request: Request, who: str) -> Response:
    """The content that a URL names."""
    query, headers = request.query, request.headers
    if "range" in headers:
        ranges.check(headers["range"])
    size, stamp = int(checks.text(query, "size")), checks.text(query, "stamp")
    digest = checks.text(query, "sha256")
    etag, kind = checks.text(query, "etag"), checks.text(query, "type") or OCTET_STREAM
    found = downloads.describe(models.ObjectStats("", "object", "", etag, int(checks.text(query, "mtime")), size, kind))
    found["accept-ranges"] = "bytes"
    found["content-disposition"] = _attachment(checks.text(query, "name"))
    if headers.get("if-match", "*") not in ("*", found["etag"]):
        return refuse(412, "the content has another ETag")
    address = bytes.fromhex(digest) if digest else checks.text(query, "address")
    place = Place(address, size, int(stamp) if stamp else None)
    return downloads.send(request, found, size, engine.objects.open(place))


def _head_content(engine: Engine, request: Request, who: str) -> Response:
    """What a GET would say."""
    found = _get_content(engine, request, who)
    if found.done is not None:
        found.done()
    if found.status in (200, 206):
        body = found.body
        found.headers = {**found.headers, "content-length": str(len(body) if isinstance(body, bytes) else body.length)}
    found.body, found.done = b"", None
    return found


def _put_content(engine: Engine, request: Request, who: str) -> Response:
    """Keeps what is put at an address; the answer is that of an S3 store."""
    md5 = engine.addresses.receive(checks.text(request.query, "address"), request.body)
    return Response(200, {"etag": f'"{md5}"'}, reason="OK")


def _attachment(name: str) -> str:
    """The header that gives a download its file name."""
    if _PLAIN.fullmatch(name):
        return f"attachment; filename={name}"
    return f"attachment; filename*=UTF-8''{quote(name, safe='')}" if name else "attachment"
