"""The exception class and the kind of an error response: one table for client and server.

`STATUSES` says both by the status. A kind is more specific where the server's words are known (`spec.kinds`), and
`CLASSES` names the kinds whose class is not that of their status.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from lakefs_hl.spec import errors
from lakefs_hl.spec.errors import ServerException
from lakefs_hl.spec.kinds import OBJECT_OPERATIONS, ErrorKind, kind_of_message


class Meaning(NamedTuple):
    """What a status means.

    Attributes:
        error: The exception class.
        kind: The kind, if the server's words say no more.
        store_kind: The kind, if the response is that of the object store behind a pre-signed URL.
    """

    error: type[ServerException]
    kind: ErrorKind = ErrorKind.OTHER
    store_kind: ErrorKind = ErrorKind.OTHER


#: Status -> class -> kind.
STATUSES: Final[dict[int, Meaning]] = {
    400: Meaning(errors.BadRequestException, store_kind=ErrorKind.STORE_REFUSED),
    401: Meaning(errors.NotAuthorizedException, ErrorKind.UNAUTHORIZED),
    403: Meaning(errors.ForbiddenException, store_kind=ErrorKind.STORE_REFUSED),
    404: Meaning(errors.NotFoundException, store_kind=ErrorKind.GONE),
    405: Meaning(errors.UnsupportedOperationException, ErrorKind.NOT_SUPPORTED),
    409: Meaning(errors.ConflictException),
    410: Meaning(errors.ServerException, ErrorKind.GONE),
    412: Meaning(errors.PreconditionFailedException, ErrorKind.PRECONDITION_FAILED),
    416: Meaning(errors.ServerException, ErrorKind.RANGE_NOT_SATISFIABLE),
    429: Meaning(errors.TooManyRequestsException, ErrorKind.RATE_LIMITED),
    500: Meaning(errors.ServerErrorException),
    501: Meaning(errors.UnsupportedOperationException, ErrorKind.NOT_SUPPORTED),
    503: Meaning(errors.ServerErrorException, ErrorKind.UNAVAILABLE),
}
_OTHER: Final = Meaning(errors.ServerException)

#: Status and kind -> class, where it is not the status's.
CLASSES: Final[dict[tuple[int, ErrorKind], type[ServerException]]] = {
    (404, ErrorKind.NOT_SUPPORTED): errors.UnsupportedOperationException,
    (404, ErrorKind.OBJECT_NOT_FOUND): errors.ObjectNotFoundException,
    (412, ErrorKind.OBJECT_EXISTS): errors.ObjectExistsException,
    # lakeFS responds with 500 where its store cannot pre-sign a write
    (500, ErrorKind.PRESIGN_NOT_SUPPORTED): errors.UnsupportedOperationException,
}


def meaning_of(status: int) -> Meaning:
    """Return what a status means; one without a row means what its hundred means."""
    return STATUSES.get(status) or (STATUSES[500] if status >= 500 else _OTHER)


def kind_of(operation: str, status: int, message: str, *, create_only: bool = False) -> ErrorKind:
    """Return the kind of an error response of lakeFS.

    Args:
        operation: lakeFS's operationId.
        status: HTTP status of the response.
        message: The server's message without a prefix, or "".
        create_only: Whether the request had `If-None-Match`, whose failed precondition is an existing object.
    """
    kind = kind_of_message(operation, status, message, create_only=create_only)
    return meaning_of(status).kind if kind is None else kind


def class_of(operation: str, status: int, kind: ErrorKind) -> type[ServerException]:
    """Return the exception class of an error response.

    Args:
        operation: lakeFS's operationId, or ours of a pre-signed request.
        status: HTTP status of the response.
        kind: Its kind.
    """
    if status == 404 and operation in OBJECT_OPERATIONS and kind in (ErrorKind.OTHER, ErrorKind.GONE):
        return errors.ObjectNotFoundException
    return CLASSES.get((status, kind)) or meaning_of(status).error


def refusal(status: int, message: str, operation: str = "") -> ServerException:
    """Build the error of a refused operation by its status; used by the embedded lake, which has no HTTP.

    Args:
        status: The HTTP status that stands for the error.
        message: The message, in lakeFS's words.
        operation: lakeFS's operationId, where the message alone leaves the kind open.
    """
    kind = kind_of(operation, status, message)
    error = class_of(operation, status, kind)(message)
    error.status, error.server_message, error.kind = status, message, kind
    return error
