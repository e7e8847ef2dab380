"""A server for other machines, and TLS: over real sockets, with the real command."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import lakefs_hl
from lakefs_hl.cli import main
from lakefs_hl.local.serve.connections import KEPT
from tests.local.serve.test_access import CERTIFICATE, KEY
from tests.serving import running

TLS = ["--tls-cert", str(CERTIFICATE), "--tls-key", str(KEY)]


def trusted() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(CERTIFICATE))


def test_tls(tmp_path: Path) -> None:
    with running(tmp_path / "lake", arguments=TLS, descriptors=KEPT + 64) as served, contextlib.ExitStack() as stack:
        parts = urlsplit(served.url)
        assert parts.scheme == "https"
        assert parts.port is not None
        client = lakefs_hl.Client(
            host=served.url, username=served.key, password=served.secret, ca_cert=str(CERTIFICATE)
        )
        branch = lakefs_hl.repository("repo", client=client).create("local://repo").branch("main")
        branch.upload(b"x" * 3_000_000, "a")
        with branch.open("a", "rb") as file:
            assert file.read() == b"x" * 3_000_000
        client.close()
        for _ in range(100):  # they never begin a handshake
            stack.enter_context(socket.create_connection(("127.0.0.1", parts.port)))
        plain = stack.enter_context(socket.create_connection(("127.0.0.1", parts.port)))
        plain.sendall(b"GET /_health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        plain.settimeout(30)
        with contextlib.suppress(ConnectionResetError):
            assert not plain.recv(1000).startswith(b"HTTP")
        connection = http.client.HTTPSConnection("127.0.0.1", parts.port, timeout=30, context=trusted())
        connection.request("GET", "/_health")
        assert connection.getresponse().read() == b"alive\n"
        connection.close()
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, ConnectionError)):
            old.wrap_socket(stack.enter_context(socket.create_connection(("127.0.0.1", parts.port))))


def test_an_address_of_all_machines(tmp_path: Path) -> None:
    arguments = ["--host", "0.0.0.0", "--allow-remote", "--allowed-host", "lake.example", "--insecure"]
    with running(tmp_path / "lake", arguments=arguments) as served:
        port = urlsplit(served.url).port
        assert served.url == f"http://lake.example:{port}"
        for host, status in (("lake.example", 200), ("other.example", 421), ("localhost", 200)):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request("GET", "/_health", headers={"host": host})
            assert connection.getresponse().status == status
            connection.close()


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_the_loopback_of_ipv6(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError as error:
            pytest.skip(f"this machine has no ::1: {error}")
    with running(tmp_path / "lake", arguments=["--host", "::1"]) as served:
        client = lakefs_hl.Client(host=served.url, username=served.key, password=served.secret)
        assert list(lakefs_hl.repositories(client=client)) == []
        client.close()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--host", "0.0.0.0"], "add --allow-remote, --allowed-host"),
        (["--host", "0.0.0.0", "--allow-remote", "--insecure"], "--allowed-host"),
        (["--tls-cert", "x"], "both --tls-cert and --tls-key"),
        (["--tls-cert", "/nowhere/x", "--tls-key", "/nowhere/y"], "cannot be used"),
        (["--allowed-host", "http://x"], "--allowed-host"),
        (["--import-root", "/nowhere/x"], "--import-root /nowhere/x: is not a directory"),
        (["--max-upload", "0"], "--max-upload"),
    ],
)
def test_what_cannot_be_served(
    tmp_path: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["serve", str(tmp_path / "lake"), "--port", "0", *arguments]
    if words == "--max-upload":
        with pytest.raises(SystemExit, match="2"):
            main(command)
    else:
        assert main(command) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "lake").exists()
