"""A function as transport: what it is given, what it may return, and what its exceptions mean."""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any

import msgspec
import pytest
from pytest_mock import MockerFixture

from lakefs_hl.ops import effects
from lakefs_hl.ops.effects import Cancelled
from lakefs_hl.spec import endpoints
from lakefs_hl.spec.errors import ObjectNotFoundException, TransportException
from lakefs_hl.spec.wire import FileSlice, Request, Response, TransportError
from lakefs_hl.transport.aio import Aio
from lakefs_hl.transport.function import FunctionTransport
from lakefs_hl.transport.scope import Scope

GET = Request(endpoints.GET_OBJECT, params=("r", "main"), query={"path": "a"})
PUT = Request(endpoints.UPLOAD_OBJECT, params=("r", "main"), query={"path": "a"}, body=b"hello", digest=True)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[IO[bytes]]:
    path = tmp_path / "file"
    path.write_bytes(b"..hello..")
    with path.open("r+b") as opened:
        yield opened


def send(function: Any, request: Request = GET) -> Response:
    return FunctionTransport(function).send(request)


# ------------------------------------------------------------------------------------------------------ the request


def test_the_function_gets_the_request() -> None:
    asked = list[Request]()

    def answer(request: Request) -> Response:
        asked.append(request)
        return Response(200, body=b"hello")

    response = send(answer)
    assert (response.status, response.body) == (200, b"hello")
    assert response.seconds > 0
    assert (asked[0].endpoint.operation, asked[0].params, dict(asked[0].query)) == (
        "getObject", ("r", "main"), {"path": "a"},
    )  # fmt: skip


def test_a_body_in_a_file_arrives_as_bytes(file: IO[bytes]) -> None:
    asked = list[Request]()

    def answer(request: Request) -> Response:
        asked.append(request)
        return Response(201)

    body = FileSlice(file.fileno(), 2, 5)
    response = send(answer, Request(endpoints.UPLOAD_OBJECT, params=("r", "m"), body=body, digest=True))
    assert asked[0].body == b"hello"
    assert response.md5 == hashlib.md5(b"hello").hexdigest()


def test_what_moves_is_hashed() -> None:
    assert send(lambda _: Response(201), PUT).md5 == hashlib.md5(b"hello").hexdigest()
    read = Request(endpoints.GET_OBJECT, params=("r", "m"), digest=True)
    assert send(lambda _: Response(200, body=b"data"), read).md5 == hashlib.md5(b"data").hexdigest()


def test_a_pre_signed_url_is_passed_on() -> None:
    asked = list[str | None]()

    def answer(request: Request) -> Response:
        asked.append(request.url)
        return Response(200)

    send(answer, Request(endpoints.GET_OBJECT, url="https://store.example/signed"))
    assert asked == ["https://store.example/signed"]


# ----------------------------------------------------------------------------------------------------- the response


def test_a_sink_is_filled() -> None:
    sink = bytearray(10)
    request = Request(endpoints.GET_OBJECT, params=("r", "m"), sink=memoryview(sink))
    response = send(lambda _: Response(200, body=b"hello"), request)
    assert (response.filled, response.body, bytes(sink[:5])) == (5, b"", b"hello")
    with pytest.raises(TransportError, match="asked for at most 10 bytes"):
        send(lambda _: Response(200, body=b"x" * 11), request)


def test_a_response_can_be_returned_any_number_of_times() -> None:
    response = Response(200, {"ETag": '"x"'}, b"hello")
    transport = FunctionTransport(lambda _: response)
    for _ in range(2):
        sink = bytearray(5)
        found = transport.send(Request(endpoints.GET_OBJECT, params=("r", "m"), sink=memoryview(sink)))
        assert (found.filled, bytes(sink)) == (5, b"hello")
        assert found.headers == {"etag": '"x"'}
    assert (response.body, response.headers) == (b"hello", {"ETag": '"x"'})


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        (None, "returned NoneType: it must be a lakefs_hl.types.Response"),
        ({"status": 200}, "returned dict: it must be"),
        (Response(200, body="text"), "returned a body of str: it must be bytes"),  # type: ignore[arg-type]
        (Response("200"), "returned a status of str: it must be an int"),  # type: ignore[arg-type]
        (Response(True), "returned a status of bool: it must be an int"),
        (Response(200, None), "returned headers of NoneType: they must be a mapping"),  # type: ignore[arg-type]
        (Response(200, [("a", "b")]), "returned headers of list"),  # type: ignore[arg-type]
        (Response(200, {"content-length": 1}), "names and values are not all str"),  # type: ignore[dict-item]
    ],
)
def test_anything_else_is_refused(returned: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        send(lambda _: returned)


def test_a_status_of_the_standard_library_is_a_status() -> None:
    assert repr(send(lambda _: Response(HTTPStatus.OK)).status) == "200"


def test_a_coroutine_is_refused_and_closed() -> None:
    async def answer(request: Request) -> Response:
        return Response(200)

    with pytest.raises(TypeError, match="returned a coroutine"):
        send(answer)


# -------------------------------------------------------------------------------------------------------- exceptions


@pytest.mark.parametrize(
    ("raised", "phase", "kind", "applied"),
    [
        (ConnectionRefusedError("no"), "connect", "refused", False),
        (ConnectionResetError("gone"), "wait", "reset", None),
        (BrokenPipeError(), "wait", "reset", None),
        (TimeoutError("late"), "wait", "timeout", None),
        (OSError(113, "No route to host"), "wait", "other", None),
        (FileNotFoundError("fixture.json"), "wait", "other", None),
    ],
)
def test_an_oserror_is_a_failure_of_the_network(raised: OSError, phase: str, kind: str, applied: bool | None) -> None:
    def answer(request: Request) -> Response:
        raise raised

    with pytest.raises(TransportError, match=f"the transport function raised {type(raised).__name__}") as caught:
        send(answer, PUT)
    assert (caught.value.phase, caught.value.kind, caught.value.applied) == (phase, kind, applied)
    assert caught.value.__cause__ is raised
    assert caught.value.retry
    assert caught.value.sent == (0 if phase == "connect" else 5)


@pytest.mark.parametrize(
    "raised",
    [
        AssertionError("the test's own"),
        KeyError("x"),
        KeyboardInterrupt(),
        TransportException("an error of this package, although an OSError"),
        ObjectNotFoundException("the same"),
    ],
)
def test_everything_else_passes_unchanged(raised: BaseException) -> None:
    def answer(request: Request) -> Response:
        raise raised

    with pytest.raises(type(raised)) as caught:
        send(answer)
    assert caught.value is raised


@pytest.mark.parametrize("raised", [StopIteration(), StopAsyncIteration()])
def test_an_iterator_at_its_end_is_an_error_and_not_a_call_without_end(raised: Exception) -> None:
    """asyncio's futures take no StopIteration: an awaitable call would wait for ever."""

    def answer(request: Request) -> Response:
        raise raised

    with pytest.raises(RuntimeError, match="iterator that is at its end") as caught:
        send(answer)
    assert caught.value.__cause__ is raised
    with pytest.raises(RuntimeError, match="iterator that is at its end"):
        asyncio.run(Aio(FunctionTransport(answer)).run(effects.send(GET)))


# -------------------------------------------------------------------------------------------------------------- time


@pytest.mark.parametrize(
    ("limits", "within", "words"),
    [
        ({"within": 0.001}, None, "the deadline expired after .* s while waiting for the response"),
        ({}, 0.001, "the deadline expired after .* s while waiting for the response"),
        ({"timeout": 0.001}, None, "the transport function sent no data for 0.001 s"),
    ],
)
def test_a_response_after_a_limit_that_was_set_did_not_arrive(
    limits: dict[str, float], within: float | None, words: str
) -> None:
    with pytest.raises(TransportError, match=words) as caught:
        FunctionTransport(slow).send(msgspec.structs.replace(PUT, **limits), None, within)
    error = caught.value
    assert (error.kind, error.phase, error.applied, error.sent, error.retry) == ("timeout", "wait", None, 5, True)
    assert error.seconds > 0.001


def test_without_a_limit_a_function_takes_its_time(mocker: MockerFixture) -> None:
    """A debugger may stop in it for longer than a server may take."""
    clock = mocker.patch("lakefs_hl.transport.function.time.perf_counter", side_effect=[0.0, 3600.0])
    assert send(lambda _: Response(200)).status == 200
    assert clock.call_count == 2


def test_after_the_deadline_it_is_not_called(mocker: MockerFixture) -> None:
    function = mocker.Mock()
    with pytest.raises(TransportError, match="before the request was sent"):
        FunctionTransport(function).send(GET, None, 0.0)
    function.assert_not_called()


def slow(_request: Request) -> Response:
    until = time.perf_counter() + 0.002
    while time.perf_counter() < until:
        pass
    return Response(200)


def test_a_cancelled_call_is_not_made() -> None:
    called = threading.Event()

    def answer(request: Request) -> Response:
        called.set()
        return Response(200)

    scope = Scope()
    scope.cancel()
    with pytest.raises(Cancelled):
        FunctionTransport(answer).send(GET, scope)
    assert not called.is_set()
    FunctionTransport(answer).close()
