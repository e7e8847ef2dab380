# Generated from lakefs_hl/aio/transfers.py by tools/unasync.py: change that, not this.
"""Transfers of many objects, of files and of directories, on references, branches and transactions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from lakefs_hl._handles.handle import Handle
from lakefs_hl._sync import fileio

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from os import PathLike
    from pathlib import Path
    from typing import Unpack

    from lakefs_hl._handles.directories import (
        DownloadOptions,
        PathFilter,
        SyncFromOptions,
        SyncToOptions,
        UploadOptions,
    )
    from lakefs_hl._handles.objects import ObjectOrPrefix, ObjectPath, Prefix
    from lakefs_hl._handles.transfers import GetResult, TransferFailure, TransferReport
    from lakefs_hl._sync.objects import ObjectInfo
    from lakefs_hl._sync.plans import Plan
    from lakefs_hl.spec.models import ObjectStats
    from lakefs_hl.types import ProgressLike


class TransferReads(Handle):
    """The part of the read operations that moves many objects."""

    __module__ = "lakefs_hl"

    def _object(self, record: ObjectStats) -> ObjectInfo:
        raise NotImplementedError  # a reference wraps records

    def download_many(
        self,
        paths: fileio.Items[ObjectPath | Mapping[str, Any]],
        *,
        total: int | None = None,
        max_workers: int | None = None,
        on_error: Literal["raise", "return"] = "return",
        progress: ProgressLike | None = None,
    ) -> list[GetResult]:
        r"""Read many objects, or ranges of them, into memory. Each is verified as by `download`.

        Args:
            paths: Paths, given as for `stat_object`, or dictionaries with `path` (or `key`), and optionally `start`,
                `end`, `repository` (or `bucket`) and `reference`.
            total: Number of paths, for the progress of a generator.
            max_workers: Maximum number of concurrent requests. Defaults to what the server takes.
            on_error: Whether failures are raised after all objects were tried, or returned in the results.
            progress: Takes events or shows a bar. Defaults to a bar in a terminal and in a notebook.

        Returns:
            The results in the order of `paths`. A failed one has an `error` and no `content`.

        Raises:
            PartialFailureError: Some objects could not be read, and `on_error` is `raise`.

        Examples:
            >>> branch = lakefs.repository("example").branch("main")
            >>> _ = branch.upload_many([("a.csv", b"1,2\n"), ("b.csv", b"3,4\n")])
            >>> [each.content for each in branch.download_many(["b.csv", {"path": "a.csv", "end": 1}])]
            [b'3,4\n', b'1']
        """
        from lakefs_hl._bulk.many import download_many

        return fileio.transfer(download_many(self, paths, total, max_workers, on_error, progress), "download_many")

    download_many_concurrent = download_many

    @overload
    def download_dir(
        self,
        prefix: Prefix,
        local_dir: str | PathLike[str],
        *,
        dry_run: Literal[False] = False,
        **given: Unpack[DownloadOptions],
    ) -> TransferReport: ...
    @overload
    def download_dir(
        self,
        prefix: Prefix,
        local_dir: str | PathLike[str],
        *,
        dry_run: Literal[True],
        **given: Unpack[DownloadOptions],
    ) -> Plan: ...
    @overload
    def download_dir(
        self, prefix: Prefix, local_dir: str | PathLike[str], *, dry_run: bool, **given: Unpack[DownloadOptions]
    ) -> TransferReport | Plan: ...
    def download_dir(
        self,
        prefix: Prefix,
        local_dir: str | PathLike[str],
        *,
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
    ) -> TransferReport | Plan:
        r"""Download the objects under a prefix to a local directory.

        All names are checked before anything is written. A file appears under its name when it is complete and
        verified. It has the modification time of the file that its object was uploaded from, else of the object. A call
        that was interrupted is continued by the same call. Nothing is written outside of the directory, nor through a
        link.

        From a commit or a tag, all files are of that commit. From a branch, objects are read as they were listed: one
        that changes meanwhile is a failure.

        Args:
            prefix: The prefix. A slash is added at its end. "" is the root.
            local_dir: The local directory, which is created if needed.
            update: True downloads objects that are newer than their file or have none, and skips those with equal
                content: a different file that is newer stays. `checksum` downloads all objects with different content.
                Defaults to downloading all objects.
            continue_: Whether a local file that is shorter than its object and not older is continued. The whole is
                verified, and else fetched anew.
            include: Globs of the objects to download, relative to the prefix, as in an ignore file. Defaults to all.
            exclude: Globs of what to leave out.
            ignore_file_names: Names of files in the local directory, in the format of `.gitignore`.
            filter: Called with the relative path of each object and directory, the latter with a slash at its end.
                False leaves it out.
            delete: Whether to delete local files that the prefix does not have, after everything was downloaded without
                an error. What was left out is not deleted.
            dry_run: Return a plan of what the call would do, and do nothing.
            only: Paths of objects to which the call is limited, such as `report.failed`.
            resume: Whether to continue an interrupted call. False starts anew.
            on_invalid: What becomes of an object whose path is no safe name of a local file: `error` downloads nothing,
                `skip` leaves it out, `encode` replaces what is not safe by percent signs and digits.
            max_workers: Maximum number of concurrent requests. Defaults to what the server takes.
            on_error: Whether failures are raised after all objects were tried, or only returned.
            progress: Takes events or shows a bar. Defaults to a bar in a terminal and in a notebook.

        Returns:
            What was transferred, skipped, deleted and what failed; the plan with `dry_run`.

        Raises:
            PartialFailureError: Some objects failed; they are in its `report`.
            NotFoundException: The repository or the reference does not exist, or no object is under the prefix.
            OSError: The directory cannot be written, or the same call is running already.

        Examples:
            >>> branch = lakefs.repository("example").branch("main")
            >>> _ = branch.upload(b"1,2\n", "raw/2026/a.csv")
            >>> branch.download_dir("raw", "data").transferred
            1
            >>> from pathlib import Path
            >>> Path("data/2026/a.csv").read_text()
            '1,2\n'
        """
        from lakefs_hl._bulk.downloading import download_dir
        from lakefs_hl._bulk.options import options_of

        options = options_of(
            update=update,
            include=include,
            exclude=exclude,
            ignore_file_names=ignore_file_names,
            filter=filter,
            delete=delete,
            dry_run=dry_run,
            only=only,
            resume=resume,
            max_workers=max_workers,
            on_error=on_error,
            progress=progress,
        )
        work = download_dir(self, prefix, local_dir, options, on_invalid, continue_)
        found: TransferReport | Plan = fileio.as_plan(fileio.transfer(work, "download_dir"), self._given)
        return found

    @overload
    def sync_to(
        self,
        prefix: Prefix,
        local_dir: str | PathLike[str],
        *,
        dry_run: Literal[False] = False,
        **given: Unpack[SyncToOptions],
    ) -> TransferReport: ...
    @overload
    def sync_to(
        self, prefix: Prefix, local_dir: str | PathLike[str], *, dry_run: Literal[True], **given: Unpack[SyncToOptions]
    ) -> Plan: ...
    @overload
    def sync_to(
        self, prefix: Prefix, local_dir: str | PathLike[str], *, dry_run: bool, **given: Unpack[SyncToOptions]
    ) -> TransferReport | Plan: ...
    def sync_to(
        self,
        prefix: Prefix,
        local_dir: str | PathLike[str],
        *,
        delete: bool = False,
        dry_run: bool = False,
        include: str | Iterable[str] | None = None,
        exclude: str | Iterable[str] | None = None,
        ignore_file_names: Iterable[str] = frozenset(),
        filter: PathFilter | None = None,
        only: Iterable[str | TransferFailure] | None = None,
        resume: bool = True,
        on_invalid: Literal["error", "skip", "encode"] = "error",
        max_workers: int | None = None,
        on_error: Literal["raise", "return"] = "raise",
        progress: ProgressLike | None = None,
    ) -> TransferReport | Plan:
        """Bring a local directory to the state of a prefix: download what differs.

        It is `download_dir` with `update="checksum"`, whose other options have their defaults.

        Args:
            prefix: The prefix. "" is the root.
            local_dir: The local directory, which is created if needed.
            delete: Whether to delete local files that the prefix does not have, at the end and only if nothing failed.
            dry_run: Return a plan of what the call would do, and do nothing.
            include: Globs of the objects to compare, as for `download_dir`.
            exclude: Globs of what to leave out. It is neither downloaded nor deleted.
            ignore_file_names: Names of files in the format of `.gitignore` in the local directory.
            filter: Called with the relative path of each object and directory. False leaves it out.
            only: Paths of objects to which the call is limited, such as `report.failed`.
            resume: Whether to continue an interrupted call. False starts anew.
            on_invalid: What to do with an object whose path cannot be the name of a local file, as for `download_dir`.
            max_workers: Maximum number of concurrent requests. Defaults to what the server takes.
            on_error: Whether failures are raised after all objects were tried, or only returned.
            progress: Takes events or shows a bar. Defaults to a bar in a terminal and in a notebook.

        Raises:
            ObjectNotFoundException: No object is under the prefix. Nothing was deleted.
            PartialFailureError: Some objects failed; they are in its `report`.

        Examples:
            >>> branch = lakefs.repository("example").branch("main")
            >>> _ = branch.upload(b"1,2", "raw/a.csv")
            >>> branch.sync_to("raw", "data", dry_run=True)
            <Plan lakefs://example/main/raw/ -> .../data: download 1 (3 B)>
            >>> branch.sync_to("raw", "data", delete=True).transferred
            1
        """
        return self.download_dir(
            prefix,
            local_dir,
            update="checksum",
            delete=delete,
            dry_run=dry_run,
            include=include,
            exclude=exclude,
            ignore_file_names=ignore_file_names,
            filter=filter,
            only=only,
            resume=resume,
            on_invalid=on_invalid,
            max_workers=max_workers,
            on_error=on_error,
            progress=progress,
        )

    def download_file(
        self,
        path: ObjectPath,
        local_path: str | PathLike[str],
        *,
        update: bool | Literal["checksum"] = False,
        continue_: bool = False,
        progress: ProgressLike | None = None,
        verify: bool = True,
    ) -> Path:
        r"""Download an object to a local file, which appears under its name when it is complete and verified.

        The file gets the modification time of the file that the object was uploaded from, else of the object. An
        interrupted download of a large object is continued by the same call.

        Args:
            path: Path of the object.
            local_path: The file, which is replaced if it exists; or a directory, in which the file gets the object's
                name. Directories are created.
            update: True downloads only if there is no file or the object is newer, and not if the content is equal.
                `checksum` downloads if the content differs.
            continue_: Whether a local file that is shorter than the object and not older is continued. The whole is
                verified, and else fetched anew.
            progress: Takes events or shows a bar. Defaults to a bar in a terminal and in a notebook.
            verify: Whether to compare the content with the object's checksum: its MD5, or that of an upload in parts
                of a usual length. Parts of another length cannot be told from damage: such an object is read twice.

        Returns:
            The path of the file.

        Raises:
            ObjectNotFoundException: The object does not exist.
            IntegrityError: The content did not match its checksum in three attempts.
            OSError: The file cannot be written.

        Examples:
            >>> branch = lakefs.repository("example").branch("main")
            >>> _ = branch.upload(b"1,2\n", "raw/a.csv")
            >>> branch.download_file("raw/a.csv", "data/").read_text()
            '1,2\n'
        """
        from lakefs_hl._bulk.files import download_file

        return fileio.transfer(
            download_file(self, path, local_path, update, continue_, verify, progress), "download_file"
        )


class TransferWrites(TransferReads):
    """The part of the write operations that moves many objects."""

    __module__ = "lakefs_hl"

    def upload_many(
        self,
        items: fileio.Items[tuple[ObjectPath, fileio.Data] | Mapping[str, Any]],
        *,
        total: int | None = None,
        max_workers: int | None = None,
        on_error: Literal["raise", "return"] = "raise",
        commit_message: str | None = None,
        progress: ProgressLike | None = None,
    ) -> TransferReport:
        r"""Write many objects. A generator is read only as far as objects are under way, so it may be of any length.

        Args:
            items: Pairs of a path and data, given as for `upload`; or dictionaries with `path` (or `key`), `data` (or
                `content`), and optionally `content_type`, `metadata`, `tags`, `repository` (or `bucket`) and `branch`.
            total: Number of items, for the progress of a generator.
            max_workers: Maximum number of concurrent requests. Defaults to what the server takes.
            on_error: Whether failures are raised after all items were tried, or only returned.
            commit_message: Make one commit of all objects with this message, atomically: all of them or, if one
                failed, none. Defaults to leaving them as staged changes.
            progress: Takes events or shows a bar. Defaults to a bar in a terminal and in a notebook.

        Returns:
            What was transferred, and what failed.

        Raises:
            PartialFailureError: Some objects failed; they are in its `report`.
            NotFoundException: The repository or the branch does not exist.
            TypeError: An item is neither a pair nor a dictionary. Items before it may have been written.

        Examples:
            >>> branch = lakefs.repository("example").branch("main")
            >>> items = ((f"part-{number}.csv", f"{number}\n") for number in range(100))
            >>> report = branch.upload_many(items, commit_message="Load 100 parts")
            >>> report.transferred, report.ok
            (100, True)
        """
        from lakefs_hl._bulk.many import upload_many

        work = upload_many(self, items, total, max_workers, on_error, commit_message, progress)
        return fileio.transfer(work, "upload_many")

    upload_many_concurrent = upload_many

    @overload
    def upload_dir(
        self,
        local_dir: str | PathLike[str],
        prefix: Prefix = "",
        *,
        dry_run: Literal[False] = False,
        **given: Unpack[UploadOptions],
    ) -> TransferReport: ...
    @overload
    def upload_dir(
        self,
        local_dir: str | PathLike[str],
        prefix: Prefix = "",
        *,
        dry_run: Literal[True],
        **given: Unpack[UploadOptions],
    ) -> Plan: ...
    @overload
    def upload_dir(
        self,
        local_dir: str | PathLike[str],
        prefix: Prefix = "",
        *,
        dry_run: bool,
        **given: Unpack[UploadOptions],
    ) -> TransferReport | Plan: ...
    def upload_dir(
        self,
        local_dir: str | PathLike[str],
        prefix: Prefix = "",
        *,
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
    ) -> TransferReport | Plan:
        r"""Upload the files of a local directory under a prefix.

        A call that was interrupted is continued by the same call: what it has uploaded is not uploaded again. Links,
        and what is neither a file nor a directory, are skipped and reported.

        Args:
            local_dir: The local directory.
            prefix: Where its files go. A slash is added at its end. Defaults to the root.
            update: True uploads files that are newer than their object or have none, and skips those with equal
                content: a different object that is newer stays. `checksum` uploads all files with different content.
                Defaults to uploading all files.
            include: Globs of the files to upload, relative to the directory, as in an ignore file. Defaults to all.
            exclude: Globs of files and directories to leave out.
            ignore_file_names: Names of files in the format of `.gitignore` that say what to leave out of their
                directory, such as `{".lakefsignore"}`.
            filter: Called with the relative path of each file and directory, the latter with a slash at its end. False
                leaves it out.
            follow_symlinks: Whether to follow links to places inside the directory.
            delete: Whether to delete objects under the prefix that the directory does not have, after everything was
                uploaded without an error. What was left out is not deleted.
            dry_run: Return a plan of what the call would do, and do nothing.
            only: Paths of objects to which the call is limited, such as `report.failed`.
            resume: Whether to continue an interrupted call. False starts anew.
            max_workers: Maximum number of concurrent requests. Defaults to what the server takes.
            on_error: Whether failures are raised after all files were tried, or only returned.
            commit_message: Make one commit of all files with this message, atomically: all of them or, if one failed,
                none. Defaults to leaving them as staged changes.
            commit_metadata: Metadata of that commit.
            metadata: User metadata of each object, besides the modification time of its file.
            progress: Takes events or shows a bar. Defaults to a bar in a terminal and in a notebook.

        Returns:
            What was transferred, skipped, deleted and what failed; the plan with `dry_run`.

        Raises:
            PartialFailureError: Some files failed; they are in its `report`.
            NotFoundException: The repository or the branch does not exist.
            OSError: The directory cannot be read, or the same call is running already.
            TransactionException: The commit or its merge was refused. Nothing was changed.

        Examples:
            >>> from pathlib import Path
            >>> Path("data").mkdir()
            >>> _ = Path("data/a.csv").write_text("1,2\n")
            >>> branch = lakefs.repository("example").branch("main")
            >>> report = branch.upload_dir("data", "raw", commit_message="Load the raw data")
            >>> report.transferred
            1
            >>> branch.upload_dir("data", "raw", update=True).skipped
            1
        """
        from lakefs_hl._bulk.options import options_of
        from lakefs_hl._bulk.uploading import upload_dir

        options = options_of(
            update=update,
            include=include,
            exclude=exclude,
            ignore_file_names=ignore_file_names,
            filter=filter,
            follow_symlinks=follow_symlinks,
            delete=delete,
            dry_run=dry_run,
            only=only,
            resume=resume,
            max_workers=max_workers,
            on_error=on_error,
            progress=progress,
        )
        work = upload_dir(self, local_dir, prefix, options, metadata, commit_message, commit_metadata)
        found: TransferReport | Plan = fileio.as_plan(fileio.transfer(work, "upload_dir"), self._given)
        return found

    @overload
    def sync_from(
        self,
        local_dir: str | PathLike[str],
        prefix: Prefix = "",
        *,
        dry_run: Literal[False] = False,
        **given: Unpack[SyncFromOptions],
    ) -> TransferReport: ...
    @overload
    def sync_from(
        self,
        local_dir: str | PathLike[str],
        prefix: Prefix = "",
        *,
        dry_run: Literal[True],
        **given: Unpack[SyncFromOptions],
    ) -> Plan: ...
    @overload
    def sync_from(
        self,
        local_dir: str | PathLike[str],
        prefix: Prefix = "",
        *,
        dry_run: bool,
        **given: Unpack[SyncFromOptions],
    ) -> TransferReport | Plan: ...
    def sync_from(
        self,
        local_dir: str | PathLike[str],
        prefix: Prefix = "",
        *,
        delete: bool = False,
        dry_run: bool = False,
        include: str | Iterable[str] | None = None,
        exclude: str | Iterable[str] | None = None,
        ignore_file_names: Iterable[str] = frozenset(),
        filter: PathFilter | None = None,
        follow_symlinks: bool = False,
        only: Iterable[str | TransferFailure] | None = None,
        resume: bool = True,
        max_workers: int | None = None,
        on_error: Literal["raise", "return"] = "raise",
        commit_message: str | None = None,
        commit_metadata: Mapping[str, str] | None = None,
        progress: ProgressLike | None = None,
    ) -> TransferReport | Plan:
        """Bring a prefix to the state of a local directory: upload what differs.

        It is `upload_dir` with `update="checksum"`, whose other options have their defaults.

        Args:
            local_dir: The local directory.
            prefix: The prefix. Defaults to the root.
            delete: Whether to delete objects that the directory does not have, at the end and only if nothing failed.
            dry_run: Return a plan of what the call would do, and do nothing.
            include: Globs of the files to compare, as for `upload_dir`.
            exclude: Globs of what to leave out. It is neither uploaded nor deleted.
            ignore_file_names: Names of files in the format of `.gitignore`.
            filter: Called with the relative path of each file and directory. False leaves it out.
            follow_symlinks: Whether to follow links to places inside the directory.
            only: Paths of objects to which the call is limited, such as `report.failed`.
            resume: Whether to continue an interrupted call. False starts anew.
            max_workers: Maximum number of concurrent requests. Defaults to what the server takes.
            on_error: Whether failures are raised after all files were tried, or only returned.
            commit_message: Make one commit of all changes with this message, atomically.
            commit_metadata: Metadata of that commit.
            progress: Takes events or shows a bar. Defaults to a bar in a terminal and in a notebook.

        Raises:
            PartialFailureError: Some files failed; they are in its `report`.

        Examples:
            >>> from pathlib import Path
            >>> Path("data").mkdir()
            >>> _ = Path("data/a.csv").write_text("1,2")
            >>> branch = lakefs.repository("example").branch("main")
            >>> _ = branch.upload(b"", "raw/old.csv")
            >>> report = branch.sync_from("data", "raw", delete=True)
            >>> report.transferred, report.deleted
            (1, 1)
        """
        return self.upload_dir(
            local_dir,
            prefix,
            update="checksum",
            delete=delete,
            dry_run=dry_run,
            include=include,
            exclude=exclude,
            ignore_file_names=ignore_file_names,
            filter=filter,
            follow_symlinks=follow_symlinks,
            only=only,
            resume=resume,
            max_workers=max_workers,
            on_error=on_error,
            commit_message=commit_message,
            commit_metadata=commit_metadata,
            progress=progress,
        )

    def upload_file(
        self,
        local_path: str | PathLike[str],
        path: ObjectOrPrefix | None = None,
        *,
        update: bool | Literal["checksum"] = False,
        progress: ProgressLike | None = None,
        verify: bool = True,
        metadata: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> ObjectInfo:
        r"""Upload a local file and verify its checksum.

        The modification time of the file is kept in the metadata of the object, where lakectl keeps it too.

        A file of more than 64 MiB is sent in parts where the server's object store offers that. If the process is
        killed, or the server can no longer be reached, the same call continues the upload within a day, unless the
        file has changed. What was sent is removed from the store if the upload fails otherwise or is interrupted.

        Args:
            local_path: The file.
            path: Destination path. One that ends with a slash gets the name of the file. Defaults to that name.
            update: True uploads only if there is no object or the file is newer, and not if the content is equal.
                `checksum` uploads if the content differs.
            progress: Takes events or shows a bar. Defaults to a bar in a terminal and in a notebook.
            verify: Whether to compare the MD5 of what was sent with the checksum that the lake stored. False skips
                that. A file that changes while it is read is an error in any case.
            metadata: User metadata, besides the modification time.
            tags: Tags of the object, as `set_tags` stores them.

        Returns:
            The object as it was stored, or as it is if it stays.

        Raises:
            OSError: The file cannot be read, or changed while it was uploaded.
            IntegrityError: The stored checksum does not match.

        Examples:
            >>> from pathlib import Path
            >>> _ = Path("a.csv").write_text("1,2\n")
            >>> branch = lakefs.repository("example").branch("main")
            >>> branch.upload_file("a.csv", "raw/").path
            'raw/a.csv'
        """
        from lakefs_hl._bulk.files import upload_file

        work = upload_file(self, local_path, path, update, progress, verify, metadata, tags)
        return self._object(fileio.transfer(work, "upload_file"))
