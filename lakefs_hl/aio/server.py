"""What a server says of itself and of its storage, awaitable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakefs_hl import arguments
from lakefs_hl import server as blocking
from lakefs_hl.aio.client import Client, OfDefault, client_of
from lakefs_hl.aio.twins import twin
from lakefs_hl.ops import server as ops
from lakefs_hl.options import Optioned

if TYPE_CHECKING:
    from lakefs_hl.spec.models import StorageConfig


@twin(blocking.ServerStorageConfiguration)
class ServerStorageConfiguration(Optioned):
    """What the object store behind a server can do; asked once per client."""

    _of_default = OfDefault

    def __init__(self, client: Client | None = None) -> None:
        self._given = arguments.client(client, Client)

    async def _config(self) -> StorageConfig:
        client = client_of(self._given)
        return await client._run(ops.storage(client._session))

    async def blockstore_type(self) -> str:
        return (await self._config()).blockstore_type

    async def pre_sign_support(self) -> bool:
        return (await self._config()).pre_sign_support

    async def import_support(self) -> bool:
        return (await self._config()).import_support

    async def default_namespace_prefix(self) -> str | None:
        return (await self._config()).default_namespace_prefix

    def __repr__(self) -> str:
        """Makes no request."""
        return f"<ServerStorageConfiguration of {self._given or 'the default client'}>"


@twin(blocking.ServerConfiguration)
class ServerConfiguration(Optioned):
    """What a server says of itself."""

    _of_default = OfDefault

    def __init__(self, client: Client | None = None) -> None:
        self._given = arguments.client(client, Client)

    async def version(self) -> str:
        client = client_of(self._given)
        return await client._run(ops.version(client._session))

    def storage_config(self) -> ServerStorageConfiguration:
        return ServerStorageConfiguration(self._given)

    def __repr__(self) -> str:
        """Makes no request."""
        return f"<ServerConfiguration of {self._given or 'the default client'}>"
