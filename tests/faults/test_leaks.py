"""No failure shows a secret: T12 of the failure model, at the size of every run.

Secrets that can be recognised go in: a secret key, a token, the pair as a header, a proxy's password, the signature of
a pre-signed URL. Then calls fail in every way there is, in both colours, under DEBUG logging of everything, and all
that comes out is searched: messages, attributes, tracebacks with the variables of our frames, causes and contexts,
pickles, the log, spans and metrics of OpenTelemetry, and what clients and handles print.
"""

from __future__ import annotations

import asyncio
import base64
import errno
import io
import logging
import os
import pickle
import secrets
import socket
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import FrameType, ModuleType, TracebackType
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.metrics import _internal as metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import lakefs_hl
import lakefs_hl.aio
from lakefs_hl import exceptions
from lakefs_hl.aio.default import of
from lakefs_hl.config import chain as sources
from lakefs_hl.config import settings
from lakefs_hl.transport import http
from tests.transport.peers import Asked, Peer, answer, answering, peer
from tests.worlds import Settler, World, plainly

KEY = "AKIAEXAMPLE0"
SECRET = "CANARY-secret-key"
TOKEN = "CANARY-token"
SIGNATURE = "CANARY-signature"
PROXY_PASSWORD = "CANARY-proxy"
BASIC = base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()
PROXY_BASIC = base64.b64encode(f"user:{PROXY_PASSWORD}".encode()).decode()
CANARIES = (SECRET, TOKEN, SIGNATURE, PROXY_PASSWORD, BASIC, PROXY_BASIC)
JSON = {"content_type": "application/json"}


def canaries_in(text: str) -> list[str]:
    return [canary for canary in CANARIES if canary in text]


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and all that can be reached from it, printed or not."""
    todo, seen = [error], set[int]()
    while todo:
        each = todo.pop()
        if id(each) not in seen:
            seen.add(id(each))
            yield each
            todo += [one for one in (each.__cause__, each.__context__) if one is not None]


def frames(trace: TracebackType | None) -> Iterator[FrameType]:
    while trace is not None:
        yield trace.tb_frame
        trace = trace.tb_next


def shown(value: object) -> str:
    try:
        return repr(value)
    except Exception as exc:
        return f"<{type(exc).__name__}>"


def leaks_of(error: BaseException, *, ours_only: bool = False) -> list[str]:
    """Where a canary can be read in what an error brings along; the frames of tests do not count."""
    rooms = ("lakefs_hl",) if ours_only else ("lakefs_hl", "urllib3", "http", "yaml", "socket", "ssl", "concurrent")
    found = []
    for each in chain(error):
        for what, text in (
            ("str", str(each)), ("repr", repr(each)), ("vars", repr(vars(each))), ("args", repr(each.args)),
            ("notes", repr(getattr(each, "__notes__", ""))),
        ):  # fmt: skip
            found += [f"{what} of {type(each).__name__}: {canary}" for canary in canaries_in(text)]
        for frame in frames(each.__traceback__):
            if not str(frame.f_globals.get("__name__", "")).startswith(rooms):
                continue
            for name, value in frame.f_locals.items():
                where = f"{name} in {frame.f_code.co_qualname} of {type(each).__name__}"
                found += [f"{where}: {canary}" for canary in canaries_in(shown(value))]
    text = "".join(traceback.TracebackException.from_exception(error).format())
    found += [f"traceback: {canary}" for canary in canaries_in(text)]
    if isinstance(error, exceptions.LakeFSException):
        found += [f"pickle: {one}" for one in CANARIES if one.encode() in pickle.dumps(error)]
    return found


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """All that is logged, at the lowest level."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.NOTSET)
    yield text
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """All spans of a provider that is configured for the test."""
    kept = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    return kept


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> InMemoryMetricReader:
    """All metrics of a provider that is configured for the test."""
    kept = InMemoryMetricReader()
    monkeypatch.setattr(metrics, "_METER_PROVIDER", MeterProvider([kept], shutdown_on_exit=False))
    return kept


@pytest.fixture(autouse=True)
def _no_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sources, "_has_boto3", lambda: False)
    yield
    for module in (lakefs_hl, lakefs_hl.aio):
        vars(module).pop("DefaultClient", None)


@pytest.fixture(params=["blocking", "awaitable"])
def colour(request: pytest.FixtureRequest) -> Iterator[Callable[[lakefs_hl.Client], World]]:
    if request.param == "blocking":
        yield lambda client: World("", lakefs_hl, client, plainly)
        return
    with asyncio.Runner() as runner:
        yield lambda client: World("", lakefs_hl.aio, of(client), Settler(runner))


# ------------------------------------------------------------------------------------------------------ calls that fail


def _transaction(world: World) -> None:
    with world.repository("example").branch("main").transaction("m") as tx:
        tx.upload(b"x", "a")


def _write(world: World) -> None:
    with world.repository("example").branch("main").open("a", "wb") as file:
        file.write(b"x")


CALLS: dict[str, Callable[[World], object]] = {
    "stat": lambda world: world.repository("example").branch("main").stat("a"),
    "download": lambda world: world.repository("example").branch("main").download("a"),
    "upload": lambda world: world.repository("example").branch("main").upload(b"x", "a", pre_signed=False),
    "signed download": lambda world: world.repository("example").branch("main").download("a", pre_signed=True),
    "signed upload": lambda world: world.repository("example").branch("main").upload(b"x", "a", pre_signed=True),
    "read": lambda world: world.repository("example").branch("main").open("a", "rb", pre_signed=True),
    "stream": lambda world: list(world.repository("example").branch("main").stream("a", pre_signed=True)),
    "list": lambda world: list(world.repository("example").branch("main").list_objects()),
    "log": lambda world: list(world.repository("example").branch("main").log()),
    "commit": lambda world: world.repository("example").branch("main").commit("m"),
    "merge": lambda world: world.repository("example").branch("main").merge_into("other"),
    "move": lambda world: world.repository("example").branch("main").move_object("a", "b"),
    "move a prefix": lambda world: world.repository("example").branch("main").move_prefix("a/", "b/"),
    "head": lambda world: world.repository("example").branch("main").head(),
    "propose": lambda world: world.repository("example").create_pull_request("dev", "main", "t"),
    "close": lambda world: world.repository("example").pull_request("p1").close(),
    "merge a pull request": lambda world: world.repository("example").pull_request("p1").merge(),
    "runs": lambda world: list(world.repository("example").runs()),
    "run": lambda world: world.repository("example").run("5k").refresh(),
    "create": lambda world: world.repository("example").create(),
    "delete": lambda world: world.repository("example").branch("main").delete_objects(["a", "b"]),
    "link": lambda world: world.repository("example").branch("main").presign("a"),
    "link of the store": lambda world: world.repository("example").branch("main").presign("a", via="server"),
    "link of the gateway": lambda world: world.repository("example").branch("main").presign("a", via="gateway"),
    "link to write": lambda world: world.repository("example").branch("main").presign("a", method="PUT"),
    "upload by others": lambda world: world.repository("example").branch("main").presign_upload("a"),
    "transaction": _transaction,
    "write": _write,
    "import": lambda world: world.repository("example").branch("main").import_from("s3://b/a", "a").run(),
    "version": lambda world: world.settle(world.client.version),
}  # fmt: skip


def _no(status: str, body: bytes = b'{"message":"no"}') -> Callable[[], AbstractContextManager[Peer]]:
    return lambda: answering(answer(body, status, **JSON))


def _location() -> AbstractContextManager[Peer]:
    place = f"http://127.0.0.1:1/a?X-Amz-Signature={SIGNATURE}"
    return answering(answer(b"", "302 Found", location=place, x_secret=SIGNATURE))


def _broken(sent: bytes) -> Callable[[], AbstractContextManager[Peer]]:
    def handle(server: Peer, conn: socket.socket, number: int) -> None:
        server.read(conn)
        conn.sendall(sent)

    return lambda: peer(handle)


def _store(reply: Callable[[Asked], bytes]) -> Callable[[], AbstractContextManager[Peer]]:
    """A lakeFS that signs links to itself, and answers what comes by them with `reply`."""

    def lakefs(asked: Asked) -> bytes:
        link = f"http://{asked.headers['host']}/store/a?X-Amz-Signature={SIGNATURE}"
        if asked.target.startswith("/store/"):
            return reply(asked)
        if "/staging/backing" in asked.target and asked.method == "GET":
            return answer(f'{{"physical_address":"s3://b/a","presigned_url":"{link}"}}'.encode(), **JSON)
        if "/objects/stat" in asked.target:
            body = (
                f'{{"path":"a","path_type":"object","physical_address":"{link}","checksum":"{"0" * 32}","mtime":1,'
                f'"size_bytes":1}}'
            )
            return answer(body.encode(), **JSON)
        return answer(b'{"message":"no"}', "403 Forbidden", **JSON)

    return lambda: answering(lakefs)


SERVERS: dict[str, Callable[[], AbstractContextManager[Peer]]] = {
    "401": _no("401 Unauthorized"),
    "404": _no("404 Not Found"),
    "409": _no("409 Conflict"),
    "500": _no("500 Internal Server Error"),
    "503": _no("503 Service Unavailable"),
    "a web page": lambda: answering(answer(b"<html>", content_type="text/html")),
    "half a record": lambda: answering(answer(b'{"path":', **JSON)),
    "a redirect to a signed place": _location,
    "a connection that breaks": _broken(b""),
    "half a head": _broken(b"HTTP/1.1 200 OK\r\ncontent-"),
    "no HTTP": _broken(b"SSH-2.0\r\n"),
    "half a body": _broken(answer(b'{"message":"no"}', content_length="1000")),
    "a store that refuses": _store(lambda _: answer(b"<Error><Code>AccessDenied</Code></Error>", "403 Forbidden")),
    "a store that breaks": _store(lambda _: answer(b"x", content_length="100", etag='"0"')),
    "a store with other bytes": _store(lambda _: answer(b"y", etag=f'"{"1" * 32}"')),
}


def leaks_of_calls(
    world: World, log: io.StringIO, calls: dict[str, Callable[[World], object]]
) -> tuple[int, list[str]]:
    failed, found = 0, []
    for name, call in calls.items():
        try:
            call(world)
        except Exception as exc:
            failed += 1
            found += [f"{name}: {leak}" for leak in leaks_of(exc)]
    handles = [world.client, world.repository("example"), world.repository("example").branch("main")]
    found += [f"repr: {canary}" for handle in handles for canary in canaries_in(repr(handle) + repr(vars(handle)))]
    return failed, found + [f"log: {canary}" for canary in canaries_in(log.getvalue())]


@pytest.mark.parametrize("behaviour", list(SERVERS))
@pytest.mark.parametrize("credentials", ["pair", "token"])
def test_no_failing_call_shows_a_secret(
    behaviour: str,
    credentials: str,
    colour: Callable[[lakefs_hl.Client], World],
    log: io.StringIO,
    spans: InMemorySpanExporter,
    reader: InMemoryMetricReader,
) -> None:
    with SERVERS[behaviour]() as server:
        arguments: dict[str, Any] = (
            {"username": KEY, "password": SECRET} if credentials == "pair" else {"access_token": TOKEN}
        )
        patience = 0.3 if behaviour == "a store that breaks" else 5
        client = lakefs_hl.Client(server.url, **arguments, retries=0, timeout=patience)
        failed, found = leaks_of_calls(colour(client), log, CALLS)
        used = [asked.headers.get("authorization", "") for asked in server.asked]
        assert any(BASIC in one or TOKEN in one for one in used), "no secret was at stake"
        if "store" in behaviour:
            assert any(SIGNATURE in asked.target for asked in server.asked), "no link was at stake"
        client.close()
    finished = spans.get_finished_spans()
    assert found == []
    assert [canary for span in finished for canary in canaries_in(span.to_json())] == []
    measured = reader.get_metrics_data()
    assert measured is not None
    assert canaries_in(measured.to_json()) == []
    assert '"lakefs.operation": "statObject"' in measured.to_json(), "no metric was searched"
    answered = 1 + 2 * (credentials == "pair")  # such a server does answer `stat`, and a pair signs for the gateway
    assert failed == len(CALLS) - answered * ("store" in behaviour)
    assert {"statObject", "lakefs_hl.objects.stat"} <= {span.name for span in finished}, "no span was searched"
    assert log.getvalue().count("statObject GET ") >= 1, "no line of ours was searched"


def test_no_failing_call_through_a_proxy_shows_its_password(
    colour: Callable[[lakefs_hl.Client], World], log: io.StringIO
) -> None:
    calls = {name: CALLS[name] for name in ("stat", "upload", "list", "commit")}
    tunnel = answer(b"", "407 Proxy Authentication Required")
    for reply, endpoint in (
        (_no("403 Forbidden")(), "http"),
        (answering(tunnel), "http"),
        (answering(tunnel), "https"),
    ):
        with reply as proxy, warnings.catch_warnings():
            warnings.simplefilter("ignore", exceptions.InsecureTransportWarning)
            way = proxy.url.replace("//", f"//user:{PROXY_PASSWORD}@")
            client = lakefs_hl.Client(f"{endpoint}://lakefs.example", KEY, SECRET, proxy=way, retries=0)
            failed, found = leaks_of_calls(colour(client), log, calls)
            assert PROXY_BASIC in proxy.asked[0].headers["proxy-authorization"], "no secret was at stake"
            assert PROXY_PASSWORD.encode() not in pickle.dumps(client)
            assert canaries_in(repr(client.explain_auth()) + client._repr_html_()) == []
            client.close()
        assert (found, failed) == ([], len(calls))


class _Stop(BaseException):
    """An interrupt: passes through every frame on its way."""


@pytest.mark.parametrize("error", [_Stop(), MemoryError(), OSError(errno.EIO, "the disk")])
def test_no_frame_of_the_package_keeps_a_secret_after_an_interruption_of_an_exchange(
    error: BaseException, colour: Callable[[lakefs_hl.Client], World], log: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached = []

    def strike(*args: object) -> None:
        reached.append(args)
        raise error

    monkeypatch.setattr(http, "receive", strike)
    store = _store(lambda _: answer())
    with store() as server, answering(lambda _: answer()) as proxy:
        way = proxy.url.replace("//", f"//user:{PROXY_PASSWORD}@")
        for client in (
            lakefs_hl.Client(server.url, KEY, SECRET, retries=0),
            lakefs_hl.Client(server.url, access_token=TOKEN, retries=0),
            lakefs_hl.Client(f"http://127.0.0.1:{server.port}", KEY, SECRET, proxy=way, retries=0),
        ):
            world = colour(client)
            for call in (CALLS["stat"], CALLS["upload"]):
                with pytest.raises(BaseException) as caught:
                    call(world)
                assert leaks_of(caught.value, ours_only=True) == []
            client.close()
    assert len(reached) >= 6
    assert canaries_in(log.getvalue()) == []


@pytest.mark.parametrize("error", [_Stop(), OSError(errno.EIO, "the disk")])
def test_no_frame_of_the_package_keeps_a_signature_after_an_interruption_of_an_exchange(
    error: BaseException, colour: Callable[[lakefs_hl.Client], World], monkeypatch: pytest.MonkeyPatch
) -> None:
    receive: Callable[..., Any] = http.receive

    def strike(request: Any, *args: Any) -> Any:
        if request.url is None:
            return receive(request, *args)
        raise error

    monkeypatch.setattr(http, "receive", strike)
    with _store(lambda _: answer())() as server:
        client = lakefs_hl.Client(server.url, KEY, SECRET, retries=0)
        for name in ("signed download", "signed upload", "read"):
            with pytest.raises(BaseException) as caught:
                CALLS[name](colour(client))
            assert leaks_of(caught.value, ours_only=True) == []
        client.close()
    assert any(SIGNATURE in asked.target for asked in server.asked), "no link was at stake"


def test_no_frame_of_the_package_keeps_a_secret_after_a_file_ended_early(
    tmp_path: Path, colour: Callable[[lakefs_hl.Client], World]
) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"x" * 3_000_000)

    def lakefs(server: Peer, conn: socket.socket, number: int) -> None:
        conn.recv(1000)
        os.truncate(path, 10)
        conn.recv(10_000_000)

    with peer(lakefs) as server:
        client = lakefs_hl.Client(server.url, KEY, SECRET, retries=0)
        with pytest.raises(Exception) as caught:
            colour(client).repository("example").branch("main").upload(path, "a", pre_signed=False)
        assert leaks_of(caught.value) == []
        client.close()


# ------------------------------------------------------------------------------------------ clients that cannot be made

PAIR: dict[str, Any] = {"username": KEY, "password": SECRET}
BAD: dict[str, dict[str, Any]] = {
    "a token too": {"host": "https://h", **PAIR, "access_token": TOKEN},
    "two passwords": {"host": "https://h", **PAIR, "secret_access_key": TOKEN},
    "two tokens": {"host": "https://h", "access_token": TOKEN, "jwt_token": SECRET},
    "half a pair": {"host": "https://h", "password": SECRET},
    "a password of two lines": {"host": "https://h", "username": KEY, "password": SECRET + "\n"},
    "a token of two lines": {"host": "https://h", "access_token": TOKEN + "\n"},
    "a password of bytes": {"host": "https://h", "username": KEY, "password": SECRET.encode()},
    "a token in a list": {"host": "https://h", "access_token": [TOKEN]},
    "no endpoint": {"host": "nonsense", **PAIR},
    "a login in the endpoint": {"host": f"https://user:{SECRET}@h"},
    "a login in the other endpoint": {"endpoint": f"https://user:{SECRET}@h", **PAIR},
    "no proxy": {"host": "https://h", **PAIR, "proxy": f"socks5://user:{PROXY_PASSWORD}@h"},
    "no port of a proxy": {"host": "https://h", **PAIR, "proxy": f"//user:{PROXY_PASSWORD}@h"},
    "no time": {"host": "https://h", **PAIR, "timeout": -1},
    "no number": {"host": "https://h", **PAIR, "timeout": "soon"},
    "no list": {"host": "https://h", **PAIR, "allowed_storage_hosts": 5},
    "no mapping": {"host": "https://h", **PAIR, "token_request_headers": 5},
    "headers without a role": {"host": "https://h", "aws_role": False, "token_request_headers": {"x": SECRET}},
    "headers of bytes": {"host": "https://h", "token_request_headers": {"x": SECRET.encode()}},
    "headers in plain text": {"host": "http://h.example", "token_request_headers": {"x": SECRET}},
    "no authority": {"host": "https://h", **PAIR, "ca_cert": "/nowhere/ca.pem"},
    "no profile": {"host": "https://h", "profile": "nowhere", "jwt_token": TOKEN, "access_key_id": KEY},
    "a warning": {"host": "http://h.example", **PAIR},
    "no lake": {"host": "local:/nowhere/lake", **PAIR, "create": False},
    "a lake where there cannot be one": {"host": "local:/dev/null", **PAIR},
}
MAKERS: dict[str, Callable[..., object]] = {
    "Client": lakefs_hl.Client,
    "init": lakefs_hl.init,
    "aio.Client": lakefs_hl.aio.Client,
    "aio.init": lakefs_hl.aio.init,
}


@pytest.mark.parametrize("maker", list(MAKERS))
@pytest.mark.parametrize("bad", list(BAD))
def test_no_client_that_cannot_be_made_shows_a_secret(bad: str, maker: str, log: io.StringIO) -> None:
    with pytest.raises((exceptions.LakeFSException, TypeError, ValueError, Warning)) as caught:
        MAKERS[maker](**BAD[bad])
    assert leaks_of(caught.value) == []
    assert canaries_in(log.getvalue()) == []


ENVIRONMENTS: dict[str, dict[str, str]] = {
    "half a pair": {"LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY": SECRET},
    "half a pair of old names": {"LAKECTL_ACCESS_SECRET_KEY": SECRET},
    "two lines": {"LAKECTL_CREDENTIALS_ACCESS_KEY_ID": KEY, "LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY": SECRET + "\n"},
    "a token of two words": {"LAKECTL_CREDENTIALS_SESSION_TOKEN": TOKEN + " x"},
    "a login in the endpoint": {"LAKECTL_SERVER_ENDPOINT_URL": f"http://user:{SECRET}@h"},
    "a bad option": {
        "LAKECTL_CREDENTIALS_ACCESS_KEY_ID": KEY,
        "LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY": SECRET,
        "HTTPS_PROXY": f"http://user:{PROXY_PASSWORD}@h",
        "LAKEFS_HL_MAX_CONCURRENCY": "many",
    },
    "a warning": {
        "LAKECTL_CREDENTIALS_ACCESS_KEY_ID": KEY,
        "LAKECTL_CREDENTIALS_SECRET_ACCESS_KEY": SECRET,
        "LAKECTL_SERVER_ENDPOINT_URL": "http://h.example",
    },
    "no home": {"LAKECTL_CREDENTIALS_SESSION_TOKEN": TOKEN, "LAKECTL_CONFIG_FILE": "/nowhere/lakectl.yaml"},
}
FILES: dict[str, str] = {
    "half a pair": f"credentials: {{secret_access_key: {SECRET}}}",
    "no YAML": f"credentials:\n  secret_access_key: {SECRET}\n  x: [{SECRET}\n",
    "a list": f"credentials: {{access_key_id: a, secret_access_key: [{SECRET}]}}",
    "an alias": f"a: &a {SECRET}\nb: *a\n",
    "twice": f"credentials: {{secret_access_key: {SECRET}, secret_access_key: {SECRET}}}",
    "twice in two spellings": f"credentials: {{secret_access_key: {SECRET}, SECRET_ACCESS_KEY: {SECRET}}}",
    "two lines": f'credentials: {{access_key_id: a, secret_access_key: "{SECRET}\\n"}}',
    "a login in the endpoint": f"server: {{endpoint_url: 'http://user:{SECRET}@h'}}",
    "another provider": f"credentials: {{provider: {{type: gcp, gcp: {{token: {SECRET}}}}}}}",
    "no endpoint": f"server: {{endpoint_url: x}}\ncredentials: {{access_key_id: a, secret_access_key: {SECRET}}}",
    "a warning": (
        f"server: {{endpoint_url: 'http://h.example'}}\ncredentials: {{access_key_id: a, secret_access_key: {SECRET}}}"
    ),
}


@pytest.mark.parametrize("maker", list(MAKERS))
@pytest.mark.parametrize("environment", list(ENVIRONMENTS))
def test_no_bad_environment_shows_a_secret(environment: str, maker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENTS[environment].items():
        monkeypatch.setenv(name, value)
    with pytest.raises((exceptions.LakeFSException, Warning)) as caught:
        MAKERS[maker]()
    assert leaks_of(caught.value) == []


@pytest.mark.parametrize("maker", list(MAKERS))
@pytest.mark.parametrize("content", list(FILES))
def test_no_bad_file_shows_a_secret(content: str, maker: str, tmp_path: Path) -> None:
    path = tmp_path / ".lakectl.yaml"
    path.write_text(FILES[content])
    path.chmod(0o600)
    with pytest.raises((exceptions.LakeFSException, Warning)) as caught:
        MAKERS[maker]()
    assert leaks_of(caught.value) == []


def test_no_frame_of_the_package_keeps_a_secret_after_an_interruption_of_a_constructor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupt keeps all frames, those of the configuration among them: the environment is in reach there."""
    path = tmp_path / ".lakectl.yaml"
    path.write_text(
        f"server.endpoint_url: https://h\ncredentials: {{access_key_id: {KEY}, secret_access_key: {SECRET}}}"
    )
    path.chmod(0o600)
    monkeypatch.setenv("HTTPS_PROXY", f"http://user:{PROXY_PASSWORD}@h")

    def strike(*args: object, **kwargs: object) -> None:
        raise _Stop

    environments: tuple[dict[str, str], ...] = (
        {},
        {"LAKECTL_CREDENTIALS_SESSION_TOKEN": TOKEN, "LAKECTL_SERVER_ENDPOINT_URL": "https://h"},
    )
    arguments: tuple[dict[str, Any], ...] = (
        {},
        {"host": "https://h", **PAIR},
        {"host": "https://h", "jwt_token": TOKEN},
    )
    steps: tuple[tuple[ModuleType, str], ...] = (
        (sources, "key_pair"),
        (sources, "parse_endpoint"),
        (sources, "look_up"),
        (settings, "find_proxies"),
        (settings, "find_ca_cert"),
    )
    for module, name in steps:
        for given in arguments:
            for environment in environments:
                with pytest.MonkeyPatch.context() as patch:
                    for variable, value in environment.items():
                        patch.setenv(variable, value)
                    patch.setattr(module, name, strike)
                    for maker in MAKERS.values():
                        with pytest.raises(_Stop) as caught:
                            maker(**given)
                        assert leaks_of(caught.value, ours_only=True) == []


# ---------------------------------------------------------------------------------------------------- the search itself


def test_the_search_finds_a_secret_that_leaked() -> None:
    words = secrets.token_hex(4)
    with pytest.raises(ValueError, match=words) as caught:
        raise ValueError(f"{words} {SECRET}")
    assert len(leaks_of(caught.value)) >= 4
    namespace: dict[str, Any] = {"__name__": "lakefs_hl.made_up", "SECRET": SECRET}
    exec("def f(local):\n    raise ValueError('no')", namespace)
    with pytest.raises(ValueError, match="no") as caught:
        namespace["f"](SECRET)
    assert leaks_of(caught.value) == [f"local in f of ValueError: {SECRET}"]
    with pytest.raises(KeyError) as other:
        try:
            namespace["f"]([SECRET])
        except ValueError:
            raise KeyError from None
    assert leaks_of(other.value) == [f"local in f of ValueError: {SECRET}"]
