"""Who may reach the server: the address it listens on, the names it answers to, and its certificate.

Rules of the room: the defaults are safe with no option at all. Whoever wants to serve other machines says so three
times: that it is meant (`--allow-remote`), under which names (`--allowed-host`), and how the credentials are protected
on the way (`--tls-cert` and `--tls-key`, or `--insecure`).
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from lakefs_hl.spec.errors import InvalidConfigError
from lakefs_hl.spec.hosts import host_and_port, host_fault

if TYPE_CHECKING:
    import ssl

#: Names of this machine's loopback.
LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_GIB: Final = 1 << 30


class Access(NamedTuple):
    """Where a server listens, and for whom.

    Attributes:
        host: The address to listen on.
        port: The port; 0 picks a free one.
        remote: Whether an address beyond the loopback is meant.
        names: Further host names, or `name:port`, that the server answers to.
        certificate: Certificate chain in PEM format; with it the server speaks TLS only.
        key: Private key of the certificate, in PEM format.
        insecure: Whether credentials may cross the network in clear text.
        largest: Bytes of the largest upload.
        origins: Origins whose web pages may use signed URLs, such as `https://app.example`, or `*` for all.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    remote: bool = False
    names: tuple[str, ...] = ()
    certificate: Path | None = None
    key: Path | None = None
    insecure: bool = False
    largest: int = 5 * _GIB
    origins: tuple[str, ...] = ()

    def address(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
        """The address to listen on.

        Raises:
            InvalidConfigError: It is none, or one that needs further options.
        """
        if (self.certificate is None) != (self.key is None):
            raise InvalidConfigError("TLS needs both --tls-cert and --tls-key")
        for name in self.names:
            if fault := host_fault(name):
                raise InvalidConfigError(f"--allowed-host: {fault}")
        try:
            found = ipaddress.ip_address("127.0.0.1" if self.host == "localhost" else self.host)
        except ValueError:
            raise InvalidConfigError(f"cannot listen on {self.host!r}: want an IP address such as 127.0.0.1") from None
        if found.is_loopback:
            return found
        missing = []
        if not self.remote:
            missing.append("--allow-remote")
        if not self.names:
            missing.append("--allowed-host NAME for each name or address that clients use")
        if self.certificate is None and not self.insecure:
            missing.append("--tls-cert and --tls-key (or --insecure, which sends credentials in clear text)")
        if missing:
            raise InvalidConfigError(
                f"cannot listen on {self.host}: other machines could reach it; add {', '.join(missing)}. Without these "
                "only this machine's loopback is served, 127.0.0.1 or ::1"
            )
        return found

    def hosts(self) -> frozenset[tuple[str, int | None]]:
        """The names, each with the port it is limited to, that a request may bear in its `Host` header."""
        address = self.address()
        found = {host_and_port(name) for name in self.names}
        if address.is_loopback or address.is_unspecified:
            found |= {(name, None) for name in LOOPBACK}
        if not address.is_unspecified:
            found.add((str(address), None))
        return frozenset(found)

    def context(self) -> ssl.SSLContext | None:
        """The TLS context; None without a certificate.

        Raises:
            InvalidConfigError: The certificate or its key cannot be used.
        """
        if self.certificate is None:
            return None
        import ssl

        made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            made.load_cert_chain(self.certificate, self.key)
        except (OSError, ssl.SSLError) as exc:
            reason = getattr(exc, "reason", None) or getattr(exc, "strerror", None) or exc
            raise InvalidConfigError(
                f"--tls-cert {self.certificate}, --tls-key {self.key}: cannot be used ({reason}); both must be PEM "
                "files, and the key that of the certificate"
            ) from None
        return made

    @property
    def scheme(self) -> str:
        """The scheme of its URLs."""
        return "http" if self.certificate is None else "https"

    def url(self, port: int) -> str:
        """The address for clients."""
        address = self.address()
        host, named = (str(address), None) if address.is_loopback else host_and_port(self.names[0])
        if self.host == "localhost":
            host = self.host
        return f"{self.scheme}://{f'[{host}]' if ':' in host else host}:{named or port}"


#: This machine's loopback, port 8000.
DEFAULT: Final = Access()
