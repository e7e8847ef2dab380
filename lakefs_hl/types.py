"""Types of arguments and results, for annotations and comparisons.

Loads nothing before a name is used. Records of the server have the names of its API: `Repository` is called
`RepositoryRecord` here.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # typing itself is most of what this import would cost; checkers know the name
if TYPE_CHECKING:
    from typing import Any, Final

    from lakefs_hl._bulk.plan import Action as Action
    from lakefs_hl._files.asynchronous import Data as AsyncData
    from lakefs_hl._files.awaitable import AsyncFile as AsyncFile
    from lakefs_hl._files.awaitable import Opening as Opening
    from lakefs_hl._files.awaitable import Writing as Writing
    from lakefs_hl._files.bodies import Data as Data
    from lakefs_hl._files.saving import BinaryFile as BinaryFile
    from lakefs_hl._files.saving import Target as DownloadTarget
    from lakefs_hl._files.writer import ObjectWriter as ObjectWriter
    from lakefs_hl._files.writer import TextWriter as TextWriter
    from lakefs_hl._handles.directories import DownloadOptions as DownloadOptions
    from lakefs_hl._handles.directories import PathFilter as PathFilter
    from lakefs_hl._handles.directories import SyncFromOptions as SyncFromOptions
    from lakefs_hl._handles.directories import SyncToOptions as SyncToOptions
    from lakefs_hl._handles.directories import UploadOptions as UploadOptions
    from lakefs_hl._handles.handle import ReferenceURI as ReferenceURI
    from lakefs_hl._handles.links import LinkMethod as LinkMethod
    from lakefs_hl._handles.links import LinkVia as LinkVia
    from lakefs_hl._handles.listeners import DeleteProgress as DeleteProgress
    from lakefs_hl._handles.listeners import FileProgress as FileProgress
    from lakefs_hl._handles.listeners import ProgressLike as ProgressLike
    from lakefs_hl._handles.listeners import ProgressListener as ProgressListener
    from lakefs_hl._handles.listeners import SizeCallback as SizeCallback
    from lakefs_hl._handles.objects import ObjectOrPrefix as ObjectOrPrefix
    from lakefs_hl._handles.objects import ObjectPath as ObjectPath
    from lakefs_hl._handles.objects import Prefix as Prefix
    from lakefs_hl._handles.prefixes import UsageGroup as UsageGroup
    from lakefs_hl._handles.refs import DiffType as DiffType
    from lakefs_hl._handles.refs import Strategy as Strategy
    from lakefs_hl._handles.transactions import OnEmpty as OnEmpty
    from lakefs_hl._handles.transfers import TransferEvent as TransferEvent
    from lakefs_hl._handles.transfers import TransferFailure as TransferFailure
    from lakefs_hl._handles.transfers import TransferSkip as TransferSkip
    from lakefs_hl.config.options import ClientOptions as ClientOptions
    from lakefs_hl.config.retry import Retry as Retry
    from lakefs_hl.config.sources import SettingSource as SettingSource
    from lakefs_hl.facades.approvals import ApprovalDecision as ApprovalDecision
    from lakefs_hl.facades.approvals import ApprovalRequest as ApprovalRequest
    from lakefs_hl.facades.approvals import ApprovalStatus as ApprovalStatus
    from lakefs_hl.facades.catalog import DatasetFailure as DatasetFailure
    from lakefs_hl.facades.catalog import DatasetPage as DatasetPage
    from lakefs_hl.facades.catalog import DatasetSort as DatasetSort
    from lakefs_hl.facades.dataset_records import DatasetInfo as DatasetInfo
    from lakefs_hl.facades.dataset_records import DatasetVersion as DatasetVersion
    from lakefs_hl.facades.dataset_records import MetadataVersion as MetadataVersion
    from lakefs_hl.facades.graph import CommitGraph as CommitGraph
    from lakefs_hl.facades.hits import SearchFailure as SearchFailure
    from lakefs_hl.facades.hits import SearchHit as SearchHit
    from lakefs_hl.facades.hits import SearchKind as SearchKind
    from lakefs_hl.facades.hits import SearchResults as SearchResults
    from lakefs_hl.facades.items import GetItem as GetItem
    from lakefs_hl.facades.items import PutItem as PutItem
    from lakefs_hl.facades.previews import Preview as Preview
    from lakefs_hl.facades.records import CachedSnapshot as CachedSnapshot
    from lakefs_hl.facades.records import Range as Range
    from lakefs_hl.facades.results import FileResult as FileResult
    from lakefs_hl.facades.schemas import Problem as Problem
    from lakefs_hl.facades.tables import RowChange as RowChange
    from lakefs_hl.facades.tables import RowCounts as RowCounts
    from lakefs_hl.facades.tables import SchemaDiff as SchemaDiff
    from lakefs_hl.integrations.polars import PolarsReads as PolarsReads
    from lakefs_hl.ops.server import Health as Health
    from lakefs_hl.spec.blockstores import BlockstoreType as BlockstoreType
    from lakefs_hl.spec.kinds import ErrorKind as ErrorKind
    from lakefs_hl.spec.models import Commit as CommitRecord
    from lakefs_hl.spec.models import ImportStatus as ImportStatus
    from lakefs_hl.spec.models import ObjectError as ObjectError
    from lakefs_hl.spec.models import Repository as RepositoryRecord
    from lakefs_hl.spec.models import StorageConfig as StorageConfig
    from lakefs_hl.spec.wire import Request as Request
    from lakefs_hl.spec.wire import Response as Response

__all__ = [
    "Action",
    "ApprovalDecision",
    "ApprovalRequest",
    "ApprovalStatus",
    "AsyncData",
    "AsyncFile",
    "BinaryFile",
    "BlockstoreType",
    "CachedSnapshot",
    "ClientOptions",
    "CommitGraph",
    "CommitRecord",
    "Data",
    "DatasetFailure",
    "DatasetInfo",
    "DatasetPage",
    "DatasetSort",
    "DatasetVersion",
    "DeleteProgress",
    "DiffType",
    "DownloadOptions",
    "DownloadTarget",
    "ErrorKind",
    "FileProgress",
    "FileResult",
    "GetItem",
    "Health",
    "ImportStatus",
    "LinkMethod",
    "LinkVia",
    "MetadataVersion",
    "ObjectError",
    "ObjectOrPrefix",
    "ObjectPath",
    "ObjectWriter",
    "OnEmpty",
    "Opening",
    "PathFilter",
    "PolarsReads",
    "Prefix",
    "Preview",
    "Problem",
    "ProgressLike",
    "ProgressListener",
    "PutItem",
    "Range",
    "ReferenceURI",
    "RepositoryRecord",
    "Request",
    "Response",
    "Retry",
    "RowChange",
    "RowCounts",
    "SchemaDiff",
    "SearchFailure",
    "SearchHit",
    "SearchKind",
    "SearchResults",
    "SettingSource",
    "SizeCallback",
    "StorageConfig",
    "Strategy",
    "SyncFromOptions",
    "SyncToOptions",
    "TextWriter",
    "TransferEvent",
    "TransferFailure",
    "TransferSkip",
    "UploadOptions",
    "UsageGroup",
    "Writing",
]
#: Module and name of each type. They are pickled by these, so that moving one breaks pickles.
_HOMES: Final = {
    "Action": ("lakefs_hl._bulk.plan", "Action"),
    "ApprovalDecision": ("lakefs_hl.facades.approvals", "ApprovalDecision"),
    "ApprovalRequest": ("lakefs_hl.facades.approvals", "ApprovalRequest"),
    "ApprovalStatus": ("lakefs_hl.facades.approvals", "ApprovalStatus"),
    "AsyncData": ("lakefs_hl._files.asynchronous", "Data"),
    "AsyncFile": ("lakefs_hl._files.awaitable", "AsyncFile"),
    "BinaryFile": ("lakefs_hl._files.saving", "BinaryFile"),
    "BlockstoreType": ("lakefs_hl.spec.blockstores", "BlockstoreType"),
    "CachedSnapshot": ("lakefs_hl.facades.records", "CachedSnapshot"),
    "ClientOptions": ("lakefs_hl.config.options", "ClientOptions"),
    "CommitGraph": ("lakefs_hl.facades.graph", "CommitGraph"),
    "CommitRecord": ("lakefs_hl.spec.models", "Commit"),
    "Data": ("lakefs_hl._files.bodies", "Data"),
    "DatasetFailure": ("lakefs_hl.facades.catalog", "DatasetFailure"),
    "DatasetInfo": ("lakefs_hl.facades.dataset_records", "DatasetInfo"),
    "DatasetPage": ("lakefs_hl.facades.catalog", "DatasetPage"),
    "DatasetSort": ("lakefs_hl.facades.catalog", "DatasetSort"),
    "DatasetVersion": ("lakefs_hl.facades.dataset_records", "DatasetVersion"),
    "DeleteProgress": ("lakefs_hl._handles.listeners", "DeleteProgress"),
    "DiffType": ("lakefs_hl._handles.refs", "DiffType"),
    "DownloadOptions": ("lakefs_hl._handles.directories", "DownloadOptions"),
    "DownloadTarget": ("lakefs_hl._files.saving", "Target"),
    "ErrorKind": ("lakefs_hl.spec.kinds", "ErrorKind"),
    "FileProgress": ("lakefs_hl._handles.listeners", "FileProgress"),
    "FileResult": ("lakefs_hl.facades.results", "FileResult"),
    "GetItem": ("lakefs_hl.facades.items", "GetItem"),
    "Health": ("lakefs_hl.ops.server", "Health"),
    "ImportStatus": ("lakefs_hl.spec.models", "ImportStatus"),
    "LinkMethod": ("lakefs_hl._handles.links", "LinkMethod"),
    "LinkVia": ("lakefs_hl._handles.links", "LinkVia"),
    "MetadataVersion": ("lakefs_hl.facades.dataset_records", "MetadataVersion"),
    "ObjectError": ("lakefs_hl.spec.models", "ObjectError"),
    "ObjectOrPrefix": ("lakefs_hl._handles.objects", "ObjectOrPrefix"),
    "ObjectPath": ("lakefs_hl._handles.objects", "ObjectPath"),
    "ObjectWriter": ("lakefs_hl._files.writer", "ObjectWriter"),
    "OnEmpty": ("lakefs_hl._handles.transactions", "OnEmpty"),
    "Opening": ("lakefs_hl._files.awaitable", "Opening"),
    "PathFilter": ("lakefs_hl._handles.directories", "PathFilter"),
    "PolarsReads": ("lakefs_hl.integrations.polars", "PolarsReads"),
    "Prefix": ("lakefs_hl._handles.objects", "Prefix"),
    "Preview": ("lakefs_hl.facades.previews", "Preview"),
    "Problem": ("lakefs_hl.facades.schemas", "Problem"),
    "ProgressLike": ("lakefs_hl._handles.listeners", "ProgressLike"),
    "ProgressListener": ("lakefs_hl._handles.listeners", "ProgressListener"),
    "PutItem": ("lakefs_hl.facades.items", "PutItem"),
    "Range": ("lakefs_hl.facades.records", "Range"),
    "ReferenceURI": ("lakefs_hl._handles.handle", "ReferenceURI"),
    "RepositoryRecord": ("lakefs_hl.spec.models", "Repository"),
    "Request": ("lakefs_hl.spec.wire", "Request"),
    "Response": ("lakefs_hl.spec.wire", "Response"),
    "Retry": ("lakefs_hl.config.retry", "Retry"),
    "RowChange": ("lakefs_hl.facades.tables", "RowChange"),
    "RowCounts": ("lakefs_hl.facades.tables", "RowCounts"),
    "SchemaDiff": ("lakefs_hl.facades.tables", "SchemaDiff"),
    "SearchFailure": ("lakefs_hl.facades.hits", "SearchFailure"),
    "SearchHit": ("lakefs_hl.facades.hits", "SearchHit"),
    "SearchKind": ("lakefs_hl.facades.hits", "SearchKind"),
    "SearchResults": ("lakefs_hl.facades.hits", "SearchResults"),
    "SettingSource": ("lakefs_hl.config.sources", "SettingSource"),
    "SizeCallback": ("lakefs_hl._handles.listeners", "SizeCallback"),
    "StorageConfig": ("lakefs_hl.spec.models", "StorageConfig"),
    "Strategy": ("lakefs_hl._handles.refs", "Strategy"),
    "SyncFromOptions": ("lakefs_hl._handles.directories", "SyncFromOptions"),
    "SyncToOptions": ("lakefs_hl._handles.directories", "SyncToOptions"),
    "TextWriter": ("lakefs_hl._files.writer", "TextWriter"),
    "TransferEvent": ("lakefs_hl._handles.transfers", "TransferEvent"),
    "TransferFailure": ("lakefs_hl._handles.transfers", "TransferFailure"),
    "TransferSkip": ("lakefs_hl._handles.transfers", "TransferSkip"),
    "UploadOptions": ("lakefs_hl._handles.directories", "UploadOptions"),
    "UsageGroup": ("lakefs_hl._handles.prefixes", "UsageGroup"),
    "Writing": ("lakefs_hl._files.awaitable", "Writing"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg, name=name, obj=import_module(__name__))
    module, own = _HOMES[name]
    value = globals()[name] = getattr(import_module(module), own)
    return value


def __dir__() -> list[str]:  # what an editor completes: no imports, and no rooms that were loaded meanwhile
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
