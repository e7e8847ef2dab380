"""The one place that all exchanges of all drivers pass: where requests are logged and traced.

Drivers take their `send` from here, so a transport has no code for either. While DEBUG is off and no tracer is
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
from lakefs_hl.transport.base import Outcome, SendMany, Transport
from lakefs_hl.transport.logs import LOGGER, log_failure, log_response
from lakefs_hl.transport.scope import Scope
from lakefs_hl.transport.spans import OPENTELEMETRY, find_tracer, request_span, set_response


class Send(Protocol):
    """The method `send` of a transport."""

    def __call__(self, request: Request, scope: Scope | None = None, within: float | None = None, /) -> Response: ...


def sender(transport: Transport) -> Send:
    """Return the transport's `send`, with logs and spans if they are on at this moment."""
    if LOGGER.isEnabledFor(logging.DEBUG) or (OPENTELEMETRY in sys.modules and find_tracer() is not None):
        return partial(_send, transport)
    return transport.send


def many_sender(transport: Transport) -> SendMany | None:
    """Return the transport's `send_many` if it has one, with logs and spans if they are on at this moment."""
    found: SendMany | None = getattr(transport, "send_many", None)
    if found is None or not (
        LOGGER.isEnabledFor(logging.DEBUG) or (OPENTELEMETRY in sys.modules and find_tracer() is not None)
    ):
        return found
    return partial(_send_many, transport, found)


def _send_many(
    transport: Transport,
    send: SendMany,
    requests: Sequence[Request],
    scope: Scope | None = None,
    within: float | None = None,
    /,
) -> list[Outcome]:
    """Make many exchanges at a time; each is logged and traced once all are over."""
    address, start = _address(transport), time.perf_counter()
    outcomes = send(requests, scope, within)
    tracer = find_tracer()
    for request, outcome in zip(requests, outcomes, strict=True):
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
        return _send_logged(transport, request, scope, within)
    with request_span(tracer, _address(transport), request) as span:
        response = _send_logged(transport, request, scope, within)
        set_response(span, response)
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
