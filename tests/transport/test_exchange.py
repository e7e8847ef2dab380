"""One exchange over a pair of sockets: phases, counts, limits. tests/transport/test_http.py has it whole."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from lakefs_hl.ops.effects import Cancelled
from lakefs_hl.transport import exchange
from lakefs_hl.transport.deadlines import Bounds
from lakefs_hl.transport.exchange import Exchange, Watch, shut
from lakefs_hl.transport.limits import LIMITS
from lakefs_hl.transport.scope import Scope

BOUNDS = Bounds(connect=5.0, read=5.0, within=30.0, window=None)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


class Connection:
    """As urllib3's, as far as an exchange looks at it."""

    host = "127.0.0.1"
    timeout = 0.0

    def __init__(self, sock: socket.socket | None = None) -> None:
        self.sock = sock


def made(scope: Scope | None = None, **given: Any) -> Exchange:
    return Exchange(given.pop("bounds", BOUNDS), scope, given.pop("guard", None), **given)


def test_a_transfer_is_too_slow_after_a_whole_window_below_the_rate() -> None:
    watch = Watch(rate=100, window=8.0)
    assert [watch.note(1.0, 99) for _ in range(7)] == [False] * 7
    assert watch.note(1.0, 99)


def test_a_transfer_at_the_rate_is_fast_enough_and_pauses_are_averaged() -> None:
    watch = Watch(rate=100, window=8.0)
    assert not any(watch.note(1.0, 100) for _ in range(50))
    assert not watch.note(4.0, 400)
    watch.count(10_000)
    assert not watch.note(8.0, 0)
    assert watch.note(9.0, 0)


def test_short_headers_and_body_go_out_in_one_packet(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    under_way, connection = made(), Connection(ours)
    under_way.send(connection, b"HEAD", pytest.fail)  # type: ignore[arg-type]
    under_way.headers_sent()
    assert under_way.sent == 0
    under_way.send(connection, b"body", pytest.fail)  # type: ignore[arg-type]
    under_way.request_sent(connection)  # type: ignore[arg-type]
    assert theirs.recv(100) == b"HEADbody"
    assert (under_way.sent, under_way.phase) == (4, "wait")


def test_headers_without_a_body_are_sent_at_the_end(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    under_way, connection = made(), Connection(ours)
    under_way.send(connection, b"HEAD", pytest.fail)  # type: ignore[arg-type]
    under_way.headers_sent()
    under_way.request_sent(connection)  # type: ignore[arg-type]
    assert theirs.recv(100) == b"HEAD"
    assert under_way.sent == 0


def test_what_arrives_is_read(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    theirs.sendall(b"abc")
    under_way, sink = made(), bytearray(10)
    under_way.await_head()
    assert under_way.receive(ours, sink) == 3
    under_way.await_body(chunked=False)
    theirs.sendall(b"de")
    assert under_way.receive(ours, sink) == 2
    assert bytes(sink[:2]) == b"de"


def test_the_time_limit_ends_a_wait(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, _ = pair
    under_way = made(bounds=BOUNDS._replace(within=0.0))
    with pytest.raises(TimeoutError, match="the time limit is reached"):
        under_way.receive(ours, bytearray(1))
    assert under_way.slow == ""
    assert under_way.left <= 0


def test_a_head_that_does_not_end_is_named_as_the_reason(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, _ = pair
    under_way = made(limits=LIMITS._replace(head_seconds=0.0))
    under_way.await_head()
    with pytest.raises(TimeoutError):
        under_way.receive(ours, bytearray(1))
    assert "headers" in under_way.slow


def test_the_peer_is_checked_once_before_anything_is_sent() -> None:
    met: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        under_way, connection = made(guard=met.append), Connection()

        def connect() -> None:
            assert under_way.is_connecting
            assert connection.timeout == BOUNDS.connect
            sock = connection.sock = socket.create_connection(server.getsockname())
            under_way.on_connect(sock)
            under_way.on_connect(sock)  # the TLS layer on it

        under_way.connect(connection, connect)  # type: ignore[arg-type]
        assert met == ["127.0.0.1"]
        assert not under_way.is_connecting
        under_way.finish()
        assert connection.sock is not None
        connection.sock.close()


def test_a_cancelled_exchange_does_not_connect() -> None:
    scope = Scope()
    scope.cancel()
    with pytest.raises(Cancelled):
        made(scope).connect(Connection(), pytest.fail)  # type: ignore[arg-type]


def test_shutting_a_socket_down_ends_the_wait_of_another_thread(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, _ = pair
    found: list[bytes] = []
    thread = threading.Thread(target=lambda: found.append(ours.recv(1)))
    thread.start()
    shut(ours)
    thread.join()
    assert found == [b""]
    ours.close()
    shut(ours)  # closed meanwhile
    shut(object())


def test_a_thread_has_an_exchange_of_its_own() -> None:
    mine = made()
    exchange.begin(mine)
    seen: list[Exchange | None] = []
    thread = threading.Thread(target=lambda: seen.append(exchange.current()))
    thread.start()
    thread.join()
    assert (exchange.current(), seen) == (mine, [None])
    exchange.end()
    assert exchange.current() is None


@pytest.mark.parametrize(
    ("host", "plain"),
    [("localhost", True), ("127.0.0.1", True), ("[::1]", True), ("fe80::1%eth0", True), ("lakefs.example", False)],
)
def test_an_address_needs_no_lookup(host: str, plain: bool) -> None:
    assert exchange._needs_no_lookup(host) is plain
