"""The API as a function: finds the handler by the operation's name, turns errors into answers.

What is no answer of lakeFS's (a locked or broken lake, a bug) is raised: in process it reaches the caller as itself,
over HTTP the server turns it into a status.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from lakefs_hl.local.api import (
    actions,
    batches,
    branches,
    commits,
    downloads,
    imports,
    limited,
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
from lakefs_hl.local.api import keys as keys_api
from lakefs_hl.local.api.answers import Handler, refuse, refused
from lakefs_hl.local.engine import Engine, lasting
from lakefs_hl.local.keys import Key, Keys
from lakefs_hl.spec.endpoints import GET_CURRENT_USER, IMPORT_START, LIST_REPOSITORIES, LOGIN
from lakefs_hl.spec.errors import ServerException
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
        in_process: Whether those who ask end with this machine; see `engine/lasting.py`.
        import_roots: Directories below which an import may read, none of them for no imports. None, in process, is the
            whole file system: the caller is its own user.
        keys: The keys of those who ask over HTTP; those of the lake if it is not given.
        signing: Has pre-signed URLs made. None, in process and by default, makes none: as lakeFS on a local store.
        in_memory: Whether the lake ends with this process. Then it is never served, and has no keys.

    Attributes:
        engine, import_roots, keys: The same.
        presign: The pre-signed URLs, if there are any.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        in_process: bool = False,
        import_roots: tuple[Path, ...] | None = None,
        keys: Keys | None = None,
        signing: presign.Settings | None = None,
        in_memory: bool = False,
    ) -> None:
        self.engine = engine
        self._in_process = in_process
        self.import_roots = import_roots
        self.keys: Keys = keys or Keys(engine.folder)
        self.presign: presign.Presign | None = None if signing is None else presign.Presign(self.keys, signing)
        self._handlers: dict[str, Handler] = {
            **HANDLERS,
            **(self.presign.handlers if self.presign is not None else {}),
            **keys_api.KeyCalls(None if in_memory else self.keys).handlers,
            IMPORT_START.operation: imports.starter(import_roots),
            LOGIN.operation: partial(service.login, self.keys),
        }

    def __call__(self, request: Request, principal: str | None, key: Key | None = None) -> Response:
        """Answers a request.

        Args:
            request: What is asked.
            principal: The caller, already authenticated; None for nobody.
            key: The key that it is asked with, if it may ask this. None in process.

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
            if key is not None and key.repositories is not None:
                limited.check(self.engine, key, request)
                if endpoint is LIST_REPOSITORIES:
                    return limited.list_repositories(self.engine, request, key.repositories)
            if not (self._in_process and batches.is_short(request)):
                return handler(self.engine, request, principal)
            waits = lasting.local.set(True)
            try:
                return handler(self.engine, request, principal)
            finally:
                lasting.local.reset(waits)
        except (ServerException, UnicodeEncodeError) as exc:
            return refused(request, exc)

    def batch(
        self, requests: Sequence[Request], principal: str
    ) -> Generator[tuple[int, Response | Exception], None, None]:
        """Answers many requests that are made at the same time, in any order; see `batches.py`.

        Args:
            requests: What is asked.
            principal: The caller, already authenticated.

        Yields:
            The number of a request, and its answer or what `__call__` would raise. The body of an answer is moved, and
            `done` called, before the next is asked for.
        """
        return batches.answer(self.engine, lambda request: self(request, principal), requests)
