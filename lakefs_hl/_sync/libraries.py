"""What a reference hands to the libraries that people bring. By hand: some of them exist for blocking code only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from lakefs_hl._handles import paths
from lakefs_hl._handles.handle import Handle
from lakefs_hl._handles.libraries import load

if TYPE_CHECKING:
    from typing import Literal

    from duckdb import DuckDBPyConnection

    from lakefs_hl._files.reader import RawReader
    from lakefs_hl._handles.objects import ObjectOrPrefix
    from lakefs_hl.filesystem import LakeFSFileSystem
    from lakefs_hl.integrations.options import Library
    from lakefs_hl.integrations.polars import PolarsReads


class LibraryReads(Handle):
    """The part of the read operations that is for other libraries."""

    __module__ = "lakefs_hl"

    @overload
    def storage_options(self, library: Literal["duckdb"]) -> str: ...
    @overload
    def storage_options(
        self, library: Literal["pandas", "fsspec", "polars", "delta", "boto3", "s3fs", "pyarrow", "spark"]
    ) -> dict[str, Any]: ...
    def storage_options(self, library: Library) -> dict[str, Any] | str:
        """Return the options that a library needs to read and write where this reference is. Sends no request.

        They hold the client's access key and its secret, which the `repr` of the result hides, and its pickle does not.

        "pandas" and "fsspec" are keywords for `lakefs://` URLs, and work with every lake. All others name the S3
        gateway of a lakeFS server, where a repository is a bucket: `s3://repository/reference/path`.

        Args:
            library: One of

                - "pandas", "fsspec": `storage_options` of pandas, Dask and others; keywords of `fsspec.filesystem`
                - "polars": `storage_options` of Polars
                - "delta": `storage_options` of deltalake, for `lakefs://repository/branch/table`
                - "duckdb": text of a `CREATE SECRET` statement, for DuckDB's extension `httpfs`
                - "boto3": keywords of `boto3.client("s3")`
                - "s3fs": keywords of `s3fs.S3FileSystem`
                - "pyarrow": keywords of `pyarrow.fs.S3FileSystem`
                - "spark": settings of Spark for S3A and this repository, as `Client.spark_conf` returns them

        Raises:
            UnsupportedOperationException: It is an embedded lake, which has no S3 gateway yet, or the client has no
                access key. The message says what works instead.
            ValueError: The library is not known.

        Examples:
            >>> branch = lakefs.Branch("example", "main", lakefs.Client("https://lake.example", "AKIA", "secret"))
            >>> branch.storage_options("polars")
            {'aws_endpoint_url': 'https://lake.example', 'aws_access_key_id': 'AKIA', 'aws_secret_access_key': '…', ...}
        """
        found: dict[str, Any] | str = load("options").storage_options(self, library)
        return found

    def fs(self) -> LakeFSFileSystem:
        """Return the file system of fsspec with the client of this reference.

        Its paths are `repository/reference/path`. It can be pickled if the client can. Needs the extra `fsspec`.

        Raises:
            ModuleNotFoundError: fsspec is not installed.
        """
        found: LakeFSFileSystem = load("filesystems").file_system(self)
        return found

    def _open_raw(
        self, path: str, pre_signed: bool | None, expected_size: int | None, version: tuple[str, int] | None = None
    ) -> RawReader:
        """Open an object for the file system, which may know its size, or a version that it had open a moment ago."""
        from lakefs_hl._files.reader import RawReader

        place: Any = self  # a reference has a client
        return RawReader(place, path, pre_signed=pre_signed, expected_size=expected_size, version=version)

    def arrow_filesystem(self) -> Any:
        """Return a `pyarrow.fs.FileSystem` whose paths are those of objects at this reference.

        Needs the extras `fsspec` and `tables`.

        Raises:
            ModuleNotFoundError: pyarrow or fsspec is not installed.
        """
        return load("arrow").arrow_filesystem(self)

    def arrow_dataset(
        self, path: ObjectOrPrefix = "", *, format: Any = "parquet", partitioning: Any = "hive", **given: Any
    ) -> Any:
        """Return a `pyarrow.dataset.Dataset` of the objects under a prefix, or of one object.

        Columns and filters of its methods decide what is read. On a branch, each read sees the branch as it is then:
        `pin().arrow_dataset(…)` reads one version. Needs the extras `fsspec` and `tables`.

        Args:
            path: The prefix, or the path of an object.
            format: "parquet", "csv", "json", "feather" or "orc", or a format of pyarrow.
            partitioning: How directories name columns. Defaults to `name=value`.
            given: Further arguments of `pyarrow.dataset.dataset`.

        Raises:
            FileNotFoundError: There is no such object or prefix.
            ModuleNotFoundError: pyarrow or fsspec is not installed.
        """
        found = paths.path_or_prefix(path, self)
        return load("arrow").arrow_dataset(self, found, format, partitioning, given)

    def duckdb(self, con: DuckDBPyConnection | None = None) -> DuckDBPyConnection:
        """Return a connection of DuckDB that reads and writes `lakefs://` URLs with the client of this reference.

        All its cursors can too. Needs the extra `duckdb`.

        Args:
            con: The connection. Defaults to a new database in memory.

        Raises:
            ModuleNotFoundError: DuckDB or fsspec is not installed.
            TypeError: `con` is no connection.
            ValueError: `con` has a file system for `lakefs://` that was registered elsewhere.
        """
        found: DuckDBPyConnection = load("duck").connect(self, con)
        return found

    @property
    def polars(self) -> PolarsReads:
        """Lazy frames of Polars: `scan_parquet`, `scan_csv`, `scan_ipc` and `scan_ndjson`. Needs the extra `polars`."""
        found: PolarsReads = load("polars").PolarsReads(self)
        return found

    def __dask_tokenize__(self) -> tuple[str, ...]:
        # By the ID of the commit, so that Dask computes again what was computed before a branch moved.
        found: tuple[str, ...] = load("tokens").token(self)
        return found
