"""High-level Python SDK for lakeFS, with an embedded lake behind the same API.

Loads nothing before a name is used. `DefaultClient` is the client of whatever is made without one: the first call that
needs it makes and keeps it, `init()` replaces it. Until then reading the name keeps nothing: it gives the client that
such a call would use, or None if no source holds credentials.

Examples:
    >>> import lakefs_hl as lakefs
    >>> client = lakefs.init("mem://")
    >>> branch = lakefs.repository("example").create().branch("main")
    >>> branch.upload("hello", "greeting.txt").size_bytes
    5
"""

from __future__ import annotations

import atexit
import sys
from importlib import import_module

from lakefs_hl._version import __version__

TYPE_CHECKING = False  # typing itself is most of what this import would cost; checkers know the name
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from os import PathLike
    from typing import Any, Final

    from lakefs_hl import aio as aio
    from lakefs_hl import exceptions as exceptions
    from lakefs_hl import types as types
    from lakefs_hl.branches import Branch as Branch
    from lakefs_hl.client import Client as Client
    from lakefs_hl.deletions import DeleteReport as DeleteReport
    from lakefs_hl.handles import Change as Change
    from lakefs_hl.imports import ImportManager as ImportManager
    from lakefs_hl.imports import ImportResult as ImportResult
    from lakefs_hl.objects import CommonPrefix as CommonPrefix
    from lakefs_hl.objects import ObjectInfo as ObjectInfo
    from lakefs_hl.objects import ReadIOBase as ReadIOBase
    from lakefs_hl.refs import Commit as Commit
    from lakefs_hl.refs import Reference as Reference
    from lakefs_hl.refs import Tag as Tag
    from lakefs_hl.repos import Repository as Repository
    from lakefs_hl.server import (
        ServerConfiguration as ServerConfiguration,
    )
    from lakefs_hl.server import (
        ServerStorageConfiguration as ServerStorageConfiguration,
    )
    from lakefs_hl.transactions import BranchTransaction as BranchTransaction
    from lakefs_hl.transactions import CollectReport as CollectReport
    from lakefs_hl.transactions import KeptTransaction as KeptTransaction
    from lakefs_hl.writes import WriteIOBase as WriteIOBase

    DefaultClient: Client | None

#: Without DefaultClient, as `dir()`: whoever takes or looks at every name would look for credentials.
__all__ = [
    "Branch",
    "BranchTransaction",
    "Change",
    "Client",
    "CollectReport",
    "Commit",
    "CommonPrefix",
    "DeleteReport",
    "ImportManager",
    "ImportResult",
    "KeptTransaction",
    "ObjectInfo",
    "ReadIOBase",
    "Reference",
    "Repository",
    "ServerConfiguration",
    "ServerStorageConfiguration",
    "Tag",
    "WriteIOBase",
    "__version__",
    "aio",
    "exceptions",
    "init",
    "repositories",
    "repository",
    "types",
]
_HOMES: Final = {
    "Branch": "lakefs_hl.branches",
    "BranchTransaction": "lakefs_hl.transactions",
    "Change": "lakefs_hl.handles",
    "Client": "lakefs_hl.client",
    "CollectReport": "lakefs_hl.transactions",
    "Commit": "lakefs_hl.refs",
    "CommonPrefix": "lakefs_hl.objects",
    "DeleteReport": "lakefs_hl.deletions",
    "ImportManager": "lakefs_hl.imports",
    "ImportResult": "lakefs_hl.imports",
    "KeptTransaction": "lakefs_hl.transactions",
    "ObjectInfo": "lakefs_hl.objects",
    "ReadIOBase": "lakefs_hl.objects",
    "Reference": "lakefs_hl.refs",
    "Repository": "lakefs_hl.repos",
    "ServerConfiguration": "lakefs_hl.server",
    "ServerStorageConfiguration": "lakefs_hl.server",
    "Tag": "lakefs_hl.refs",
    "WriteIOBase": "lakefs_hl.writes",
}
_ROOMS: Final = frozenset({"aio", "exceptions", "types"})


def __getattr__(name: str) -> Any:
    if name == "DefaultClient":
        from lakefs_hl.client import preview

        return preview()
    if name in _ROOMS:
        return import_module(f"lakefs_hl.{name}")
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg, name=name, obj=import_module(__name__))
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


@atexit.register  # here and not where a lake is opened: handlers run in reverse order, and theirs may call us
def _close_lakes() -> None:
    local = sys.modules.get("lakefs_hl.local")
    if local is not None:
        local.close_all()


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__} - {"DefaultClient"})


def init(
    host: str | None = None,
    username: str | None = None,
    password: str | None = None,
    *,
    access_token: str | None = None,
    profile: str | None = None,
    timeout: float | None = None,
    connect_timeout: float | None = None,
    deadline: float | None = None,
    max_concurrency: int | None = None,
    retries: int | None = None,
    verify_ssl: bool = True,
    ca_cert: str | PathLike[str] | None = None,
    proxy: str | None = None,
    committer: str | None = None,
    create: bool = True,
    allowed_storage_hosts: Iterable[str] = (),
    pickle_secrets: bool = False,
    aws_role: bool | None = None,
    token_ttl_seconds: int | None = None,
    url_presign_ttl_seconds: int | None = None,
    token_request_headers: Mapping[str, str] | None = None,
    endpoint: str | None = None,
    access_key_id: str | None = None,
    secret_access_key: str | None = None,
    jwt_token: str | None = None,
) -> Client:
    """Makes the default client: the one of whatever is made without a client; takes what `Client` takes.

    Returns:
        The client, so that it can be kept or closed.

    Raises:
        NoAuthenticationFound: Nothing was given, and no other source holds credentials.
        InvalidConfigError: A source holds something unusable.
    """
    from lakefs_hl.building import hidden

    host, endpoint, proxy, password, secret_access_key, access_token, jwt_token, token_request_headers = hidden(
        host, endpoint, proxy, password, secret_access_key, access_token, jwt_token, token_request_headers
    )
    del hidden
    given = dict(locals())
    from lakefs_hl.client import Client, make_default

    return make_default(Client(**given))


def repository(repository_id: str, *, client: Client | None = None) -> Repository:
    """Gives a handle of a repository; makes no request, so the repository need not exist yet.

    Args:
        repository_id: Its name.
        client: Whom to ask; None means the default client.
    """
    from lakefs_hl.repos import Repository

    return Repository(repository_id, client)


def repositories(
    prefix: str = "",
    after: str = "",
    max_amount: int | None = None,
    *,
    search: str = "",
    client: Client | None = None,
) -> Iterator[Repository]:
    """Lists repositories by name, lazily.

    Args:
        prefix: List what begins with this.
        after: List what comes after this name.
        max_amount: How many to list at most; None means all.
        search: List what has this in its name.
        client: Whom to ask; None means the default client.
    """
    from lakefs_hl.repos import list_repositories

    return list_repositories(prefix, after, max_amount, search=search, client=client)
