"""Requests that several operations build alike: JSON bodies and pages of listings."""

from __future__ import annotations

from collections.abc import Mapping

from lakefs_hl.spec import headers, models
from lakefs_hl.spec.wire import NOTHING, Endpoint, Query, Request


def json_request(
    endpoint: Endpoint,
    params: tuple[str, ...],
    body: object,
    *,
    query: Query = NOTHING,
    extra: Mapping[str, str] = NOTHING,
) -> Request:
    """Build a request with a JSON body. It is encoded once, so that every attempt sends the same bytes.

    Args:
        endpoint: The operation.
        params: Path parameters.
        body: Record to encode.
        query: Query parameters.
        extra: Headers besides the content type.
    """
    return Request(endpoint, params, query, {"content-type": headers.JSON, **extra}, models.encode(body))


def page_query(after: str, amount: int, *, prefix: str = "", delimiter: str = "") -> dict[str, str]:
    """Return the query parameters of a page, without those that are empty."""
    query = {"amount": str(amount), "after": after, "prefix": prefix, "delimiter": delimiter}
    return {name: value for name, value in query.items() if value}
