"""The door: which requests are looked at, by their `Host`, `Origin` and target alone.

A page in a browser on this machine can send requests to the loopback. It cannot choose these headers: the browser
writes them. So whoever resolves a name of theirs to 127.0.0.1 (DNS rebinding), or posts a form to it, is refused here,
before the request is routed and whatever credentials it has. A signed URL is its own credentials, which no page can
guess: its requests need the right `Host` only. Which pages may read the answers is in `origins.py`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Final

from lakefs_hl.local.api import answers, presign
from lakefs_hl.spec.wire import Response

_SIGNED: Final = frozenset(path.encode() for path in presign.ROWS)
_HOST: Final = re.compile(rb"(?:\[([0-9A-Fa-f:.]{2,45})\]|([0-9A-Za-z._-]{1,253}))(?::([0-9]{1,5}))?")


class Door:
    """The door of one server.

    Args:
        hosts: The host names it answers to, each with the port it is limited to, or None for every port: behind a
            tunnel or a proxy the client's port is another one.
    """

    def __init__(self, hosts: Iterable[tuple[str, int | None]]) -> None:
        self._hosts = frozenset(hosts)

    def refusal(self, headers: Iterable[tuple[bytes, bytes]], target: bytes) -> Response | None:
        """The answer to a request that is not let in; None for one that is.

        Args:
            headers: Names in lower case, and values.
            target: The target of the request line.
        """
        hosts: list[bytes] = []
        origins: list[bytes] = []
        site = b""
        for name, value in headers:
            if name == b"host":
                hosts.append(value)
            elif name == b"origin":
                origins.append(value)
            elif name == b"sec-fetch-site":
                site = value
        if len(hosts) != 1:
            return answers.refuse(400, f"request has {len(hosts)} Host headers; send exactly one")
        host = hosts[0].strip(b" \t")
        found = _HOST.fullmatch(host)
        if found is None or (found[3] and int(found[3]) > 65_535):
            return answers.refuse(400, "the Host header is not `host` or `host:port`")
        if target[:1] != b"/":
            return answers.refuse(400, "the target of the request is not a path")
        if not self._knows(found):
            return answers.refuse(
                421,
                f"this server does not answer to the host {host.decode()!r}; start it with --allowed-host to add it",
            )
        if target.partition(b"?")[0] in _SIGNED:
            return None
        if any(origin.lower() not in (b"http://" + host.lower(), b"https://" + host.lower()) for origin in origins):
            return answers.refuse(403, "requests of web pages are refused (Origin header)")
        if site.lower() == b"cross-site":
            return answers.refuse(403, "requests of other web sites are refused (Sec-Fetch-Site header)")
        return None

    def _knows(self, found: re.Match[bytes]) -> bool:
        if found[1] is not None:
            try:
                name = str(ipaddress.IPv6Address(found[1].decode()))
            except ValueError:
                return False
        else:
            name = found[2].decode().lower()
        return (name, None) in self._hosts or (name, int(found[3] or 0)) in self._hosts
