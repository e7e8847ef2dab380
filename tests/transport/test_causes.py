"""Causes: which failure an exception of the HTTP libraries stands for, without a connection."""

from __future__ import annotations

import http.client
import socket
import ssl

import pytest
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    IncompleteRead,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
)

from lakefs_hl.spec.wire import Phase
from lakefs_hl.transport.causes import explain, fault_of
from lakefs_hl.transport.deadlines import Bounds
from lakefs_hl.transport.exchange import Exchange
from lakefs_hl.transport.framing import MalformedReply

WHERE = "h.example:443"
POOL, CONNECTION = HTTPConnectionPool("h.example"), HTTPConnection("h.example")


def exchange(phase: Phase, *, proxy: str = "", slow: str = "", within: float = 60.0) -> Exchange:
    made = Exchange(Bounds(1.0, 2.0, within, None), None, None)
    made.phase, made.proxy, made.slow = phase, proxy, slow
    return made


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("exc", "phase", "kind", "message"),
    [
        (NameResolutionError("h.example", CONNECTION, socket.gaierror()), "connect", "dns", "does not resolve"),
        (caused(OSError(), ConnectionRefusedError()), "connect", "refused", "refuses connections"),
        (NewConnectionError(CONNECTION, "no route"), "connect", "refused", "cannot connect to h.example:443: "),
        (ConnectTimeoutError(CONNECTION, "timed out"), "connect", "timeout", "does not accept connections"),
        (ReadTimeoutError(POOL, "/", "timed out"), "wait", "timeout", "sent no data for 2 s while waiting"),
        (TimeoutError(), "send", "timeout", "accepted no data for 2 s while sending"),
        (TimeoutError("_ssl.c:1006: The handshake operation timed out"), "connect", "timeout", "TLS handshake"),
        (ProtocolError("x", http.client.RemoteDisconnected("y")), "wait", "reset", "closed the connection while wait"),
        (ProtocolError("x", ConnectionResetError()), "read", "reset", "closed the connection while reading"),
        (IncompleteRead(3, 5), "read", "reset", "ended the response early: 3 bytes received, 5 missing"),
        (ProtocolError("x", http.client.BadStatusLine("SSH-2.0")), "wait", "protocol", "it sent 'SSH-2.0'"),
        (ProtocolError("x", http.client.BadStatusLine("\x15\x03\x01")), "wait", "protocol", "speaks TLS: use https"),
        (ProtocolError("x", MalformedReply("sends too much")), "wait", "protocol", "h.example:443 sends too much"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] x"), "connect", "protocol", "does not speak TLS"),
        (ssl.SSLError(1, "EOF occurred in violation of protocol"), "connect", "reset", "during the TLS handshake"),
        (ssl.SSLError(1, "no cipher"), "connect", "certificate", "TLS with h.example:443 failed"),
        (ssl.SSLError("The read operation timed out"), "read", "timeout", "sent no data for 2 s while reading"),
        (OSError(5, "Input/output error"), "read", "other", "broke while reading the response: Input/output error"),
    ],
)
def test_an_exception_stands_for_a_failure(exc: Exception, phase: Phase, kind: str, message: str) -> None:
    fault = fault_of(exc, exchange(phase), WHERE)
    assert fault.kind == kind
    assert message in fault.message


@pytest.mark.parametrize(
    ("cause", "message"),
    [
        (OSError("Tunnel connection failed: 407 Proxy Authentication Required"), "requires a user name"),
        (OSError("Tunnel connection failed: 502 Bad Gateway"), "does not connect to h.example:443: 502 Bad Gateway"),
        (socket.gaierror(), "the name of the proxy p:3128 does not resolve"),
        (ConnectionRefusedError(), "the proxy p:3128 refuses connections"),
        (OSError(113, "No route to host"), "the proxy p:3128 does not connect to h.example:443: No route to host"),
    ],
)
def test_a_proxys_failure_names_the_proxy(cause: OSError, message: str) -> None:
    fault = fault_of(ProxyError("x", cause), exchange("connect", proxy="p:3128"), WHERE)
    assert fault.kind == "proxy"
    assert message in fault.message


def test_a_slow_peer_is_said_to_be_slow() -> None:
    fault = fault_of(TimeoutError(), exchange("read", slow="moved fewer than 1,024 bytes per second over 30 s"), WHERE)
    assert fault.message == f"{WHERE} moved fewer than 1,024 bytes per second over 30 s while reading the response"


def test_a_timeout_after_the_deadline_is_the_deadlines() -> None:
    error = explain(TimeoutError(), exchange("wait", within=0.0), WHERE, 1.25)
    assert str(error) == f"the deadline expired after 1.25 s while waiting for the response ({WHERE})"
    assert (error.kind, error.seconds) == ("timeout", 1.25)


def test_a_host_called_handshake_is_no_handshake() -> None:
    late = TimeoutError("Connection to handshake.example timed out. (connect timeout=1)")
    fault = fault_of(late, exchange("connect"), "handshake.example:443")
    assert fault == ("timeout", "handshake.example:443 does not accept connections: timed out", "connect", True)
