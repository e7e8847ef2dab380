"""Endpoints, requests and responses as values, and the error of a transport.

Rules of the room: no sockets, no clock, no environment. A body is replayable and a sink has a fixed start. No `repr`
shows a credential or a pre-signed URL.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, Literal, Protocol, Self, TypeAlias

import msgspec

from lakefs_hl import _html
from lakefs_hl.spec.uri import repository_uri

Phase: TypeAlias = Literal["connect", "tls", "send", "wait", "read"]
#: Retry classes: A safe, B idempotent, W last writer wins, C conditional, D logged, R removing (retried only after a
#: check of the current state, because it could undo later changes of others), E never.
RetryClass: TypeAlias = Literal["A", "B", "W", "C", "D", "R", "E"]
#: Query values are strings; a tuple is a parameter given several times.
Query: TypeAlias = Mapping[str, "str | tuple[str, ...]"]
NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_PARAMETER: Final = re.compile(r"\{(\w+)\}")


class Timeouts(msgspec.Struct, frozen=True, gc=False):
    """Timeouts of an operation in seconds.

    Attributes:
        read: Read timeout of one attempt.
        deadline: Deadline of the whole call, with all attempts and waits.
    """

    read: float
    deadline: float


class Endpoint(msgspec.Struct, frozen=True, gc=False):
    """One operation of the API. The same row formats the client's URL and routes the server's requests.

    Attributes:
        operation: lakeFS's operationId.
        method: HTTP method.
        path: Template below `/api/v1`, with parameters in braces.
        retry: Retry class.
        wording: What the operation does, and to what, as error messages begin: a format string over the path
            parameters, over `path` (the object's) and over the names that `describe` is given.
        ok: Success statuses.
        timeouts: Timeouts of the operation.
        public: Whether the operation needs no credentials.
    """

    operation: str
    method: str
    path: str
    retry: RetryClass
    wording: str
    ok: tuple[int, ...]
    timeouts: Timeouts
    public: bool = False

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the path parameters, in order."""
        return tuple(_PARAMETER.findall(self.path))

    def describe(self, *params: str, **named: str) -> str:
        """Return what a request of this operation does, in words.

        Args:
            params: Path parameters in the row's order.
            named: Further values of the wording. They win over path parameters of the same name; a missing one is
                shown as an ellipsis.
        """
        values = defaultdict(lambda: "…", zip(self.parameters, params, strict=False))
        values.update(named)
        if "repository" in values:
            values["repository"] = repository_uri(values["repository"])
        return self.wording.format_map(values)


class FileSlice(msgspec.Struct, frozen=True, gc=False):
    """`length` bytes at `offset` of an open file. Neither moves the file's position nor closes it.

    Attributes:
        fd: File descriptor.
        offset: Offset of the first byte.
        length: Number of bytes.
        check: Raises if the file has changed since it was measured. The reader of a body calls it after reading the
            last byte and before passing that byte on, so that a torn body is never sent completely.
        on_move: Called with the offset in the file up to which bytes were read or written, for progress. Bytes that
            move again, by a retry, are reported again.
    """

    fd: int
    offset: int
    length: int
    check: Callable[[], None] | None = None
    on_move: Callable[[int], None] | None = None


class Hash(Protocol):
    """What hashes content: an object of hashlib, or one that is used like it."""

    def update(self, block: Any, /) -> None:
        """Hash the next bytes."""

    def copy(self) -> Self:
        """Return a hash that goes on from here by itself."""

    def hexdigest(self) -> str:
        """Return the digits of what was hashed."""


class Request(msgspec.Struct, frozen=True, gc=False):
    """One HTTP request of an operation.

    Attributes:
        endpoint: The operation.
        params: Path parameters in the row's order, unquoted.
        query: Query parameters, unquoted.
        headers: Headers by lower-case name.
        body: Bytes, or a slice of an open file. Both are replayable.
        sink: Filled from its start by a 200 or 206 response, never with an error body.
        digest: Whether the transport computes the MD5 of the body that it sends or receives, as `Response.md5`. A hash
            is continued: the body follows what was hashed by it before. It stays as it is, and the continued
            one is `Response.hashed`, or `TransportError.hashed` after an interrupted response.
        authorization: Value of the header. It is not in `headers`, so that nothing prints it.
        timeout: Read timeout in seconds. Defaults to the row's.
        url: A pre-signed URL to use instead of the row's path. Never sent with `authorization`.
        connect: Connect timeout in seconds. Defaults to the transport's.
        within: Seconds left for the whole request, with connecting and both bodies. Defaults to the row's deadline.
    """

    endpoint: Endpoint
    params: tuple[str, ...] = ()
    query: Query = NOTHING
    headers: Mapping[str, str] = NOTHING
    body: bytes | FileSlice = b""
    sink: memoryview | FileSlice | None = None
    digest: bool | Hash = False
    authorization: str | None = None
    timeout: float | None = None
    url: str | None = None
    connect: float | None = None
    within: float | None = None

    def describe(self) -> str:
        """Return what the request does, in the words of its row."""
        path = self.query.get("path") or self.query.get("dest_path") or ""
        return self.endpoint.describe(*self.params, path=str(path))

    def _repr_html_(self) -> str:
        return _html.text(self)

    def __repr__(self) -> str:  # no header, no credential, no URL
        where = " at a pre-signed URL" if self.url else ""
        return f"<Request {self.endpoint.operation} {self.params} {dict(self.query)}{where}>"


class Response(msgspec.Struct, gc=False):
    """An HTTP response of any status.

    Attributes:
        status: HTTP status.
        headers: Headers by lower-case name.
        body: The content, or the slice of a file that holds it. Empty if a sink received the content.
        seconds: Time from the first byte sent to the last byte received, in seconds.
        moving: Those of them in which the content came, after the wait for it. 0 where that was not measured.
        filled: Number of bytes written to the sink.
        md5: MD5 of the body as hex digits, if the request asked for it; or the digits of the hash that it gave.
        hashed: The hash of which `md5` are the digits.
        reason: The reason phrase.
        done: Called once after the body was read; releases the file that holds it.
    """

    status: int
    headers: Mapping[str, str] = NOTHING
    body: bytes | FileSlice = b""
    seconds: float = 0.0
    moving: float = 0.0
    filled: int = 0
    md5: str | None = None
    hashed: Hash | None = None
    reason: str = ""
    done: Callable[[], None] | None = None

    def _repr_html_(self) -> str:
        return _html.text(self)

    def __repr__(self) -> str:
        # no header and no content: the response to a login is a token, a Location may be a pre-signed URL
        return f"<Response {self.status} {len(self.body) if isinstance(self.body, bytes) else self.body.length} bytes>"


class TransportError(Exception):
    """No complete response was received. It never leaves `ops`: a call converts it to a public exception.

    Attributes:
        phase: The phase that failed.
        sent: Number of body bytes sent.
        received: Number of body bytes received.
        seconds: Time spent, in seconds.
        retry: Whether a retry can help. False for a bad certificate, or a peer that does not speak HTTP.
        kind: "timeout", "certificate", "protocol", "proxy", "refused", "reset", "dns" or "other".
        response: Status and headers of the response whose body was interrupted. None if there was no response.
        hashed: The hash after the bytes that were received, if the request asked for one.
    """

    hashed: Hash | None = None

    def __init__(
        self,
        phase: Phase,
        message: str,
        *,
        sent: int = 0,
        received: int = 0,
        seconds: float = 0.0,
        retry: bool = True,
        kind: str = "other",
        response: Response | None = None,
    ) -> None:
        super().__init__(message)
        self.phase = phase
        self.sent = sent
        self.received = received
        self.seconds = seconds
        self.retry = retry
        self.kind = kind
        self.response = response

    @property
    def applied(self) -> bool | None:
        """Whether the request was applied: False if it never reached the server, else None (unknown)."""
        return False if self.phase in ("connect", "tls") else None
