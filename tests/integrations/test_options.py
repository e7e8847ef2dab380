"""Storage options: the names that each library has for an endpoint and an access key, and where there is no gateway."""

from __future__ import annotations

import copy
import json
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import aio
from lakefs_hl.exceptions import InsecureTransportWarning, UnsupportedOperationException
from lakefs_hl.integrations import hidden, options
from tests import serving
from tests.lakes import served_lake

__all__ = ["served_lake"]

ENDPOINT, KEY, SECRET = "https://lake.example:8443", "AKIAEXAMPLE", "s3cret/'key"
NO_GATEWAY = r"an embedded lake has no S3 gateway yet; .*branch"
BY_GATEWAY = tuple(name for name in options.LIBRARIES if name not in ("pandas", "fsspec"))


def branch_of(*args: Any, **kwargs: Any) -> lakefs_hl.Branch:
    return lakefs_hl.Branch("example", "main", lakefs_hl.Client(*args, **kwargs))


@pytest.fixture(autouse=True)
def _no_certificates_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def branch() -> lakefs_hl.Branch:
    return branch_of(ENDPOINT, KEY, SECRET)


EXPECTED: dict[str, Any] = {
    "pandas": {"host": ENDPOINT, "username": KEY, "password": SECRET},
    "fsspec": {"host": ENDPOINT, "username": KEY, "password": SECRET},
    "polars": {
        "aws_endpoint_url": ENDPOINT,
        "aws_access_key_id": KEY,
        "aws_secret_access_key": SECRET,
        "aws_region": "us-east-1",
    },
    "delta": {"endpoint": ENDPOINT, "access_key_id": KEY, "secret_access_key": SECRET, "region": "us-east-1"},
    "duckdb": (
        "CREATE OR REPLACE SECRET \"lakefs_example\" (TYPE s3, ENDPOINT 'lake.example:8443', URL_STYLE 'path', "
        "USE_SSL true, REGION 'us-east-1', SCOPE 's3://example/', KEY_ID 'AKIAEXAMPLE', SECRET 's3cret/''key')"
    ),
    "s3fs": {
        "key": KEY,
        "secret": SECRET,
        "endpoint_url": ENDPOINT,
        "client_kwargs": {"region_name": "us-east-1"},
        "config_kwargs": {
            "s3": {"addressing_style": "path"},
            "request_checksum_calculation": "when_required",
            "response_checksum_validation": "when_required",
        },
    },
    "pyarrow": {
        "access_key": KEY,
        "secret_key": SECRET,
        "endpoint_override": "lake.example:8443",
        "scheme": "https",
        "region": "us-east-1",
    },
    "spark": {
        "spark.hadoop.fs.s3a.bucket.example.endpoint": ENDPOINT,
        "spark.hadoop.fs.s3a.bucket.example.endpoint.region": "us-east-1",
        "spark.hadoop.fs.s3a.bucket.example.connection.ssl.enabled": "true",
        "spark.hadoop.fs.s3a.bucket.example.path.style.access": "true",
        "spark.hadoop.fs.s3a.bucket.example.aws.credentials.provider": (
            "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider"
        ),
        "spark.hadoop.fs.s3a.bucket.example.access.key": KEY,
        "spark.hadoop.fs.s3a.bucket.example.secret.key": SECRET,
    },
}


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for one in value.values():
            yield from leaves(one)
    else:
        yield value


@pytest.mark.parametrize("library", sorted(EXPECTED))
def test_each_library_gets_its_own_names(branch: lakefs_hl.Branch, library: Any) -> None:
    found: Any = branch.storage_options(library)
    assert found == EXPECTED[library]
    if not isinstance(found, str):
        assert {type(one) for one in leaves(found)} == {str}  # no type of ours, which would hide its value elsewhere
    assert aio.Branch("example", "main", aio.Client(ENDPOINT, KEY, SECRET)).storage_options(library) == found


def test_boto3_gets_a_configuration_that_the_gateway_takes(branch: lakefs_hl.Branch) -> None:
    boto3 = pytest.importorskip("boto3", reason="the extra aws is not installed")
    client = boto3.client("s3", **branch.storage_options("boto3"))
    assert client.meta.endpoint_url == ENDPOINT
    config = client.meta.config
    assert (config.signature_version, config.s3["addressing_style"]) == ("s3v4", "path")
    assert (config.request_checksum_calculation, config.response_checksum_validation) == ("when_required",) * 2
    url = client.generate_presigned_url("get_object", {"Bucket": "example", "Key": "main/a"})
    assert url.startswith(f"{ENDPOINT}/example/main/a?")


def test_other_libraries_take_the_dictionary_as_it_is(branch: lakefs_hl.Branch) -> None:
    fs = pytest.importorskip("pyarrow.fs", reason="pyarrow is not installed")
    pl = pytest.importorskip("polars", reason="polars is not installed")
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    assert fs.S3FileSystem(**branch.storage_options("pyarrow")).type_name == "s3"
    assert pl.scan_parquet("s3://example/main/a.parquet", storage_options=branch.storage_options("polars")) is not None
    with duckdb.connect(config={"autoinstall_known_extensions": "false"}) as con:
        with pytest.raises(duckdb.Error, match="httpfs"):  # it is parsed, and the extension cannot be loaded here
            con.execute(branch.storage_options("duckdb"))


# ------------------------------------------------------------------------------------------------------------- secrets


@pytest.mark.parametrize("library", [*EXPECTED, "boto3"])
def test_no_representation_has_a_secret(branch: lakefs_hl.Branch, library: Any) -> None:
    found: Any = branch.storage_options(library)
    shown = f"{found!r} {[found]} {found | {} if isinstance(found, dict) else ''!r}"
    assert "s3cret" not in shown
    if isinstance(found, dict):
        for other in (found.copy(), found | {"a": "b"}, {"a": "b"} | found, copy.copy(found), copy.deepcopy(found)):
            assert "s3cret" not in repr(other)
            assert other.items() >= found.items() or library == "boto3"  # its Config has no equality
        assert "s3cret" not in f"{found}"
    else:
        assert str(found).endswith("SECRET 's3cret/''key')")


def test_a_dictionary_of_options_is_a_dictionary(branch: lakefs_hl.Branch) -> None:
    found = branch.storage_options("polars")
    assert isinstance(found, dict)
    assert json.loads(json.dumps(found)) == dict(found) == pickle.loads(pickle.dumps(found)) == EXPECTED["polars"]
    assert repr(pickle.loads(pickle.dumps(found))) == repr(found)


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "secret",
        "aws_secret_access_key",
        "SECRET_KEY",
        "access_token",
        "proxy",
        "fs.s3a.secret.key",
        "token",
    ],
)
def test_names_of_secrets_are_known(name: str) -> None:
    assert hidden.is_secret(name)


@pytest.mark.parametrize("name", ["aws_access_key_id", "username", "endpoint", "region", "token_ttl_seconds", 5])
def test_other_names_are_shown(name: object) -> None:
    assert not hidden.is_secret(name)


# ----------------------------------------------------------------------------------------------------- kinds of servers


def test_http_is_named() -> None:
    plain = branch_of("http://127.0.0.1:8000", KEY, SECRET)
    assert plain.storage_options("polars")["aws_allow_http"] == "true"
    assert plain.storage_options("delta")["allow_http"] == "true"
    assert plain.storage_options("pyarrow")["scheme"] == "http"
    assert "USE_SSL false" in str(plain.storage_options("duckdb"))
    conf = plain.storage_options("spark")
    assert conf["spark.hadoop.fs.s3a.bucket.example.connection.ssl.enabled"] == "false"


def test_the_gateway_may_have_another_address() -> None:
    found = branch_of(ENDPOINT, KEY, SECRET, gateway_endpoint="https://s3.lake.example")
    assert found.storage_options("polars")["aws_endpoint_url"] == "https://s3.lake.example"
    assert found.storage_options("fsspec")["host"] == ENDPOINT
    assert found.storage_options("fsspec")["gateway_endpoint"] == "https://s3.lake.example"


def test_a_scope_is_part_of_the_bucket() -> None:
    client = lakefs_hl.Client(ENDPOINT, KEY, SECRET).scoped("alice")
    scoped = lakefs_hl.Branch("example", "main", client)
    assert "SCOPE 's3://alice-example/'" in str(scoped.storage_options("duckdb"))
    assert "spark.hadoop.fs.s3a.bucket.alice-example.endpoint" in scoped.storage_options("spark")
    assert scoped.storage_options("fsspec")["scope"] == "alice"


def test_certificates(tmp_path: Path) -> None:
    pytest.importorskip("boto3", reason="the extra aws is not installed")
    (tmp_path / "ca.pem").write_bytes(b"")
    ca = str(tmp_path / "ca.pem")
    own = branch_of(ENDPOINT, KEY, SECRET, ca_cert=ca)
    assert own.storage_options("boto3")["verify"] == ca
    assert own.storage_options("s3fs")["client_kwargs"]["verify"] == ca
    assert own.storage_options("pyarrow")["tls_ca_file_path"] == ca
    assert own.storage_options("fsspec")["ca_cert"] == ca
    with pytest.warns(InsecureTransportWarning):
        none = branch_of(ENDPOINT, KEY, SECRET, verify_ssl=False)
    assert none.storage_options("boto3")["verify"] is False
    assert none.storage_options("polars")["aws_allow_invalid_certificates"] == "true"
    assert none.storage_options("fsspec")["verify_ssl"] is False


@pytest.mark.parametrize("library", BY_GATEWAY)
def test_a_token_does_not_sign(library: Any) -> None:
    caller = branch_of(ENDPOINT, access_token="t0ken")
    with pytest.raises(UnsupportedOperationException, match="this client has a token; give Client") as caught:
        caller.storage_options(library)
    assert "t0ken" not in str(caught.value)
    assert caller.storage_options("fsspec") == {"host": ENDPOINT, "access_token": "t0ken"}
    assert "t0ken" not in repr(caller.storage_options("fsspec"))


def test_an_endpoint_with_a_path_has_no_gateway_of_its_own() -> None:
    with pytest.raises(UnsupportedOperationException, match="cannot be under a path"):
        branch_of("https://lake.example/lakefs", KEY, SECRET).storage_options("polars")


@pytest.mark.parametrize("library", BY_GATEWAY)
def test_an_embedded_lake_names_what_works(library: Any) -> None:
    embedded = branch_of("mem://")
    with pytest.raises(UnsupportedOperationException, match=NO_GATEWAY) as caught:
        embedded.storage_options(library)
    assert str(caught.value).startswith(f"storage options of {library} for lakefs://example/main/: ")


def test_a_served_lake_is_one_too(served_lake: serving.Served) -> None:
    client = lakefs_hl.Client(served_lake.url, served_lake.key, served_lake.secret)
    assert client.health_check().ok  # its responses say so
    with pytest.raises(UnsupportedOperationException, match="is a served embedded lake, which has no S3 gateway yet"):
        lakefs_hl.Branch("example", "main", client).storage_options("boto3")


def test_a_function_has_no_address() -> None:
    client = lakefs_hl.Client(transport=lambda request: lakefs_hl.types.Response(404))
    for library in ("fsspec", "polars"):
        with pytest.raises(UnsupportedOperationException, match="a function as transport"):
            lakefs_hl.Branch("example", "main", client).storage_options(library)


def test_an_unknown_library_is_an_error(branch: lakefs_hl.Branch) -> None:
    with pytest.raises(ValueError, match=r"library must be 'pandas', .* or 'spark', not 'excel'"):
        branch.storage_options("excel")  # type: ignore[call-overload]


# --------------------------------------------------------------------------------------------------- options of a lake


def test_options_name_the_lake_in_any_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fsspec", reason="fsspec is not installed")
    from lakefs_hl.filesystem import LakeFSFileSystem

    monkeypatch.chdir(tmp_path)
    client = lakefs_hl.Client("local:lake", committer="ada", max_concurrency=4)
    lakefs_hl.repository("example", client=client).create().branch("main").upload(b"1", "a")
    found = lakefs_hl.Branch("example", "main", client).storage_options("pandas")
    assert found == {"host": f"local:{tmp_path / 'lake'}", "committer": "ada", "max_concurrency": 4}
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert LakeFSFileSystem(**found).cat("example/main/a") == b"1"


def test_options_of_all_kinds_are_kept() -> None:
    client = lakefs_hl.Client(
        ENDPOINT, KEY, SECRET, proxy="http://user:pw@proxy:3128", timeout=9, allowed_storage_hosts=["minio"], scope="a"
    )
    found = lakefs_hl.Branch("example", "main", client).storage_options("fsspec")
    assert found == {
        **EXPECTED["fsspec"],
        "proxy": "http://user:pw@proxy:3128",
        "timeout": 9,
        "allowed_storage_hosts": ["minio"],
        "scope": "a",
    }
    assert "pw" not in repr(found)


# --------------------------------------------------------------------------------------------------------------- Spark


def test_settings_of_spark_are_those_of_some_repositories() -> None:
    client = lakefs_hl.Client(ENDPOINT, KEY, SECRET)
    one = client.spark_conf(repositories="example")
    assert one == EXPECTED["spark"]
    handle = lakefs_hl.Repository("example", client)
    assert client.spark_conf(repositories=[handle, "lakefs://other"]).keys() == {
        *one,
        *(name.replace(".example.", ".other.") for name in one),
    }
    assert "s3cret" not in repr(one)


def test_settings_of_spark_may_be_those_of_all_buckets() -> None:
    found = lakefs_hl.Client(ENDPOINT, KEY, SECRET).spark_conf()
    assert found["spark.hadoop.fs.s3a.endpoint"] == ENDPOINT
    assert not [name for name in found if ".bucket." in name]


def test_settings_of_lakefs_own_file_system() -> None:
    found = aio.Client(ENDPOINT, KEY, SECRET).spark_conf(mode="lakefsfs")
    assert found == {
        "spark.hadoop.fs.lakefs.impl": "io.lakefs.LakeFSFileSystem",
        "spark.hadoop.fs.lakefs.endpoint": f"{ENDPOINT}/api/v1",
        "spark.hadoop.fs.lakefs.access.mode": "presigned",
        "spark.hadoop.fs.lakefs.access.key": KEY,
        "spark.hadoop.fs.lakefs.secret.key": SECRET,
    }


@pytest.mark.parametrize("mode", ["s3a", "lakefsfs"])
def test_spark_does_not_read_an_embedded_lake(mode: Any) -> None:
    with pytest.raises(UnsupportedOperationException, match="snapshot_download"):
        lakefs_hl.Client("mem://").spark_conf(mode=mode)


# ------------------------------------------------------------------------------------------------- missing libraries


@pytest.mark.parametrize(
    ("package", "extra", "call"),
    [
        ("botocore", "aws", lambda at: at.storage_options("boto3")),
        ("fsspec", "fsspec", lambda at: at.fs()),
        ("fsspec", "fsspec", lambda at: aio.Branch(at.repository_id, at.id, aio.Client("mem://")).fs()),
        ("pyarrow", "tables", lambda at: at.arrow_filesystem()),
        ("pyarrow", "tables", lambda at: at.arrow_dataset("a")),
        ("duckdb", "duckdb", lambda at: at.duckdb()),
        ("polars", "polars", lambda at: at.polars.scan_csv("a")),
    ],
)
def test_a_missing_library_names_its_extra(
    branch: lakefs_hl.Branch, monkeypatch: pytest.MonkeyPatch, package: str, extra: str, call: Any
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in (package, "lakefs_hl.filesystem")]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.startswith("lakefs_hl.filesystem")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ModuleNotFoundError, match=rf"pip install 'lakefs-hl\[{extra}\]'") as caught:
        call(branch)
    assert (caught.value.name or "").partition(".")[0] == package
