"""Sockets around the API: who asks over HTTP is authenticated here, bodies are spooled, answers sent.

Rules of the room: knows the API, not the engine. `exchange` is one request and answer without a socket, `asgi` moves
the bytes, `server` owns the socket, `keyfile` the keys on disk. Needs the extra `serve`.
"""

from __future__ import annotations
