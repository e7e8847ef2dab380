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
    from lakefs_hl import compression as compression
    from lakefs_hl import exceptions as exceptions
    from lakefs_hl import types as types
    from lakefs_hl._handles.changes import Change as Change
    from lakefs_hl._handles.credentials import BucketCredentials as BucketCredentials
    from lakefs_hl._handles.credentials import PersistentCredentials as PersistentCredentials
    from lakefs_hl._handles.credentials import TemporaryToken as TemporaryToken
    from lakefs_hl._handles.deletions import DeleteReport as DeleteReport
    from lakefs_hl._handles.expiry import ExpiryReport as ExpiryReport
    from lakefs_hl._handles.gc_rules import GCRules as GCRules
    from lakefs_hl._handles.links import SignedURL as SignedURL
    from lakefs_hl._handles.prefixes import Usage as Usage
    from lakefs_hl._handles.repositories import RepositoryInfo as RepositoryInfo
    from lakefs_hl._handles.reviews import Review as Review
    from lakefs_hl._handles.transactions import CollectReport as CollectReport
    from lakefs_hl._handles.transfers import GetResult as GetResult
    from lakefs_hl._handles.transfers import TransferReport as TransferReport
    from lakefs_hl._sync.administration import Admin as Admin
    from lakefs_hl._sync.branches import Branch as Branch
    from lakefs_hl._sync.client import Client as Client
    from lakefs_hl._sync.credentials import CredentialsAdmin as CredentialsAdmin
    from lakefs_hl._sync.entry import admin as admin
    from lakefs_hl._sync.entry import copy as copy
    from lakefs_hl._sync.entry import health_check as health_check
    from lakefs_hl._sync.entry import init as init
    from lakefs_hl._sync.entry import ref as ref
    from lakefs_hl._sync.entry import repositories as repositories
    from lakefs_hl._sync.entry import repository as repository
    from lakefs_hl._sync.gc_rules import GCRulesAdmin as GCRulesAdmin
    from lakefs_hl._sync.imports import ImportManager as ImportManager
    from lakefs_hl._sync.imports import ImportResult as ImportResult
    from lakefs_hl._sync.links import PresignedUpload as PresignedUpload
    from lakefs_hl._sync.listing import Listing as Listing
    from lakefs_hl._sync.objects import CommonPrefix as CommonPrefix
    from lakefs_hl._sync.objects import ObjectInfo as ObjectInfo
    from lakefs_hl._sync.objects import ReadIOBase as ReadIOBase
    from lakefs_hl._sync.pins import Partition as Partition
    from lakefs_hl._sync.plans import Plan as Plan
    from lakefs_hl._sync.pull_requests import PullRequest as PullRequest
    from lakefs_hl._sync.refs import BlameEntry as BlameEntry
    from lakefs_hl._sync.refs import Commit as Commit
    from lakefs_hl._sync.refs import ObjectVersion as ObjectVersion
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
    from lakefs_hl._sync.transactions import TransactionHandle as TransactionHandle
    from lakefs_hl._sync.writes import WriteIOBase as WriteIOBase
    from lakefs_hl.facades._sync.background import background as background
    from lakefs_hl.facades._sync.bisection import Bisection as Bisection
    from lakefs_hl.facades._sync.cached import SnapshotCache as SnapshotCache
    from lakefs_hl.facades._sync.cached import snapshot_cache as snapshot_cache
    from lakefs_hl.facades._sync.catalog import Datasets as Datasets
    from lakefs_hl.facades._sync.catalog import datasets as datasets
    from lakefs_hl.facades._sync.datasets import Dataset as Dataset
    from lakefs_hl.facades._sync.datasets import dataset as dataset
    from lakefs_hl.facades._sync.external import import_external as import_external
    from lakefs_hl.facades._sync.files import Files as Files
    from lakefs_hl.facades._sync.files import files as files
    from lakefs_hl.facades._sync.handles import ObjectHandle as ObjectHandle
    from lakefs_hl.facades._sync.search import search as search
    from lakefs_hl.facades._sync.transfer import transfer as transfer
    from lakefs_hl.facades.tables import TableDiff as TableDiff

    DefaultClient: Client | None

#: Without DefaultClient, as in `dir()`: code that reads every name would look for credentials.
__all__ = [
    "Admin",
    "Bisection",
    "BlameEntry",
    "Branch",
    "BranchTransaction",
    "BucketCredentials",
    "Change",
    "Client",
    "CollectReport",
    "Commit",
    "CommonPrefix",
    "CredentialsAdmin",
    "Dataset",
    "Datasets",
    "DeleteReport",
    "ExpiryReport",
    "Files",
    "GCRules",
    "GCRulesAdmin",
    "GetResult",
    "HookRun",
    "ImportManager",
    "ImportResult",
    "KeptTransaction",
    "Listing",
    "ObjectHandle",
    "ObjectInfo",
    "ObjectStream",
    "ObjectVersion",
    "Partition",
    "PersistentCredentials",
    "Plan",
    "PresignedUpload",
    "PullRequest",
    "ReadIOBase",
    "Reference",
    "Repository",
    "RepositoryInfo",
    "Review",
    "Run",
    "ServerConfiguration",
    "ServerStorageConfiguration",
    "SignedURL",
    "SnapshotCache",
    "TableDiff",
    "Tag",
    "TemporaryToken",
    "TransactionHandle",
    "TransferReport",
    "Usage",
    "WriteIOBase",
    "__version__",
    "admin",
    "aio",
    "background",
    "compression",
    "copy",
    "dataset",
    "datasets",
    "exceptions",
    "files",
    "health_check",
    "import_external",
    "init",
    "ref",
    "repositories",
    "repository",
    "search",
    "snapshot_cache",
    "transfer",
    "types",
]
_HOMES: Final = {
    "Admin": "lakefs_hl._sync.administration",
    "Bisection": "lakefs_hl.facades._sync.bisection",
    "BlameEntry": "lakefs_hl._sync.refs",
    "Branch": "lakefs_hl._sync.branches",
    "BranchTransaction": "lakefs_hl._sync.transactions",
    "BucketCredentials": "lakefs_hl._handles.credentials",
    "Change": "lakefs_hl._handles.changes",
    "Client": "lakefs_hl._sync.client",
    "CollectReport": "lakefs_hl._handles.transactions",
    "Commit": "lakefs_hl._sync.refs",
    "CommonPrefix": "lakefs_hl._sync.objects",
    "CredentialsAdmin": "lakefs_hl._sync.credentials",
    "Dataset": "lakefs_hl.facades._sync.datasets",
    "Datasets": "lakefs_hl.facades._sync.catalog",
    "DeleteReport": "lakefs_hl._handles.deletions",
    "ExpiryReport": "lakefs_hl._handles.expiry",
    "Files": "lakefs_hl.facades._sync.files",
    "GCRules": "lakefs_hl._handles.gc_rules",
    "GCRulesAdmin": "lakefs_hl._sync.gc_rules",
    "GetResult": "lakefs_hl._handles.transfers",
    "HookRun": "lakefs_hl._sync.runs",
    "ImportManager": "lakefs_hl._sync.imports",
    "ImportResult": "lakefs_hl._sync.imports",
    "KeptTransaction": "lakefs_hl._sync.transactions",
    "Listing": "lakefs_hl._sync.listing",
    "ObjectHandle": "lakefs_hl.facades._sync.handles",
    "ObjectInfo": "lakefs_hl._sync.objects",
    "ObjectStream": "lakefs_hl._sync.streams",
    "ObjectVersion": "lakefs_hl._sync.refs",
    "Partition": "lakefs_hl._sync.pins",
    "PersistentCredentials": "lakefs_hl._handles.credentials",
    "Plan": "lakefs_hl._sync.plans",
    "PresignedUpload": "lakefs_hl._sync.links",
    "PullRequest": "lakefs_hl._sync.pull_requests",
    "ReadIOBase": "lakefs_hl._sync.objects",
    "Reference": "lakefs_hl._sync.refs",
    "Repository": "lakefs_hl._sync.repos",
    "RepositoryInfo": "lakefs_hl._handles.repositories",
    "Review": "lakefs_hl._handles.reviews",
    "Run": "lakefs_hl._sync.runs",
    "ServerConfiguration": "lakefs_hl._sync.server",
    "ServerStorageConfiguration": "lakefs_hl._sync.server",
    "SignedURL": "lakefs_hl._handles.links",
    "SnapshotCache": "lakefs_hl.facades._sync.cached",
    "TableDiff": "lakefs_hl.facades.tables",
    "Tag": "lakefs_hl._sync.refs",
    "TemporaryToken": "lakefs_hl._handles.credentials",
    "TransactionHandle": "lakefs_hl._sync.transactions",
    "TransferReport": "lakefs_hl._handles.transfers",
    "Usage": "lakefs_hl._handles.prefixes",
    "WriteIOBase": "lakefs_hl._sync.writes",
    "admin": "lakefs_hl._sync.entry",
    "background": "lakefs_hl.facades._sync.background",
    "copy": "lakefs_hl._sync.entry",
    "dataset": "lakefs_hl.facades._sync.datasets",
    "datasets": "lakefs_hl.facades._sync.catalog",
    "files": "lakefs_hl.facades._sync.files",
    "health_check": "lakefs_hl._sync.entry",
    "import_external": "lakefs_hl.facades._sync.external",
    "init": "lakefs_hl._sync.entry",
    "ref": "lakefs_hl._sync.entry",
    "repositories": "lakefs_hl._sync.entry",
    "repository": "lakefs_hl._sync.entry",
    "search": "lakefs_hl.facades._sync.search",
    "snapshot_cache": "lakefs_hl.facades._sync.cached",
    "transfer": "lakefs_hl.facades._sync.transfer",
}
#: What IPython looks for: `%load_ext lakefs_hl`.
_EXTENSION: Final = frozenset({"load_ipython_extension", "unload_ipython_extension"})
_ROOMS: Final = frozenset({"aio", "compression", "exceptions", "types"})


def __getattr__(name: str) -> Any:
    if name == "DefaultClient":
        from lakefs_hl._sync.default import preview

        return preview()
    if name in _ROOMS:
        return import_module(f"lakefs_hl.{name}")
    if name in _EXTENSION:
        return getattr(import_module("lakefs_hl.notebook"), name)
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


def __dir__() -> list[str]:  # what an editor completes: no imports, and no rooms that were loaded meanwhile
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
