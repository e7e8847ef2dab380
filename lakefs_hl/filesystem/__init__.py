"""lakeFS as a file system of fsspec: `lakefs://repository/reference/path`. It needs the extra `fsspec`.

fsspec finds it by the entry point `lakefs`: `fsspec.open("lakefs://…")`, and every library that takes such URLs, use it
without an import.
"""

from __future__ import annotations

try:
    import fsspec as _fsspec  # noqa: F401
except ModuleNotFoundError as exc:
    if exc.name != "fsspec":
        raise
    msg = "lakefs_hl.filesystem needs fsspec, which is not installed: pip install 'lakefs-hl[fsspec]'"
    raise ModuleNotFoundError(msg, name="fsspec") from None

from lakefs_hl.filesystem.asynchronous import LakeFSAsyncFileSystem as LakeFSAsyncFileSystem
from lakefs_hl.filesystem.files import LakeFSFile as LakeFSFile
from lakefs_hl.filesystem.files import LakeFSWriter as LakeFSWriter
from lakefs_hl.filesystem.system import LakeFSFileSystem as LakeFSFileSystem
from lakefs_hl.filesystem.transactions import LakeFSTransaction as LakeFSTransaction
from lakefs_hl.filesystem.transactions import LakeFSVersioning as LakeFSVersioning

__all__ = [
    "LakeFSAsyncFileSystem",
    "LakeFSFile",
    "LakeFSFileSystem",
    "LakeFSTransaction",
    "LakeFSVersioning",
    "LakeFSWriter",
]
