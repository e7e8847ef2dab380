"""Failures of exchanges, each kind in one wording, whichever HTTP library met it.

Rules of the room: messages name host and port, never a path or a query, because a pre-signed URL is a secret. Whether
another attempt makes sense is part of the failure, not of its message.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from lakefs_hl.spec.wire import FileSlice, Phase, Response, TransportError

#: How servers respond to plain text on a TLS port: Go, nginx, Apache.
_WANTS_TLS: Final = (
    b"HTTP request to an HTTPS server",
    b"plain HTTP request was sent to HTTPS port",
    b"speaking plain HTTP to an SSL",
)
_DOING: Final[dict[Phase, str]] = {
    "connect": "while connecting",
    "tls": "during the TLS handshake",
    "send": "while sending the request",
    "wait": "while waiting for the response",
    "read": "while reading the response",
}
#: Refusals of a proxy that another attempt does not change.
_FINAL_REFUSALS: Final = (403, 407)


class Fault(NamedTuple):
    """Why there is no response.

    Attributes:
        kind: As in `TransportError.kind`.
        message: Its wording.
        phase: How far the exchange was.
        retry: Whether another attempt makes sense.
    """

    kind: str
    message: str
    phase: Phase
    retry: bool = True

    def error(
        self, *, sent: int = 0, received: int = 0, seconds: float = 0.0, response: Response | None = None
    ) -> TransportError:
        """Return the error of the exchange.

        Args:
            sent: Body bytes sent.
            received: Body bytes received.
            seconds: Time spent.
            response: Status and headers, if they were received.
        """
        return TransportError(
            self.phase,
            self.message,
            sent=sent,
            received=received,
            seconds=seconds,
            retry=self.retry,
            kind=self.kind,
            response=response,
        )


# -- connecting --------------------------------------------------------------------------------------------------------


def no_address(where: str) -> Fault:
    """Return the failure of a host without an address."""
    return Fault("dns", f"the name of {where} does not resolve", "connect")


def not_listening(where: str) -> Fault:
    """Return the failure of a port on which no process listens."""
    return Fault("refused", f"{where} refuses connections", "connect")


def unreachable(where: str, why: str) -> Fault:
    """Return the failure of a host that cannot be connected to for another reason."""
    return Fault("refused", f"cannot connect to {where}: {why}", "connect")


def not_accepting(where: str) -> Fault:
    """Return the failure of a host that did not accept the connection in time."""
    return Fault("timeout", f"{where} does not accept connections: timed out", "connect")


def proxy_refused(proxy: str, where: str, status: int, reason: str) -> Fault:
    """Return the failure of a proxy that opens no tunnel."""
    retry = status not in _FINAL_REFUSALS
    if status == 407:
        return Fault("proxy", f"the proxy {proxy} requires a user name and a password (407)", "connect", retry)
    said = f"{status} {reason}".rstrip()
    return Fault("proxy", f"the proxy {proxy} does not connect to {where}: {said}", "connect", retry)


def proxy_unresolved(proxy: str) -> Fault:
    """Return the failure of a proxy whose host has no address."""
    return Fault("proxy", f"the name of the proxy {proxy} does not resolve", "connect")


def proxy_closed(proxy: str) -> Fault:
    """Return the failure of a proxy on whose port no process listens."""
    return Fault("proxy", f"the proxy {proxy} refuses connections", "connect")


def proxy_failed(proxy: str, where: str, why: str) -> Fault:
    """Return the failure of a proxy for another reason."""
    return Fault("proxy", f"the proxy {proxy} does not connect to {where}: {why}", "connect")


# -- TLS ---------------------------------------------------------------------------------------------------------------


def bad_certificate(where: str, why: str, phase: Phase) -> Fault:
    """Return the failure of a certificate that cannot be verified."""
    return Fault("certificate", f"the certificate of {where} cannot be verified: {why}", phase, retry=False)


def tls_failed(where: str, why: str, phase: Phase) -> Fault:
    """Return the failure of TLS for another reason."""
    return Fault("certificate", f"TLS with {where} failed: {why}", phase, retry=False)


def no_handshake(where: str) -> Fault:
    """Return the failure of a port that accepts connections and does not complete the TLS handshake."""
    return Fault("timeout", f"{where} did not complete the TLS handshake: does this port speak TLS?", "tls")


def plain_text(where: str, phase: Phase) -> Fault:
    """Return the failure of an https:// URL at a port that does not speak TLS."""
    message = f"{where} does not speak TLS: use http:// instead of https://, if you trust the network"
    return Fault("protocol", message, phase, retry=False)


def speaks_tls(where: str, phase: Phase) -> Fault:
    """Return the failure of an http:// URL at a port that speaks TLS."""
    return Fault("protocol", f"{where} speaks TLS: use https:// instead of http://", phase, retry=False)


def wants_tls(body: bytes | FileSlice) -> bool:
    """Return whether the body of a 400 says that the port speaks TLS."""
    return isinstance(body, bytes) and any(words in body for words in _WANTS_TLS)


# -- the exchange ------------------------------------------------------------------------------------------------------


def no_data(where: str, seconds: float, phase: Phase) -> Fault:
    """Return the failure of a peer from which no data came, or which took none, for the read timeout."""
    data = "accepted no data" if phase == "send" else "sent no data"
    return Fault("timeout", f"{where} {data} for {seconds:g} s {_DOING[phase]}", phase)


def too_slow(where: str, what: str, phase: Phase) -> Fault:
    """Return the failure of a peer that moved data, and too little."""
    return Fault("timeout", f"{where} {what} {_DOING[phase]}", phase)


def deadline_expired(where: str, seconds: float, phase: Phase) -> Fault:
    """Return the failure of an exchange whose time limit was reached."""
    return Fault("timeout", f"the deadline expired after {seconds:.3g} s {_DOING[phase]} ({where})", phase)


def connection_closed(where: str, phase: Phase) -> Fault:
    """Return the failure of a connection that the peer closed."""
    return Fault("reset", f"{where} closed the connection {_DOING[phase]}", phase)


def incomplete(where: str, missing: str) -> Fault:
    """Return the failure of a body that is shorter than announced."""
    return Fault("reset", f"{where} ended the response early: {missing}", "read")


def not_all_taken(where: str, sent: int, length: int) -> Fault:
    """Return the failure of a success that comes before the content was there: it is of less than that."""
    message = f"{where} confirmed content of which it had {sent} of {length} bytes at most, and closed the connection"
    return Fault("protocol", message, "read")


def not_http(where: str, what: str, phase: Phase) -> Fault:
    """Return the failure of a response that is not HTTP."""
    return Fault("protocol", f"{where} does not speak HTTP: {what}", phase, retry=False)


def bad_response(where: str, what: str, phase: Phase) -> Fault:
    """Return the failure of a response that breaks HTTP or exceeds a limit."""
    return Fault("protocol", f"{where} {what}", phase, retry=False)


def broken_response(where: str, what: str, phase: Phase) -> Fault:
    """Return the failure of a response whose end is in doubt, as of two that are mixed up."""
    return Fault("protocol", f"{where} {what}", phase)


def broken(where: str, why: str, phase: Phase) -> Fault:
    """Return any other failure."""
    return Fault("other", f"the exchange with {where} broke {_DOING[phase]}: {why}", phase)
