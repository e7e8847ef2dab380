"""The same names and signatures as `lakefs_hl`, awaitable; listings are asynchronous iterators.

Loads nothing before a name is used.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # typing itself is most of what this import would cost; checkers know the name
if TYPE_CHECKING:
    from typing import Any, Final

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
    from lakefs_hl.aio.administration import Admin as Admin
    from lakefs_hl.aio.branches import Branch as Branch
    from lakefs_hl.aio.client import Client as Client
    from lakefs_hl.aio.credentials import CredentialsAdmin as CredentialsAdmin
    from lakefs_hl.aio.entry import admin as admin
    from lakefs_hl.aio.entry import copy as copy
    from lakefs_hl.aio.entry import health_check as health_check
    from lakefs_hl.aio.entry import init as init
    from lakefs_hl.aio.entry import ref as ref
    from lakefs_hl.aio.entry import repositories as repositories
    from lakefs_hl.aio.entry import repository as repository
    from lakefs_hl.aio.gc_rules import GCRulesAdmin as GCRulesAdmin
    from lakefs_hl.aio.imports import ImportManager as ImportManager
    from lakefs_hl.aio.imports import ImportResult as ImportResult
    from lakefs_hl.aio.links import PresignedUpload as PresignedUpload
    from lakefs_hl.aio.listing import Listing as Listing
    from lakefs_hl.aio.objects import CommonPrefix as CommonPrefix
    from lakefs_hl.aio.objects import ObjectInfo as ObjectInfo
    from lakefs_hl.aio.objects import ReadIOBase as ReadIOBase
    from lakefs_hl.aio.pins import Partition as Partition
    from lakefs_hl.aio.plans import Plan as Plan
    from lakefs_hl.aio.pull_requests import PullRequest as PullRequest
    from lakefs_hl.aio.refs import BlameEntry as BlameEntry
    from lakefs_hl.aio.refs import Commit as Commit
    from lakefs_hl.aio.refs import ObjectVersion as ObjectVersion
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
    from lakefs_hl.aio.transactions import TransactionHandle as TransactionHandle
    from lakefs_hl.aio.writes import WriteIOBase as WriteIOBase
    from lakefs_hl.facades.aio.background import background as background
    from lakefs_hl.facades.aio.bisection import Bisection as Bisection
    from lakefs_hl.facades.aio.cached import SnapshotCache as SnapshotCache
    from lakefs_hl.facades.aio.cached import snapshot_cache as snapshot_cache
    from lakefs_hl.facades.aio.catalog import Datasets as Datasets
    from lakefs_hl.facades.aio.catalog import datasets as datasets
    from lakefs_hl.facades.aio.datasets import Dataset as Dataset
    from lakefs_hl.facades.aio.datasets import dataset as dataset
    from lakefs_hl.facades.aio.external import import_external as import_external
    from lakefs_hl.facades.aio.files import Files as Files
    from lakefs_hl.facades.aio.files import files as files
    from lakefs_hl.facades.aio.handles import ObjectHandle as ObjectHandle
    from lakefs_hl.facades.aio.search import search as search
    from lakefs_hl.facades.aio.transfer import transfer as transfer
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
    "admin",
    "background",
    "copy",
    "dataset",
    "datasets",
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
]
_HOMES: Final = {
    "Admin": "lakefs_hl.aio.administration",
    "Bisection": "lakefs_hl.facades.aio.bisection",
    "BlameEntry": "lakefs_hl.aio.refs",
    "Branch": "lakefs_hl.aio.branches",
    "BranchTransaction": "lakefs_hl.aio.transactions",
    "BucketCredentials": "lakefs_hl._handles.credentials",
    "Change": "lakefs_hl._handles.changes",
    "Client": "lakefs_hl.aio.client",
    "CollectReport": "lakefs_hl._handles.transactions",
    "Commit": "lakefs_hl.aio.refs",
    "CommonPrefix": "lakefs_hl.aio.objects",
    "CredentialsAdmin": "lakefs_hl.aio.credentials",
    "Dataset": "lakefs_hl.facades.aio.datasets",
    "Datasets": "lakefs_hl.facades.aio.catalog",
    "DeleteReport": "lakefs_hl._handles.deletions",
    "ExpiryReport": "lakefs_hl._handles.expiry",
    "Files": "lakefs_hl.facades.aio.files",
    "GCRules": "lakefs_hl._handles.gc_rules",
    "GCRulesAdmin": "lakefs_hl.aio.gc_rules",
    "GetResult": "lakefs_hl._handles.transfers",
    "HookRun": "lakefs_hl.aio.runs",
    "ImportManager": "lakefs_hl.aio.imports",
    "ImportResult": "lakefs_hl.aio.imports",
    "KeptTransaction": "lakefs_hl.aio.transactions",
    "Listing": "lakefs_hl.aio.listing",
    "ObjectHandle": "lakefs_hl.facades.aio.handles",
    "ObjectInfo": "lakefs_hl.aio.objects",
    "ObjectStream": "lakefs_hl.aio.streams",
    "ObjectVersion": "lakefs_hl.aio.refs",
    "Partition": "lakefs_hl.aio.pins",
    "PersistentCredentials": "lakefs_hl._handles.credentials",
    "Plan": "lakefs_hl.aio.plans",
    "PresignedUpload": "lakefs_hl.aio.links",
    "PullRequest": "lakefs_hl.aio.pull_requests",
    "ReadIOBase": "lakefs_hl.aio.objects",
    "Reference": "lakefs_hl.aio.refs",
    "Repository": "lakefs_hl.aio.repos",
    "RepositoryInfo": "lakefs_hl._handles.repositories",
    "Review": "lakefs_hl._handles.reviews",
    "Run": "lakefs_hl.aio.runs",
    "ServerConfiguration": "lakefs_hl.aio.server",
    "ServerStorageConfiguration": "lakefs_hl.aio.server",
    "SignedURL": "lakefs_hl._handles.links",
    "SnapshotCache": "lakefs_hl.facades.aio.cached",
    "TableDiff": "lakefs_hl.facades.tables",
    "Tag": "lakefs_hl.aio.refs",
    "TemporaryToken": "lakefs_hl._handles.credentials",
    "TransactionHandle": "lakefs_hl.aio.transactions",
    "TransferReport": "lakefs_hl._handles.transfers",
    "Usage": "lakefs_hl._handles.prefixes",
    "WriteIOBase": "lakefs_hl.aio.writes",
    "admin": "lakefs_hl.aio.entry",
    "background": "lakefs_hl.facades.aio.background",
    "copy": "lakefs_hl.aio.entry",
    "dataset": "lakefs_hl.facades.aio.datasets",
    "datasets": "lakefs_hl.facades.aio.catalog",
    "files": "lakefs_hl.facades.aio.files",
    "health_check": "lakefs_hl.aio.entry",
    "import_external": "lakefs_hl.facades.aio.external",
    "init": "lakefs_hl.aio.entry",
    "ref": "lakefs_hl.aio.entry",
    "repositories": "lakefs_hl.aio.entry",
    "repository": "lakefs_hl.aio.entry",
    "search": "lakefs_hl.facades.aio.search",
    "snapshot_cache": "lakefs_hl.facades.aio.cached",
    "transfer": "lakefs_hl.facades.aio.transfer",
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


def __dir__() -> list[str]:  # what an editor completes: no imports, and no rooms that were loaded meanwhile
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
