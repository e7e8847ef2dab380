"""Causes: which failure a code of libcurl stands for; the counterpart of `causes`, in the same words."""

from __future__ import annotations

import errno
import os
import re
from typing import Final, NamedTuple

from lakefs_hl.spec.wire import Phase
from lakefs_hl.transport import failures
from lakefs_hl.transport.failures import Fault

# codes of libcurl: https://curl.se/libcurl/c/libcurl-errors.html
UNSUPPORTED, MALFORMED_URL, PROXY_NAME, HOST_NAME, CONNECT = 1, 3, 5, 6, 7
WEIRD_REPLY, PARTIAL, WRITE, READ, TIMED_OUT, TLS_CONNECT, CALLBACK = 8, 18, 23, 26, 28, 35, 42
NOTHING_CAME, SEND, RECEIVE, CERTIFICATE, REWIND, BAD_CA, PROXY, TOO_LARGE = 52, 55, 56, 60, 65, 77, 97, 100
BAD_CODING: Final = 61
#: Codes after which no byte of the request was sent, whatever libcurl counted.
NOT_SENT: Final = frozenset({MALFORMED_URL, PROXY_NAME, HOST_NAME, CONNECT, PROXY})
#: Codes of a response that does not begin like one.
NOT_HTTP: Final = frozenset({UNSUPPORTED, WEIRD_REPLY})
#: Codes of a kept connection that is closed, or on which there is something else than a response.
NOT_KEPT: Final = NOT_HTTP | {SEND}
#: Codes of TLS: the handshake, certificates, files of certificates.
TLS: Final = frozenset({TLS_CONNECT, 51, 53, 54, 58, 59, CERTIFICATE, 64, 66, BAD_CA, 80, 82, 83, 90, 91, 96, 98})
#: What OpenSSL says when the peer responds in plain text.
_NO_TLS: Final = re.compile(
    r"wrong version number|http request|https proxy request|record layer failure|unknown protocol"
)
_EOF: Final = re.compile(r"unexpected eof|SSL_ERROR_SYSCALL|reset by peer|closed abruptly|broken pipe", re.IGNORECASE)
_VERIFY: Final = re.compile(
    r"SSL certificate (?:problem|verification failed|OpenSSL verify result): (.*?)(?: \(\d+\))?$"
)
#: libcurl does not show these bytes: they may be an alert of TLS.
_NOT_HTTP: Final = "its response is not HTTP/1.1; if this port speaks TLS, use https:// instead of http://"
_LARGE_HEAD: Final = "sends more headers than any lakeFS server"
_TUNNEL: Final = re.compile(r"CONNECT tunnel failed, response (\d{3})")


class Ended(NamedTuple):
    """How libcurl ended an exchange.

    Attributes:
        code: Its code.
        message: Its message.
        phase: How far the exchange was.
        where: Host and port.
        proxy: Host and port of the proxy; "" without one.
        number: The error number of the system; 0 if there is none.
        read: Read timeout in seconds.
        missing: Which bytes of the body are missing, in words.
    """

    code: int
    message: str
    phase: Phase
    where: str
    proxy: str
    number: int
    read: float
    missing: str


def fault_of(ended: Ended) -> Fault:
    """Return the failure that a code stands for."""
    code, phase, where = ended.code, ended.phase, ended.where
    if refusal := _TUNNEL.search(ended.message):
        return failures.proxy_refused(ended.proxy, where, int(refusal[1]), "")
    if code == MALFORMED_URL:
        return Fault("protocol", f"the URL at {where} is not a URL", "connect", retry=False)
    if code == PROXY_NAME:
        return failures.proxy_unresolved(ended.proxy)
    if code == HOST_NAME:
        return failures.no_address(where)
    if code == CONNECT:
        return _not_connected(ended)
    if code == PROXY:
        return failures.proxy_failed(ended.proxy, where, "it broke the connection")
    if code in TLS:
        return _tls(ended)
    if code == TIMED_OUT:
        if phase == "tls":
            return failures.no_handshake(where)
        if phase == "connect":
            return failures.not_accepting(f"the proxy {ended.proxy}" if ended.proxy else where)
        return failures.no_data(where, ended.read, phase)
    return _after_sending(ended)


def _after_sending(ended: Ended) -> Fault:
    code, phase, where = ended.code, ended.phase, ended.where
    if code == PARTIAL:
        return failures.incomplete(where, ended.missing)
    if code == WEIRD_REPLY and "content-length" in ended.message.lower():
        return failures.broken_response(where, "sends what is no number as the length of a body", phase)
    if code in NOT_HTTP:
        return failures.not_http(where, _NOT_HTTP, phase)
    if code in (NOTHING_CAME, SEND, REWIND):
        return failures.connection_closed(where, phase)
    if code == BAD_CODING:
        return failures.bad_response(where, "sends a body with a coding that was not asked for", phase)
    if code == TOO_LARGE:
        return failures.bad_response(where, _LARGE_HEAD, phase)
    if code == RECEIVE:
        return _received_badly(ended)
    return failures.broken(where, f"libcurl's code {code}", phase)


def _not_connected(ended: Ended) -> Fault:
    refused = ended.number == errno.ECONNREFUSED
    why = os.strerror(ended.number) if ended.number else "no address accepts connections"
    if ended.proxy:
        if refused:
            return failures.proxy_closed(ended.proxy)
        return failures.proxy_failed(ended.proxy, ended.where, why)
    return failures.not_listening(ended.where) if refused else failures.unreachable(ended.where, why)


def _tls(ended: Ended) -> Fault:
    message, where = ended.message, ended.where
    phase: Phase = "tls" if ended.phase == "connect" else ended.phase
    if ended.code in (CERTIFICATE, 51):
        found = _VERIFY.search(message)
        return failures.bad_certificate(where, found[1] if found else "it is not valid for this host", phase)
    if _NO_TLS.search(message):
        return failures.plain_text(where, phase)
    if _EOF.search(message):
        return failures.connection_closed(where, phase)
    why = "the file or directory of certificate authorities cannot be read" if ended.code == BAD_CA else ""
    return failures.tls_failed(where, why or message.rpartition(": ")[2] or f"libcurl's code {ended.code}", phase)


def _received_badly(ended: Ended) -> Fault:
    message = ended.message.lower()
    if "too large response headers" in message or "too many" in message:
        return failures.bad_response(ended.where, _LARGE_HEAD, ended.phase)
    if "chunk" in message:
        return failures.broken_response(ended.where, "sends a body that is not chunked as announced", ended.phase)
    return failures.connection_closed(ended.where, ended.phase)
