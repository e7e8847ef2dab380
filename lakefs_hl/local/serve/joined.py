"""Head and body of a response in one packet, and a close that lets the client read it.

uvicorn writes head and body separately and asyncio sends each at once: two packets, two system calls, and a client that
wakes up twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

#: More than this is sent at once.
SIZE: Final = 64 << 10


class Joined:
    """A transport that sends what is written within one turn of the loop together; all else is the transport's own.

    Args:
        transport: The transport.
        loop: The event loop.
        linger: Called before the transport is closed; returns whether it is to stay open for now, to read what the
            client still sends. A socket that is closed with unread data resets the connection, and the client may
            lose the response.

    Attributes:
        written: Bytes that were handed over for sending.
    """

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, linger: Callable[[], bool] = lambda: False
    ) -> None:
        self._transport, self._loop, self._linger = transport, loop, linger
        self._held: list[bytes] = []
        self._size = 0
        self._closing = False
        self.written = 0

    def __getattr__(self, name: str) -> Any:
        """What is not about writing."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send soon; nothing follows what was closed."""
        if self._closing:
            return
        if not self._held:
            self._loop.call_soon(self.flush)
        self._held.append(data)
        self._size += len(data)
        if self._size > SIZE:
            self.flush()

    def is_closing(self) -> bool:
        """Whether nothing more is to be written."""
        return self._closing or self._transport.is_closing()

    def waiting(self) -> int:
        """Bytes that the client has not taken."""
        return self._size + self._transport.get_write_buffer_size()

    def close(self) -> None:
        """Send what is held, then close."""
        self.flush()
        if self._closing:
            return
        self._closing = True
        if not self._linger():
            self._transport.close()

    def flush(self) -> None:
        """Send what is held."""
        held, self._held, self._size = self._held, [], 0
        if held and not self._transport.is_closing():
            data = held[0] if len(held) == 1 else b"".join(held)
            self.written += len(data)
            self._transport.write(data)
