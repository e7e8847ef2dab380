"""Options of transfers of directories, as types of keyword arguments."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Literal, TypeAlias, TypedDict

from lakefs_hl._handles.listeners import ProgressLike
from lakefs_hl._handles.transfers import TransferFailure

#: Takes the relative path of a file or a directory, the latter with a slash at its end. False leaves it out.
PathFilter: TypeAlias = Callable[[str], bool | Awaitable[bool]]


class _Options(TypedDict, total=False):
    """Keyword arguments of all transfers of directories."""

    delete: bool
    include: str | Iterable[str] | None
    exclude: str | Iterable[str] | None
    ignore_file_names: Iterable[str]
    filter: PathFilter | None
    only: Iterable[str | TransferFailure] | None
    resume: bool
    max_workers: int | None
    on_error: Literal["raise", "return"]
    progress: ProgressLike | None


class SyncToOptions(_Options, total=False):
    """Keyword arguments of `sync_to`, besides `dry_run`."""

    on_invalid: Literal["error", "skip", "encode"]


class SyncFromOptions(_Options, total=False):
    """Keyword arguments of `sync_from`, besides `dry_run`."""

    follow_symlinks: bool
    commit_message: str | None
    commit_metadata: Mapping[str, str] | None


class DownloadOptions(SyncToOptions, total=False):
    """Keyword arguments of `download_dir`, besides `dry_run`."""

    update: bool | Literal["checksum"]
    continue_: bool


class UploadOptions(SyncFromOptions, total=False):
    """Keyword arguments of `upload_dir`, besides `dry_run`."""

    update: bool | Literal["checksum"]
    metadata: Mapping[str, str] | None
