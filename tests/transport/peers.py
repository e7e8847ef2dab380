"""Servers that misbehave on purpose: a function handles each connection, on a thread of its own."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

CERTIFICATES = Path(__file__).with_name("certificates")


class Asked(NamedTuple):
    """One request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int


class Peer:
    """A listening server and what it was asked."""

    def __init__(self, handle: Callable[[Peer, socket.socket, int], None], host: str, certificate: str | None) -> None:
        self.asked: list[Asked] = []
        self.connections = 0
        self._handle = handle
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family, backlog=256)
        self._tls: ssl.SSLContext | None = None
        if certificate is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(CERTIFICATES / f"{certificate}.pem")
        self.port = self._listener.getsockname()[1]
        place = f"[{host}]" if ":" in host else host
        self.url = f"{'http' if certificate is None else 'https'}://{place}:{self.port}"
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _accept(self) -> None:
        while True:
            try:
                conn, _ = self._listener.accept()
            except OSError:  # closed: the test has ended
                return
            self.connections += 1
            self._open.append(conn)
            thread = threading.Thread(target=self._serve, args=(conn, self.connections), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, conn: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError):  # the client hung up, or the test has ended
            if self._tls is not None:
                conn = self._tls.wrap_socket(conn, server_side=True)
                self._open.append(conn)
            with conn:
                self._handle(self, conn, number)

    def read(self, conn: socket.socket, number: int = 0) -> Asked | None:
        """Reads and notes one request; None at the connection's end."""
        data = b""
        while b"\r\n\r\n" not in data:
            block = conn.recv(65536)
            if not block:
                return None
            data += block
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
        while len(body) < length:
            body += conn.recv(1 << 20)
        method, target, _ = first.split(" ", 2)
        self.asked.append(Asked(method, target, headers, body, number))
        return self.asked[-1]

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join()
        for conn in self._open:
            with contextlib.suppress(OSError):
                conn.shutdown(socket.SHUT_RDWR)
            conn.close()
        for thread in self._threads:
            thread.join()


def answer(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    """An answer with its Content-Length, unless that is given."""
    fields = {"content-length": str(len(body)), **{name.replace("_", "-"): value for name, value in headers.items()}}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body


@contextlib.contextmanager
def peer(
    handle: Callable[[Peer, socket.socket, int], None], host: str = "127.0.0.1", certificate: str | None = None
) -> Iterator[Peer]:
    """A server whose every connection is given to `handle(peer, connection, number)`."""
    found = Peer(handle, host, certificate)
    try:
        yield found
    finally:
        found.close()


@contextlib.contextmanager
def answering(
    reply: bytes | Callable[[Asked], bytes] = b"", host: str = "127.0.0.1", certificate: str | None = None
) -> Iterator[Peer]:
    """A well-behaved server that keeps connections alive and answers every request the same, or by a function."""

    def handle(server: Peer, conn: socket.socket, number: int) -> None:
        while (asked := server.read(conn, number)) is not None:
            conn.sendall(reply(asked) if callable(reply) else reply or answer())

    with peer(handle, host, certificate) as found:
        yield found
