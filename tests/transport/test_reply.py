"""Responses over real sockets: interim responses, many headers, chunks, and codings of a proxy."""

from __future__ import annotations

import gzip
import socket
import zlib
from typing import Any

import pytest

from lakefs_hl.spec import endpoints
from lakefs_hl.spec.wire import Request, Response, TransportError
from lakefs_hl.transport.deadlines import Bounds
from lakefs_hl.transport.exchange import Exchange, begin, end
from lakefs_hl.transport.http import Http
from lakefs_hl.transport.limits import LIMITS
from lakefs_hl.transport.reply import Arrived, Reply
from tests.transport.peers import Peer, answer, answering, peer

STAT = Request(endpoints.STAT_OBJECT, ("r", "main"), {"path": "k"})
HEAD = Request(endpoints.HEAD_OBJECT, ("r", "main"), {"path": "k"})
READ = Request(endpoints.GET_OBJECT, ("r", "main"), {"path": "k"})
HEAD_OF_CHUNKS = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
HINT = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"


def ask(reply: bytes, request: Request = STAT, times: int = 1, **options: Any) -> tuple[Response, int]:
    """The last response to a request that is sent several times, and the connections that took."""
    with answering(reply) as server:
        transport = Http(server.url, **options)
        responses = [transport.send(request) for _ in range(times)]
        return responses[-1], server.connections


def refused(reply: bytes, request: Request = STAT, **options: Any) -> TransportError:
    with pytest.raises(TransportError) as caught:
        ask(reply, request, **options)
    return caught.value


# --------------------------------------------------------------------------------------------------------- heads


@pytest.mark.parametrize(
    "before",
    [HINT, b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 102 Processing\r\n\r\n" + HINT, HINT * LIMITS.interim],
    ids=["103", "100", "102 and 103", "as many as there may be"],
)
@pytest.mark.parametrize("request_", [STAT, Request(endpoints.COMMIT, ("r", "main"), body=b"{}")], ids=["GET", "POST"])
def test_interim_responses_are_skipped(before: bytes, request_: Request) -> None:
    response, connections = ask(before + answer(b"{}", etag="x"), request_, times=3)
    assert (response.status, response.body, response.headers["etag"]) == (200, b"{}", "x")
    assert "link" not in response.headers
    assert connections == 1


def test_too_many_interim_responses_are_refused() -> None:
    error = refused(HINT * (LIMITS.interim + 1) + answer(b"{}"))
    assert (error.kind, error.retry) == ("protocol", False)
    assert "sent more than 100 interim (1xx) responses" in str(error)


def test_a_thousand_header_lines_are_read() -> None:
    lines = {f"x-amz-meta-key{number}": "v" for number in range(LIMITS.head_lines - 1)}
    response, connections = ask(answer(b"{}", **lines), times=2)
    assert (len(response.headers), connections) == (LIMITS.head_lines, 1)
    error = refused(answer(b"{}", **lines, **{"x-one-more": "v"}))
    assert "sends more than 1,000 header lines" in str(error)


@pytest.mark.parametrize("lines", [{"x": "v" * 65000}, {f"x{number}": "v" * 1000 for number in range(60)}])
def test_more_than_64_kib_of_headers_are_refused(lines: dict[str, str]) -> None:
    assert ask(answer(b"{}", **lines))[0].headers["content-length"] == "2"
    assert "sends more than 64 KiB of headers" in str(refused(answer(b"{}", **lines, y="v" * 10000)))


def test_unusual_header_lines_are_read() -> None:
    reply = (
        b"HTTP/1.1  200  Very OK \r\n continued before anything\r\nX-A: 1\r\nx-a: 2\r\nx-b:\r\n\tfolded\r\n"
        b"no colon here\r\nbad name : x\r\nx-c:c:c\nx-d: \xe9\r\ncontent-length: 2\r\n\r\n{}"
    )
    response, _ = ask(reply)
    assert (response.status, response.reason, response.body) == (200, "Very OK", b"{}")
    assert response.headers["x-b"].strip() == "folded"
    assert response.headers["x-d"] == "\xe9"
    assert response.headers["x-a"] == "1, 2"
    assert response.headers["x-c"] == "c:c"
    assert "bad name" not in response.headers


@pytest.mark.parametrize("line", [b"HTTP/2 200", b"HTTP/1.1 99 x", b"HTTP/1.1 2e2 OK", b"200 OK", b""])
def test_malformed_status_lines_are_refused(line: bytes) -> None:
    assert refused(line + b"\r\ncontent-length: 0\r\n\r\n").kind == "protocol"


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nx: 1\r\ncontent-le", HINT])
def test_an_incomplete_head_is_no_response(head: bytes) -> None:
    def hang_up(server: Peer, conn: socket.socket, number: int) -> None:
        server.read(conn)
        conn.sendall(head)

    with peer(hang_up) as server, pytest.raises(TransportError) as caught:
        Http(server.url).send(STAT)
    assert (caught.value.kind, caught.value.phase, caught.value.retry) == ("reset", "wait", True)


def test_two_lengths_are_refused() -> None:
    reply = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{} "
    assert "2 different lengths" in str(refused(reply))
    same = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\n{}"
    assert ask(same)[0].body == b"{}"


def test_an_unknown_transfer_coding_is_refused() -> None:
    reply = b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"
    assert "transfer coding 'gzip, chunked'" in str(refused(reply))


@pytest.mark.parametrize("reply", [answer(content_length="5"), HEAD_OF_CHUNKS], ids=["length", "chunked"])
def test_head_has_no_body_whatever_its_headers_say(reply: bytes) -> None:
    response, connections = ask(reply, HEAD, times=3)
    assert (response.body, connections) == (b"", 1)


# -------------------------------------------------------------------------------------------------------- chunks


def chunked(*pieces: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    body = b"".join(b"%x;name=value\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n" + body + end


@pytest.mark.parametrize("sink", [True, False])
@pytest.mark.parametrize("end", [b"0\r\n\r\n", b"000;x\r\na: b\r\nc: d\r\n\r\n"], ids=["plain", "trailers"])
def test_chunks_are_put_together_and_the_connection_is_used_again(sink: bool, end: bytes) -> None:
    pieces = [b"a" * size for size in (1, 10, 8192, 100_000, 3 << 20, 2)]
    room = memoryview(bytearray(4 << 20))
    request = Request(READ.endpoint, READ.params, READ.query, sink=room if sink else None)
    response, connections = ask(chunked(*pieces, end=end), request, times=2)
    assert connections == 1
    if sink:
        assert (response.filled, bytes(room[: response.filled])) == (sum(map(len, pieces)), b"".join(pieces))
    else:
        assert response.body == b"".join(pieces)


@pytest.mark.parametrize(
    ("end", "words", "retry"),
    [
        (b"x\r\n", "a chunk without its length", True),
        (b"-1\r\n", "a chunk without its length", True),
        (b"1" * 17 + b"\r\n", "a chunk without its length", True),
        (b"3\r\nabcd\r\n0\r\n\r\n", "a chunk that is longer than announced", True),
        (b"3;" + b"a" * 5000 + b"\r\n", "chunks with more than 4,096 bytes around them", False),
        (b"0\r\n" + b"a: b\r\n" * 1001, "sends more than 1,000 header lines", False),
    ],
)
def test_malformed_chunks_are_refused(end: bytes, words: str, retry: bool) -> None:
    error = refused(chunked(b"abc", end=end))
    assert (error.kind, error.retry) == ("protocol", retry)
    assert words in str(error)


# ------------------------------------------------------------------------------------------------------- codings

RECORD = b'{"path": "k", "checksum": "' + b"0" * 5000 + b'"}'


def gzipped(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)  # the same in every process that collects these tests


def deflated(content: bytes, bits: int) -> bytes:
    packer = zlib.compressobj(wbits=bits)
    return packer.compress(content) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "content"),
    [
        ("gzip", gzipped(RECORD)),
        ("X-GZIP", gzipped(RECORD)),
        ("gzip", gzipped(RECORD[:100]) + gzipped(RECORD[100:])),
        ("deflate", deflated(RECORD, 15)),
        ("deflate", deflated(RECORD, -15)),
        ("identity", RECORD),
    ],
)
@pytest.mark.parametrize("row", [STAT, Request(endpoints.UPLOAD_OBJECT, ("r", "main"), {"path": "k"}, body=b"x")])
def test_a_record_that_a_proxy_compressed_is_read(coding: str, content: bytes, row: Request) -> None:
    response, _ = ask(answer(content, content_encoding=coding), row)
    assert response.body == RECORD


@pytest.mark.parametrize("status", ["404 Not Found", "500 Oops"])
def test_an_error_that_a_proxy_compressed_is_read(status: str) -> None:
    said = b'{"message":"not found"}'
    assert ask(answer(gzipped(said), status, content_encoding="gzip"))[0].body == said
    assert ask(answer(said, status, content_encoding="gzip"))[0].body == said  # it only says so
    bomb, _ = ask(answer(gzipped(bytes(10 << 20)), status, content_encoding="gzip"))
    assert len(bomb.body) <= LIMITS.error_body  # type: ignore[arg-type]


def test_a_decoded_record_has_a_size_limit() -> None:
    bomb = gzipped(bytes(3 << 20))
    error = refused(answer(bomb, content_encoding="gzip"), limits=LIMITS._replace(record=2 << 20))
    assert "larger than 2 MiB" in str(error)
    twice = gzipped(bytes(3 << 19)) * 2
    assert "larger" in str(refused(answer(twice, content_encoding="gzip"), limits=LIMITS._replace(record=2 << 20)))


@pytest.mark.parametrize(
    ("coding", "content"),
    [
        ("br", b"x"),
        ("gzip", b"not gzip"),
        ("gzip", gzipped(RECORD)[:-9]),
        ("gzip, br", b"x"),
        ("deflate", b"\0"),
    ],
)
def test_a_record_that_cannot_be_decoded_says_so(coding: str, content: bytes) -> None:
    error = refused(answer(content, content_encoding=coding))
    assert (error.kind, error.retry) == ("protocol", False)
    assert f"content-encoding '{coding}'" in str(error)


@pytest.mark.parametrize("sink", [True, False])
def test_the_data_of_an_object_is_never_decoded(sink: bool) -> None:
    packed = gzipped(b"data")
    room = memoryview(bytearray(100)) if sink else None
    error = refused(answer(packed, content_encoding="gzip"), Request(READ.endpoint, READ.params, READ.query, sink=room))
    assert error.retry is False
    assert "a proxy on the way changes the bytes" in str(error)
    with answering(answer(packed, content_encoding="gzip")) as store:  # stored so, which the store says
        signed = Request(endpoints.PRESIGNED_GET, ("r", "main"), {"path": "k"}, url=f"{store.url}/k")
        assert Http(store.url).send(signed).body == packed


# ----------------------------------------------------------------------------------------- what arrives in one piece


def exchange() -> Exchange:
    return Exchange(Bounds(5.0, 5.0, 5.0, None), None, None)


@pytest.mark.parametrize(
    "reply",
    [
        answer(b"hello", etag="x"),
        answer(b"gone", "404 Not Found", connection="Keep-Alive"),
        b"HTTP/1.1 204 No Content\r\ndate: today\r\n\r\n",
    ],
    ids=["200", "404", "204"],
)
def test_a_response_is_the_same_wherever_it_is_cut(reply: bytes) -> None:
    known = exchange()
    whole = Arrived.of(reply, known, "GET")
    assert whole is not None
    status, body = whole.status, whole.read(2) + whole.read() + whole.read(1)
    for cut in range(1, len(reply)):
        here = exchange()
        assert Arrived.of(reply[:cut], here, "GET") is None
        client, server = socket.socketpair()
        with client, server:
            server.sendall(reply[cut:])
            begin(here)
            found = Reply(client, method="GET", ahead=reply[:cut])
            found.begin()
            assert (found.status, found.read(), here.headers) == (status, body, known.headers)
            end()


@pytest.mark.parametrize(
    "reply",
    [
        HINT + answer(b"{}"),
        answer(b"{}") + b"more",
        answer(b"{}", connection="close"),
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n\r\n{}",
        HEAD_OF_CHUNKS + b"0\r\n\r\n",
    ],
    ids=["interim", "too long", "closing", "HTTP/1.0", "without a length", "chunks"],
)
def test_what_takes_more_than_one_piece_is_left_to_a_stream(reply: bytes) -> None:
    assert Arrived.of(reply, exchange(), "GET") is None
    assert Arrived.of(answer(b""), exchange(), "HEAD") is None
