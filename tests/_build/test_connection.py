"""Connections: which transport the options name, in both colours; and the clients that a function serves."""

from __future__ import annotations

import asyncio
import json
import pickle
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import lakefs_hl
from lakefs_hl import aio, exceptions
from lakefs_hl._build.connection import MAX_ON_LANE, MAX_THREADS
from lakefs_hl.config import chain
from lakefs_hl.transport.function import FunctionTransport
from lakefs_hl.transport.http import Http
from lakefs_hl.transport.inproc import InProcess
from lakefs_hl.types import Request, Response
from tests.worlds import Settler

KEY, SECRET = "AKIAEXAMPLE0", "SECRET-that-nobody-may-see"


class Colour:
    """A package of one colour, and how to wait for what its calls return."""

    def __init__(self, module: ModuleType, settle: Callable[[Any], Any]) -> None:
        self.module: Any = module
        self.settle = settle

    def branch(self, **options: Any) -> Any:
        client = self.module.Client(**options)
        return self.module.repository("example", client=client).branch("main")


@pytest.fixture(params=["blocking", "aio"])
def colour(request: pytest.FixtureRequest) -> Iterator[Colour]:
    if request.param == "blocking":
        yield Colour(lakefs_hl, lambda value: value)
        return
    with asyncio.Runner() as runner:
        yield Colour(aio, Settler(runner))


@pytest.fixture(autouse=True)
def _nothing_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(chain, "_has_boto3", lambda: False)


class Server:
    """As much of a server as is needed here; keeps the requests and the threads that brought them."""

    def __init__(self) -> None:
        self.requests = list[Request]()
        self.threads = set[int]()
        self.objects = dict[str, bytes]()

    def __call__(self, request: Request) -> Response:
        self.requests.append(request)
        self.threads.add(threading.get_ident())
        path = str(request.query.get("path", ""))
        match request.endpoint.operation:
            case "getLakeFSVersion":
                return _record({"version": "1.2.3"})
            case "getStorageConfig":
                return _record({"blockstore_type": "local"})
            case "uploadObject":
                assert isinstance(request.body, bytes)
                self.objects[path] = request.body
                return _record(_stats(path, request.body), 201)
            case "statObject" if path in self.objects:
                return _record(_stats(path, self.objects[path]))
            case "getObject" | "headObject" if path in self.objects:
                return Response(200, {"ETag": '"x"', "Content-Length": "5"}, self.objects[path])
        return Response(404, {"Content-Type": "application/json"}, b'{"message":"not found"}')


def _record(record: dict[str, Any], status: int = 200) -> Response:
    return Response(status, {"Content-Type": "application/json"}, json.dumps(record).encode())


def _stats(path: str, data: bytes) -> dict[str, Any]:
    return {
        "path": path, "path_type": "object", "physical_address": f"local://{path}", "checksum": "x", "mtime": 0,
        "size_bytes": len(data),
    }  # fmt: skip


# -------------------------------------------------------------------------------------------------- which transport


def test_the_endpoint_names_the_transport(tmp_path: Path) -> None:
    server = lakefs_hl.Client("http://127.0.0.1:1", KEY, SECRET)
    assert isinstance(server._transport, Http)
    assert (server._transport.fan_out, server._transport.width) == (MAX_THREADS, MAX_ON_LANE)
    assert isinstance(lakefs_hl.Client("mem://")._transport, InProcess)
    assert isinstance(lakefs_hl.Client(f"local:{tmp_path}/lake")._transport, InProcess)
    function = lakefs_hl.Client(transport=Server())
    assert isinstance(function._transport, FunctionTransport)
    assert function._transport.fan_out == 1
    assert function.with_options(max_concurrency=4)._transport.fan_out == 4


# --------------------------------------------------------------------------------------------- a function as transport


def test_a_function_answers_requests(colour: Colour) -> None:
    server = Server()
    branch = colour.branch(transport=server)
    written = colour.settle(branch.upload(b"hello", "a"))
    assert written.path == "a"
    assert colour.settle(branch.download("a")) == b"hello"
    with pytest.raises(exceptions.NotFoundException):
        colour.settle(branch.download("b"))
    assert {request.authorization for request in server.requests} == {None}
    assert server.requests[0].endpoint.operation in ("uploadObject", "getStorageConfig")


def test_with_asyncio_the_function_runs_in_a_thread() -> None:
    server = Server()

    async def ask() -> int:
        assert await aio.Client(transport=server).version == "1.2.3"
        return threading.get_ident()

    loop = asyncio.run(ask())
    assert server.threads
    assert loop not in server.threads


def test_a_slow_function_does_not_hold_up_the_loop() -> None:
    asked, go_on = threading.Event(), threading.Event()

    def answer(request: Request) -> Response:
        asked.set()
        assert go_on.wait(30)
        return _record({"version": "1.2.3"})

    async def ask() -> str:
        call = asyncio.ensure_future(aio.Client(transport=answer).version)
        await asyncio.to_thread(asked.wait, 30)
        assert not call.done()
        go_on.set()
        return await call

    assert asyncio.run(ask()) == "1.2.3"


def test_nothing_is_looked_up(colour: Colour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".lakectl.yaml").write_text("not: [yaml")
    monkeypatch.setenv("LAKECTL_SERVER_ENDPOINT_URL", "ftp://nonsense")
    monkeypatch.setenv("LAKEFS_HL_MAX_CONCURRENCY", "many")
    monkeypatch.setenv("LAKECTL_CREDENTIALS_ACCESS_KEY_ID", KEY)
    client = colour.module.Client(transport=Server())
    assert client.explain_auth() == (
        ("endpoint", "transport:Server", "keyword arguments"),
        ("credentials", "none", "a function as transport needs none"),
    )
    assert colour.settle(client.version) == "1.2.3"


def test_a_host_and_credentials_that_were_given_are_used(colour: Colour) -> None:
    server = Server()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing goes over a network, so nothing is unencrypted
        client = colour.module.Client("http://lakefs.example", KEY, SECRET, transport=server, verify_ssl=False)
    assert client.endpoint == "http://lakefs.example"
    assert colour.settle(client.version) == "1.2.3"
    assert str(server.requests[0].authorization) == "…"
    assert SECRET not in repr(client)
    assert repr(client).endswith("Client http://lakefs.example as access key AKIA… and its secret>")


def test_a_function_has_a_name() -> None:
    def answer(request: Request) -> Response:
        return Response(404)

    assert repr(lakefs_hl.Client(transport=answer)) == "<Client transport:answer as none>"


@pytest.mark.parametrize("host", ["local:./lake", "mem://"])
def test_a_lake_and_a_function_are_one_too_many(colour: Colour, host: str) -> None:
    with pytest.raises(exceptions.InvalidConfigError, match="is an embedded lake"):
        colour.module.Client(host, transport=Server())


def test_such_a_client_does_not_pickle(colour: Colour) -> None:
    branch = colour.branch(transport=Server())
    for value in (branch, branch._client, branch._client.with_options(timeout=3)):
        with pytest.raises(TypeError, match="cannot pickle a client with transport="):
            pickle.dumps(value)


def test_clients_of_the_same_function_are_equal(colour: Colour) -> None:
    one, other = Server(), Server()
    make = colour.module.Client
    assert make(transport=one) == make(transport=one)
    assert make(transport=one) != make(transport=other)
    assert make(transport=one) != make(transport=one, timeout=5)
    assert len({make(transport=one), make(transport=one), make(transport=other)}) == 2


def test_init_takes_it_too(colour: Colour) -> None:
    client = colour.module.init(transport=Server())
    try:
        assert colour.settle(client.version) == "1.2.3"
    finally:
        vars(colour.module).pop("DefaultClient", None)


def test_an_oserror_is_a_failure_of_the_network_and_is_retried(colour: Colour) -> None:
    server, failures = Server(), [ConnectionResetError("gone"), TimeoutError("late")]

    def answer(request: Request) -> Response:
        if failures:
            raise failures.pop()
        return server(request)

    retry = lakefs_hl.types.Retry(backoff_start=0, backoff_busy=0)
    assert colour.settle(colour.module.Client(transport=answer, retries=retry).version) == "1.2.3"
    failures.append(ConnectionResetError("gone"))
    with pytest.raises(exceptions.TransportException, match="the transport function raised ConnectionResetError: gone"):
        colour.settle(colour.module.Client(transport=answer, retries=0).version)


@pytest.mark.parametrize("error", [AssertionError, RuntimeError, ValueError])
def test_what_else_the_function_raises_reaches_the_caller(colour: Colour, error: type[Exception]) -> None:
    def answer(request: Request) -> Response:
        raise error("of the test")

    with pytest.raises(error, match="of the test"):
        colour.settle(colour.module.Client(transport=answer).version)


def test_the_generated_sdk_needs_a_server(colour: Colour) -> None:
    with pytest.raises(exceptions.UnsupportedOperationException, match="made with transport="):
        _ = colour.module.Client(transport=Server()).sdk_client


def test_it_can_be_closed_and_used_again(colour: Colour) -> None:
    client = colour.module.Client(transport=Server())
    for _ in range(2):
        assert colour.settle(client.version) == "1.2.3"
        colour.settle(client.close())
