"""Multipart uploads of a lake with pre-signed URLs: each part is put to a URL of its own, without credentials.

A store of S3 has them, and a lake that signs no URLs has none, as lakeFS on a local store: see `staging.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from lakefs_hl.local.api import checks
from lakefs_hl.local.api.answers import Handler, created, done, ok
from lakefs_hl.local.api.effects import effect
from lakefs_hl.local.engine import Engine
from lakefs_hl.spec import endpoints, models
from lakefs_hl.spec.errors import BadRequestException, NotFoundException
from lakefs_hl.spec.multipart import MOST_PARTS
from lakefs_hl.spec.wire import Request, Response

#: Names of the upload and of the part in the query of a URL.
UPLOAD: Final = "upload"
PART: Final = "part"
_XML: Final = {"content-type": "application/xml"}
_MISSING: Final = b"<Error><Code>NoSuchUpload</Code><Message>The specified upload does not exist.</Message></Error>"
#: Gives the URL that the caller of a request may put content to which such a query is about.
Sign: TypeAlias = Callable[[Request, dict[str, str]], str]


class Multipart:
    """The operations of multipart uploads.

    Args:
        sign: Makes URLs.

    Attributes:
        handlers: Of the operations.
    """

    def __init__(self, sign: Sign) -> None:
        self._sign = sign
        self.handlers: dict[str, Handler] = {
            endpoints.CREATE_PRESIGN_MULTIPART_UPLOAD.operation: self._begin,
            endpoints.UPLOAD_PART.operation: self._sign_part,
            endpoints.COMPLETE_PRESIGN_MULTIPART_UPLOAD.operation: _complete,
            endpoints.ABORT_PRESIGN_MULTIPART_UPLOAD.operation: _abort,
        }

    def _url(self, request: Request, upload: str, number: int) -> str:
        return self._sign(request, {UPLOAD: upload, PART: str(number)})

    def _begin(self, engine: Engine, request: Request, who: str) -> Response:
        """Begins an upload, and signs its first parts if that is asked for."""
        repository, branch = request.params
        path = checks.path(request.query)
        count = checks.integer(request.query, "parts", 0, -1, 999_999_999)
        if not 0 <= count <= MOST_PARTS:
            raise BadRequestException(f"parts can be between 0 and {MOST_PARTS}")
        made = engine.multipart.begin(repository, branch, path)
        urls = [self._url(request, made.upload_id, number + 1) for number in range(count)]
        return created(models.MultipartUpload(made.upload_id, made.physical_address, urls or None))

    def _sign_part(self, engine: Engine, request: Request, who: str) -> Response:
        """Signs a part. As on S3, whether the upload is under way is found out when the part is put."""
        _, _, upload, number = request.params
        checks.path(request.query)
        checks.body(models.MultipartAddress, request)
        if not (number.isascii() and number.isdecimal() and len(number) < 6 and 0 < int(number) <= MOST_PARTS):
            raise checks.parameter("partNumber", f"value {number[:40]}: not a number from 1 to {MOST_PARTS}")
        return ok(models.PartURL(self._url(request, upload, int(number))))


@effect(ok)
def _complete(engine: Engine, request: Request, who: str) -> models.ObjectStats:
    """Makes an object of its parts."""
    repository, branch, upload = request.params
    wanted = checks.body(models.MultipartCompletion, request)
    return engine.multipart.complete(repository, branch, checks.path(request.query), upload, wanted)


@effect(done)
def _abort(engine: Engine, request: Request, who: str) -> None:
    """Ends an upload."""
    repository, _, upload = request.params
    checks.path(request.query)
    engine.multipart.abort(repository, upload, checks.body(models.MultipartAddress, request).physical_address)


def put(engine: Engine, request: Request) -> Response:
    """Keeps a part that is put to its URL; the answer is that of an S3 store."""
    try:
        number = int(checks.text(request.query, PART))
        md5 = engine.multipart.put(checks.text(request.query, UPLOAD), number, request.body)
    except NotFoundException:
        return Response(404, _XML, _MISSING, reason="Not Found")
    return Response(200, {"etag": f'"{md5}"'}, reason="OK")
