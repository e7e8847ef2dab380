"""Storage options: what other libraries call the endpoint and the credentials of a client.

The S3 ones name lakeFS's S3 gateway, where a repository is a bucket, and a reference the first part of a key:
`s3://repository/reference/path`. It takes addresses with the bucket in the path, any region, and no checksums of
trailers, which is what newer SDKs of AWS send unless told otherwise (treeverse/lakeFS#8805).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, NamedTuple, TypeAlias
from urllib.parse import urlsplit

import lakefs_hl
from lakefs_hl import aio, exceptions
from lakefs_hl.facades import arguments
from lakefs_hl.integrations.hidden import Options, Statement

#: Libraries that `storage_options` knows.
Library: TypeAlias = Literal["pandas", "fsspec", "polars", "duckdb", "delta", "boto3", "s3fs", "pyarrow", "spark"]
LIBRARIES: Final = ("pandas", "fsspec", "polars", "duckdb", "delta", "boto3", "s3fs", "pyarrow", "spark")
#: What works where a server has no S3 gateway, by library. `{ref}` is an expression for the reference.
INSTEAD: Final[Mapping[str, str]] = MappingProxyType(
    {
        "polars": "{ref}.polars.scan_parquet(path) reads a copy on this machine, and pl.read_parquet(file) reads what "
        "{ref}.open(path, 'rb') returns",
        "duckdb": "{ref}.duckdb() returns a connection that reads and writes lakefs:// URLs",
        "delta": "DeltaTable({ref}.snapshot_download('table/')) reads a copy on this machine",
        "boto3": "{ref}.download(path) and the other calls of the reference work",
        "s3fs": "{ref}.fs() is a file system of fsspec",
        "pyarrow": "{ref}.arrow_filesystem() is a file system of pyarrow",
        "spark": "spark.read.parquet('file://' + str({ref}.snapshot_download('table/'))) reads a copy on this machine",
    }
)
#: The gateway takes any region, because each signature says which one was used.
_REGION: Final = "us-east-1"
_WHEN_REQUIRED: Final = MappingProxyType(
    {"request_checksum_calculation": "when_required", "response_checksum_validation": "when_required"}
)
#: Options of a client that mean nothing elsewhere, or that the endpoint and the credentials replace.
_LEFT_OUT: Final = frozenset({"transport", "profile", "port", "pickle_secrets", "retries"})
#: Options of a client that say who calls.
_CALLER: Final = frozenset({"username", "password", "access_token", "aws_role"})


class Gateway(NamedTuple):
    """The S3 gateway of a server, and what it is signed for with.

    Attributes:
        endpoint: `http://host[:port]` or `https://host[:port]`.
        key: Access key ID.
        secret: Secret access key.
        verify: Whether certificates are verified; or the file of trusted certificate authorities.
        bucket: Name of the repository on the server. "" for all.
    """

    endpoint: str
    key: str
    secret: str
    verify: bool | str
    bucket: str = ""

    @property
    def is_http(self) -> bool:
        """Whether requests are not encrypted."""
        return self.endpoint.startswith("http://")

    @property
    def address(self) -> str:
        """`host[:port]`."""
        return urlsplit(self.endpoint).netloc


def storage_options(reference: lakefs_hl.ReadIOBase | Any, library: object) -> Options | Statement:
    """Return the options that a library needs to read and write where a reference is.

    Raises:
        UnsupportedOperationException: The library needs an S3 gateway, which the lake does not have, or an access key,
            which the client does not have.
        ValueError: The library is not known.
    """
    name = arguments.choice(library, "library", LIBRARIES)
    client = reference._client
    if name in ("pandas", "fsspec"):
        return lake_options(client)
    gateway = gateway_of(client, f"storage options of {name} for {reference.uri}", name)
    return _MAKERS[name](gateway._replace(bucket=client._full_name(reference.repository_id)))


def lake_options(client: Any) -> Options:
    """Return the keywords of `LakeFSFileSystem` for a client, which mean the same lake in every process.

    Raises:
        UnsupportedOperationException: The client has a function in place of a server.
    """
    if client._options.transport is not None:
        raise exceptions.UnsupportedOperationException(
            f"storage options of {client!r}: a function as transport has no address that others could use"
        )
    given: dict[str, Any] = client._options.given()
    found = {
        name: _plain(value) for name, value in given.items() if name not in _LEFT_OUT and name not in _CALLER | {"host"}
    }
    return Options({"host": _plain(client.endpoint), **_caller(client._settings.credentials), **found})


def _caller(credentials: Any) -> dict[str, Any]:
    """Return what says who calls, as keywords of a client."""
    if hasattr(credentials, "secret_access_key"):
        return {"username": _plain(credentials.access_key_id), "password": _plain(credentials.secret_access_key)}
    if hasattr(credentials, "value"):
        return {"access_token": _plain(credentials.value)}
    return {"aws_role": True} if hasattr(credentials, "token_ttl_seconds") else {}


def _plain(value: Any) -> Any:
    """Return a value without the types of this package, which hide secrets."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, tuple) else value


def gateway_fault(client: Any) -> str:
    """Return why a client cannot use an S3 gateway; "" if it can, as far as is known without a request."""
    if client._in_process:
        return "an embedded lake has no S3 gateway yet"
    if client._session.links is not None:
        return f"{client.endpoint} is a served embedded lake, which has no S3 gateway yet"
    if client._options.transport is not None:
        return "a function as transport has no S3 gateway"
    fault: str = client._session.gateway.fault
    return fault


def gateway_of(client: Any, about: str, library: str, reference: str = "branch") -> Gateway:
    """Return the S3 gateway of a client's server. Sends no request.

    Args:
        client: The client.
        about: What was asked, for messages.
        library: What needs it.
        reference: Expression for a reference, for messages.

    Raises:
        UnsupportedOperationException: There is none, or the client has no access key.
    """
    if fault := gateway_fault(client):
        instead = INSTEAD[library].format(ref=reference)
        raise exceptions.UnsupportedOperationException(f"{about}: {fault}; {instead}")
    found = client._session.gateway
    settings, options = client._settings, client._options
    verify: bool | str = _plain(settings.ca_cert) if settings.ca_cert and options.verify_ssl else options.verify_ssl
    keys = found.keys
    return Gateway(_plain(found.endpoint), _plain(keys.access_key_id), _plain(keys.secret_access_key), verify)


# -- one function for each library: its names for the same values ------------------------------------------------------


def _object_store(prefix: str, gateway: Gateway) -> Options:
    """Return the options of Rust's `object_store`, which Polars and delta-rs use."""
    found = {
        f"{prefix}access_key_id": gateway.key,
        f"{prefix}secret_access_key": gateway.secret,
        f"{prefix}region": _REGION,
    }
    if gateway.is_http:
        found[f"{prefix}allow_http"] = "true"
    if gateway.verify is False:
        found[f"{prefix}allow_invalid_certificates"] = "true"
    return Options(found)


def _polars(gateway: Gateway) -> Options:
    return Options({"aws_endpoint_url": gateway.endpoint, **_object_store("aws_", gateway)})


def _delta(gateway: Gateway) -> Options:
    return Options({"endpoint": gateway.endpoint, **_object_store("", gateway)})


def _duckdb(gateway: Gateway) -> Statement:
    def text(value: str) -> str:
        return "'" + value.replace("'", "''") + "'"

    return Statement(
        f'CREATE OR REPLACE SECRET "lakefs_{gateway.bucket}" (TYPE s3, ENDPOINT {text(gateway.address)}, '
        f"URL_STYLE 'path', USE_SSL {str(not gateway.is_http).lower()}, REGION '{_REGION}', "
        f"SCOPE {text(f's3://{gateway.bucket}/')}, KEY_ID {text(gateway.key)}, SECRET {text(gateway.secret)})"
    )


def _boto3(gateway: Gateway) -> Options:
    try:
        from botocore.config import Config
    except ModuleNotFoundError as exc:
        if exc.name not in ("botocore", "botocore.config"):
            raise
        msg = "storage_options('boto3') needs boto3: pip install 'lakefs-hl[aws]'"
        raise ModuleNotFoundError(msg, name="botocore") from None
    found = {
        "endpoint_url": gateway.endpoint,
        "aws_access_key_id": gateway.key,
        "aws_secret_access_key": gateway.secret,
        "region_name": _REGION,
        "config": Config(signature_version="s3v4", s3={"addressing_style": "path"}, **_WHEN_REQUIRED),
    }
    return Options(found if gateway.verify is True else {**found, "verify": gateway.verify})


def _s3fs(gateway: Gateway) -> Options:
    client: dict[str, Any] = {"region_name": _REGION}
    if gateway.verify is not True:
        client["verify"] = gateway.verify
    return Options(
        {
            "key": gateway.key,
            "secret": gateway.secret,
            "endpoint_url": gateway.endpoint,
            "client_kwargs": client,
            "config_kwargs": {"s3": {"addressing_style": "path"}, **_WHEN_REQUIRED},
        }
    )


def _pyarrow(gateway: Gateway) -> Options:
    found = {
        "access_key": gateway.key,
        "secret_key": gateway.secret,
        "endpoint_override": gateway.address,
        "scheme": "http" if gateway.is_http else "https",
        "region": _REGION,
    }
    if isinstance(gateway.verify, str) and Path(gateway.verify).is_file():  # it takes no directory
        found["tls_ca_file_path"] = gateway.verify
    return Options(found)


def _s3a(gateway: Gateway) -> Options:
    """Return the settings of Hadoop's S3A for one bucket, or for all."""
    start = f"spark.hadoop.fs.s3a.bucket.{gateway.bucket}." if gateway.bucket else "spark.hadoop.fs.s3a."
    return Options(
        {
            f"{start}endpoint": gateway.endpoint,
            f"{start}endpoint.region": _REGION,
            f"{start}connection.ssl.enabled": str(not gateway.is_http).lower(),
            f"{start}path.style.access": "true",
            f"{start}aws.credentials.provider": "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
            f"{start}access.key": gateway.key,
            f"{start}secret.key": gateway.secret,
        }
    )


_MAKERS: Final[Mapping[str, Callable[[Gateway], Options | Statement]]] = MappingProxyType(
    {
        "polars": _polars,
        "duckdb": _duckdb,
        "delta": _delta,
        "boto3": _boto3,
        "s3fs": _s3fs,
        "pyarrow": _pyarrow,
        "spark": _s3a,
    }
)


def spark_conf(client: Any, mode: object, repositories: object) -> Options:
    """Return the settings of Spark for a client.

    Raises:
        UnsupportedOperationException: The lake has no S3 gateway, or the client no access key.
    """
    kind = arguments.choice(mode, "mode", ("s3a", "lakefsfs"))
    names = _names(repositories)
    gateway = gateway_of(client, f"settings of Spark for {client.endpoint}", "spark")
    if kind == "lakefsfs":
        start = "spark.hadoop.fs.lakefs."
        return Options(
            {
                f"{start}impl": "io.lakefs.LakeFSFileSystem",
                f"{start}endpoint": f"{_plain(client.endpoint)}/api/v1",
                f"{start}access.mode": "presigned",
                f"{start}access.key": gateway.key,
                f"{start}secret.key": gateway.secret,
            }
        )
    if names is None:
        return _s3a(gateway)
    each = (_s3a(gateway._replace(bucket=client._full_name(name))) for name in names)
    return Options({name: value for found in each for name, value in found.items()})


def _names(repositories: object) -> tuple[str, ...] | None:
    """Return names of repositories, given as names, URIs or handles. None stays None."""
    found = arguments.series(_single(repositories), "repositories")
    if found is None:
        return None
    return tuple(lakefs_hl.Repository(arguments.text(_single(one), "repositories")).id for one in found)


def _single(value: object) -> Any:
    return value.id if isinstance(value, lakefs_hl.Repository | aio.Repository) else value
