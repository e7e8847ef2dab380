"""OpenTelemetry metrics of requests: how long they take, how much they move, how often they are repeated.

Rules of the room: as for spans (`transport.spans`), OpenTelemetry is never imported first, and a provider that raises
changes no result. Attributes say which operation and how it ended. They hold no path, repository or name of the
user's data: each value of an attribute is a time series of its own, which is kept for months.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from lakefs_hl._version import __version__
from lakefs_hl.ops.effects import Sleep
from lakefs_hl.spec.wire import Request, Response, TransportError
from lakefs_hl.transport.logs import log_retry, size_of

if TYPE_CHECKING:
    from opentelemetry.metrics import Counter, Histogram, Meter, MeterProvider
    from opentelemetry.util.types import AttributeValue

#: The module that is loaded if there can be a meter. Drivers look for it before they call `find_meters`.
OPENTELEMETRY: Final = "opentelemetry.metrics"
#: Bounds of the histogram in seconds, as the conventions for HTTP clients advise, and one for long transfers.
_BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 60.0)


class Meters:
    """What is measured.

    Attributes:
        duration: Seconds of each request.
        sent: Bytes of bodies that were sent.
        received: Bytes of bodies that were received.
        retries: Requests that were repeated after a wait.
    """

    __slots__ = ("duration", "received", "retries", "sent")

    def __init__(self, provider: MeterProvider) -> None:
        meter = provider.get_meter("lakefs_hl", __version__)
        self.duration: Histogram = meter.create_histogram(
            "lakefs_hl.request.duration",
            unit="s",
            description="Time of a request to lakeFS, or to its object store.",
            explicit_bucket_boundaries_advisory=_BOUNDS,
        )
        self.sent = _counter(meter, "sent", "By", "Bytes of bodies that were sent.")
        self.received = _counter(meter, "received", "By", "Bytes of bodies that were received.")
        self.retries = _counter(meter, "retries", "{retry}", "Requests that were repeated after a wait.")


def _counter(meter: Meter, name: str, unit: str, description: str) -> Counter:
    return meter.create_counter(f"lakefs_hl.request.{name}", unit=unit, description=description)


#: The last provider and its meters; None for one that has none.
_last: tuple[MeterProvider, Meters | None] | None = None


def find_meters() -> Meters | None:
    """Return the meters of the configured provider. None if OpenTelemetry is not loaded or has no provider."""
    global _last  # noqa: PLW0603 - a cache, replaced whole
    if OPENTELEMETRY not in sys.modules:
        return None
    from opentelemetry import metrics

    provider = metrics.get_meter_provider()
    if type(provider).__module__.startswith(
        OPENTELEMETRY
    ):  # the API's own: none is configured, or one that does nothing
        return None
    last = _last
    if last is None or last[0] is not provider:
        found = None
        with suppress(Exception):  # a provider that raises measures nothing
            found = Meters(provider)
        last = _last = provider, found
    return last[1]


def record(meters: Meters, request: Request, outcome: Response | BaseException, seconds: float) -> None:
    """Record a request that has ended.

    Args:
        meters: Where to.
        request: The request.
        outcome: Its response, or what was raised.
        seconds: How long it took.
    """
    with suppress(Exception):
        row = request.endpoint
        found: dict[str, AttributeValue] = {"lakefs.operation": row.operation, "http.request.method": row.method}
        sent, received = size_of(request.body), 0
        if isinstance(outcome, Response):
            found["http.response.status_code"] = outcome.status
            received = outcome.filled or size_of(outcome.body)
            if outcome.status >= 400:
                found["error.type"] = str(outcome.status)
        elif isinstance(outcome, TransportError):
            found["error.type"] = outcome.kind
            sent, received = outcome.sent, outcome.received
        else:
            found["error.type"] = type(outcome).__name__
            sent = 0
        meters.duration.record(seconds, found)
        _add(meters.sent, sent, found)
        _add(meters.received, received, found)


def _add(counter: Counter, count: int, attributes: dict[str, AttributeValue]) -> None:
    if count:
        counter.add(count, attributes)


def note_retry(effect: Sleep, seconds: float) -> None:
    """Log and count a wait, if it is one before a retry."""
    log_retry(effect, seconds)
    if effect.reason and OPENTELEMETRY in sys.modules and (meters := find_meters()) is not None:
        with suppress(Exception):
            meters.retries.add(1, {"lakefs.operation": effect.operation} if effect.operation else {})
