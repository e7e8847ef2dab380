"""What a server says of itself."""

from __future__ import annotations

import pickle

import lakefs_hl
from tests.faces.conftest import Tap


def test_a_server_tells_its_version_and_its_storage(client: lakefs_hl.Client) -> None:
    server = lakefs_hl.ServerConfiguration(client)
    storage = server.storage_config()
    assert isinstance(server.version(), str)
    assert isinstance(storage, lakefs_hl.ServerStorageConfiguration)
    assert storage.blockstore_type() in ("local", "s3", "gs", "azure")
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
