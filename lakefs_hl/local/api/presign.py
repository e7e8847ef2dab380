"""Pre-signed URLs: content that whoever holds the URL may read, or put, without credentials.

A URL names content and not an object: what the object becomes later changes nothing, as on an object store. Links to
objects are in `links.py`, and how both are signed in `urls.py`.
"""

from __future__ import annotations

from functools import partial
from typing import Final, TypeAlias

import msgspec

from lakefs_hl.local.api import checks, downloads, links, multipart, objects, principals, ranges, staging, urls
from lakefs_hl.local.api.answers import Handler, ok, refusal, refuse
from lakefs_hl.local.api.urls import Settings as Settings
from lakefs_hl.local.api.urls import Urls
from lakefs_hl.local.engine import Engine
from lakefs_hl.local.engine.objects import Place, Sign
from lakefs_hl.local.engine.records import Entry
from lakefs_hl.local.keys import Key, Keys
from lakefs_hl.spec import endpoints, models
from lakefs_hl.spec.errors import ForbiddenException
from lakefs_hl.spec.headers import OCTET_STREAM
from lakefs_hl.spec.rows import DATA
from lakefs_hl.spec.wire import Endpoint, Query, Request, Response

#: Path of every pre-signed URL.
PATH: Final = "/_content"
GET_CONTENT: Final = Endpoint("getContent", "GET", PATH, "A", "reading content", (200, 206), DATA, public=True)
HEAD_CONTENT: Final = Endpoint("headContent", "HEAD", PATH, "A", "looking up content", (200,), DATA, public=True)
PUT_CONTENT: Final = Endpoint("putContent", "PUT", PATH, "B", "putting content", (200,), DATA, public=True)
ENDPOINTS: Final = {row.method: row for row in (GET_CONTENT, HEAD_CONTENT, PUT_CONTENT)}
#: Path of a signed URL -> its operations by method.
ROWS: Final = {PATH: ENDPOINTS, links.PATH: links.ENDPOINTS}
#: Operations whose body is an object, of up to as many bytes as were signed.
UPLOADS: Final = frozenset({PUT_CONTENT.operation, links.PUT_LINKED.operation})
#: Operations that read an object.
READS: Final = (GET_CONTENT, HEAD_CONTENT, links.GET_LINKED, links.HEAD_LINKED)
#: An operation, its path parameters, and the key that the URL was made with; none of a lake in process.
Admitted: TypeAlias = "tuple[Endpoint, tuple[str, ...], Key | None]"


class Presign:
    """The pre-signed URLs of one server.

    Args:
        keys: Have the key that signs.
        settings: What the URLs say of the server.

    Attributes:
        handlers: Of the operations that give URLs, and of the URLs themselves.
    """

    def __init__(self, keys: Keys, settings: Settings) -> None:
        self._urls = Urls(keys, settings)
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
            **links.Links(self._urls).handlers,
            **multipart.Multipart(self._part_url).handlers,
        }

    def admit(self, path: str, method: str, query: Query) -> Admitted | Response:
        """The operation of a request to a signed URL, or the answer if it may not go on.

        Args:
            path: Path of the URL, one of `ROWS`.
            method: HTTP method.
            query: The query, of which nothing is proved yet.
        """
        row = ROWS[path].get(method)
        if row is None:
            return refuse(403, "the signature of the URL is not valid for this method; ask for a new URL")
        refused = self._urls.refusal(path, method, query)
        if refused is not None:
            return refused
        params = _place(query) if path == links.PATH else ()
        key = self._urls.key(query)
        if key is not None:
            try:  # the key may do less than when the URL was made
                principals.permit(key, *rights(row, params, query))
            except ForbiddenException as exc:
                return refusal(exc, head=method == "HEAD")
        return row, params, key

    def _url(self, request: Request, method: str, query: dict[str, str], life: int | None = None) -> tuple[str, int]:
        return self._urls.make(request, PATH, method, {"repository": request.params[0], **query}, life)

    def _part_url(self, request: Request, query: dict[str, str]) -> str:
        return self._url(request, "PUT", {**self._urls.holder(request), "limit": str(self._urls.largest), **query})[0]

    # ------------------------------------------------------------------------------------------------- who gives URLs

    def _sign(self, request: Request) -> Sign | None:
        """What signs for a request; None if it asks for no URLs."""
        if not checks.flag(request.query, "presign"):
            return None
        return partial(self._of_entry, request, self._urls.holder(request))

    def _of_entry(self, request: Request, holder: dict[str, str], path: str, entry: Entry) -> tuple[str, int]:
        """The URL of an object's content."""
        address, etag = entry.address, entry.etag
        name = path.rpartition("/")[2]
        query = {**holder, "size": str(entry.size), "mtime": str(entry.mtime), "name": name}
        query["etag"] = etag.hex() if isinstance(etag, bytes) else etag
        if isinstance(address, bytes):
            query["sha256"] = address.hex()
        else:
            query["address"] = address
        if entry.stamp is not None:
            query["stamp"] = str(entry.stamp)
        if entry.content_type is not None:
            query["type"] = entry.content_type
        return self._url(request, "GET", query)

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
        life = urls.life(request.query)
        query = {**self._urls.holder(request), "address": address, "limit": str(self._urls.largest)}
        url, expires = self._url(request, "PUT", query, life)
        return ok(models.StagingLocation(address, url, expires))


def rights(endpoint: Endpoint, params: tuple[str, ...], query: Query) -> tuple[Endpoint, tuple[str, ...]]:
    """The operation, and its path parameters, that a key must be allowed to, so that it may do another.

    They are the same but for a signed URL, which stands for an operation that is done with its key.
    """
    if any(endpoint is row for rows in ROWS.values() for row in rows.values()):
        return links.RIGHTS[endpoint.method], _place(query)
    return endpoint, params


def _place(query: Query) -> tuple[str, str]:
    return checks.text(query, "repository"), checks.text(query, "ref")


def limit(query: Query) -> int:
    """Bytes that may be put, as it was signed."""
    return int(checks.text(query, "limit"))


def _supporting(config: models.Config) -> models.StorageConfig | None:
    storage = config.storage_config
    if storage is None:
        return None
    return msgspec.structs.replace(storage, pre_sign_support=True, pre_sign_multipart_upload=True)


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
    found["content-disposition"] = links.attachment(checks.text(query, "name"))
    found |= links.PRIVATE
    if headers.get("if-match", "*") not in ("*", found["etag"]):
        return refuse(412, "the content has another ETag")
    address = bytes.fromhex(digest) if digest else checks.text(query, "address")
    place = Place(address, size, int(stamp) if stamp else None)
    return downloads.send(request, found, size, engine.objects.open(place))


def _head_content(engine: Engine, request: Request, who: str) -> Response:
    """What a GET would say."""
    return links.without_body(_get_content(engine, request, who))


def _put_content(engine: Engine, request: Request, who: str) -> Response:
    """Keeps what is put at an address; the answer is that of an S3 store."""
    if multipart.UPLOAD in request.query:
        return multipart.put(engine, request)
    md5 = engine.addresses.receive(checks.text(request.query, "address"), request.body)
    return Response(200, {"etag": f'"{md5}"'}, reason="OK")
