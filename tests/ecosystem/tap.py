"""Requests and bytes of what a client does, on any kind of lake."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import lakefs_hl
from lakefs_hl.spec.wire import Request, Response

READS = ("getObject", "presignedGet")


class Seen(NamedTuple):
    """A request, and the number of bytes that its response had."""

    operation: str
    path: str
    size: int


class Tap:
    """A transport that notes what passes."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._lock = threading.Lock()
        self.seen: list[Seen] = []

    def send(self, request: Request, scope: Any = None, within: float | None = None) -> Response:
        response: Response = self._inner.send(request, scope, within)
        body = len(response.body) if isinstance(response.body, bytes) else response.body.length
        with self._lock:
            path = str(request.query.get("path") or "")
            self.seen.append(Seen(request.endpoint.operation, path, body + response.filled))
        return response

    @property
    def fan_out(self) -> int:
        found: int = self._inner.fan_out
        return found

    def close(self) -> None:
        self._inner.close()

    def content_bytes(self) -> int:
        """Return the bytes of objects that were read."""
        return sum(one.size for one in self.seen if one.operation in READS)

    def paths_read(self) -> set[str]:
        """Return the paths of objects that were read."""
        return {one.path for one in self.seen if one.operation in READS}


@contextmanager
def tapped(client: lakefs_hl.Client) -> Iterator[Tap]:
    """Note what a client sends, by whichever of its drivers."""
    blocking: Any = client._blocking
    tap = Tap(blocking._transport)
    before = blocking._transport
    blocking._transport = tap
    try:
        yield tap
    finally:
        blocking._transport = before
