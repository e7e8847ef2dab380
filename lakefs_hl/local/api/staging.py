"""Addresses to put bytes at before they are linked; who may put bytes there is in `presign.py`."""

from __future__ import annotations

from typing import Final

from lakefs_hl.local.api import checks
from lakefs_hl.local.api.answers import JSON, Handler, ok
from lakefs_hl.local.api.effects import effect
from lakefs_hl.local.engine import Engine
from lakefs_hl.spec import endpoints, models
from lakefs_hl.spec.errors import (
    BadRequestException,
    ObjectExistsException,
    PreconditionFailedException,
    UnsupportedOperationException,
)
from lakefs_hl.spec.refusals import refusal
from lakefs_hl.spec.wire import Request, Response


def get_address(engine: Engine, request: Request, who: str) -> Response:
    """Makes a signed address; without pre-signed URLs."""
    repository, branch = request.params
    query = request.query
    path = checks.path(query)
    try:
        checks.no_presign(request)
    except BadRequestException as exc:
        raise refusal(500, str(exc)) from None  # lakeFS answers 500 here, clients know it
    location = engine.addresses.address(repository, branch, path)
    answer = {"physical_address": location.physical_address, "presigned_url": location.presigned_url}
    return Response(200, JSON, models.encode(answer), reason="OK")


@effect(ok)
def link_address(engine: Engine, request: Request, who: str) -> models.ObjectStats:
    """Links bytes that were put elsewhere."""
    repository, branch = request.params
    path = checks.path(request.query)
    create_only = checks.create_only(request)
    link = checks.body(models.StagingLink, request)
    try:
        return engine.addresses.link(repository, branch, path, link, create_only=create_only)
    except ObjectExistsException:
        raise PreconditionFailedException("Precondition failed") from None


def multipart(engine: Engine, request: Request, who: str) -> Response:
    """A lake that signs no URLs has no multipart uploads; `multipart.py` has those of one that does."""
    checks.path(request.query)
    checks.integer(request.query, "parts", 0, 0, 10_000)
    raise UnsupportedOperationException("presign multipart upload API is not supported")


HANDLERS: Final[dict[str, Handler]] = {
    endpoints.GET_PHYSICAL_ADDRESS.operation: get_address,
    endpoints.LINK_PHYSICAL_ADDRESS.operation: link_address,
    endpoints.CREATE_PRESIGN_MULTIPART_UPLOAD.operation: multipart,
    endpoints.COMPLETE_PRESIGN_MULTIPART_UPLOAD.operation: multipart,
    endpoints.ABORT_PRESIGN_MULTIPART_UPLOAD.operation: multipart,
    endpoints.UPLOAD_PART.operation: multipart,
    endpoints.UPLOAD_PART_COPY.operation: multipart,
}
