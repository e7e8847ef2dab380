"""An embedded lake behind a transport that loses responses, as tests of pull requests need it."""

from __future__ import annotations

from lakefs_hl.spec.wire import Request, Response, TransportError
from lakefs_hl.transport.base import Transport
from lakefs_hl.transport.scope import Scope


class Server:
    """A transport to a lake.

    Attributes:
        requests: What was sent.
        lost: An operation whose next response is lost.
        refused: An operation that cannot be sent.
    """

    fan_out = 1

    def __init__(self, lake: Transport) -> None:
        self._lake = lake
        self.requests: list[Request] = []
        self.lost = self.refused = ""

    def send(self, request: Request, scope: Scope | None = None, within: float | None = None) -> Response:
        self.requests.append(request)
        operation = request.endpoint.operation
        if operation == self.refused:
            raise TransportError("connect", "127.0.0.1:9 refuses connections", kind="refused")
        response = self._lake.send(request, scope, within)
        if operation == self.lost:
            self.lost = ""
            raise TransportError("wait", "the connection was closed", kind="reset")
        return response

    def close(self) -> None:
        self._lake.close()

    def operations(self) -> list[str]:
        return [request.endpoint.operation for request in self.requests]
