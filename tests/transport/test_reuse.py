"""Requests on connections that are open already: the same bytes and outcomes as urllib3's first one on each."""

from __future__ import annotations

import logging
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pytest_mock import MockerFixture
from urllib3.util import wait_for_read

from lakefs_hl.spec import endpoints
from lakefs_hl.spec.secret import Secret
from lakefs_hl.spec.wire import FileSlice, Request, Response, TransportError
from lakefs_hl.transport.http import Http
from lakefs_hl.transport.sockets import Plain, PlainPool
from tests.transport.peers import Asked, Peer, answer, answering, peer

STAT = Request(endpoints.STAT_OBJECT, ("r", "main"), {"path": "a/b c"}, authorization=Secret("Basic QQ=="))
READ = Request(endpoints.GET_OBJECT, ("r", "main"), {"path": "k"})


def upload(body: bytes | FileSlice, **headers: str) -> Request:
    return Request(endpoints.UPLOAD_OBJECT, ("r", "main"), {"path": "k"}, headers, body, digest=True)


REQUESTS = {
    "GET": STAT,
    "HEAD": Request(endpoints.HEAD_OBJECT, ("r", "main"), {"path": "ü"}),
    "bytes": upload(b"hello", **{"content-type": "text/plain", "x-lakefs-meta-a": "é ~"}),
    "large": upload(bytes(300_000)),
    "empty": upload(b""),
    "DELETE with a body": Request(endpoints.DELETE_REPOSITORY_METADATA, ("r",), body=b"{}"),
    "DELETE": Request(endpoints.DELETE_BRANCH, ("r", "main")),
    "POST without a body": Request(endpoints.COMMIT, ("r", "main")),
}


@contextmanager
def warm(
    then: Callable[[Peer, socket.socket], object], transport: Callable[[str], Http] = Http
) -> Iterator[tuple[Http, Peer]]:
    """A transport with one open connection, on which its server then does something else."""

    def handle(server: Peer, conn: socket.socket, number: int) -> None:
        server.read(conn, number)
        conn.sendall(answer(b"{}"))
        while server.read(conn, number) is not None:
            if number > 1:
                conn.sendall(answer(b"{}"))
            elif not then(server, conn):
                return

    with peer(handle) as server:
        made = transport(server.url)
        made.send(STAT)
        yield made, server


def sends(reply: bytes) -> Callable[[Peer, socket.socket], object]:
    """What sends the same response to every request."""

    def send(_: Peer, conn: socket.socket) -> bool:
        conn.sendall(reply)
        return True

    return send


def outcome(reply: bytes, request: Request = STAT) -> Response | TransportError:
    """What a second request on a connection returns or raises."""
    with warm(lambda _, conn: conn.sendall(reply)) as (transport, _):
        try:
            return transport.send(request)
        except TransportError as exc:
            return exc


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("prefix", ["", "/lake%2Ffs"])
def test_a_request_is_the_one_that_urllib3_sends(name: str, prefix: str, mocker: MockerFixture) -> None:
    with answering(lambda asked: answer(b"" if asked.method == "HEAD" else b"{}", content_length="2")) as server:
        transport = Http(server.url + prefix)
        first = transport.send(REQUESTS[name])
        urlopen = mocker.spy(PlainPool, "urlopen")
        second = transport.send(REQUESTS[name])
        assert urlopen.call_count == 0
    one, other = server.asked
    assert one._replace(headers=dict(sorted(one.headers.items()))) == other._replace(
        headers=dict(sorted(other.headers.items()))
    )
    assert (first.status, first.headers, first.body, first.md5) == (
        second.status,
        second.headers,
        second.body,
        second.md5,
    )


def test_a_file_is_sent_and_filled() -> None:
    content = os.urandom(3 << 20)
    with answering(lambda asked: answer(asked.body if asked.method == "POST" else content)) as server:
        transport = Http(server.url)
        transport.send(STAT)
        with tempfile.TemporaryFile() as file:
            file.write(content)
            file.flush()
            transport.send(upload(FileSlice(file.fileno(), 7, len(content) - 9)))
            assert server.asked[-1].body == content[7:-2]
            file.truncate(0)
            sink = FileSlice(file.fileno(), 0, len(content))
            found = transport.send(Request(endpoints.GET_OBJECT, ("r", "main"), {"path": "k"}, sink=sink))
            assert found.filled == len(content)
            assert os.pread(file.fileno(), len(content), 0) == content
        assert server.connections == 1


@pytest.mark.parametrize(
    ("request_", "strange"),
    [
        (Request(endpoints.STAT_OBJECT, ("r", "main"), {"path": "k"}, {"x": "a\r\nb: c"}), ValueError),
        (Request(endpoints.STAT_OBJECT, ("r", "main"), {"path": "k"}, {"x\n": "a"}), ValueError),
        (Request(endpoints.STAT_OBJECT, ("r", "main"), {"path": "k"}, {"x": "\u20ac"}), UnicodeEncodeError),
        (Request(endpoints.STAT_OBJECT, ("r", "main"), {"path": "k"}, {"\xe9": "a"}), UnicodeEncodeError),
    ],
)
def test_what_http_client_refuses_is_refused(request_: Request, strange: type[Exception]) -> None:
    with answering(answer(b"{}")) as server:
        transport = Http(server.url)
        transport.send(STAT)
        with pytest.raises(strange):
            transport.send(request_)
        transport.send(STAT)
    assert [asked.target for asked in server.asked] == [server.asked[0].target] * 2


def test_urllib3s_log_has_every_request(caplog: pytest.LogCaptureFixture) -> None:
    with answering(answer(b"{}")) as server, caplog.at_level(logging.DEBUG, "urllib3.connectionpool"):
        transport = Http(server.url)
        transport.send(STAT)
        transport.send(STAT)
    assert sum("/objects/stat" in record.getMessage() for record in caplog.records) == 2


def test_a_proxy_is_urllib3s(mocker: MockerFixture) -> None:
    urlopen = mocker.spy(PlainPool, "urlopen")
    with answering(answer(b"{}")) as server:
        proxied = Http("http://lakefs.invalid", proxies={"http": server.url})
        for _ in range(2):
            proxied.send(STAT)
        assert urlopen.call_count == 2


def test_a_pre_signed_url_is_requested_as_urllib3_does(mocker: MockerFixture) -> None:
    urlopen = mocker.spy(PlainPool, "urlopen")
    with answering(answer(b"{}")) as store, answering(answer(b"{}")) as server:
        transport = Http(server.url, allowed_storage_hosts=[store.url.partition("://")[2]])
        url = f"{store.url}/b/o%20%C3%BC?X-Amz-Credential=a%2Fb&X-Amz-Signature=5e%2F7&empty="
        put = Request(endpoints.PRESIGNED_PUT, ("r", "main"), {"path": "k"}, {"x-ms-blob-type": "B"}, b"x", url=url)
        read = Request(endpoints.PRESIGNED_GET, ("r", "main"), {"path": "k"}, url=url)
        for request_ in (put, put, read, read):
            transport.send(request_)
        assert urlopen.call_count == 1
        first, second, third, _ = store.asked
        assert first._replace(headers=dict(sorted(first.headers.items()))) == second._replace(
            headers=dict(sorted(second.headers.items()))
        )
        assert (first.target, third.target) == (url.removeprefix(store.url),) * 2
        assert "authorization" not in {name.lower() for asked in store.asked for name in asked.headers}
        transport.send(Request(endpoints.PRESIGNED_GET, ("r", "main"), {"path": "k"}, url=f"{store.url}/o?sig=%2f"))
        assert urlopen.call_count == 2  # urllib3 writes percent signs in its own way
        assert not server.asked


# ------------------------------------------------------------------------------------------------------ responses


@pytest.mark.parametrize("request_", [STAT, READ], ids=["record", "data"])
@pytest.mark.parametrize("sink", [False, True])
def test_a_body_shorter_than_announced_is_an_error(request_: Request, sink: bool) -> None:
    if sink:
        request_ = Request(
            request_.endpoint, request_.params, request_.query, sink=memoryview(bytearray(3 << 20)), timeout=5
        )
    found = outcome(answer(bytes(1000), content_length="3000"), request_)
    assert isinstance(found, TransportError)
    assert "1000 bytes received, 2000 missing" in str(found)
    assert (found.phase, found.retry) == ("read", True)


def test_chunks_are_read_without_their_framing() -> None:
    found = outcome(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", READ)
    assert isinstance(found, Response)
    assert found.body == b"abc"


def test_a_body_may_end_with_the_connection() -> None:
    found = outcome(b"HTTP/1.1 200 OK\r\n\r\nabc", READ)
    assert isinstance(found, Response)
    assert found.body == b"abc"


@pytest.mark.parametrize(
    "reply",
    [
        answer(b"{}", connection="close"),
        answer(b"x" * (1 << 20), "500 Internal Server Error"),
    ],
    ids=["closed by the server", "an error body that is not read to its end"],
)
def test_a_connection_that_cannot_be_used_again_is_not(reply: bytes) -> None:
    with warm(sends(reply)) as (transport, server):
        transport.send(STAT)
        assert transport.send(STAT).body == b"{}"
        assert server.connections == 2


def test_bytes_behind_a_body_never_reach_the_next_response() -> None:
    with warm(sends(answer(b"{}") + answer(b"evil"))) as (transport, _):
        assert [transport.send(STAT).body for _ in range(3)] == [b"{}"] * 3


def test_a_server_that_hung_up_before_the_request_gets_it_on_another_connection() -> None:
    def handle(server: Peer, conn: socket.socket, number: int) -> None:
        server.read(conn, number)
        conn.sendall(answer(b"{}"))  # and closes

    with peer(handle) as server:
        transport = Http(server.url)
        for _ in range(3):
            assert transport.send(STAT).status == 200
            wait_for_end(transport)
        assert server.connections == 3


def wait_for_end(transport: Http) -> None:
    """Wait until the end of the server's connection has arrived."""
    kept: Any = transport._lane(transport._endpoint).pool.pool
    connection = kept.get()
    assert wait_for_read(connection.sock, timeout=30)
    kept.put(connection)


@pytest.mark.parametrize("reply", [b"", b"HTTP/1.1 200", b"SSH-2.0-OpenSSH\r\n\r\n"], ids=["nothing", "half", "SSH"])
def test_a_failure_says_what_a_failure_of_the_first_request_says(reply: bytes) -> None:
    def handle(server: Peer, conn: socket.socket, number: int) -> None:
        server.read(conn, number)
        conn.sendall(reply)

    with peer(handle) as server, pytest.raises(TransportError) as first:
        Http(server.url).send(STAT)
    again = outcome(reply)
    assert isinstance(again, TransportError)
    assert [(str(one).partition(": ")[2], one.kind, one.phase, one.retry) for one in (first.value, again)][0] == (
        str(again).partition(": ")[2],
        again.kind,
        again.phase,
        again.retry,
    )


def test_an_error_response_within_a_long_upload_is_read() -> None:
    def handle(server: Peer, conn: socket.socket, number: int) -> None:
        server.read(conn, number)
        conn.sendall(answer(b"{}"))
        conn.recv(1000)
        conn.sendall(answer(b"too large", "413 Payload Too Large", connection="close"))
        conn.shutdown(socket.SHUT_WR)
        while conn.recv(1 << 20):
            pass

    with peer(handle) as server:
        transport = Http(server.url)
        transport.send(STAT)
        response = transport.send(upload(bytes(20 << 20)))
    assert (response.status, response.body) == (413, b"too large")


# ---------------------------------------------------------------------------------------------------- connections


def test_a_connection_that_nothing_refers_to_is_closed(mocker: MockerFixture) -> None:
    """An interrupt can come when a connection was taken from its pool, and before anything else has it."""
    with answering(answer(b"{}")) as server:
        transport = Http(server.url)
        transport.send(STAT)
        checked: Any = mocker.patch.object(Plain, "is_connected", mocker.PropertyMock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            transport.send(STAT)
        mocker.stop(checked)
        assert transport.send(STAT).status == 200
        assert server.connections == 2


def test_a_closed_transport_opens_connections_again() -> None:
    with answering(answer(b"{}")) as server:
        transport = Http(server.url)
        for _ in range(2):
            transport.send(STAT)
            transport.send(STAT)
            transport.close()
        assert server.connections == 2


def test_a_pool_that_is_closed_meanwhile_keeps_no_connection() -> None:
    def close(asked: Asked) -> bytes:
        if len(server.asked) == 2:
            transport.close()
        return answer(b"{}")

    with answering(close) as server:
        transport = Http(server.url)
        for _ in range(3):
            assert transport.send(STAT).status == 200
        assert server.connections == 2
