"""High-level Python SDK for lakeFS, with an embedded lake behind the same API.

Loads nothing before a name is used. `DefaultClient` is the client of handles that are made without one. The first call
that needs it creates it, and `init()` replaces it. Until then, reading the name returns the client that such a call
would use, or None if no source has credentials, and creates nothing.

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
    from typing import Any, Final

    from lakefs_hl import aio as aio
    from lakefs_hl import exceptions as exceptions
    from lakefs_hl import types as types
    from lakefs_hl._handles.changes import Change as Change
    from lakefs_hl._handles.deletions import DeleteReport as DeleteReport
    from lakefs_hl._handles.prefixes import Usage as Usage
    from lakefs_hl._handles.transactions import CollectReport as CollectReport
    from lakefs_hl._handles.transfers import GetResult as GetResult
    from lakefs_hl._handles.transfers import TransferReport as TransferReport
    from lakefs_hl._sync.branches import Branch as Branch
    from lakefs_hl._sync.client import Client as Client
    from lakefs_hl._sync.entry import copy as copy
    from lakefs_hl._sync.entry import init as init
    from lakefs_hl._sync.entry import ref as ref
    from lakefs_hl._sync.entry import repositories as repositories
    from lakefs_hl._sync.entry import repository as repository
    from lakefs_hl._sync.imports import ImportManager as ImportManager
    from lakefs_hl._sync.imports import ImportResult as ImportResult
    from lakefs_hl._sync.listing import Listing as Listing
    from lakefs_hl._sync.objects import CommonPrefix as CommonPrefix
    from lakefs_hl._sync.objects import ObjectInfo as ObjectInfo
    from lakefs_hl._sync.objects import ReadIOBase as ReadIOBase
    from lakefs_hl._sync.plans import Plan as Plan
    from lakefs_hl._sync.pull_requests import PullRequest as PullRequest
    from lakefs_hl._sync.refs import Commit as Commit
    from lakefs_hl._sync.refs import Reference as Reference
    from lakefs_hl._sync.refs import Tag as Tag
    from lakefs_hl._sync.repos import Repository as Repository
    from lakefs_hl._sync.runs import HookRun as HookRun
    from lakefs_hl._sync.runs import Run as Run
    from lakefs_hl._sync.server import (
        ServerConfiguration as ServerConfiguration,
    )
    from lakefs_hl._sync.server import (
        ServerStorageConfiguration as ServerStorageConfiguration,
    )
    from lakefs_hl._sync.streams import ObjectStream as ObjectStream
    from lakefs_hl._sync.transactions import BranchTransaction as BranchTransaction
    from lakefs_hl._sync.transactions import KeptTransaction as KeptTransaction
    from lakefs_hl._sync.writes import WriteIOBase as WriteIOBase

    DefaultClient: Client | None

#: Without DefaultClient, as in `dir()`: code that reads every name would look for credentials.
__all__ = [
    "Branch",
    "BranchTransaction",
    "Change",
    "Client",
    "CollectReport",
    "Commit",
    "CommonPrefix",
    "DeleteReport",
    "GetResult",
    "HookRun",
    "ImportManager",
    "ImportResult",
    "KeptTransaction",
    "Listing",
    "ObjectInfo",
    "ObjectStream",
    "Plan",
    "PullRequest",
    "ReadIOBase",
    "Reference",
    "Repository",
    "Run",
    "ServerConfiguration",
    "ServerStorageConfiguration",
    "Tag",
    "TransferReport",
    "Usage",
    "WriteIOBase",
    "__version__",
    "aio",
    "copy",
    "exceptions",
    "init",
    "ref",
    "repositories",
    "repository",
    "types",
]
_HOMES: Final = {
    "Branch": "lakefs_hl._sync.branches",
    "BranchTransaction": "lakefs_hl._sync.transactions",
    "Change": "lakefs_hl._handles.changes",
    "Client": "lakefs_hl._sync.client",
    "CollectReport": "lakefs_hl._handles.transactions",
    "Commit": "lakefs_hl._sync.refs",
    "CommonPrefix": "lakefs_hl._sync.objects",
    "DeleteReport": "lakefs_hl._handles.deletions",
    "GetResult": "lakefs_hl._handles.transfers",
    "HookRun": "lakefs_hl._sync.runs",
    "ImportManager": "lakefs_hl._sync.imports",
    "ImportResult": "lakefs_hl._sync.imports",
    "KeptTransaction": "lakefs_hl._sync.transactions",
    "Listing": "lakefs_hl._sync.listing",
    "ObjectInfo": "lakefs_hl._sync.objects",
    "ObjectStream": "lakefs_hl._sync.streams",
    "Plan": "lakefs_hl._sync.plans",
    "PullRequest": "lakefs_hl._sync.pull_requests",
    "ReadIOBase": "lakefs_hl._sync.objects",
    "Reference": "lakefs_hl._sync.refs",
    "Repository": "lakefs_hl._sync.repos",
    "Run": "lakefs_hl._sync.runs",
    "ServerConfiguration": "lakefs_hl._sync.server",
    "ServerStorageConfiguration": "lakefs_hl._sync.server",
    "Tag": "lakefs_hl._sync.refs",
    "TransferReport": "lakefs_hl._handles.transfers",
    "Usage": "lakefs_hl._handles.prefixes",
    "WriteIOBase": "lakefs_hl._sync.writes",
    "copy": "lakefs_hl._sync.entry",
    "init": "lakefs_hl._sync.entry",
    "ref": "lakefs_hl._sync.entry",
    "repositories": "lakefs_hl._sync.entry",
    "repository": "lakefs_hl._sync.entry",
}
_ROOMS: Final = frozenset({"aio", "exceptions", "types"})


def __getattr__(name: str) -> Any:
    if name == "DefaultClient":
        from lakefs_hl._sync.default import preview

        return preview()
    if name in _ROOMS:
        return import_module(f"lakefs_hl.{name}")
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg, name=name, obj=import_module(__name__))
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


@atexit.register  # here and not where a lake is opened: handlers run in reverse order, and theirs may call us
def _end() -> None:
    workers = sys.modules.get("lakefs_hl.transport.workers")
    if workers is not None:
        workers.end_all()  # before the lakes are closed, which they may be using
    local = sys.modules.get("lakefs_hl.local")
    if local is not None:
        local.close_all()


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__} - {"DefaultClient"})
