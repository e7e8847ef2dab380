"""Failures: each kind has one wording, says whether another attempt makes sense, and shows no path and no query."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, get_args

import pytest

from lakefs_hl.spec.wire import FileSlice, Phase, Response
from lakefs_hl.transport import failures
from lakefs_hl.transport.failures import Fault

PHASES = get_args(Phase)
VALUES: dict[str, Any] = {
    "where": "h:1",
    "proxy": "p:2",
    "why": "because",
    "what": "sends too much",
    "missing": "1 bytes received, 2 missing",
    "reason": "Bad Gateway",
    "status": 502,
    "sent": 5,
    "length": 9,
    "seconds": 1.5,
    "phase": "read",
}
FAULTS: dict[str, Callable[..., Fault]] = {
    name: function
    for name, function in vars(failures).items()
    if inspect.isfunction(function) and inspect.signature(function).return_annotation == "Fault"
}
FINAL = {"bad_certificate", "bad_response", "not_http", "plain_text", "speaks_tls", "tls_failed"}


def made(name: str, **values: Any) -> Fault:
    function = FAULTS[name]
    return function(**{one: {**VALUES, **values}[one] for one in inspect.signature(function).parameters})


@pytest.mark.parametrize("name", FAULTS)
def test_a_failure_names_the_peer_and_says_whether_to_try_again(name: str) -> None:
    fault = made(name)
    assert "p:2" in fault.message if name.startswith("proxy") else "h:1" in fault.message
    assert fault.message[0].islower() or fault.message.startswith("TLS")
    assert fault.retry is (name not in FINAL)
    assert fault.kind in ("timeout", "certificate", "protocol", "proxy", "refused", "reset", "dns", "other")


@pytest.mark.parametrize("phase", PHASES)
def test_the_phase_is_part_of_the_message(phase: Phase) -> None:
    names = ("no_data", "connection_closed", "broken", "deadline_expired")
    messages = [made(name, phase=phase).message for name in names]
    for message in messages:
        assert failures._DOING[phase] in message


def test_a_peer_that_takes_nothing_is_told_from_one_that_sends_nothing() -> None:
    assert "accepted no data for 1.5 s" in made("no_data", phase="send").message
    assert "sent no data for 1.5 s" in made("no_data", phase="wait").message


@pytest.mark.parametrize(("status", "retry"), [(407, False), (403, False), (502, True), (503, True)])
def test_a_proxys_refusal_is_final_if_another_attempt_changes_nothing(status: int, retry: bool) -> None:
    assert made("proxy_refused", status=status).retry is retry
    assert str(status) in made("proxy_refused", status=status).message


def test_an_error_has_what_its_exchange_had() -> None:
    answer = Response(200)
    error = failures.connection_closed("h:1", "read").error(sent=1, received=2, seconds=3.0, response=answer)
    assert (error.phase, error.kind, error.retry) == ("read", "reset", True)
    assert (error.sent, error.received, error.seconds, error.response) == (1, 2, 3.0, answer)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"Client sent an HTTP request to an HTTPS server.\n", True),
        (b"<h1>400</h1>The plain HTTP request was sent to HTTPS port", True),
        (b'{"message":"bad request"}', False),
        (FileSlice(0, 0, 1), False),
    ],
)
def test_a_400_may_say_that_the_port_speaks_tls(body: bytes | FileSlice, expected: bool) -> None:
    assert failures.wants_tls(body) is expected
