"""Head and body of a response in one packet.

uvicorn writes them separately and asyncio sends each at once: two packets, two system calls, and a client that
wakes up twice.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

#: More than this is sent at once.
SIZE: Final = 64 << 10


class Joined:
    """A transport that sends what is written within one turn of the loop together; all else is the transport's own."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._held: list[bytes] = []
        self._size = 0

    def __getattr__(self, name: str) -> Any:
        """What is not about writing."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send soon."""
        if not self._held:
            self._loop.call_soon(self._send)
        self._held.append(data)
        self._size += len(data)
        if self._size > SIZE:
            self._send()

    def close(self) -> None:
        """Send what is held, then close."""
        self._send()
        self._transport.close()

    def _send(self) -> None:
        held, self._held, self._size = self._held, [], 0
        if held and not self._transport.is_closing():
            self._transport.write(held[0] if len(held) == 1 else b"".join(held))
