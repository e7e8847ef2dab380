"""Servers that differ from the embedded lake: one that proposes no namespace, and one on an S3 store.

Each is a transport function (`Client(transport=…)`) around a lake in memory. They exist so that what a client does on
such servers is tested in every run, without one.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

import msgspec

import lakefs_hl
from lakefs_hl.spec import endpoints, models
from lakefs_hl.spec.headers import USER_METADATA
from lakefs_hl.spec.wire import Request, Response

JSON: Final = {"content-type": "application/json"}
#: Below this prefix lies in the lake what clients know as `s3://`.
_INNER, _OUTER = b'"local://s3/', b'"s3://'
_RANGE: Final = re.compile(r"bytes=(\d+)-(\d*)")
_CONFIG: Final = {endpoints.GET_CONFIG.operation, endpoints.GET_STORAGE_CONFIG.operation}


class NoNamespaceServer:
    """A server on a local store without `default_namespace_prefix`."""

    #: What differs in the server's storage configuration.
    config: dict[str, Any] = {"default_namespace_prefix": None}  # noqa: RUF012 - never changed

    def __init__(self) -> None:
        self._client = lakefs_hl.Client("mem://")

    def __call__(self, request: Request) -> Response:
        """Answer a request."""
        response = self.ask(request)
        if request.endpoint.operation not in _CONFIG:
            return response
        found = msgspec.json.decode(self._content(response))
        for storage in (found, found.get("storage_config"), *(found.get("storage_config_list") or ())):
            if storage is not None and "blockstore_type" in storage:
                storage.update(self.config)
        return msgspec.structs.replace(response, body=msgspec.json.encode(found))

    def ask(self, request: Request) -> Response:
        """Pass a request to the lake."""
        return self._client._transport.send(msgspec.structs.replace(request, sink=None, digest=False))

    @staticmethod
    def _content(response: Response) -> bytes:
        assert isinstance(response.body, bytes)
        return response.body

    def close(self) -> None:
        """Close the lake."""
        self._client.close()


class S3Server(NoNamespaceServer):
    """A server on an S3 store that signs URLs: clients read from the store and write to it themselves.

    `stored` has the store's objects by address. `signed_requests` counts what reached the store.
    """

    config = {  # noqa: RUF012 - never changed
        "blockstore_type": "s3",
        "blockstore_namespace_example": "s3://example-bucket/",
        "blockstore_namespace_ValidityRegex": "^s3://",
        "default_namespace_prefix": "",
        "import_validity_regex": "^s3://",
        "pre_sign_support": True,
        "pre_sign_multipart_upload": True,
    }

    def __init__(self) -> None:
        super().__init__()
        self.stored: dict[str, bytes] = {}
        self.signed_requests = 0

    def __call__(self, request: Request) -> Response:
        """Answer a request to the server or to its store."""
        if request.url is not None:
            assert request.authorization is None
            self.signed_requests += 1
            return self._store(request, unquote(urlsplit(request.url).path.removeprefix("/")))
        body = request.body
        assert isinstance(body, bytes)
        if request.headers.get("content-type", "").startswith("application/json"):
            request = msgspec.structs.replace(request, body=body.replace(_OUTER, _INNER))
        answer = {
            endpoints.GET_PHYSICAL_ADDRESS.operation: self._address,
            endpoints.LINK_PHYSICAL_ADDRESS.operation: self._link,
            endpoints.STAT_OBJECT.operation: self._stat,
        }.get(request.endpoint.operation, super().__call__)
        response = answer(request)
        if response.headers.get("content-type", "").startswith("application/json"):
            response.body = self._content(response).replace(_INNER, _OUTER)
        return response

    # -- the server ----------------------------------------------------------------------------------------------------

    def _address(self, request: Request) -> Response:
        response, presign = self._unsigned(request)
        if response.status != 200 or not presign:
            return response
        place = msgspec.json.decode(self._content(response))
        place["presigned_url"] = _sign(place["physical_address"])
        return msgspec.structs.replace(response, body=msgspec.json.encode(place))

    def _link(self, request: Request) -> Response:
        """Make an object of what was put at an address, as an upload of the same bytes to the lake."""
        link = msgspec.json.decode(request.body if isinstance(request.body, bytes) else b"", type=models.StagingLink)
        address = link.staging.physical_address or ""
        if address not in self.stored:
            return Response(400, JSON, b'{"message":"address is not signed"}')
        plain = {key: value for key, value in (link.user_metadata or {}).items() if value.isascii() and key.isascii()}
        headers = {f"{USER_METADATA}{key}": value for key, value in plain.items()}
        headers["content-type"] = link.content_type or "application/octet-stream"
        if "if-none-match" in request.headers:
            headers["if-none-match"] = request.headers["if-none-match"]
        target = (request.params, {"path": str(request.query["path"])})
        response = self.ask(Request(endpoints.UPLOAD_OBJECT, *target, headers, self.stored[address]))
        if response.status != 201:
            return response
        if link.user_metadata and plain != link.user_metadata:
            wanted = msgspec.json.encode({"set": link.user_metadata})
            self.ask(Request(endpoints.UPDATE_OBJECT_USER_METADATA, *target, JSON, wanted))
            response = self.ask(Request(endpoints.STAT_OBJECT, *target))
        return msgspec.structs.replace(response, status=200, reason="OK")

    def _stat(self, request: Request) -> Response:
        response, presign = self._unsigned(request)
        if response.status != 200 or not presign:
            return response
        record = msgspec.json.decode(self._content(response))
        address = record["physical_address"]
        if address not in self.stored:
            content = self.ask(Request(endpoints.GET_OBJECT, request.params, {"path": request.query["path"]}))
            self.stored[address] = self._content(content)
        record["physical_address"] = _sign(address)
        record["physical_address_expiry"] = int(time.time()) + 900
        return msgspec.structs.replace(response, body=msgspec.json.encode(record))

    def _unsigned(self, request: Request) -> tuple[Response, bool]:
        """Ask the lake, which signs nothing; return its response, and whether a URL was asked for."""
        query = {name: value for name, value in request.query.items() if name != "presign"}
        return self.ask(msgspec.structs.replace(request, query=query)), request.query.get("presign") == "true"

    # -- the store -----------------------------------------------------------------------------------------------------

    def _store(self, request: Request, address: str) -> Response:
        if request.endpoint is endpoints.PRESIGNED_PUT:
            assert isinstance(request.body, bytes)
            self.stored[address] = request.body
            return Response(200, {"etag": _etag(request.body)})
        content = self.stored[address]
        headers = {"etag": _etag(content), "content-type": "application/octet-stream", "accept-ranges": "bytes"}
        if request.headers.get("if-match", _etag(content)) != _etag(content):
            return Response(412, {"content-type": "application/xml"}, b"<Error><Code>PreconditionFailed</Code></Error>")
        wanted = _RANGE.fullmatch(request.headers.get("range", ""))
        if wanted is None:
            return Response(200, {**headers, "content-length": str(len(content))}, content)
        start, end = int(wanted[1]), min(int(wanted[2] or len(content)), len(content) - 1)
        if start >= len(content):
            where = {"content-type": "application/xml", "content-range": f"bytes */{len(content)}"}
            return Response(416, where, b"<Error><Code>InvalidRange</Code></Error>")
        where = {"content-range": f"bytes {start}-{end}/{len(content)}", "content-length": str(end + 1 - start)}
        return Response(206, {**headers, **where}, content[start : end + 1])


def _sign(address: str) -> str:
    return f"https://store.invalid/{quote(address, safe='')}?X-Amz-Signature={secrets.token_hex(8)}"


def _etag(content: bytes) -> str:
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'
