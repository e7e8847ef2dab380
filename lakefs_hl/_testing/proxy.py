"""A proxy on the loopback in front of the server of a test. It breaks the requests that the faults of the test name.

It is a server like any other to its clients: the blocking and the asynchronous ones of this package, those in other
processes, lakectl. Pre-signed URLs of an object store do not pass it.
"""

from __future__ import annotations

import http.client
import json
import socket
import sys
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from lakefs_hl._testing.faults import Fault, Faults
from lakefs_hl.spec import routes
from lakefs_hl.spec.headers import JSON

#: How long the proxy waits for the server, in seconds.
UPSTREAM_SECONDS: Final = 60.0
#: Headers that belong to one connection.
_HOP: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


class Proxy(ThreadingHTTPServer):
    """The proxy, from its creation until `close`.

    Args:
        upstream: URL of the server.
        faults: The faults of the test.
    """

    daemon_threads = False  # `close` waits for them
    block_on_close = True

    def __init__(self, upstream: str, faults: Faults) -> None:
        self.upstream, self.faults = urlsplit(upstream), faults
        self.ended = threading.Event()
        self._lock = threading.Lock()
        self._sockets: set[Any] = set()
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}{self.upstream.path.rstrip('/')}"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), name="lakefs_hl-faults", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End all connections and threads."""
        self.ended.set()
        self.shutdown()
        with self._lock:
            sockets = list(self._sockets)
        for one in sockets:
            with suppress(OSError):  # the client has closed it
                one.shutdown(socket.SHUT_RDWR)
        self.server_close()
        self._thread.join()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread of its own."""
        with self._lock:
            self._sockets.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection."""
        with self._lock:
            self._sockets.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that hang up: a test may want that. Other errors are printed."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy
    #: Nagle's algorithm would hold a short body back until the headers are acknowledged.
    disable_nagle_algorithm = True
    rbufsize: ClassVar[int] = 1 << 16
    wbufsize: ClassVar[int] = 1 << 16

    def _handle(self) -> None:
        body = self._body()
        path = urlsplit(self.path).path.removeprefix(self.server.upstream.path.rstrip("/"))
        found = routes.match(path.removeprefix(routes.BASE))
        row = found[0].get(self.command) if found else None
        fault = self.server.faults.next(row, self.command)
        if fault is not None and fault.delay:
            self.server.ended.wait(fault.delay)
        if fault is not None and fault.status is not None:
            self._refuse(fault, fault.status)
        elif fault is not None and fault.drop == "request":
            self._hang_up()
        else:
            self._forward(body, drop=fault is not None and fault.drop == "response")

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _handle  # noqa: N815 - names of the base class

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", "").lower():
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(chunks)

    def _refuse(self, fault: Fault, status: int) -> None:
        body = json.dumps({"message": "a fault of the mark lakefs(faults=...)"}).encode()
        headers = {"Content-Type": JSON}
        if fault.retry_after is not None:
            headers["Retry-After"] = str(fault.retry_after)
        self._respond(status, "", headers.items(), body)

    def _forward(self, body: bytes, *, drop: bool) -> None:
        target = self.server.upstream
        kind = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
        upstream = kind(target.hostname or "", target.port, timeout=UPSTREAM_SECONDS)
        try:
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in _HOP | {"host", "expect"}:
                    upstream.putheader(name, value)
            upstream.putheader("Host", target.netloc)
            upstream.putheader("Content-Length", str(len(body)))
            upstream.endheaders(body)
            response = upstream.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            self._hang_up()
            return
        finally:
            upstream.close()
        if drop:
            self._hang_up()
            return
        headers = [(name, value) for name, value in response.getheaders() if name.lower() not in _HOP]
        length = response.getheader("Content-Length") if self.command == "HEAD" else None
        self._respond(response.status, response.reason, headers, content, length)

    def _respond(self, status: int, reason: str, headers: Any, body: bytes, length: str | None = None) -> None:
        self.send_response_only(status, reason or None)
        for name, value in headers:
            self.send_header(name, value)
        if status not in (204, 304):
            self.send_header("Content-Length", length or str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):  # the client has closed it
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: paths of a test's data."""
