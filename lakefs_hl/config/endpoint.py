"""Endpoints: parsing, normalization and comparison."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

from lakefs_hl.spec.errors import InvalidConfigError
from lakefs_hl.spec.hosts import ascii_host
from lakefs_hl.spec.secret import reveal

#: The default endpoint of lakectl.
DEFAULT_ENDPOINT: Final = "http://127.0.0.1:8000"
#: Characters that a path segment of an endpoint keeps as they were written.
_PATH_MARKS: Final = "%!$&'()*+,;=:@~"


def is_lake(endpoint: str) -> bool:
    """Return whether an endpoint names an embedded lake."""
    return endpoint.startswith(("local:", "mem:"))


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine: a loopback address, or `localhost`.

    `localhost` is the only name that counts, because resolvers answer it themselves (RFC 6761). Any other name, also
    one below `localhost`, resolves to whatever a name server returns.
    """
    import ipaddress

    if host.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def same_endpoint(one: str, other: str) -> bool:
    """Return whether two endpoints are the same; the default port of a scheme makes no difference."""
    return _without_default_port(one) == _without_default_port(other)


def _without_default_port(endpoint: str) -> str:
    scheme, _, rest = endpoint.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.removesuffix(':443' if scheme == 'https' else ':80')}{slash}{path}"


def with_port(host: str, port: int) -> str:
    """Return the endpoint of a host and a port. A host without a scheme has http if it is this machine, else https.

    Raises:
        InvalidConfigError: The host is an embedded lake, has a port of its own, or is not a host. The message never
            repeats a password.
    """
    value = reveal(host).strip()
    if is_lake(value):
        raise InvalidConfigError(f"port={port}: {value!r} is an embedded lake, which has no port")
    if value.count(":") > 1 and "://" not in value and not value.startswith("["):
        value = f"[{value}]"  # an address of IPv6
    try:
        parts = urlsplit(value if "://" in value else f"//{value}")
        own, name = parts.port, parts.hostname or ""
    except ValueError:
        raise InvalidConfigError("host is neither the name of a host nor a URL") from None
    shown = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl().removeprefix("//")
    if own is not None and own != port:
        raise InvalidConfigError(f"port={port}: host {shown!r} has another port; leave one of them out")
    if not name:
        raise InvalidConfigError(f"host {shown!r} is not the name of a host, such as 'localhost'")
    scheme = parts.scheme or ("http" if is_loopback(name) else "https")
    location = parts.netloc if own is not None else f"{parts.netloc.removesuffix(':')}:{port}"
    return parts._replace(scheme=scheme, netloc=location).geturl()


def parse_endpoint(value: str, source: str) -> str:
    """Return an endpoint in its standard form.

    Args:
        value: As it was written: with or without `/api/v1` or a trailing slash, or under the path of a reverse proxy.
        source: What holds it, for messages.

    Raises:
        InvalidConfigError: It is not an endpoint. The message never repeats a password.
    """
    value = reveal(value).strip()
    if value.startswith("local:"):
        return _local(value, source)
    if value.startswith("mem:"):
        return f"mem://{value.removeprefix('mem:').removeprefix('//')}"
    want = "want http://host[:port], https://host[:port], either with the path of a reverse proxy, local:PATH or mem://"
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise InvalidConfigError(f"{source}: the endpoint is not a URL; {want}") from None
    shown = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()
    if "@" in parts.netloc:
        raise InvalidConfigError(f"{source}: endpoint {shown!r} contains a user name: use username and password")
    if parts.scheme not in ("http", "https") or not parts.hostname or any(mark <= " " for mark in value):
        scheme = "local:" if value.startswith((".", "/", "~")) else "http://"
        guess = f"; did you mean {scheme}{value}?" if value and "://" not in value and " " not in value else ""
        raise InvalidConfigError(f"{source}: {shown!r} is not an endpoint; {want}{guess}")
    if parts.query or parts.fragment:
        raise InvalidConfigError(f"{source}: endpoint {shown!r} has a query or a fragment: leave it out")
    try:
        name = ascii_host(parts.hostname)
    except ValueError as exc:
        raise InvalidConfigError(f"{source}: endpoint {shown!r}: {exc}") from None
    host = f"[{name}]" if ":" in name else name
    return f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "") + _prefix(parts.path, shown, source)


def _prefix(path: str, shown: str, source: str) -> str:
    """Return the path under which a reverse proxy serves lakeFS, without lakeFS's own `/api/v1`."""
    segments = [segment for segment in path.split("/") if segment]
    if segments[-2:] == ["api", "v1"]:
        del segments[-2:]
    within = any(first == "api" and second.startswith("v") for first, second in pairwise(segments))
    if within or {".", ".."} & set(segments):
        msg = f"{source}: endpoint {shown!r} has a path within the API: leave out /api/v1 and what follows"
        raise InvalidConfigError(msg)
    return "".join(f"/{quote(segment, safe=_PATH_MARKS)}" for segment in segments)


def _local(value: str, source: str) -> str:
    path = value.removeprefix("local:")
    if path.startswith("//"):
        path = path[2:]
        if path and not path.startswith(("/", ".", "~")):
            msg = f"{source}: {value!r} names a host: write local:/absolute/path or local:relative/path"
            raise InvalidConfigError(msg)
    if not path or "\0" in path:
        raise InvalidConfigError(f"{source}: {value!r} names no directory: write local:./lake")
    try:
        return f"local:{Path(path).expanduser().absolute().resolve()}"
    except RuntimeError as exc:  # a home directory that does not exist, or a loop of links
        raise InvalidConfigError(f"{source}: {value!r}: {str(exc).rstrip('.')}") from None
