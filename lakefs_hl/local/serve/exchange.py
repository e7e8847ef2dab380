"""One HTTP exchange without its socket: a request line and headers in, a request of the API out; answers dressed.

Nothing is read from the connection before the request is known to be one of the API's and its sender is known.
"""

from __future__ import annotations

import errno
import logging
import math
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import unquote_plus

from lakefs_hl._version import __version__
from lakefs_hl.local.api import App, answers, effects, presign, principals
from lakefs_hl.local.api.principals import Key
from lakefs_hl.spec import endpoints, routes
from lakefs_hl.spec.errors import IntegrityError, LakeError, LakeLockedError, ServerException
from lakefs_hl.spec.headers import CAPABILITIES, IDEMPOTENCY_KEY, JSON, VERSION
from lakefs_hl.spec.keys import KEYS
from lakefs_hl.spec.links import LINKS
from lakefs_hl.spec.wire import Endpoint, FileSlice, Query, Request, Response

MAX_BODY: Final = 8 * 1024 * 1024  # bytes of a JSON body
#: Bytes of a body without credentials, such as that of a login.
MAX_UNKNOWN: Final = 32 * 1024
#: Bytes of the lake's file system that uploads leave free.
FREE: Final = 512 * 1024 * 1024
#: Answers whether the process is alive, without credentials; for whoever supervises it.
HEALTH: Final = "/_health"
#: What this server does beyond lakeFS, for clients of ours: every operation honours `Idempotency-Key`, and it manages
#: access keys. A server that has links of its own says that too.
_VERSION: Final = (VERSION.encode(), __version__.encode())
_OURS: Final = ((CAPABILITIES.encode(), f"{IDEMPOTENCY_KEY}, {KEYS}".encode()), _VERSION)
_WITH_LINKS: Final = ((CAPABILITIES.encode(), f"{IDEMPOTENCY_KEY}, {KEYS}, {LINKS}".encode()), _VERSION)
_BELOW: Final = routes.BASE + "/"
_LOG: Final = logging.getLogger("lakefs_hl.serve")


class Asked(NamedTuple):
    """A request that may go on: what is asked, and by whom.

    Attributes:
        endpoint: The operation.
        params: Its path parameters.
        query: Its query.
        headers: Lower-case names; the first of several wins.
        principal: The caller; None if unauthenticated, "" for a holder of a signed URL.
        key: The key that it is asked with, or that the signed URL was made with.
    """

    endpoint: Endpoint
    params: tuple[str, ...]
    query: Query
    headers: Mapping[str, str]
    principal: str | None
    key: Key | None = None

    @property
    def is_upload(self) -> bool:
        """Whether the body is an object, of any size, and not JSON."""
        return self.endpoint is endpoints.UPLOAD_OBJECT or self.endpoint.operation in presign.UPLOADS

    @property
    def is_plain(self) -> bool:
        """Whether its names are looked up at once: `main~1000` is a walk through history."""
        return not any("~" in name or "^" in name for name in self.params)

    @property
    def announced(self) -> int | None:
        """The announced length of the body; None if it is sent in chunks."""
        found = self.headers.get("content-length")
        if found is None:
            return None if "transfer-encoding" in self.headers else 0
        return int(found)  # the parser has taken nothing else

    def request(self, body: bytes | FileSlice) -> Request:
        """The request as the API takes it."""
        return Request(self.endpoint, self.params, self.query, self.headers, body)


def parse(app: App, method: str, path: str, query: str, headers: Mapping[str, str]) -> Asked | Response:
    """Reads a request line and headers.

    Args:
        app: Knows who may ask.
        method: HTTP method.
        path: Still quoted.
        query: Still quoted, without its question mark.
        headers: Lower-case names.

    Returns:
        What is asked, or the answer if it is refused here.
    """
    if path == HEALTH and method in ("GET", "HEAD"):
        return Response(200, answers.TEXT, b"alive\n", reason="OK")
    if path in presign.ROWS and app.presign is not None:
        return _parse_signed(app.presign, path, method, query, headers)
    found = routes.match(path[len(routes.BASE) :]) if path.startswith(_BELOW) else None
    endpoint = found[0].get(method) if found is not None else None
    if found is None or endpoint is None:
        return answers.refuse(404, "invalid API endpoint")
    try:
        key = None if endpoint.public else principals.principal(app.keys, headers.get("authorization"))
        if key is not None:
            principals.permit(key, endpoint, found[1])
    except ServerException as exc:
        return answers.refusal(exc, head=method == "HEAD")
    except LakeError as exc:  # the file of the keys is damaged
        return failure(exc, endpoint.operation)
    if key is None and not endpoint.public and endpoint is not endpoints.GET_CURRENT_USER:
        return answers.refuse(401, "error authenticating request")
    try:
        return Asked(endpoint, found[1], parse_query(query), headers, None if key is None else key.user, key)
    except UnicodeDecodeError:
        return answers.refuse(400, "the query is not valid UTF-8")


def _parse_signed(
    signed: presign.Presign, path: str, method: str, query: str, headers: Mapping[str, str]
) -> Asked | Response:
    """Reads a request to a signed URL, which is its own authentication."""
    try:
        found = parse_query(query)
        admitted = signed.admit(path, method, found)
    except UnicodeDecodeError:
        return answers.refuse(400, "the query is not valid UTF-8")
    except LakeError as exc:  # the file of the keys is damaged
        return failure(exc, presign.GET_CONTENT.operation)
    return admitted if isinstance(admitted, Response) else Asked(*admitted[:2], found, headers, "", admitted[2])


def most(asked: Asked, largest: int) -> int:
    """Bytes of body that a request may have."""
    if asked.principal is None:
        return MAX_UNKNOWN
    if asked.endpoint.operation in presign.UPLOADS:
        return min(largest, presign.limit(asked.query))
    return largest if asked.is_upload else MAX_BODY


def too_large(asked: Asked, limit: int) -> str:
    """Why a body is refused."""
    what = "of an object; start the server with --max-upload to raise it" if asked.is_upload else "of JSON"
    if asked.principal is None:
        what = "without credentials"
    return f"request body: more than {limit} bytes {what}"


def excess(asked: Asked, largest: int) -> Response | None:
    """The refusal of a body before it is read: too long, or of a type that no endpoint but an upload's takes."""
    announced = asked.announced
    limit = most(asked, largest)
    if announced is not None and announced > limit:
        return answers.refuse(413, too_large(asked, limit))
    if asked.is_upload or announced == 0 or asked.endpoint.method in ("GET", "HEAD"):
        return None
    kind = asked.headers.get("content-type", "")
    if kind.partition(";")[0].strip().lower() != JSON:
        return answers.refuse(415, f"request body has an error: Content-Type is {kind[:80]!r}; send {JSON}")
    return None


def lack(folder: Path, announced: int) -> Response | None:
    """The refusal of an upload that the lake's file system has no room for."""
    free = shutil.disk_usage(folder).free
    if announced <= free - FREE:
        return None
    return answers.refuse(507, f"no space left in the lake: the upload has {announced} bytes, and {free} are free")


def too_many(seconds: float) -> Response:
    """The answer to wrong credentials after many wrong ones."""
    response = answers.refuse(429, "too many requests with wrong credentials; check the access key and its secret")
    response.headers = {**response.headers, "retry-after": str(math.ceil(seconds))}
    return response


def parse_query(query: str) -> Query:
    """Reads a query string: the value, or a tuple of the values, of each name.

    Raises:
        UnicodeDecodeError: It is not UTF-8.
    """
    found: dict[str, str | tuple[str, ...]] = {}
    if not query:
        return found
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if not name:
            continue
        if "%" in name or "+" in name:
            name = unquote_plus(name, errors="strict")
        if "%" in value or "+" in value:
            value = unquote_plus(value, errors="strict")
        earlier = found.get(name)
        if earlier is None:
            found[name] = value
        else:
            found[name] = (*earlier, value) if isinstance(earlier, tuple) else (earlier, value)
    return found


def answer(app: App, asked: Asked, body: bytes | FileSlice) -> Response:
    """Calls the API; whatever it raises becomes an answer.

    The body of a write may have taken long: the key is looked at again, which may be gone or limited by now.
    """
    try:
        key = asked.key
        if key is not None and asked.endpoint.method not in ("GET", "HEAD"):
            now = app.keys.find(key.access_key_id)
            if now is None or now.generation != key.generation:
                return answers.refuse(401, "error authenticating request")
            if now != key:
                rights, params = presign.rights(asked.endpoint, asked.params, asked.query)
                principals.permit(now, rights, params)
                key = now
        return app(asked.request(body), asked.principal, key)
    except ServerException as exc:
        return answers.refusal(exc)
    except Exception as exc:  # noqa: BLE001 - a bug must not take the server down, nor show its insides to whoever asks
        return failure(exc, asked.endpoint.operation)


def failure(error: Exception, operation: str) -> Response:
    """The answer to what should not have happened, and a line in the log that says what it was."""
    if isinstance(error, LakeLockedError):
        response = answers.refuse(429, "Too many attempts, try again later")
        response.headers = {**response.headers, "retry-after": "1"}
        return response
    if isinstance(error, IntegrityError):
        return answers.refuse(410, f"No data: {error}")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        _LOG.error("%s: %s", operation, error)
        return answers.refuse(507, "no space left in the lake")
    if isinstance(error, LakeError):
        _LOG.error("%s: %s", operation, error)
        return answers.refuse(500, "the lake cannot answer; see the server's log")
    _LOG.error("%s failed", operation, exc_info=error)
    return answers.refuse(500, "internal error; see the server's log")


def length(response: Response) -> int:
    """Bytes of an answer's body."""
    body = response.body
    return body.length if isinstance(body, FileSlice) else len(body)


def dress(
    response: Response, *, head: bool = False, key: str | None = None, links: bool = False
) -> list[tuple[bytes, bytes]]:
    """The headers of an answer as HTTP sends them: the API's, a length, a fresh id, what this server is.

    Args:
        response: The answer.
        head: Whether HEAD was asked.
        key: The request's idempotency key, which is sent back: so a client knows that no proxy has dropped it.
        links: Whether the server has links of its own.
    """
    found = [(name.encode("latin-1"), _value(value)) for name, value in response.headers.items()]
    if "content-length" not in response.headers and response.status not in (204, 304) and not head:
        found.append((b"content-length", str(length(response)).encode()))
    if "x-content-type-options" not in response.headers:
        found.append((b"x-content-type-options", b"nosniff"))
    found.append((b"x-request-id", str(uuid.uuid4()).encode()))
    found.extend(_WITH_LINKS if links else _OURS)
    if key is not None and effects.KEY.fullmatch(key) is not None:
        found.append((IDEMPOTENCY_KEY.encode(), key.encode()))
    return found


def _value(value: str) -> bytes:
    """A header's value as bytes: what could end the header early is left out, what is not ASCII goes as UTF-8."""
    if not value.isprintable():
        value = "".join(char for char in value if char.isprintable())
    return value.encode()
