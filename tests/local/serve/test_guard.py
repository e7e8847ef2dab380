"""A bound on request headers, in time and size; and what is no HTTP at all."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from lakefs_hl.local.api import App
from lakefs_hl.local.engine import Engine
from lakefs_hl.local.keys import Keys
from lakefs_hl.local.serve import guard
from lakefs_hl.local.serve.access import Access
from lakefs_hl.local.serve.server import HttpServer
from lakefs_hl.spec.secret import KeyPair

HEALTH = b"GET /api/v1/healthcheck HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpServer]:
    """A server on a thread of this process, with little patience."""
    monkeypatch.setattr(guard, "SECONDS", 0.3)
    engine = Engine.open(tmp_path / "lake", sync=False)
    Keys(engine.folder).install(KeyPair("KEY", "secret"))
    found = HttpServer(App(engine, import_roots=()), tmp_path, Access(port=0))
    ready = threading.Event()
    thread = threading.Thread(target=found.run, args=(ready.set,))
    thread.start()
    assert ready.wait(30)
    yield found
    found.stop()
    thread.join(30)
    assert not thread.is_alive()
    engine.close()


def connect(server: HttpServer) -> socket.socket:
    parts = urlsplit(server.url)
    return socket.create_connection((str(parts.hostname), parts.port), timeout=30)


def all_of(sock: socket.socket) -> bytes:
    """Reads until the server closes."""
    found = b""
    try:
        while piece := sock.recv(65536):
            found += piece
    except ConnectionResetError:
        found += b"(reset)"
    return found


def test_half_a_header_is_not_waited_for(server: HttpServer) -> None:
    for data in (b"", b"GET", HEALTH, HEALTH + b"x: "):
        with connect(server) as sock:
            sock.sendall(data)
            assert all_of(sock).startswith(b"HTTP/1.1 408 ")


def test_half_a_second_request_on_a_kept_connection(server: HttpServer) -> None:
    with connect(server) as sock:
        sock.sendall(HEALTH + b"\r\n")
        assert sock.recv(65536).startswith(b"HTTP/1.1 204 ")
        sock.sendall(HEALTH)
        assert all_of(sock).startswith(b"HTTP/1.1 408 ")


def test_a_slow_body_is_no_slow_header(server: HttpServer) -> None:
    with connect(server) as sock:
        sock.sendall(b"POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
        sock.sendall(b"Content-Length: 2\r\n\r\n{")
        sock.settimeout(1)  # longer than the guard's patience with headers
        with pytest.raises(TimeoutError):
            sock.recv(1)
        sock.settimeout(30)
        sock.sendall(b"}")
        assert sock.recv(65536).startswith(b"HTTP/1.1 400 ")


def test_large_headers_are_refused(server: HttpServer) -> None:
    with connect(server) as sock:
        with contextlib.suppress(ConnectionError):  # it may close before all is sent
            sock.sendall(HEALTH + b"x: " + b"y" * 2 * guard.MAX_HEADERS)
        answer = all_of(sock)
        assert b" 431 " in answer or answer == b"(reset)"
    with connect(server) as sock:
        sock.sendall(HEALTH + b"x: " + b"y" * (guard.MAX_HEADERS // 2) + b"\r\n\r\n")
        assert sock.recv(65536).startswith(b"HTTP/1.1 204 ")


def test_a_large_body_is_no_large_header(server: HttpServer) -> None:
    with connect(server) as sock:
        for _ in range(3):
            body = b'{"name": "' + b"X" * 2 * guard.MAX_HEADERS + b'", "storage_namespace": "local://x"}'
            head = b"POST /api/v1/repositories HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic S0VZOnNlY3JldA==\r\n"
            sock.sendall(head + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            answer = b""
            while not answer.endswith(b"}"):  # head and body may come apart
                answer += sock.recv(65536)
            assert answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        HEALTH + b"content-length: x\r\n\r\n",
        HEALTH + b"content-length: 1\r\ncontent-length: 2\r\n\r\n",
        HEALTH + b"bad header\r\n\r\n",
        HEALTH + b"transfer-encoding: chunked\r\n\r\nZZ\r\n",
    ],
)
def test_what_is_no_http(server: HttpServer, data: bytes) -> None:
    with connect(server) as sock:
        sock.sendall(data)
        answer = all_of(sock)
        assert b" 400 " in answer or b" 408 " in answer or answer in (b"", b"(reset)")
    with connect(server) as sock:  # and the next is served
        sock.sendall(HEALTH + b"\r\n")
        assert sock.recv(65536).startswith(b"HTTP/1.1 204 ")
