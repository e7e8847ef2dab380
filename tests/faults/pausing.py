"""A proxy on real sockets that stops one request of one client: before the server has it, with it, or after its answer.

Everything else passes. What happens at the stop is a callable of the test: it kills the client, interrupts it, or does
nothing, so that the answer is just lost.
"""

from __future__ import annotations

import http.client
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from lakefs_hl.spec import routes

#: Seconds that anything may take here; a test that gets there fails.
LONG = 30.0
Point = Literal["before", "sent", "applied"]


class Stop(NamedTuple):
    """Where a request is stopped.

    Attributes:
        operation: lakeFS's name of it.
        number: The how-manieth such request of the client.
        point: Before the server gets it, when it has it, or when it has answered.
        act: What is done then; the answer never arrives. Says whether the client is left waiting until it hangs up
            by itself; else the connection is closed.
    """

    operation: str
    number: int
    point: Point
    act: Callable[[], bool]


class Pausing:
    """A running proxy.

    Args:
        upstream: The server's address, such as `http://127.0.0.1:8000`.

    Attributes:
        url: Where it answers.
        seen: The operations that came, in order.
        over: Set when the stopped request was dealt with: the server has answered, if it was sent there.
    """

    def __init__(self, upstream: str) -> None:
        self._upstream = urlsplit(upstream).netloc
        self._stop: Stop | None = None
        self._lock = threading.Lock()
        self.seen: list[str] = []
        self.over = threading.Event()
        self.failures: list[BaseException] = []
        proxy = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                try:
                    proxy._serve(self.request)
                except OSError:
                    return  # the client went away: it was killed, or has had enough
                except BaseException as error:
                    proxy.failures.append(error)
                    raise

        socketserver.ThreadingTCPServer.daemon_threads = True
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def arm(self, stop: Stop) -> None:
        """Stops a request of the next client."""
        with self._lock:
            self._stop, self.seen = stop, []
            self.over.clear()

    def _hit(self, operation: str) -> Stop | None:
        with self._lock:
            self.seen.append(operation)
            stop = self._stop
            if stop is None or operation != stop.operation or self.seen.count(operation) != stop.number:
                return None
            self._stop = None
            return stop

    def _serve(self, client: socket.socket) -> None:
        client.settimeout(LONG)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with client.makefile("rb") as stream:
            while line := stream.readline():
                method, path, _ = line.decode("ascii").split(" ", 2)
                headers = http.client.parse_headers(stream)
                body = stream.read(int(headers.get("content-length") or 0))
                stop = self._hit(_operation(method, path))
                if stop is None:
                    client.sendall(self._forward(method, path, headers, body, None))
                    continue
                try:
                    if stop.point != "before":
                        self._forward(method, path, headers, body, stop)
                    if stop.point != "sent" and stop.act():
                        assert client.recv(1) == b"", "the client goes on as if it had an answer"
                finally:
                    self.over.set()
                return

    def _forward(
        self, method: str, path: str, headers: http.client.HTTPMessage, body: bytes, stop: Stop | None
    ) -> bytes:
        server = http.client.HTTPConnection(self._upstream, timeout=LONG)
        try:
            server.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                server.putheader(name, value)
            server.endheaders(body)
            if stop is not None and stop.point == "sent":
                stop.act()
            response = server.getresponse()
            content = response.read()
        finally:
            server.close()
        head = [f"HTTP/1.1 {response.status} {response.reason}"]
        head += [f"{name}: {value}" for name, value in response.getheaders() if name.lower() not in _OURS]
        if response.status != http.HTTPStatus.NO_CONTENT:
            head.append(f"content-length: {len(content)}")
        return "\r\n".join([*head, "", ""]).encode("latin-1") + content


_OURS = {"connection", "content-length", "transfer-encoding"}


def _operation(method: str, path: str) -> str:
    found = routes.match(path.partition("?")[0].removeprefix(routes.BASE))
    assert found is not None, path
    return found[0][method].operation


@contextmanager
def pausing(upstream: str) -> Iterator[Pausing]:
    """A proxy for the length of a block."""
    proxy = Pausing(upstream)
    thread = threading.Thread(target=proxy.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield proxy
    finally:
        with suppress(OSError):
            proxy.server.shutdown()
        thread.join()
        proxy.server.server_close()
    assert proxy.failures == []
