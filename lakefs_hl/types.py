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
    from lakefs_hl.ops.server import Health as Health
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
    "AsyncData",
    "AsyncFile",
    "BinaryFile",
    "ClientOptions",
    "CommitRecord",
    "Data",
    "DeleteProgress",
    "DiffType",
    "DownloadOptions",
    "DownloadTarget",
    "ErrorKind",
    "FileProgress",
    "Health",
    "ImportStatus",
    "ObjectError",
    "ObjectOrPrefix",
    "ObjectPath",
    "ObjectWriter",
    "OnEmpty",
    "Opening",
    "PathFilter",
    "Prefix",
    "ProgressLike",
    "ProgressListener",
    "RepositoryRecord",
    "Request",
    "Response",
    "Retry",
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
    "AsyncData": ("lakefs_hl._files.asynchronous", "Data"),
    "AsyncFile": ("lakefs_hl._files.awaitable", "AsyncFile"),
    "BinaryFile": ("lakefs_hl._files.saving", "BinaryFile"),
    "ClientOptions": ("lakefs_hl.config.options", "ClientOptions"),
    "CommitRecord": ("lakefs_hl.spec.models", "Commit"),
    "Data": ("lakefs_hl._files.bodies", "Data"),
    "DeleteProgress": ("lakefs_hl._handles.listeners", "DeleteProgress"),
    "DiffType": ("lakefs_hl._handles.refs", "DiffType"),
    "DownloadOptions": ("lakefs_hl._handles.directories", "DownloadOptions"),
    "DownloadTarget": ("lakefs_hl._files.saving", "Target"),
    "ErrorKind": ("lakefs_hl.spec.kinds", "ErrorKind"),
    "FileProgress": ("lakefs_hl._handles.listeners", "FileProgress"),
    "Health": ("lakefs_hl.ops.server", "Health"),
    "ImportStatus": ("lakefs_hl.spec.models", "ImportStatus"),
    "ObjectError": ("lakefs_hl.spec.models", "ObjectError"),
    "ObjectOrPrefix": ("lakefs_hl._handles.objects", "ObjectOrPrefix"),
    "ObjectPath": ("lakefs_hl._handles.objects", "ObjectPath"),
    "ObjectWriter": ("lakefs_hl._files.writer", "ObjectWriter"),
    "OnEmpty": ("lakefs_hl._handles.transactions", "OnEmpty"),
    "Opening": ("lakefs_hl._files.awaitable", "Opening"),
    "PathFilter": ("lakefs_hl._handles.directories", "PathFilter"),
    "Prefix": ("lakefs_hl._handles.objects", "Prefix"),
    "ProgressLike": ("lakefs_hl._handles.listeners", "ProgressLike"),
    "ProgressListener": ("lakefs_hl._handles.listeners", "ProgressListener"),
    "RepositoryRecord": ("lakefs_hl.spec.models", "Repository"),
    "Request": ("lakefs_hl.spec.wire", "Request"),
    "Response": ("lakefs_hl.spec.wire", "Response"),
    "Retry": ("lakefs_hl.config.retry", "Retry"),
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


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
