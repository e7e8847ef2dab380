"""urllib3's connections report to the exchange of their thread, and work without one."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Iterator

import pytest
from pytest_mock import MockerFixture
from urllib3.exceptions import NewConnectionError
from urllib3.util import wait_for_read

from lakefs_hl.spec.secret import Secret
from lakefs_hl.transport import exchange
from lakefs_hl.transport.deadlines import Bounds
from lakefs_hl.transport.exchange import Exchange
from lakefs_hl.transport.scope import Scope
from lakefs_hl.transport.sockets import IDLE_SECONDS, Plain, PlainPool, Secure, SecurePool
from tests.transport.peers import CERTIFICATES, Peer, peer

BOUNDS = Bounds(connect=5.0, read=5.0, within=30.0, window=None)


@pytest.fixture
def under_way() -> Iterator[Exchange]:
    made = Exchange(BOUNDS, Scope(), None)
    exchange.begin(made)
    yield made
    exchange.end()


@pytest.fixture
def server() -> Iterator[tuple[str, int]]:
    """A server that answers one request."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()
        thread.join()


def test_pools_make_these_connections() -> None:
    assert (PlainPool.ConnectionCls, SecurePool.ConnectionCls, SecurePool.scheme) == (Plain, Secure, "https")
    with PlainPool("127.0.0.1", 1, maxsize=2) as pool:
        assert [pool.slots.take(user) for user in range(3)] == [True, True, False]


def test_without_an_exchange_it_is_a_connection_like_any_other(server: tuple[str, int]) -> None:
    with PlainPool(*server, maxsize=1, retries=False) as pool:
        assert pool.urlopen("GET", "/").data == b"ok"


def test_an_exchange_is_told_of_each_phase(server: tuple[str, int], under_way: Exchange) -> None:
    connection = Plain(*server)
    connection.connect()
    assert connection.is_connected
    connection.request("GET", "/")
    assert under_way.phase == "wait"
    response = connection.getresponse()
    assert (response.status, under_way.phase) == (200, "read")
    response.close()
    connection.close()


def test_a_cancellation_shuts_the_connection_down(server: tuple[str, int], under_way: Exchange) -> None:
    connection = Plain(*server)
    connection.connect()
    connection.request("GET", "/")
    scope = under_way.scope
    assert scope is not None
    scope.cancel()
    assert [connection.is_connected] == [False]
    with pytest.raises(NewConnectionError, match="shut down by a cancelled exchange"):
        connection.own(under_way)
    connection.close()


def test_a_socket_that_was_idle_is_not_used_for_what_is_unsafe_to_repeat(
    server: tuple[str, int], under_way: Exchange
) -> None:
    connection = Plain(*server)
    connection.connect()
    connection._used -= 2 * IDLE_SECONDS
    found = [connection.is_connected]
    under_way.careful = True
    found.append(connection.is_connected)
    assert found == [True, False]
    under_way.careful = False
    connection.request("GET", "/")
    connection.getresponse().close()
    connection.close()


def test_the_password_of_a_proxy_is_revealed_to_it_only(mocker: MockerFixture) -> None:
    tunnel = mocker.patch("urllib3.connection.HTTPConnection.set_tunnel")
    Plain("proxy", 3128).set_tunnel("lake", 443, {"proxy-authorization": Secret("Basic s3cr3t")})
    assert tunnel.call_args.args[2] == {"proxy-authorization": "Basic s3cr3t"}
    Plain("proxy", 3128).set_tunnel("lake", 443)
    assert tunnel.call_args.args[2] is None


@pytest.mark.parametrize(("secret", "line"), [(True, "GET /a"), (False, "GET /a?signature=1")])
def test_a_pre_signed_url_is_in_no_log(
    secret: bool, line: str, under_way: Exchange, caplog: pytest.LogCaptureFixture
) -> None:
    under_way.secret = secret
    with caplog.at_level(logging.DEBUG, "urllib3.connectionpool"):
        logging.getLogger("urllib3.connectionpool").debug("%s %s", "GET", "/a?signature=1")
    assert caplog.messages == [line]


def test_what_a_tls_layer_has_decrypted_is_input() -> None:
    def both(server: Peer, conn: socket.socket, number: int) -> None:
        conn.sendall(b"ab")
        conn.recv(1)

    with peer(both, certificate="localhost") as server, socket.create_connection(("127.0.0.1", server.port)) as plain:
        trust = ssl.create_default_context(cafile=CERTIFICATES / "authority.pem")
        with trust.wrap_socket(plain, server_hostname="localhost") as sock:
            assert sock.recv(1) == b"a"
            assert not wait_for_read(sock, timeout=0)
            assert exchange.has_input(sock)
            assert sock.recv(1) == b"b"
            assert not exchange.has_input(sock)
