"""Host names in ASCII, as DNS and HTTP use them.

Rules of the room: no look-up, no environment. IDNA is that of 2003, from the standard library. The characters that IDNA
2008 maps to another domain are rejected, because a wrong guess could send credentials to another server.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from lakefs_hl.spec.secret import reveal

#: Sharp s, final sigma and the two joiners: IDNA 2003 drops or replaces them, IDNA 2008 keeps them.
_DEVIATIONS: Final = frozenset("\u00df\u1e9e\u03c2\u200c\u200d")
#: What a URL, a login, a network or a pattern has, and a host does not.
_NOT_IN_HOSTS: Final = frozenset("/@?#*\\ \t\r\n\0")


def ascii_host(host: str) -> str:
    """Return a host name in lower-case ASCII; international names become their `xn--` form.

    Raises:
        ValueError: The name cannot be encoded. The message says why.
    """
    host = host.lower()
    if host.isascii():
        return host
    if _DEVIATIONS & set(host):
        msg = f"host name {host!r} means different domains by different standards; write its ASCII form (xn--...)"
        raise ValueError(msg)
    try:
        return host.encode("idna").decode("ascii").lower()
    except UnicodeError as exc:
        msg = f"host name {host!r} is not a valid international domain name: {exc.__cause__ or exc}"
        raise ValueError(msg) from None


def host_and_port(entry: str) -> tuple[str, int | None]:
    """Split `host`, `host:port`, `address` or `[address]:port`. The host is returned in ASCII and without brackets.

    Raises:
        ValueError: The port is not a number, or the host cannot be encoded.
    """
    host, colon, port = entry.strip().rpartition(":")
    if not colon or (":" in host and not host.endswith("]")):  # no port, or an IPv6 address without brackets
        host, port = entry.strip(), ""
    if port and not (port.isascii() and port.isdecimal() and int(port) < 65536):
        msg = f"{entry!r} is not `host` or `host:port`"
        raise ValueError(msg)
    return ascii_host(host.removeprefix("[").removesuffix("]")), int(port) if port else None


def host_fault(entry: str) -> str:
    """Return why an entry is not `host`, `host:port`, `address` or `[address]:port`; "" if it is.

    What it repeats of the entry is no login and no query: those may be secret.
    """
    if not entry.strip() or set(entry.strip()) & _NOT_IN_HOSTS:
        return f"{entry.rpartition('@')[2].partition('?')[0]!r:.80} is not `host` or `host:port`"
    try:
        host_and_port(entry)
    except ValueError as exc:
        return str(exc)
    return ""


def proxy_fault(url: str) -> str:
    """Return why a URL cannot be that of a proxy, without repeating it; "" if it can."""
    expected = "must be http://host:port"
    try:
        parts = urlsplit(reveal(url))
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:
        return expected
    if not usable:
        return expected
    try:
        ascii_host(parts.hostname or "")
    except ValueError as exc:
        return str(exc)
    return ""
