"""All exceptions of this package, as one tree. Public as `lakefs_hl.exceptions`.

LakeFSException(Exception)
├── ServerException                      an error response
│   ├── BadRequestException(ValueError)  400
│   ├── NotAuthorizedException(PermissionError) 401
│   ├── ForbiddenException(PermissionError) 403
│   ├── NotFoundException(LookupError)   404
│   │   └── ObjectNotFoundException(FileNotFoundError)
│   ├── ConflictException                409 ── MergeConflict · RepositoryNotEmptyError
│   ├── PreconditionFailedException      412
│   ├── ObjectExistsException(FileExistsError) 412 on a create-only write
│   ├── TooManyRequestsException         429
│   ├── UnsupportedOperationException(NotImplementedError) 501, 405
│   ├── ServerErrorException             5xx
│   └── ImportFailedException(RuntimeError) an import failed or was cancelled
├── TransportException(ConnectionError)  no response
│   ├── DeadlineExceeded(TimeoutError) · CertificateException · ProtocolException
│   └── OfflineException ── NotCachedException(LookupError) the client is offline
├── AmbiguousOutcomeError                the request may have been applied
├── IntegrityError · ObjectChangedError  a checksum did not match; the object changed while it was read
├── TransactionException ── TransactionStartError · TransactionCommitError · TransactionMergeError
│                           · TransactionOutcomeUnknown · TransactionStateError
├── PartialFailureError                  some items of a bulk call failed
├── NoAuthenticationFound · InvalidConfigError(ValueError)
├── InvalidMetadataError(ValueError)     the metadata of a dataset has problems
└── LakeError ── LakeLockedError(TimeoutError) · LakeCorruptError · LakeFormatError      the embedded lake
                 · LakeReadOnlyError · LakeResourceError(OSError)

Rules: no class defines `__init__`. The only positional argument is the message. Fields are attributes with defaults,
which pickle and copy carry. A message says what was asked, what is wrong with which value, and what to do; it never has
a secret. `spec.refusals` says which class an error response has.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, get_type_hints

from lakefs_hl.spec.kinds import ErrorKind


class Attempt(NamedTuple):
    """One attempt of a request.

    Attributes:
        outcome: The status, or the transport error and its phase.
        seconds: Duration in seconds.
    """

    outcome: str
    seconds: float


class LakeFSException(Exception):
    """Base class of all exceptions of this package.

    Attributes:
        attempts: The attempts that were made.
        maybe_applied: Whether the request may have been applied. None if that is unknown.
        op_id: The ID that the operation left in the lake's metadata, if any.
        retry_budget_exhausted: Whether the client's retry budget, and not the call's own limits, ended the retries.
    """

    attempts: tuple[Attempt, ...] = ()
    maybe_applied: bool | None = False
    op_id: str | None = None
    retry_budget_exhausted: bool = False

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the message and the attributes, including those of an OSError base."""
        fields = self.__dict__.copy()
        for name in ("errno", "filename"):
            value = getattr(self, name, None)
            if value is not None:
                fields[name] = value
        return (_rebuild, (type(self), self.args), fields)

    def __str__(self) -> str:
        """Return the message. An OSError base would print its errno, a LookupError base would quote it."""
        return str(self.args[0]) if self.args else type(self).__name__


def _rebuild(kind: type[LakeFSException], args: tuple[Any, ...]) -> LakeFSException:
    return kind(*args)


class ServerException(LakeFSException):
    """The server returned an error response.

    Attributes:
        status: HTTP status of the response.
        reason: Reason phrase of the response.
        body: Body of the response, at most 64 KiB.
        request_id: The server's ID of the request.
        retry_after: Seconds to wait before a retry, if the server sent them.
        kind: What the error means, more specific than the status.
        server_message: The server's own message, without a prefix. For people: it differs between servers.
    """

    status_code: ClassVar[int] = 0
    status: int = 0
    reason: str = ""
    body: bytes = b""
    request_id: str | None = None
    retry_after: float | None = None
    kind: ErrorKind = ErrorKind.OTHER
    server_message: str = ""

    def __init_subclass__(cls, status: int = 0, **kwargs: Any) -> None:
        """Set the status of an error that no response brought."""
        super().__init_subclass__(**kwargs)
        if status:
            cls.status_code = cls.status = status


class BadRequestException(ServerException, ValueError, status=400):
    """The server rejected the request as invalid: a bad name, a bad value, nothing to commit (400)."""


class NotAuthorizedException(ServerException, PermissionError, status=401):
    """The server does not accept the credentials (401)."""


class ForbiddenException(ServerException, PermissionError, status=403):
    """The credentials lack the permission, or the branch or repository is protected (403)."""


class NotFoundException(ServerException, LookupError, status=404):
    """The repository, branch, tag, commit or record does not exist (404)."""


class ObjectNotFoundException(NotFoundException, FileNotFoundError):
    """The object does not exist. `filename` is its URI."""


class ConflictException(ServerException, status=409):
    """The name exists already, or changes conflict (409)."""


class MergeConflict(ConflictException):
    """Both sides of a merge changed the same paths.

    Attributes:
        conflicts: The paths in order, at most 1,000.
    """

    conflicts: tuple[str, ...] = ()


class RepositoryNotEmptyError(ConflictException):
    """The repository has content, and `force` was not set."""


class PreconditionFailedException(ServerException, status=412):
    """A precondition failed, or a hook rejected the operation (412)."""


class ObjectExistsException(ServerException, FileExistsError, status=412):
    """A create-only write found an existing object. `filename` is its URI."""


class TooManyRequestsException(ServerException, status=429):
    """The server limits the rate of requests: try again later (429)."""


class UnsupportedOperationException(ServerException, NotImplementedError, status=501):
    """The server, its version or its storage does not support the operation (501, 405)."""


class ServerErrorException(ServerException, status=500):
    """The server failed (5xx)."""


class ImportFailedException(ServerException, RuntimeError):
    """An import failed or was cancelled. The branch is unchanged.

    `kind` is `IMPORT_FAILED` or `IMPORT_CANCELLED`.
    """

    kind: ErrorKind = ErrorKind.IMPORT_FAILED


class TransportException(LakeFSException, ConnectionError):
    """No response was received."""


class DeadlineExceeded(TransportException, TimeoutError):
    """The deadline expired."""


class CertificateException(TransportException):
    """The server's certificate is not trusted, or the port does not speak TLS."""


class ProtocolException(TransportException):
    """The response did not come from a lakeFS server."""


class OfflineException(TransportException):
    """The call needs a server, and the client is offline. Nothing was sent."""


class NotCachedException(OfflineException, LookupError):
    """A snapshot is not in the cache, and the call reads nothing else."""


class AmbiguousOutcomeError(LakeFSException):
    """The request may have been applied; the message says what to check.

    Attributes:
        result_id: ID of the commit or pull request that the request made. It is set if the request was applied
            (`maybe_applied` is True) and only its record could not be read.
    """

    maybe_applied: bool | None = None
    result_id: str | None = None


class IntegrityError(LakeFSException):
    """A checksum or length did not match."""


class ObjectChangedError(LakeFSException):
    """The object changed while it was read. Two versions would have been mixed."""


class TransactionException(LakeFSException):
    """A transaction did not commit, or its outcome is unknown.

    Attributes:
        branch: The ephemeral branch. It is kept unless the message says otherwise.
        state: "ABORTED", "UNKNOWN" or "COMMITTED".
    """

    branch: str = ""
    state: str = "ABORTED"


class TransactionStartError(TransactionException):
    """The ephemeral branch could not be created. Nothing has changed."""


class TransactionCommitError(TransactionException):
    """The ephemeral branch could not be committed. The destination is unchanged."""


class TransactionMergeError(TransactionException):
    """The merge was rejected. The destination is unchanged.

    Attributes:
        conflicts: The paths that both sides changed, if that was the reason.
    """

    conflicts: tuple[str, ...] = ()


class TransactionOutcomeUnknown(TransactionException):
    """The merge may have been applied. The ephemeral branch is kept."""

    state: str = "UNKNOWN"
    maybe_applied: bool | None = None


class TransactionStateError(TransactionException):
    """The transaction is in the wrong state: not open, or open already."""


class PartialFailureError(LakeFSException):
    """Some items of a bulk call failed.

    Attributes:
        report: The outcome of each item.
    """

    report: Any = None


class NoAuthenticationFound(LakeFSException):
    """No source had credentials."""


class InvalidConfigError(LakeFSException, ValueError):
    """A setting is invalid. The message names its source and value."""


class InvalidMetadataError(LakeFSException, ValueError):
    """The metadata of a dataset cannot be stored, or does not follow its schema. Nothing was written.

    Attributes:
        problems: What is wrong.
    """

    problems: tuple[Any, ...] = ()


class LakeError(LakeFSException):
    """An error of the embedded lake."""


class LakeLockedError(LakeError, TimeoutError):
    """Another process holds the lake's write lock."""


class LakeCorruptError(LakeError):
    """Data on disk is damaged."""


class LakeFormatError(LakeError):
    """The directory is not a lake, or one of another format."""


class LakeReadOnlyError(LakeError):
    """The lake is read-only: an fsync failed, or its directory is not writable."""


class LakeResourceError(LakeError, OSError):
    """The machine has no disk space, open files or memory left. `errno` says which."""


class InsecureTransportWarning(UserWarning):
    """Credentials are sent over a connection that others can read or redirect."""


class InsecureConfigWarning(UserWarning):
    """A file with credentials can be read or changed by others."""


def _publish(kind: type) -> None:
    """Set the public module: tracebacks, pickles and `help` show it.

    `typing.get_type_hints` looks annotations up in that module, which lacks the names: they are resolved here.
    """
    if kind.__dict__.get("__annotations__"):  # noqa: RUF063 - `inspect` is slow to import
        hints = get_type_hints(kind)
        kind.__annotations__ = {name: hints[name] for name in kind.__annotations__}
    kind.__module__ = "lakefs_hl.exceptions"


for _kind in tuple(vars().values()):
    if isinstance(_kind, type) and _kind.__module__ == __name__:
        _publish(_kind)
