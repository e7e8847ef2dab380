"""Bodies without a connection: what a request sends, and where the body of a response goes, in pieces of any size."""

from __future__ import annotations

import errno
import gzip
import hashlib
import os
import random
import tempfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any

import pytest

from lakefs_hl.spec import endpoints, errors
from lakefs_hl.spec.wire import FileSlice, Request, Response, TransportError
from lakefs_hl.transport import body
from lakefs_hl.transport.body import BLOCK, BodyReader, ErrorBody, OwnFileError, SinkBody, WholeBody, receiver
from lakefs_hl.transport.limits import LIMITS

CONTENT = bytes(range(256)) * 5000  # more than a block
MD5 = hashlib.md5(CONTENT).hexdigest()
RECORD = Request(endpoints.STAT_OBJECT, ("r", "main"), {"path": "k"})
PIECES = [1, 7, 4096, BLOCK, len(CONTENT)]


def reading(sink: memoryview | FileSlice | None = None, **fields: Any) -> Request:
    return Request(endpoints.GET_OBJECT, ("r", "main"), {"path": "k"}, sink=sink, **fields)


def pieces(content: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


def received(request: Request, response: Response, content: bytes, size: int = BLOCK) -> Response:
    """The response after a write callback was given its body."""
    taker = receiver(request, response, LIMITS, body.md5(request))
    for piece in pieces(content, size):
        if taker.is_full:
            break
        taker.feed(memoryview(piece))
    taker.finish()
    return response


@pytest.fixture
def file() -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as opened:
        yield opened


def test_content_without_room_for_all_of_it_grows_as_it_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise MemoryError

    for taker in (body.MemoryBody, body.WholeBody):
        headers = {"content-length": str(len(CONTENT))}
        assert type(receiver(reading(), Response(200, headers), LIMITS, None)) is taker
        assert received(reading(digest=True), Response(200, headers), CONTENT).body == CONTENT
        monkeypatch.setattr(body.MemoryBody, "__init__", refuse)


@pytest.fixture
def content(file: IO[bytes]) -> FileSlice:
    file.write(b"before" + CONTENT + b"after")
    file.flush()
    return FileSlice(file.fileno(), 6, len(CONTENT))


# ----------------------------------------------------------------------------------------------------------- sending


@pytest.mark.parametrize("size", PIECES[2:])
def test_a_body_is_read_in_pieces_of_any_size_and_hashed(content: FileSlice, size: int) -> None:
    for sent in (CONTENT, content):
        hashed = hashlib.md5()
        reader = BodyReader(sent, hashed)
        assert b"".join(iter(lambda: reader.read(size), b"")) == CONTENT  # noqa: B023 - read at once
        assert (reader.length, hashed.hexdigest(), reader.read(size)) == (len(CONTENT), MD5, b"")


def test_a_body_is_iterated_in_blocks(content: FileSlice) -> None:
    assert [len(block) for block in BodyReader(content)] == [BLOCK, len(CONTENT) - BLOCK]
    assert list(BodyReader(b"")) == []


def test_a_file_that_is_too_short_is_the_callers_failure(file: IO[bytes]) -> None:
    file.write(b"abc")
    file.flush()
    with pytest.raises(OwnFileError, match="shorter than expected: 3 of 5 bytes") as caught:
        list(BodyReader(FileSlice(file.fileno(), 0, 5)))
    assert isinstance(caught.value.cause, EOFError)


def test_a_file_that_cannot_be_read_is_the_callers_failure(file: IO[bytes]) -> None:
    gone = FileSlice(file.fileno(), 0, 5)
    file.close()
    with pytest.raises(OwnFileError) as caught:
        BodyReader(gone).read(1)
    assert isinstance(caught.value.cause, OSError)


def test_a_file_is_checked_before_its_last_byte_is_handed_on(content: FileSlice) -> None:
    def changed() -> None:
        raise errors.IntegrityError("the file has changed")

    reader = BodyReader(FileSlice(content.fd, content.offset, content.length, changed))
    assert len(reader.read(BLOCK)) == BLOCK
    with pytest.raises(errors.IntegrityError):
        reader.read(BLOCK)


# --------------------------------------------------------------------------------------------------------- receiving


@pytest.mark.parametrize("size", PIECES[1:])
@pytest.mark.parametrize("status", [200, 206])
def test_a_sink_in_memory_is_filled_from_its_start(status: int, size: int) -> None:
    buffer = bytearray(len(CONTENT) + 10)
    response = received(reading(memoryview(buffer), digest=True), Response(status), CONTENT, size)
    assert (response.filled, response.md5, response.body) == (len(CONTENT), MD5, b"")
    assert bytes(buffer) == CONTENT + bytes(10)


@pytest.mark.parametrize("size", PIECES[2:])
def test_a_sink_in_a_file_is_filled_from_its_start(file: IO[bytes], size: int) -> None:
    sink = FileSlice(file.fileno(), 3, len(CONTENT))
    response = received(reading(sink, digest=True), Response(206), CONTENT, size)
    assert (response.filled, response.md5) == (len(CONTENT), MD5)
    assert file.read() == bytes(3) + CONTENT


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_a_window_takes_bytes_without_a_copy_of_its_own(file: IO[bytes], kind: str) -> None:
    buffer = bytearray(len(CONTENT))
    sink = memoryview(buffer) if kind == "memory" else FileSlice(file.fileno(), 0, len(CONTENT))
    response, hashed = Response(200), hashlib.md5()
    taker = receiver(reading(sink), response, LIMITS, hashed)
    assert isinstance(taker, SinkBody)
    while window := taker.window():
        count = min(len(window), 700_000)  # as a socket: not always all
        window[:count] = CONTENT[taker.received : taker.received + count]
        taker.advance(count)
    taker.finish()
    assert (bytes(buffer) if kind == "memory" else file.read()) == CONTENT
    assert (response.filled, response.md5) == (len(CONTENT), MD5)


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_that_does_not_fit_its_sink_is_an_error(announced: bool) -> None:
    headers = {"content-length": "6"} if announced else {}
    with pytest.raises(TransportError, match="at most 5 bytes, the response has") as caught:
        received(reading(memoryview(bytearray(5))), Response(200, headers), b"123456", 3)
    assert (caught.value.kind, caught.value.retry) == ("protocol", False)


def test_a_sink_never_receives_an_error_body() -> None:
    buffer = bytearray(100)
    response = received(reading(memoryview(buffer)), Response(404), b'{"message":"no"}')
    assert (response.body, bytes(buffer)) == (b'{"message":"no"}', bytes(100))


@pytest.mark.parametrize("size", [100, 1000, BLOCK])
def test_of_an_error_only_the_beginning_is_kept(size: int) -> None:
    taker = receiver(RECORD, response := Response(500), LIMITS, None)
    for piece in pieces(b"x" * 200_000, size):
        taker.feed(piece)
    assert taker.is_full
    taker.finish()
    assert response.body == b"x" * LIMITS.error_body


@pytest.mark.parametrize("size", PIECES[2:])
def test_a_body_without_a_sink_is_kept_whole(size: int) -> None:
    response = received(reading(digest=True), Response(200), CONTENT, size)
    assert (response.body, response.md5) == (CONTENT, MD5)


def test_a_body_in_one_piece_is_not_copied() -> None:
    taker = receiver(RECORD, response := Response(200), LIMITS, None)
    taker.feed(CONTENT)
    taker.finish()
    assert response.body is CONTENT


@pytest.mark.parametrize("announced", [True, False])
def test_a_record_has_a_size_limit_and_data_has_none(announced: bool) -> None:
    small = LIMITS._replace(record=10)
    headers = {"content-length": "11"} if announced else {}
    with pytest.raises(TransportError, match="larger than"):
        receiver(RECORD, Response(200, headers), small, None).feed(b"x" * 11)
    receiver(reading(), Response(200, headers), small, None).feed(b"x" * 11)


def raw_deflate(content: bytes) -> bytes:
    made = zlib.compressobj(wbits=-15)
    return made.compress(content) + made.flush()


@pytest.mark.parametrize(
    ("coding", "encode"),
    [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib.compress), ("deflate", raw_deflate)],
)
@pytest.mark.parametrize("status", [200, 404])
def test_a_record_and_an_error_are_decoded(coding: str, encode: Callable[[bytes], bytes], status: int) -> None:
    response = received(RECORD, Response(status, {"content-encoding": coding}), encode(b"a record" * 100), 64)
    assert response.body == b"a record" * 100


def test_an_objects_data_is_never_decoded() -> None:
    with pytest.raises(TransportError, match="a proxy on the way changes the bytes") as caught:
        receiver(reading(), Response(200, {"content-encoding": "gzip"}), LIMITS, None)
    assert caught.value.retry is False
    stored = gzip.compress(b"stored so")  # behind a pre-signed URL a store says how it keeps an object
    signed = Request(endpoints.PRESIGNED_GET, ("r", "main"), {"path": "k"}, url="https://s/k")
    assert received(signed, Response(200, {"content-encoding": "gzip"}), stored).body == stored


def test_what_is_sent_is_hashed_and_not_what_comes_back() -> None:
    request = Request(endpoints.UPLOAD_OBJECT, ("r", "main"), {"path": "k"}, body=CONTENT, digest=True)
    hashed = body.md5(request)
    list(BodyReader(CONTENT, hashed))
    taker = receiver(request, response := Response(201), LIMITS, hashed)
    taker.feed(b'{"path":"k"}')
    taker.finish()
    assert response.md5 == MD5


def test_each_response_goes_where_its_request_wants_it() -> None:
    takers = [
        receiver(RECORD, Response(404), LIMITS, None),
        receiver(reading(memoryview(bytearray(1))), Response(206), LIMITS, None),
        receiver(reading(memoryview(bytearray(1))), Response(204), LIMITS, None),  # not what fills a sink
        receiver(RECORD, Response(200), LIMITS, None),
    ]
    assert [type(taker) for taker in takers] == [ErrorBody, SinkBody, WholeBody, WholeBody]


def test_the_whole_of_a_slice_is_checked_after_it_was_read() -> None:
    seen: list[int] = []
    with tempfile.TemporaryFile() as file:
        file.write(b"0123456789")
        file.flush()
        assert body.whole(FileSlice(file.fileno(), 2, 3, lambda: seen.append(1))) == b"234"
        assert seen == [1]
        with pytest.raises(EOFError, match="5 of 9 bytes"):
            body.whole(FileSlice(file.fileno(), 5, 9))
    assert body.whole(b"bytes") == b"bytes"


@pytest.mark.parametrize("size", [10, BLOCK, 2 * BLOCK, 5 * BLOCK + 3])
@pytest.mark.parametrize("how", ["inside of the system", "by reading and writing", "partly"])
def test_a_file_is_filled_from_another(
    file: IO[bytes], size: int, how: str, rng: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, calls = os.copy_file_range, list[int]()

    def copies(*args: int) -> int:
        calls.append(args[2])
        if how == "by reading and writing" or len(calls) > 1:
            raise OSError(errno.EXDEV, "cross-device link")
        return copy(args[0], args[1], min(args[2], 1000), *args[3:])

    if how != "inside of the system":
        monkeypatch.setattr(os, "copy_file_range", copies)
    content, checked = rng.randbytes(size), list[int]()
    with tempfile.TemporaryFile() as target:
        file.seek(0)
        file.write(b"before" + content + b"after")
        file.flush()
        source = FileSlice(file.fileno(), 6, size, lambda: checked.append(len(target.read())))
        assert body.fill(FileSlice(target.fileno(), 3, size), source) == size
        target.seek(3)
        assert target.read() == content
    assert len(checked) == 1
    assert checked[0] < size + 3  # before the last byte is written


def test_a_sink_in_memory_is_filled_from_a_file_that_is_checked(file: IO[bytes]) -> None:
    file.seek(0)
    file.write(bytes(100))
    file.flush()
    checked = list[int]()
    assert body.fill(memoryview(bytearray(100)), FileSlice(file.fileno(), 0, 100, lambda: checked.append(1))) == 100
    assert checked == [1]
