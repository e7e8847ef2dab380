"""Stores on S3, on a server of moto on this machine. Needs s3fs and moto, which the extra `test` does not install."""

from __future__ import annotations

import gzip
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl.compression import decompress
from lakefs_hl.facades.records import Put, Range
from tests.facades.conftest import Colour

boto3 = pytest.importorskip("boto3", reason="pip install s3fs 'moto[server]'")
pytest.importorskip("s3fs", reason="pip install s3fs 'moto[server]'")
moto = pytest.importorskip("moto.server", reason="pip install s3fs 'moto[server]'")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = moto.ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def options(endpoint: str) -> dict[str, Any]:
    return {"key": "test-access-key", "secret": "test-secret-key", "endpoint_url": endpoint}


@pytest.fixture
def s3(endpoint: str) -> Any:
    keys = {"aws_access_key_id": "test-access-key", "aws_secret_access_key": "test-secret-key"}
    return boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **keys)


@pytest.fixture
def bucket(s3: Any) -> str:
    name = f"b-{secrets.token_hex(6)}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def store(colour: Colour, bucket: str, options: dict[str, Any]) -> Any:
    return colour.store(f"s3://{bucket}/data", storage_options=options)


def test_objects(store: Any, s3: Any, bucket: str) -> None:
    puts = [
        Put("a/b", b"12345", "text/special", "", {"k": "v"}),
        Put("a", b"plain"),
        Put("c", gzip.compress(b"z"), encoding="gzip"),
    ]
    assert [each.error for each in store.write_many(puts)] == [None] * 3
    head = s3.head_object(Bucket=bucket, Key="data/a/b")
    assert (head["ContentType"], head["Metadata"]) == ("text/special", {"k": "v"})
    assert s3.head_object(Bucket=bucket, Key="data/c")["ContentEncoding"] == "gzip"
    entry = store.stat("a/b")
    assert (entry.size, entry.content_type, dict(entry.metadata)) == (5, "text/special", {"k": "v"})
    assert entry.md5 == "827ccb0eea8a706c4c34a16891f84e7b"
    assert store.read("c").encoding == "gzip"
    found = list(store.read_many(["a", "none", Range("a/b", 1, 3), Range("a/b", -2), "c"]))
    assert [each.data for each in found[:4]] == [b"plain", None, b"23", b"45"]
    assert isinstance(found[1].error, FileNotFoundError)
    assert [each.path for each in store.list()] == ["a", "a/b", "c"]
    assert [each.path for each in store.list(flat=True)] == ["a", "a/", "c"]
    assert store.copy_within("c", "d").error is None
    assert store.read("d").encoding == "gzip"
    assert [each.error for each in store.delete_many(["a", "none"])] == [None, None]
    assert [each.path for each in store.list()] == ["a/b", "c", "d"]


def test_objects_that_others_have_written(store: Any, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="data/x", Body=gzip.compress(b"theirs"), ContentEncoding="gzip")
    s3.put_object(Bucket=bucket, Key="data/y.gz", Body=gzip.compress(b"a file"))
    assert [each.path for each in store.list()] == ["x", "y.gz"]
    assert store.read("y.gz").encoding is None
    content = store.read("x")
    assert (content.encoding, decompress(content.data, content.encoding)) == ("gzip", b"theirs")


def test_listings(store: Any, s3: Any, bucket: str) -> None:
    keys = ["a//b", "a/./c", "a/../d", "a/b", "/x", "dir/", "b"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=f"data/{key}", Body=b"1")
    expected = sorted(["a//b", "a/./c", "a/../d", "a/b", "/x", "b"])
    assert [each.path for each in store.list()] == expected
    assert [each.path for each in store.list(flat=True)] == ["/", "a/", "b", "dir/"]
    assert [each.path for each in store.list(after="a/../d")] == ["a/./c", "a//b", "a/b", "b"]
    assert [each.path for each in store.list("a/", flat=True)] == ["a/../", "a/./", "a//", "a/b"]
    found = [each.data for each in store.read_many(expected)]
    assert found == [None, *[b"1"] * 5]  # a path that begins with a slash is refused
    for number in range(1010):
        s3.put_object(Bucket=bucket, Key=f"data/many/{number:04}", Body=b"")
    assert [each.path for each in store.list("many/")] == [f"many/{number:04}" for number in range(1010)]
    assert len(list(store.list("many/", after="many/0499"))) == 510


def test_a_bucket_that_does_not_exist(colour: Colour, options: dict[str, Any]) -> None:
    store = colour.store(f"s3://none-{secrets.token_hex(4)}/x", storage_options=options)
    outcome = store.write(Put("a", b"1"))
    assert outcome.error is not None
    assert "test-secret-key" not in str(outcome.error)
    assert store.stat("a") is None
    assert list(store.list()) == []


def test_transfers(colour: Colour, bucket: str, options: dict[str, Any], rng: Any, mocker: Any) -> None:
    for kind in ("_sync", "aio"):
        mocker.patch(f"lakefs_hl.facades.{kind}.moves.LARGE", 10_000)
    lakefs_hl.init("mem://")
    lakefs_hl.repository("there").create()
    lake, large = colour.store("lakefs://there/main/a"), rng.randbytes(50_000)
    lake.write(Put("text", gzip.compress(b"hello"), "text/special", "gzip", {"k": "v"}))
    lake.write(Put("large", large))
    to = f"s3://{bucket}/copy"
    assert colour.transfer("lakefs://there/main/a", to, storage_options=options).transferred == 2
    assert colour.transfer("lakefs://there/main/a", to, storage_options=options, update=True).skipped == 2
    assert colour.transfer(to, "lakefs://there/main/b", storage_options=options).transferred == 2
    back = colour.store("lakefs://there/main/b")
    before, after = lake.stat("text"), back.stat("text")
    assert after._replace(modified=None) == before._replace(modified=None)
    assert back.read("large").data == large
