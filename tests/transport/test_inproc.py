"""A function as a transport: bodies, sinks, hashes, and the hook that gives back what a body lies in."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Generator, Iterator, Sequence
from typing import IO

import pytest
from pytest_mock import MockerFixture

from lakefs_hl.ops.effects import Cancelled
from lakefs_hl.spec import endpoints
from lakefs_hl.spec.wire import FileSlice, Request, Response, TransportError
from lakefs_hl.transport import inproc
from lakefs_hl.transport.base import Outcome
from lakefs_hl.transport.body import fill
from lakefs_hl.transport.inproc import InProcess
from lakefs_hl.transport.scope import Scope

CONTENT = bytes(range(256)) * 5000
MD5 = hashlib.md5(CONTENT).hexdigest()


def read(sink: memoryview | FileSlice | None = None, *, digest: bool = False) -> Request:
    return Request(endpoints.GET_OBJECT, ("r", "main"), {"path": "k"}, sink=sink, digest=digest)


@pytest.fixture(params=["bytes", "file"])
def body(request: pytest.FixtureRequest) -> Iterator[bytes | FileSlice]:
    """The content, as either kind of body."""
    with tempfile.TemporaryFile() as file:
        file.write(b"before" + CONTENT + b"after")
        file.flush()
        yield CONTENT if request.param == "bytes" else FileSlice(file.fileno(), 6, len(CONTENT))


@pytest.fixture
def target() -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as file:
        yield file


def test_a_body_without_a_sink_becomes_bytes(body: bytes | FileSlice) -> None:
    response = InProcess(lambda request: Response(200, body=body)).send(read(digest=True))
    assert (response.body, response.md5) == (CONTENT, MD5)


def test_a_sink_in_memory_is_filled(body: bytes | FileSlice) -> None:
    buffer = bytearray(len(CONTENT) + 10)
    response = InProcess(lambda request: Response(206, body=body)).send(read(memoryview(buffer), digest=True))
    assert (response.filled, response.body, response.md5) == (len(CONTENT), b"", MD5)
    assert bytes(buffer) == CONTENT + bytes(10)


def test_a_sink_in_a_file_is_filled(body: bytes | FileSlice, target: IO[bytes]) -> None:
    sink = FileSlice(target.fileno(), 3, len(CONTENT))
    response = InProcess(lambda request: Response(200, body=body)).send(read(sink))
    assert response.filled == len(CONTENT)
    assert target.read()[3:] == CONTENT


def test_b1_9_a_body_that_does_not_fit_is_an_error(body: bytes | FileSlice) -> None:
    buffer = bytearray(10)
    with pytest.raises(TransportError, match=f"at most 5 bytes, the response has {len(CONTENT)}"):
        InProcess(lambda request: Response(200, body=body)).send(read(memoryview(buffer)[:5]))
    assert not any(buffer)


@pytest.mark.parametrize("status", [302, 404, 416, 500])
def test_a_sink_never_sees_an_error_body(status: int) -> None:
    buffer = bytearray(10)
    response = InProcess(lambda request: Response(status, body=b"error")).send(read(memoryview(buffer)))
    assert (response.body, any(buffer)) == (b"error", False)


def test_a_request_body_is_hashed(body: bytes | FileSlice) -> None:
    request = Request(endpoints.UPLOAD_OBJECT, ("r", "main"), {"path": "k"}, body=body, digest=True)
    assert InProcess(lambda request: Response(201, body=b"{}")).send(request).md5 == MD5


def test_a_body_that_was_hashed_where_it_was_stored_is_not_hashed_again(mocker: MockerFixture) -> None:
    hashing = mocker.spy(inproc, "md5_of")
    request = Request(endpoints.UPLOAD_OBJECT, ("r", "main"), {"path": "k"}, body=CONTENT, digest=True)
    assert InProcess(lambda request: Response(201, body=b"{}", md5=MD5)).send(request).md5 == MD5
    assert hashing.call_count == 0


def test_a_file_that_is_too_short_is_an_error(target: IO[bytes]) -> None:
    target.write(b"short")
    target.flush()
    part = FileSlice(target.fileno(), 0, 100)
    for sink in (None, memoryview(bytearray(100))):
        with pytest.raises(EOFError, match="5 of 100 bytes"):
            InProcess(lambda request: Response(200, body=part)).send(read(sink))


@pytest.mark.parametrize("fails", [False, True])
def test_done_is_called_exactly_once(fails: bool) -> None:
    called = list[int]()
    response = Response(200, body=b"12345", done=lambda: called.append(1))
    transport = InProcess(lambda request: response)
    if fails:
        with pytest.raises(TransportError):
            transport.send(read(memoryview(bytearray(2))))
    else:
        assert transport.send(read()).done is None
    assert called == [1]


def test_short_reads_and_writes_are_continued(monkeypatch: pytest.MonkeyPatch, target: IO[bytes]) -> None:
    target.write(CONTENT)
    target.flush()
    preadv, pwrite = os.preadv, os.pwrite
    monkeypatch.setattr(os, "preadv", lambda fd, into, at: preadv(fd, [into[0][:777]], at))
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: pwrite(fd, memoryview(data)[:777], at))
    buffer = bytearray(len(CONTENT))
    assert fill(memoryview(buffer), FileSlice(target.fileno(), 0, len(CONTENT))) == len(CONTENT)
    assert bytes(buffer) == CONTENT
    assert fill(FileSlice(target.fileno(), 9, len(CONTENT)), CONTENT) == len(CONTENT)
    assert os.pread(target.fileno(), len(CONTENT), 9) == CONTENT


def test_a_cancelled_call_is_not_begun() -> None:
    scope, called = Scope(), list[Request]()
    scope.cancel()

    def app(request: Request) -> Response:
        called.append(request)
        return Response(200)

    with pytest.raises(Cancelled):
        InProcess(app).send(read(), scope)
    assert called == []


def test_a_lake_in_process_has_no_pre_signed_urls() -> None:
    request = Request(endpoints.PRESIGNED_GET, url="http://h/b?secret")
    with pytest.raises(TransportError) as caught:
        InProcess(lambda request: Response(200)).send(request)
    assert "secret" not in str(caught.value)


def test_close_calls_the_close_of_the_app() -> None:
    called = list[int]()
    InProcess(lambda request: Response(200), lambda: called.append(1)).close()
    InProcess(lambda request: Response(200)).close()
    assert called == [1]


# ---------------------------------------------------------------------------------------------------- many at a time


def test_many_requests_get_their_responses_whatever_the_order() -> None:
    def batch(requests: Sequence[Request]) -> Generator[tuple[int, Outcome], None, None]:
        yield 2, Response(202)
        yield 0, Response(200, body=b"first")
        yield 1, KeyError("mine")

    transport = InProcess(lambda request: Response(500), batch=batch)
    first, second, third = transport.send_many([read(), read(), read()])
    assert isinstance(first, Response)
    assert isinstance(third, Response)
    assert (first.status, first.body, third.status) == (200, b"first", 202)
    assert isinstance(second, KeyError)
    assert first.seconds > 0


def test_each_body_is_moved_and_released_before_the_next_response() -> None:
    events, buffers = list[str](), [bytearray(3), bytearray(3)]

    def batch(requests: Sequence[Request]) -> Generator[tuple[int, Outcome], None, None]:
        for number in range(2):
            events.append(f"answered {number}")
            yield number, Response(200, body=b"%03d" % number, done=lambda: events.append("released"))
        events.append("over")

    transport = InProcess(lambda request: Response(500), batch=batch)
    found = transport.send_many([read(memoryview(buffer)) for buffer in buffers])
    assert events == ["answered 0", "released", "answered 1", "released", "over"]
    assert buffers == [b"000", b"001"]
    assert [one.filled for one in found if isinstance(one, Response)] == [3, 3]


def test_a_body_that_does_not_fit_is_an_error_of_its_request_only() -> None:
    def batch(requests: Sequence[Request]) -> Generator[tuple[int, Outcome], None, None]:
        for number in range(2):
            yield number, Response(200, body=b"12345")

    transport = InProcess(lambda request: Response(500), batch=batch)
    bad, good = transport.send_many([read(memoryview(bytearray(2))), read(memoryview(bytearray(9)))])
    assert isinstance(bad, TransportError)
    assert isinstance(good, Response)


def test_without_a_batch_each_is_sent_by_itself() -> None:
    def app(request: Request) -> Response:
        if request.digest:
            raise KeyError("mine")
        return Response(204)

    good, bad = InProcess(app).send_many([read(), read(digest=True)])
    assert isinstance(good, Response)
    assert isinstance(bad, KeyError)


def test_a_pre_signed_url_among_many_is_refused_alone() -> None:
    transport = InProcess(lambda request: Response(204), batch=lambda requests: (_ for _ in ()))
    good, bad = transport.send_many([read(), Request(endpoints.PRESIGNED_GET, url="http://h/b?secret")])
    assert isinstance(good, Response)
    assert isinstance(bad, TransportError)


def test_what_is_cancelled_is_not_begun() -> None:
    scope = Scope()
    scope.cancel()
    with pytest.raises(Cancelled):
        InProcess(lambda request: Response(204)).send_many([read()], scope)


def test_answers_are_closed_when_moving_a_body_is_interrupted() -> None:
    closed = list[bool]()

    def batch(requests: Sequence[Request]) -> Generator[tuple[int, Outcome], None, None]:
        try:
            yield 0, Response(200, done=_interrupt)
        finally:
            closed.append(True)

    with pytest.raises(KeyboardInterrupt):
        InProcess(lambda request: Response(500), batch=batch).send_many([read()])
    assert closed == [True]


def _interrupt() -> None:
    raise KeyboardInterrupt
