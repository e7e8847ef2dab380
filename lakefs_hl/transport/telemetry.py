"""The one place that all exchanges of all drivers pass: where requests are logged, traced and measured.

Drivers take their `send` from here, so a transport has no code for it. While DEBUG is off and OpenTelemetry is not
configured it is the transport's own method, and a request costs nothing more.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Protocol

from lakefs_hl.spec.wire import Request, Response
from lakefs_hl.transport import metrics, spans
from lakefs_hl.transport.base import Outcome, SendMany, Transport
from lakefs_hl.transport.logs import LOGGER, log_failure, log_response
from lakefs_hl.transport.scope import Scope
from lakefs_hl.transport.spans import find_tracer, request_span, set_response


class Send(Protocol):
    """The method `send` of a transport."""

    def __call__(self, request: Request, scope: Scope | None = None, within: float | None = None, /) -> Response: ...


def sender(transport: Transport) -> Send:
    """Return the transport's `send`, with logs, spans and metrics if they are on at this moment."""
    return partial(_send, transport) if is_on() else transport.send


def many_sender(transport: Transport) -> SendMany | None:
    """Return the transport's `send_many` if it has one, with logs, spans and metrics if they are on at this moment."""
    found: SendMany | None = getattr(transport, "send_many", None)
    if found is None or not is_on():
        return found
    return partial(_send_many, transport, found)


class Watched:
    """An exchange under way beside others on its thread, which is logged, traced and measured.

    Args:
        transport: Makes the exchange.
        request: Its request.

    Attributes:
        request: The request to send.
    """

    __slots__ = ("_address", "_asked", "_span", "_start", "request")

    def __init__(self, transport: Transport, request: Request) -> None:
        self._address, self._asked = _address(transport), request
        self._start = time.perf_counter()
        tracer = find_tracer()
        self._span = None
        self.request: Request = request
        if tracer is not None:
            self._span, self.request = spans.start_request(tracer, self._address, request)

    def end(self, outcome: Response | BaseException) -> None:
        """Note how it ended."""
        if (meters := metrics.find_meters()) is not None:
            metrics.record(meters, self._asked, outcome, time.perf_counter() - self._start)
        if not isinstance(outcome, Response):
            log_failure(self._address, self._asked, outcome)
        elif LOGGER.isEnabledFor(logging.DEBUG):
            log_response(self._address, self._asked, outcome)
        if self._span is not None:
            spans.end_request(self._span, outcome)


def is_on() -> bool:
    """Return whether anything is logged, traced or measured at this moment."""
    return (
        LOGGER.isEnabledFor(logging.DEBUG)
        or (spans.OPENTELEMETRY in sys.modules and find_tracer() is not None)
        or (metrics.OPENTELEMETRY in sys.modules and metrics.find_meters() is not None)
    )


def _send_many(
    transport: Transport,
    send: SendMany,
    requests: Sequence[Request],
    scope: Scope | None = None,
    within: float | None = None,
    /,
) -> list[Outcome]:
    """Make many exchanges at a time; each is logged, traced and measured once all are over."""
    address, start = _address(transport), time.perf_counter()
    outcomes = send(requests, scope, within)
    tracer, meters = find_tracer(), metrics.find_meters()
    for request, outcome in zip(requests, outcomes, strict=True):
        if meters is not None:
            metrics.record(meters, request, outcome, time.perf_counter() - start)
        if isinstance(outcome, Response):
            log_response(address, request, outcome)
        else:
            log_failure(address, request, outcome)
        if tracer is not None:
            seconds = time.perf_counter() - start
            with suppress(Exception), request_span(tracer, address, request, seconds) as span:
                if not isinstance(outcome, Response):
                    raise outcome
                set_response(span, outcome)
    return outcomes


def _send(
    transport: Transport, request: Request, scope: Scope | None = None, within: float | None = None, /
) -> Response:
    tracer = find_tracer()
    if tracer is None:
        return _send_measured(transport, request, scope, within)
    address = _address(transport)
    with request_span(tracer, address, request) as span:
        if address and request.url is None:  # an object store, which a pre-signed URL may name, gets no header of ours
            request = spans.with_trace_context(request)
        response = _send_measured(transport, request, scope, within)
        set_response(span, response)
        return response


def _send_measured(transport: Transport, request: Request, scope: Scope | None, within: float | None) -> Response:
    meters = metrics.find_meters()
    if meters is None:
        return _send_logged(transport, request, scope, within)
    start = time.perf_counter()
    try:
        response = _send_logged(transport, request, scope, within)
    except BaseException as exc:
        metrics.record(meters, request, exc, time.perf_counter() - start)
        raise
    metrics.record(meters, request, response, time.perf_counter() - start)
    return response


def _send_logged(transport: Transport, request: Request, scope: Scope | None, within: float | None) -> Response:
    try:
        response = transport.send(request, scope, within)
    except BaseException as exc:
        log_failure(_address(transport), request, exc)
        raise
    if LOGGER.isEnabledFor(logging.DEBUG):
        log_response(_address(transport), request, response)
    return response


def _address(transport: Transport) -> str:
    """Return scheme, host and port of the endpoint; "" for a transport without a network."""
    return getattr(transport, "address", "")
