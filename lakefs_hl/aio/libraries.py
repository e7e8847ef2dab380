"""What a reference hands to the libraries that people bring. By hand: most of them exist for blocking code only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from lakefs_hl._handles.handle import Handle
from lakefs_hl._handles.libraries import load

if TYPE_CHECKING:
    from typing import Literal

    from lakefs_hl.filesystem import LakeFSAsyncFileSystem
    from lakefs_hl.integrations.options import Library


class LibraryReads(Handle):
    """The part of the read operations that is for other libraries."""

    __module__ = "lakefs_hl.aio"

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

    def fs(self) -> LakeFSAsyncFileSystem:
        """Return the file system of fsspec for asyncio with the client of this reference.

        Its paths are `repository/reference/path`, and its calls are awaited: `await fs._cat_file(path)`. It can be
        pickled if the client can. Needs the extra `fsspec`.

        Raises:
            ModuleNotFoundError: fsspec is not installed.
        """
        found: LakeFSAsyncFileSystem = load("filesystems").async_file_system(self)
        return found

    def __dask_tokenize__(self) -> tuple[str, ...]:
        # Dask does not await: unique, unless it is a commit.
        found: tuple[str, ...] = load("tokens").token_without_request(self)
        return found
