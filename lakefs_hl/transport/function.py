"""A function of the user as transport: `Client(transport=...)`, for tests of code that uses this package.

The function is called like a server, not like the embedded lake: it may be slow, and what it raises may be a failure of
the network. With asyncio it always runs in a thread. It gets a request whose body is bytes, and may return the same
response object any number of times.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from typing import Final

import msgspec

from lakefs_hl.spec.errors import LakeFSException
from lakefs_hl.spec.wire import Phase, Request, Response, TransportError
from lakefs_hl.transport.body import whole
from lakefs_hl.transport.inproc import deliver, md5_of
from lakefs_hl.transport.scope import Scope

#: What an OSError means, as from a socket: where the exchange broke, and its kind. The first match counts.
_MEANINGS: Final[tuple[tuple[type[OSError], Phase, str], ...]] = (
    (ConnectionRefusedError, "connect", "refused"),
    (TimeoutError, "wait", "timeout"),
    (ConnectionError, "wait", "reset"),
    (OSError, "wait", "other"),
)


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
            TransportError: The function raised an OSError, or its response does not fit the sink.
            TypeError: It did not return a response.
        """
        if scope is not None:
            scope.check()
        start = time.perf_counter()
        body = whole(request.body)
        sent = md5_of(body) if request.digest and body else None
        try:
            returned = self._function(msgspec.structs.replace(request, body=body))
        except OSError as exc:
            if isinstance(exc, LakeFSException):
                raise
            raise _failure(exc, len(body), time.perf_counter() - start) from exc
        response = _checked(returned)
        deliver(request, response, sent)
        response.seconds = time.perf_counter() - start
        return response

    def close(self) -> None:
        """Do nothing: a function holds no connections."""


def _failure(exc: OSError, sent: int, seconds: float) -> TransportError:
    phase, kind = next((phase, kind) for meant, phase, kind in _MEANINGS if isinstance(exc, meant))
    words = f"the transport function raised {type(exc).__name__}" + (f": {exc}" if str(exc) else "")
    return TransportError(phase, words, sent=0 if phase == "connect" else sent, seconds=seconds, kind=kind)


def _checked(returned: object) -> Response:
    """Return a copy of a response, which is about to be changed, with the names of its headers in lower case."""
    if isinstance(returned, Response) and isinstance(returned.body, bytes):
        headers = {name.lower(): value for name, value in returned.headers.items()}
        return msgspec.structs.replace(returned, headers=headers)
    if inspect.iscoroutine(returned):
        returned.close()
        msg = "the transport function returned a coroutine: it must be a plain function"
        raise TypeError(msg)
    if isinstance(returned, Response):
        msg = f"the transport function returned a body of {type(returned.body).__name__}: it must be bytes"
        raise TypeError(msg)
    msg = f"the transport function returned {type(returned).__name__}: it must be a lakefs_hl.types.Response"
    raise TypeError(msg)
