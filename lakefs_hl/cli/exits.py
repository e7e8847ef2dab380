"""Exit codes, and which one an error has."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from lakefs_hl import exceptions as errors
from lakefs_hl.spec.kinds import ErrorKind
from lakefs_hl.spec.tracebacks import is_explained


class ExitCode(IntEnum):
    """What a command ends with."""

    OK = 0
    OTHER = 1
    USAGE = 2
    NOT_FOUND = 3
    FORBIDDEN = 4
    CONFLICT = 5
    PARTLY_FAILED = 6
    UNREACHABLE = 7
    DIFFERENCES = 8
    INTERRUPTED = 130
    CLOSED_PIPE = 141


_UNAVAILABLE: Final = frozenset({429, 502, 503, 504})
#: The first class that an error is an instance of decides. Errors of the operating system come last: many of ours are
#: also one of these.
_CODES: Final = (
    (errors.PartialFailureError, ExitCode.PARTLY_FAILED),
    (errors.NotCachedException, ExitCode.NOT_FOUND),
    (errors.TransportException, ExitCode.UNREACHABLE),
    (errors.LakeLockedError, ExitCode.UNREACHABLE),
    (errors.NotFoundException, ExitCode.NOT_FOUND),
    (errors.NotAuthorizedException, ExitCode.FORBIDDEN),
    (errors.ForbiddenException, ExitCode.FORBIDDEN),
    (errors.NoAuthenticationFound, ExitCode.FORBIDDEN),
    (errors.ConflictException, ExitCode.CONFLICT),
    (errors.ObjectExistsException, ExitCode.CONFLICT),
    (errors.PreconditionFailedException, ExitCode.CONFLICT),
    (errors.ObjectChangedError, ExitCode.CONFLICT),
    (errors.InvalidConfigError, ExitCode.USAGE),
    (errors.LakeFormatError, ExitCode.USAGE),
    (errors.LakeFSException, ExitCode.OTHER),
    (FileNotFoundError, ExitCode.NOT_FOUND),
    (PermissionError, ExitCode.FORBIDDEN),
    (FileExistsError, ExitCode.CONFLICT),
    (IsADirectoryError, ExitCode.USAGE),
    (NotADirectoryError, ExitCode.USAGE),
    (OSError, ExitCode.OTHER),
    (ValueError, ExitCode.USAGE),  # an argument that the package refused
    (TypeError, ExitCode.USAGE),
)


def code_of(error: BaseException) -> ExitCode:
    """Return the exit code of an error. A transaction has that of what made it fail."""
    if isinstance(error, errors.TransactionMergeError) and error.conflicts:
        return ExitCode.CONFLICT
    if isinstance(error, errors.TransactionException):
        if error.__cause__ is not None:
            return code_of(error.__cause__)
        # Without a cause, a start is refused because of uncommitted changes or a tag that exists.
        return ExitCode.CONFLICT if isinstance(error, errors.TransactionStartError) else ExitCode.OTHER
    if isinstance(error, errors.ServerException):
        if error.status in _UNAVAILABLE:
            return ExitCode.UNREACHABLE
        if error.kind is ErrorKind.DIRTY_BRANCH:
            return ExitCode.CONFLICT
    return next((code for kind, code in _CODES if isinstance(error, kind)), ExitCode.OTHER)


def is_reported(error: BaseException) -> bool:
    """Return whether the message of an error is for the user. Any other error is a defect, and keeps its traceback."""
    return isinstance(error, OSError) or is_explained(error)
