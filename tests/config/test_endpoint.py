"""Endpoints: how they may be written, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakefs_hl.config import endpoint
from lakefs_hl.spec.errors import InvalidConfigError
from tests.config.samples import SECRET


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        ("127.0.0.1", True), ("127.1.2.3", True), ("::1", True), ("::ffff:127.0.0.1", True), ("localhost", True),
        ("LocalHost", True), ("127.evil.example", False), ("localhost.evil.example", False), ("x.localhost", False),
        ("::10", False), ("128.0.0.1", False), ("0.0.0.0", False), ("::", False), ("", False),
        ("::ffff:10.0.0.1", False),
    ],
)  # fmt: skip
def test_what_counts_as_this_machine(host: str, is_loopback: bool) -> None:
    assert endpoint.is_loopback(host) is is_loopback


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("http://h:8000", "http://h:8000"),
        ("http://h:8000/", "http://h:8000"),
        ("http://h:8000/api/v1", "http://h:8000"),
        ("http://h:8000/api/v1/", "http://h:8000"),
        (" https://H.example ", "https://h.example"),
        ("https://[::1]:8000/api/v1", "https://[::1]:8000"),
        ("https://h/lakefs", "https://h/lakefs"),
        ("https://h/lakefs/", "https://h/lakefs"),
        ("https://h:8443/lakefs/api/v1/", "https://h:8443/lakefs"),
        ("https://h/a//b%20c/api/v1", "https://h/a/b%20c"),
        ("https://h/api/lakefs", "https://h/api/lakefs"),
        ("https://h/\u00fc", "https://h/%C3%BC"),
        ("http://B\u00fccher.example:8000", "http://xn--bcher-kva.example:8000"),
        ("mem://", "mem://"),
        ("mem:", "mem://"),
        ("mem://name", "mem://name"),
        ("local:/a/b", "local:/a/b"),
        ("local:///a/b", "local:/a/b"),
        ("local:/a/../b/./c", "local:/b/c"),
    ],
)
def test_b9_87_endpoints_as_people_write_them(written: str, read: str) -> None:
    assert endpoint.parse_endpoint(written, "a test") == read


def test_the_directory_of_a_lake_is_made_absolute_when_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert endpoint.parse_endpoint("local:./lake", "t") == f"local:{tmp_path / 'lake'}"
    assert endpoint.parse_endpoint("local:lake", "t") == f"local:{tmp_path / 'lake'}"
    assert endpoint.parse_endpoint("local://./lake", "t") == f"local:{tmp_path / 'lake'}"
    assert endpoint.parse_endpoint("local:~/lake", "t") == f"local:{tmp_path / 'home' / 'lake'}"


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("http://h/api/v1/repositories", "a path within the API"),
        ("http://h/lakefs/api/v1/repositories", "a path within the API"),
        ("http://h/api/v2", "a path within the API"),
        ("http://h/a/../b", "a path within the API"),
        ("http://h?x=1", "a query or a fragment"),
        ("http://h#x", "a query or a fragment"),
        ("http://stra\u00dfe.example", "different domains by different standards"),
        ("http://a..\u00fc.example", "not a valid international domain name"),
        ("h:8000", "did you mean http://h:8000"),
        ("./lake", "did you mean local:./lake"),
        ("localhost", "is not an endpoint"),
        ("ftp://h", "is not an endpoint"),
        ("file:///lake", "is not an endpoint"),
        ("http://", "is not an endpoint"),
        ("http://h:port", "not a URL"),
        ("http://h:99999", "not a URL"),
        ("http://[::1", "not a URL"),
        ("http://h h", "is not an endpoint"),
        (f"http://user:{SECRET}@h", "contains a user name"),
        (f"http://{SECRET}@h/x?y={SECRET}", "contains a user name"),
        ("local:", "names no directory"),
        ("local://host/lake", "names a host"),
        ("local:~nobody-of-this-name/lake", "home directory"),
        ("", "is not an endpoint"),
    ],
)
def test_an_error_about_an_endpoint_says_how_to_write_one(written: str, words: str) -> None:
    with pytest.raises(InvalidConfigError, match=words) as caught:
        endpoint.parse_endpoint(written, "LAKECTL_SERVER_ENDPOINT_URL")
    assert "LAKECTL_SERVER_ENDPOINT_URL" in str(caught.value)
    assert SECRET not in str(caught.value)


# ------------------------------------------------------------------------------------------------- host and port


@pytest.mark.parametrize(
    ("host", "joined"),
    [
        ("localhost", "http://localhost:50051"),
        ("127.0.0.1", "http://127.0.0.1:50051"),
        ("::1", "http://[::1]:50051"),
        ("[::1]", "http://[::1]:50051"),
        ("2001:db8::1", "https://[2001:db8::1]:50051"),
        ("lakefs.example", "https://lakefs.example:50051"),
        (" lakefs.example ", "https://lakefs.example:50051"),
        ("lakefs.example/lakefs", "https://lakefs.example:50051/lakefs"),
        ("localhost:50051", "http://localhost:50051"),
        ("localhost:", "http://localhost:50051"),
        ("http://lakefs.example", "http://lakefs.example:50051"),
        ("https://localhost/api/v1", "https://localhost:50051/api/v1"),
        ("https://localhost:50051", "https://localhost:50051"),
    ],
)
def test_a_host_and_a_port_are_an_endpoint(host: str, joined: str) -> None:
    assert endpoint.with_port(host, 50051) == joined


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("localhost:8000", "port=50051: host 'localhost:8000' has another port"),
        ("https://h:443", "host 'https://h:443' has another port"),
        ("local:./lake", "is an embedded lake"),
        ("mem://", "is an embedded lake"),
        ("", "is not the name of a host"),
        ("http://", "is not the name of a host"),
        ("h:x", "neither the name of a host nor a URL"),
        ("[::1", "neither the name of a host nor a URL"),
    ],
)
def test_a_host_that_a_port_does_not_fit(host: str, words: str) -> None:
    with pytest.raises(InvalidConfigError, match=words.replace("[", "\\[")):
        endpoint.with_port(host, 50051)


def test_no_message_repeats_a_password() -> None:
    for host in (f"http://me:{SECRET}@h:8000", f"me:{SECRET}@h:8000"):
        with pytest.raises(InvalidConfigError) as caught:
            endpoint.with_port(host, 50051)
        assert SECRET not in str(caught.value)
