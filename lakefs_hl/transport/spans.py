"""OpenTelemetry spans: one per request, and one per call around its requests.

Rules of the room: OpenTelemetry is never imported first. A program that has not imported it cannot have configured a
tracer provider, so `sys.modules` is all that is looked at, and no setting is needed. Attributes follow the semantic
conventions for HTTP clients (https://opentelemetry.io/docs/specs/semconv/http/http-spans/) and hold no secret. Neither
messages nor stack traces of errors are recorded. A request to the endpoint, not to an object store, has the headers of
W3C Trace Context, and never those of baggage: a program may keep anything there. A provider that raises changes no
result.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec

from lakefs_hl._version import __version__
from lakefs_hl.ops.effects import Op
from lakefs_hl.spec.wire import Request, Response, TransportError
from lakefs_hl.transport.logs import size_of, target_of

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer, TracerProvider
    from opentelemetry.util.types import AttributeValue

#: Path parameters that name the reference which a request is about. The first one that a row has counts.
_REFS: Final = ("ref", "branch", "source_ref", "left_ref", "commit_id", "tag")

#: The module that is loaded if there can be a tracer. Drivers look for it before they call `find_tracer`.
OPENTELEMETRY: Final = "opentelemetry.trace"

#: The last provider and its tracer: a provider makes a new tracer at each call, which takes longer than a request.
_last: tuple[TracerProvider, Tracer] | None = None


def find_tracer() -> Tracer | None:
    """Return the tracer of the configured provider. None if OpenTelemetry is not loaded or has no provider."""
    global _last  # noqa: PLW0603 - a cache, replaced whole
    if OPENTELEMETRY not in sys.modules:
        return None
    from opentelemetry import trace

    provider = trace.get_tracer_provider()
    if isinstance(provider, trace.ProxyTracerProvider):  # stands for a provider that is not configured yet
        return None
    last = _last
    if last is None or last[0] is not provider:
        last = _last = provider, provider.get_tracer("lakefs_hl", __version__)
    return last[1]


def call_span(tracer: Tracer, op: Op[Any]) -> AbstractContextManager[None]:
    """Run a call within a span that is named after its op, such as `objects.stat`."""
    return _named_span(tracer, _name_of(op))


def operation_span(name: str) -> AbstractContextManager[None]:
    """Run a method of several calls, such as `upload_dir`, within a span, if there is a tracer."""
    tracer = find_tracer()
    return nullcontext() if tracer is None else _named_span(tracer, name)


@contextmanager
def _named_span(tracer: Tracer, name: str) -> Iterator[None]:
    with _open_span(tracer, f"lakefs_hl.{name}") as span:
        try:
            yield
        except BaseException as exc:
            _fail(span, type(exc).__name__)
            raise


@contextmanager
def request_span(tracer: Tracer, address: str, request: Request, seconds: float = 0.0) -> Iterator[Span]:
    """Make an exchange within a span that is named after its operation.

    Args:
        tracer: Starts the span.
        address: Scheme, host and port of the endpoint; "" in process.
        request: The request.
        seconds: How long ago the exchange began.
    """
    from opentelemetry.trace import SpanKind

    remote = bool(address or request.url)
    kind, attributes = SpanKind.CLIENT if remote else SpanKind.INTERNAL, _attributes(address, request, remote=remote)
    began = time.time_ns() - int(seconds * 1e9) if seconds else None
    options = {"kind": kind, "attributes": attributes, "start_time": began}
    with _open_span(tracer, request.endpoint.operation, **options) as span:
        try:
            yield span
        except TransportError as exc:
            _fail(span, exc.kind)
            raise
        except BaseException as exc:
            _fail(span, type(exc).__name__)
            raise


@contextmanager
def _open_span(tracer: Tracer, name: str, **options: Any) -> Iterator[Span]:
    """Start a span and end it. Processors run within both, and one that raises must not decide about the call."""
    from opentelemetry.trace import INVALID_SPAN

    span: Span = INVALID_SPAN
    started = None
    with suppress(Exception):
        manager = tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False, **options)
        span, started = manager.__enter__(), manager
    try:
        yield span
    finally:
        if started is not None:
            with suppress(Exception):
                started.__exit__(None, None, None)


def start_request(tracer: Tracer, address: str, request: Request) -> tuple[Span, Request]:
    """Start the span of a request that is not the only one under way on its thread. `end_request` ends it.

    Returns:
        The span, and the request with its trace context if it goes to the endpoint.
    """
    from opentelemetry.trace import INVALID_SPAN, SpanKind

    span: Span = INVALID_SPAN
    with suppress(Exception):
        attributes = _attributes(address, request, remote=True)
        span = tracer.start_span(request.endpoint.operation, kind=SpanKind.CLIENT, attributes=attributes)
    # an object store, which a pre-signed URL may name, gets no header of ours
    return span, with_trace_context(request, span) if address and request.url is None else request


def end_request(span: Span, outcome: Response | BaseException) -> None:
    """End the span of a request."""
    with suppress(Exception):
        if isinstance(outcome, Response):
            set_response(span, outcome)
        else:
            _fail(span, outcome.kind if isinstance(outcome, TransportError) else type(outcome).__name__)
    with suppress(Exception):
        span.end()


def with_trace_context(request: Request, span: Span | None = None) -> Request:
    """Return a request with the headers `traceparent` and `tracestate` of a span. Defaults to the current one."""
    headers: dict[str, str] = {}
    with suppress(Exception):
        from opentelemetry.trace import set_span_in_context
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        TraceContextTextMapPropagator().inject(headers, None if span is None else set_span_in_context(span))
    return msgspec.structs.replace(request, headers={**request.headers, **headers}) if headers else request


def set_response(span: Span, response: Response) -> None:
    """Add what is known of the response to the span of a request."""
    span.set_attribute("http.response.status_code", response.status)
    span.set_attribute("http.response.body.size", response.filled or size_of(response.body))
    if response.status >= 400:
        _fail(span, str(response.status))


def _attributes(address: str, request: Request, *, remote: bool) -> dict[str, AttributeValue]:
    found: dict[str, AttributeValue] = {
        "http.request.method": request.endpoint.method,
        "http.request.body.size": size_of(request.body),
    }
    if remote:
        target = found["url.full"] = target_of(address, request)
        url = urlsplit(target)
        if url.hostname:
            found["server.address"] = url.hostname
            found["server.port"] = url.port or (443 if url.scheme == "https" else 80)
    params = dict(zip(request.endpoint.parameters, request.params, strict=False))
    if "repository" in params:
        found["lakefs.repository"] = params["repository"]
    if ref := next((params[name] for name in _REFS if name in params), None):
        found["lakefs.ref"] = ref
    return found


def _fail(span: Span, kind: str) -> None:
    from opentelemetry.trace import StatusCode

    span.set_attribute("error.type", kind)
    span.set_status(StatusCode.ERROR)


def _name_of(op: Op[Any]) -> str:
    """Return module and name of an op that has not started."""
    name = getattr(op, "__name__", "call").strip("_")
    frame = getattr(op, "gi_frame", None)
    module = "" if frame is None else str(frame.f_globals.get("__name__", ""))
    return f"{module.rpartition('.')[2]}.{name}"
