"""Causes: which failure an exception of urllib3, http.client, ssl or the socket stands for."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
from collections.abc import Iterator
from typing import Final

from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    IncompleteRead,
    InvalidChunkLength,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from lakefs_hl.spec.wire import Phase, TransportError
from lakefs_hl.transport import failures
from lakefs_hl.transport.exchange import Exchange
from lakefs_hl.transport.failures import Fault
from lakefs_hl.transport.framing import BrokenReply, MalformedReply

#: What OpenSSL says when the peer responds in plain text.
_NO_TLS: Final = (
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "HTTPS_PROXY_REQUEST",
    "RECORD_LAYER_FAILURE",
    "UNKNOWN_PROTOCOL",
)
#: What urllib3 and http.client say when a proxy does not open a tunnel.
_TUNNEL: Final = re.compile(r"Tunnel connection failed: (\d{3})(.*)")
#: What ssl says of a handshake that timed out; matched whole, since other messages of a chain name hosts.
_HANDSHAKE: Final = re.compile(r"(?:_ssl\.c:\d+: )?The handshake operation timed out")


def explain(
    exc: HTTPError | OSError | http.client.HTTPException, exchange: Exchange, where: str, seconds: float
) -> TransportError:
    """Return the error of an exchange without a response.

    Args:
        exc: What the libraries raised.
        exchange: The exchange.
        where: Host and port.
        seconds: Time spent.
    """
    fault = fault_of(exc, exchange, where)
    if fault.kind == "timeout" and exchange.left <= 0:
        fault = failures.deadline_expired(where, seconds, fault.phase)
    return fault.error(sent=exchange.sent, received=exchange.received, seconds=seconds, response=exchange.response)


def fault_of(exc: BaseException, exchange: Exchange, where: str) -> Fault:
    """Return the failure that an exception stands for."""
    chain = list(chain_of(exc))
    phase = exchange.phase
    at_proxy = exchange.proxy if phase == "connect" else ""
    peer = f"the proxy {at_proxy}" if at_proxy else where
    if exchange.slow:
        return failures.too_slow(peer, exchange.slow, phase)
    if isinstance(exc, ProxyError) and phase == "connect":
        return _at_proxy(chain, exchange.proxy, where)
    for cause in chain:
        if isinstance(cause, ssl.SSLError | SSLError):
            return _tls(cause, chain, where, phase, exchange.bounds.read)
        if isinstance(cause, NameResolutionError | socket.gaierror):
            return failures.no_address(where)
    if any(isinstance(cause, ConnectionRefusedError) for cause in chain) and phase == "connect":
        return failures.not_listening(where)
    for cause in chain:
        if isinstance(cause, NewConnectionError) and not isinstance(cause.__cause__, TimeoutError):
            return failures.unreachable(where, _last(chain))
        if isinstance(cause, ConnectTimeoutError | ReadTimeoutError | TimeoutError):
            if any(isinstance(each, OSError) and _HANDSHAKE.fullmatch(str(each)) for each in chain):
                return failures.no_handshake(where)
            if phase == "connect":
                return failures.not_accepting(peer)
            return failures.no_data(where, exchange.bounds.read, phase)
        if isinstance(cause, IncompleteRead | http.client.IncompleteRead):
            return failures.incomplete(where, _missing_bytes(cause))
    return _other(chain, at_proxy or where, phase)


def _at_proxy(chain: list[BaseException], proxy: str, where: str) -> Fault:
    """Return why a proxy does not connect to the server, or why the proxy cannot be connected to."""
    for cause in chain:
        refusal = _TUNNEL.fullmatch(str(cause))
        if refusal is not None:
            return failures.proxy_refused(proxy, where, int(refusal[1]), refusal[2].strip())
        if isinstance(cause, NameResolutionError | socket.gaierror):
            return failures.proxy_unresolved(proxy)
        if isinstance(cause, ConnectionRefusedError):
            return failures.proxy_closed(proxy)
    return failures.proxy_failed(proxy, where, _last(chain))


def _other(chain: list[BaseException], where: str, phase: Phase) -> Fault:
    for cause in chain:
        if isinstance(cause, http.client.RemoteDisconnected | ConnectionError):
            return failures.connection_closed(where, phase)
        if isinstance(cause, http.client.BadStatusLine):
            line = str(cause.args[0] if cause.args else cause)
            if line.lstrip("'\"").startswith(("\x15\x03", "\\x15\\x03")):
                return failures.speaks_tls(where, phase)
            return failures.not_http(where, f"it sent {line[:60]!r}", phase)
        if isinstance(cause, BrokenReply):
            return failures.broken_response(where, str(cause), phase)
        if isinstance(cause, MalformedReply):
            return failures.bad_response(where, str(cause), phase)
        if isinstance(cause, InvalidChunkLength | http.client.HTTPException):
            return failures.not_http(where, type(cause).__name__, phase)
    return failures.broken(where, _last(chain), phase)


def _tls(cause: BaseException, chain: list[BaseException], where: str, phase: Phase, timeout: float) -> Fault:
    reasons = [str(getattr(each, "reason", "") or "") for each in chain] + [str(each) for each in chain]
    at: Phase = "tls" if phase == "connect" else phase
    for each in chain:
        if isinstance(each, ssl.SSLCertVerificationError):
            return failures.bad_certificate(where, each.verify_message, at)
    if any(word in reason for word in _NO_TLS for reason in reasons):
        return failures.plain_text(where, at)
    if any("timed out" in reason for reason in reasons):
        return failures.no_handshake(where) if at == "tls" else failures.no_data(where, timeout, at)
    if any("EOF" in reason for reason in reasons):
        return failures.connection_closed(where, at)
    return failures.tls_failed(where, _last([cause]), at)


def chain_of(exc: BaseException) -> Iterator[BaseException]:
    """Iterate over the exception and its causes, outermost first."""
    seen: set[int] = set()
    todo: list[BaseException] = [exc]
    while todo:
        each = todo.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        inner = [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]
        todo.extend(one for one in inner if isinstance(one, BaseException))


def _last(chain: list[BaseException]) -> str:
    """Return the message of the system, the innermost one."""
    for each in reversed(chain):
        if isinstance(each, OSError) and each.strerror:
            return each.strerror
    return str(chain[-1]).rpartition(": ")[2] or type(chain[-1]).__name__


def _missing_bytes(exc: BaseException) -> str:
    partial, expected = getattr(exc, "partial", None), getattr(exc, "expected", None)
    came = len(partial) if isinstance(partial, bytes) else partial
    return f"{came} bytes received, {expected} missing" if isinstance(expected, int) else "bytes are missing"
