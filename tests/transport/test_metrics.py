"""OpenTelemetry metrics: by operation and outcome, without names of the user's data, and nothing without a provider."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_mock import MockerFixture

import lakefs_hl
from lakefs_hl import aio, exceptions
from lakefs_hl.ops.effects import Op, gather, send, sleep
from lakefs_hl.spec import endpoints
from lakefs_hl.spec.wire import Request, Response, TransportError
from lakefs_hl.transport import metrics as ours
from lakefs_hl.transport.aio import Aio
from lakefs_hl.transport.blocking import Blocking
from lakefs_hl.transport.telemetry import many_sender, sender
from lakefs_hl.types import Retry
from tests.transport.fakes import STAT, Fake, FakeMany
from tests.transport.peers import answer, answering

pytest.importorskip("opentelemetry.sdk.metrics", reason="opentelemetry-sdk, of the extra `test`, is not installed")

from opentelemetry import metrics
from opentelemetry.metrics import _internal  # the only place where the provider of a process can be put back
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

#: Words that the user's data has in these tests, in every place that has a name.
NAMES = ("secret-project", "patients", "smith.csv", "CANARY")


class Points:
    """What was measured."""

    def __init__(self, reader: InMemoryMetricReader) -> None:
        self._reader = reader

    def all(self) -> list[tuple[str, dict[str, Any], Any]]:
        """Triples of name without its beginning, attributes, and the point."""
        data = self._reader.get_metrics_data()
        return [
            (metric.name.removeprefix("lakefs_hl.request."), dict(point.attributes or {}), point)
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            if scope.scope.name == "lakefs_hl"
            for metric in scope.metrics
            for point in metric.data.data_points
        ]

    def sums(self, name: str) -> dict[str, Any]:
        """The values of a counter by operation."""
        return {found["lakefs.operation"]: point.value for each, found, point in self.all() if each == name}


@pytest.fixture
def points(monkeypatch: pytest.MonkeyPatch) -> Iterator[Points]:
    """Metrics of a provider that is configured for one test."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    monkeypatch.setattr(_internal, "_METER_PROVIDER", provider)
    yield Points(reader)
    provider.shutdown()


def test_a_request_is_measured_by_operation_and_status(points: Points) -> None:
    body = b'{"version":"1.2.3"}'
    statuses = iter(["503 Service Unavailable", "200 OK"])
    with answering(lambda _: answer(body, status=next(statuses), content_type="application/json")) as server:
        client = lakefs_hl.Client(server.url, "key", "CANARY", retries=Retry(attempts=2, backoff_busy=0))
        assert client.version == "1.2.3"
        client.close()
    base = {"lakefs.operation": "getLakeFSVersion", "http.request.method": "GET"}
    failed = {**base, "http.response.status_code": 503, "error.type": "503"}
    done = {**base, "http.response.status_code": 200}
    found = [(name, attributes) for name, attributes, _ in points.all()]
    assert sorted(found, key=str) == sorted(
        [
            ("duration", failed),
            ("duration", done),
            ("received", failed),
            ("received", done),
            ("retries", {"lakefs.operation": "getLakeFSVersion"}),
        ],
        key=str,
    )
    assert points.sums("retries") == {"getLakeFSVersion": 1}
    for name, _, point in points.all():
        if name == "duration":
            assert (point.count, 0 < point.sum < 10) == (1, True)
            assert point.explicit_bounds[0] == 0.005  # seconds, not the milliseconds that the SDK takes by default
        elif name == "received":
            assert point.value == len(body)


@pytest.mark.parametrize("colour", ["blocking", "awaitable"])
def test_bytes_are_counted_and_nothing_of_the_users_is_named(points: Points, colour: str) -> None:
    client = lakefs_hl.Client("mem://")
    branch = lakefs_hl.repository("secret-project", client=client).create().branch("patients").create("main")
    if colour == "blocking":
        branch.upload_many([("smith.csv", b"x" * 1000), ("b/smith.csv", b"y" * 24)], progress=False)
        assert branch.download("smith.csv") == b"x" * 1000
    else:

        async def transfer() -> None:
            async with aio.Client(client.endpoint) as other:
                to = aio.repository("secret-project", client=other).branch("patients")
                await to.upload_many([("smith.csv", b"x" * 1000), ("b/smith.csv", b"y" * 24)], progress=False)
                assert await to.download("smith.csv") == b"x" * 1000

        asyncio.run(transfer())
    with pytest.raises(exceptions.NotFoundException):
        branch.stat("CANARY")
    assert points.sums("sent")["uploadObject"] == 1024
    assert points.sums("received")["getObject"] == 1000
    text = repr([(name, attributes) for name, attributes, _ in points.all()])
    assert [name for name in NAMES if name in text] == []
    client.close()


@pytest.mark.parametrize(
    ("error", "kind", "sent"),
    [
        (TransportError("wait", "lost", kind="timeout", sent=7, received=2), "timeout", 7),
        (OSError("disk"), "OSError", 0),
    ],
)
def test_a_request_without_a_response_is_measured(points: Points, error: Exception, kind: str, sent: int) -> None:
    def fail(*args: object) -> Response:
        raise error

    request = Request(endpoints.UPLOAD_OBJECT, ("r", "main"), {"path": "k"}, body=b"0123456789")
    with pytest.raises(type(error)):
        Blocking(Fake(fail)).run(send(request))
    (_, attributes, point), *rest = points.all()
    assert attributes == {"lakefs.operation": "uploadObject", "http.request.method": "POST", "error.type": kind}
    assert point.count == 1
    assert {name: one.value for name, _, one in rest} == ({"sent": sent, "received": 2} if sent else {})


def many() -> Op[list[Response]]:
    return gather((send(STAT) for _ in range(4)), 4)


@pytest.mark.parametrize("way", [Fake, FakeMany], ids=["threads", "waves"])
@pytest.mark.parametrize("colour", ["blocking", "awaitable"])
def test_concurrent_requests_are_each_measured(points: Points, colour: str, way: Callable[[], Fake]) -> None:
    if colour == "blocking":
        Blocking(way()).run(many())
    else:
        asyncio.run(Aio(way()).run(many()))
    ((name, attributes, point),) = points.all()
    assert (name, attributes["lakefs.operation"], point.count) == ("duration", "statObject", 4)


def test_waits_that_are_no_retries_are_not_counted(points: Points) -> None:
    Blocking(Fake()).run(sleep(0.0))
    assert points.all() == []


@pytest.mark.parametrize("broken", ["get_meter", "record", "add"])
def test_a_provider_that_raises_changes_no_result(points: Points, broken: str, mocker: MockerFixture) -> None:
    provider = mocker.Mock(spec=MeterProvider)
    error = RuntimeError("the provider")
    meter = provider.get_meter.return_value
    meter.create_histogram.return_value.record.side_effect = error if broken == "record" else None
    meter.create_counter.return_value.add.side_effect = error if broken == "add" else None
    provider.get_meter.side_effect = error if broken == "get_meter" else None
    mocker.patch.object(_internal, "_METER_PROVIDER", provider)
    driver = Blocking(Fake())
    for _ in range(2):
        driver.run(sleep(0.0, reason="HTTP 503", operation="statObject"))
        assert driver.run(send(STAT)).status == 204
    assert provider.get_meter.call_count == 1


def test_without_a_provider_requests_cost_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    for provider in (None, metrics.NoOpMeterProvider()):
        monkeypatch.setattr(_internal, "_METER_PROVIDER", provider)
        assert ours.find_meters() is None
        transport = FakeMany()
        assert sender(transport) == transport.send
        assert many_sender(transport) == transport.send_many


def test_a_program_that_does_not_import_opentelemetry_does_not_load_it() -> None:
    code = (
        "import sys, lakefs_hl\n"
        "lakefs_hl.repository('example', client=lakefs_hl.Client('mem://')).create().branch('main').upload(b'x', 'a')\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
