"""Objects: stat, list, upload, delete, copy, their metadata."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from lakefs_hl.local.api import checks, forms
from lakefs_hl.local.api.answers import JSON, Handler, created, done, ok
from lakefs_hl.local.api.effects import effect
from lakefs_hl.local.engine import Engine
from lakefs_hl.local.engine.objects import BlobRef, Sign
from lakefs_hl.spec import endpoints, models
from lakefs_hl.spec.errors import (
    BadRequestException,
    NotFoundException,
    ObjectExistsException,
    UnsupportedOperationException,
)
from lakefs_hl.spec.headers import INTERNAL_KEY, INTERNAL_METADATA, OCTET_STREAM, USER_METADATA
from lakefs_hl.spec.limits import MAX_DELETE
from lakefs_hl.spec.models import ObjectStats
from lakefs_hl.spec.wire import FileSlice, Request, Response


def stat_object(engine: Engine, request: Request, who: str, sign: Sign | None = None) -> Response:
    """What the lake knows of an object; `sign` makes the pre-signed URL, if one is asked for and there are any."""
    repository, ref = request.params
    query = request.query
    if len(query) > 1:
        if sign is None:
            checks.no_presign(request)
        stats = engine.objects.stat(repository, ref, checks.path(query), sign)
        if not checks.flag(query, "user_metadata", True):
            stats = msgspec.structs.replace(stats, metadata={})
    else:
        stats = engine.objects.stat(repository, ref, checks.path(query))
    return Response(200, JSON, models.encode(stats), reason="OK")


def list_objects(engine: Engine, request: Request, who: str, sign: Sign | None = None) -> Response:
    """One page of objects; `sign` as for `stat_object`."""
    repository, ref = request.params
    query = request.query
    page = engine.objects.list(
        repository,
        ref,
        prefix=checks.prefix(query),
        after=checks.text(query, "after"),
        delimiter=checks.text(query, "delimiter"),
        amount=checks.amount(query),
        sign=sign,
    )
    if sign is None and "presign" in query and any(entry.path_type == "object" for entry in page.results):
        checks.no_presign(request)
    if "user_metadata" in query and not checks.flag(query, "user_metadata", True):
        bare = [msgspec.structs.replace(entry, metadata=None) for entry in page.results]
        page = models.ObjectPage(page.pagination, bare)
    return Response(200, JSON, models.encode(page), reason="OK")


def uploaded(stats: models.ObjectStats) -> Response:
    """With the MD5 of the body, which has been computed where it was stored: a transport in process need not."""
    response = created(stats)
    response.md5 = stats.checksum
    return response


class Upload(msgspec.Struct, frozen=True, gc=False):
    """An upload as it was asked for.

    Attributes:
        path: Where to.
        body: The content, or the part of a form that is it.
        content_type: Its type.
        metadata: User metadata.
        create_only: Whether an object that is there is an error.
        force: Whether a read-only repository takes it.
        is_form: Whether it came as a form.
    """

    path: str
    body: bytes | FileSlice
    content_type: str
    metadata: dict[str, str]
    create_only: bool
    force: bool
    is_form: bool


def read_upload(request: Request) -> Upload:
    """Reads what an upload asks for."""
    query, headers = request.query, request.headers
    path = checks.path(query)
    kind = headers.get("content-type")
    if kind and len(headers) == len(query) == 1 and not forms.is_form(kind):  # as nearly all are
        return Upload(path, request.body, kind, {}, False, False, False)
    create_only = checks.create_only(request)
    content_type = kind or OCTET_STREAM
    metadata: dict[str, str] = {}
    for name, value in headers.items():
        if name.startswith(USER_METADATA):
            metadata[name[len(USER_METADATA) :]] = value
        elif name.startswith(INTERNAL_METADATA):
            metadata[INTERNAL_KEY + name[len(INTERNAL_METADATA) :]] = value
    body = request.body
    is_form = forms.is_form(content_type)
    if is_form:
        body, content_type = forms.content(body, content_type)
    force = len(query) > 1 and checks.flag(query, "force")
    return Upload(path, body, content_type or OCTET_STREAM, metadata, create_only, force, is_form)


@effect(uploaded)
def upload_object(engine: Engine, request: Request, who: str) -> models.ObjectStats | Response:
    """Puts an object: the body itself, or the part `content` of a form."""
    return put(engine, request.params, read_upload(request))


def put(engine: Engine, where: Sequence[str], upload: Upload, kept: BlobRef | None = None) -> ObjectStats | Response:
    """Puts what an upload asks for, whose content may be kept already."""
    repository, branch = where
    try:
        stats = engine.objects.put(
            repository,
            branch,
            upload.path,
            kept or upload.body,
            content_type=upload.content_type,
            metadata=upload.metadata,
            create_only=upload.create_only,
            force=upload.force,
        )
    except ObjectExistsException:
        raise ObjectExistsException("path already exists") from None
    return created(stats) if upload.is_form else stats  # of a form, the MD5 is not that of the body


def upload_preflight(engine: Engine, request: Request, who: str) -> Response:
    """Says whether an upload would be let in."""
    repository, branch = request.params
    engine.objects.may_write(repository, branch, checks.path(request.query))
    return done()


def _staged(stats: models.ObjectStats) -> Response:
    return created(msgspec.structs.replace(stats, metadata=None))


@effect(_staged)
def stage_object(engine: Engine, request: Request, who: str) -> models.ObjectStats:
    """Registers an object by its address."""
    repository, branch = request.params
    path = checks.path(request.query)
    return engine.objects.stage(repository, branch, path, checks.body(models.ObjectStage, request))


@effect(done)
def delete_object(engine: Engine, request: Request, who: str) -> None:
    """Removes an object; one that is not there is no error."""
    repository, branch = request.params
    query = request.query
    engine.objects.delete(repository, branch, checks.path(query), checks.flag(query, "force"))


def _refusals(errors: list[models.ObjectError]) -> Response:
    return ok(models.ObjectErrors(errors))


@effect(_refusals)
def delete_objects(engine: Engine, request: Request, who: str) -> list[models.ObjectError]:
    """Removes up to 1,000 objects; the refused ones are in the answer."""
    repository, branch = request.params
    paths = checks.body(models.PathList, request).paths
    if len(paths) > MAX_DELETE:
        raise BadRequestException(f"request size exceeded, max paths is set to {MAX_DELETE}")
    try:
        return engine.objects.delete_many(repository, branch, paths, checks.flag(request.query, "force"))
    except NotFoundException:
        engine.repositories.get(repository)
        return []  # lakeFS says nothing of a branch that is not there: recorded


@effect(created)
def copy_object(engine: Engine, request: Request, who: str) -> models.ObjectStats:
    """Copies an object within its repository."""
    repository, branch = request.params
    path = checks.path(request.query, "dest_path")
    source = checks.body(models.ObjectCopy, request)
    if source.shallow:
        raise UnsupportedOperationException("Not Implemented")
    return engine.objects.copy(repository, branch, path, source)


@effect(done)
def set_user_metadata(engine: Engine, request: Request, who: str) -> None:
    """Replaces an object's user metadata."""
    repository, branch = request.params
    path = checks.path(request.query)
    engine.objects.set_metadata(repository, branch, path, checks.body(models.UserMetadata, request).set)


def underlying_properties(engine: Engine, request: Request, who: str) -> Response:
    """The store has no storage classes, and says so with a null as lakeFS does."""
    repository, ref = request.params
    engine.objects.stat(repository, ref, checks.path(request.query))
    return Response(200, JSON, b'{"storage_class":null}', reason="OK")


HANDLERS: Final[dict[str, Handler]] = {
    endpoints.STAT_OBJECT.operation: stat_object,
    endpoints.LIST_OBJECTS.operation: list_objects,
    endpoints.UPLOAD_OBJECT.operation: upload_object,
    endpoints.UPLOAD_OBJECT_PREFLIGHT.operation: upload_preflight,
    endpoints.STAGE_OBJECT.operation: stage_object,
    endpoints.DELETE_OBJECT.operation: delete_object,
    endpoints.DELETE_OBJECTS.operation: delete_objects,
    endpoints.COPY_OBJECT.operation: copy_object,
    endpoints.UPDATE_OBJECT_USER_METADATA.operation: set_user_metadata,
    endpoints.GET_UNDERLYING_PROPERTIES.operation: underlying_properties,
}
