"""A function of the user as transport: `Client(transport=...)`, for tests of code that uses this package.

The function is called like a server, not like the embedded lake: it may be slow, and what it raises may be a failure of
the network. With asyncio it always runs in a thread. It gets a request whose body is bytes, and may return the same
response object any number of times. A response after a timeout that was set is one that did not arrive in time.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any, Final

import msgspec

from lakefs_hl.spec.errors import LakeFSException
from lakefs_hl.spec.wire import Phase, Request, Response, TransportError
from lakefs_hl.transport import failures
from lakefs_hl.transport.body import whole
from lakefs_hl.transport.deadlines import deadline_error
from lakefs_hl.transport.inproc import deliver, md5_of
from lakefs_hl.transport.scope import Scope

#: What an OSError means, as from a socket: where the exchange broke, and its kind. The first match counts.
_MEANINGS: Final[tuple[tuple[type[OSError], Phase, str], ...]] = (
    (ConnectionRefusedError, "connect", "refused"),
    (TimeoutError, "wait", "timeout"),
    (ConnectionError, "wait", "reset"),
    (OSError, "wait", "other"),
)
_NAME: Final = "the transport function"


class FunctionTransport:
    """Transport that calls a function.

    Args:
        function: Returns the response to a request. An `OSError` that it raises is a failure of the network, after
            which the request may have been applied, except for a `ConnectionRefusedError`. Everything else that it
            raises goes to the caller unchanged.
        fan_out: Maximum number of calls that one operation makes at the same time.
    """

    def __init__(self, function: Callable[[Request], Response], *, fan_out: int = 1) -> None:
        self._function = function
        self.fan_out = fan_out

    def send(self, request: Request, scope: Scope | None = None, within: float | None = None) -> Response:
        """Call the function; a call cannot be ended midway.

        Raises:
            TransportError: The function raised an OSError or took too long, or its response does not fit the sink.
            TypeError: It did not return a response.
            RuntimeError: It raised a StopIteration, which can pass neither a generator nor a future.
        """
        if scope is not None:
            scope.check()
        if within is not None and within <= 0:
            raise deadline_error()
        start = time.perf_counter()
        body = whole(request.body)
        sent = md5_of(body) if request.digest and body else None
        try:
            returned = self._function(msgspec.structs.replace(request, body=body))
        except OSError as exc:
            if isinstance(exc, LakeFSException):
                raise
            raise _failure(exc, len(body), time.perf_counter() - start) from exc
        except (StopIteration, StopAsyncIteration) as exc:
            msg = f"{_NAME} raised {type(exc).__name__}: does it take responses from an iterator that is at its end?"
            raise RuntimeError(msg) from exc
        response = _check_response(returned)
        response.seconds = time.perf_counter() - start
        _check_time(request, within, response.seconds, len(body))
        deliver(request, response, sent)
        return response

    def close(self) -> None:
        """Do nothing: a function holds no connections."""


def _failure(exc: OSError, sent: int, seconds: float) -> TransportError:
    phase, kind = next((phase, kind) for meant, phase, kind in _MEANINGS if isinstance(exc, meant))
    words = f"{_NAME} raised {type(exc).__name__}" + (f": {exc}" if str(exc) else "")
    return TransportError(phase, words, sent=0 if phase == "connect" else sent, seconds=seconds, kind=kind)


def _check_time(request: Request, within: float | None, seconds: float, sent: int) -> None:
    """Refuse a response that came too late. Only limits that were set count: a debugger may stop in the function."""
    for limit in (request.within, within):
        if limit is not None and seconds > limit:
            raise failures.deadline_expired(_NAME, seconds, "wait").error(sent=sent, seconds=seconds)
    if request.timeout is not None and seconds > request.timeout:
        raise failures.no_data(_NAME, request.timeout, "wait").error(sent=sent, seconds=seconds)


def _check_response(returned: object) -> Response:
    """Return a copy of a response, which is about to be changed, with the names of its headers in lower case."""
    if isinstance(returned, Response):
        return _checked_fields(returned)
    if inspect.iscoroutine(returned):
        returned.close()
        msg = f"{_NAME} returned a coroutine: it must be a plain function"
        raise TypeError(msg)
    msg = f"{_NAME} returned {type(returned).__name__}: it must be a lakefs_hl.types.Response"
    raise TypeError(msg)


def _checked_fields(response: Response) -> Response:
    """Return a copy with the names of the headers in lower case. A `Response` itself checks no types."""
    fields: tuple[Any, Any, Any] = response.status, response.headers, response.body
    status, headers, body = fields
    wrong = ""
    if type(status) is not int:  # True is not a status; IntEnums such as `http.HTTPStatus` are converted below
        wrong = "" if isinstance(status, IntEnum) else f"a status of {type(status).__name__}: it must be an int"
    if not isinstance(body, bytes):
        wrong = f"a body of {type(body).__name__}: it must be bytes"
    if not isinstance(headers, Mapping):
        wrong = f"headers of {type(headers).__name__}: they must be a mapping of str to str"
    elif not all(isinstance(text, str) for item in headers.items() for text in item):
        wrong = "headers whose names and values are not all str"
    if wrong:
        msg = f"{_NAME} returned {wrong}"
        raise TypeError(msg)
    lower = {name.lower(): value for name, value in headers.items()}
    return msgspec.structs.replace(response, status=int(status), headers=lower)
