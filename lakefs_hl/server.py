"""What a server says of itself and of its storage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakefs_hl import arguments
from lakefs_hl.client import Client, OfDefault, client_of
from lakefs_hl.ops import server as ops
from lakefs_hl.options import Optioned

if TYPE_CHECKING:
    from lakefs_hl.spec.models import StorageConfig


class ServerStorageConfiguration(Optioned):
    """What the object store behind a server can do; asked once per client.

    Args:
        client: Whom to ask; None means the default client.
    """

    _of_default = OfDefault

    def __init__(self, client: Client | None = None) -> None:
        self._given = arguments.client(client, Client)

    def _config(self) -> StorageConfig:
        client = client_of(self._given)
        return client._run(ops.storage(client._session))

    def blockstore_type(self) -> str:
        """Returns "s3", "gs", "azure", "local" or "mem"."""
        return self._config().blockstore_type

    def pre_sign_support(self) -> bool:
        """Says whether objects can be read and written by pre-signed URLs."""
        return self._config().pre_sign_support

    def import_support(self) -> bool:
        """Says whether objects can be imported."""
        return self._config().import_support

    def default_namespace_prefix(self) -> str | None:
        """Returns the prefix of a repository's storage namespace when none is given."""
        return self._config().default_namespace_prefix

    def __repr__(self) -> str:
        """Makes no request."""
        return f"<ServerStorageConfiguration of {self._given or 'the default client'}>"


class ServerConfiguration(Optioned):
    """What a server says of itself.

    Args:
        client: Whom to ask; None means the default client.
    """

    _of_default = OfDefault

    def __init__(self, client: Client | None = None) -> None:
        self._given = arguments.client(client, Client)

    def version(self) -> str:
        """Returns the server's version."""
        client = client_of(self._given)
        return client._run(ops.version(client._session))

    def storage_config(self) -> ServerStorageConfiguration:
        """Returns what its storage can do; makes no request itself."""
        return ServerStorageConfiguration(self._given)

    def __repr__(self) -> str:
        """Makes no request."""
        return f"<ServerConfiguration of {self._given or 'the default client'}>"
