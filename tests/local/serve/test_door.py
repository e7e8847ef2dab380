"""The door: one known host, no page of a browser, a path."""

from __future__ import annotations

import pytest

from lakefs_hl.local.serve.access import Access
from lakefs_hl.local.serve.door import Door

DOOR = Door(Access(names=("lake.example", "only.example:8443")).hosts())


def status(*hosts: bytes, target: bytes = b"/api/v1/config", **headers: bytes) -> int:
    sent = [(b"host", host) for host in hosts]
    sent += [(name.replace("_", "-").encode(), value) for name, value in headers.items()]
    refused = DOOR.refusal(sent, target)
    return 200 if refused is None else refused.status


@pytest.mark.parametrize(
    "host",
    [
        b"localhost",
        b"LocalHost:8000",
        b"127.0.0.1",
        b"127.0.0.1:1",
        b"[::1]",
        b"[::1]:65535",
        b"[0:0:0:0:0:0:0:1]:80",
        b" localhost ",
        b"lake.example:9",
        b"LAKE.example",
        b"only.example:8443",
    ],
)
def test_known_hosts(host: bytes) -> None:
    assert status(host) == 200


@pytest.mark.parametrize(
    "host",
    [
        b"evil.example",
        b"localhost.evil.example",
        b"evil-localhost",
        b"localhost.",
        b"127.1",
        b"127.0.0.2",
        b"2130706433",
        b"0x7f000001",
        b"0177.0.0.1",
        b"0.0.0.0",
        b"127.0.0.1.nip.io",
        b"[::]",
        b"[::ffff:127.0.0.1]",
        b"[fe80::1]",
        b"[1:2]",
        b"only.example",
        b"only.example:8444",
        b"192.168.0.1:8000",
        b"xn--lcalhost-54a",
    ],
)
def test_foreign_hosts_are_misdirected(host: bytes) -> None:
    assert status(host) == 421


@pytest.mark.parametrize(
    "host",
    [
        b"",
        b" ",
        b":",
        b":80",
        b"localhost:",
        b"localhost:x",
        b"localhost:-1",
        b"localhost:+1",
        b"localhost:65536",
        b"localhost:999999",
        b"localhost:8000:8000",
        b"localhost,localhost",
        b"localhost localhost",
        b"localhost/",
        b"user@localhost",
        b"http://localhost",
        b"local\xc3\xb6host",
        b"localhost\x00",
        b"::1",
        b"[::1",
        b"[::1]x",
        b"[::1%25lo]",
        b"*",
        b"a" * 300,
    ],
)
def test_what_is_no_host(host: bytes) -> None:
    assert status(host) == 400


def test_exactly_one_host() -> None:
    assert status() == 400
    assert status(b"localhost", b"localhost") == 400
    assert status(b"localhost", b"evil.example") == 400


@pytest.mark.parametrize(
    "origin",
    [
        b"http://evil.example",
        b"null",
        b"",
        b"http://localhost:3000",
        b"http://localhost",
        b"https://localhost:8000.evil.example",
        b"http://localhost:8000/",
        b"file://",
        b"localhost:8000",
    ],
)
def test_pages_of_other_origins(origin: bytes) -> None:
    assert status(b"localhost:8000", origin=origin) == 403


def test_a_page_of_this_origin_and_programs() -> None:
    for origin in (b"http://localhost:8000", b"https://LOCALHOST:8000"):
        assert status(b"localhost:8000", origin=origin) == 200
    assert status(b"localhost:8000", sec_fetch_site=b"cross-site") == 403
    for site in (b"none", b"same-origin"):
        assert status(b"localhost:8000", sec_fetch_site=site) == 200


def test_a_target_that_names_another_server() -> None:
    for target in (b"http://evil.example/api/v1/config", b"*", b"evil.example:80", b""):
        assert status(b"localhost", target=target) == 400


def test_a_misdirected_request_says_what_to_do() -> None:
    refused = DOOR.refusal([(b"host", b"lake.internal")], b"/")
    assert refused is not None
    assert b"--allowed-host" in bytes(refused.body) if isinstance(refused.body, bytes) else False
