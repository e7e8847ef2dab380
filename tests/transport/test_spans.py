"""OpenTelemetry spans: one per call, one per request below it, and nothing without a provider."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_mock import MockerFixture

import lakefs_hl
from lakefs_hl import aio, exceptions
from lakefs_hl.ops.effects import Op, gather, send
from lakefs_hl.spec.wire import Request, Response, TransportError
from lakefs_hl.transport import spans
from lakefs_hl.transport.aio import Aio
from lakefs_hl.transport.blocking import Blocking
from tests.transport.fakes import STAT, Fake, FakeMany
from tests.transport.peers import Asked, answer, answering

pytest.importorskip("opentelemetry.sdk.trace", reason="opentelemetry-sdk, of the extra `test`, is not installed")

from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """Spans of a provider that is configured for one test: OpenTelemetry itself sets one only once per process."""
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    yield kept
    provider.shutdown()


def names(exporter: InMemorySpanExporter) -> list[str]:
    return [span.name for span in exporter.get_finished_spans()]


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def parent_of(span: ReadableSpan) -> int | None:
    return span.parent.span_id if span.parent else None


def test_a_request_to_a_server_has_the_attributes_of_an_http_client(exporter: InMemorySpanExporter) -> None:
    with answering(lambda _: answer(b'{"version":"1.2.3"}', content_type="application/json")) as server:
        client = lakefs_hl.Client(server.url, "key", "secret")
        assert client.version == "1.2.3"
        client.close()
    request, call = exporter.get_finished_spans()
    assert (request.name, request.kind) == ("getLakeFSVersion", SpanKind.CLIENT)
    assert attributes(request) == {
        "http.request.method": "GET",
        "http.request.body.size": 0,
        "url.full": f"{server.url}/api/v1/config/version",
        "server.address": "127.0.0.1",
        "server.port": server.port,
        "http.response.status_code": 200,
        "http.response.body.size": 19,
    }
    assert (call.name, call.kind, parent_of(call)) == ("lakefs_hl.server.version", SpanKind.INTERNAL, None)
    assert parent_of(request) == call.context.span_id
    assert request.instrumentation_scope is not None
    assert request.instrumentation_scope.name == "lakefs_hl"


def test_a_request_in_process_names_repository_and_reference(exporter: InMemorySpanExporter) -> None:
    client = lakefs_hl.Client("mem://")
    branch = lakefs_hl.Repository("example", client=client).create().branch("main")
    branch.upload(b"x", "a")
    exporter.clear()
    branch.stat("a")
    request = exporter.get_finished_spans()[0]
    assert (request.name, request.kind) == ("statObject", SpanKind.INTERNAL)
    found = attributes(request)
    assert (found["lakefs.repository"], found["lakefs.ref"]) == ("example", "main")
    assert "server.address" not in found
    client.close()


def test_an_error_response_is_the_type_of_the_error(exporter: InMemorySpanExporter) -> None:
    client = lakefs_hl.Client("mem://")
    with pytest.raises(exceptions.NotFoundException):
        lakefs_hl.Repository("nowhere", client=client).branch("main").stat("a")
    request, call = exporter.get_finished_spans()
    assert attributes(request)["error.type"] == "404"
    assert attributes(call)["error.type"] == "NotFoundException"
    assert {request.status.status_code, call.status.status_code} == {StatusCode.ERROR}
    assert [*request.events, *call.events] == []  # neither messages nor stack traces
    client.close()


@pytest.mark.parametrize(
    ("error", "kind"),
    [(TransportError("wait", "no response", kind="timeout"), "timeout"), (OSError("the disk"), "OSError")],
)
def test_a_request_without_a_response_has_the_kind_of_the_failure(
    exporter: InMemorySpanExporter, error: Exception, kind: str
) -> None:
    def fail(*args: object) -> Response:
        raise error

    with pytest.raises(type(error)):
        Blocking(Fake(fail)).run(send(STAT))
    request, call = exporter.get_finished_spans()
    assert attributes(request)["error.type"] == kind
    assert attributes(call)["error.type"] == type(error).__name__


def test_a_presigned_url_is_shown_without_its_signature(exporter: InMemorySpanExporter) -> None:
    request = Request(STAT.endpoint, STAT.params, url="https://bucket.example/k?X-Amz-Signature=CANARY")
    Blocking(Fake()).run(send(request))
    found = attributes(exporter.get_finished_spans()[0])
    assert (found["url.full"], found["server.address"], found["server.port"]) == (
        "https://bucket.example/k",
        "bucket.example",
        443,
    )


def test_a_url_without_a_usable_port_fails_as_it_does_without_spans(exporter: InMemorySpanExporter) -> None:
    request = Request(STAT.endpoint, STAT.params, url="https://bucket.example:99999/k?X-Amz-Signature=CANARY")
    assert Blocking(Fake()).run(send(request)).status == 204
    found = attributes(exporter.get_finished_spans()[0])
    assert found["url.full"] == "a pre-signed URL that is not a URL"
    assert "server.address" not in found


@pytest.mark.parametrize("colour", ["blocking", "awaitable"])
@pytest.mark.parametrize("method", ["on_start", "on_end"])
def test_a_provider_that_raises_changes_no_result(
    exporter: InMemorySpanExporter, method: str, colour: str, mocker: MockerFixture
) -> None:
    processor = SpanProcessor()
    raises = mocker.patch.object(processor, method, side_effect=RuntimeError("the processor"))
    provider = trace.get_tracer_provider()
    assert isinstance(provider, TracerProvider)
    provider.add_span_processor(processor)
    response = Blocking(Fake()).run(send(STAT)) if colour == "blocking" else asyncio.run(Aio(Fake()).run(send(STAT)))
    assert response.status == 204
    assert raises.call_count == 2
    assert trace.get_current_span() is trace.INVALID_SPAN


def many() -> Op[list[Response]]:
    return gather((send(STAT) for _ in range(4)), 4)


@pytest.mark.parametrize("way", [Fake, FakeMany], ids=["threads", "waves"])
@pytest.mark.parametrize("colour", ["blocking", "awaitable"])
def test_requests_on_worker_threads_are_children_of_their_call(
    exporter: InMemorySpanExporter, colour: str, way: Callable[[], Fake]
) -> None:
    with trace.get_tracer("user").start_as_current_span("user"):
        if colour == "blocking":
            Blocking(way()).run(many())
        else:
            asyncio.run(Aio(way()).run(many()))
    *requests, call, user = exporter.get_finished_spans()
    assert [one.name for one in requests] == ["statObject"] * 4
    assert {parent_of(one) for one in requests} == {call.context.span_id}
    assert (call.name, parent_of(call)) == ("lakefs_hl.effects.gather", user.context.span_id)


@pytest.mark.parametrize("colour", ["blocking", "awaitable"])
def test_a_transfer_of_a_directory_is_one_tree_on_the_server_too(
    exporter: InMemorySpanExporter, colour: str, tmp_path: Path
) -> None:
    """The spans of its requests are below it, on whichever threads, and the server gets the IDs of these spans."""
    for number in range(6):
        (tmp_path / f"{number}.csv").write_text("x", encoding="utf-8")
    with answering(_lakefs) as server:
        arguments = server.url, "key", "CANARY"
        with trace.get_tracer("user").start_as_current_span("user"), baggage_of("CANARY"):
            if colour == "blocking":
                with lakefs_hl.Client(*arguments) as client:
                    lakefs_hl.repository("example", client=client).branch("main").upload_dir(tmp_path, progress=False)
            else:

                async def main() -> None:
                    async with aio.Client(*arguments) as client:
                        branch = aio.repository("example", client=client).branch("main")
                        await branch.upload_dir(tmp_path, progress=False)

                asyncio.run(main())
        asked = list(server.asked)
    spans = {span.context.span_id: span for span in exporter.get_finished_spans()}
    roots = [span.name for span in spans.values() if parent_of(span) is None]
    assert roots == ["user"]
    requests = [span for span in spans.values() if span.kind is SpanKind.CLIENT]
    assert [span.name for span in requests].count("uploadObject") == 6
    for span in requests:
        way, above = list[str](), parent_of(span)
        while above is not None:
            way.append(spans[above].name)
            above = parent_of(spans[above])
        assert way[-2:] == ["lakefs_hl.upload_dir", "user"]
    sent = {request.headers["traceparent"].rpartition("-")[0] for request in asked}  # without the flags
    assert sent == {f"00-{one.context.trace_id:032x}-{one.context.span_id:016x}" for one in requests}
    assert "CANARY" not in repr([(request.target, request.headers.get("baggage")) for request in asked])


def _lakefs(asked: Asked) -> bytes:
    """The responses that an upload needs."""
    if "/objects" in asked.target:
        stat = {
            "path": "x",
            "path_type": "object",
            "physical_address": "p",
            "checksum": "",
            "mtime": 0,
            "size_bytes": 1,
        }
        stat["checksum"] = "9dd4e461268c8034f5c8564e155c67a6"  # the MD5 of "x"
        return answer(json.dumps(stat).encode(), status="201 Created", content_type="application/json")
    if "/branches/" in asked.target:
        return answer(b'{"id": "main", "commit_id": "c"}', content_type="application/json")
    config = {"pre_sign_support": False, "blockstore_type": "local", "blockstore_namespace_example": ""}
    return answer(json.dumps(config).encode(), content_type="application/json")


@contextlib.contextmanager
def baggage_of(value: str) -> Iterator[None]:
    token = context.attach(baggage.set_baggage("user", value))
    yield
    context.detach(token)


def test_an_object_store_gets_no_header_of_the_trace(exporter: InMemorySpanExporter) -> None:
    seen = list[Request]()

    class Remote(Fake):
        address = "http://127.0.0.1:1"

    def note(request: Request, *rest: object) -> Response:
        seen.append(request)
        return Response(204)

    driver = Blocking(Remote(note))
    driver.run(send(STAT))
    driver.run(send(Request(STAT.endpoint, STAT.params, url="https://bucket.example/k?X-Amz-Signature=CANARY")))
    assert [sorted(request.headers) for request in seen] == [["traceparent"], []]
    assert STAT.headers == {}  # the request itself, which is sent again by a retry, is as it was


def test_spans_of_concurrent_tasks_do_not_mix(exporter: InMemorySpanExporter) -> None:
    async def main() -> None:
        async with aio.Client("mem://") as client:
            branch = (await aio.Repository("example", client=client).create()).branch("main")
            await branch.upload(b"x", "a")
            exporter.clear()

            async def read(name: str) -> None:
                with trace.get_tracer("user").start_as_current_span(name):
                    await branch.stat("a")

            await asyncio.gather(*(read(f"task {number}") for number in range(5)))

    asyncio.run(main())
    found = {span.context.span_id: span for span in exporter.get_finished_spans()}
    roots = set()
    for span in found.values():
        if span.name == "statObject":
            call = found[parent_of(span) or 0]
            roots.add(found[parent_of(call) or 0].name)
    assert roots == {f"task {number}" for number in range(5)}


def test_a_listing_has_a_span_per_page(exporter: InMemorySpanExporter) -> None:
    client = lakefs_hl.Client("mem://")
    branch = lakefs_hl.Repository("example", client=client).create().branch("main")
    branch.upload(b"x", "a")
    exporter.clear()
    assert [one.path for one in branch.list_objects()] == ["a"]
    assert names(exporter) == ["listObjects"]
    client.close()


def test_without_a_provider_there_is_no_tracer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    assert spans.find_tracer() is None


def test_a_program_that_does_not_import_opentelemetry_does_not_load_it() -> None:
    code = (
        "import sys, lakefs_hl\n"
        "client = lakefs_hl.Client('mem://')\n"
        "client.version\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
