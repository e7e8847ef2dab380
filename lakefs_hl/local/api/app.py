"""The API as a function: finds the handler by the operation's name, turns errors into answers.

What is no answer of lakeFS's (a locked or broken lake, a bug) is raised: in process it reaches the caller as itself,
over HTTP the server turns it into a status.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Final

from lakefs_hl.local.api import (
    actions,
    branches,
    commits,
    downloads,
    imports,
    objects,
    presign,
    pulls,
    refs,
    repositories,
    service,
    settings,
    staging,
    tags,
)
from lakefs_hl.local.api.answers import Handler, refusal, refuse
from lakefs_hl.local.engine import Engine
from lakefs_hl.local.keys import Keys
from lakefs_hl.spec.endpoints import GET_CURRENT_USER, IMPORT_START, LOGIN
from lakefs_hl.spec.errors import BadRequestException, ServerException
from lakefs_hl.spec.wire import Request, Response

HANDLERS: Final[dict[str, Handler]] = {
    **actions.HANDLERS,
    **branches.HANDLERS,
    **commits.HANDLERS,
    **downloads.HANDLERS,
    **imports.HANDLERS,
    **objects.HANDLERS,
    **pulls.HANDLERS,
    **refs.HANDLERS,
    **repositories.HANDLERS,
    **service.HANDLERS,
    **settings.HANDLERS,
    **staging.HANDLERS,
    **tags.HANDLERS,
}


class App:
    """An engine behind the API.

    Args:
        engine: The lake.
        import_roots: Directories below which an import may read, none of them for no imports. None, in process, is the
            whole file system: the caller is its own user.
        keys: The keys of those who ask over HTTP; those of the lake if it is not given.
        signing: Has pre-signed URLs made. None, in process and by default, makes none: as lakeFS on a local store.

    Attributes:
        engine, import_roots, keys: The same.
        presign: The pre-signed URLs, if there are any.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        import_roots: tuple[Path, ...] | None = None,
        keys: Keys | None = None,
        signing: presign.Settings | None = None,
    ) -> None:
        self.engine = engine
        self.import_roots = import_roots
        self.keys: Keys = keys or Keys(engine.folder)
        self.presign: presign.Presign | None = None if signing is None else presign.Presign(self.keys, signing)
        self._handlers: dict[str, Handler] = {
            **HANDLERS,
            **(self.presign.handlers if self.presign is not None else {}),
            IMPORT_START.operation: imports.starter(import_roots),
            LOGIN.operation: partial(service.login, self.keys),
        }

    def __call__(self, request: Request, principal: str | None) -> Response:
        """Answers a request.

        Args:
            request: What is asked.
            principal: Who asks, already authenticated; None for nobody.

        Returns:
            The answer, refusals included. Whoever moves its body calls `done`, if there is one.
        """
        endpoint = request.endpoint
        if principal is None:
            if not (endpoint.public or endpoint is GET_CURRENT_USER):
                return refuse(401, "error authenticating request")
            principal = ""
        handler = self._handlers.get(endpoint.operation)
        if handler is None:
            return refuse(501, "Not Implemented")
        try:
            return handler(self.engine, request, principal)
        except ServerException as exc:
            return refusal(exc, head=endpoint.method == "HEAD")
        except UnicodeEncodeError:  # half a surrogate pair: a name that no URL and no file could hold
            invalid = BadRequestException(f"{endpoint.operation}: a name or value is not valid Unicode")
            return refusal(invalid, head=endpoint.method == "HEAD")
