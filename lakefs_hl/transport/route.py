"""Routes: where a request goes, with which headers, through which proxy, and whether the address is allowed.

Rules of the room: no HTTP library and no socket, so every transport uses it. A transport asks for the request's
`target`, connects as `proxy` says, and calls the target's guard with the address of the peer before it sends anything.

A pre-signed URL is named by the server, so it must not lead further into a network than the server itself is. A proxy
looks up names itself and has rules of its own.
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import SplitResult, unquote, urlsplit

from lakefs_hl.spec import routes
from lakefs_hl.spec.hosts import ascii_host, host_and_port, proxy_fault
from lakefs_hl.spec.secret import Secret, hide
from lakefs_hl.spec.wire import Request, TransportError

#: Given the peer's address before anything is sent; raises if the address is not allowed.
Guard: TypeAlias = Callable[[str], None]
DEFAULT_PORTS: Final = {"http": 80, "https": 443}

_METADATA, _LINK_LOCAL, _LOOPBACK, _PRIVATE, _PUBLIC = 4, 3, 2, 1, 0
_CREDENTIALS: Final = frozenset({"authorization", "cookie", "proxy-authorization"})
#: Addresses at which clouds give credentials to any process of a machine.
_METADATA_HOSTS: Final = frozenset(
    ipaddress.ip_address(one)
    for one in (
        "169.254.169.254",
        "169.254.170.2",
        "169.254.170.23",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
    )
)
#: Prefixes whose addresses hold an IPv4 address in their last 32 bits: compatible, mapped, translated, NAT64.
_TAILS: Final = tuple(
    ipaddress.IPv6Network(one) for one in ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96")
)
_LOCAL_NAT64: Final = ipaddress.IPv6Network("64:ff9b:1::/48")
_ISATAP: Final = 0x5EFE


def parse(url: str) -> SplitResult:
    """Split a URL, with its host in ASCII.

    Raises:
        ValueError: It is not a URL, or its host cannot be encoded.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host.isascii():
        return parts
    name = ascii_host(host)
    login, at, _ = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{login}{at}{name}" + (f":{parts.port}" if parts.port is not None else ""))


def place(url: SplitResult) -> str:
    """Return host and port of a URL, and nothing else of it."""
    return url.netloc.rpartition("@")[2]


def port_of(url: SplitResult) -> int:
    """Return the port that a URL names or implies."""
    return url.port or DEFAULT_PORTS[url.scheme]


def without_login(proxy: str) -> tuple[str, dict[str, str]]:
    """Split a proxy's URL: one without user name and password, and the headers that carry them."""
    parts = parse(proxy)
    return f"{parts.scheme}://{place(parts)}", login_header(parts)


def login_header(proxy: SplitResult) -> dict[str, str]:
    """Return the header with a proxy URL's user name and password, which are percent-encoded in the URL."""
    if "@" not in proxy.netloc:
        return {}
    pair = f"{unquote(proxy.username or '')}:{unquote(proxy.password or '')}".encode()
    return {"proxy-authorization": Secret("Basic " + base64.b64encode(pair).decode())}


class PresignedUrl(SplitResult):
    """A pre-signed URL in its parts: no frame that holds it shows its signature."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<URL at {place(self)}>"


class Target(NamedTuple):
    """Where a request goes.

    Attributes:
        url: The server: scheme, host and port.
        path: Path and query to ask for; hidden if they are a signature.
        headers: All headers, but for those of the body and of a proxy.
        guard: What to call with the address of the peer, if there is something to check or to note.
    """

    url: SplitResult
    path: str
    headers: dict[str, str]
    guard: Guard | None


class Route:
    """Targets of requests, and proxies on the way to them.

    Args:
        endpoint: The server's URL.
        proxies: Proxy URL by scheme of the target.
        no_proxy: Hosts, domains, addresses and networks that are reached without a proxy.
        allowed: `host` or `host:port` that pre-signed URLs may name whatever their address is.
        user_agent: Value of the header.
    """

    def __init__(
        self,
        endpoint: SplitResult,
        proxies: Mapping[str, str],
        no_proxy: Iterable[str],
        allowed: Iterable[str],
        user_agent: str = "lakefs-hl",
    ) -> None:
        self._endpoint = endpoint
        self._prefix = endpoint.path.rstrip("/")
        self._agent = user_agent
        self._proxies = {scheme: hide(proxy) for scheme, proxy in proxies.items()}
        self._no_proxy = tuple(no_proxy)
        self._allowed = frozenset(host_and_port(entry) for entry in allowed)
        self._home: tuple[Guard | None] | None = None
        self._peer = ""  # the endpoint's address, once we were connected to it without a proxy

    def target(self, request: Request) -> Target:
        """Return where a request goes, and its headers.

        Raises:
            TransportError: Its pre-signed URL is not a URL, or must not be followed.
        """
        headers = {"accept": "*/*", "accept-encoding": "identity", "user-agent": self._agent, **request.headers}
        if request.url is None:
            if request.authorization is not None:
                headers["authorization"] = request.authorization
            return Target(self._endpoint, self._prefix + routes.target(request), headers, self.home())
        url = _split_presigned(request.url)
        foreign = {name: value for name, value in headers.items() if not _is_ours(name.lower())}
        return Target(url, Secret(_path(url)), foreign, self.away(url))

    def proxy(self, scheme: str, host: str, port: int) -> str:
        """Return the URL of the proxy to a host, with its login; "" without one.

        Raises:
            TransportError: The proxy that is configured cannot be used.
        """
        proxy = self._proxies.get(scheme) or self._proxies.get("all") or ""
        if not proxy or bypasses(self._no_proxy, host, port):
            return ""
        kind = proxy.partition("://")[0]
        if kind not in DEFAULT_PORTS:
            msg = f"a proxy of kind {kind}:// cannot be used: name an http:// one, or except {host} with NO_PROXY"
            raise TransportError("connect", msg, retry=False)
        if why := proxy_fault(proxy):
            raise TransportError("connect", f"the configured proxy cannot be used: {why}", retry=False, kind="proxy")
        return proxy

    def home(self) -> Guard | None:
        """Return what notes the endpoint's address, against which those of pre-signed URLs are measured."""
        if self._home is None:
            endpoint = self._endpoint
            proxy = self.proxy(endpoint.scheme, endpoint.hostname or "", port_of(endpoint))
            # a proxy's address says nothing about the endpoint
            self._home = (None if proxy else self._note,)
        return self._home[0]

    def _note(self, peer: str) -> None:
        self._peer = peer

    def away(self, url: SplitResult) -> Guard | None:
        """Return what checks the address that a pre-signed URL leads to.

        Raises:
            TransportError: The URL must not be followed, whatever its address is.
        """
        host = url.hostname or ""
        if url.scheme not in DEFAULT_PORTS or not host:
            raise TransportError("connect", f"a pre-signed URL of scheme {url.scheme!r}", retry=False, kind="protocol")
        port, own = port_of(url), port_of(self._endpoint)
        if {(host, None), (host, port)} & self._allowed:
            return None
        if host == self._endpoint.hostname and (port == own or depth(self._peer or host) < _LOOPBACK):
            return None
        if url.scheme == "http" and self._endpoint.scheme == "https":
            raise _refusal(url, "is not encrypted, and the endpoint is")
        if self.proxy(url.scheme, host, port):
            return None

        def check(peer: str) -> None:
            found = depth(peer)
            if found > depth(self._peer):
                raise _refusal(url, f"leads to the inner address {peer}")
            if found >= _LOOPBACK and port != own:
                raise _refusal(url, "is another service on this machine")

        return check


def _split_presigned(url: str) -> SplitResult:
    try:
        parts = parse(url)
        parts.port  # noqa: B018 - raises if it is not a number
    except ValueError:
        msg = "the server gave a pre-signed URL that is not a URL"
        raise TransportError("connect", msg, retry=False, kind="protocol") from None
    return PresignedUrl(*parts)


def _path(url: SplitResult) -> str:
    path = url.path or "/"
    return f"{path}?{url.query}" if url.query else path


def _is_ours(header: str) -> bool:
    """Return whether a header is for the endpoint only."""
    return header in _CREDENTIALS or header.startswith("x-lakefs-")


def _refusal(url: SplitResult, why: str) -> TransportError:
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
    msg = (
        f"refused to follow a pre-signed URL to {place(url)}, which {why}; "
        f'Client(allowed_storage_hosts=["{host}:{port_of(url)}"]) allows it'
    )
    return TransportError("connect", msg, retry=False)


def depth(peer: str) -> int:
    """Return how far inside a network an address lies: a server may send us outwards or stay level, never further in.

    An IPv6 address that carries an IPv4 address counts as the latter: a translator delivers there.
    """
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return _PUBLIC
    if isinstance(address, ipaddress.IPv6Address) and (carried := list(_addresses_within(address))):
        return max(_depth(one) for one in carried)
    return _depth(address)


def _depth(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> int:
    if address in _METADATA_HOSTS:
        return _METADATA
    if address.is_link_local:
        return _LINK_LOCAL
    if address.is_loopback or address.is_unspecified:
        return _LOOPBACK
    return _PUBLIC if address.is_global else _PRIVATE


def _addresses_within(address: ipaddress.IPv6Address) -> Iterator[ipaddress.IPv4Address]:
    """Iterate over the IPv4 addresses within an IPv6 address."""
    bits = int(address)
    if bits < 1 << 16:  # ::1 and :: are not IPv4 addresses
        return
    if any(address in network for network in _TAILS) or (bits >> 32) & 0xFDFFFFFF == _ISATAP:
        yield ipaddress.IPv4Address(bits & 0xFFFFFFFF)
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if address in _LOCAL_NAT64:  # RFC 8215; bits 64 to 71 are left out (RFC 6052)
        if spread := (bits >> 64 & 0xFFFF) << 16 | bits >> 40 & 0xFFFF:
            yield ipaddress.IPv4Address(spread)
        yield ipaddress.IPv4Address(bits & 0xFFFFFFFF)


def bypasses(no_proxy: Iterable[str], host: str, port: int) -> bool:
    """Return whether a host is reached without a proxy: by name, domain, address or network, as in curl and Go."""
    host = host.lower().rstrip(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    for entry in (one.strip().lower() for one in no_proxy):
        if entry == "*":
            return True
        name, _, wanted = entry.rpartition(":") if entry.count(":") == 1 else (entry, "", "")
        if wanted and wanted != str(port):
            continue
        if address is not None:
            try:
                if address in ipaddress.ip_network(name.strip("[]"), strict=False):
                    return True
            except ValueError:
                continue
        elif _matches(name.lstrip("."), host):
            return True
    return False


def _matches(name: str, host: str) -> bool:
    try:
        name = ascii_host(name)
    except ValueError:  # not the name of any host
        return False
    return bool(name) and (host == name or host.endswith(f".{name}"))
