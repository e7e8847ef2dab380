"""What an exception of the HTTP stack means: which phase, which kind, in which words.

The words name host and port, never a path or a query: a pre-signed URL is a secret.
"""

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
from lakefs_hl.transport.exchange import Exchange
from lakefs_hl.transport.reply import MalformedReply

#: What OpenSSL says when the other side answers in plain text.
_NO_TLS: Final = (
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "HTTPS_PROXY_REQUEST",
    "RECORD_LAYER_FAILURE",
    "UNKNOWN_PROTOCOL",
)
#: How servers greet plain text on a TLS port: Go, nginx, Apache.
_WANTS_TLS: Final = (
    b"HTTP request to an HTTPS server",
    b"plain HTTP request was sent to HTTPS port",
    b"speaking plain HTTP to an SSL",
)
#: What urllib3 and http.client say when a proxy does not open a tunnel.
_TUNNEL: Final = re.compile(r"Tunnel connection failed: (\d{3})(.*)")
#: What ssl says of a handshake without an end; matched whole, since other messages of a chain name hosts.
_HANDSHAKE: Final = re.compile(r"(?:_ssl\.c:\d+: )?The handshake operation timed out")
#: Refusals of a proxy that do not pass.
_FOR_GOOD: Final = re.compile(r"\(407\)$|: 403\b")
_PHASES: Final[dict[Phase, str]] = {
    "connect": "while connecting",
    "tls": "while setting up TLS",
    "send": "while sending",
    "wait": "while waiting for the answer",
    "read": "while reading the answer",
}


def explain(
    exc: HTTPError | OSError | http.client.HTTPException, exchange: Exchange, where: str, seconds: float
) -> TransportError:
    """Builds the error of an exchange that got no answer.

    Args:
        exc: What the stack raised.
        exchange: How far it was.
        where: Host and port.
        seconds: Time spent.
    """
    kind, words, phase = _kind(exc, exchange, where)
    if kind == "timeout" and exchange.left <= 0:
        words = f"the deadline expired after {seconds:.3g} s {_PHASES[phase]} ({where})"
    return TransportError(
        phase,
        words,
        sent=exchange.sent,
        received=exchange.received,
        seconds=seconds,
        retry=kind not in ("certificate", "protocol") and not (kind == "proxy" and _FOR_GOOD.search(words)),
        kind=kind,
        response=exchange.answer,
    )


def _kind(exc: BaseException, exchange: Exchange, where: str) -> tuple[str, str, Phase]:
    chain = list(_chain(exc))
    phase = exchange.phase
    at_proxy = exchange.proxy if phase == "connect" else ""
    who = f"the proxy {at_proxy}" if at_proxy else where
    if exchange.slow:
        return "timeout", f"{who} {exchange.slow} {_PHASES[phase]}", phase
    if isinstance(exc, ProxyError) and phase == "connect":
        return "proxy", _at_proxy(chain, exchange.proxy, where), "connect"
    for cause in chain:
        if isinstance(cause, ssl.SSLError | SSLError):
            return _tls(cause, chain, where, phase)
        if isinstance(cause, NameResolutionError | socket.gaierror):
            return "dns", f"the name of {where} does not resolve", "connect"
    if any(isinstance(cause, ConnectionRefusedError) for cause in chain) and phase == "connect":
        return "refused", f"{where} refuses connections", "connect"
    for cause in chain:
        if isinstance(cause, NewConnectionError) and not isinstance(cause.__cause__, TimeoutError):
            return "refused", f"cannot connect to {where}: {_last(chain)}", "connect"
        if isinstance(cause, ConnectTimeoutError | ReadTimeoutError | TimeoutError):
            if any(isinstance(each, OSError) and _HANDSHAKE.fullmatch(str(each)) for each in chain):
                return "timeout", f"{where} did not answer the TLS greeting: does this port speak TLS?", "tls"
            if phase == "connect":
                return "timeout", f"{who} does not accept connections: timed out", "connect"
            return "timeout", f"{where} was silent for {exchange.silence:g} s {_PHASES[phase]}", phase
        if isinstance(cause, IncompleteRead | http.client.IncompleteRead):
            return "reset", f"{where} ended the answer early: {_missing(cause)}", "read"
    return _rest(chain, at_proxy or where, phase)


def _at_proxy(chain: list[BaseException], proxy: str, where: str) -> str:
    """Why a proxy does not get us there, or why we do not get to it."""
    for cause in chain:
        refused = _TUNNEL.fullmatch(str(cause))
        if refused is not None and int(refused[1]) == 407:
            return f"the proxy {proxy} wants a user name and a password (407)"
        if refused is not None:
            return f"the proxy {proxy} does not connect us to {where}: {refused[1]} {refused[2].strip()}".rstrip()
        if isinstance(cause, NameResolutionError | socket.gaierror):
            return f"the name of the proxy {proxy} does not resolve"
        if isinstance(cause, ConnectionRefusedError):
            return f"the proxy {proxy} refuses connections"
    return f"the proxy {proxy} does not connect us to {where}: {_last(chain)}"


def _rest(chain: list[BaseException], where: str, phase: Phase) -> tuple[str, str, Phase]:
    for cause in chain:
        if isinstance(cause, http.client.RemoteDisconnected | ConnectionError):
            return "reset", f"{where} closed the connection {_PHASES[phase]}", phase
        if isinstance(cause, http.client.BadStatusLine):
            line = str(cause.args[0] if cause.args else cause)
            if line.lstrip("'\"").startswith(("\x15\x03", "\\x15\\x03")):
                return "protocol", f"{where} speaks TLS: use https:// instead of http://", phase
            return "protocol", f"what answers at {where} does not speak HTTP: it says {line[:60]!r}", phase
        if isinstance(cause, MalformedReply):
            return "protocol", f"what answers at {where} {cause}", phase
        if isinstance(cause, InvalidChunkLength | http.client.HTTPException):
            return (
                "protocol",
                f"what answers at {where} does not speak HTTP as it should: {type(cause).__name__}",
                phase,
            )
    return "other", f"the exchange with {where} broke {_PHASES[phase]}: {_last(chain)}", phase


def _tls(cause: BaseException, chain: list[BaseException], where: str, phase: Phase) -> tuple[str, str, Phase]:
    reasons = [str(getattr(each, "reason", "") or "") for each in chain] + [str(each) for each in chain]
    at: Phase = "tls" if phase == "connect" else phase
    for each in chain:
        if isinstance(each, ssl.SSLCertVerificationError):
            return "certificate", f"the certificate of {where} is not to be trusted: {each.verify_message}", at
    if any(word in reason for word in _NO_TLS for reason in reasons):
        return "protocol", f"{where} does not speak TLS: use http:// instead of https://, if you trust the network", at
    if any("timed out" in reason for reason in reasons):
        return "timeout", f"{where} was silent {_PHASES[at]}", at
    if any("EOF" in reason for reason in reasons):
        return "reset", f"{where} closed the connection {_PHASES[at]}", at
    return "certificate", f"TLS with {where} failed: {_last([cause])}", at


def _chain(exc: BaseException) -> Iterator[BaseException]:
    """The exception and what it stands for, outermost first."""
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
    """The system's words, the innermost there are."""
    for each in reversed(chain):
        if isinstance(each, OSError) and each.strerror:
            return each.strerror
    return str(chain[-1]).rpartition(": ")[2] or type(chain[-1]).__name__


def _missing(exc: BaseException) -> str:
    partial, expected = getattr(exc, "partial", None), getattr(exc, "expected", None)
    came = len(partial) if isinstance(partial, bytes) else partial
    return f"{came} bytes came, {expected} are missing" if isinstance(expected, int) else "bytes are missing"


def wants_tls(body: bytes) -> bool:
    """Whether a 400 says that plain text came to a TLS port."""
    return any(words in body for words in _WANTS_TLS)
