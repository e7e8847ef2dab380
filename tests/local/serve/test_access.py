"""Where a server listens, and what it asks of those who want to serve other machines."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from lakefs_hl.local.serve.access import Access
from lakefs_hl.spec.errors import InvalidConfigError

CERTIFICATE = Path(__file__).parent.parent.parent / "data" / "tls" / "server.pem"
KEY = CERTIFICATE.with_name("server.key")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "2001:db8::1"])
def test_other_machines_need_every_option(host: str) -> None:
    whole = Access(host, 0, remote=True, names=("lake.example",), insecure=True)
    assert str(whole.address()) == host
    for access, missing in (
        (Access(host, 0), "--allow-remote, --allowed-host NAME for each name or address that clients use, --tls-cert"),
        (whole._replace(remote=False), "--allow-remote"),
        (whole._replace(names=()), "--allowed-host"),
        (whole._replace(insecure=False), "--tls-cert and --tls-key"),
    ):
        with pytest.raises(InvalidConfigError, match=f"cannot listen on {host}.*{missing}"):
            access.address()


@pytest.mark.parametrize("host", ["example.invalid", "", "127.0.0.1:80", "lake"])
def test_what_is_no_address(host: str) -> None:
    with pytest.raises(InvalidConfigError, match="want an IP address such as"):
        Access(host).address()


def test_the_loopback_needs_nothing() -> None:
    for host in ("127.0.0.1", "localhost", "::1", "127.0.0.9"):
        assert Access(host).address().is_loopback


def test_names() -> None:
    assert ("127.0.0.1", None) in Access().hosts()
    remote = Access("192.0.2.1", 0, remote=True, names=("Lake.Example", "b.example:81"), insecure=True)
    assert remote.hosts() == {("lake.example", None), ("b.example", 81), ("192.0.2.1", None)}
    assert ("localhost", None) in remote._replace(host="0.0.0.0").hosts()
    assert ("0.0.0.0", None) not in remote._replace(host="0.0.0.0").hosts()
    with pytest.raises(InvalidConfigError, match="--allowed-host: 'http://x'"):
        Access(names=("http://x",)).address()


def test_urls() -> None:
    assert Access().url(1) == "http://127.0.0.1:1"
    assert Access("localhost").url(1) == "http://localhost:1"
    assert Access("::1").url(1) == "http://[::1]:1"
    remote = Access("0.0.0.0", 0, remote=True, names=("lake.example",), certificate=CERTIFICATE, key=KEY)
    assert remote.url(1) == "https://lake.example:1"
    assert remote._replace(names=("lake.example:443",)).url(1) == "https://lake.example:443"


def test_certificates(tmp_path: Path) -> None:
    assert Access().context() is None
    made = Access(certificate=CERTIFICATE, key=KEY).context()
    assert made is not None
    assert made.minimum_version == ssl.TLSVersion.TLSv1_2
    with pytest.raises(InvalidConfigError, match="TLS needs both"):
        Access(certificate=CERTIFICATE).address()
    (tmp_path / "x").write_text("no PEM")
    for certificate, key in ((tmp_path / "none", KEY), (tmp_path / "x", KEY), (KEY, KEY), (CERTIFICATE, CERTIFICATE)):
        with pytest.raises(InvalidConfigError, match="cannot be used"):
            Access(certificate=certificate, key=key).context()
