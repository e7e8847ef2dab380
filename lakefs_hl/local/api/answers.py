"""What an answer looks like: JSON records, refusals, pages; and the type of a handler."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from lakefs_hl.local.engine import Engine
from lakefs_hl.spec import headers, models
from lakefs_hl.spec.errors import BadRequestException, ServerException
from lakefs_hl.spec.wire import Request, Response

#: (engine, request, who asks) -> answer. "" asks only where the API needs no name.
Handler: TypeAlias = Callable[[Engine, Request, str], Response]

JSON: Final[Mapping[str, str]] = MappingProxyType({"content-type": headers.JSON})
TEXT: Final[Mapping[str, str]] = MappingProxyType({"content-type": "text/plain; charset=utf-8"})
REASONS: Final[dict[int, str]] = {
    200: "OK",
    201: "Created",
    202: "Accepted",
    204: "No Content",
    206: "Partial Content",
    302: "Found",
    304: "Not Modified",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    409: "Conflict",
    410: "Gone",
    412: "Precondition Failed",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    416: "Requested Range Not Satisfiable",
    421: "Misdirected Request",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    507: "Insufficient Storage",
}


def ok(record: Any) -> Response:
    """Answers 200 with a record."""
    return Response(200, JSON, models.encode(record), reason="OK")


def created(record: Any) -> Response:
    """Answers 201 with a record."""
    return Response(201, JSON, models.encode(record), reason="Created")


def done(nothing: None = None) -> Response:
    """Answers 204."""
    return Response(204, reason="No Content")


def refuse(status: int, message: str) -> Response:
    """Says no, and why."""
    try:
        body = models.encode(models.Error(message))
    except UnicodeEncodeError:  # the message repeats what was not valid Unicode
        body = models.encode(models.Error(message.encode("utf-8", "backslashreplace").decode()))
    return Response(status, JSON, body, reason=REASONS.get(status, ""))


def refusal(error: ServerException, *, head: bool = False) -> Response:
    """Turns an error into the answer that stands for it; an answer to HEAD has no body."""
    status = error.status or error.status_code or 500
    if head:
        return Response(status, reason=REASONS.get(status, ""))
    return refuse(status, str(error))


def refused(request: Request, error: ServerException | UnicodeEncodeError) -> Response:
    """The answer to a request that a handler refused."""
    head = request.endpoint.method == "HEAD"
    if isinstance(error, ServerException):
        return refusal(error, head=head)
    # half a surrogate pair: a name that no URL and no file could hold
    return refusal(
        BadRequestException(f"{request.endpoint.operation}: a name or value is not valid Unicode"), head=head
    )


def empty_page() -> Response:
    """Answers 200 with a listing of nothing."""
    return ok({"pagination": models.Pagination(False, "", 0, 1000), "results": []})
