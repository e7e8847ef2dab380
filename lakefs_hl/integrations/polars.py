"""Polars: lazy frames of the objects at a reference.

The readers of Polars are written in Rust and know no file systems of Python. On a lakeFS server they read from its S3
gateway, which fetches only what a query needs; elsewhere from a copy on this machine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from lakefs_hl.facades import arguments
from lakefs_hl.integrations import copies, options
from lakefs_hl.integrations.missing import explain_missing

if TYPE_CHECKING:
    import polars as pl

#: Where Polars reads from.
Via = Literal["auto", "gateway", "local"]


class PolarsReads:
    r"""Lazy frames of Polars at a reference, as `Reference.polars` returns them.

    Each call takes the path of an object, a prefix that ends with `/`, or a glob such as `"tables/*.parquet"`, and the
    arguments of the function of Polars with the same name. Needs the extra `polars`.

    With `via="auto"`, a lakeFS server is read through its S3 gateway, so that filters and columns are pushed down. An
    embedded lake has no gateway, and a client without an access key cannot use one: then the objects that the path
    names are copied to this machine first, once for each version, and Polars reads the copy.

    Examples:
        >>> branch = lakefs.repository("example").branch("main")
        >>> _ = branch.upload("id,price\n1,10\n2,20\n", "prices.csv")
        >>> branch.polars.scan_csv("prices.csv").select("price").sum().collect().item()  # doctest: +SKIP
        30
    """

    __module__ = "lakefs_hl.types"

    def __init__(self, reference: Any) -> None:
        self._reference = reference

    def __repr__(self) -> str:
        return f"<PolarsReads {self._reference.uri}>"

    def scan_parquet(self, path: str, *, via: Via = "auto", **given: Any) -> pl.LazyFrame:
        """Return a lazy frame of Parquet files.

        Args:
            path: Path of an object, a prefix, or a glob.
            via: "gateway" to read through the S3 gateway of the server, "local" to read a copy on this machine, "auto"
                to choose.
            given: Arguments of `polars.scan_parquet`.

        Raises:
            NotFoundException: A copy is made, and nothing is there.
            UnsupportedOperationException: `via` is "gateway", and there is none, or the client has no access key.
            ModuleNotFoundError: Polars is not installed.
        """
        return self._scan("scan_parquet", path, via, given)

    def scan_csv(self, path: str, *, via: Via = "auto", **given: Any) -> pl.LazyFrame:
        """Return a lazy frame of CSV files. Arguments and errors are those of `scan_parquet`."""
        return self._scan("scan_csv", path, via, given)

    def scan_ipc(self, path: str, *, via: Via = "auto", **given: Any) -> pl.LazyFrame:
        """Return a lazy frame of Arrow IPC files, such as Feather. Arguments and errors are those of `scan_parquet`."""
        return self._scan("scan_ipc", path, via, given)

    def scan_ndjson(self, path: str, *, via: Via = "auto", **given: Any) -> pl.LazyFrame:
        """Return a lazy frame of JSON lines. Arguments and errors are those of `scan_parquet`."""
        return self._scan("scan_ndjson", path, via, given)

    def _scan(self, name: str, path: str, via: object, given: dict[str, Any]) -> pl.LazyFrame:
        with explain_missing(f"polars.{name}()", "polars", extra="polars"):
            import polars as pl
        scan: Callable[..., pl.LazyFrame] = getattr(pl, name)
        found = arguments.text(path, "path")
        if self._is_by_gateway(arguments.choice(via, "via", ("auto", "gateway", "local")), name, found):
            client = self._reference._client
            bucket = client._full_name(self._reference.repository_id)
            opened = options.storage_options(self._reference, "polars")
            return scan(f"s3://{bucket}/{self._reference.id}/{found}", **{"storage_options": opened, **given})
        return scan(copies.local_copy(self._reference, found, glob=given.get("glob", True)), **given)

    def _is_by_gateway(self, via: str, name: str, path: str) -> bool:
        if via == "local":
            return False
        client = self._reference._client
        if not client._in_process and not client._session.gateway.fault:
            client.storage_config  # noqa: B018 - a response tells whether the server is one of ours, without a gateway
        about = f"{name} of {self._reference.uri}{path} by the gateway"
        if via == "gateway":
            options.gateway_of(client, about, "polars")
        return not options.gateway_fault(client)
