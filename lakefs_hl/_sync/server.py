# Generated from lakefs_hl/aio/server.py by tools/unasync.py: change that, not this.
"""Version and capabilities of a server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakefs_hl._sync.of_default import OfClient, client_of
from lakefs_hl.ops import server as ops

if TYPE_CHECKING:
    from lakefs_hl.spec.models import StorageConfig


class ServerStorageConfiguration(OfClient):
    """Capabilities of a server's object store. They are requested once per client.

    Args:
        client: Client to use. Defaults to the default client at the time of each call.
    """

    __module__ = "lakefs_hl"

    def _config(self) -> StorageConfig:
        return client_of(self._given)._run(ops.storage)

    def blockstore_type(self) -> str:
        """Return the type of the object store: "s3", "gs", "azure", "local" or "mem"."""
        return self._config().blockstore_type

    def pre_sign_support(self) -> bool:
        """Return whether objects can be read and written by pre-signed URLs."""
        return self._config().pre_sign_support

    def import_support(self) -> bool:
        """Return whether objects can be imported."""
        return self._config().import_support

    def default_namespace_prefix(self) -> str | None:
        """Return the prefix of the storage namespace of a repository that is created without one."""
        return self._config().default_namespace_prefix


class ServerConfiguration(OfClient):
    """Version and configuration of a server.

    Args:
        client: Client to use. Defaults to the default client at the time of each call.
    """

    __module__ = "lakefs_hl"

    def version(self) -> str:
        """Return the version of the server."""
        return client_of(self._given)._run(ops.version)

    def storage_config(self) -> ServerStorageConfiguration:
        """Return the capabilities of the object store. Sends no request itself."""
        return ServerStorageConfiguration(self._given)
