"""Bytes that belong to no request: whatever a peer sends beside its responses is never taken for the next one."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from typing import Final

import pytest

from lakefs_hl.spec import endpoints
from lakefs_hl.spec.wire import FileSlice, Request, TransportError
from lakefs_hl.transport.http import Http
from tests.transport.peers import CERTIFICATES, Peer, answer, peer
from tests.transport.ways import run, ways

AUTHORITY: Final = str(CERTIFICATES / "authority.pem")
GET: Final = Request(endpoints.GET_OBJECT, ("r", "main"), {"path": "k"})
LARGE: Final = b"r" * 100_000
CHUNKED: Final = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
#: A response, and the body that it has.
RESPONSES: Final = {
    "small": (answer(b"right"), b"right"),
    "large": (answer(LARGE), LARGE),
    "chunked": (CHUNKED + b"5\r\nright\r\n0\r\n\r\n", b"right"),
}
STRANGE: Final = {"byte": b"x", "response": answer(b"wrong"), "long": answer(b"wrong" * 10_000)}


@ways
@pytest.mark.parametrize("certificate", [None, "localhost"], ids=["plain", "tls"])
@pytest.mark.parametrize("shape", RESPONSES)
@pytest.mark.parametrize("strange", STRANGE)
def test_what_comes_with_a_response_or_later_is_not_the_next_one(
    way: str, certificate: str | None, shape: str, strange: str
) -> None:
    idle, arrived = threading.Event(), threading.Event()
    response, body = RESPONSES[shape]

    def handle(server: Peer, conn: socket.socket, number: int) -> None:
        server.read(conn, number)
        conn.sendall(response + STRANGE[strange] if number == 1 else response)
        if number == 2:
            idle.wait(10)
            conn.sendall(STRANGE[strange])
            arrived.set()
        while server.read(conn, number) is not None:
            conn.sendall(response if number > 2 else answer(b"wrong"))

    with peer(handle, certificate=certificate) as server:
        with contextlib.closing(Http(server.url, ca_cert=AUTHORITY)) as http:
            found = run(way, http, GET, GET, idle.set, lambda: arrived.wait(10), GET, GET)
    assert found == [body] * 4
    # well-behaved ones are kept; a peer in this process may respond while libcurl still sends, and is asked again
    assert server.connections == 3 or (certificate and way in ("lane", "loop"))


@pytest.mark.parametrize("certificate", [None, "localhost"], ids=["plain", "tls"])
@pytest.mark.parametrize("size", [10, 3 << 20])
def test_what_comes_between_the_choice_of_a_connection_and_the_request_is_noticed(
    tmp_path: Path, certificate: str | None, size: int
) -> None:
    """A file is read after the connection was chosen and before anything is sent: a moment that a test can hold."""
    go, arrived = threading.Event(), threading.Event()

    def handle(server: Peer, conn: socket.socket, number: int) -> None:
        server.read(conn, number)
        conn.sendall(answer(b"right"))
        if number == 1:
            go.wait(10)
            conn.sendall(answer(b"wrong"))
            arrived.set()
        while server.read(conn, number) is not None:
            conn.sendall(answer(b"right"))

    def hold(_: int) -> None:
        go.set()
        arrived.wait(10)

    (tmp_path / "f").write_bytes(bytes(size))
    with (tmp_path / "f").open("rb") as file, peer(handle, certificate=certificate) as server:
        upload = Request(
            endpoints.UPLOAD_OBJECT, ("r", "main"), {"path": "k"}, {}, FileSlice(file.fileno(), 0, size, None, hold)
        )
        with contextlib.closing(Http(server.url, ca_cert=AUTHORITY)) as http:
            assert [http.send(one).body for one in (GET, upload, GET)] == [b"right"] * 3
        assert [(one.connection, len(one.body)) for one in server.asked] == [(1, 0), (2, size), (2, 0)]


def test_a_success_before_the_content_was_sent_is_none(tmp_path: Path) -> None:
    """All of it is sent then: only when the response arrived says that it is of something else."""
    go, arrived, size = threading.Event(), threading.Event(), 3 << 20

    def handle(server: Peer, conn: socket.socket, number: int) -> None:
        server.read(conn, number)
        conn.sendall(answer(b"right"))
        if number == 1:
            conn.recv(1000)
            go.wait(10)
            conn.sendall(answer(b"wrong"))
            arrived.set()
            while conn.recv(1 << 20):
                pass

    def hold(position: int) -> None:
        if position == 2 << 20:
            go.set()
            arrived.wait(10)

    (tmp_path / "f").write_bytes(bytes(size))
    with (tmp_path / "f").open("rb") as file, peer(handle) as server:
        body = FileSlice(file.fileno(), 0, size, None, hold)
        with contextlib.closing(Http(server.url)) as http:
            http.send(GET)
            with pytest.raises(TransportError, match=f"it had {1 << 20} of {size} bytes"):
                http.send(Request(endpoints.UPLOAD_OBJECT, ("r", "main"), {"path": "k"}, {}, body))
            assert http.send(GET).body == b"right"
        assert server.connections == 2
