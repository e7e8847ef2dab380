"""Facades of a reference: its objects as files, one object as a handle, and its snapshot on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from lakefs_hl._handles import facades, paths
from lakefs_hl._handles.handle import Handle, reference_name
from lakefs_hl.spec.sizes import byte_count

if TYPE_CHECKING:
    from collections.abc import Iterable
    from os import PathLike
    from pathlib import Path

    from lakefs_hl._handles.objects import ObjectOrPrefix, ObjectPath, Prefix
    from lakefs_hl.facades.aio.files import Files
    from lakefs_hl.facades.aio.handles import ObjectHandle
    from lakefs_hl.facades.tables import TableDiff
    from lakefs_hl.types import ProgressLike


class FacadeReads(Handle):
    """The part of the read operations that returns facades."""

    __module__ = "lakefs_hl.aio"

    def files(
        self,
        prefix: Prefix = "",
        *,
        progress: ProgressLike | str | None = None,
        max_workers: int | None = None,
        num_threads: int | None = None,
        compress: str | bool | None = None,
        green: bool | None = None,
        checksum: Literal["crc32c"] | None = None,
    ) -> Files:
        r"""Return the objects under a prefix as files, with the calls of CloudFiles. Sends no request.

        Those of a commit, a tag or a ref expression are read-only.

        Args:
            prefix: The prefix, which paths are relative to. A slash is added at its end. "" is the root.
            progress: Takes events or shows a bar, which a string is the title of. Defaults to a bar in a terminal and
                in a notebook.
            max_workers: Maximum number of concurrent requests. Defaults to what the server takes.
            num_threads: Same as `max_workers`.
            compress: Encoding that `put` stores files in: "gzip", "br" or "zstd". Defaults to none.
            green: Make concurrent calls in greenlets, for a program that gevent has patched.
            checksum: "crc32c" to store the CRC32C of each file that is written with it, and compare it with what is
                read. It needs the extra `checksums`.

        Raises:
            RuntimeError: `green` is True, and gevent has not patched the sockets.
            ValueError: There is no such encoding.

        Examples:
            >>> files = branch.files("raw")
            >>> _ = await files.put("a.txt", b"hello world")
            >>> await files.get({"path": "a.txt", "start": 0, "end": 5})
            b'hello'
        """
        module: Any = facades.load(__name__, "files")
        found: Files = module.files_of(
            self, paths.prefix(prefix, self), progress, max_workers, num_threads, compress, green, checksum
        )
        return found

    def object(self, path: ObjectPath) -> ObjectHandle:
        """Return a handle of one object, which need not exist. Sends no request.

        Args:
            path: Path of the object.

        Examples:
            >>> handle = branch.object("raw/a.txt")
            >>> _ = await handle.put(b"hello")
            >>> await handle.get()
            b'hello'
        """
        module: Any = facades.load(__name__, "handles")
        found: ObjectHandle = module.ObjectHandle(self, paths.object_path(path, self))
        return found

    async def table_diff(
        self,
        other: str | Handle,
        path: ObjectOrPrefix,
        keys: str | Iterable[str] | None = None,
        *,
        other_path: ObjectOrPrefix | None = None,
        format: Literal["parquet", "csv", "tsv", "arrow"] | None = None,
        delimiter: str | None = None,
        ignore: str | Iterable[str] = (),
        tolerance: float = 0.0,
        max_rows: int | None = 100_000,
        memory: int = 512 << 20,
    ) -> TableDiff:
        r"""Compare a table at two references: its rows, its columns and their types.

        "added" is what `other` has and this reference has not, as for `diff`. Staged changes of a branch are part of
        it. Needs the extra `tables`.

        A table is an object, or all objects under a prefix, also in directories such as `year=2026/`, whose names are
        columns. Objects that are identical in both versions are not read. All others are copied to a temporary
        directory first.

        Args:
            other: A reference of this repository, by name or as a handle.
            path: Path of the object, or the prefix. If only one version has the table, all its rows are added or
                removed.
            keys: Columns whose values identify a row: they are not null, and no two rows of a version have the same.
                Without them, whole rows are compared: those are added or removed which one version has more often.
            other_path: Path of the table in `other`. Defaults to `path`.
            format: What the objects are read as. "arrow" is an IPC file or stream, such as Feather. Defaults to what
                their suffixes say. CSV may be compressed by gzip, bzip2, zstd or lz4.
            delimiter: Character between the fields of a CSV file. Defaults to a comma, of "tsv" to a tab.
            ignore: Columns that are not compared.
            tolerance: Difference between two numbers up to which they are equal: absolute between -1 and 1, else
                relative to the larger one. It does not apply to keys, and not inside of lists and structs.
            max_rows: Rows of each kind to keep. Counts are exact. None keeps all of them in memory.
            memory: Memory to use, in bytes, about. Larger tables are split by their keys, in files of the temporary
                directory. The rows that are kept come on top. At least 16 MiB.

        Raises:
            ObjectNotFoundException: Neither version has the table.
            NotFoundException: A reference does not exist.
            ObjectChangedError: An object was replaced while the table was read.
            UnsupportedOperationException: It is a Delta, Iceberg or Hudi table, or a column has a type whose values
                are not compared.
            ValueError: The keys do not identify rows, a file is damaged, or the format is not known.
            ImportError: pyarrow is not installed.

        Examples:
            >>> branch = lakefs.repository("example").branch("main")
            >>> _ = await branch.upload("id,price\n1,10\n2,20\n", "prices.csv")
            >>> first = await branch.commit_changes("first")
            >>> _ = await branch.upload("id,price\n1,11\n2,20\n", "prices.csv")
            >>> diff = await first.table_diff(branch, "prices.csv", keys="id")
            >>> [(row.key, row.before["price"], row.after["price"]) for row in diff]
            [({'id': 1}, 10, 11)]
        """
        module: Any = facades.load(__name__, "tables")
        place = paths.path_or_prefix(path, self)
        name = reference_name(other, "other", self)
        there = self._at(name)
        moved = place if other_path is None else paths.path_or_prefix(other_path, there, "other_path")
        given = module.check_arguments(place, moved, keys, format, delimiter, ignore, tolerance, max_rows, memory)
        found: TableDiff = await module.table_diff(self, there, given)
        return found

    def _at(self, reference_id: str) -> Any:
        """Return another reference of the repository, with the same client."""
        from lakefs_hl.aio.refs import Reference

        return Reference(self._repository_id, reference_id, self._given)


class CachedReads(Handle):
    """The part of a reference that is kept on this machine."""

    __module__ = "lakefs_hl.aio"

    async def snapshot_download(
        self,
        prefix: Prefix = "",
        *,
        include: str | Iterable[str] | None = None,
        exclude: str | Iterable[str] | None = None,
        on_invalid: Literal["error", "skip", "encode"] = "error",
        cache_dir: str | PathLike[str] | None = None,
        max_size: int | str | None = None,
        local_files_only: bool = False,
        verify: bool = False,
        max_workers: int | None = None,
        progress: ProgressLike | None = None,
    ) -> Path:
        r"""Return a read-only directory on this machine with the objects of one version, downloaded if needed.

        The version is the commit that the reference points to now. Uncommitted changes of a branch are not part of it.
        The same version has the same directory in all processes, and is downloaded once: after that, a branch or a tag
        takes one request, which looks up its commit, and a full commit ID none.

        The directory is complete, and all files were verified. Files are read-only. One that was changed or removed is
        downloaded again. Content that another snapshot has is copied from there. An interrupted call is
        continued by the same call. Calls of several processes and threads wait for the one that downloads.

        A snapshot stays while the process that was given it is alive, and for ten minutes after each call. Then it may
        be removed to make room for others: call this again in place of keeping the path.

        When the client is offline (`LAKEFS_HL_OFFLINE=1`), nothing is sent. A branch or a tag is then the commit that
        it was in the last call with the same arguments.

        Args:
            prefix: The prefix, which paths in the directory are relative to. A slash is added at its end. "" is the
                root.
            include: Globs of the objects, as for `download_dir`. Defaults to all.
            exclude: Globs of what to leave out.
            on_invalid: What becomes of an object whose path is no safe name of a local file: `error` downloads nothing,
                `skip` leaves it out, `encode` replaces what is not safe by percent signs and digits.
            cache_dir: Directory of the cache. All callers that name it share it: anyone who can read it can read the
                snapshots, also with other credentials. Defaults to the cache directory of the user
                (`LAKEFS_HL_CACHE_DIR`), where each access key has snapshots of its own.
            max_size: Size of the cache, in bytes or as "50GiB", beyond which the snapshots are removed that were used
                least recently. Defaults to that of the client, which is 10 GiB unless `LAKEFS_HL_CACHE_SIZE` or
                `cache_size` says otherwise.
            local_files_only: Whether to return only what is in the cache, and to send nothing.
            verify: Whether to read all files that are in the cache, and to compare them with their checksums. By
                default their sizes and times are compared.
            max_workers: Maximum number of concurrent requests. Defaults to what the server takes.
            progress: Takes events or shows a bar. Defaults to a bar in a terminal and in a notebook.

        Returns:
            The directory.

        Raises:
            NotFoundException: The repository or the reference does not exist, or no object is under the prefix.
            PartialFailureError: Some objects failed; they are in its `report`.
            NotCachedException: The client is offline or `local_files_only` is True, and the snapshot is not cached.
            InvalidConfigError: The directory of the cache cannot be used.

        Examples:
            >>> branch = lakefs.repository("example").branch("main")
            >>> _ = await branch.upload(b"1,2\n", "raw/2026/a.csv")
            >>> _ = await branch.commit_changes("Add raw data")
            >>> path = await branch.snapshot_download("raw/", cache_dir="cache")
            >>> (path / "2026" / "a.csv").read_text()
            '1,2\n'
            >>> path == await branch.snapshot_download("raw/", cache_dir="cache")
            True
        """
        module: Any = facades.load(__name__, "cached")
        options = module.options_of(
            paths.prefix(prefix, self),
            {
                "include": include,
                "exclude": exclude,
                "on_invalid": on_invalid,
                "cache_dir": cache_dir,
                "max_size": None if max_size is None else byte_count(max_size, "max_size"),
                "local_files_only": local_files_only,
                "verify": verify,
                "max_workers": max_workers,
                "progress": progress,
            },
        )
        found: Path = await module.snapshot_download(self, options)
        return found
