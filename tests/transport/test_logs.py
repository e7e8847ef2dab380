"""One line per request at DEBUG, one per retry at INFO, and no secret in either."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

import lakefs_hl
from lakefs_hl import aio
from lakefs_hl.ops.effects import Cancelled, Op, Sleep, send, sleep
from lakefs_hl.spec import endpoints
from lakefs_hl.spec.wire import FileSlice, Request, Response, TransportError
from lakefs_hl.transport.aio import Aio
from lakefs_hl.transport.blocking import Blocking
from lakefs_hl.transport.logs import LOGGER, log_failure, log_response, log_retry, target_of
from tests.transport.fakes import STAT, Fake
from tests.transport.peers import answer, answering

ADDRESS = "http://h:8000"


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[list[tuple[int, str]]]:
    """Level and text of what is logged, as it comes."""
    found: list[tuple[int, str]] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append((record.levelno, record.getMessage()))

    handler = Keep()
    LOGGER.addHandler(handler)
    with caplog.at_level(logging.DEBUG, "lakefs_hl"):
        yield found
    LOGGER.removeHandler(handler)


def test_a_response_is_one_line(lines: list[tuple[int, str]]) -> None:
    log_response(ADDRESS, STAT, Response(200, body=b"12345", seconds=0.0124))
    url = "http://h:8000/api/v1/repositories/r/refs/main/objects/stat?path=k"
    assert lines == [(logging.DEBUG, f"statObject GET {url}: 200 in 0.012 s, sent 0 bytes, received 5 bytes")]


def test_bytes_in_files_and_sinks_are_counted(lines: list[tuple[int, str]]) -> None:
    upload = Request(endpoints.UPLOAD_OBJECT, ("r", "main"), {"path": "k"}, body=FileSlice(0, 0, 70))
    log_response("", upload, Response(201, filled=9))
    assert lines[0][1].endswith("sent 70 bytes, received 9 bytes")


def test_a_failure_names_kind_phase_and_reason(lines: list[tuple[int, str]]) -> None:
    log_failure(ADDRESS, STAT, TransportError("wait", "no response within 3 s", seconds=3.0, kind="timeout"))
    log_failure(ADDRESS, STAT, Cancelled())
    assert [text.partition("path=k: ")[2] for _, text in lines] == [
        "no response (timeout, phase wait) in 3.000 s: no response within 3 s",
        "ended by Cancelled",
    ]


def test_a_retry_is_logged_with_its_reason_and_other_waits_are_not(lines: list[tuple[int, str]]) -> None:
    log_retry(Sleep(2.0, reason="statObject: attempt 1 of 5 failed with HTTP 503"), 1.5)
    log_retry(Sleep(2.0), 1.5)
    assert lines == [(logging.INFO, "statObject: attempt 1 of 5 failed with HTTP 503; retrying in 1.500 s")]


def test_a_message_of_a_server_cannot_forge_a_line(lines: list[tuple[int, str]]) -> None:
    log_retry(Sleep(2.0, reason="merging: busy\nERROR root: \x1b[31mforged"), 1.0)
    log_failure("", STAT, TransportError("read", "no\r\nDEBUG lakefs_hl: forged"))
    assert [text.count("\n") + text.count("\r") + text.count("\x1b") for _, text in lines] == [0, 0]
    assert lines[0][1] == r"merging: busy\nERROR root: \x1b[31mforged; retrying in 1.000 s"


@pytest.mark.parametrize(
    ("request_", "shown"),
    [
        (
            msgspec.structs.replace(STAT, url="https://me:pw@b.s3.example:444/a/k?X-Amz-Signature=s#t"),
            "https://b.s3.example:444/a/k",
        ),
        (msgspec.structs.replace(STAT, url="http://[::1/x?sig=s"), "a pre-signed URL that is not a URL"),
        (
            Request(STAT.endpoint, STAT.params, {"path": "a\nb", "Session-Token": "s", "sig": "s"}),
            "/api/v1/repositories/r/refs/main/objects/stat?path=a%0Ab&Session-Token=REDACTED&sig=REDACTED",
        ),
        (Request(STAT.endpoint, ("r", "..")), "/api/v1/repositories/{repository}/refs/{ref}/objects/stat"),
    ],
    ids=["pre-signed", "no URL", "secrets in the query", "a name that no URL can carry"],
)
def test_a_target_has_no_secret_and_is_one_line(request_: Request, shown: str) -> None:
    assert target_of("", request_) == shown


@pytest.mark.parametrize(
    "url",
    [
        "s3cr3t",
        "javascript:s3cr3t",
        "//h/s3cr3t",
        "https:///s3cr3t",
        "https://h:99999/s3cr3t",
        "https://h:x/s3cr3t",
        "",
    ],
)
def test_of_what_is_no_url_nothing_is_shown(url: str) -> None:
    assert target_of("", msgspec.structs.replace(STAT, url=url)) == "a pre-signed URL that is not a URL"


def test_a_pre_signed_url_cannot_forge_a_line() -> None:
    shown = target_of("", msgspec.structs.replace(STAT, url="https://h\u2028x/k\x85forged"))
    assert shown == r"https://h\u2028x/k\x85forged"


@pytest.mark.parametrize("colour", ["blocking", "awaitable"])
def test_a_handler_that_raises_changes_no_result(colour: str, caplog: pytest.LogCaptureFixture) -> None:
    class Raises(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            asked.append(record.levelno)
            raise RuntimeError("the handler")

    def reply(*_: object) -> Response:
        outcome = next(replies)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def op() -> Op[Response]:
        with pytest.raises(TransportError, match="lost"):
            yield from send(STAT)
        yield from sleep(0.0, reason="statObject: attempt 1 of 5 failed")
        return (yield from send(STAT))

    asked = list[int]()
    replies: Iterator[TransportError | Response] = iter([TransportError("wait", "lost"), Response(200)])
    handler = Raises()
    LOGGER.addHandler(handler)
    try:
        with caplog.at_level(logging.DEBUG, "lakefs_hl"):
            if colour == "blocking":
                response = Blocking(Fake(reply)).run(op())
            else:
                response = asyncio.run(Aio(Fake(reply)).run(op()))
    finally:
        LOGGER.removeHandler(handler)
    assert response.status == 200
    assert asked == [logging.DEBUG, logging.INFO, logging.DEBUG]


def test_every_exchange_of_both_drivers_is_logged(lines: list[tuple[int, str]]) -> None:
    client = lakefs_hl.Client("mem://")
    repository = lakefs_hl.Repository("example", client=client).create()
    repository.branch("main").upload(b"hello", "a")
    repository.branch("main").download("a")
    blocking_calls = [text.partition(" ")[0] for _, text in lines]
    assert {"createRepository", "uploadObject", "getObject"} <= set(blocking_calls)
    lines.clear()

    async def main() -> None:
        async with aio.Client("mem://") as other:
            branch = (await aio.Repository("example", client=other).create()).branch("main")
            await branch.upload(b"hello", "a")
            await branch.download("a")

    asyncio.run(main())
    assert [text.partition(" ")[0] for _, text in lines] == blocking_calls
    client.close()


def test_a_retry_names_the_attempt_and_its_status(lines: list[tuple[int, str]]) -> None:
    def reply(_: Any) -> bytes:
        return next(replies)

    replies = iter(
        [answer(b"", "503 Service Unavailable"), answer(b'{"version":"1.2.3"}', content_type="application/json")]
    )
    with answering(reply) as server:
        client = lakefs_hl.Client(server.url, "key", "secret", retries=lakefs_hl.types.Retry(backoff_busy=0.001))
        assert client.version == "1.2.3"
        client.close()
    first, retry, second = [text for _, text in lines]
    assert first.startswith(f"getLakeFSVersion GET {server.url}/api/v1/config/version: 503 in ")
    assert re.fullmatch(r"getLakeFSVersion: attempt 1 of 5 failed with HTTP 503; retrying in 0\.00\d s", retry)
    assert ": 200 in " in second


def test_a_worker_has_the_context_of_its_caller() -> None:
    var: contextvars.ContextVar[str] = contextvars.ContextVar("var")
    seen: list[tuple[str, bool]] = []

    def note(*args: Any) -> Response:
        seen.append((var.get(), threading.current_thread() is threading.main_thread()))
        return Response(200)

    async def main() -> None:
        var.set("mine")
        await Aio(Fake(note)).run(send(STAT))

    asyncio.run(main())
    assert seen == [("mine", False)]


def test_a_program_without_logging_configuration_prints_nothing() -> None:
    code = (
        "import logging, lakefs_hl\n"
        "client = lakefs_hl.Client('mem://')\n"
        "assert any(isinstance(one, logging.NullHandler) for one in logging.getLogger('lakefs_hl').handlers)\n"
        "logging.getLogger('lakefs_hl').error('x')\n"
        "client.version\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""
