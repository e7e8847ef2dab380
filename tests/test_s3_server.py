"""The servers that differ from the embedded lake differ as lakeFS does, so that conformance on them shows something."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import lakefs_hl
from lakefs_hl import exceptions
from tests.s3_server import NoNamespaceServer, S3Server


@pytest.fixture
def s3() -> Iterator[S3Server]:
    server = S3Server()
    yield server
    server.close()


def connected(server: NoNamespaceServer) -> lakefs_hl.Client:
    return lakefs_hl.Client("http://lakefs.invalid", "key", "secret", transport=server)


def test_a_server_without_a_default_prefix_wants_a_namespace() -> None:
    server = NoNamespaceServer()
    with connected(server) as client:
        repo = lakefs_hl.repository("example", client=client)
        with pytest.raises(exceptions.InvalidConfigError, match=r"default_namespace_prefix is None.*storage_namespace"):
            repo.create()
        repo.create("local://data/example")
        assert repo.properties.storage_namespace == "local://data/example"
    server.close()


def test_an_s3_store_shows_its_own_addresses(s3: S3Server) -> None:
    with connected(s3) as client:
        storage = lakefs_hl.ServerConfiguration(client).storage_config()
        assert (storage.blockstore_type(), storage.pre_sign_support()) == ("s3", True)
        repo = lakefs_hl.repository("example", client=client)
        with pytest.raises(exceptions.InvalidConfigError, match="such as s3://example-bucket/"):
            repo.create()
        repo.create("s3://bucket/example")
        assert repo.properties.storage_namespace == "s3://bucket/example"
        assert repo.branch("main").upload(b"content", "a").physical_address.startswith("s3://bucket/example/data/")


def test_content_goes_to_the_store_and_comes_from_it(s3: S3Server) -> None:
    with connected(s3) as client:
        branch = lakefs_hl.repository("example", client=client).create("s3://bucket/example").branch("main")
        branch.upload(b"content", "a", metadata={"k": "ü"})
        assert s3.signed_requests == 1
        assert list(s3.stored.values()) == [b"content"]
        assert branch.download("a") == b"content"
        assert s3.signed_requests == 2
        branch.upload(b"other", "b", pre_signed=False)
        assert branch.download("b", pre_signed=False) == b"other"
        assert s3.signed_requests == 2
        assert branch.stat_object("a").metadata == {"k": "ü"}
        with branch.open("a", "rb") as file:
            file.seek(3)
            assert file.read() == b"tent"
