"""Content passed to a function: one version, in ranges, resumed where it broke, compared with its checksum."""

from __future__ import annotations

import hashlib
import os
import tempfile
from typing import Any

import pytest

from lakefs_hl.ops import stream
from lakefs_hl.ops.stream import FIRST, SPAN, ToFile, ToFunction
from lakefs_hl.spec import errors, models, multipart
from lakefs_hl.spec.wire import FileSlice, Request, Response
from lakefs_hl.transport.body import md5 as hash_of
from tests.ops.script import Play, breaking, ok, session, step

S = session()
DATA = b"0123456789"
MD5 = hashlib.md5(DATA).hexdigest()
GET = ("getObject", "r", "b")


class File:
    """What was written, and how."""

    def __init__(self) -> None:
        self.blocks: list[bytes] = []
        self.restarts = 0

    def write(self, content: memoryview) -> None:
        self.blocks.append(bytes(content))

    def restart(self) -> None:
        self.blocks.clear()
        self.restarts += 1


def part(content: bytes, start: int = 0, size: int = 10, etag: str = MD5, encryption: str = "") -> Any:
    """A range, put into the sink."""

    def answer(request: Request) -> Response:
        assert isinstance(request.sink, memoryview)
        request.sink[: len(content)] = content
        hashed = hash_of(request)
        if hashed is not None:
            hashed.update(content)
        headers = {"etag": f'"{etag}"', "content-range": f"bytes {start}-{start + len(content) - 1}/{size}"}
        return Response(
            206, {**headers, "x-amz-server-side-encryption": encryption}, b"", filled=len(content), hashed=hashed
        )

    return answer


def stat(size: int = 10) -> Response:
    return ok(models.ObjectStats("k", "object", "s3://b/k", MD5, 1, size))


def copy(file: File, **options: Any) -> Any:
    return stream.copy_to(
        S, "r", "b", "k", ToFunction(file.write), **{"pre_signed": False, "restart": file.restart, **options}
    )


def test_a_small_object_is_one_request() -> None:
    file = File()
    play = Play(step(*GET, answer=part(DATA)))
    assert play.run(copy(file)) == 10
    assert file.blocks == [DATA]
    assert play.sent[0].headers["range"] == f"bytes=0-{FIRST - 1}"


def test_a_large_object_is_fetched_in_ranges_of_one_version() -> None:
    content = bytes(FIRST + SPAN + 3)
    etag, size, file = hashlib.md5(content).hexdigest(), len(content), File()
    second = FIRST + SPAN
    play = Play(
        step(*GET, answer=part(content[:FIRST], 0, size, etag)),
        step(*GET, answer=part(content[FIRST:second], FIRST, size, etag)),
        step(*GET, answer=part(content[second:], second, size, etag)),
    )
    assert play.run(copy(file)) == size
    assert b"".join(file.blocks) == content
    assert [request.headers["range"] for request in play.sent] == [
        f"bytes=0-{FIRST - 1}",
        f"bytes={FIRST}-{second - 1}",
        f"bytes={second}-{size - 1}",
    ]
    changed = Play(
        step(*GET, answer=part(content[:FIRST], 0, size, etag)),
        step(*GET, answer=part(content[FIRST:second], FIRST, size, "another")),
    )
    changed.fails(copy(File()), errors.ObjectChangedError, "reading lakefs://r/b/k: the object has changed")


def test_offsets_from_the_end_are_those_of_the_version_that_was_looked_up() -> None:
    file = File()
    play = Play(step("statObject", "r", "b", answer=stat()), step(*GET, answer=part(DATA[-3:-1], 7)))
    assert play.run(copy(file, start=-3, end=-1)) == 2
    assert play.sent[1].headers["range"] == "bytes=7-8"
    play = Play(step("statObject", "r", "b", answer=stat()), step(*GET, answer=part(DATA[-3:], 7, etag="another")))
    play.fails(copy(File(), start=-3), errors.ObjectChangedError, "lakefs://r/b/k")


def test_an_empty_range_is_of_an_object_that_exists() -> None:
    file = File()
    assert Play(step("statObject", "r", "b", answer=stat())).run(copy(file, start=5, end=5)) == 0
    assert file.blocks == []


def test_a_range_that_breaks_is_resumed() -> None:
    file = File()
    play = Play(step(*GET, answer=breaking(DATA[:4], 10, 0, MD5)), step(*GET, answer=part(DATA[4:], 4)))
    assert play.run(copy(file)) == 10
    assert file.blocks == [DATA]
    assert play.sent[1].headers["range"] == f"bytes=4-{FIRST - 1}"


def test_a_whole_object_that_does_not_match_is_read_again_twice() -> None:
    file = File()
    play = Play(step(*GET, answer=part(b"012345678X")), step(*GET, answer=part(DATA)))
    assert play.run(copy(file)) == 10
    assert (file.blocks, file.restarts) == ([DATA], 1)
    play = Play(*[step(*GET, answer=part(b"012345678X"))] * 3)
    play.fails(copy(File()), errors.IntegrityError, "lakefs://r/b/k: the content has MD5")


def test_what_cannot_be_dropped_is_read_once() -> None:
    play = Play(step(*GET, answer=part(b"012345678X")))
    play.fails(copy(File(), restart=None), errors.IntegrityError, "verify=False reads it without the comparison")


@pytest.mark.parametrize("options", [{"verify": False}, {"start": 0, "end": 10}])
def test_a_range_or_verify_false_is_not_compared(options: dict[str, Any]) -> None:
    assert Play(step(*GET, answer=part(b"012345678X"))).run(copy(File(), **options)) == 10


def test_an_error_of_the_function_ends_the_read() -> None:
    def full(content: memoryview) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        Play(step(*GET, answer=part(DATA))).run(stream.copy_to(S, "r", "b", "k", ToFunction(full), pre_signed=False))


def to_file(content: bytes, start: int, size: int, etag: str, *, tells: bool = True) -> Any:
    """A range, written to the file."""

    def answer(request: Request) -> Response:
        assert isinstance(request.sink, FileSlice)
        os.pwrite(request.sink.fd, content, request.sink.offset)
        hashed = hash_of(request) if tells else None
        if hashed is not None:
            hashed.update(content)
        headers = {"etag": f'"{etag}"', "content-range": f"bytes {start}-{start + len(content) - 1}/{size}"}
        return Response(206, headers, b"", filled=len(content), hashed=hashed)

    return answer


def test_a_file_gets_the_first_range_and_then_the_rest() -> None:
    content = bytes(range(256)) * ((FIRST + SPAN) // 256 + 1)
    etag, size = hashlib.md5(content).hexdigest(), len(content)
    steps = [
        step(*GET, answer=to_file(content[:FIRST], 0, size, etag), headers={"range": f"bytes=0-{FIRST - 1}"}),
        step(*GET, answer=to_file(content[FIRST:], FIRST, size, etag), headers={"range": f"bytes={FIRST}-{size - 1}"}),
    ]
    with tempfile.TemporaryFile() as file:
        target = ToFile(file.fileno())
        assert Play(*steps).run(stream.copy_to(S, "r", "b", "k", target, pre_signed=False)) == size
        assert file.read() == content


def test_a_file_whose_content_was_not_hashed_is_not_taken_for_verified() -> None:
    with tempfile.TemporaryFile() as file:
        target, play = ToFile(file.fileno()), Play(step(*GET, answer=to_file(DATA, 0, 10, MD5, tells=False)))
        op = stream.copy_to(S, "r", "b", "k", target, pre_signed=False)
        play.fails(op, errors.IntegrityError, "the content was not hashed while it was received")


def test_what_the_store_encrypts_with_a_key_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multipart, "PART_BYTES", 4)
    for restarts in (True, False):
        file, made = File(), session()
        restart, target = file.restart if restarts else None, ToFunction(file.write)
        read = stream.copy_to(made, "r", "b", "k", target, pre_signed=False, restart=restart)
        assert Play(step(*GET, answer=part(DATA, etag=f"{'f' * 32}-3", encryption="aws:kms"))).run(read) == 10
        assert (file.blocks, file.restarts) == ([DATA], 0)
        assert made.incomparable == {("r", 4)}
