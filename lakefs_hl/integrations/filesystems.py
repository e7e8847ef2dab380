"""File systems of fsspec that use the client of a reference, in both colours."""

from __future__ import annotations

from typing import Any

from lakefs_hl.integrations.missing import explain_missing


def file_system(reference: Any) -> Any:
    """Return the blocking file system of a reference's client.

    Raises:
        ModuleNotFoundError: fsspec is not installed.
    """
    with explain_missing("fs()", "fsspec", extra="fsspec"):
        from lakefs_hl.filesystem import LakeFSFileSystem
    return LakeFSFileSystem(client=reference._client)


def async_file_system(reference: Any) -> Any:
    """Return the file system for asyncio of an awaitable reference's client.

    Raises:
        ModuleNotFoundError: fsspec is not installed.
    """
    with explain_missing("fs()", "fsspec", extra="fsspec"):
        from lakefs_hl.filesystem import LakeFSAsyncFileSystem
    return LakeFSAsyncFileSystem(client=reference._client)
