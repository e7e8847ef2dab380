"""Pre-signed URLs over real sockets: who holds one may read, or put, what it names, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import pytest

from lakefs_hl.local.api import presign, urls
from lakefs_hl.local.api.presign import Settings
from lakefs_hl.local.api.urls import LIFE_SECONDS
from lakefs_hl.local.engine import Engine
from lakefs_hl.local.keys import Key, Keys
from lakefs_hl.local.serve import exchange, guard
from lakefs_hl.local.serve.server import HttpServer
from lakefs_hl.spec.wire import Request
from tests.local.serve.support import AUTHORIZATION, BASE, connect, head, rest_of, serving, status_of

LARGEST = 1_000_000
OBJECTS = f"{BASE}/refs/main/objects"
BACKING = f"{BASE}/branches/main/staging/backing"


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[HttpServer]:
    with serving(tmp_path, signing=Settings("http", LARGEST)) as found:
        yield found


def ask(
    server: HttpServer, method: str, target: str, body: bytes | None = None, *, known: bool = True, **fields: str
) -> Answer:
    """One exchange on a connection of its own, with credentials if `known`."""
    parts = urlsplit(server.url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    if known:
        headers["authorization"] = AUTHORIZATION
    connection.request(method, target, body, headers)
    response = connection.getresponse()
    answer = Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    connection.close()
    return answer


def follow(server: HttpServer, method: str, url: str, body: bytes | None = None, **fields: str) -> Answer:
    """One exchange with a pre-signed URL of this server."""
    assert url.startswith(f"{server.url}{presign.PATH}?"), url
    return ask(server, method, url.removeprefix(server.url), body, known=False, **fields)


def upload(server: HttpServer, path: str, body: bytes, kind: str = "application/octet-stream") -> str:
    made = ask(server, "POST", f"{BASE}/branches/main/objects?path={quote(path)}", body, content_type=kind)
    assert made.status == 201, made
    return str(made.json["checksum"])


def readable(server: HttpServer, path: str) -> str:
    """A URL to read an object with."""
    found = ask(server, "GET", f"{OBJECTS}/stat?path={quote(path)}&presign=true")
    assert found.status == 200, found
    return str(found.json["physical_address"])


def writable(server: HttpServer, path: str = "a") -> tuple[str, str]:
    """An address, and a URL to put something at it."""
    place = ask(server, "GET", f"{BACKING}?path={quote(path)}&presign=true")
    assert place.status == 200, place
    return place.json["physical_address"], place.json["presigned_url"]


def link(server: HttpServer, path: str, address: str, body: bytes, checksum: str = "") -> Answer:
    wanted = {
        "staging": {"physical_address": address},
        "checksum": checksum or md5_of(body),
        "size_bytes": len(body),
        "content_type": "text/plain",
        "user_metadata": {"k": "v"},
    }
    sent = json.dumps(wanted).encode()
    return ask(server, "PUT", f"{BACKING}?path={quote(path)}", sent, content_type="application/json")


def md5_of(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def changed(url: str, **values: str | None) -> str:
    """A URL with some values of its query changed, added, or (None) left out."""
    base, _, query = url.partition("?")
    pairs = {**dict(parse_qsl(query, keep_blank_values=True)), **values}
    return f"{base}?{urlencode({name: value for name, value in pairs.items() if value is not None}, quote_via=quote)}"


# -- what is said of it ------------------------------------------------------------------------------------------------


def test_the_configuration_says_so(server: HttpServer) -> None:
    alone = ask(server, "GET", "/api/v1/config/storage").json
    assert ask(server, "GET", "/api/v1/config").json["storage_config"] == alone
    assert (alone["pre_sign_support"], alone["pre_sign_support_ui"], alone["pre_sign_multipart_upload"]) == (
        True,
        False,
        True,
    )


def test_a_server_without_it_has_no_such_url(tmp_path: Path) -> None:
    with serving(tmp_path / "one", signing=Settings("http", LARGEST)) as server:
        upload(server, "a", b"content")
        url, (_, put) = readable(server, "a"), writable(server)
        port = urlsplit(server.url).port
    with serving(tmp_path / "two") as server:
        assert ask(server, "GET", "/api/v1/config/storage").json["pre_sign_support"] is False
        for method, one in (("GET", url), ("HEAD", url), ("PUT", put)):
            target = one.replace(f":{port}", "").removeprefix("http://127.0.0.1")
            assert ask(server, method, target, known=False).status == 404
        assert ask(server, "GET", f"{BACKING}?path=a&presign=true").status == 500
        upload(server, "a", b"content")
        assert ask(server, "GET", f"{OBJECTS}/stat?path=a&presign=true").status == 400


# -- reading -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [11, 100_000])
def test_an_object_is_read(server: HttpServer, rng: random.Random, size: int) -> None:
    body = rng.randbytes(size)
    etag = f'"{upload(server, "dir/a.txt", body)}"'
    before = int(time.time())
    found = ask(server, "GET", f"{OBJECTS}/stat?path=dir/a.txt&presign=true").json
    assert before + LIFE_SECONDS <= found["physical_address_expiry"] <= time.time() + LIFE_SECONDS
    plain = ask(server, "GET", f"{OBJECTS}/stat?path=dir/a.txt&presign=false").json
    assert found == {**plain, **{name: found[name] for name in ("physical_address", "physical_address_expiry")}}
    url = found["physical_address"]
    whole = follow(server, "GET", url)
    assert (whole.status, whole.body) == (200, body)
    expected = {
        "etag": etag,
        "content-length": str(size),
        "content-type": "application/octet-stream",
        "accept-ranges": "bytes",
        "content-disposition": "attachment; filename=a.txt",
        "last-modified": ask(server, "GET", f"{OBJECTS}?path=dir/a.txt").headers["last-modified"],
    }
    assert {name: whole.headers[name] for name in expected} == expected
    only = follow(server, "HEAD", url)
    assert (only.status, only.body) == (200, b"")
    assert {name: only.headers[name] for name in expected} == expected
    for wanted, start, end in (("bytes=0-4", 0, 5), ("bytes=5-", 5, size), ("bytes=-3", size - 3, size)):
        part = follow(server, "GET", url, range=wanted)
        assert (part.status, part.body) == (206, body[start:end])
        assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
        only = follow(server, "HEAD", url, range=wanted)
        assert (only.status, only.headers["content-length"]) == (206, str(end - start))
    past = follow(server, "GET", url, range=f"bytes={size}-")
    assert (past.status, past.headers["content-range"]) == (416, f"bytes */{size}")
    assert follow(server, "GET", url, range="lines=1-2").status == 400
    assert follow(server, "GET", url, if_none_match=etag).status == 304
    assert follow(server, "GET", url, if_match=etag).status == 200
    assert follow(server, "GET", url, if_match='"other"').status == 412


def test_a_url_names_content_and_not_an_object(server: HttpServer) -> None:
    upload(server, "a", b"first")
    url = readable(server, "a")
    upload(server, "a", b"second")
    assert follow(server, "GET", url).body == b"first"
    assert ask(server, "DELETE", f"{BASE}/branches/main/objects?path=a").status == 204
    assert follow(server, "GET", url).body == b"first"
    assert ask(server, "GET", f"{OBJECTS}/stat?path=a&presign=true").status == 404


def test_listings_and_redirects(server: HttpServer) -> None:
    names = ["a b&c=d.txt", "naïve/名前 %2F.txt", "quo\"te';.txt", "z"]
    for name in names:
        upload(server, name, name.encode(), "text/plain; charset=utf-8")
    page = ask(server, "GET", f"{OBJECTS}/ls?presign=true").json["results"]
    assert sorted(row["path"] for row in page) == sorted(names)
    for row in page:
        found = follow(server, "GET", row["physical_address"])
        assert (found.status, found.body.decode()) == (200, row["path"])
        assert found.headers["content-type"] == "text/plain; charset=utf-8"
        name = found.headers["content-disposition"].partition("=")[2].removeprefix("UTF-8''")
        assert unquote(name) == row["path"].rpartition("/")[2]
        moved = ask(server, "GET", f"{OBJECTS}?path={quote(row['path'])}&presign=true")
        assert (moved.status, moved.body, moved.headers["content-length"]) == (302, b"", "0")
        assert follow(server, "GET", moved.headers["location"]).body == found.body
    folded = ask(server, "GET", f"{OBJECTS}/ls?presign=true&delimiter=/&prefix=na").json["results"]
    assert [(row["path_type"], row["physical_address"]) for row in folded] == [("common_prefix", "")]
    assert ask(server, "GET", f"{OBJECTS}?path=absent&presign=true").status == 404
    assert ask(server, "HEAD", f"{OBJECTS}?path=z&presign=true").status == 200


def test_imported_files_and_records_of_elsewhere(tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    (files / "one").write_bytes(b"imported")
    with serving(tmp_path, signing=Settings("http", LARGEST), import_roots=(files.resolve(),)) as server:
        engine = server._asgi._app.engine
        source = [{"type": "object", "path": f"local://{files.resolve()}/one", "destination": "one"}]
        wanted = json.dumps({"paths": source, "commit": {"message": "m"}}).encode()
        job = ask(server, "POST", f"{BASE}/branches/main/import", wanted, content_type="application/json")
        assert job.status == 202, job
        while not ask(server, "GET", f"{BASE}/branches/main/import?id={job.json['id']}").json["completed"]:
            pass
        url = readable(server, "one")
        assert follow(server, "GET", url).body == b"imported"
        (files / "one").write_bytes(b"other content")
        assert follow(server, "GET", url).status == 410
        engine.lake.import_roots = ()
        assert follow(server, "GET", url).status == 410
        assert link(server, "none", "local:///nowhere/x", b"?").status == 200
        assert follow(server, "GET", readable(server, "none")).status == 410


# -- writing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 11, 100_000])
def test_what_is_put_is_an_object_once_it_is_linked(
    server: HttpServer, tmp_path: Path, rng: random.Random, size: int
) -> None:
    body = rng.randbytes(size)
    before = int(time.time())
    place = ask(server, "GET", f"{BACKING}?path=a&presign=true").json
    assert before + LIFE_SECONDS <= place["presigned_url_expiry"] <= time.time() + LIFE_SECONDS
    address, url = place["physical_address"], place["presigned_url"]
    for _ in range(2):  # a retry
        put = follow(server, "PUT", url, body)
        assert (put.status, put.headers["etag"], put.body) == (200, f'"{md5_of(body)}"', b"")
    assert ask(server, "GET", f"{OBJECTS}?path=a").status == 404
    assert link(server, "a", address, body + b"x").status == 400
    assert link(server, "a", address, body, md5_of(b"other")).status == 400
    made = link(server, "a", address, body, f'"{md5_of(body)}"')
    assert (made.status, made.json["checksum"], made.json["metadata"]) == (200, md5_of(body), {"k": "v"})
    read = ask(server, "GET", f"{OBJECTS}?path=a")
    assert (read.status, read.body, read.headers["content-type"]) == (200, body, "text/plain")
    assert follow(server, "GET", readable(server, "a")).body == body
    address, _ = writable(server)
    assert link(server, "b", address, body).status == 200, "nobody put anything there: a record"
    assert ask(server, "GET", f"{OBJECTS}?path=b").status == 410


def test_what_was_linked_needs_no_such_server(tmp_path: Path) -> None:
    body = b"content" * 10_000
    with serving(tmp_path, signing=Settings("http", LARGEST)) as server:
        address, url = writable(server)
        assert follow(server, "PUT", url, body).status == 200
        assert link(server, "a", address, body).status == 200
    engine = Engine.open(tmp_path / "lake")
    _, content = engine.objects.read("repo", "main", "a")
    assert len(content.body) if isinstance(content.body, bytes) else content.body.length == len(body)
    content.release()
    engine.close()


# -- who is let in -----------------------------------------------------------------------------------------------------


def test_a_url_of_another_request_is_refused(server: HttpServer) -> None:
    upload(server, "a", b"content")
    upload(server, "b", b"other content")
    get, other = readable(server, "a"), readable(server, "b")
    _, put = writable(server)
    spare = dict(parse_qsl(urlsplit(other).query))
    wrong: list[tuple[str, str]] = [("PUT", get), ("POST", get), ("DELETE", get), ("GET", put), ("HEAD", put)]
    for method, url in (("GET", get), ("HEAD", get), ("PUT", put)):
        query = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
        wrong += [(method, changed(url, **{name: None})) for name in query]
        wrong += [(method, changed(url, **{name: value + "0"})) for name, value in query.items()]
        wrong += [
            (method, changed(url, **{name: spare[name]}))
            for name in query
            if spare.get(name, query[name]) != query[name]
        ]
        wrong += [(method, f"{url}&{name}={quote(value, safe='')}") for name, value in query.items()]
        wrong += [
            (method, changed(url, more="1")),
            (method, changed(url, signature="ü")),
            (method, url.partition("?")[0]),
        ]
    token = Keys(server._asgi._app.engine.folder).token(Key("KEY", "secret", "n", "u")).token
    wrong.append(("GET", changed(get, signature=token.rpartition(".")[2])))
    for method, url in wrong:
        answer = ask(server, method, url.removeprefix(server.url), b"" if method in ("PUT", "POST") else None)
        assert answer.status == 403, (method, url, answer)
        assert answer.body == b"" if method == "HEAD" else b"signature" in answer.body
    assert (follow(server, "GET", get).status, follow(server, "PUT", put, b"").status) == (200, 200)


def test_a_url_is_one_however_its_client_writes_it(server: HttpServer) -> None:
    upload(server, "naïve file~1.txt", b"content")
    url = readable(server, "naïve file~1.txt")
    base, _, query = url.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    for one in (urlencode(pairs[::-1]), urlencode(pairs, safe=":/~"), query.replace("~", "%7E")):
        assert follow(server, "GET", f"{base}?{one}").body == b"content"


def test_a_url_ends(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    upload(server, "a", b"content")
    monkeypatch.setattr(urls, "LIFE_SECONDS", 0)
    url, (_, put) = readable(server, "a"), writable(server)
    for method, one in (("GET", url), ("HEAD", url), ("PUT", put)):
        answer = follow(server, method, one, b"" if method == "PUT" else None)
        assert answer.status == 403
        assert method == "HEAD" or "expired" in answer.json["message"]


def test_urls_end_with_the_key_that_signs(server: HttpServer) -> None:
    upload(server, "a", b"content")
    url = readable(server, "a")
    keys = server._asgi._app.engine.folder / "keys.json"
    kept = keys.read_bytes()
    keys.unlink()
    Keys(keys.parent).put(Key("K", "s", "n", "u"))
    assert follow(server, "GET", url).status == 403
    keys.unlink()
    assert follow(server, "GET", url).status == 403, "a lake without keys has no valid signature"
    assert server._asgi._app.presign is not None
    forged, _ = server._asgi._app.presign._url(
        Request(presign.GET_CONTENT, ("repo",), headers={"host": "x"}), "GET", {"size": "1"}
    )
    target_of_it = forged.partition("x")[2]
    assert ask(server, "GET", target_of_it, known=False).status == 403, "which signs with an empty key"
    keys.write_bytes(kept.replace(b"KEY", b"KEZ"))
    assert follow(server, "GET", url).status == 500, "damaged keys let nobody in"
    keys.write_bytes(kept)
    assert follow(server, "GET", url).status == 200


def test_a_key_that_may_only_read_gets_no_url_to_write(server: HttpServer) -> None:
    upload(server, "a", b"content")
    Keys(server._asgi._app.engine.folder).put(Key("R", "s", "reader", "u", read_only=True))
    reader = "Basic " + base64.b64encode(b"R:s").decode()
    refused = ask(server, "GET", f"{BACKING}?path=a&presign=true", known=False, authorization=reader)
    assert (refused.status, "may only read" in refused.json["message"]) == (403, True)
    assert ask(server, "GET", f"{OBJECTS}/stat?path=a&presign=true", known=False, authorization=reader).status == 200


def test_only_the_host_is_looked_at(server: HttpServer) -> None:
    upload(server, "a", b"content")
    url, (_, put) = readable(server, "a"), writable(server)
    foreign: dict[str, Any] = {"origin": "https://elsewhere.example", "sec_fetch_site": "cross-site"}
    assert follow(server, "GET", url, **foreign).body == b"content"
    assert follow(server, "PUT", put, b"x", content_type="text/html", **foreign).status == 200
    assert follow(server, "GET", url, host="elsewhere.example").status == 421
    assert ask(server, "GET", f"{OBJECTS}/stat?path=a", **foreign).status == 403
    by_name = ask(server, "GET", f"{OBJECTS}/stat?path=a&presign=true", host="localhost:1").json["physical_address"]
    assert by_name.startswith(f"http://localhost:1{presign.PATH}?"), "the name that the client has reached us by"


# -- budgets -----------------------------------------------------------------------------------------------------------


def target(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def test_what_is_announced_is_looked_at_first(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    _, url = writable(server)
    forged = changed(url, limit=str(10**12))
    for one, size, status in ((url, LARGEST + 1, 413), (url, 10**13, 413), (forged, LARGEST + 1, 403)):
        with connect(server.url) as sock:
            sock.sendall(head("PUT", target(one), f"Content-Length: {size}", authorization=None))
            assert status_of(rest_of(sock)) == status, "before a byte of it was sent"
    with connect(server.url) as sock:
        sock.sendall(head("PUT", target(url), "Transfer-Encoding: chunked", authorization=None))
        sock.sendall(b"%x\r\n%s\r\n" % (LARGEST + 1, bytes(LARGEST + 1)))
        assert status_of(rest_of(sock)) == 413
    monkeypatch.setattr(exchange, "FREE", 1 << 60)
    monkeypatch.setattr("lakefs_hl.local.serve.asgi.IN_MEMORY", 1000)
    with connect(server.url) as sock:
        sock.sendall(head("PUT", target(url), f"Content-Length: {LARGEST}", authorization=None))
        assert status_of(rest_of(sock)) == 507


def test_the_limit_that_was_signed_holds(tmp_path: Path) -> None:
    with serving(tmp_path, signing=Settings("http", 10)) as server:
        _, url = writable(server)
        assert follow(server, "PUT", url, b"x" * 10).status == 200
        refused = follow(server, "PUT", url, b"x" * 11)
        assert (refused.status, "more than 10 bytes" in refused.json["message"]) == (413, True)


def test_a_body_that_drips_or_breaks_off_is_not_kept(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "WINDOW_SECONDS", 0.5)
    address, url = writable(server)
    for complete in (False, True):
        with connect(server.url) as sock:
            sock.sendall(head("PUT", target(url), "Content-Length: 100000", authorization=None) + b"x" * 50_000)
            if complete:
                assert status_of(rest_of(sock)) == 408
    assert link(server, "a", address, b"?").status == 200
    assert ask(server, "GET", f"{OBJECTS}?path=a").status == 410, "nothing was put"


def test_nothing_of_a_url_is_in_the_log(
    server: HttpServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(server, "a", b"content")
    url, (_, put) = readable(server, "a"), writable(server)

    def fail(*_: object) -> None:
        raise RuntimeError("a bug")

    engine = server._asgi._app.engine
    monkeypatch.setattr(engine.objects, "open", fail)
    monkeypatch.setattr(engine.addresses, "receive", fail)
    with caplog.at_level(0):
        assert follow(server, "GET", url).status == 500
        assert follow(server, "PUT", put, b"x").status == 500
        assert follow(server, "GET", changed(url, signature="AAAA")).status == 403
    assert "a bug" in caplog.text
    for one in (url, put):
        assert dict(parse_qsl(urlsplit(one).query))["signature"] not in caplog.text


def test_changed_urls_are_refused_whatever_was_changed(server: HttpServer, rng: random.Random) -> None:
    upload(server, "a", b"content")
    url, (_, put) = readable(server, "a"), writable(server)
    for _ in range(150):
        method, whole = rng.choice([("GET", url), ("HEAD", url), ("PUT", put)])
        line = bytearray(target(whole).encode())
        start = len(presign.PATH) + 1
        for _ in range(rng.randint(1, 3)):
            line[rng.randrange(start, len(line))] = rng.choice(b"abc019%&=+~_.-")
        text = line.decode()
        kept = parse_qsl(target(whole)[start:], keep_blank_values=True)
        if sorted(parse_qsl(text[start:], keep_blank_values=True)) == sorted(kept):
            continue
        with connect(server.url) as sock:
            sock.sendall(head(method, text, "Content-Length: 0", "Connection: close", authorization=None))
            status = status_of(rest_of(sock))
        assert status in (400, 403), (method, text)
