"""The same names and signatures as `lakefs_hl`, awaitable; listings are asynchronous iterators.

Loads nothing before a name is used.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # typing itself is most of what this import would cost; checkers know the name
if TYPE_CHECKING:
    from typing import Any, Final

    from lakefs_hl._handles.changes import Change as Change
    from lakefs_hl._handles.deletions import DeleteReport as DeleteReport
    from lakefs_hl._handles.prefixes import Usage as Usage
    from lakefs_hl._handles.transactions import CollectReport as CollectReport
    from lakefs_hl._handles.transfers import GetResult as GetResult
    from lakefs_hl._handles.transfers import TransferReport as TransferReport
    from lakefs_hl.aio.branches import Branch as Branch
    from lakefs_hl.aio.client import Client as Client
    from lakefs_hl.aio.entry import copy as copy
    from lakefs_hl.aio.entry import init as init
    from lakefs_hl.aio.entry import ref as ref
    from lakefs_hl.aio.entry import repositories as repositories
    from lakefs_hl.aio.entry import repository as repository
    from lakefs_hl.aio.imports import ImportManager as ImportManager
    from lakefs_hl.aio.imports import ImportResult as ImportResult
    from lakefs_hl.aio.listing import Listing as Listing
    from lakefs_hl.aio.objects import CommonPrefix as CommonPrefix
    from lakefs_hl.aio.objects import ObjectInfo as ObjectInfo
    from lakefs_hl.aio.objects import ReadIOBase as ReadIOBase
    from lakefs_hl.aio.plans import Plan as Plan
    from lakefs_hl.aio.pull_requests import PullRequest as PullRequest
    from lakefs_hl.aio.refs import Commit as Commit
    from lakefs_hl.aio.refs import Reference as Reference
    from lakefs_hl.aio.refs import Tag as Tag
    from lakefs_hl.aio.repos import Repository as Repository
    from lakefs_hl.aio.runs import HookRun as HookRun
    from lakefs_hl.aio.runs import Run as Run
    from lakefs_hl.aio.server import (
        ServerConfiguration as ServerConfiguration,
    )
    from lakefs_hl.aio.server import (
        ServerStorageConfiguration as ServerStorageConfiguration,
    )
    from lakefs_hl.aio.streams import ObjectStream as ObjectStream
    from lakefs_hl.aio.transactions import BranchTransaction as BranchTransaction
    from lakefs_hl.aio.transactions import KeptTransaction as KeptTransaction
    from lakefs_hl.aio.writes import WriteIOBase as WriteIOBase

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
    "copy",
    "init",
    "ref",
    "repositories",
    "repository",
]
_HOMES: Final = {
    "Branch": "lakefs_hl.aio.branches",
    "BranchTransaction": "lakefs_hl.aio.transactions",
    "Change": "lakefs_hl._handles.changes",
    "Client": "lakefs_hl.aio.client",
    "CollectReport": "lakefs_hl._handles.transactions",
    "Commit": "lakefs_hl.aio.refs",
    "CommonPrefix": "lakefs_hl.aio.objects",
    "DeleteReport": "lakefs_hl._handles.deletions",
    "GetResult": "lakefs_hl._handles.transfers",
    "HookRun": "lakefs_hl.aio.runs",
    "ImportManager": "lakefs_hl.aio.imports",
    "ImportResult": "lakefs_hl.aio.imports",
    "KeptTransaction": "lakefs_hl.aio.transactions",
    "Listing": "lakefs_hl.aio.listing",
    "ObjectInfo": "lakefs_hl.aio.objects",
    "ObjectStream": "lakefs_hl.aio.streams",
    "Plan": "lakefs_hl.aio.plans",
    "PullRequest": "lakefs_hl.aio.pull_requests",
    "ReadIOBase": "lakefs_hl.aio.objects",
    "Reference": "lakefs_hl.aio.refs",
    "Repository": "lakefs_hl.aio.repos",
    "Run": "lakefs_hl.aio.runs",
    "ServerConfiguration": "lakefs_hl.aio.server",
    "ServerStorageConfiguration": "lakefs_hl.aio.server",
    "Tag": "lakefs_hl.aio.refs",
    "TransferReport": "lakefs_hl._handles.transfers",
    "Usage": "lakefs_hl._handles.prefixes",
    "WriteIOBase": "lakefs_hl.aio.writes",
    "copy": "lakefs_hl.aio.entry",
    "init": "lakefs_hl.aio.entry",
    "ref": "lakefs_hl.aio.entry",
    "repositories": "lakefs_hl.aio.entry",
    "repository": "lakefs_hl.aio.entry",
}


def __getattr__(name: str) -> Any:
    if name == "DefaultClient":
        from lakefs_hl.aio.default import preview

        return preview()
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg, name=name, obj=import_module(__name__))
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__} - {"DefaultClient"})
