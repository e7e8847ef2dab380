"""One exchange over real sockets: the request, the response, and the error of each failure."""

from __future__ import annotations

import errno
import logging
import os
import socket
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from urllib3.connection import HTTPConnection

from lakefs_hl.ops.effects import Cancelled, gather, send
from lakefs_hl.spec import endpoints
from lakefs_hl.spec.secret import Secret
from lakefs_hl.spec.wire import FileSlice, Request, TransportError
from lakefs_hl.transport import sockets
from lakefs_hl.transport.blocking import Blocking
from lakefs_hl.transport.exchange import Exchange
from lakefs_hl.transport.http import Http
from lakefs_hl.transport.limits import LIMITS
from lakefs_hl.transport.scope import Scope
from tests.transport.peers import CERTIFICATES, Peer, answer, answering, peer

STAT = Request(endpoints.STAT_OBJECT, ("r", "main"), {"path": "k"})
READ = Request(endpoints.GET_OBJECT, ("r", "main"), {"path": "k"})
COMMIT = Request(endpoints.COMMIT, ("r", "main"), body=b"{}")
AUTHORITY = str(CERTIFICATES / "authority.pem")
SIGNED = "X-Amz-Signature=cafe"


def upload(body: bytes | FileSlice, **fields: Any) -> Request:
    return Request(endpoints.UPLOAD_OBJECT, ("r", "main"), {"path": "k"}, body=body, **fields)


def broken(transport: Http, request: Request) -> TransportError:
    with pytest.raises(TransportError) as caught:
        transport.send(request)
    assert caught.value.__cause__ is None  # what urllib3 says may hold a URL
    return caught.value


# ------------------------------------------------------------------------------------------------------- requests


def test_a_request_has_its_path_query_and_headers() -> None:
    request = Request(
        endpoints.STAT_OBJECT, ("r", "a/b ü"), {"path": "x y/é&=+"}, {"x-custom": "1"}, authorization="Basic QQ=="
    )
    with answering(answer(b"{}")) as server:
        response = Http(server.url, user_agent="lakefs-hl/9").send(request)
    asked = server.asked[0]
    assert asked.target == "/api/v1/repositories/r/refs/a%2Fb%20%C3%BC/objects/stat?path=x%20y%2F%C3%A9%26%3D%2B"
    assert asked.headers["authorization"] == "Basic QQ=="
    assert asked.headers["x-custom"] == "1"
    assert asked.headers["accept-encoding"] == "identity"
    assert asked.headers["user-agent"] == "lakefs-hl/9"
    assert (response.status, response.body, response.reason) == (200, b"{}", "OK")
    assert response.seconds > 0


@pytest.mark.parametrize("body", [b"", FileSlice(0, 0, 0)], ids=["bytes", "file"])
def test_b2_23_an_empty_body_has_length_0_and_is_never_chunked(body: bytes | FileSlice) -> None:
    with answering() as server:
        Http(server.url).send(upload(body))
    assert server.asked[0].headers["content-length"] == "0"
    assert "transfer-encoding" not in server.asked[0].headers


def test_a_delete_may_have_a_body() -> None:
    request = Request(endpoints.DELETE_REPOSITORY_METADATA, ("r",), body=b'{"keys":["a"]}')
    with answering(answer(status="204 No Content")) as server:
        Http(server.url).send(request)
    assert (server.asked[0].method, server.asked[0].body) == ("DELETE", b'{"keys":["a"]}')


def test_b2_24_b2_26_a_file_is_sent_with_its_length_and_keeps_its_position() -> None:
    content = os.urandom(3 << 20)
    with answering() as server, tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        file.seek(5)
        request = upload(FileSlice(file.fileno(), 7, len(content) - 9), digest=True)
        first, second = Http(server.url).send(request), Http(server.url).send(request)  # B2.25: replayable
        assert file.tell() == 5
        assert not file.closed
    assert [asked.body for asked in server.asked] == [content[7:-2]] * 2
    assert server.asked[0].headers["content-length"] == str(len(content) - 9)
    assert "transfer-encoding" not in server.asked[0].headers
    assert first.md5 == second.md5 == _md5(content[7:-2])


def test_bytes_are_hashed_as_they_are_sent() -> None:
    with answering() as server:
        assert Http(server.url).send(upload(b"hello", digest=True)).md5 == _md5(b"hello")


def test_a_file_that_shrank_is_the_callers_error_and_no_network_failure() -> None:
    with answering() as server, tempfile.TemporaryFile() as file:
        file.write(b"short")
        file.flush()
        with pytest.raises(EOFError, match="5 of 100 bytes"):
            Http(server.url).send(upload(FileSlice(file.fileno(), 0, 100)))


def test_a_closed_file_is_an_oserror() -> None:
    nowhere = FileSlice(1 << 20, 0, 100)
    with answering() as server, pytest.raises(OSError, match="Bad file descriptor"):
        Http(server.url).send(upload(nowhere))


def test_an_error_response_within_a_long_upload_is_read() -> None:
    def refuse(server: Peer, conn: socket.socket, number: int) -> None:
        conn.recv(1000)
        conn.sendall(answer(b'{"message":"too large"}', "413 Payload Too Large", connection="close"))
        conn.shutdown(socket.SHUT_WR)
        while conn.recv(1 << 20):
            pass

    with peer(refuse) as server:
        response = Http(server.url).send(upload(bytes(8 << 20)))
    assert (response.status, response.body) == (413, b'{"message":"too large"}')


@pytest.mark.parametrize("warm", [False, True], ids=["new", "open"])
def test_a_success_before_the_content_was_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, warm: bool
) -> None:
    transmit = Exchange._transmit

    def cut(self: Exchange, sock: socket.socket, data: Any, headers: int) -> None:
        if not headers:  # what the client meets, sooner or later, once the peer has closed the connection
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")
        transmit(self, sock, data, headers)

    def confirm(server: Peer, conn: socket.socket, number: int) -> None:
        if warm:
            conn.recv(1000)
            conn.sendall(answer(b"{}"))
        conn.recv(1000)
        conn.sendall(answer(b"{}"))

    monkeypatch.setattr(Exchange, "_transmit", cut)
    (tmp_path / "f").write_bytes(bytes(1 << 20))
    with (tmp_path / "f").open("rb") as file:
        for body in (bytes(1 << 20), FileSlice(file.fileno(), 0, 1 << 20)):
            with peer(confirm) as server:
                http = Http(server.url)
                if warm:
                    http.send(Request(endpoints.GET_CONFIG))
                with pytest.raises(TransportError, match="confirmed content of which it had") as caught:
                    http.send(upload(body))
                assert caught.value.applied is None
                http.close()


def test_a_redirect_is_returned_and_not_followed() -> None:
    with answering(answer(status="302 Found", location="http://elsewhere.invalid/")) as server:
        response = Http(server.url).send(STAT)
    assert (response.status, response.headers["location"], len(server.asked)) == (302, "http://elsewhere.invalid/", 1)


def test_an_ipv6_endpoint_is_reached() -> None:
    try:
        server_context = answering(answer(b"{}"), host="::1")
        with server_context as server:
            assert Http(server.url).send(STAT).status == 200
            assert server.asked[0].headers["host"] == f"[::1]:{server.port}"
    except OSError as exc:
        pytest.skip(f"no IPv6 on this machine: {exc}")


# ------------------------------------------------------------------------------------------------------ responses


def test_a_sink_in_memory_is_filled_from_its_start() -> None:
    content, buffer = os.urandom(3 << 20), bytearray(4 << 20)
    request = Request(READ.endpoint, READ.params, READ.query, sink=memoryview(buffer), digest=True)
    with answering(answer(content)) as server:
        response = Http(server.url).send(request)
    assert (response.filled, response.body, response.md5) == (len(content), b"", _md5(content))
    assert bytes(buffer[: len(content)]) == content


def test_a_sink_in_a_file_is_filled_at_its_offset() -> None:
    content = os.urandom(3 << 20)
    with answering(answer(content)) as server, tempfile.TemporaryFile() as file:
        sink = FileSlice(file.fileno(), 10, len(content))
        response = Http(server.url).send(Request(READ.endpoint, READ.params, READ.query, sink=sink, digest=True))
        assert file.tell() == 0
        assert file.read()[10:] == content
    assert (response.filled, response.md5) == (len(content), _md5(content))


@pytest.mark.parametrize("status", ["404 Not Found", "416 Range Not Satisfiable", "500 Oops", "302 Found"])
def test_a_sink_never_sees_an_error_body(status: str) -> None:
    buffer = bytearray(100)
    with answering(answer(b"an error", status)) as server:
        response = Http(server.url).send(Request(READ.endpoint, READ.params, READ.query, sink=memoryview(buffer)))
    assert (response.body, response.filled, any(buffer)) == (b"an error", 0, False)


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_a_body_without_a_sink_is_returned_as_bytes(size: int) -> None:
    content = os.urandom(size)
    with answering(answer(content)) as server:
        response = Http(server.url).send(Request(READ.endpoint, READ.params, READ.query, digest=True))
    assert (response.body, response.md5) == (content, _md5(content))


def test_b1_8_a_body_that_arrives_byte_by_byte_is_complete() -> None:
    def dribble(server: Peer, conn: socket.socket, number: int) -> None:
        server.read(conn)
        for byte in answer(b"0123456789"):
            conn.sendall(bytes([byte]))

    buffer = bytearray(10)
    with peer(dribble) as server:
        response = Http(server.url).send(Request(READ.endpoint, READ.params, READ.query, sink=memoryview(buffer)))
    assert (response.filled, bytes(buffer)) == (10, b"0123456789")


@pytest.mark.parametrize("sink", [True, False], ids=["sink", "no sink"])
def test_b1_9_a_body_shorter_than_announced_is_an_error(sink: bool) -> None:
    def half(server: Peer, conn: socket.socket, number: int) -> None:
        server.read(conn)
        conn.sendall(answer(bytes(3 << 20), content_length=str(5 << 20)))

    room = memoryview(bytearray(5 << 20)) if sink else None
    with peer(half) as server:
        error = broken(Http(server.url), Request(READ.endpoint, READ.params, READ.query, sink=room))
    assert (error.kind, error.phase, error.retry, error.applied) == ("reset", "read", True, None)
    assert 0 < error.received <= 3 << 20
    assert "ended the response early" in str(error)


@pytest.mark.parametrize("chunked", [False, True])
def test_b1_9_b1_11_a_body_longer_than_asked_for_is_an_error(chunked: bool) -> None:
    buffer = bytearray(20)
    long = answer(b"x" * 50)
    if chunked:
        long = (
            b"HTTP/1.1 206 Partial Content\r\ntransfer-encoding: chunked\r\n\r\n32\r\n" + b"x" * 50 + b"\r\n0\r\n\r\n"
        )
    with answering(long) as server:
        request = Request(READ.endpoint, READ.params, READ.query, sink=memoryview(buffer)[:10])
        error = broken(Http(server.url), request)
    assert (error.kind, error.retry) == ("protocol", False)
    assert "at most 10 bytes" in str(error)
    assert not any(buffer[10:])


def test_b1_9_bytes_behind_a_body_never_reach_the_next_response() -> None:
    with answering(lambda asked: answer(b"{}") + b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil") as server:
        transport = Http(server.url)
        assert [transport.send(STAT).body for _ in range(5)] == [b"{}"] * 5


def test_an_error_body_has_a_size_limit() -> None:
    with answering(answer(b"x" * (200 << 10), "500 Oops")) as server:
        transport = Http(server.url)
        assert len(transport.send(STAT).body) == LIMITS.error_body  # type: ignore[arg-type]
        assert transport.send(STAT).status == 500  # on a new connection: the rest was not waited for
    assert server.connections == 2


@pytest.mark.parametrize("announced", [True, False])
def test_a_record_has_a_size_limit_and_an_object_has_none(announced: bool) -> None:
    limits = LIMITS._replace(record=2 << 20)
    body = bytes(3 << 20)
    head = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"

    def handle(server: Peer, conn: socket.socket, number: int) -> None:
        server.read(conn)
        conn.sendall(answer(body) if announced else head + body)

    with peer(handle) as server:
        error = broken(Http(server.url, limits=limits), STAT)
        after_upload = broken(Http(server.url, limits=limits), upload(b"x"))  # a transfer that answers with a record
        assert len(Http(server.url, limits=limits).send(READ).body) == len(body)  # type: ignore[arg-type]
    assert after_upload.kind == "protocol"
    assert error.kind == "protocol"
    assert "larger than 2 MiB" in str(error)


# -------------------------------------------------------------------------------------------------- every way to break


def test_a_closed_port_refuses_connections() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    error = broken(Http(f"http://127.0.0.1:{port}"), STAT)
    assert (error.kind, error.phase, error.retry, error.applied) == ("refused", "connect", True, False)
    assert str(error) == f"127.0.0.1:{port} refuses connections"


def test_an_unknown_host_does_not_resolve() -> None:
    error = broken(Http("http://nowhere.invalid:8000"), STAT)
    assert (error.kind, error.phase, error.applied) == ("dns", "connect", False)
    assert str(error) == "the name of nowhere.invalid:8000 does not resolve"


def hang(server: Peer, conn: socket.socket, number: int) -> None:
    server.read(conn)
    while conn.recv(1):
        pass


def test_a_server_that_sends_nothing_ends_by_the_read_timeout() -> None:
    with peer(hang) as server:
        error = broken(Http(server.url), Request(STAT.endpoint, STAT.params, STAT.query, timeout=0.1))
    assert (error.kind, error.phase, error.applied) == ("timeout", "wait", None)
    assert "sent no data for 0.1 s while waiting" in str(error)
    assert error.seconds >= 0.1


def test_a_server_that_stops_within_a_response_ends_by_the_read_timeout() -> None:
    def half(server: Peer, conn: socket.socket, number: int) -> None:
        server.read(conn)
        conn.sendall(answer(b"x" * 100, content_length="200"))
        while conn.recv(1):
            pass

    with peer(half) as server:
        error = broken(Http(server.url), Request(READ.endpoint, READ.params, READ.query, timeout=0.1))
    assert (error.kind, error.phase) == ("timeout", "read")


def test_within_limits_the_exchange() -> None:
    with peer(hang) as server, pytest.raises(TransportError, match="deadline expired after"):
        Http(server.url).send(STAT, None, 0.1)


def test_a_connection_closed_before_the_response_is_an_unknown_outcome() -> None:
    with peer(lambda server, conn, number: server.read(conn) and None) as server:
        error = broken(Http(server.url), COMMIT)
    assert (error.kind, error.phase, error.applied, error.sent) == ("reset", "wait", None, 2)


def test_a_connection_closed_while_sending_is_an_unknown_outcome() -> None:
    def hang_up(server: Peer, conn: socket.socket, number: int) -> None:
        seen = 0
        while seen < 1 << 20:
            seen += len(conn.recv(65536))
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with peer(hang_up) as server:
        error = broken(Http(server.url), upload(bytes(32 << 20)))
    assert (error.kind, error.phase) == ("reset", "send")
    assert 0 < error.sent < 32 << 20


@pytest.mark.parametrize(
    "said", [b"SSH-2.0-OpenSSH_9.6\r\n", b"<html>hello</html>", b"\0\1\2\3\n", b"HTTP/banana\r\n\r\n"], ids=range(4)
)
def test_a_response_that_is_not_http_is_a_protocol_failure(said: bytes) -> None:
    def speak(server: Peer, conn: socket.socket, number: int) -> None:
        server.read(conn)
        conn.sendall(said)

    with peer(speak) as server:
        error = broken(Http(server.url), STAT)
    assert (error.kind, error.retry) == ("protocol", False)
    assert f"127.0.0.1:{server.port} does not speak HTTP" in str(error)


def test_https_to_a_plain_port_says_which_scheme_to_use() -> None:
    def plain(server: Peer, conn: socket.socket, number: int) -> None:
        conn.recv(65536)
        conn.sendall(answer(status="400 Bad Request"))

    with peer(plain) as server:
        error = broken(Http(server.url.replace("http:", "https:")), STAT)
    assert (error.kind, error.phase, error.retry, error.applied) == ("protocol", "tls", False, False)
    assert "does not speak TLS: use http://" in str(error)


def test_https_to_a_port_that_says_nothing_asks_whether_it_speaks_tls() -> None:
    with peer(hang) as server:
        error = broken(Http(server.url.replace("http:", "https:"), connect=0.2), STAT)
    assert (error.kind, error.phase, error.applied) == ("timeout", "tls", False)
    assert "did not complete the TLS handshake: does this port speak TLS?" in str(error)


def test_http_to_a_tls_port_that_responds_in_tls_says_which_scheme_to_use() -> None:
    def alert(server: Peer, conn: socket.socket, number: int) -> None:
        conn.recv(65536)
        conn.sendall(b"\x15\x03\x01\x00\x02\x02\x46")

    with peer(alert) as server:
        error = broken(Http(server.url), STAT)
    assert (error.kind, error.retry) == ("protocol", False)
    assert "speaks TLS: use https://" in str(error)


def test_http_to_a_tls_port_of_a_go_server_says_which_scheme_to_use() -> None:
    words = b"Client sent an HTTP request to an HTTPS server.\n"
    with answering(answer(words, "400 Bad Request")) as server:
        error = broken(Http(server.url), STAT)
    assert "speaks TLS: use https://" in str(error)


# ----------------------------------------------------------------------------------------------------------------- tls


def test_b9_88_a_custom_authority_reaches_the_connection() -> None:
    with answering(answer(b"{}"), certificate="localhost") as server:
        transport = Http(server.url, ca_cert=AUTHORITY)
        assert transport.send(STAT).status == 200
        assert transport.send(upload(bytes(2 << 20))).status == 200


@pytest.mark.parametrize(
    ("certificate", "trust", "words"),
    [("localhost", None, "self-signed"), ("expired", AUTHORITY, "expired"), ("elsewhere", AUTHORITY, "mismatch")],
)
def test_a_bad_certificate_says_why(certificate: str, trust: str | None, words: str) -> None:
    with answering(certificate=certificate) as server:
        error = broken(Http(server.url, ca_cert=trust), COMMIT)
    assert (error.kind, error.phase, error.retry, error.applied) == ("certificate", "tls", False, False)
    assert "cannot be verified" in str(error)
    assert words in str(error) or "unable to get local issuer" in str(error)


def test_switched_off_verification_raises_no_warning_of_urllib3() -> None:
    with answering(answer(b"{}"), certificate="elsewhere") as server, warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Http(server.url, verify_ssl=False).send(STAT).status == 200


# ----------------------------------------------------------------------------------------------------- pre-signed URLs


def signed(url: str, **fields: Any) -> Request:
    return Request(endpoints.PRESIGNED_GET, ("r", "main"), {"path": "k"}, url=url, **fields)


def test_b1_14_a_pre_signed_url_gets_no_credentials() -> None:
    headers = {"authorization": "Basic A", "cookie": "a=b", "x-lakefs-client": "us", "x-amz-meta": "kept", "range": "1"}
    with answering(answer(b"data")) as store, answering() as server:
        transport = Http(server.url, allowed_storage_hosts=[f"127.0.0.1:{store.port}"])
        response = transport.send(
            signed(f"{store.url}/bucket/a%2Fb?{SIGNED}&x=%20", headers=headers, authorization="Basic QQ==")
        )
    asked = store.asked[0]
    assert (response.body, asked.target) == (b"data", f"/bucket/a%2Fb?{SIGNED}&x=%20")
    assert not {"authorization", "cookie", "x-lakefs-client"} & asked.headers.keys()
    assert (asked.headers["x-amz-meta"], asked.headers["range"]) == ("kept", "1")
    assert asked.headers["host"] == f"127.0.0.1:{store.port}"
    assert server.asked == []


def test_b2_29_a_pre_signed_put_sends_what_was_signed() -> None:
    request = Request(endpoints.PRESIGNED_PUT, body=b"data", headers={"x-ms-blob-type": "BlockBlob"}, url="")
    with answering() as store:
        url = f"{store.url}/b?{SIGNED}"
        transport = Http("http://127.0.0.1:1", allowed_storage_hosts=["127.0.0.1"])
        transport.send(Request(request.endpoint, headers=request.headers, body=b"data", url=url))
    asked = store.asked[0]
    assert (asked.method, asked.body, asked.headers["x-ms-blob-type"]) == ("PUT", b"data", "BlockBlob")
    assert "content-type" not in asked.headers


@pytest.mark.parametrize("how", ["refused", "dns", "reset", "garbage", "silence", "tls"])
def test_b9_93_a_pre_signed_url_is_in_no_message_and_no_log(how: str, caplog: pytest.LogCaptureFixture) -> None:
    def handle(server: Peer, conn: socket.socket, number: int) -> None:
        server.read(conn)
        if how == "garbage":
            conn.sendall(b"banana\r\n\r\n")
        if how == "silence":
            hang(server, conn, number)

    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "urllib3")  # the generated SDK, once loaded, turns it down
    with peer(handle) as store:
        place = {
            "refused": "http://127.0.0.1:1",
            "dns": "http://nowhere.invalid",
            "tls": f"https://127.0.0.1:{store.port}",
        }
        url = f"{place.get(how, store.url)}/bucket/secret-object?{SIGNED}"
        transport = Http("http://127.0.0.1:1", allowed_storage_hosts=["127.0.0.1", "nowhere.invalid"])
        error = broken(transport, signed(url, timeout=0.1))
    for text in (str(error), repr(error), repr(error.__context__), caplog.text, repr(signed(url))):
        assert "cafe" not in text


def test_b7_73_a_pre_signed_url_is_not_logged_when_it_works(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "urllib3")  # the generated SDK, once loaded, turns it down
    with answering(answer(b"data")) as store:
        transport = Http(store.url)
        transport.send(signed(f"{store.url}/bucket/k?{SIGNED}"))
        transport.send(STAT)
    assert "cafe" not in caplog.text
    assert "path=k" in caplog.text  # other lines stay as they are
    assert "data" not in caplog.text


def test_a_pre_signed_url_from_https_to_http_is_refused() -> None:
    with answering() as store, answering(certificate="localhost") as server:
        transport = Http(server.url.replace("127.0.0.1", "localhost"), ca_cert=AUTHORITY)
        error = broken(transport, signed(f"{store.url}/b/k?{SIGNED}"))
    assert "is not encrypted" in str(error)
    assert store.connections == 0


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://h/x", "//h/x", "http:///x", "gopher://x"])
def test_pre_signed_urls_of_other_schemes_are_refused(url: str) -> None:
    assert broken(Http("http://127.0.0.1:1"), signed(url)).retry is False


# -------------------------------------------------------------------------------------------------------------- proxies


def test_b9_88_http_through_a_proxy_uses_absolute_urls() -> None:
    with answering(answer(b"{}")) as proxy:
        transport = Http(
            "http://lakefs.example:8000",
            proxies={"http": f"http://user:pass@127.0.0.1:{proxy.port}"},
            no_proxy=["other"],
        )
        transport.send(Request(STAT.endpoint, STAT.params, STAT.query, authorization="Basic QQ=="))
    asked = proxy.asked[0]
    assert asked.target.startswith("http://lakefs.example:8000/api/v1/repositories/r/")
    assert asked.headers["host"] == "lakefs.example:8000"
    assert asked.headers["proxy-authorization"] == "Basic dXNlcjpwYXNz"


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.0 200 Connection established\n\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\na: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x-a: 1\r\n" * 900 + b"\r\n",
    ],
    ids=["plain", "old", "interim responses", "many headers"],
)
def test_b9_88_https_through_a_proxy_is_a_tunnel(head: bytes) -> None:
    with answering(answer(b"{}"), certificate="localhost") as server:

        def tunnel(proxy: Peer, conn: socket.socket, number: int) -> None:
            asked = proxy.read(conn)
            assert asked is not None
            conn.sendall(head)
            with socket.create_connection(("127.0.0.1", server.port)) as onward:
                back = threading.Thread(target=_copy, args=(onward, conn), daemon=True)
                back.start()
                _copy(conn, onward)
                back.join()

        with peer(tunnel) as proxy:
            transport = Http(server.url, ca_cert=AUTHORITY, proxies={"all": f"http://me:%C3%A9@127.0.0.1:{proxy.port}"})
            request = Request(STAT.endpoint, STAT.params, STAT.query, authorization="Basic QQ==")
            assert [transport.send(request).status for _ in range(3)] == [200] * 3
            transport.close()
    assert (proxy.asked[0].method, proxy.asked[0].target) == ("CONNECT", f"127.0.0.1:{server.port}")
    assert "authorization" not in proxy.asked[0].headers
    assert proxy.asked[0].headers["proxy-authorization"] == "Basic bWU6w6k="
    assert server.asked[0].headers["authorization"] == "Basic QQ=="
    assert "proxy-authorization" not in server.asked[0].headers


@pytest.mark.parametrize("proxy", ["http://u:secret@h:99999", "http://u:secret@[::1", "http://u:secret@straße.example"])
def test_a_proxy_that_is_not_a_url_is_an_error(proxy: str) -> None:
    error = broken(Http("http://lakefs.example", proxies={"http": proxy}), COMMIT)
    assert (error.phase, error.kind, error.retry, error.applied) == ("connect", "proxy", False, False)
    assert "the configured proxy cannot be used" in str(error)
    assert "secret" not in str(error)


def test_the_login_at_a_proxy_is_revealed_where_http_client_formats_it() -> None:
    connection = sockets.Plain("127.0.0.1")
    with pytest.MonkeyPatch.context() as patch:
        given = list[object]()
        patch.setattr(HTTPConnection, "set_tunnel", lambda _self, *args: given.extend(args))
        connection.set_tunnel("lakefs.example", 443, {"proxy-authorization": Secret("Basic QQ==")}, "https")
    assert (f"{given[2]}", given[0]) == ("{'proxy-authorization': 'Basic QQ=='}", "lakefs.example")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"HTTP/1.1 200 OK\r\nx: " + b"1" * (65 << 10), "sends more than 64 KiB of headers"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: 1\r\n" * 2000 + b"\r\n", "sends more than 1,000 header lines"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 200, "interim (1xx) responses"),
        (b"SSH-2.0-OpenSSH\r\n", "does not speak HTTP"),
    ],
    ids=["one header", "headers", "interim responses", "no HTTP"],
)
def test_a_proxy_that_sends_too_much_is_named(said: bytes, words: str) -> None:
    with answering(said) as proxy:
        transport = Http("https://lakefs.example", proxies={"https": f"http://127.0.0.1:{proxy.port}"})
        error = broken(transport, COMMIT)
    assert (error.phase, error.kind, error.applied) == ("connect", "protocol", False)
    assert words in str(error)
    assert f"127.0.0.1:{proxy.port}" in str(error)


def test_a_proxy_that_refuses_a_tunnel_is_named() -> None:
    with answering(answer(status="407 Proxy Authentication Required", connection="close")) as proxy:
        transport = Http("https://lakefs.example", proxies={"https": f"http://127.0.0.1:{proxy.port}"})
        error = broken(transport, COMMIT)
    assert (error.phase, error.applied) == ("connect", False)
    assert "407" in str(error)


# ---------------------------------------------------------------------------------------------------------- connections


def test_a_connection_is_reused() -> None:
    with answering(answer(b"{}")) as server:
        transport = Http(server.url)
        for _ in range(5):
            transport.send(STAT)
    assert server.connections == 1


def test_a_socket_that_the_server_closed_is_dropped() -> None:
    def once(server: Peer, conn: socket.socket, number: int) -> None:
        server.read(conn)
        conn.sendall(answer(b"{}"))

    with peer(once) as server:
        transport = Http(server.url)
        for _ in range(3):
            assert transport.send(COMMIT).status == 200
            _until(lambda: server._open[-1].fileno() == -1)
    assert server.connections == 3


@pytest.mark.parametrize(("request_", "connections"), [(STAT, 1), (COMMIT, 2)], ids=["A", "D"])
def test_an_idle_socket_is_not_used_for_what_must_not_be_repeated(
    monkeypatch: pytest.MonkeyPatch, request_: Request, connections: int
) -> None:
    with answering(answer(b"{}")) as server:
        transport = Http(server.url)
        transport.send(request_)
        monkeypatch.setattr(sockets, "IDLE_SECONDS", -1.0)  # as if the pause had been long
        transport.send(request_)
    assert server.connections == connections


def test_b6_70_sockets_are_bounded_by_the_fan_out_and_nothing_is_discarded(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "urllib3")
    with answering(answer(b"{}")) as server:
        driver = Blocking(Http(server.url, fan_out=8))
        responses = driver.run(gather((send(STAT) for _ in range(500)), 64))
        driver.close()
    assert len(responses) == 500
    assert server.connections <= 8
    assert caplog.records == []


def test_b6_63_many_threads_from_the_first_use(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "urllib3")
    failed = list[BaseException]()
    start = threading.Barrier(50)
    with answering(answer(b"{}")) as server:
        transport = Http(server.url)

        def use() -> None:
            start.wait()
            try:
                for _ in range(4):
                    assert transport.send(STAT).status == 200
            except BaseException as exc:
                failed.append(exc)

        threads = [threading.Thread(target=use) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failed == []
    assert len(server.asked) == 200
    assert caplog.records == []


def test_a_transport_can_be_used_after_close() -> None:
    with answering(answer(b"{}")) as server:
        transport = Http(server.url)
        transport.send(STAT)
        transport.close()
        transport.close()
        assert transport.send(STAT).status == 200
    assert server.connections == 2


def test_a_transport_may_be_closed_while_others_use_it() -> None:
    failed, over = list[BaseException](), threading.Event()
    with answering(answer(b"{}")) as server:
        transport = Http(server.url)

        def use() -> None:
            try:
                while not over.is_set():
                    assert transport.send(STAT).status == 200
            except BaseException as exc:
                failed.append(exc)

        threads = [threading.Thread(target=use) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(50):
            transport.close()
            transport.send(STAT)
        over.set()
        for thread in threads:
            thread.join()
    assert failed == []


def test_a_proxy_of_another_kind_is_named_when_it_would_be_used() -> None:
    transport = Http("http://lakefs.example", proxies={"all": "socks5://127.0.0.1:1"}, no_proxy=["127.0.0.1"])
    assert "socks5://" in str(broken(transport, STAT))
    with answering(answer(b"{}")) as server:
        elsewhere = Http(server.url, proxies={"all": "socks5://127.0.0.1:1"}, no_proxy=["127.0.0.1"])
        assert elsewhere.send(STAT).status == 200


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_b6_64_a_child_makes_connections_of_its_own() -> None:
    with answering(lambda asked: answer(str(asked.connection).encode())) as server:
        transport = Http(server.url)
        assert transport.send(STAT).body == b"1"
        child = os.fork()
        if child == 0:  # no assertion may escape here: the child would go on as a second pytest
            ok = False
            try:
                ok = transport.send(STAT).body == b"2" and transport.send(STAT).body == b"2"
            finally:
                os._exit(0 if ok else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert transport.send(STAT).body == b"1"


# --------------------------------------------------------------------------------------------------------- cancellation


def test_another_thread_ends_a_wait() -> None:
    scope, ended = Scope(), list[BaseException]()

    def wait() -> None:
        try:
            transport.send(STAT, scope)
        except BaseException as exc:
            ended.append(exc)

    with peer(hang) as server:
        transport = Http(server.url)
        thread = threading.Thread(target=wait)
        thread.start()
        _until(lambda: len(server.asked) == 1)
        scope.cancel()
        thread.join(5)
        assert [type(exc) for exc in ended] == [Cancelled]
        with pytest.raises(Cancelled):
            transport.send(STAT, scope)


def test_a_late_cancellation_leaves_the_next_exchange_alone() -> None:
    with answering(answer(b"{}")) as server:
        transport = Http(server.url)
        for _ in range(50):
            scope = Scope()
            transport.send(STAT, scope)
            scope.cancel()
            assert transport.send(STAT).status == 200
    assert server.connections == 1


def test_a_cancelled_exchange_never_touches_its_sink_again() -> None:
    def half(server: Peer, conn: socket.socket, number: int) -> None:
        server.read(conn)
        conn.sendall(answer(b"x" * (3 << 20), content_length=str(4 << 20)))
        hang(server, conn, number)

    buffer, scope = bytearray(4 << 20), Scope()
    request = Request(READ.endpoint, READ.params, READ.query, sink=memoryview(buffer))
    done = threading.Event()
    with peer(half) as server:
        transport = Http(server.url)

        def read() -> None:
            with pytest.raises(Cancelled):
                transport.send(request, scope)
            done.set()

        thread = threading.Thread(target=read)
        thread.start()
        _until(lambda: buffer[0] == ord("x"))
        scope.cancel()
        assert done.wait(5)
        buffer[:] = bytes(len(buffer))
        thread.join()
    assert not any(buffer)


def test_a_url_that_is_not_an_endpoint_is_refused() -> None:
    with pytest.raises(ValueError, match="not an endpoint"):
        Http("ftp://user:secret@h")


def _md5(content: bytes) -> str:
    import hashlib

    return hashlib.md5(content).hexdigest()


def _copy(source: socket.socket, target: socket.socket) -> None:
    while True:
        try:
            block = source.recv(65536)
            if not block:
                break
            target.sendall(block)
        except OSError:
            break
    try:
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


def _until(condition: Callable[[], bool]) -> None:
    """Waits for another thread; a guard against hanging, not a measure."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "it never happened"
        os.sched_yield()
