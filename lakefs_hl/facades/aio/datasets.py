"""Datasets: a repository, or a prefix of one, with metadata, versions and approvals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from lakefs_hl import _html, exceptions
from lakefs_hl import aio as lakefs
from lakefs_hl.facades import arguments
from lakefs_hl.facades.aio.approvals import DatasetApprovals
from lakefs_hl.facades.aio.dataset_access import DatasetAccess
from lakefs_hl.facades.aio.dataset_versions import DatasetVersions
from lakefs_hl.facades.datasets import exclusions, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from os import PathLike
    from typing import Unpack

    from lakefs_hl.types import DownloadOptions, ObjectPath, PathFilter, ProgressLike, TransferFailure, UploadOptions


class Dataset(DatasetVersions, DatasetApprovals, DatasetAccess):
    """A dataset: a repository, or a prefix of one. It need not exist yet: `mint` creates it.

    `lakefs.dataset(...)` returns it. What it keeps beside its data are the objects `_dataset.json`, its metadata;
    `_dataset.schema.json`, the JSON Schema that it follows; and those below `_dataset.history/`.

    Args:
        uri_or_id: Name of the repository, `lakefs://repository`, `lakefs://repository/branch/prefix/`, or an `id`.
        ref: Branch, tag or commit. Defaults to the default branch, which is looked up when it is needed.
        client: Client to use. Defaults to the default client at the time of each call.

    Examples:
        >>> ds = lakefs.dataset("climate")
        >>> _ = await ds.mint({"display_name": "Climate of 2024"})
        >>> version = await ds.version("First measurements")
        >>> (await lakefs.dataset(version.id).info()).name
        'Climate of 2024'
    """

    __module__ = "lakefs_hl.aio"

    def __init__(self, uri_or_id: str, ref: str | None = None, client: lakefs.Client | None = None) -> None:
        self._address = parse(uri_or_id, ref)
        self._given = arguments.instance(client, "client", lakefs.Client)
        if self._address.ref is not None:
            self._repository.ref(self._address.ref)  # names are checked
        else:
            self._repository.ref("main")

    @property
    def uri(self) -> str:
        """URI: `lakefs://repository`, with the reference and the prefix if they were given."""
        return self._address.uri

    @property
    def repository(self) -> lakefs.Repository:
        """The repository."""
        return self._repository

    @property
    def prefix(self) -> str:
        """The prefix, with a slash at its end. "" for the whole repository."""
        return self._prefix

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Dataset) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash((type(self), self._key()))

    def _key(self) -> tuple[Any, ...]:
        return self._address, self._given

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._address.uri, None, self._given)

    def __repr__(self) -> str:
        return f"<Dataset {self.uri}>"

    def _repr_html_(self) -> str:
        return _html.describe("Dataset", self.uri)

    # -- data ----------------------------------------------------------------------------------------------------------

    async def usage(self) -> lakefs.Usage:
        """Add up the size and the number of the objects, those of the metadata too.

        Returns:
            The size in bytes, and the number of objects. It is the size of this state, not that of all versions.
        """
        return await (await self._reference()).usage(self._prefix)

    @overload
    async def download_all(
        self,
        destination_directory: str | PathLike[str],
        *,
        include_metadata: bool = False,
        dry_run: Literal[False] = False,
        **given: Unpack[DownloadOptions],
    ) -> lakefs.TransferReport: ...
    @overload
    async def download_all(
        self,
        destination_directory: str | PathLike[str],
        *,
        include_metadata: bool = False,
        dry_run: Literal[True],
        **given: Unpack[DownloadOptions],
    ) -> lakefs.Plan: ...
    @overload
    async def download_all(
        self,
        destination_directory: str | PathLike[str],
        *,
        include_metadata: bool = False,
        dry_run: bool,
        **given: Unpack[DownloadOptions],
    ) -> lakefs.TransferReport | lakefs.Plan: ...
    async def download_all(
        self,
        destination_directory: str | PathLike[str],
        *,
        include_metadata: bool = False,
        update: bool | Literal["checksum"] = False,
        continue_: bool = False,
        include: str | Iterable[str] | None = None,
        exclude: str | Iterable[str] | None = None,
        ignore_file_names: Iterable[str] = frozenset(),
        filter: PathFilter | None = None,
        delete: bool = False,
        dry_run: bool = False,
        only: Iterable[str | TransferFailure] | None = None,
        resume: bool = True,
        on_invalid: Literal["error", "skip", "encode"] = "error",
        max_workers: int | None = None,
        on_error: Literal["raise", "return"] = "raise",
        progress: ProgressLike | None = None,
    ) -> lakefs.TransferReport | lakefs.Plan:
        """Download all data to a local directory. The parameters are those of `Branch.download_dir`.

        Args:
            destination_directory: The local directory. It is created if needed.
            include_metadata: Whether `_dataset.json` and what else the dataset keeps beside its data is downloaded too.
            update: Skip what the directory has already.
            continue_: Continue files that are there in part.
            include: Globs of the objects to download.
            exclude: Globs of what to leave out.
            ignore_file_names: Names of files in the format of `.gitignore` in the local directory.
            filter: Called with each relative path. False leaves it out.
            delete: Whether to delete local files that the dataset does not have.
            dry_run: Return a plan of what the call would do, and do nothing.
            only: Paths to which the call is limited.
            resume: Whether to continue an interrupted call.
            on_invalid: What becomes of an object whose path is no safe name of a local file.
            max_workers: Maximum number of concurrent requests. Defaults to what the server takes.
            on_error: Whether failures are raised after all objects were tried, or only returned.
            progress: Takes events or shows a bar. Defaults to a bar in a terminal and in a notebook.

        Returns:
            The number of files and bytes, and the failures.

        Raises:
            NotFoundException: There is no such repository or reference.
            PartialFailureError: Some objects failed; they are in its `report`.

        Examples:
            >>> ds = lakefs.dataset("climate")
            >>> _ = await ds.mint({"name": "Climate"})
            >>> _ = await lakefs.repository("climate").branch("main").upload(b"1,2", "raw/a.csv")
            >>> (await ds.download_all("climate")).transferred
            1
        """
        target = arguments.local_path(destination_directory, "destination_directory")
        reference = await self._reference()
        with_own = arguments.flag(include_metadata, "include_metadata")
        return await reference.download_dir(
            self._prefix,
            target,
            update=update,
            continue_=continue_,
            include=include,
            exclude=exclude if with_own else exclusions(exclude),
            ignore_file_names=ignore_file_names,
            filter=filter,
            delete=delete,
            dry_run=dry_run,
            only=only,
            resume=resume,
            on_invalid=on_invalid,
            max_workers=max_workers,
            on_error=on_error,
            progress=progress,
        )

    @overload
    async def upload_all(
        self,
        source_directory: str | PathLike[str],
        *,
        message: str | None = None,
        dry_run: Literal[False] = False,
        **given: Unpack[UploadOptions],
    ) -> lakefs.TransferReport: ...
    @overload
    async def upload_all(
        self,
        source_directory: str | PathLike[str],
        *,
        message: str | None = None,
        dry_run: Literal[True],
        **given: Unpack[UploadOptions],
    ) -> lakefs.Plan: ...
    @overload
    async def upload_all(
        self,
        source_directory: str | PathLike[str],
        *,
        message: str | None = None,
        dry_run: bool,
        **given: Unpack[UploadOptions],
    ) -> lakefs.TransferReport | lakefs.Plan: ...
    async def upload_all(
        self,
        source_directory: str | PathLike[str],
        *,
        message: str | None = None,
        update: bool | Literal["checksum"] = False,
        include: str | Iterable[str] | None = None,
        exclude: str | Iterable[str] | None = None,
        ignore_file_names: Iterable[str] = frozenset(),
        filter: PathFilter | None = None,
        follow_symlinks: bool = False,
        delete: bool = False,
        dry_run: bool = False,
        only: Iterable[str | TransferFailure] | None = None,
        resume: bool = True,
        max_workers: int | None = None,
        on_error: Literal["raise", "return"] = "raise",
        commit_message: str | None = None,
        commit_metadata: Mapping[str, str] | None = None,
        metadata: Mapping[str, str] | None = None,
        progress: ProgressLike | None = None,
    ) -> lakefs.TransferReport | lakefs.Plan:
        """Upload all files of a local directory, by one commit: all of them, or none.

        The parameters are those of `Branch.upload_dir`. What has the name of the dataset's own objects at the top of
        the directory, such as `_dataset.json`, is no data and is left out: `update_metadata` changes the metadata.

        Args:
            source_directory: The local directory.
            message: Message of the commit. Defaults to one that names the directory.
            update: Skip what the dataset has already.
            include: Globs of the files to upload.
            exclude: Globs of what to leave out.
            ignore_file_names: Names of files in the format of `.gitignore` in the directory.
            filter: Called with each relative path. False leaves it out.
            follow_symlinks: Whether to follow links to places inside the directory.
            delete: Whether to delete data that the directory does not have.
            dry_run: Return a plan of what the call would do, and do nothing.
            only: Paths to which the call is limited.
            resume: Whether to continue an interrupted call.
            max_workers: Maximum number of concurrent requests. Defaults to what the server takes.
            on_error: Whether failures are raised after all files were tried, or only returned.
            commit_message: Same as `message`.
            commit_metadata: Metadata of the commit.
            metadata: User metadata of the objects.
            progress: Takes events or shows a bar. Defaults to a bar in a terminal and in a notebook.

        Returns:
            The number of files and bytes.

        Raises:
            TransactionException: Nothing was committed, for example because the branch has uncommitted changes.
            NotFoundException: There is no such repository or branch.

        Examples:
            >>> ds = lakefs.dataset("climate")
            >>> _ = await ds.mint({"name": "Climate"})
            >>> Path("measured").mkdir()
            >>> _ = Path("measured/a.csv").write_text("1,2")
            >>> (await ds.upload_all("measured", message="First measurements")).transferred
            1
        """
        directory = Path(arguments.local_path(source_directory, "source_directory"))
        found = None if commit_message is None else arguments.text(commit_message, "commit_message")
        if message is not None:
            found = arguments.text(message, "message")
        branch = await self._branch()
        return await branch.upload_dir(
            source_directory,
            self._prefix,
            update=update,
            include=include,
            exclude=exclusions(exclude),
            ignore_file_names=ignore_file_names,
            filter=filter,
            follow_symlinks=follow_symlinks,
            delete=delete,
            dry_run=dry_run,
            only=only,
            resume=resume,
            max_workers=max_workers,
            on_error=on_error,
            commit_message=f"Upload {directory.name or directory}" if found is None else found,
            commit_metadata=commit_metadata,
            metadata=metadata,
            progress=progress,
        )

    async def download(
        self, path: ObjectPath, destination_directory: str | PathLike[str], *, progress: ProgressLike | None = None
    ) -> lakefs.TransferReport | Path:
        """Download an object or a prefix to a local directory, which is created if needed.

        - The path of an object: the object, under its name in the directory.
        - A prefix without a slash at its end: what is under it, in a directory of its name in the directory.
        - A prefix with a slash at its end: what is under it, directly in the directory.

        Args:
            path: Path or prefix, relative to the dataset.
            destination_directory: The local directory.
            progress: Takes events or shows a bar. Defaults to a bar in a terminal and in a notebook.

        Returns:
            The path of the local file; of a prefix, the number of files and bytes.

        Raises:
            ObjectNotFoundException: There is neither such an object nor such a prefix.

        Examples:
            >>> ds = lakefs.dataset("climate")
            >>> _ = await ds.mint({"name": "Climate"})
            >>> _ = await lakefs.repository("climate").branch("main").upload(b"1,2", "nested/deep/a.csv")
            >>> _ = await ds.download("nested/deep/a.csv", "file")
            >>> _ = await ds.download("nested", "with-name")
            >>> _ = await ds.download("nested/", "contents")
            >>> Path("file/a.csv").exists(), Path("with-name/nested/deep/a.csv").exists()
            (True, True)
            >>> Path("contents/deep/a.csv").exists()
            True
        """
        reference = await self._reference()
        target = Path(arguments.local_path(destination_directory, "destination_directory"))
        full = asked = self._data_path(path)
        name = full.rstrip("/").rpartition("/")[2]
        if name in (".", "..") or "\\" in name or "\0" in name:
            msg = f"downloading {full!r:.200} of {self.uri}: {name!r:.80} is no safe name of a local file"
            raise ValueError(msg)
        if not full.endswith("/"):
            if await reference.exists(full):
                return await reference.download_file(full, target / name, progress=progress)
            full, target = f"{full}/", target / name
        if not await reference.list_objects(1, prefix=full, recursive=True).to_list():
            uri = await self._uri()
            msg = f"downloading {asked!r:.200} of {uri}: there is neither such an object nor such a prefix"
            raise exceptions.ObjectNotFoundException(msg)
        return await reference.download_dir(full, target, progress=progress)


def dataset(uri_or_id: str, *, ref: str | None = None, client: lakefs.Client | None = None) -> Dataset:
    """Return a dataset: a repository, or a prefix of one, with metadata and versions. Sends no request.

    Args:
        uri_or_id: Name of the repository, `lakefs://repository`, `lakefs://repository/branch/prefix/`, or the `id` of
            an `info()` or of a version: `lakefs://repository@commit`, with a prefix or without.
        ref: Branch, tag or commit. Defaults to the default branch, which is looked up when it is needed. Those of a tag
            or a commit are read-only.
        client: Client to use. Defaults to the default client at the time of each call.

    Raises:
        ValueError: It is no such name or URI, or `ref` is not the reference of the URI.

    Examples:
        >>> ds = lakefs.dataset("climate")
        >>> _ = await ds.mint({"display_name": "Climate of 2024"})
        >>> (await ds.info()).name
        'Climate of 2024'
    """
    return Dataset(uri_or_id, ref, client)


dataset.__module__ = "lakefs_hl.aio"
