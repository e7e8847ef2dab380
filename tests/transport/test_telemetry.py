"""All exchanges pass one place, and cost nothing while logs and spans are off."""

from __future__ import annotations

import logging

import pytest

from lakefs_hl.ops.effects import send
from lakefs_hl.spec.wire import Request, Response, TransportError
from lakefs_hl.transport.blocking import Blocking
from lakefs_hl.transport.http import Http
from lakefs_hl.transport.telemetry import many_sender, sender
from tests.transport.fakes import DELETE, STAT, Fake, FakeMany


def test_while_nothing_is_on_it_is_the_method_of_the_transport_itself(caplog: pytest.LogCaptureFixture) -> None:
    transport = Fake()
    with caplog.at_level(logging.INFO, "lakefs_hl"):
        assert sender(transport) == transport.send


def test_debug_is_looked_at_when_a_call_begins(caplog: pytest.LogCaptureFixture) -> None:
    driver = Blocking(Fake())
    for level, count in ((logging.INFO, 0), (logging.DEBUG, 1), (logging.INFO, 1)):
        with caplog.at_level(level, "lakefs_hl"):
            driver.run(send(STAT))
        assert len(caplog.records) == count


def test_what_a_transport_raises_goes_through_unchanged(caplog: pytest.LogCaptureFixture) -> None:
    error = OSError("the disk")

    def fail(*args: object) -> Response:
        raise error

    with caplog.at_level(logging.DEBUG, "lakefs_hl"), pytest.raises(OSError, match="the disk") as caught:
        sender(Fake(fail))(STAT)
    assert caught.value is error


@pytest.mark.parametrize(
    ("endpoint", "address"),
    [("http://h:8000/lakefs", "http://h:8000"), ("https://me:CANARY@h", "https://h")],
)
def test_the_address_of_a_transport_has_no_login(endpoint: str, address: str) -> None:
    assert Http(endpoint).address == address


def test_of_many_requests_each_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def answer(request: Request, *rest: object) -> Response:
        if request is DELETE:
            raise TransportError("wait", "lost")
        return Response(204)

    transport = FakeMany(answer)
    with caplog.at_level(logging.INFO, "lakefs_hl"):
        assert many_sender(transport) == transport.send_many
    with caplog.at_level(logging.DEBUG, "lakefs_hl"):
        sends = many_sender(transport)
        assert sends is not None
        found = sends([STAT, DELETE, STAT])
    assert [type(one) for one in found] == [Response, TransportError, Response]
    assert [record.getMessage().split(" ")[0] for record in caplog.records] == [
        "statObject",
        "deleteObject",
        "statObject",
    ]
    assert "lost" in caplog.records[1].getMessage()


def test_a_transport_without_it_has_no_sender_of_many() -> None:
    assert many_sender(Fake()) is None
