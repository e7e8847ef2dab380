"""Log lines of requests and retries, under the logger `lakefs_hl`.

Rules of the room: a line is made only when its level is enabled. No line holds a credential: headers and bodies are
never logged, a pre-signed URL is reduced to scheme, host and path, and query values that could be secrets are masked.
A record is one line, whatever a server wrote into its message. A handler that raises changes no result: a request that
succeeded would be reported as failed, or made again.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

import msgspec

from lakefs_hl.ops.effects import Sleep
from lakefs_hl.spec import routes
from lakefs_hl.spec.wire import FileSlice, Query, Request, Response, TransportError

LOGGER: Final = logging.getLogger("lakefs_hl")
# Without it, `logging` would print warnings of a library to stderr in a program that configures no logging.
LOGGER.addHandler(logging.NullHandler())

#: A query parameter with one of these in its name holds a secret, or a part of one.
_SECRET_NAMES: Final = ("authorization", "credential", "password", "secret", "sig", "token", "x-amz-", "x-goog-")
#: What is shown of a pre-signed URL that is not one: nothing, because no part of it is known to be a host or a path.
_NO_URL: Final = "a pre-signed URL that is not a URL"


def log_response(address: str, request: Request, response: Response) -> None:
    """Log an exchange that ended with a response, at DEBUG."""
    with suppress(Exception):
        LOGGER.debug(
            "%s %s %s: %d in %.3f s, sent %d bytes, received %d bytes",
            request.endpoint.operation,
            request.endpoint.method,
            target_of(address, request),
            response.status,
            response.seconds,
            size_of(request.body),
            response.filled or size_of(response.body),
        )


def log_failure(address: str, request: Request, error: BaseException) -> None:
    """Log an exchange that ended without a response, at DEBUG."""
    if not LOGGER.isEnabledFor(logging.DEBUG):
        return
    if isinstance(error, TransportError):
        reason = f"no response ({error.kind}, phase {error.phase}) in {error.seconds:.3f} s: {_one_line(str(error))}"
    else:
        reason = f"ended by {type(error).__name__}"
    operation, method = request.endpoint.operation, request.endpoint.method
    with suppress(Exception):
        LOGGER.debug("%s %s %s: %s", operation, method, target_of(address, request), reason)


def log_retry(effect: Sleep, seconds: float) -> None:
    """Log the reason of a retry and the wait before it, at INFO. Other waits are not logged."""
    if effect.reason:
        with suppress(Exception):
            LOGGER.info("%s; retrying in %.3f s", _one_line(effect.reason), seconds)


def target_of(address: str, request: Request) -> str:
    """Return the URL of a request without secrets.

    Args:
        address: Scheme, host and port of the endpoint; "" in process.
        request: The request.
    """
    if request.url is not None:
        try:
            url = urlsplit(request.url)
            if url.scheme not in ("http", "https") or not url.hostname or url.port == 0:
                return _NO_URL
        except ValueError:
            return _NO_URL
        return _one_line(f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}")
    try:
        return address + routes.target(msgspec.structs.replace(request, query=_mask(request.query)))
    except ValueError:  # a parameter that no URL can carry: the transport refuses it, too
        return address + routes.BASE + request.endpoint.path


def size_of(body: bytes | FileSlice) -> int:
    """Return the number of bytes of a body."""
    return body.length if isinstance(body, FileSlice) else len(body)


def _one_line(text: str) -> str:
    """Return a text with control characters escaped, so that a server's message cannot forge lines of the log."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _mask(query: Query) -> Query:
    return {name: "REDACTED" if _is_secret(name) else value for name, value in query.items()}


def _is_secret(name: str) -> bool:
    name = name.lower()
    return any(part in name for part in _SECRET_NAMES)
