"""Requests and responses as values, and what a transport may say went wrong.

Rules of the room: no sockets, no clock, no environment. A body is replayable, a sink has a fixed start, and nothing
here shows a credential or a pre-signed URL when printed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

import msgspec

from lakefs_hl.spec.errors import NotFoundException, ServerException

Phase: TypeAlias = Literal["connect", "tls", "send", "wait", "read"]
#: Retry classes of the failure model: A safe, B idempotent, W last writer wins, C conditional, D logged, R removing
#: (repeated after a look only: it could undo what others did since), E never.
RetryClass: TypeAlias = Literal["A", "B", "W", "C", "D", "R", "E"]
#: Query values are strings; a tuple is a parameter given several times.
Query: TypeAlias = Mapping[str, "str | tuple[str, ...]"]
#: Header of our own server's health check: whether the lake takes no writes, "true" or "false".
READ_ONLY: Final = "x-lakefs-hl-read-only"
NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class Pace(msgspec.Struct, frozen=True, gc=False):
    """How long an operation may take, in seconds.

    Attributes:
        read: The longest silence of the server within one try.
        deadline: The whole call, tries and waits together.
    """

    read: float
    deadline: float


class Endpoint(msgspec.Struct, frozen=True, gc=False):
    """One operation of the API: the same row formats the client's URL and routes the server's.

    Attributes:
        operation: lakeFS's operationId.
        method: HTTP method.
        path: Template below `/api/v1`, parameters in braces.
        retry: Class of the failure model.
        ok: Statuses that are a success.
        pace: Timeouts of the operation.
        missing: What its 404 means.
        public: Whether it answers without credentials.
    """

    operation: str
    method: str
    path: str
    retry: RetryClass
    ok: tuple[int, ...]
    pace: Pace
    missing: type[ServerException] = NotFoundException
    public: bool = False


class FileSlice(msgspec.Struct, frozen=True, gc=False):
    """`length` bytes at `offset` of an open file; never moves the file's position, never closes it.

    Attributes:
        fd: Descriptor.
        offset: Where the bytes begin.
        length: How many they are.
        check: Raises if the file is no longer what was measured. Called by whoever reads a body, once the last byte is
            read and before it is handed on, so that what was torn is never complete.
    """

    fd: int
    offset: int
    length: int
    check: Callable[[], None] | None = None


class Request(msgspec.Struct, frozen=True, gc=False):
    """One exchange to make: a row, its path parameters in the row's order, and what moves.

    Attributes:
        endpoint: The operation.
        params: Path parameters, unquoted.
        query: Query parameters, unquoted.
        headers: Lower-case names.
        body: Bytes, or a slice of an open file; replayable either way.
        sink: Filled from its start by a 200 or 206; never with an error body.
        digest: Whether the transport hashes what it moves into `Response.md5`.
        authorization: Value of the header; kept out of `headers` so that nothing prints it.
        timeout: Read timeout in seconds; None means the row's.
        url: A pre-signed URL to use instead of the row's path; never with `authorization`.
        connect: Connect timeout in seconds; None means the transport's.
        within: Seconds left for the whole exchange, connecting and both bodies included; None means the row's deadline.
    """

    endpoint: Endpoint
    params: tuple[str, ...] = ()
    query: Query = NOTHING
    headers: Mapping[str, str] = NOTHING
    body: bytes | FileSlice = b""
    sink: memoryview | FileSlice | None = None
    digest: bool = False
    authorization: str | None = None
    timeout: float | None = None
    url: str | None = None
    connect: float | None = None
    within: float | None = None

    def __repr__(self) -> str:
        """Names the operation and its target; shows no header, no credential, no URL."""
        where = " at a pre-signed URL" if self.url else ""
        return f"<Request {self.endpoint.operation} {self.params} {dict(self.query)}{where}>"


class Response(msgspec.Struct, gc=False):
    """An answer, whatever its status.

    Attributes:
        status: HTTP status.
        headers: Lower-case names.
        body: Content, or where it lies; empty when a sink took it.
        seconds: From the first byte sent to the last received.
        filled: Bytes put in the sink.
        md5: Hex digest of what moved, if the request asked for it.
        reason: The reason phrase.
        done: Called once by whoever has moved the body; gives back what the body lies in.
    """

    status: int
    headers: Mapping[str, str] = NOTHING
    body: bytes | FileSlice = b""
    seconds: float = 0.0
    filled: int = 0
    md5: str | None = None
    reason: str = ""
    done: Callable[[], None] | None = None

    def __repr__(self) -> str:
        """Shows no header and no content: a login's answer is a token, a Location may be a pre-signed URL."""
        return f"<Response {self.status} {len(self.body) if isinstance(self.body, bytes) else self.body.length} bytes>"


class TransportError(Exception):
    """No answer came. Never leaves `ops`: a call turns it into an error of the tree.

    Attributes:
        phase: Where it broke.
        sent: Body bytes sent.
        received: Body bytes received.
        seconds: Time spent.
        retry: False if trying again is pointless (a certificate, a protocol that is not HTTP).
        kind: "timeout", "certificate", "protocol", "proxy", "refused", "reset", "dns" or "other".
        answer: Status and headers of the answer whose body broke; None if it broke before.
    """

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
        answer: Response | None = None,
    ) -> None:
        super().__init__(message)
        self.phase = phase
        self.sent = sent
        self.received = received
        self.seconds = seconds
        self.retry = retry
        self.kind = kind
        self.answer = answer

    @property
    def applied(self) -> bool | None:
        """False before anything could be read by the server, else None: unknown."""
        return False if self.phase in ("connect", "tls") else None
