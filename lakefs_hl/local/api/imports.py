"""Imports: start, ask, cancel."""

from __future__ import annotations

from functools import partial
from typing import Final

from lakefs_hl.local.api import checks
from lakefs_hl.local.api.answers import JSON, Handler, done, ok
from lakefs_hl.local.api.effects import Effect, effect
from lakefs_hl.local.engine import Engine
from lakefs_hl.local.engine.places import Roots, file_of, is_below, resolved
from lakefs_hl.spec import endpoints, models
from lakefs_hl.spec.errors import ForbiddenException
from lakefs_hl.spec.wire import Request, Response

_TYPES: Final = ("common_prefix", "object")


def guard(engine: Engine, request: Request, roots: Roots) -> None:
    """Keeps an import below the directories that the server was given.

    Raises:
        NotFoundException: There is no such branch.
        ForbiddenException: A source lies elsewhere, links followed.
    """
    if roots is None:
        return
    repository, branch = request.params
    engine.branches.get(repository, branch)
    for location in checks.body(models.ImportCreation, request).paths:
        try:
            path = file_of(location.path)
        except ValueError:
            continue  # no file of ours: the import itself fails, and says why
        if not roots:
            raise ForbiddenException(
                "this server imports no files: start it with --import-root DIRECTORY to allow imports from below that "
                "directory, or open the lake in process (local:PATH)"
            )
        if not is_below(path, roots):
            raise ForbiddenException(f"import from {location.path!r}: not below an import root of this server")


def starter(roots: Roots) -> Effect[str]:
    """Makes the handler that starts imports.

    Args:
        roots: Directories below which an import may read; None for any.
    """
    return Effect(partial(_start, None if roots is None else resolved(roots)), _started)


def _started(name: str) -> Response:
    return Response(202, JSON, models.encode(models.ImportStarted(name)), reason="Accepted")


def _start(roots: Roots, engine: Engine, request: Request, who: str) -> str:
    guard(engine, request, roots)
    repository, branch = request.params
    creation = checks.body(models.ImportCreation, request)
    for location in creation.paths:
        checks.one_of(location.type, _TYPES, "paths/type")
    return engine.imports.start(repository, branch, creation, who=who)


def status(engine: Engine, request: Request, who: str) -> Response:
    """How far an import is."""
    return ok(engine.imports.status(request.params[0], checks.required(request.query, "id")))


@effect(done)
def cancel(engine: Engine, request: Request, who: str) -> None:
    """Ends an import."""
    engine.imports.cancel(request.params[0], checks.required(request.query, "id"))


HANDLERS: Final[dict[str, Handler]] = {
    endpoints.IMPORT_START.operation: starter(()),  # the API puts one in its place that knows its own roots
    endpoints.IMPORT_STATUS.operation: status,
    endpoints.IMPORT_CANCEL.operation: cancel,
}
