"""A served lake: keys, sockets, bodies of any size, broken connections, signals."""

from __future__ import annotations

import base64
import contextlib
import errno
import http.client
import json
import os
import random
import signal
import socket
import stat
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from lakefs_hl.local.engine import Engine
from lakefs_hl.local.keys import Key, Keys
from lakefs_hl.local.serve import asgi, exchange, keyfile
from lakefs_hl.local.serve.access import Access
from lakefs_hl.local.serve.server import listen
from lakefs_hl.spec.errors import IntegrityError, InvalidConfigError, LakeCorruptError, LakeError, LakeLockedError
from lakefs_hl.spec.secret import KeyPair
from lakefs_hl.spec.wire import Response
from tests.serving import Served, running, start, stop

REPOSITORY = "/api/v1/repositories/example"


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def authorization(served: Served) -> str:
    return "Basic " + base64.b64encode(f"{served.key}:{served.secret}".encode()).decode()


def connect(served: Served) -> http.client.HTTPConnection:
    parts = urlsplit(served.url)
    return http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)


def ask(
    served: Served,
    method: str,
    path: str,
    body: Any = None,
    headers: dict[str, str] | None = None,
    auth: str | None = "",
) -> Answer:
    """One exchange on a connection of its own; `auth=None` sends no credentials."""
    connection = connect(served)
    sent = {"authorization": auth or authorization(served)} if auth is not None else {}
    if isinstance(body, dict):
        body = json.dumps(body).encode()
        sent["content-type"] = "application/json"
    connection.request(method, path, body=body, headers={**sent, **(headers or {})}, encode_chunked=True)
    response = connection.getresponse()
    answer = Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    connection.close()
    return answer


def raw(served: Served, data: bytes, *, half: bool = False) -> bytes:
    """Sends bytes as they are; returns all that comes back until the server closes."""
    parts = urlsplit(served.url)
    with socket.create_connection((str(parts.hostname), parts.port), timeout=30) as sock:
        sock.sendall(data)
        if half:
            sock.shutdown(socket.SHUT_WR)
        found = b""
        with contextlib.suppress(ConnectionResetError):  # it closes without reading what it does not want
            while piece := sock.recv(65536):
                found += piece
        return found


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with running(tmp_path_factory.mktemp("served") / "lake") as found:
        created = ask(
            found, "POST", "/api/v1/repositories", {"name": "example", "storage_namespace": "local://example"}
        )
        assert created.status == 201, created
        yield found


# -- keys --------------------------------------------------------------------------------------------------------------


def test_keys_are_drawn_at_the_first_start(served: Served) -> None:
    assert len(served.key) == 20
    assert len(served.secret) == 40
    path = served.folder / "lakectl.yaml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    keys = served.folder / "keys.json"
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    assert json.loads(keys.read_bytes())["keys"][0]["secret_access_key"] == served.secret
    names = {entry.name for entry in served.folder.iterdir() if "keys" in entry.name or "lakectl" in entry.name}
    assert names == {"keys.json", "lakectl.yaml"}, "no draft is left"


def test_the_secret_is_in_no_third_file(served: Served) -> None:
    for path in served.folder.rglob("*"):
        if path.is_file() and path.name not in ("lakectl.yaml", "keys.json"):
            assert served.secret.encode() not in path.read_bytes(), path


def test_keys_are_kept(tmp_path: Path) -> None:
    with running(tmp_path / "lake") as first:
        pass
    with running(tmp_path / "lake") as second:
        assert (second.key, second.secret) == (first.key, first.secret)
        assert ask(second, "GET", "/api/v1/repositories").status == 200


def test_keys_from_the_environment(tmp_path: Path) -> None:
    given = {"LAKEFS_HL_SERVE_ACCESS_KEY_ID": "mykey", "LAKEFS_HL_SERVE_SECRET_ACCESS_KEY": "my secret: ü"}
    with running(tmp_path / "lake", given) as served:
        assert (served.key, served.secret) == ("mykey", "my secret: ü")
        assert ask(served, "GET", "/api/v1/repositories").status == 200
    given = {"LAKEFS_HL_SERVE_ACCESS_KEY_ID": "other", "LAKEFS_HL_SERVE_SECRET_ACCESS_KEY": "s2"}
    with running(tmp_path / "lake", given) as again:
        assert ask(again, "GET", "/api/v1/repositories").status == 200
        old = "Basic " + base64.b64encode("mykey:my secret: ü".encode()).decode()
        assert ask(again, "GET", "/api/v1/repositories", auth=old).status == 401, "given keys take the place of the old"


def test_lost_files_of_keys(tmp_path: Path) -> None:
    with running(tmp_path / "lake") as first:
        pass
    (tmp_path / "lake" / "lakectl.yaml").unlink()
    with running(tmp_path / "lake") as second:
        assert second.key == first.key, "the keys are in keys.json; lakectl.yaml is written from it"
    (tmp_path / "lake" / "keys.json").unlink()
    with running(tmp_path / "lake") as third:
        assert third.key != first.key, "whoever removes keys.json wants new keys"
        second = third
        assert ask(second, "GET", "/api/v1/repositories").status == 200


def test_a_lake_of_the_first_release_keeps_its_pair(tmp_path: Path) -> None:
    """It kept hashes only: the secret is in its `lakectl.yaml`, or gone."""
    with tarfile.open(Path(__file__).parent.parent / "data" / "lakes" / "v1.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    lake = tmp_path / "v1"
    lake.chmod(0o700)
    pair = KeyPair("AKIAKEPTFORTHETESTS0", "a secret that was never one, forty chars")
    keyfile.write(lake, pair, "http://127.0.0.1:1")
    Keys(lake).add(Key("LKHL" + "A" * 16, "s" * 40, "other", "other"))  # in the directory, before it is served
    with running(lake) as served:
        assert KeyPair(served.key, served.secret) == pair
        assert ask(served, "GET", "/api/v1/repositories").status == 200
    with contextlib.closing(Engine.open(lake)) as engine:
        assert engine.old_keys() == {}, "the hashes are no longer needed"


def test_a_key_file_without_keys_is_an_error(tmp_path: Path) -> None:
    for text in ("", "credentials:\n", "- a\n", "{", "credentials: {access_key_id: x}\n"):
        (tmp_path / keyfile.NAME).write_text(text, encoding="utf-8")
        with pytest.raises(LakeError, match="no credentials in it"):
            keyfile.read(tmp_path)


def test_key_files_round_trip(tmp_path: Path) -> None:
    pair = KeyPair("123", "no: #'\"\\")
    keyfile.write(tmp_path, pair, "http://127.0.0.1:1")
    assert keyfile.read(tmp_path) == pair
    assert "no:" not in repr(pair)


def test_login_gives_a_token_that_works(served: Served) -> None:
    pair = {"access_key_id": served.key, "secret_access_key": served.secret}
    token = ask(served, "POST", "/api/v1/auth/login", pair, auth=None)
    assert token.status == 200
    bearer = f"Bearer {token.json['token']}"
    assert ask(served, "GET", "/api/v1/repositories", auth=bearer).status == 200
    for broken in (bearer[:-2], bearer + "x", "Bearer ", "Bearer a.b.c"):
        assert ask(served, "GET", "/api/v1/repositories", auth=broken).status in (401, 429)
    wrong = {**pair, "secret_access_key": "no"}
    assert ask(served, "POST", "/api/v1/auth/login", wrong, auth=None).status in (401, 429)


@pytest.mark.parametrize("auth", [None, "Basic", "Basic !", "Basic bm8=", "Basic bm86bm8=", "Digest x", "x"])
def test_nobody_else_is_let_in(served: Served, auth: str | None) -> None:
    for method, path in (
        ("GET", "/api/v1/repositories"),
        ("GET", "/api/v1/config"),
        ("POST", f"{REPOSITORY}/branches/main/objects?path=x"),
        ("DELETE", REPOSITORY),
    ):
        answer = ask(served, method, path, auth=auth)
        assert answer.status in (401, 429), "429 after many wrong ones, see tests/local/serve/test_attempts.py"
        assert answer.status == 429 or answer.json == {"message": "error authenticating request"}
    assert ask(served, "GET", "/api/v1/healthcheck", auth=auth).status == 204


def test_no_cors(served: Served) -> None:
    answer = ask(served, "GET", "/api/v1/repositories", headers={"origin": "http://elsewhere.invalid"})
    assert not [name for name in answer.headers if name.startswith("access-control")]
    assert answer.status == 403
    assert ask(served, "OPTIONS", "/api/v1/repositories", headers={"origin": "http://x.invalid"}).status == 403
    assert ask(served, "OPTIONS", "/api/v1/repositories").status == 404


def test_imports_from_this_machine_are_off(served: Served, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")
    sources = [{"type": "common_prefix", "path": f"local://{tmp_path}/", "destination": ""}]
    body = {"paths": sources, "commit": {"message": "m"}}
    answer = ask(served, "POST", f"{REPOSITORY}/branches/main/import", body)
    assert answer.status == 403
    assert "--import-root" in answer.json["message"]


# -- bodies ------------------------------------------------------------------------------------------------------------


def upload(served: Served, path: str, body: Any, **headers: str) -> Answer:
    sent = {"content-type": "application/octet-stream", **{k.replace("_", "-"): v for k, v in headers.items()}}
    return ask(served, "POST", f"{REPOSITORY}/branches/main/objects?path={path}", body, sent)


def download(served: Served, path: str, **headers: str) -> Answer:
    return ask(served, "GET", f"{REPOSITORY}/refs/main/objects?path={path}", headers=headers)


@pytest.mark.parametrize("size", [0, 1, 16_384, 16_385, asgi.IN_MEMORY, asgi.IN_MEMORY + 1, 5_000_001])
def test_bodies_of_any_size_come_back(served: Served, size: int, rng: random.Random) -> None:
    data = rng.randbytes(size)
    for body in (data, iter([data[:100], data[100:]])):
        assert upload(served, "sized", body).status == 201
        answer = download(served, "sized")
        assert answer.status == 200
        assert answer.body == data
        assert answer.headers["content-length"] == str(size)
    head = ask(served, "HEAD", f"{REPOSITORY}/refs/main/objects?path=sized")
    assert (head.status, head.headers["content-length"], head.body) == (200, str(size), b"")
    if size > 10:
        part = download(served, "sized", range=f"bytes=3-{size - 3}")
        assert (part.status, part.body) == (206, data[3 : size - 2])
    assert not list((served.folder / "objects" / "tmp").iterdir())


def test_a_large_form(served: Served, rng: random.Random) -> None:
    data = rng.randbytes(3_000_000)
    body = (
        b'--XX\r\nContent-Disposition: form-data; name="content"\r\nContent-Type: a/b\r\n\r\n'
        + data
        + b"\r\n--XX--\r\n"
    )
    answer = upload(served, "form", body, content_type="multipart/form-data; boundary=XX")
    assert (answer.status, answer.json["size_bytes"], answer.json["content_type"]) == (201, len(data), "a/b")
    assert download(served, "form").body == data


def test_a_body_that_breaks_off_leaves_nothing(served: Served) -> None:
    target = f"POST {REPOSITORY}/branches/main/objects?path=broken HTTP/1.1\r\nHost: localhost\r\n"
    target += f"Authorization: {authorization(served)}\r\n"
    piece = b"x" * 2_000_000
    for data in (
        b"Content-Length: 3000000\r\n\r\n" + piece,
        b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(piece), piece),
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nZZ\r\n",
        b"Content-Length: 10\r\n\r\nhello",
    ):
        assert b" 201 " not in raw(served, target.encode() + data, half=True)
    assert ask(served, "GET", f"{REPOSITORY}/refs/main/objects/stat?path=broken").status == 404
    assert not list((served.folder / "objects" / "tmp").iterdir())


def test_a_large_json_body_is_refused(served: Served) -> None:
    body = b'{"message": "' + b"x" * exchange.MAX_BODY + b'"}'
    connection = connect(served)
    connection.putrequest("POST", f"{REPOSITORY}/branches/main/commits")
    connection.putheader("authorization", authorization(served))
    connection.putheader("content-length", str(len(body)))
    connection.endheaders()
    # The answer may come, and the connection close, before all of the body is sent.
    with_all = threading.Thread(target=_send_quietly, args=(connection, body))
    with_all.start()
    response = connection.getresponse()
    assert response.status == 413
    with_all.join()
    connection.close()


def _send_quietly(connection: http.client.HTTPConnection, body: bytes) -> None:
    with contextlib.suppress(ConnectionError):
        connection.send(body)


def test_metadata_headers(served: Served) -> None:
    target = f"POST {REPOSITORY}/branches/main/objects?path=meta HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    target += f"Authorization: {authorization(served)}\r\nContent-Length: 1\r\n"
    target += "X-Lakefs-Meta-Color: blue\r\nx-lakefs-meta-color: green\r\nx-lakefs-meta-name: Zoë 中\r\n\r\nx"
    answer = raw(served, target.encode())
    assert b" 201 Created" in answer
    stats = ask(served, "GET", f"{REPOSITORY}/refs/main/objects/stat?path=meta").json
    assert stats["metadata"] == {"color": "blue", "name": "Zoë 中"}


def test_odd_names_survive_the_url(served: Served) -> None:
    assert ask(served, "POST", f"{REPOSITORY}/tags", {"id": "50%41#x", "ref": "main"}).status == 201
    assert ask(served, "GET", f"{REPOSITORY}/tags/50%2541%23x").json["id"] == "50%41#x"
    assert ask(served, "GET", f"{REPOSITORY}/tags/50%41%23x").status == 404
    assert ask(served, "GET", f"{REPOSITORY}/refs/main/objects/stat?path=%FF").status == 400


def test_answers_are_dressed(served: Served) -> None:
    answer = ask(served, "GET", "/api/v1/config")
    again = ask(served, "GET", "/api/v1/config")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-request-id"] != again.headers["x-request-id"]
    assert "server" not in answer.headers
    assert upload(served, "page.html", b"<script>", content_type="text/html").status == 201
    page = download(served, "page.html")
    assert "sandbox" in page.headers["content-security-policy"]
    assert page.headers["x-frame-options"] == "DENY"


def test_a_hostile_content_type_cannot_add_a_header() -> None:
    pairs = dict(exchange.dress(Response(200, {"content-type": "text/plain\r\nset-cookie: x"}, b"abc")))
    assert pairs[b"content-type"] == b"text/plainset-cookie: x"
    assert pairs[b"content-length"] == b"3"


@pytest.mark.parametrize(
    ("path", "status"),
    [("/", 404), ("/api/v1", 404), ("/api/v1/nothing", 404), ("/api/v1x/repositories", 404), ("//", 404)],
)
def test_unknown_paths(served: Served, path: str, status: int) -> None:
    answer = ask(served, "GET", path)
    assert (answer.status, answer.json) == (status, {"message": "invalid API endpoint"})


def test_operations_that_the_lake_does_not_have(served: Served) -> None:
    assert ask(served, "PUT", f"{REPOSITORY}/refs/dump").status == 501


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (LakeLockedError("held by 12"), 429, "Too many attempts"),
        (IntegrityError("changed since it was imported"), 410, "changed since"),
        (LakeCorruptError("/secret/place: node is missing"), 500, "see the server's log"),
        (OSError(errno.ENOSPC, "No space left on device", "/secret/place"), 507, "no space left"),
        (OSError(errno.EIO, "Input/output error", "/secret/place"), 500, "see the server's log"),
        (ZeroDivisionError("secret"), 500, "see the server's log"),
    ],
)
def test_what_should_not_happen(error: Exception, status: int, words: str, caplog: pytest.LogCaptureFixture) -> None:
    answer = exchange.failure(error, "statObject")
    assert answer.status == status
    assert isinstance(answer.body, bytes)
    assert words in json.loads(answer.body)["message"]
    assert b"secret" not in answer.body
    assert ("statObject" in caplog.text) == (status >= 500)


def test_queries() -> None:
    assert exchange.parse_query("") == {}
    assert exchange.parse_query("a=1&b=%41+c%2B&a=2&a=3&empty=&bare&=x&&") == {
        "a": ("1", "2", "3"),
        "b": "A c+",
        "empty": "",
        "bare": "",
    }
    with pytest.raises(UnicodeDecodeError):
        exchange.parse_query("a=%ff")


# -- sockets and signals -----------------------------------------------------------------------------------------------


def test_a_kept_connection_answers_at_once(served: Served) -> None:
    """Without TCP_NODELAY each answer on a kept connection would wait 40 ms for an acknowledgement."""
    with listen(Access(port=0)) as sock:
        assert sock.proto == socket.IPPROTO_TCP
    connection = connect(served)
    for _ in range(3):
        connection.request("GET", "/api/v1/healthcheck")
        response = connection.getresponse()
        response.read()
        assert response.status == 204
    connection.close()


def test_addresses_that_are_refused() -> None:
    for host in ("0.0.0.0", "::", "192.0.2.1", "example.invalid", ""):
        with pytest.raises(InvalidConfigError, match="cannot listen on"):
            listen(Access(host, 0))
    with listen(Access(port=0)) as taken:
        for port in (taken.getsockname()[1], 70_000):
            with pytest.raises(InvalidConfigError, match="--port 0 takes a free one"):
                listen(Access(port=port))
    listen(Access("localhost", 0)).close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_good_order(tmp_path: Path, number: int) -> None:
    served = start(tmp_path / "lake")
    connection = connect(served)  # an idle kept connection does not hold it up
    connection.request("GET", "/api/v1/healthcheck")
    connection.getresponse().read()
    assert stop(served, number) == (0, "")
    connection.close()


def test_requests_under_way_are_finished(tmp_path: Path) -> None:
    with running(tmp_path / "lake") as served:
        body = {"name": "example", "storage_namespace": "local://example"}
        assert ask(served, "POST", "/api/v1/repositories", body).status == 201
        connection = connect(served)
        connection.putrequest("POST", f"{REPOSITORY}/branches/main/objects?path=late")
        connection.putheader("authorization", authorization(served))
        connection.putheader("content-length", "10")
        connection.putheader("expect", "100-continue")
        connection.endheaders()
        assert b"100 Continue" in connection.sock.recv(1000)  # the server waits for the body now
        served.process.send_signal(signal.SIGTERM)
        connection.send(b"0123456789")
        response = connection.getresponse()
        assert response.status == 201
        response.read()
        connection.close()
        _, errors = served.process.communicate(timeout=30)
        assert (served.process.returncode, errors) == (0, "")
    with running(tmp_path / "lake") as again:
        assert download(again, "late").body == b"0123456789"


def test_two_servers_do_not_share_a_port(served: Served, tmp_path: Path) -> None:
    port = str(urlsplit(served.url).port)
    command = [sys.executable, "-m", "lakefs_hl", "serve", str(tmp_path / "lake"), "--port", port]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1 port {port}" in done.stderr


def test_without_the_extra_it_names_it(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['uvicorn'] = None\n"
        f"from lakefs_hl.cli import main; sys.exit(main(['serve', {str(tmp_path / 'lake')!r}, '--port', '0']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "pip install 'lakefs-hl[serve]'" in done.stderr
    assert not (tmp_path / "lake").exists()


def test_a_slow_reader_gets_all_of_a_large_object(served: Served, rng: random.Random) -> None:
    data = os.urandom(8_000_000)
    assert upload(served, "large", data).status == 201
    connection = connect(served)
    headers = {"authorization": authorization(served)}
    connection.request("GET", f"{REPOSITORY}/refs/main/objects?path=large", headers=headers)
    response = connection.getresponse()
    found = bytearray()
    while piece := response.read(rng.randrange(1, 100_000)):
        found += piece
    assert bytes(found) == data
    # One that goes away in the middle is no trouble to the next.
    connection.request("GET", f"{REPOSITORY}/refs/main/objects?path=large", headers=headers)
    connection.getresponse().read(1000)
    connection.close()
    assert download(served, "large").body == data
