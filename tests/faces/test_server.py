"""What a server says of itself."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

import lakefs_hl
from lakefs_hl import exceptions
from lakefs_hl.types import Health
from tests.faces.conftest import Tap
from tests.serving import Served


def test_a_server_tells_its_version_and_its_storage(client: lakefs_hl.Client) -> None:
    server = lakefs_hl.ServerConfiguration(client)
    storage = server.storage_config()
    assert isinstance(server.version(), str)
    assert isinstance(storage, lakefs_hl.ServerStorageConfiguration)
    assert storage.blockstore_type() in ("local", "s3", "gs", "azure", "mem")
    assert isinstance(storage.pre_sign_support(), bool)
    assert isinstance(storage.import_support(), bool)
    assert client.version == server.version()
    assert client.storage_config.blockstore_type == storage.blockstore_type()


def test_storage_is_asked_for_once_per_client(tapped: lakefs_hl.Branch, tap: Tap) -> None:
    tapped._client._session.storage = None
    tap.requests.clear()
    for _ in range(2):
        storage = lakefs_hl.ServerConfiguration(tapped._client).storage_config()
        storage.blockstore_type()
        storage.import_support()
        storage.pre_sign_support()
    assert len(tap.requests) == 1


def test_b4_53_nothing_is_kept_on_the_class() -> None:
    with lakefs_hl.Client("mem://") as one, lakefs_hl.Client("mem://") as two:
        first = lakefs_hl.ServerStorageConfiguration(one)
        first.blockstore_type()
        assert one._session.storage is not None
        assert two._session.storage is None


def test_it_travels(lake: lakefs_hl.Client) -> None:
    again = pickle.loads(pickle.dumps(lakefs_hl.ServerStorageConfiguration(lake)))
    assert again.blockstore_type() == "local"


def test_health(client: lakefs_hl.Client, kind: str) -> None:
    health = client.health_check()
    assert isinstance(health, Health)
    assert (health.ok, health.authenticated, health.version) == (True, True, client.version)
    assert health.user
    assert 0 < health.latency < 30
    assert health.read_only is (None if kind == "real lakeFS" else False)


def test_health_with_wrong_keys(served_lake: Served) -> None:
    wrong = (
        lakefs_hl.Client(served_lake.url, "AKIAWRONG", "wrong"),
        lakefs_hl.Client(served_lake.url, access_token="wrong"),
    )
    for client in wrong:
        with client:
            health = client.health_check()
        assert (health.ok, health.authenticated, health.version, health.user) == (True, False, None, None)


def test_health_of_a_lake_in_process_names_the_committer(tmp_path: Path) -> None:
    client = lakefs_hl.Client(f"local:{tmp_path}/lake", committer="ada")
    assert client.health_check().user == "ada"
    client._transport._app.__closure__[0].cell_contents.engine.lake.database.trust.fail("a sync failed")  # type: ignore[attr-defined]
    assert client.health_check().read_only is True


def test_health_of_nothing() -> None:
    with pytest.raises(exceptions.TransportException):
        lakefs_hl.Client("http://127.0.0.1:1", "key", "secret", retries=0).health_check()
