"""Action runs: the embedded lake runs none, so the lists are empty; and the objects that hold lakeFS's own metadata."""

from __future__ import annotations

from typing import Final

from lakefs_hl.local.api import checks
from lakefs_hl.local.api.answers import JSON, Handler, empty_page, refuse
from lakefs_hl.local.engine import Engine
from lakefs_hl.spec import administration, endpoints, models
from lakefs_hl.spec.errors import BadRequestException, NotFoundException
from lakefs_hl.spec.wire import Request, Response

#: Kinds of lakeFS's own metadata.
_KINDS: Final = ("range", "meta_range")


def list_runs(engine: Engine, request: Request, who: str) -> Response:
    """Lists no runs."""
    checks.amount(request.query)
    if "branch" in request.query and "commit" in request.query:
        raise BadRequestException("parameters conflict")
    engine.repositories.get(request.params[0])
    return empty_page()


def get_run(engine: Engine, request: Request, who: str) -> Response:
    """There is no run."""
    engine.repositories.get(request.params[0])
    raise NotFoundException("not found: not found")


def list_hooks(engine: Engine, request: Request, who: str) -> Response:
    """Lists no hooks."""
    checks.amount(request.query)
    engine.repositories.get(request.params[0])
    return empty_page()


def metadata_object(engine: Engine, request: Request, who: str) -> Response:
    """The lake keeps no range files: they are gone, in lakeFS's words."""
    repository, kind, _ = request.params
    if kind not in _KINDS:
        reason = f"value {kind[:80]!r} is not one of the allowed values {list(_KINDS)}"
        raise BadRequestException(f'parameter "type" in path has an error: {reason}')
    engine.repositories.get(repository)
    return refuse(410, "No data")


def metadata_location(engine: Engine, request: Request, who: str) -> Response:
    """Names where lakeFS would keep a range; whether it exists is not checked, as lakeFS does not."""
    repository, name = request.params
    engine.repositories.get(repository)
    location = f"_lakefs/{name}"
    return Response(200, {**JSON, "location": location}, models.encode({"location": location}), reason="OK")


HANDLERS: Final[dict[str, Handler]] = {
    endpoints.LIST_REPOSITORY_RUNS.operation: list_runs,
    endpoints.GET_RUN.operation: get_run,
    endpoints.LIST_RUN_HOOKS.operation: list_hooks,
    endpoints.GET_RUN_HOOK_OUTPUT.operation: get_run,
    administration.GET_METADATA_OBJECT.operation: metadata_object,
    administration.GET_META_RANGE.operation: metadata_location,
    administration.GET_RANGE.operation: metadata_location,
}
