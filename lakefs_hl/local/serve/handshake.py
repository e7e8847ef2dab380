"""TLS before HTTP: a connection counts from its first moment, not from the end of its handshake."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Final, cast

from lakefs_hl.local.serve.connections import Connections
from lakefs_hl.local.serve.guard import Guarded

SECONDS: Final = 10.0  # for a handshake


class Handshake(asyncio.Protocol):
    """A connection until its handshake is done.

    Args:
        make: Makes the protocol that takes over.
        context: The server's certificate.
        connections: All connections of the server.
        loop: The event loop.
    """

    def __init__(
        self,
        make: Callable[[], Guarded],
        context: ssl.SSLContext,
        connections: Connections,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._make, self._context, self._connections, self._loop = make, context, connections, loop
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._early = bytearray()
        self._lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody connected."""
        made = self._transport = cast("asyncio.Transport", transport)
        made.pause_reading()  # what the client says is for the handshake
        if not self._connections.add(self):
            made.abort()
            return
        self._task = self._loop.create_task(self._shake(made))

    def data_received(self, data: bytes) -> None:
        """What comes with the last message of the handshake, before the one who takes over has been told."""
        self._early += data

    def connection_lost(self, exc: Exception | None) -> None:
        """The client went away meanwhile."""
        self._connections.discard(self)
        self._lost = True

    async def _shake(self, transport: asyncio.Transport) -> None:
        try:
            secured = await self._loop.start_tls(
                transport, self, self._context, server_side=True, ssl_handshake_timeout=SECONDS
            )
        except OSError:  # no TLS, another version of it, too slow, or gone
            transport.abort()
            return
        finally:
            self._connections.discard(self)
        if secured is None or self._lost:
            transport.abort()
            return
        protocol = self._make()
        secured.set_protocol(protocol)
        protocol.connection_made(secured)
        if self._early:
            protocol.data_received(bytes(self._early))

    def is_stalled(self, now: float) -> bool:
        """Never: the handshake has a timeout of its own."""
        return False

    def refuse_stalled(self) -> None:
        """End it."""
        self.drop()

    def drop(self) -> None:
        """End it at once."""
        if self._transport is not None:
            self._transport.abort()
