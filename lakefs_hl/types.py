"""Types of arguments and results, for annotations and comparisons.

Loads nothing before a name is used. Records of the server have the names of its API: `Repository` is called
`RepositoryRecord` here.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # typing itself is most of what this import would cost; checkers know the name
if TYPE_CHECKING:
    from typing import Any, Final

    from lakefs_hl._files.asynchronous import Data as AsyncData
    from lakefs_hl._files.awaitable import AsyncFile as AsyncFile
    from lakefs_hl._files.awaitable import Opening as Opening
    from lakefs_hl._files.awaitable import Writing as Writing
    from lakefs_hl._files.bodies import Data as Data
    from lakefs_hl._files.saving import BinaryFile as BinaryFile
    from lakefs_hl._files.saving import Target as DownloadTarget
    from lakefs_hl._files.writer import ObjectWriter as ObjectWriter
    from lakefs_hl._files.writer import TextWriter as TextWriter
    from lakefs_hl._handles.objects import ObjectOrPrefix as ObjectOrPrefix
    from lakefs_hl._handles.objects import ObjectPath as ObjectPath
    from lakefs_hl._handles.objects import Prefix as Prefix
    from lakefs_hl._handles.refs import DiffType as DiffType
    from lakefs_hl._handles.refs import Strategy as Strategy
    from lakefs_hl._handles.transactions import OnEmpty as OnEmpty
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
    "AsyncData",
    "AsyncFile",
    "BinaryFile",
    "ClientOptions",
    "CommitRecord",
    "Data",
    "DiffType",
    "DownloadTarget",
    "ErrorKind",
    "Health",
    "ImportStatus",
    "ObjectError",
    "ObjectOrPrefix",
    "ObjectPath",
    "ObjectWriter",
    "OnEmpty",
    "Opening",
    "Prefix",
    "RepositoryRecord",
    "Request",
    "Response",
    "Retry",
    "SettingSource",
    "StorageConfig",
    "Strategy",
    "TextWriter",
    "Writing",
]
#: Module and name of each type. They are pickled by these, so that moving one breaks pickles.
_HOMES: Final = {
    "AsyncData": ("lakefs_hl._files.asynchronous", "Data"),
    "AsyncFile": ("lakefs_hl._files.awaitable", "AsyncFile"),
    "BinaryFile": ("lakefs_hl._files.saving", "BinaryFile"),
    "ClientOptions": ("lakefs_hl.config.options", "ClientOptions"),
    "CommitRecord": ("lakefs_hl.spec.models", "Commit"),
    "Data": ("lakefs_hl._files.bodies", "Data"),
    "DiffType": ("lakefs_hl._handles.refs", "DiffType"),
    "DownloadTarget": ("lakefs_hl._files.saving", "Target"),
    "ErrorKind": ("lakefs_hl.spec.kinds", "ErrorKind"),
    "Health": ("lakefs_hl.ops.server", "Health"),
    "ImportStatus": ("lakefs_hl.spec.models", "ImportStatus"),
    "ObjectError": ("lakefs_hl.spec.models", "ObjectError"),
    "ObjectOrPrefix": ("lakefs_hl._handles.objects", "ObjectOrPrefix"),
    "ObjectPath": ("lakefs_hl._handles.objects", "ObjectPath"),
    "ObjectWriter": ("lakefs_hl._files.writer", "ObjectWriter"),
    "OnEmpty": ("lakefs_hl._handles.transactions", "OnEmpty"),
    "Opening": ("lakefs_hl._files.awaitable", "Opening"),
    "Prefix": ("lakefs_hl._handles.objects", "Prefix"),
    "RepositoryRecord": ("lakefs_hl.spec.models", "Repository"),
    "Request": ("lakefs_hl.spec.wire", "Request"),
    "Response": ("lakefs_hl.spec.wire", "Response"),
    "Retry": ("lakefs_hl.config.retry", "Retry"),
    "SettingSource": ("lakefs_hl.config.sources", "SettingSource"),
    "StorageConfig": ("lakefs_hl.spec.models", "StorageConfig"),
    "Strategy": ("lakefs_hl._handles.refs", "Strategy"),
    "TextWriter": ("lakefs_hl._files.writer", "TextWriter"),
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
