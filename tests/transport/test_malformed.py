"""Malformed responses: each is refused, on new connections and on kept ones, by the same kind of error everywhere."""

from __future__ import annotations

import contextlib
import socket
from typing import Final

import pytest

from lakefs_hl.spec import endpoints
from lakefs_hl.spec.wire import Request, TransportError
from lakefs_hl.transport.http import Http
from tests.transport.peers import Peer, answer, answering, peer
from tests.transport.ways import run, ways

GET: Final = Request(endpoints.GET_OBJECT, ("r", "main"), {"path": "k"})
HEAD: Final = Request(endpoints.HEAD_OBJECT, ("r", "main"), {"path": "k"})
CHUNKED: Final = b"transfer-encoding: chunked\r\n\r\n"
#: What is behind the status line, and whether another attempt may succeed.
MALFORMED: Final = {
    "length and letters": (b"content-length: 5abc\r\n\r\nright", True),
    "plus": (b"content-length: +5\r\n\r\nright", True),
    "minus": (b"content-length: -5\r\n\r\nright", True),
    "hexadecimal": (b"content-length: 0x5\r\n\r\nright", True),
    "blank within": (b"content-length: 5 5\r\n\r\nright", True),
    "nothing": (b"content-length:\r\n\r\nright", True),
    "superscript": (b"content-length: \xb25\r\n\r\nright", True),
    "comma": (b"content-length: 5,\r\n\r\nright", True),
    "two lengths in a line": (b"content-length: 5, 6\r\n\r\nright", True),
    "two lengths": (b"content-length: 5\r\ncontent-length: 6\r\n\r\nright", True),
    "length and chunks": (b"content-length: 5abc\r\n" + CHUNKED + b"5\r\nright\r\n0\r\n\r\n", True),
    "more digits than an integer has": (b"content-length: " + b"9" * 5000 + b"\r\n\r\nright", True),
    "chunk and letters": (CHUNKED + b"5 zz\r\nright\r\n0\r\n\r\n", True),
    "chunk without a size": (CHUNKED + b";x=y\r\nright\r\n0\r\n\r\n", True),
    "negative chunk": (CHUNKED + b"-5\r\nright\r\n0\r\n\r\n", True),
    "hexadecimal chunk": (CHUNKED + b"0x5\r\nright\r\n0\r\n\r\n", True),
    "long chunk": (CHUNKED + b"5\r\nrightabc\r\n0\r\n\r\n", True),
    "long size": (CHUNKED + b"0" * 17 + b"5\r\nright\r\n0\r\n\r\n", True),
    "long extension": (CHUNKED + b"5;" + b"x" * 5000 + b"\r\nright\r\n0\r\n\r\n", False),
    "many trailers": (CHUNKED + b"5\r\nright\r\n0\r\n" + b"a: b\r\n" * 1001 + b"\r\n", False),
    "another coding": (b"transfer-encoding: gzip, chunked\r\n\r\n5\r\nright\r\n0\r\n\r\n", False),
}
SWITCHING: Final = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"


def outcomes(way: str, reply: bytes, request: Request = GET) -> list[bytes | TransportError]:
    """What becomes of a malformed response on a new connection, and of one on a connection that was kept."""

    def handle(server: Peer, conn: socket.socket, number: int) -> None:
        if number == 2:
            server.read(conn, number)
            conn.sendall(answer(b"fine"))
        server.read(conn, number)
        conn.sendall(reply)

    with peer(handle) as server, contextlib.closing(Http(server.url)) as http:
        first, fine, second = run(way, http, request, GET, request)
    assert fine == b"fine"
    return [first, second]


@ways
@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_response_is_refused(way: str, name: str) -> None:
    rest, retry = MALFORMED[name]
    for found in outcomes(way, b"HTTP/1.1 200 OK\r\n" + rest):
        assert isinstance(found, TransportError), found
        assert (found.kind, found.retry) == ("protocol", retry), found


@ways
def test_a_protocol_that_was_not_asked_for_is_refused(way: str) -> None:
    for found in outcomes(way, SWITCHING):
        assert isinstance(found, TransportError), found
        assert (found.kind, found.retry) == ("protocol", True), found


@ways
@pytest.mark.parametrize("name", ["length and letters", "plus", "two lengths in a line"])
def test_a_malformed_length_without_a_body_is_refused(way: str, name: str) -> None:
    for found in outcomes(
        way, b"HTTP/1.1 200 OK\r\n" + MALFORMED[name][0].partition(b"\r\n\r\n")[0] + b"\r\n\r\n", HEAD
    ):
        assert isinstance(found, TransportError), found
        assert (found.kind, found.retry) == ("protocol", True), found


@ways
@pytest.mark.parametrize("rest", [b"content-length: 5, 5\r\n\r\nright", b"content-length: 5\r\n" * 2 + b"\r\nright"])
def test_a_length_that_is_repeated_is_one_length(way: str, rest: bytes) -> None:
    with answering(b"HTTP/1.1 200 OK\r\n" + rest) as server, contextlib.closing(Http(server.url)) as http:
        assert run(way, http, GET, GET) == [b"right"] * 2
        assert server.connections == 1
