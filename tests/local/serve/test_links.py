"""Links over real sockets: the holder of one may read, or write, one object, and nothing else."""

from __future__ import annotations

import base64
import http.client
import json
import random
import string
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import pytest

from lakefs_hl.local.api import links
from lakefs_hl.local.api.presign import Settings
from lakefs_hl.local.keys import Key, Keys
from lakefs_hl.local.serve.server import HttpServer
from tests.local.serve.support import BASE, connect, head, rest_of, serving, status_of
from tests.local.serve.test_presign import Answer, ask, changed, upload

LARGEST = 1_000_000
DAY = 24 * 3600


@pytest.fixture
def server(tmp_path: Path) -> Iterator[HttpServer]:
    with serving(tmp_path, signing=Settings("http", LARGEST)) as found:
        yield found


def make(server: HttpServer, method: str, path: str, ref: str = "main", **query: str) -> str:
    """A link of the owner."""
    found = answer(server, method, path, ref, **query)
    assert found.status == 200, found
    return str(found.json["url"])


def answer(server: HttpServer, method: str, path: str, ref: str = "main", repo: str = BASE, **query: str) -> Answer:
    room = "refs" if method == "GET" else "branches"
    known = query.pop("authorization", "")
    given: dict[str, Any] = {"known": False, "authorization": known} if known else {}
    return ask(
        server, "GET", f"{repo}/{room}/{quote(ref, safe='')}/objects/link?{urlencode({'path': path, **query})}", **given
    )


def use(server: HttpServer, method: str, url: str, body: bytes | None = None, **fields: str) -> Answer:
    """One exchange of a stranger."""
    assert url.startswith(f"{server.url}{links.PATH}?"), url
    return ask(server, method, url.removeprefix(server.url), body, known=False, **fields)


def content(server: HttpServer, path: str) -> bytes | None:
    found = ask(server, "GET", f"{BASE}/refs/main/objects?path={quote(path)}")
    return found.body if found.status == 200 else None


# -- reading -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 11, 100_000])
def test_an_object_is_read(server: HttpServer, rng: random.Random, size: int) -> None:
    body = rng.randbytes(size)
    etag = f'"{upload(server, "dir/ä.txt", body, "text/plain")}"'
    before = int(time.time())
    found = answer(server, "GET", "dir/ä.txt", expires_in=str(DAY))
    assert before + DAY <= found.json["expires"] <= time.time() + DAY
    assert found.headers["cache-control"] == "no-store"
    url = found.json["url"]
    whole, only = use(server, "GET", url), use(server, "HEAD", url)
    assert (whole.status, whole.body, only.status, only.body) == (200, body, 200, b"")
    for one in (whole, only):
        assert one.headers["etag"] == etag
        assert (one.headers["content-type"], one.headers["accept-ranges"]) == ("text/plain", "bytes")
        assert one.headers["content-disposition"] == "inline; filename*=UTF-8''%C3%A4.txt"
        assert one.headers["referrer-policy"] == "no-referrer"
        assert one.headers["x-content-type-options"] == "nosniff"
        assert one.headers["content-length"] == str(size)
    if size:
        part = use(server, "GET", url, range="bytes=5-9")
        assert (part.status, part.body, part.headers["content-range"]) == (206, body[5:10], f"bytes 5-9/{size}")
        assert use(server, "HEAD", url, range="bytes=5-9").headers["content-length"] == "5"
    assert use(server, "GET", url, range=f"bytes={size}-").status == 416
    assert use(server, "GET", url, range="lines=1").status == 400
    assert use(server, "GET", url, if_none_match=etag).status == 304
    assert use(server, "GET", url, if_match=etag).status == 200
    assert use(server, "GET", url, if_match='"other"').status == 412


@pytest.mark.parametrize(
    ("kind", "name", "shown"),
    [
        ("image/png", "a.png", "inline; filename=a.png"),
        ("text/plain; charset=utf-8", "a b.txt", "inline; filename*=UTF-8''a%20b.txt"),
        ("video/mp4", "a.mp4", "inline; filename=a.mp4"),
        ("application/json", "a.json", "inline; filename=a.json"),
        ("application/pdf", "a.pdf", "attachment; filename=a.pdf"),
        ("text/html", "a.html", "attachment; filename=a.html"),
        ("image/svg+xml", "a.svg", "attachment; filename=a.svg"),
        ("text/html;charset=utf-8,text/plain", "x", "attachment; filename=x"),
        ("application/octet-stream", 'a"\r\nX: y.bin', "attachment; filename*=UTF-8''a%22%0D%0AX%3A%20y.bin"),
        ("application/octet-stream", "dir/", "attachment"),
    ],
)
def test_a_browser_shows_what_is_harmless_and_saves_the_rest(
    server: HttpServer, kind: str, name: str, shown: str
) -> None:
    upload(server, f"d/{name}", b"<script>", kind)
    found = use(server, "GET", make(server, "GET", f"d/{name}"))
    assert (found.headers["content-type"], found.headers["content-disposition"]) == (kind, shown)
    media = "; media-src 'self'" if kind.startswith("video/") else ""
    assert found.headers["content-security-policy"] == f"sandbox; default-src 'none'{media}"


def test_a_link_names_an_object_and_not_a_content(server: HttpServer) -> None:
    upload(server, "a", b"first")
    url = make(server, "GET", "a")
    upload(server, "a", b"second")
    assert use(server, "GET", url).body == b"second"
    assert ask(server, "DELETE", f"{BASE}/branches/main/objects?path=a").status == 204
    assert use(server, "GET", url).status == 404
    assert use(server, "HEAD", url).status == 404
    assert answer(server, "GET", "a").status == 404, "no link to nothing"


def test_a_link_to_a_commit_stays(server: HttpServer) -> None:
    upload(server, "a", b"first")
    sent = json.dumps({"message": "m"}).encode()
    made = ask(server, "POST", f"{BASE}/branches/main/commits", sent, content_type="application/json")
    url = make(server, "GET", "a", made.json["id"])
    expression = make(server, "GET", "a", "main~0")
    upload(server, "a", b"second")
    assert use(server, "GET", url).body == b"first"
    assert use(server, "GET", expression).body == b"first"


# -- writing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 11, 200_000])
def test_what_is_put_lands_on_the_branch(server: HttpServer, rng: random.Random, size: int) -> None:
    url = make(server, "PUT", "new/a.csv")
    assert content(server, "new/a.csv") is None
    for body in (rng.randbytes(size), rng.randbytes(size)):
        put = use(server, "PUT", url, body)
        assert (put.status, put.body) == (200, b"")
        assert content(server, "new/a.csv") == body
        stat = ask(server, "GET", f"{BASE}/refs/main/objects/stat?path=new/a.csv").json
        assert (f'"{stat["checksum"]}"', stat["content_type"]) == (put.headers["etag"], "text/csv")
        assert stat["metadata"] == {}
    use(server, "PUT", url, b"x", content_type="text/x-own", x_lakefs_meta_k="v", x_amz_meta_k="v")
    stat = ask(server, "GET", f"{BASE}/refs/main/objects/stat?path=new/a.csv").json
    assert (stat["content_type"], stat["metadata"]) == ("text/x-own", {})


def test_a_write_can_be_create_only(server: HttpServer) -> None:
    url = make(server, "PUT", "a")
    assert use(server, "PUT", url, b"one", if_none_match="*").status == 200
    assert use(server, "PUT", url, b"two", if_none_match="*").status == 412
    assert use(server, "PUT", url, b"two", if_match='"x"').status == 501
    assert content(server, "a") == b"one"


def test_a_form_is_refused_with_what_to_do(server: HttpServer) -> None:
    refused = use(server, "PUT", make(server, "PUT", "a"), b"--b\r\n", content_type="multipart/form-data; boundary=b")
    assert (refused.status, "send the file alone" in refused.json["message"]) == (415, True)
    assert content(server, "a") is None


def test_a_branch_that_takes_no_writes_gets_no_link(server: HttpServer) -> None:
    assert answer(server, "PUT", "a", "none").status == 404
    url = make(server, "PUT", "a")
    rules = json.dumps([{"pattern": "main"}]).encode()
    ask(server, "PUT", f"{BASE}/settings/branch_protection", rules, content_type="application/json")
    assert answer(server, "PUT", "a").status == 403
    assert use(server, "PUT", url, b"x").status == 403, "protected since the link was made"
    assert content(server, "a") is None


# -- who is let in -----------------------------------------------------------------------------------------------------


def test_a_link_is_for_one_method_and_one_object(server: HttpServer) -> None:
    for path in ("a", "b", "a/b"):
        upload(server, path, b"content")
    get, put = make(server, "GET", "a"), make(server, "PUT", "a", max_bytes="7")
    wrong = [(method, get) for method in ("PUT", "POST", "DELETE", "PATCH", "OPTIONS", "TRACE")]
    wrong += [(method, put) for method in ("GET", "HEAD", "POST", "DELETE")]
    for method, url in (("GET", get), ("HEAD", get), ("PUT", put)):
        query = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
        assert set(query) >= {"repository", "ref", "path", "expires", "key", "generation", "signature"}
        for path in ("b", "/a", "a/", "./a", "b/../a", "a/b", "A", "%61", "a\0", ""):
            wrong.append((method, changed(url, path=path)))
        wrong += [(method, changed(url, repository=name)) for name in ("other", "repo/", "Repo", "")]
        wrong += [(method, changed(url, ref=name)) for name in ("dev", "main~1", "main@", "main/")]
        wrong += [(method, changed(url, **{name: None})) for name in query]
        wrong += [(method, changed(url, **{name: value + "0"})) for name, value in query.items()]
        wrong += [(method, f"{url}&{name}={quote(value, safe='')}") for name, value in query.items()]
        wrong += [(method, f"{url}&path=b"), (method, url.replace("?", "?path=b&")), (method, changed(url, more="1"))]
        wrong += [(method, changed(url, limit=str(10**9)))]
        signature = query["signature"]
        wrong += [(method, changed(url, signature=one)) for one in ("", signature[:-1], signature.swapcase(), "ü")]
    for method, url in wrong:
        sent = b"evil" if method in ("PUT", "POST", "PATCH") else None
        found = use(server, method, url, sent)
        assert found.status == 403, (method, url, found)
        assert found.body == b"" if method == "HEAD" else b"content" not in found.body
    assert content(server, "a") == content(server, "b") == b"content"
    assert (use(server, "GET", get).status, use(server, "PUT", put, b"new").status) == (200, 200)


def test_a_link_is_none_for_a_content_and_a_pre_signed_url_none_for_an_object(server: HttpServer) -> None:
    upload(server, "a", b"content")
    get = make(server, "GET", "a")
    url = ask(server, "GET", f"{BASE}/refs/main/objects/stat?path=a&presign=true").json["physical_address"]
    for one, other in ((get, "/_content"), (url, links.PATH)):
        query = one.partition("?")[2]
        assert ask(server, "GET", f"{other}?{query}", known=False).status == 403
    for path in ("/_object/", "/_object/a", "/_objects", "/api/v1/_object"):
        assert ask(server, "GET", f"{path}?{get.partition('?')[2]}", known=False).status == 404
    both = ask(server, "GET", get.removeprefix(server.url))
    assert both.body == b"content", "credentials beside a link are not looked at"
    assert ask(server, "GET", links.PATH).status == 403, "credentials alone make no link"


def test_2000_altered_links_are_refused(server: HttpServer, rng: random.Random) -> None:
    upload(server, "a", b"content")
    found = {method: make(server, method, "a") for method in ("GET", "PUT")}
    parts = urlsplit(server.url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
    letters = string.ascii_letters + string.digits + "-_.=&%"
    for number in range(2000):
        method = ("GET", "PUT")[number % 2]
        target = found[method].removeprefix(server.url)
        start = target.index("?") + 1
        at = rng.randrange(start, len(target))
        other = rng.choice(letters.replace(target[at], ""))
        bad = target[:at] + other + target[at + 1 :]
        if dict(parse_qsl(bad[start:])) == dict(parse_qsl(target[start:])):
            continue  # the same link, written in another way
        connection.request(method, bad, b"evil" if method == "PUT" else None)
        response = connection.getresponse()
        response.read()
        assert response.status in (400, 403), (method, bad, response.status)
        if response.will_close:
            connection.close()
    connection.close()
    assert content(server, "a") == b"content"


def test_a_link_ends(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    upload(server, "a", b"content")
    get, put = make(server, "GET", "a", expires_in="60"), make(server, "PUT", "a", expires_in="60")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 59)
    assert (use(server, "GET", get).status, use(server, "PUT", put, b"new").status) == (200, 200)
    monkeypatch.setattr(time, "time", lambda: now + 60.1)
    for method, url in (("GET", get), ("HEAD", get), ("PUT", put)):
        refused = use(server, method, url, b"late" if method == "PUT" else None)
        assert refused.status == 403
        assert method == "HEAD" or "expired" in refused.json["message"]
    assert content(server, "a") == b"new"


def test_a_life_that_no_link_can_have_is_refused(server: HttpServer) -> None:
    upload(server, "a", b"content")
    for life in ("0", "-1", str(7 * DAY + 1), "x", "1e3"):
        for method in ("GET", "PUT"):
            assert answer(server, method, "a", expires_in=life).status == 400
    for most in ("-1", "x", "1" * 30):
        assert answer(server, "PUT", "a", max_bytes=most).status == 400
    assert answer(server, "GET", "a", expires_in=str(7 * DAY)).status == 200


def test_a_body_is_as_long_as_was_signed(server: HttpServer) -> None:
    url = make(server, "PUT", "a", max_bytes="10")
    assert use(server, "PUT", url, b"x" * 11).status == 413
    with connect(server.url) as sock:
        sock.sendall(head("PUT", url.removeprefix(server.url), "Transfer-Encoding: chunked", authorization=None))
        sock.sendall(b"b\r\nelevenbytes\r\n0\r\n\r\n")
        assert status_of(rest_of(sock)) == 413
    with connect(server.url) as sock:
        sock.sendall(head("PUT", url.removeprefix(server.url), "Content-Length: 11", authorization=None))
        assert status_of(rest_of(sock)) == 413, "before a byte of it was sent"
    assert content(server, "a") is None
    assert use(server, "PUT", url, b"x" * 10).status == 200
    whole = make(server, "PUT", "b", max_bytes=str(10**12))
    assert dict(parse_qsl(urlsplit(whole).query))["limit"] == str(LARGEST), "never more than the server takes"


def test_a_link_ends_with_its_key(server: HttpServer) -> None:
    upload(server, "a", b"content")
    keys = Keys(server._asgi._app.engine.folder)
    mine = "Basic " + base64.b64encode(b"MINE:s").decode()
    keys.put(Key("MINE", "s", "mine", "u"))
    get = answer(server, "GET", "a", authorization=mine).json["url"]
    put = answer(server, "PUT", "a", authorization=mine).json["url"]
    assert (use(server, "GET", get).status, use(server, "PUT", put, b"1").status) == (200, 200)
    keys.put(Key("MINE", "s", "mine", "u", read_only=True))
    assert (use(server, "GET", get).status, use(server, "PUT", put, b"2").status) == (200, 403)
    assert answer(server, "PUT", "a", authorization=mine).status == 403, "a key that may only read makes no such link"
    keys.put(Key("MINE", "s", "mine", "u", repositories=("other",)))
    assert (use(server, "GET", get).status, use(server, "HEAD", get).status) == (403, 403)
    assert answer(server, "GET", "a", authorization=mine).status == 403
    keys.put(Key("MINE", "new", "mine", "u", generation=2))
    refused = use(server, "GET", get)
    assert (refused.status, "key" in refused.json["message"]) == (403, True)
    keys.put(Key("OTHER", "s", "mine", "u"))
    assert use(server, "GET", get).status == 403
    assert content(server, "a") == b"1"


def test_there_are_none_without_signing(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        upload(server, "a", b"content")
        found = answer(server, "GET", "a")
        assert (found.status, "links" in found.headers["x-lakefs-hl"]) == (501, False)
        assert ask(server, "GET", f"{links.PATH}?path=a", known=False).status == 404


def test_a_server_says_that_it_has_links(server: HttpServer) -> None:
    assert ask(server, "GET", "/api/v1/config/version").headers["x-lakefs-hl"] == "idempotency-key, keys, links"


def test_nothing_of_a_link_is_in_the_log(server: HttpServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    upload(server, "a", b"content")
    get = make(server, "GET", "a")
    engine = server._asgi._app.engine
    use(server, "GET", get)
    use(server, "GET", changed(get, path="b"))
    engine.folder.joinpath("keys.json").write_bytes(b"damaged")
    assert use(server, "GET", get).status == 500
    signature = dict(parse_qsl(urlsplit(get).query))["signature"]
    assert signature not in caplog.text
    assert unquote(signature) not in caplog.text


# -- uploads by others -------------------------------------------------------------------------------------------------


def test_what_was_put_at_an_address_is_told_to_its_repository(server: HttpServer) -> None:
    place = ask(server, "GET", f"{BASE}/branches/main/staging/backing?path=a&presign=true&expires_in={DAY}").json
    assert place["presigned_url_expiry"] > time.time() + DAY - 60
    asked = f"{BASE}/branches/main/staging/received?path=a&physical_address={quote(place['physical_address'])}"
    assert ask(server, "GET", asked).status == 404
    put = ask(server, "PUT", place["presigned_url"].removeprefix(server.url), b"12345", known=False)
    found = ask(server, "GET", asked)
    assert (found.json["size_bytes"], f'"{found.json["checksum"]}"') == (5, put.headers["etag"])
    for address in ("local://other/data/1-a", "s3://b/a", "", place["physical_address"].replace("repo", "rep0")):
        wrong = f"{BASE}/branches/main/staging/received?path=a&physical_address={quote(address)}"
        assert ask(server, "GET", wrong).status == 400
    assert ask(server, "GET", asked, known=False).status == 401
