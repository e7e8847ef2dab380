"""The same names and signatures as `lakefs_hl`, awaitable; listings are asynchronous iterators.

Loads nothing before a name is used.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # typing itself is most of what this import would cost; checkers know the name
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping
    from os import PathLike
    from typing import Any, Final

    from lakefs_hl.aio.branches import Branch as Branch
    from lakefs_hl.aio.client import Client as Client
    from lakefs_hl.aio.imports import ImportManager as ImportManager
    from lakefs_hl.aio.imports import ImportResult as ImportResult
    from lakefs_hl.aio.objects import CommonPrefix as CommonPrefix
    from lakefs_hl.aio.objects import ObjectInfo as ObjectInfo
    from lakefs_hl.aio.objects import ReadIOBase as ReadIOBase
    from lakefs_hl.aio.refs import Commit as Commit
    from lakefs_hl.aio.refs import Reference as Reference
    from lakefs_hl.aio.refs import Tag as Tag
    from lakefs_hl.aio.repos import Repository as Repository
    from lakefs_hl.aio.server import (
        ServerConfiguration as ServerConfiguration,
    )
    from lakefs_hl.aio.server import (
        ServerStorageConfiguration as ServerStorageConfiguration,
    )
    from lakefs_hl.aio.transactions import BranchTransaction as BranchTransaction
    from lakefs_hl.aio.transactions import KeptTransaction as KeptTransaction
    from lakefs_hl.aio.writes import WriteIOBase as WriteIOBase
    from lakefs_hl.deletions import DeleteReport as DeleteReport
    from lakefs_hl.handles import Change as Change
    from lakefs_hl.transactions import CollectReport as CollectReport

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
    "init",
    "repositories",
    "repository",
]
_HOMES: Final = {
    "Branch": "lakefs_hl.aio.branches",
    "BranchTransaction": "lakefs_hl.aio.transactions",
    "Change": "lakefs_hl.handles",
    "Client": "lakefs_hl.aio.client",
    "CollectReport": "lakefs_hl.transactions",
    "Commit": "lakefs_hl.aio.refs",
    "CommonPrefix": "lakefs_hl.aio.objects",
    "DeleteReport": "lakefs_hl.deletions",
    "ImportManager": "lakefs_hl.aio.imports",
    "ImportResult": "lakefs_hl.aio.imports",
    "KeptTransaction": "lakefs_hl.aio.transactions",
    "ObjectInfo": "lakefs_hl.aio.objects",
    "ReadIOBase": "lakefs_hl.aio.objects",
    "Reference": "lakefs_hl.aio.refs",
    "Repository": "lakefs_hl.aio.repos",
    "ServerConfiguration": "lakefs_hl.aio.server",
    "ServerStorageConfiguration": "lakefs_hl.aio.server",
    "Tag": "lakefs_hl.aio.refs",
    "WriteIOBase": "lakefs_hl.aio.writes",
}


def __getattr__(name: str) -> Any:
    if name == "DefaultClient":
        from lakefs_hl.aio.client import preview

        return preview()
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg, name=name, obj=import_module(__name__))
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


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
    from lakefs_hl.aio.client import Client, make_default

    return make_default(Client(**given))


def repository(repository_id: str, *, client: Client | None = None) -> Repository:
    """Gives a handle of a repository; makes no request, so the repository need not exist yet.

    Args:
        repository_id: Its name.
        client: Whom to ask; None means the default client.
    """
    from lakefs_hl.aio.repos import Repository

    return Repository(repository_id, client)


def repositories(
    prefix: str = "",
    after: str = "",
    max_amount: int | None = None,
    *,
    search: str = "",
    client: Client | None = None,
) -> AsyncIterator[Repository]:
    """Lists repositories by name, lazily.

    Args:
        prefix: List what begins with this.
        after: List what comes after this name.
        max_amount: How many to list at most; None means all.
        search: List what has this in its name.
        client: Whom to ask; None means the default client.
    """
    from lakefs_hl.aio.repos import list_repositories

    return list_repositories(prefix, after, max_amount, search=search, client=client)
