"""Imports: start, ask, cancel."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from lakefs_hl.local.api import checks
from lakefs_hl.local.api.answers import JSON, Handler, done, ok
from lakefs_hl.local.api.effects import Effect, effect
from lakefs_hl.local.engine import Engine
from lakefs_hl.spec import endpoints, models
from lakefs_hl.spec.errors import ForbiddenException
from lakefs_hl.spec.wire import Request, Response

_TYPES: Final = ("common_prefix", "object")
_LOCAL: Final = "local://"


def guard(engine: Engine, request: Request, root: str | None) -> None:
    """Keeps an import below the folder that the server was told.

    Raises:
        NotFoundException: There is no such branch.
        ForbiddenException: A source lies elsewhere, links followed.
    """
    if root == "/":
        return
    repository, branch = request.params
    engine.branches.get(repository, branch)
    for location in checks.body(models.ImportCreation, request).paths:
        if not location.path.startswith(_LOCAL):
            continue  # no store of ours: the import itself fails, and says so
        if root is None:
            raise ForbiddenException(
                "import from this machine's folders is off on this server; open the lake in process (local:PATH) "
                "to import"
            )
        if not Path(location.path.removeprefix(_LOCAL)).resolve().is_relative_to(Path(root).resolve()):
            raise ForbiddenException(f"import from {location.path!r}: not below this server's import root")


def starter(root: str | None) -> Effect[str]:
    """Makes the handler that starts imports.

    Args:
        root: The folder below which an import may read; None allows none.
    """
    return Effect(partial(_start, root), _started)


def _started(name: str) -> Response:
    return Response(202, JSON, models.encode(models.ImportStarted(name)), reason="Accepted")


def _start(root: str | None, engine: Engine, request: Request, who: str) -> str:
    guard(engine, request, root)
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
    endpoints.IMPORT_START.operation: starter(None),  # the API puts one in its place that knows its own root
    endpoints.IMPORT_STATUS.operation: status,
    endpoints.IMPORT_CANCEL.operation: cancel,
}
