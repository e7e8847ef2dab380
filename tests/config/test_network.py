"""Proxies, certificate authorities and concurrency: arguments first, then the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakefs_hl.spec.errors import InvalidConfigError
from tests.config.samples import SECRET, settled


@pytest.mark.parametrize(
    ("env", "proxies"),
    [
        ({}, {}),
        ({"HTTPS_PROXY": "http://p:1"}, {"https": "http://p:1"}),
        ({"https_proxy": "http://p:1", "HTTPS_PROXY": "http://q:1"}, {"https": "http://p:1"}),
        ({"HTTP_PROXY": "p:1"}, {"http": "http://p:1"}),
        ({"HTTP_PROXY": "http://evil:1", "REQUEST_METHOD": "GET"}, {}),
        ({"ALL_PROXY": "http://p:1"}, {"all": "http://p:1"}),
    ],
)
def test_b9_88_proxies_of_the_environment(env: dict[str, str], proxies: dict[str, str]) -> None:
    assert settled(env).proxies == proxies


def test_b9_88_no_proxy() -> None:
    found_ = settled({"NO_PROXY": " a.example, .b.example ,10.0.0.0/8,"}).no_proxy
    assert found_[:3] == ("a.example", ".b.example", "10.0.0.0/8")
    assert "localhost" in found_  # this machine is never behind a proxy


def test_b9_88_a_proxy_given_wins_and_an_empty_one_is_none() -> None:
    env = {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}
    given_ = settled(env, proxy=f"http://u:{SECRET}@q:1")
    assert (given_.proxies, given_.no_proxy) == ({"all": f"http://u:{SECRET}@q:1"}, ())
    assert SECRET not in repr(given_.sources)
    assert settled(env, proxy="").proxies == {}
    for wrong in ("socks5://h:1", "http://h:99999", "http://h:0", "http://[::1", "http://", "h:1", "http://straße.de"):
        with pytest.raises(InvalidConfigError, match="is not a proxy"):
            settled({}, proxy=wrong)


def test_b9_88_certificate_authorities(tmp_path: Path) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("")
    assert settled({}, ca_cert=str(bundle)).ca_cert == str(bundle)
    assert settled({"SSL_CERT_FILE": str(bundle)}).ca_cert == str(bundle)
    assert settled({"REQUESTS_CA_BUNDLE": str(bundle)}).ca_cert == str(bundle)
    assert settled({}).ca_cert is None
    for env, arguments in (({"SSL_CERT_FILE": "/nowhere.pem"}, {}), ({}, {"ca_cert": "/nowhere.pem"})):
        with pytest.raises(InvalidConfigError, match=r"='/nowhere\.pem' does not exist"):
            settled(env, **arguments)


@pytest.mark.parametrize("path", ["~nobody-of-this-name/ca.pem", "a\0b"])
def test_a_path_that_is_none_is_an_error_of_the_configuration(path: str) -> None:
    for env, arguments in (({"SSL_CERT_FILE": path}, {}), ({}, {"ca_cert": path})):
        with pytest.raises(InvalidConfigError, match=r"cannot be read: .*: must be a file of certificates"):
            settled(env, **arguments)


def test_what_was_given_is_called_an_argument(tmp_path: Path) -> None:
    sources = settled({}, ca_cert=tmp_path, max_concurrency=2).sources
    assert [(one.setting, one.source) for one in sources if one.setting in ("ca_cert", "max_concurrency")] == [
        ("ca_cert", "keyword arguments"),
        ("max_concurrency", "keyword arguments"),
    ]


def test_concurrency() -> None:
    assert settled({}).max_concurrency is None
    assert settled({"LAKEFS_HL_MAX_CONCURRENCY": "4"}).max_concurrency == 4
    assert settled({"LAKEFS_HL_MAX_CONCURRENCY": "4"}, max_concurrency=2).max_concurrency == 2
    assert settled({"LAKEFS_HL_MAX_CONCURRENCY": "4"}, max_concurrency=8).most_in_process == 4
    assert settled({}, max_concurrency=8).most_in_process is None
    for value in ("0", "-1", "many"):
        with pytest.raises(InvalidConfigError, match="LAKEFS_HL_MAX_CONCURRENCY"):
            settled({"LAKEFS_HL_MAX_CONCURRENCY": value})
    with pytest.raises(InvalidConfigError, match="max_concurrency=0"):
        settled({}, max_concurrency=0)


def test_the_gateway() -> None:
    assert settled({}).gateway_endpoint is None
    env = {"LAKEFS_HL_GATEWAY_ENDPOINT": "https://S3.lake.example/"}
    found = settled(env)
    assert found.gateway_endpoint == "https://s3.lake.example"
    assert ("gateway_endpoint", "https://s3.lake.example", "LAKEFS_HL_GATEWAY_ENDPOINT") in found.sources
    assert settled(env, gateway_endpoint="http://127.0.0.1:8001").gateway_endpoint == "http://127.0.0.1:8001"
    for value in (
        "s3.lake.example",
        "ftp://h",
        "https://h/path",
        "https://h?a=b",
        "https://",
        "https://h:99999",
        "https://a b",
    ):
        with pytest.raises(InvalidConfigError, match=r"LAKEFS_HL_GATEWAY_ENDPOINT=.*: must be http://host"):
            settled({"LAKEFS_HL_GATEWAY_ENDPOINT": value})
        with pytest.raises(InvalidConfigError, match="gateway_endpoint="):
            settled({}, gateway_endpoint=value)
    with pytest.raises(InvalidConfigError, match="leave out the user name") as caught:
        settled({}, gateway_endpoint="https://me:hidden@h")
    assert "hidden" not in str(caught.value)
