"""CORS: answered for signed URLs and allowed origins, and for nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lakefs_hl import local
from lakefs_hl.local.api.presign import Settings
from lakefs_hl.local.serve.access import Access
from lakefs_hl.local.serve.origins import Origins, is_preflight, parse
from lakefs_hl.local.serve.server import HttpServer
from lakefs_hl.spec.errors import InvalidConfigError
from tests.local.serve.support import BASE, serving
from tests.local.serve.test_links import make, use
from tests.local.serve.test_presign import Answer, ask, changed, upload, writable

APP = "https://app.example"
ALLOWED = Access(port=0, origins=(APP, "http://localhost:3000"))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[HttpServer]:
    with serving(tmp_path, ALLOWED, signing=Settings("http", 1000)) as found:
        yield found


def cors(found: Answer) -> dict[str, str]:
    return {name: value for name, value in found.headers.items() if name.startswith("access-control-")}


def preflight(server: HttpServer, target: str, method: str = "PUT", origin: str = APP, **fields: str) -> Answer:
    asked: dict[str, Any] = {
        "origin": origin,
        "access_control_request_method": method,
        "sec_fetch_site": "cross-site",
        **fields,
    }
    return ask(server, "OPTIONS", target, known=False, **asked)


def test_a_page_of_an_allowed_origin_reads_and_writes(server: HttpServer) -> None:
    upload(server, "a", b"content")
    get, put = make(server, "GET", "a"), make(server, "PUT", "a")
    found = preflight(server, put.removeprefix(server.url), access_control_request_headers="content-type")
    assert (found.status, found.body) == (204, b"")
    assert found.headers["access-control-allow-origin"] == APP
    assert "PUT" in found.headers["access-control-allow-methods"].split(", ")
    assert "content-type" in found.headers["access-control-allow-headers"].split(", ")
    assert "access-control-allow-credentials" not in found.headers
    assert "access-control-allow-private-network" not in found.headers
    local_ = preflight(server, put.removeprefix(server.url), access_control_request_private_network="true")
    assert local_.headers["access-control-allow-private-network"] == "true"
    for method, url, body in (("PUT", put, b"new"), ("GET", get, None), ("HEAD", get, None)):
        found = use(server, method, url, body, origin=APP, sec_fetch_site="cross-site")
        assert (found.status, found.headers["access-control-allow-origin"]) == (200, APP)
        assert "etag" in found.headers["access-control-expose-headers"]
        assert found.headers["vary"] == "origin"
    refused = use(server, "GET", changed(get, path="b"), origin=APP)
    assert (refused.status, refused.headers["access-control-allow-origin"]) == (403, APP), "a page may read why"
    _, upload_url = writable(server)
    assert cors(ask(server, "PUT", upload_url.removeprefix(server.url), b"x", known=False, origin=APP))


@pytest.mark.parametrize(
    "origin",
    [
        "https://app.example.evil",
        "https://app.example:444",
        "http://app.example",
        "https://evil.example",
        "https://xapp.example",
        "null",
        "https://app.example/",
        "",
    ],
)
def test_another_origin_is_told_nothing(server: HttpServer, origin: str) -> None:
    upload(server, "a", b"content")
    get = make(server, "GET", "a")
    found = use(server, "GET", get, origin=origin)
    assert (found.status, cors(found), found.headers["vary"]) == (200, {}, "origin")
    asked = preflight(server, get.removeprefix(server.url), "GET", origin)
    assert cors(asked) == {}


def test_no_other_path_answers_an_origin(server: HttpServer) -> None:
    upload(server, "a", b"content")
    for target in (f"{BASE}/refs/main/objects?path=a", "/api/v1/config", "/_health", "/_object/x", "/"):
        for known in (True, False):
            found = ask(server, "GET", target, known=known, origin=APP)
            assert (found.status, cors(found)) == (403, {}), target
        asked = preflight(server, target, "GET")
        assert (asked.status, cors(asked)) == (403, {}), target
    assert ask(server, "OPTIONS", "/_object", known=False, origin=APP).status == 403, "no preflight"


def test_without_the_option_nothing_is_answered(tmp_path: Path) -> None:
    with serving(tmp_path, signing=Settings("http", 1000)) as server:
        upload(server, "a", b"content")
        get = make(server, "GET", "a")
        found = use(server, "GET", get, origin=APP)
        assert (found.status, cors(found), found.headers.get("vary")) == (200, {}, None)
        assert cors(preflight(server, get.removeprefix(server.url))) == {}


def test_any_origin(tmp_path: Path) -> None:
    with serving(tmp_path, Access(port=0, origins=("*",)), signing=Settings("http", 1000)) as server:
        upload(server, "a", b"content")
        for origin in ("https://evil.example", "null"):
            found = use(server, "GET", make(server, "GET", "a"), origin=origin)
            assert found.headers["access-control-allow-origin"] == "*"
            refused = ask(server, "GET", f"{BASE}/refs/main/objects?path=a", origin=origin)
            assert (refused.status, cors(refused)) == (403, {})


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("https://App.Example", "https://app.example"),
        ("https://app.example:443", "https://app.example"),
        ("http://localhost:80", "http://localhost"),
        ("http://[::1]:3000", "http://[::1]:3000"),
        (" * ", "*"),
    ],
)
def test_an_origin_is_read_as_browsers_send_it(given: str, wanted: str) -> None:
    assert parse(given) == wanted


@pytest.mark.parametrize(
    "given",
    [
        "",
        "app.example",
        "https://",
        "https://app.example/",
        "https://a/b",
        "null",
        "ftp://a",
        "https://a@b",
        "https://*.a",
        "https://a:99999",
        "https://a b",
    ],
)
def test_what_is_no_origin_is_refused(tmp_path: Path, given: str) -> None:
    with pytest.raises(InvalidConfigError, match=r"--allow-origin .* is not an origin"):
        parse(given)
    with pytest.raises(InvalidConfigError, match="is not an origin"):
        local.run_server(tmp_path / "lake", Access(port=0, origins=(given,)), presign=True)
    assert not (tmp_path / "lake").exists()


def test_origins_are_for_links(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfigError, match="needs --presign"):
        local.run_server(tmp_path / "lake", Access(port=0, origins=(APP,)))
    assert not (tmp_path / "lake").exists()


def test_a_header_is_never_one_that_was_not_allowed() -> None:
    found = Origins([APP]).fields({"origin": f"{APP}\r\nx: y"})
    assert found == [(b"vary", b"origin")]
    assert not is_preflight("OPTIONS", {})
    assert not is_preflight("GET", {"access-control-request-method": "PUT"})
