"""Servers that count requests, and that fail: a transport function around a lake in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import lakefs_hl
from lakefs_hl.spec.wire import Request, Response
from tests.s3_server import NoNamespaceServer


class CountingServer(NoNamespaceServer):
    """A server that notes the operation of each request, but those that ask for its configuration once per client."""

    config = {}  # noqa: RUF012 - never changed

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[str] = []

    def __call__(self, request: Request) -> Response:
        """Note and answer a request."""
        operation = request.endpoint.operation
        if operation not in ("getConfig", "getStorageConfig"):
            self.operations.append(operation)
        return super().__call__(request)

    @contextmanager
    def counted(self) -> Iterator[list[str]]:
        """Provide the operations of the requests that are made in the block, once it has ended."""
        found: list[str] = []
        first = len(self.operations)
        yield found
        found += self.operations[first:]

    def connect(self) -> lakefs_hl.Client:
        """Return a client of this server."""
        return lakefs_hl.Client("http://lakefs.invalid", "key", "secret", transport=self)


class FaultyServer(CountingServer):
    """A server that answers some requests, and no more from then on."""

    fault: int | type[Exception] | None = None
    spared = 0

    def __call__(self, request: Request) -> Response:
        """Answer a request, or fail as a server or a network does."""
        if self.fault is None or request.endpoint.operation in ("getConfig", "getStorageConfig"):
            return super().__call__(request)
        if self.spared > 0:
            self.spared -= 1
            return super().__call__(request)
        if isinstance(self.fault, int):
            return Response(self.fault, {"content-type": "application/json"}, b'{"message":"not now"}')
        raise self.fault("not now")

    def connect(self) -> lakefs_hl.Client:
        """Return a client that asks once."""
        return lakefs_hl.Client("http://lakefs.invalid", "key", "secret", transport=self, retries=False)
